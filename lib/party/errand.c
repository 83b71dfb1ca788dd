/*
 * The table of kinds.
 */
#include "lib/party/errand.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/db/db_operations.h"
#include "lib/party/audit_head.h"
#include "lib/party/explain.h"
#include "lib/party/job_stop.h"
#include "lib/party/job_doubt.h"
#include "lib/party/model_deploy.h"
#include "lib/party/model_load.h"
#include "lib/party/model_migrate.h"
#include "lib/party/resources_freed.h"
#include "lib/provider/measure.h"

#define ALIVE_MS 30000 /* so old may a supervisor's sign of life be */

static const struct errand_kind kinds[] = {
	{ "ping", errand_ping },
	{ "info", errand_info },
	{ MODEL_DEPLOY_STAGE, model_deploy_stage },
	{ MODEL_DEPLOY_SEAL, model_deploy_seal },
	{ MODEL_DEPLOY_DROP, model_deploy_drop },
	{ MODEL_LOAD, model_load },
	{ MODEL_MIGRATE, model_migrate },
	{ AUDIT_HEAD, audit_heads_errand },
	{ JOB_STOP, job_stop },
	{ PERMIT_EXPLAIN, explain_errand },
	{ JOB_DOUBT, job_doubt_errand },
	{ RESOURCES_FREED, resources_freed_errand },
};

const struct errand_kind *
errand_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* Enough of the id to be unique, and short enough for an address. */
char *
errand_socket(const struct site_conf *conf, const char *errand_id)
{
	return site_path(conf, "%s/e/%.16s", SITE_RUN, errand_id);
}

int
errand_ping(const struct errand_ask *ask)
{
	(void)ask;
	return 0;
}

/* Whether we reach whoever asks, as far as was seen, and when that was. */
static int
add_state(const struct errand_ask *ask)
{
	struct db_partner_state *rows;
	struct json_object *o;
	int64_t ran_ms;
	size_t i, n;
	int r;

	if ((r = db_partner_state_list(ask->db, ask->arena, &rows, &n)) != 0 ||
	    (r = db_supervisor_ran_ms(ask->db, ALIVE_MS, &ran_ms)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if (strcmp(rows[i].party_id, ask->caller->party_id) != 0)
			continue;
		o = json_object_new_object();
		json_add_bool(o, "answers", rows[i].answers);
		json_add_int(o, "since", rows[i].since_ms);
		json_add_int(o, "checked_ago_ms", rows[i].checked_ago_ms);
		if (ran_ms > 0)
			json_add_int(o, "ran_ms", ran_ms);
		json_add(*ask->data, "you", o);
	}
	return 0;
}

/* Contracts say them as well. */
static void
add_providers(const struct errand_ask *ask)
{
	struct json_object *o = json_object_new_object();
	size_t i,
	    n = ask->providers != NULL ? providers_count(ask->providers) : 0;
	char digest[PROVIDER_DIGEST_SIZE];

	for (i = 0; i < n; i++) {
		const struct provider *p = providers_at(ask->providers, i);

		if (provider_digest(p, digest) == 0)
			json_add_str(o,
			    arena_printf(
				ask->arena, "%s@%s", p->name, p->version),
			    digest);
	}
	json_add(*ask->data, "providers", o);
}

int
errand_info(const struct errand_ask *ask)
{
	*ask->data = json_object_new_object();
	json_add_str(*ask->data, "version", SLUICE_VERSION);
	json_add_str(*ask->data, "party_id", ask->conf->party_id);
	json_add_int(*ask->data, "time_ms", clock_wall_ms());
	add_providers(ask);
	return add_state(ask);
}
