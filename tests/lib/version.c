#include "tests/lib/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_checkpoint.h"
#include "lib/json/json.h"
#include "lib/model/model_object.h"
#include "lib/model/model_version.h"
#include "lib/party/model_stage.h"
#include "proto/model/lr.pb-c.h"

#define ROLES "{\"guest\":[9999],\"host\":[10000]}"
#define CONF                                                                   \
	"{\"dsl_version\":2,\"initiator\":{\"role\":\"guest\",\"party_id\":"   \
	"9999},\"role\":" ROLES ",\"job_parameters\":{},"                      \
	"\"component_parameters\":{\"common\":{\"lr_0\":{\"max_iter\":3}}}}"
#define DSL                                                                    \
	"{\"components\":{\"lr_0\":{\"module\":\"HeteroLR\"},\"lr_1\":{"       \
	"\"module\":\"HeteroLR\"}}}"

const struct db_model_key version_key = { VERSION_MODEL, VERSION_ID, "guest",
	VERSION_PARTY };

static struct db_model_part
part_of(const struct site_conf *conf, const char *component, const char *name,
    const void *data, size_t len)
{
	struct db_model_part p = { .model_id = VERSION_MODEL,
		.model_version = VERSION_ID,
		.role = "guest",
		.party_id = VERSION_PARTY,
		.component = component,
		.alias = "model",
		.buffer_name = name,
		.message = name,
		.module = "HeteroLR",
		.bytes = (int64_t)len };

	assert_int_equal(model_object_keep(conf, data, len, p.sha256), 0);
	return p;
}

static size_t
param(uint8_t data[1000], double loss)
{
	Sluice__Lr__LRModelParam p = SLUICE__LR__LRMODEL_PARAM__INIT;

	p.iters = 3;
	p.n_loss_history = 1;
	p.loss_history = &loss;
	return sluice__lr__lrmodel_param__pack(&p, data);
}

static void
add_checkpoint(struct db *db, const struct db_model_part *p)
{
	struct db_checkpoint c = { .model_id = VERSION_MODEL,
		.model_version = VERSION_ID,
		.role = "guest",
		.party_id = VERSION_PARTY,
		.component = p->component,
		.step_index = 2,
		.step_name = "round_2" };
	struct db_checkpoint_part b = { .buffer_name = p->buffer_name,
		.message = p->message,
		.bytes = p->bytes };

	memcpy(b.sha256, p->sha256, sizeof(b.sha256));
	assert_int_equal(db_checkpoint_put(db, NULL, &c, &b, 1, 10), 0);
}

static void
seal(struct db *db, struct arena *a, const struct db_model *m)
{
	struct model_member members[2] = {
		{ .role = "guest", .party_id = VERSION_PARTY },
		{ .role = "host", .party_id = "10000" },
	};

	memcpy(members[0].manifest_hash, m->manifest_hash, DB_HASH_SIZE);
	memset(members[1].manifest_hash, 7, DB_HASH_SIZE);
	assert_int_equal(model_seal(db, a, &version_key, members, 2, NULL), 0);
}

void
version_make(struct db *db, const struct site_conf *conf, struct arena *a)
{
	static const uint8_t contract[DB_HASH_SIZE] = { 1 };
	uint8_t data[1000];
	struct db_model_part parts[4];
	struct model_stage s = {
		.m = { .model_id = VERSION_MODEL,
		    .model_version = VERSION_ID,
		    .role = "guest",
		    .party_id = VERSION_PARTY,
		    .job_id = VERSION_ID,
		    .is_parent = true,
		    .roles = ROLES,
		    .initiator_role = "guest",
		    .initiator_party = VERSION_PARTY,
		    .train_dsl = DSL,
		    .inference_dsl = DSL,
		    .train_runtime_conf = CONF,
		    .runtime_conf_on_party = CONF },
		.parts = parts,
		.n = 4,
		.contract_hash = contract,
	};

	parts[0] = part_of(conf, "lr_0", "LRModelMeta", "", 0);
	parts[1] =
	    part_of(conf, "lr_0", "LRModelParam", data, param(data, 0.5));
	parts[2] = part_of(conf, "lr_1", "LRModelMeta", "", 0);
	parts[3] =
	    part_of(conf, "lr_1", "LRModelParam", data, param(data, 0.2));
	assert_int_equal(model_stage(db, conf, a, &s), 0);
	seal(db, a, &s.m);
	add_checkpoint(db, &parts[3]);
}
