/*
 * Decisions as JSON, and the errand by which a partner asks for them.  Called
 * by fcgi-app's api_explain.c and through the table of errands.
 */
#include "lib/party/explain.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/data/resolve.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_table.h"
#include "lib/json/decode.h"
#include "lib/model/job_spec.h"
#include "lib/party/party.h"
#include "lib/party/permit_command.h"

#define TASKS_MAX 10000
#define PARAMETERS_MAX (1024 * 1024) /* a request holds no more */

/* The job would wait for that person, for so long. */
static struct json_object *
approval_json(const struct db_permission *rule)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "by", rule->approval_by);
	json_add_int(o, "within_s", rule->approval_within_s);
	return o;
}

static struct json_object *
decision_json(const struct permit_decision *d)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "kind", permit_kind_name(d->kind));
	json_add_str(o, "subject", d->subject);
	if (*d->detail != '\0')
		json_add_str(o, "detail", d->detail);
	if (*d->component != '\0')
		json_add_str(o, "component", d->component);
	json_add_bool(o, "allowed", d->allowed);
	if (d->rule != 0)
		json_add_int(o, "rule", d->rule);
	json_add_str(o, "why", d->why);
	if (!d->allowed)
		json_add_str(o, "grant", d->grant);
	else if (d->approval != NULL)
		json_add(o, "approval", approval_json(d->approval));
	return o;
}

/* As when the member is created; a refusal of the rules is not asked about. */
static int
ask_service(const struct permit_service *service, struct arena *a,
    const struct party_member *m, const struct db_job_new *job,
    const struct permit_decision *d, size_t n, struct json_object *list,
    bool *allowed)
{
	const struct permit_ask ask = { .job_id = m->job_id,
		.party = job->initiator_party,
		.src_role = job->initiator_role,
		.role = m->role,
		.party_id = m->party_id,
		.command = PERMIT_CREATE };
	struct json_object *o;
	const char *said = "";
	int r;

	if ((r = service->ask(service->ctx, a, &ask, d, n, allowed, &said)) !=
	    0)
		return r;
	o = json_object_new_object();
	json_add_str(o, "kind", "service");
	json_add_str(o, "subject", "permission");
	json_add_bool(o, "allowed", *allowed);
	json_add_str(o, "why", said);
	json_object_array_add(list, o);
	return 0;
}

/* --- what the rules do not decide ----------------------------------------- */

static void
add_finding(struct json_object *list, const char *kind, const char *subject,
    bool allowed, const char *why)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "kind", kind);
	json_add_str(o, "subject", subject);
	json_add_bool(o, "allowed", allowed);
	json_add_str(o, "why", why);
	json_object_array_add(list, o);
}

/* More than the site has, or than this initiator ever gets of it. */
static int
look_at_cores(struct db *db, struct arena *a, const struct party_member *m,
    const struct db_job_new *job, struct json_object *list, bool *allowed)
{
	struct db_resource *have;
	int64_t cores = 0;
	int r;

	for (size_t i = 0; i < job->nparties; i++)
		if (str_eq(job->parties[i].role, m->role) &&
		    str_eq(job->parties[i].party_id, m->party_id))
			cores = job->parties[i].cores;
	if (cores == 0)
		return 0;
	r = db_resource_get(db, a, DB_ENGINE_DEFAULT, &have);
	if (r == 0 && cores > have->cores)
		r = err_set(ERR_LIMIT,
		    "%lld cores are asked for, its site has %lld",
		    (long long)cores, (long long)have->cores);
	if (r == 0)
		r = db_quota_check_ever(db, job->initiator_party, false, cores);
	if (r == ERR_LIMIT) {
		add_finding(list, "quota", "cores", false, err_text());
		*allowed = false;
	} else if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return 0;
}

/* Why it is not to be had; NULL: r is about no table. */
static const char *
why_no_table(int r)
{
	switch (r) {
	case ERR_NOT_FOUND:
		return "there is no such table";
	case ERR_DENIED:
		return "the table is disabled";
	case ERR_FORMAT:
		return "the table cannot be read";
	default:
		return NULL;
	}
}

/* One that the rules let the asker read, so that he may know of it. */
static int
look_at_table(struct db *db, struct arena *a, const struct db_job_new *job,
    const struct db_task_new *t, struct json_object *list, bool *allowed)
{
	struct json_object *o = NULL, *table;
	struct db_table *row;
	const char *why;
	int r;

	if (!str_eq(t->module, "Reader") || t->parameters == NULL)
		return 0;
	if ((r = json_parse_text(t->parameters, &o)) != 0)
		return r;
	r = data_find_for_reader(db, a, o, job->initiator_party, &row);
	if ((why = why_no_table(r)) != NULL) {
		table = json_get(o, "table");
		add_finding(list, "table",
		    arena_printf(a, "%s/%s",
			json_get_str(table, "namespace", ""),
			json_get_str(table, "name", "")),
		    false, why);
		*allowed = false;
		err_clear();
		r = 0;
	}
	json_object_put(o);
	return r;
}

static int
look_at_tables(struct db *db, struct arena *a, const struct party_member *m,
    const struct db_job_new *job, struct json_object *list, bool *allowed)
{
	int r = 0;

	for (size_t i = 0; i < job->ntasks && r == 0; i++)
		if (str_eq(job->tasks[i].role, m->role) &&
		    str_eq(job->tasks[i].party_id, m->party_id))
			r = look_at_table(
			    db, a, job, &job->tasks[i], list, allowed);
	return r;
}

