/*
 * Taking jobs in.  Called by api_job.c, api_data.c and
 * api_party_create.c.
 */
#include "fcgi-app/submit.h"

#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/deployed.h"
#include "fcgi-app/links.h"
#include "fcgi-app/own_data.h"
#include "fcgi-app/provider_set.h"
#include "fcgi-app/wake.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_resource.h"

#define ID_TRIES 5 /* another worker may draw the same id */

int
submit_defaults(struct request *req, struct job_defaults *out)
{
	const struct site_conf *conf = req->app->conf;
	struct db_resource *have;
	int r;

	*out = (struct job_defaults){
		.task_cores = conf->task_cores,
		.task_parallelism = conf->task_parallelism,
		.timeout_s = conf->job_timeout_s,
		.task_timeout_s = conf->task_timeout_s,
		.max_priority = conf->max_priority,
		.auto_retries = conf->auto_retries,
		.auto_retry_delay_s = conf->auto_retry_delay_s,
		.memory_mb_per_task = conf->executor_memory_mb,
	};
	r = db_resource_get(req->app->db, req->arena, DB_ENGINE_DEFAULT, &have);
	if (r == ERR_NOT_FOUND) { /* no supervisor has started yet */
		err_clear();
		return 0;
	}
	if (r != 0)
		return r;
	out->max_cores = have->cores;
	out->max_memory_mb = have->memory_mb;
	/* On a small machine a task is promised what there is. */
	if (out->memory_mb_per_task > have->memory_mb)
		out->memory_mb_per_task = have->memory_mb;
	return 0;
}

static const char *
text_of(struct request *req, struct json_object *o)
{
	return o == NULL ? NULL : arena_strdup(req->arena, json_text(o));
}

static const char *
provider_text(struct request *req, const struct job_task *t)
{
	struct json_object *o = json_object_new_object();
	const char *text;

	json_add_str(o, "name", t->provider_name);
	json_add_str(o, "version", t->provider_version);
	text = text_of(req, o);
	json_object_put(o);
	return text;
}

/* "a,b": the components whose outputs this one takes. */
static const char *
upstream_text(struct request *req, const struct job_spec *spec, size_t seq)
{
	const struct dsl_component *c = spec->components[seq];
	const char *text = NULL;

	for (size_t i = 0; i < c->n_ups; i++) {
		const char *up = spec->dsl->components[c->ups[i]].name;

		text = text == NULL
			   ? up
			   : arena_printf(req->arena, "%s,%s", text, up);
	}
	return text;
}

static void
fill_task(struct request *req, const struct job_spec *spec,
    const struct job_member *m, size_t seq, struct db_task_new *out)
{
	const struct job_task *t = &m->tasks[seq];

	*out = (struct db_task_new){
		.component = spec->components[seq]->name,
		.version = 0,
		.role = m->role,
		.party_id = m->party_id,
		.seq = (int64_t)seq,
		.module = spec->components[seq]->module,
		.run_here = m->is_local,
		.need_run = t->need_run,
		.auto_retries = spec->auto_retries,
		.retry_delay_s = spec->auto_retry_delay_s,
		.provider = provider_text(req, t),
		.parameters = text_of(req, t->parameters),
		.waits_on = upstream_text(req, spec, seq),
	};
}

static void
fill_party(struct request *req, const struct job_member *m, bool created,
    struct db_party_new *out)
{
	*out = (struct db_party_new){
		.role = m->role,
		.party_id = m->party_id,
		.position = m->position,
		.is_local = m->is_local,
		.created = created,
		.party_conf =
		    m->is_local ? text_of(req, m->conf_on_party) : NULL,
		.cores = m->cores,
		.memory_mb = m->memory_mb,
	};
}

static void
fill_members(struct request *req, const struct job_spec *spec,
    const struct job_member *only, struct db_job_new *out)
{
	struct db_party_new *parties;
	struct db_task_new *tasks;
	const struct job_member *m;
	size_t i, seq, n = 0;

	parties = arena_alloc(req->arena, spec->n_members * sizeof(*parties));
	tasks =
	    arena_alloc(req->arena, (only != NULL ? 1 : spec->n_members) *
					spec->n_components * sizeof(*tasks));
	for (i = 0; i < spec->n_members; i++) {
		m = &spec->members[i];
		fill_party(req, m, only != NULL ? m == only : m->is_local,
		    &parties[i]);
		if (only != NULL && m != only)
			continue;
		for (seq = 0; seq < spec->n_components; seq++) {
			if (m->tasks[seq].runs)
				fill_task(req, spec, m, seq, &tasks[n++]);
		}
	}
	out->parties = parties;
	out->nparties = spec->n_members;
	out->tasks = tasks;
	out->ntasks = n;
}

