/*
 * Reading the runtime conf but for its component parameters.  Called by
 * job_spec_build().
 */
#include "lib/model/job_conf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/model/contract.h"

#define TASK_CORES_MAX 1024
#define PARALLELISM_MAX 1000
#define SECONDS_MAX 31536000 /* a year */
#define EGRESS_MB_MAX (INT64_C(1) << 30)
#define VALID_HOURS_MAX 87600 /* ten years */
#define RUNS_MAX 100000

/* --- job parameters: the table -------------------------------------------- */

enum { FOR_JOB, FOR_MEMBER, SET_HERE };

/*
 * What job_parameters may hold.  FOR_JOB is one decision for all members and
 * cannot be given per role; SET_HERE is accepted, because completed confs
 * carry it, and derived anew.
 */
static const struct {
	struct json_field field;
	int scope;
} params[] = {
#define STR(m, max, scope)                                                     \
	{                                                                      \
		JSON_STR(struct job_params, m, 0, max, JSON_NULLABLE), scope   \
	}
#define INT(m, min, max, scope)                                                \
	{                                                                      \
		JSON_INT(struct job_params, m, min, max,                       \
		    JSON_NULLABLE | JSON_LENIENT),                             \
		    scope                                                      \
	}
#define OBJ(m, scope)                                                          \
	{                                                                      \
		JSON_OBJ(struct job_params, m, JSON_NULLABLE), scope           \
	}
#define OWN(name)                                                              \
	{                                                                      \
		JSON_ANY_AS(struct job_params, set_here, name, JSON_NULLABLE), \
		    SET_HERE                                                   \
	}
	STR(job_type, 20, FOR_JOB),
	STR(job_name, 500, FOR_JOB),
	INT(task_cores, 1, TASK_CORES_MAX, FOR_MEMBER),
	INT(task_parallelism, 1, PARALLELISM_MAX, FOR_MEMBER),
	INT(computing_partitions, 1, 1023, FOR_MEMBER),
	INT(timeout, 1, SECONDS_MAX, FOR_JOB),
	INT(task_timeout, 0, SECONDS_MAX, FOR_MEMBER),
	INT(auto_retries, 0, 100, FOR_JOB),
	INT(auto_retry_delay, 0, 86400, FOR_JOB),
	INT(priority, 0, 1000, FOR_JOB),
	INT(egress_mb, -1, EGRESS_MB_MAX, FOR_MEMBER),
	INT(valid_hours, 1, VALID_HOURS_MAX, FOR_JOB),
	INT(max_runs, 1, RUNS_MAX, FOR_JOB),
	STR(federated_status_collect_type, 10, FOR_JOB),
	STR(federated_mode, 20, FOR_JOB),
	STR(federated_data_exchange_type, 50, FOR_JOB),
	OBJ(federation_info, FOR_JOB),
	OBJ(eggroll_run, FOR_MEMBER),
	OBJ(spark_run, FOR_MEMBER),
	OBJ(rabbitmq_run, FOR_MEMBER),
	OBJ(pulsar_run, FOR_MEMBER),
	OBJ(task_conf, FOR_MEMBER),
	OBJ(inheritance_info, FOR_JOB),
	{ JSON_ANY(struct job_params, assistant_role, JSON_NULLABLE), FOR_JOB },
	STR(map_table_name, 500, FOR_JOB),
	STR(map_namespace, 500, FOR_JOB),
	OWN("computing_engine"),
	OWN("storage_engine"),
	OWN("federation_engine"),
	OWN("engines_address"),
	OWN("adaptation_parameters"),
	OWN("model_id"),
	OWN("model_version"),
	OWN("dsl_version"),
	OWN("roles"),
	OWN("role_parameters"),
#undef STR
#undef INT
#undef OBJ
#undef OWN
};
#define N_PARAMS (sizeof(params) / sizeof(params[0]))

/* Gone from the platform; job files still carry them. */
static const char *const removed[] = { "backend", "work_mode" };

static int
find_param(const char *name)
{
	size_t i;

	for (i = 0; i < N_PARAMS; i++)
		if (strcmp(params[i].field.name, name) == 0)
			return (int)i;
	return -1;
}

/* What clients of the platform add to it for nobody's use. */
static const char *const extras[] = { "user" };