/* The commands that would allow what is refused. */
static struct json_object *
grants_json(struct arena *a, const char *party, const struct permit_decision *d,
    size_t n)
{
	struct json_object *list = json_object_new_array();
	size_t n_grants;
	const char **grants = permit_grants(a, party, d, n, &n_grants);

	for (size_t i = 0; i < n_grants; i++)
		json_object_array_add(list, json_object_new_string(grants[i]));
	return list;
}

int
explain_member(struct db *db, struct arena *a, const struct party_member *m,
    const struct db_job_new *job, const struct permit_service *service,
    bool to_partner, struct json_object **out)
{
	struct json_object *list;
	struct permit_decision *d;
	bool allowed = true, hidden = false;
	size_t i, n;
	int r;

	*out = NULL;
	if ((r = party_job_explain(db, a, m, job, &d, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++) {
		allowed &= d[i].allowed;
		hidden |= to_partner && d[i].approval != NULL;
		json_object_array_add(list, decision_json(&d[i]));
	}
	if (allowed && service != NULL)
		r = ask_service(service, a, m, job, d, n, list, &allowed);
	if (r == 0 && allowed)
		r = look_at_cores(db, a, m, job, list, &allowed);
	if (r == 0 && allowed && !hidden)
		r = look_at_tables(db, a, m, job, list, &allowed);
	if (r != 0) {
		json_object_put(list);
		return r;
	}
	*out = json_object_new_object();
	json_add_bool(*out, "allowed", allowed);
	json_add(*out, "decisions", list);
	json_add(*out, "grants", grants_json(a, job->initiator_party, d, n));
	return 0;
}

struct json_object *
explain_body(const struct party_member *m, const struct db_job_new *job)
{
	struct json_object *body = json_object_new_object(), *o;
	struct json_object *list = json_object_new_array();

	json_add_str(body, "src_role", job->initiator_role);
	for (size_t i = 0; i < job->nparties; i++)
		if (str_eq(job->parties[i].role, m->role) &&
		    str_eq(job->parties[i].party_id, m->party_id))
			json_add_int(body, "cores", job->parties[i].cores);
	for (size_t i = 0; i < job->ntasks; i++) {
		const struct db_task_new *t = &job->tasks[i];

		if (!str_eq(t->role, m->role) ||
		    !str_eq(t->party_id, m->party_id))
			continue;
		o = json_object_new_object();
		json_add_str(o, "component", t->component);
		json_add_str(o, "module", t->module);
		json_add_str(o, "parameters", t->parameters);
		json_object_array_add(list, o);
	}
	json_add(body, "tasks", list);
	return body;
}

/* --- the errand --- */

struct explain_ask {
	const char *src_role;
	struct json_object *tasks;
	int64_t cores;
};

static const struct json_field ask_fields[] = {
	JSON_STR(struct explain_ask, src_role, 1, JOB_ROLE_MAX, JSON_REQUIRED),
	JSON_ARR(struct explain_ask, tasks, 1, TASKS_MAX, JSON_REQUIRED),
	JSON_INT(struct explain_ask, cores, 0, INT32_MAX, 0),
};

static const struct json_field task_fields[] = {
	JSON_STR(struct db_task_new, component, 1, 100, JSON_REQUIRED),
	JSON_STR(struct db_task_new, module, 1, 100, JSON_REQUIRED),
	JSON_STR(
	    struct db_task_new, parameters, 2, PARAMETERS_MAX, JSON_REQUIRED),
};

static struct db_task_new *
read_tasks(const struct errand_ask *ask, struct json_object *list,
    struct faults *faults)
{
	size_t n = json_object_array_length(list);
	struct db_task_new *tasks = arena_alloc(ask->arena, n * sizeof(*tasks));
	const struct json_path path = { NULL, "tasks", 0 };

	for (size_t i = 0; i < n; i++) {
		tasks[i] = (struct db_task_new){ .role = ask->role,
			.party_id = ask->party_id };
		(void)json_decode(json_object_array_get_idx(list, i),
		    JSON_FIELDS(task_fields), JSON_FAULT_UNKNOWN,
		    JSON_PATH_AT(&path, i), faults, &tasks[i]);
	}
	return tasks;
}

static int
read_ask(const struct errand_ask *ask, struct db_job_new *job)
{
	struct explain_ask body = { NULL, NULL, 0 };
	struct db_party_new *party = arena_alloc(ask->arena, sizeof(*party));
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(ask->body, JSON_FIELDS(ask_fields), JSON_FAULT_UNKNOWN,
		NULL, &faults, &body) == 0) {
		job->initiator_role = body.src_role;
		job->tasks = read_tasks(ask, body.tasks, &faults);
		job->ntasks = json_object_array_length(body.tasks);
		*party = (struct db_party_new){ .role = ask->role,
			.party_id = ask->party_id,
			.cores = body.cores };
		job->parties = party;
		job->nparties = 1;
	}
	if (faults_any(&faults))
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	return r;
}

int
explain_errand(const struct errand_ask *ask)
{
	const struct party_member m = { EXPLAIN_JOB_ID, ask->role,
		ask->party_id };
	struct db_job_new job = { .job_id = EXPLAIN_JOB_ID,
		.initiator_party = ask->caller->party_id };
	int r;

	if ((r = read_ask(ask, &job)) != 0)
		return r;
	r = explain_member(
	    ask->db, ask->arena, &m, &job, ask->service, true, ask->data);
	/* Parameters that are no JSON are the asker's. */
	return r == ERR_FORMAT ? err_set(ERR_INVALID, "%s", err_text()) : r;
}