void
submit_rows(struct request *req, const struct job_spec *spec,
    const struct job_member *only, struct db_job_new *out)
{
	*out = (struct db_job_new){
		.job_id = spec->job_id,
		.status = STATE_WAITING,
		.name = spec->name,
		.is_initiator = only == NULL,
		.initiator_role = spec->initiator_role,
		.initiator_party = spec->initiator_party,
		.job_type = spec->job_type,
		.model_id = spec->model_id,
		.model_version = spec->model_version,
		.dsl = text_of(req, spec->dsl_json),
		.runtime_conf = text_of(req, spec->conf),
		.train_conf = spec->model != NULL
				  ? text_of(req, spec->model->train_conf)
				  : NULL,
		.roles = text_of(req, spec->roles),
		.contract = spec->contract,
		.task_parallelism = spec->task_parallelism,
		.priority = spec->priority,
		.timeout_s = spec->timeout_s,
	};
	memcpy(out->contract_hash, spec->contract_hash,
	    sizeof(out->contract_hash));
	fill_members(req, spec, only, out);
}

static int
build(struct request *req, const struct submit *s, struct own_data *own,
    const struct job_defaults *defaults, const struct job_model *model,
    const char *job_id, struct faults *faults, struct job_spec **out)
{
	struct job_spec_input in = {
		.job_id = job_id,
		.local_party = s->local_party,
		.dsl = s->dsl,
		.conf = s->conf,
		.model = model,
		.providers_fixed = s->providers_fixed,
		.now_s = clock_wall_ms() / 1000,
		.providers = req->app->providers,
		.defaults = defaults,
		.look = own != NULL ? own_data_look : NULL,
		.look_ctx = own,
		.dsl_path = JSON_PATH_KEY(NULL, s->dsl_name),
		.conf_path = NULL,
	};
	struct json_path conf_path = { NULL, s->conf_name, 0 };
	int r;

	if (s->conf_name != NULL)
		in.conf_path = &conf_path;

	if ((r = job_spec_build(&in, faults, out)) != 0 ||
	    (own != NULL && (r = own->error) != 0))
		return r;
	if (strcmp((*out)->initiator_party, s->local_party) != 0) {
		faults_add(faults,
		    JSON_PATH_KEY(
			JSON_PATH_KEY(in.conf_path, "initiator"), "party_id"),
		    "a job is submitted at its initiator's site; this is "
		    "party %s",
		    s->local_party);
		return ERR_INVALID;
	}
	return 0;
}

const char *
submit_stranger_text(struct arena *arena, const char *party)
{
	return arena_printf(arena,
	    "party %s is no partner of this site; its operator makes it one "
	    "by: sluice partner import FILE",
	    party);
}

/* Who could never be asked to take part is no member. */
static int
check_strangers(struct request *req, const struct submit *s,
    const struct job_spec *spec, struct faults *faults)
{
	struct json_path conf = { NULL, s->conf_name, 0 };
	struct db_partner *row;
	int r;

	for (size_t i = 0; i < spec->n_members; i++) {
		const struct job_member *m = &spec->members[i];
		const struct json_path role = { &conf, "role", 0 };

		if (m->is_local)
			continue;
		r = db_partner_get(req->app->db, req->arena, m->party_id, &row);
		if (r == ERR_NOT_FOUND)
			faults_add(faults,
			    JSON_PATH_AT(JSON_PATH_KEY(&role, m->role),
				(size_t)m->position),
			    "%s",
			    submit_stranger_text(req->arena, m->party_id));
		else if (r != 0)
			return r;
	}
	return faults_any(faults) ? ERR_INVALID : 0;
}

static int
insert(struct request *req, struct submit *s,
    const struct job_defaults *defaults, const struct job_model *model,
    const char *job_id, struct faults *faults, struct job_spec **out)
{
	struct own_data own = { req, 0, NULL };
	struct db_job_new job;
	struct wait why;
	int r;

	if ((r = db_quota_check_waiting(
		 req->app->db, s->local_party, true, &why)) != 0)
		return r;
	if (s->documents != NULL && (r = s->documents(req, job_id, s)) != 0)
		return r;
	if ((r = build(req, s, &own, defaults, model, job_id, faults, out)) !=
		0 ||
	    (r = check_strangers(req, s, *out, faults)) != 0)
		return r;
	if (s->place != NULL && (r = s->place(req, job_id, s)) != 0)
		return r;
	submit_rows(req, *out, NULL, &job);
	return db_job_insert(req->app->db, &job, NULL);
}

/* The stored documents, or conf in their place. */
static int
stored_documents(const struct db_job *job, struct json_object *conf,
    struct submit *s, struct json_object *parsed[3])
{
	int r;