static void
warn_unknown(struct job_spec *spec, const char *name)
{
	const char *known[N_PARAMS], *nearest;
	size_t i;

	for (i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		if (strcmp(extras[i], name) == 0)
			return;

	for (i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		if (strcmp(removed[i], name) == 0) {
			job_spec_warn(
			    spec, "%s is removed and has no effect", name);
			return;
		}
	for (i = 0; i < N_PARAMS; i++)
		known[i] = params[i].field.name;
	nearest = str_nearest(name, known, N_PARAMS);
	job_spec_warn(spec,
	    "job parameter %.60s is not known and ignored%s%s%s", name,
	    nearest != NULL ? "; did you mean \"" : "",
	    nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

/* One object of job parameters over *out; unknown names only warn. */
static void
read_params(struct json_object *o, bool role_scope,
    const struct json_path *path, struct job_spec *spec, struct faults *faults,
    struct job_params *out)
{
	int i;

	json_object_object_foreach(o, name, value)
	{
		struct json_path at = { path, name, 0 };

		if ((i = find_param(name)) < 0) {
			warn_unknown(spec, name);
			continue;
		}
		if (role_scope && params[i].scope == FOR_JOB)
			faults_add_value(faults, &at, value,
			    "holds for the "
			    "whole job; put it below common");
		else
			json_decode(o, &params[i].field, 1, JSON_IGNORE_UNKNOWN,
			    path, faults, out);
	}
}

static void
one_of(const char *value, const char *const *allowed, const char *name,
    const struct json_path *path, struct faults *faults)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; allowed[i] != NULL; i++) {
		if (strcmp(value, allowed[i]) == 0)
			goto out;
		buf_printf(&text, "%s%s", i > 0 ? ", " : "", allowed[i]);
	}
	faults_add(faults, JSON_PATH_KEY(path, name),
	    "must be one of %s (found \"%.40s\")", buf_str(&text), value);
out:
	buf_fini(&text);
}

static void
check_common(const struct job_params *p, bool has_model,
    const struct json_path *path, struct faults *faults)
{
	static const char *const types[] = { "train", "predict", NULL };
	static const char *const collect[] = { "PUSH", "PULL", NULL };
	static const char *const modes[] = { "SINGLE", "MULTIPLE", NULL };

	one_of(p->job_type, types, "job_type", path, faults);
	one_of(p->federated_status_collect_type, collect,
	    "federated_status_collect_type", path, faults);
	if (p->federated_mode != NULL)
		one_of(
		    p->federated_mode, modes, "federated_mode", path, faults);
	if (strcmp(p->job_type, "predict") == 0 && !has_model)
		faults_add(faults, JSON_PATH_KEY(path, "job_type"),
		    "a predict job needs model_id and model_version of a "
		    "deployed model");
	if (p->inheritance_info != NULL &&
	    json_object_object_length(p->inheritance_info) > 0)
		faults_add_value(faults,
		    JSON_PATH_KEY(path, "inheritance_info"),
		    p->inheritance_info,
		    "reuse of an earlier job's outputs is not offered: run "
		    "that job again from a component (job/rerun), or read an "
		    "output of it by a Reader whose table names job_id, "
		    "component_name and data_name");
}

static void
read_role_params(struct job_conf *c, const struct json_path *path,
    struct job_spec *spec, struct faults *faults)
{
	struct job_params scratch = c->common;

	json_object_object_foreach(c->params_role, role, keys)
	{
		struct json_path at = { path, role, 0 };

		if (!roles_keys_usable(keys))
			continue; /* told by roles_check_section() */
		json_object_object_foreach(keys, key, o) if (json_is_object(o))
		    read_params(o, true, JSON_PATH_KEY(&at, key), spec, faults,
			&scratch);
	}
}

struct scopes {
	struct json_object *common;
	struct json_object *role;
};

static const struct json_field scope_fields[] = {
	JSON_OBJ(struct scopes, common, JSON_NULLABLE),
	JSON_OBJ(struct scopes, role, JSON_NULLABLE),
};

static void
read_job_parameters(struct job_conf *c, struct json_object *o,
    const struct job_spec_input *in, const struct json_path *path,
    struct job_spec *spec, struct faults *faults)
{
	const struct job_defaults *defaults = in->defaults;
	struct json_path common = { path, "common", 0 };
	struct json_path role = { path, "role", 0 };
	struct scopes s = { 0 };

	c->common = (struct job_params){
		.job_type = "train",
		.task_cores = defaults->task_cores,
		.task_parallelism = defaults->task_parallelism,
		.timeout = defaults->timeout_s,
		.task_timeout = defaults->task_timeout_s,
		.auto_retries = defaults->auto_retries,
		.auto_retry_delay = defaults->auto_retry_delay_s,
		.egress_mb = -1,
		.valid_hours = CONTRACT_VALID_HOURS,
		.max_runs = CONTRACT_RUNS,
		.federated_status_collect_type = "PUSH",
	};
	if (o == NULL)
		return;
	json_decode(o, JSON_FIELDS(scope_fields), JSON_IGNORE_UNKNOWN, path,
	    faults, &s);
	json_object_object_foreach(o, name, unused)
	{
		(void)unused;
		if (strcmp(name, "common") != 0 && strcmp(name, "role") != 0)
			warn_unknown(spec, name);
	}
	if (s.common != NULL)
		read_params(s.common, false, &common, spec, faults, &c->common);
	check_common(&c->common, in->model != NULL && in->model->loader == NULL,
	    &common, faults);
	if (s.role == NULL)
		return;
	c->params_role = s.role;
	roles_check_section(&c->roles, s.role, &role, NULL, NULL, faults);
	read_role_params(c, &role, spec, faults);
}

/*
 * Fixed once for all members, so that a partner that reads the completed
 * conf comes to the same numbers.
 */
static void
fix_derived(struct job_conf *c)
{
	struct job_cores baseline;

	job_conf_cores(&c->common, "", &baseline);
	if (c->common.computing_partitions == 0)
		c->common.computing_partitions = baseline.task;
	if (c->common.federated_mode == NULL)
		c->common.federated_mode =
		    str_eq(c->initiator_role, "local") ? "SINGLE" : "MULTIPLE";
}

/* --- the conf ------------------------------------------------------------- */

struct top {
	struct json_object *dsl_version;
	struct json_object *initiator;
	struct json_object *role;
	struct json_object *job_parameters;
	struct json_object *component_parameters;
	struct json_object *provider;
};

static const struct json_field top_fields[] = {
	JSON_ANY(struct top, dsl_version, JSON_REQUIRED),
	JSON_OBJ(struct top, initiator, JSON_REQUIRED),
	JSON_OBJ(struct top, role, JSON_REQUIRED),
	JSON_OBJ(struct top, job_parameters, JSON_NULLABLE),
	JSON_OBJ(struct top, component_parameters, JSON_NULLABLE),
	JSON_ANY(struct top, provider, JSON_NULLABLE),
};

struct initiator {
	const char *role;
	char party_id[JSON_PARTY_SIZE];
};

static const struct json_field initiator_fields[] = {
	JSON_STR(struct initiator, role, 1, JOB_ROLE_MAX, JSON_REQUIRED),
	JSON_PARTY(struct initiator, party_id, JSON_REQUIRED),
};

static void
read_initiator(struct job_conf *c, struct json_object *o,
    const struct json_path *path, struct faults *faults)
{
	struct initiator in = { 0 };
	const struct role_list *r;

	if (json_decode(o, JSON_FIELDS(initiator_fields), JSON_FAULT_UNKNOWN,
		path, faults, &in) != 0)
		return;
	c->initiator_role = in.role;
	memcpy(c->initiator_party, in.party_id, sizeof(in.party_id));
	if ((r = roles_find(&c->roles, in.role)) == NULL)
		faults_add_value(faults, JSON_PATH_KEY(path, "role"),
		    json_get(o, "role"), "the job has no such role");
	else if (roles_position(r, in.party_id) < 0)
		faults_add_value(faults, JSON_PATH_KEY(path, "party_id"),
		    json_get(o, "party_id"),
		    "the initiator must be one of role.%s", in.role);
}

static void
read_provider(struct job_conf *c, struct json_object *o,
    const struct json_path *path, struct faults *faults)
{
	struct scopes s = { 0 };

	if (o == NULL)
		return;
	if (json_is_string(o)) {
		c->provider = json_object_get_string(o);
		if (!provider_spec_valid(c->provider))
			faults_add_value(
			    faults, path, o, "must be NAME or NAME@VERSION");
		return;
	}
	json_decode(
	    o, JSON_FIELDS(scope_fields), JSON_FAULT_UNKNOWN, path, faults, &s);
	c->provider_common = s.common;
	c->provider_role = s.role;
}

static void
check_version(
    struct json_object *o, const struct json_path *path, struct faults *faults)
{
	int64_t v = 0;

	if (o != NULL && (!json_whole_number(o, true, &v) || v != 2))
		faults_add_value(faults, JSON_PATH_KEY(path, "dsl_version"), o,
		    "must be 2; only the v2 version runtime conf is "
		    "supported");
}

void
job_conf_read(struct json_object *json, const struct job_spec_input *in,
    struct job_spec *spec, struct faults *faults, struct job_conf *c)
{
	const struct json_path *path = in->conf_path;
	struct top top = { 0 };
	struct scopes s = { 0 };

	memset(c, 0, sizeof(*c));
	c->json = json;
	json_decode(json, JSON_FIELDS(top_fields), JSON_FAULT_UNKNOWN, path,
	    faults, &top);
	check_version(top.dsl_version, path, faults);
	c->dsl_version = top.dsl_version;
	if (top.role != NULL)
		roles_read(top.role, in->providers, JSON_PATH_KEY(path, "role"),
		    faults, spec->arena, &c->roles);
	if (top.initiator != NULL && c->roles.n > 0)
		read_initiator(
		    c, top.initiator, JSON_PATH_KEY(path, "initiator"), faults);
	read_job_parameters(c, top.job_parameters, in,
	    JSON_PATH_KEY(path, "job_parameters"), spec, faults);
	if (top.component_parameters != NULL)
		json_decode(top.component_parameters, JSON_FIELDS(scope_fields),
		    JSON_FAULT_UNKNOWN,
		    JSON_PATH_KEY(path, "component_parameters"), faults, &s);
	c->components_common = s.common;
	c->components_role = s.role;
	read_provider(c, top.provider, JSON_PATH_KEY(path, "provider"), faults);
	fix_derived(c);
}

/* --- members -------------------------------------------------------------- */

void
job_conf_member(const struct job_conf *c, const char *role, size_t position,
    struct job_params *out)
{
	struct json_object *keys = json_get(c->params_role, role);
	struct faults none = FAULTS_INIT;
	size_t i;

	*out = c->common;
	if (!roles_keys_usable(keys))
		return;
	json_object_object_foreach(keys, key, o)
	{
		if (!roles_key_matches(key, position))
			continue;
		/* Checked before: this only copies. */
		for (i = 0; i < N_PARAMS; i++)
			if (params[i].scope == FOR_MEMBER)
				(void)json_decode(o, &params[i].field, 1,
				    JSON_IGNORE_UNKNOWN, NULL, &none, out);
	}
	faults_fini(&none);
}

void
job_conf_cores(
    const struct job_params *p, const char *role, struct job_cores *out)
{
	bool is_arbiter = strcmp(role, "arbiter") == 0;
	int64_t asked = 0;

	/* A site is one node of the standalone engine. */
	out->nodes = 1;
	out->request = is_arbiter ? 1 : p->task_cores;
	/* The classic engine option wins over task_cores. */
	(void)json_whole_number(
	    json_get(p->eggroll_run, "eggroll.session.processors.per.node"),
	    true, &asked);
	if (asked > 0 && asked <= TASK_CORES_MAX && !is_arbiter)
		out->per_node = asked;
	else
		out->per_node = out->request / out->nodes;
	out->task = out->per_node * out->nodes;
	out->job = is_arbiter ? 0 : out->task * p->task_parallelism;
}

static struct json_object *
adaptation(const struct job_cores *cores)
{
	struct json_object *o = json_object_new_object();

	json_add_bool(o, "if_initiator_baseline", true);
	json_add_int(o, "request_task_cores", cores->request);
	json_add_int(o, "task_nodes", cores->nodes);
	json_add_int(o, "task_cores_per_node", cores->per_node);
	json_add_int(o, "task_memory_per_node", 0);
	return o;
}

/* What was given for one parameter, in its normal form; absent adds nothing. */
static void
add_param(struct json_object *o, const struct json_field *f,
    const struct job_params *p)
{
	const char *at = (const char *)p + f->offset;
	const char *s;

	if (f->kind == JSON_KIND_INT) {
		json_add_int(o, f->name, *(const int64_t *)(const void *)at);
	} else if (f->kind == JSON_KIND_STR) {
		s = *(const char *const *)(const void *)at;
		if (s != NULL)
			json_add_str(o, f->name, s);
	} else {
		struct json_object *v;

		v = *(struct json_object *const *)(const void *)at;
		if (v != NULL)
			json_add(o, f->name, json_object_get(v));
	}
}

struct json_object *
job_conf_params_json(const struct job_conf *c, const struct job_params *p,
    const struct job_cores *cores, const struct job_spec *spec)
{
	struct json_object *o = json_object_new_object();
	size_t i;

	for (i = 0; i < N_PARAMS; i++)
		if (params[i].scope != SET_HERE)
			add_param(o, &params[i].field, p);
	json_add_str(o, "computing_engine", "STANDALONE");
	json_add_str(o, "storage_engine", "STANDALONE");
	json_add_str(o, "federation_engine", "MAILBOX");
	json_add(o, "adaptation_parameters", adaptation(cores));
	json_add_str(o, "model_id", spec->model_id);
	json_add_str(o, "model_version", spec->model_version);
	json_add(o, "dsl_version", json_object_get(c->dsl_version));
	json_add(o, "roles", json_object_get(spec->roles));
	json_add(o, "role_parameters",
	    c->params_role != NULL ? json_object_get(c->params_role)
				   : json_object_new_object());
	return o;
}
