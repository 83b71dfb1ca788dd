/*
 * The table of all components.  A new one is a file in components/ and a
 * line here.
 */
#include <stdbool.h>
#include <string.h>

#include "executor/component.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

static const struct component *const components[] = { &component_upload,
	&component_reader, &component_writer, &component_download,
	&component_model_loader, &component_data_transform,
	&component_intersection, &component_cache_loader,
	&component_federated_sample, &component_label_transform,
	&component_union, &component_hetero_data_split,
	&component_homo_data_split, &component_feature_scale,
	&component_data_statistics, &component_hetero_lr, &component_evaluation,
	&component_homo_lr, &component_secure_add, NULL };

const struct component *const *
component_all(void)
{
	return components;
}

static bool
has_role(const struct component *c, const char *role)
{
	size_t n = strlen(role);
	const char *p = c->roles;

	while ((p = strstr(p, role)) != NULL) {
		if ((p == c->roles || p[-1] == ' ') &&
		    (p[n] == ' ' || p[n] == '\0'))
			return true;
		p += n;
	}
	return false;
}

int
component_find(
    const char *module, const char *role, const struct component **out)
{
	size_t i;

	*out = NULL;
	for (i = 0; components[i] != NULL; i++)
		if (str_eq(components[i]->module, module))
			break;
	if (components[i] == NULL)
		return err_set(
		    ERR_NOT_FOUND, "there is no component %s here", module);
	if (role[0] == '\0' || !has_role(components[i], role))
		return err_set(ERR_UNSUPPORTED,
		    "%s has no part for the role "
		    "%s, only for %s",
		    module, role, components[i]->roles);
	*out = components[i];
	return 0;
}