	if ((r = json_parse_text(job->dsl, &parsed[0])) != 0 ||
	    (r = json_parse_text(job->contract, &parsed[1])) != 0 ||
	    (conf == NULL &&
		(r = json_parse_text(job->runtime_conf, &parsed[2])) != 0))
		return r;
	*s = (struct submit){ .dsl = parsed[0],
		.dsl_name = "dsl",
		.conf = conf != NULL ? conf : parsed[2],
		.conf_name = conf != NULL ? NULL : "runtime_conf",
		.local_party = job->initiator_party,
		.providers_fixed = json_get(parsed[1], "providers") };
	return 0;
}

int
submit_rebuild(struct request *req, const struct db_job *job,
    struct json_object *conf, struct faults *faults, struct rebuilt *out)
{
	const struct deployed_for own = { NULL, NULL, NULL };
	struct json_object *parsed[3] = { NULL, NULL, NULL };
	struct json_path conf_path = { NULL, NULL, 0 };
	struct job_defaults defaults;
	struct submit s;
	int r;

	*out = (struct rebuilt){ NULL, NULL };
	if ((r = submit_defaults(req, &defaults)) != 0 ||
	    (r = provider_set_refresh(req->app)) != 0 ||
	    (r = stored_documents(job, conf, &s, parsed)) != 0)
		goto out;
	conf_path.key = s.conf_name;
	if ((r = deployed_find(req, s.dsl, s.conf, &own,
		 s.conf_name != NULL ? &conf_path : NULL, faults,
		 &out->model)) == 0)
		r = build(req, &s, NULL, &defaults, out->model, job->job_id,
		    faults, &out->spec);
out:
	for (size_t i = 0; i < 3; i++)
		json_object_put(parsed[i]);
	return r;
}

void
submit_rebuilt_fini(struct rebuilt *re)
{
	job_spec_free(re->spec);
	deployed_free(re->model);
	*re = (struct rebuilt){ NULL, NULL };
}

void
submit_refuse(struct reply *rp, const char *what, const struct faults *faults)
{
	struct buf text = BUF_INIT;

	faults_text(faults, &text);
	reply_fault(rp, 103, "%s, %zu fault%s:\n%s", what, faults_count(faults),
	    faults_count(faults) == 1 ? "" : "s", buf_str(&text));
	rp->errors = faults_json(faults);
	buf_fini(&text);
}

static void
answer_accepted(
    struct request *req, struct reply *rp, const struct job_spec *spec)
{
	struct json_object *data = json_object_new_object();
	struct json_object *model = json_object_new_object();
	char *warnings = job_spec_warning_text(spec);
	const char *message = *warnings != '\0' ? warnings : "success";

	json_add_str(data, "job_id", spec->job_id);
	json_add_int(data, "code", 0);
	json_add_str(data, "message", message);
	json_add_str(model, "model_id", spec->model_id);
	json_add_str(model, "model_version", spec->model_version);
	json_add(data, "model_info", model);
	links_add(req->app->conf, data, spec->job_id, spec->initiator_role,
	    spec->initiator_party);
	reply_data(rp, data);
	reply_message(rp, "%s", message);
	free(warnings);
}

int
submit_job(struct request *req, struct reply *rp, struct submit *s)
{
	const struct deployed_for own = { NULL, NULL, NULL };
	struct job_defaults defaults;
	struct faults faults = FAULTS_INIT;
	struct job_model *model = NULL;
	struct job_spec *spec = NULL;
	char job_id[ID_JOB_SIZE];
	int r, tries = 0;

	if ((r = submit_defaults(req, &defaults)) != 0 ||
	    (r = provider_set_refresh(req->app)) != 0)
		return r;
	do {
		job_spec_free(spec);
		spec = NULL;
		id_job(job_id);
		r = model != NULL || s->conf == NULL
			? 0
			: deployed_find(req, s->dsl, s->conf, &own,
			      JSON_PATH_KEY(NULL, s->conf_name), &faults,
			      &model);
		if (r == 0)
			r = insert(
			    req, s, &defaults, model, job_id, &faults, &spec);
	} while (r == ERR_EXISTS && ++tries < ID_TRIES);
	log_context(job_id, NULL, NULL);
	rp->job_id = xstrdup(job_id);
	if (r == 0) {
		wake_supervisor(req, job_id, WAKE_JOBS);
		answer_accepted(req, rp, spec);
		log_info("job accepted, %zu members, %zu components",
		    spec->n_members, spec->n_components);
	} else if (faults_any(&faults)) {
		submit_refuse(rp, "job submit failed", &faults);
		r = 0;
	}
	job_spec_free(spec);
	deployed_free(model);
	faults_fini(&faults);
	return r;
}
