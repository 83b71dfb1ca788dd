/*
 * Building those jobs.
 */
#include "tests/lib/rows.h"

#include <string.h>

#include "lib/db/db_permission.h"

#define CORES 4

static const struct {
	const char *role;
	const char *party_id;
} members[3] = { { "arbiter", ROWS_HOST }, { "guest", ROWS_GUEST },
	{ "host", ROWS_HOST } };
static const char *const components[2] = { "reader_0", "lr_0" };

static struct db_job_new
job_of(const char *job_id)
{
	struct db_job_new j = { .job_id = job_id,
		.initiator_role = "guest",
		.initiator_party = ROWS_GUEST,
		.name = "a job",
		.job_type = "train",
		.model_id = "arbiter-10000#guest-9999#host-10000#model",
		.model_version = job_id,
		.dsl = "{\"components\":{}}",
		.runtime_conf = "{\"dsl_version\":2}",
		.roles = "{\"guest\":[9999],\"host\":[10000],"
			 "\"arbiter\":[10000]}",
		.contract = "{}",
		.task_parallelism = 1,
		.timeout_s = 3600 };

	memset(j.contract_hash, 7, sizeof(j.contract_hash));
	return j;
}

static struct db_task_new
task_of(size_t component, size_t member, bool run_here)
{
	return (struct db_task_new){ .component = components[component],
		.role = members[member].role,
		.party_id = members[member].party_id,
		.seq = (int64_t)component,
		.module = "HeteroLR",
		.run_here = run_here,
		.need_run = true,
		.provider = "{\"name\":\"sluice\"}",
		.parameters = "{}" };
}

int
rows_initiated(struct db *db, const char *job_id)
{
	struct db_party_new parties[3];
	struct db_task_new tasks[6];
	struct db_job_new j = job_of(job_id);

	for (size_t m = 0; m < 3; m++) {
		bool here = strcmp(members[m].party_id, ROWS_GUEST) == 0;

		parties[m] = (struct db_party_new){ .role = members[m].role,
			.party_id = members[m].party_id,
			.is_local = here,
			.created = here,
			.party_conf = here ? "{}" : NULL,
			.cores = here ? CORES : 0 };
		for (size_t c = 0; c < 2; c++)
			tasks[m * 2 + c] = task_of(c, m, here);
	}
	j.status = STATE_WAITING;
	j.is_initiator = true;
	j.parties = parties;
	j.nparties = 3;
	j.tasks = tasks;
	j.ntasks = 6;
	return db_job_insert(db, &j, NULL);
}

void
rows_partner_init(struct rows_partner *p, const char *job_id, const char *role)
{
	p->job = job_of(job_id);
	for (size_t m = 0; m < 3; m++) {
		bool here = strcmp(members[m].party_id, ROWS_HOST) == 0;
		bool is_it = strcmp(members[m].role, role) == 0;

		p->parties[m] = (struct db_party_new){ .role = members[m].role,
			.party_id = members[m].party_id,
			.is_local = here,
			.created = is_it,
			.party_conf = is_it ? "{}" : NULL,
			.cores = is_it ? CORES : 0 };
		for (size_t c = 0; is_it && c < 2; c++)
			p->tasks[c] = task_of(c, m, true);
	}
	p->job.status = STATE_READY;
	p->job.parties = p->parties;
	p->job.nparties = 3;
	p->job.tasks = p->tasks;
	p->job.ntasks = 2;
}

/* clang-format off */
static const struct db_stmt put_model = {
	"rows.model", "sss",
	"INSERT INTO model (model_id, model_version, role, party_id, state,"
	" job_id, is_parent, roles, initiator_role, initiator_party, train_dsl,"
	" inference_dsl, train_runtime_conf, runtime_conf_on_party, manifest,"
	" manifest_hash, size_bytes) VALUES"
	" ('arbiter-10000#guest-9999#host-10000#model', ?, 'guest', '"
	ROWS_GUEST "', ?, ?, 1,"
	" '{\"guest\":[9999],\"host\":[10000],\"arbiter\":[10000]}', 'guest',"
	" '" ROWS_GUEST "', '{}', '{}', '{}', '{}', '{}', REPEAT('m', 32), 1025)"
};
/* clang-format on */

int
rows_model(struct db *db, const char *model_version, const char *state)
{
	return db_exec(
	    db, &put_model, NULL, model_version, state, model_version);
}

int
rows_allow(struct db *db, const char *party_id)
{
	static const char *const kinds[] = { "role", "command", "component",
		"dataset" };
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && r == 0; i++)
		r = db_permission_put(
		    db, &(struct db_permission){
			    .leaf = { .party_id = party_id,
				.src_role = "*",
				.kind = kinds[i],
				.subject = "*",
				.detail = i == 3 ? "*" : "" } });
	return r;
}
