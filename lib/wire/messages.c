/*
 * Called by who shows or exports models.  A new message under proto/model needs a line here.
 */
#include "lib/wire/messages.h"

#include <stddef.h>
#include <string.h>

#include "proto/model/data_transform.pb-c.h"
#include "proto/model/feature_scale.pb-c.h"
#include "proto/model/label_transform.pb-c.h"
#include "proto/model/lr.pb-c.h"
#include "proto/model/pipeline.pb-c.h"
#include "proto/model/statistics.pb-c.h"

static const ProtobufCMessageDescriptor *const known[] = {
	&sluice__model__data_transform_meta__descriptor,
	&sluice__model__data_transform_param__descriptor,
	&sluice__model__label_transform_meta__descriptor,
	&sluice__model__label_transform_param__descriptor,
	&sluice__lr__lrmodel_meta__descriptor,
	&sluice__lr__lrmodel_param__descriptor,
	&sluice__model__scale_meta__descriptor,
	&sluice__model__scale_param__descriptor,
	&sluice__model__statistic_meta__descriptor,
	&sluice__model__model_param__descriptor,
	&sluice__model__pipeline__descriptor, NULL
};

const ProtobufCMessageDescriptor *
messages_find(const char *name)
{
	size_t i;

	for (i = 0; known[i] != NULL; i++) {
		if (strcmp(known[i]->short_name, name) == 0)
			return known[i];
	}
	return NULL;
}
