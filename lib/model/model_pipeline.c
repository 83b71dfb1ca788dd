/*
 * From a version's documents to its pipeline message.
 */
#include "lib/model/model_pipeline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compatible.h"
#include "proto/model/pipeline.pb-c.h"

/* protobuf-c does not change what it packs. */
static ProtobufCBinaryData
bytes(const char *s)
{
	ProtobufCBinaryData d = { 0, NULL };

	if (s != NULL) {
		d.len = strlen(s);
		d.data = (uint8_t *)(uintptr_t)s;
	}
	return d;
}

static char *
text(const char *s)
{
	return (char *)(uintptr_t)(s != NULL ? s : "");
}

void
model_pipeline_pack(const struct db_model *m, struct buf *out)
{
	Sluice__Model__Pipeline p = SLUICE__MODEL__PIPELINE__INIT;

	p.inference_dsl = bytes(m->inference_dsl);
	p.train_dsl = bytes(m->train_dsl);
	p.train_runtime_conf = bytes(m->train_runtime_conf);
	p.fate_version = text(COMPATIBLE_VERSION);
	p.model_id = text(m->model_id);
	p.model_version = text(m->model_version);
	p.parent = m->is_parent;
	p.roles = bytes(m->roles);
	p.initiator_role = text(m->initiator_role);
	/* Ids that the field cannot hold have no number there. */
	p.initiator_party_id =
	    strlen(m->initiator_party) < 10 ? atoi(m->initiator_party) : 0;
	p.runtime_conf_on_party = bytes(m->runtime_conf_on_party);
	p.parent_info = bytes(m->parent_info != NULL ? m->parent_info : "{}");
	(void)sluice__model__pipeline__pack(
	    &p, buf_reserve(out, sluice__model__pipeline__get_packed_size(&p)));
	out->len += sluice__model__pipeline__get_packed_size(&p);
	out->data[out->len] = '\0';
}
