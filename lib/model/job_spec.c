/*
 * A job from its two documents.  Called by fcgi-app at submit, by party
 * commands at create and when parameters are updated.
 *
 * The steps: conf, DSL, members, tasks (each adds its faults); then, when
 * there were none, the completed conf and the contract.
 */
#include "lib/model/job_spec.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/model/contract.h"
#include "lib/model/job_conf.h"
#include "lib/model/job_tasks.h"
#include "lib/model/trained.h"

/* --- identifiers ---------------------------------------------------------- */

static int
compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
compare_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
append_parties(struct buf *out, struct json_object *list)
{
	size_t i, n = json_object_array_length(list);
	int64_t *ids = xcalloc(n + 1, sizeof(*ids));

	for (i = 0; i < n; i++)
		ids[i] =
		    json_object_get_int64(json_object_array_get_idx(list, i));
	qsort(ids, n, sizeof(*ids), compare_number);
	for (i = 0; i < n; i++)
		if (i == 0 || ids[i] != ids[i - 1])
			buf_printf(
			    out, "%s%lld", i > 0 ? "_" : "", (long long)ids[i]);
	free(ids);
}

char *
job_model_id(struct json_object *roles)
{
	size_t i = 0, n = (size_t)json_object_object_length(roles);
	const char **names = xcalloc(n + 1, sizeof(*names));
	struct buf out = BUF_INIT;

	json_object_object_foreach(roles, name, unused)
	{
		(void)unused;
		names[i++] = name;
	}
	qsort(names, n, sizeof(*names), compare_text);
	for (i = 0; i < n; i++) {
		buf_printf(&out, "%s-", names[i]);
		append_parties(&out, json_get(roles, names[i]));
		buf_putc(&out, '#');
	}
	buf_puts(&out, "model");
	free(names);
	return buf_steal(&out);
}

/* --- members -------------------------------------------------------------- */

static void
make_member(const struct job_spec_input *in, const struct job_conf *conf,
    const struct role_list *role, size_t position, struct job_spec *spec,
    struct job_member *m)
{
	struct job_params params;
	struct job_cores cores;

	m->role = role->name;
	memcpy(m->party_id, role->parties[position], sizeof(m->party_id));
	m->position = (int)position;
	/* "local" is this site, whatever number stands for it. */
	m->is_local = strcmp(m->role, "local") == 0 ||
		      strcmp(m->party_id, in->local_party) == 0;
	m->is_initiator = str_eq(m->role, conf->initiator_role) &&
			  strcmp(m->party_id, conf->initiator_party) == 0;
	job_conf_member(conf, m->role, position, &params);
	job_conf_cores(&params, m->role, &cores);
	m->task_cores = cores.task;
	/* Nobody reserves for more tasks at once than there can be. */
	m->cores = cores.job == 0 ? 0 : cores.task * spec->task_parallelism;
	m->memory_mb =
	    in->defaults->memory_mb_per_task * spec->task_parallelism;
	m->job_parameters = job_conf_params_json(conf, &params, &cores, spec);
	m->tasks = arena_alloc(
	    spec->arena, (spec->n_components + 1) * sizeof(*m->tasks));
}

/* Its initiator's site decides how far a job may push ahead in its queue. */
static void
check_priority(const struct job_spec_input *in, const struct job_spec *spec,
    struct faults *faults)
{
	struct json_path parameters = { in->conf_path, "job_parameters", 0 };

	if (strcmp(spec->initiator_party, in->local_party) == 0 &&
	    spec->priority > in->defaults->max_priority)
		faults_add(faults,
		    JSON_PATH_KEY(
			JSON_PATH_KEY(&parameters, "common"), "priority"),
		    "is %lld, this site allows up to %lld",
		    (long long)spec->priority,
		    (long long)in->defaults->max_priority);
}

/* A party may have several roles: together they must fit into its site. */
static void
check_capacity(const struct job_spec_input *in, const struct job_spec *spec,
    struct faults *faults)
{
	struct json_path parameters = { in->conf_path, "job_parameters", 0 };
	const struct job_defaults *have = in->defaults;
	int64_t cores = 0, memory_mb = 0;
	size_t i;

	for (i = 0; i < spec->n_members; i++)
		if (spec->members[i].is_local) {
			cores += spec->members[i].cores;
			memory_mb += spec->members[i].memory_mb;
		}
	if (have->max_memory_mb > 0 && memory_mb > have->max_memory_mb)
		faults_add(faults, JSON_PATH_KEY(&parameters, "common"),
		    "the job asks for %lld MB of memory (%lld for a task × "
		    "task_parallelism, over all roles) of party %s, whose "
		    "site has %lld",
		    (long long)memory_mb, (long long)have->memory_mb_per_task,
		    in->local_party, (long long)have->max_memory_mb);
	if (in->defaults->max_cores > 0 && cores > in->defaults->max_cores)
		faults_add(faults, JSON_PATH_KEY(&parameters, "common"),
		    "the job asks for %lld cores (task_cores × "
		    "task_parallelism, over all roles) of party %s, whose "
		    "site has %lld",
		    (long long)cores, in->local_party,
		    (long long)in->defaults->max_cores);
}

static void
make_members(const struct job_spec_input *in, const struct job_conf *conf,
    struct job_spec *spec, struct faults *faults)
{
	const struct roles *roles = &conf->roles;
	size_t i, j;

	spec->members = arena_alloc(
	    spec->arena, (roles->n_members + 1) * sizeof(*spec->members));
	for (i = 0; i < roles->n; i++)
		for (j = 0; j < roles->items[i].n; j++) {
			struct job_member *m;

			m = &spec->members[spec->n_members++];
			make_member(in, conf, &roles->items[i], j, spec, m);
		}
	check_capacity(in, spec, faults);
	check_priority(in, spec, faults);
}

/* --- the completed conf --------------------------------------------------- */

static struct json_object *
share(struct json_object *o)
{
	return o != NULL ? json_object_get(o) : json_object_new_object();
}

static struct json_object *
initiator_json(const struct job_conf *conf)
{
	struct json_object *o = json_object_new_object();
	int64_t party = 0;

	(void)str_to_int64(conf->initiator_party, 0, INT64_MAX, &party);
	json_add_str(o, "role", conf->initiator_role);
	json_add_int(o, "party_id", party);
	return o;
}

/* job_parameters is the caller's reference. */
static struct json_object *
conf_json(const struct job_conf *conf, const struct job_spec *spec,
    struct json_object *job_parameters)
{
	struct json_object *o = json_object_new_object(), *given;

	json_add(o, "dsl_version", json_object_get(conf->dsl_version));
	json_add(o, "initiator", initiator_json(conf));
	json_add(o, "role", json_object_get(spec->roles));
	json_add(o, "job_parameters", job_parameters);
	if ((given = json_get(conf->json, "component_parameters")) != NULL)
		json_add(o, "component_parameters", json_object_get(given));
	if ((given = json_get(conf->json, "provider")) != NULL)
		json_add(o, "provider", json_object_get(given));
	return o;
}

static void
complete_conf(const struct job_conf *conf, struct job_spec *spec)
{
	struct json_object *scopes = json_object_new_object();
	struct job_cores cores;
	size_t i;

	job_conf_cores(&conf->common, "", &cores);
	json_add(scopes, "common",
	    job_conf_params_json(conf, &conf->common, &cores, spec));
	json_add(scopes, "role", share(conf->params_role));
	spec->conf = conf_json(conf, spec, scopes);
	for (i = 0; i < spec->n_members; i++)
		spec->members[i].conf_on_party = conf_json(conf, spec,
		    json_object_get(spec->members[i].job_parameters));
}

static int
make_contract(const struct job_spec_input *in, struct job_spec *spec)
{
	struct json_object *o;
	struct buf text = BUF_INIT;
	int r;

	if ((r = contract_make(in, spec, &o)) != 0)
		return r;
	if ((r = json_canon(o, &text)) == 0) {
		spec->contract_len = text.len;
		spec->contract = buf_steal(&text);
		crypto_hash_sha256(spec->contract_hash,
		    (const unsigned char *)spec->contract, spec->contract_len);
	}
	json_object_put(o);
	buf_fini(&text);
	return r;
}

/* --- the whole ------------------------------------------------------------ */

static bool
is_predict(const struct job_spec_input *in, const struct job_conf *conf)
{
	return in->model != NULL && in->model->loader == NULL &&
	       strcmp(conf->common.job_type, "predict") == 0;
}

static bool
same_document(struct json_object *a, struct json_object *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool same;

	same = json_canon(a, &x) == 0 && json_canon(b, &y) == 0 &&
	       x.len == y.len && memcmp(buf_str(&x), buf_str(&y), x.len) == 0;
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

/*
 * A predict job runs the DSL of its model.  What was sent is checked all the
 * same: somebody wrote it and expects something of it.
 */
static struct json_object *
choose_dsl(const struct job_spec_input *in, struct job_spec *spec,
    struct faults *faults)
{
	if (spec->model == NULL)
		return in->dsl;
	if (json_object_object_length(in->dsl) == 0)
		return spec->model->inference_dsl;
	dsl_free(dsl_read(in->dsl, NULL, in->dsl_path, faults));
	if (!same_document(in->dsl, spec->model->inference_dsl))
		job_spec_warn(spec,
		    "the DSL of the deployed model runs, which is "
		    "another than the one of this job");
	return spec->model->inference_dsl;
}

static void
take_dsl(const struct job_spec_input *in, struct job_spec *spec,
    struct faults *faults)
{
	static const struct json_path stored = { NULL, "inference_dsl", 0 };
	const struct json_path *path;
	size_t i;

	spec->dsl_json = json_object_get(choose_dsl(in, spec, faults));
	path = spec->model != NULL ? &stored : in->dsl_path;
	spec->dsl = dsl_read(spec->dsl_json, in->providers, path, faults);
	if (spec->model == NULL)
		dsl_refuse_stored(spec->dsl, path, faults);
	spec->n_components = spec->dsl->n;
	spec->components = arena_alloc(
	    spec->arena, (spec->n_components + 1) * sizeof(*spec->components));
	for (i = 0; i < spec->n_components; i++)
		spec->components[i] =
		    &spec->dsl->components[spec->dsl->order[i]];
}

static void
take_training(const struct job_spec_input *in, const struct job_conf *conf,
    struct job_spec *spec, struct faults *faults, struct trained *t)
{
	static const struct json_path stored = { NULL, "inference_dsl", 0 };

	trained_read(t, spec->model, in->providers, spec->arena, faults);
	trained_check_members(
	    t, &conf->roles, JSON_PATH_KEY(in->conf_path, "role"), faults);
	trained_check_models(t, spec->dsl, &stored, faults);
}

/* A task runs at all members: the one that can do the fewest decides. */
static int64_t
least_parallelism(const struct job_conf *conf)
{
	int64_t least = conf->common.task_parallelism;
	struct job_params p;
	size_t i, k;

	for (i = 0; i < conf->roles.n; i++)
		for (k = 0; k < conf->roles.items[i].n; k++) {
			job_conf_member(conf, conf->roles.items[i].name, k, &p);
			if (i == 0 && k == 0)
				least = p.task_parallelism;
			if (p.task_parallelism < least)
				least = p.task_parallelism;
		}
	return least;
}

static void
take_conf(const struct job_conf *conf, struct job_spec *spec)
{
	spec->initiator_role = conf->initiator_role;
	memcpy(spec->initiator_party, conf->initiator_party,
	    sizeof(spec->initiator_party));
	spec->job_type = conf->common.job_type;
	spec->name = conf->common.job_name != NULL ? conf->common.job_name : "";
	spec->task_parallelism = least_parallelism(conf);
	spec->timeout_s = conf->common.timeout;
	spec->auto_retries = conf->common.auto_retries;
	spec->auto_retry_delay_s = conf->common.auto_retry_delay;
	spec->priority = conf->common.priority;
	spec->valid_hours = conf->common.valid_hours;
	spec->max_runs = conf->common.max_runs;
	spec->roles = roles_json(&conf->roles);
	if (spec->model != NULL) {
		spec->model_id = xstrdup(spec->model->model_id);
		spec->model_version = xstrdup(spec->model->model_version);
	} else {
		spec->model_id = job_model_id(spec->roles);
		spec->model_version = xstrdup(spec->job_id);
	}
}

static void
build_tasks(const struct job_spec_input *in, const struct job_conf *conf,
    const struct trainings *trainings, struct job_spec *spec,
    struct faults *faults)
{
	/* Each task may have a complete set of parameters of its own. */
	if (spec->n_components * spec->n_members > JOB_TASKS_MAX)
		faults_add(faults, in->conf_path,
		    "%zu components on %zu "
		    "members are too many tasks, at most %d",
		    spec->n_components, spec->n_members, JOB_TASKS_MAX);
	else
		job_tasks_build(in, conf, trainings, spec, faults);
}

/* What ModelLoaders load from: its documents are sealed, not this job's. */
static void
read_loads(const struct job_spec_input *in, struct job_spec *spec,
    struct faults *faults, struct trainings *t)
{
	const struct job_model *m;
	size_t n = 0;

	for (m = spec->model == NULL ? in->model : NULL; m != NULL; m = m->next)
		n++;
	t->loaded = arena_alloc(spec->arena, (n + 1) * sizeof(*t->loaded));
	t->loaders = arena_alloc(spec->arena, (n + 1) * sizeof(*t->loaders));
	for (m = in->model; t->n < n; m = m->next) {
		t->loaders[t->n] = m->loader;
		trained_read(
		    &t->loaded[t->n++], m, in->providers, spec->arena, faults);
	}
}

static void
read_documents(const struct job_spec_input *in, struct job_conf *conf,
    struct job_spec *spec, struct faults *faults)
{
	struct trainings trainings = { 0 };
	struct trained trained = { 0 };
	size_t i;

	job_conf_read(in->conf, in, spec, faults, conf);
	if (is_predict(in, conf))
		spec->model = in->model;
	take_dsl(in, spec, faults);
	take_conf(conf, spec);
	make_members(in, conf, spec, faults);
	if (spec->model != NULL) {
		take_training(in, conf, spec, faults, &trained);
		trainings.model = &trained;
	}
	read_loads(in, spec, faults, &trainings);
	build_tasks(in, conf, &trainings, spec, faults);
	trained_fini(&trained);
	for (i = 0; i < trainings.n; i++)
		trained_fini(&trainings.loaded[i]);
}

int
job_spec_build(const struct job_spec_input *in, struct faults *faults,
    struct job_spec **out)
{
	struct job_spec *spec = xcalloc(1, sizeof(*spec));
	struct job_conf conf;
	size_t before = faults_count(faults);
	int r = 0;

	*out = NULL;
	spec->arena = arena_new();
	spec->job_id = xstrdup(in->job_id);
	spec->conf_given = json_object_get(in->conf);
	read_documents(in, &conf, spec, faults);
	if (faults_count(faults) != before) {
		r = err_set(ERR_INVALID, "job: %zu faults",
		    faults_count(faults) - before);
		goto out;
	}
	complete_conf(&conf, spec);
	if ((r = make_contract(in, spec)) != 0) {
		err_wrap("job contract");
		goto out;
	}
	*out = spec;
	spec = NULL;
out:
	job_spec_free(spec);
	return r;
}

static void
free_member(const struct job_spec *spec, struct job_member *m)
{
	size_t i;

	for (i = 0; i < spec->n_components; i++) {
		json_object_put(m->tasks[i].parameters);
		json_object_put(m->tasks[i].given);
	}
	json_object_put(m->job_parameters);
	json_object_put(m->conf_on_party);
}

void
job_spec_free(struct job_spec *spec)
{
	size_t i;

	if (spec == NULL)
		return;
	for (i = 0; i < spec->n_members; i++)
		free_member(spec, &spec->members[i]);
	for (i = 0; i < spec->n_warnings; i++)
		free(spec->warnings[i]);
	free(spec->warnings);
	dsl_free(spec->dsl);
	json_object_put(spec->dsl_json);
	json_object_put(spec->conf_given);
	json_object_put(spec->conf);
	json_object_put(spec->roles);
	json_object_put(spec->providers_json);
	free(spec->contract);
	free(spec->job_id);
	free(spec->model_id);
	free(spec->model_version);
	arena_free(spec->arena);
	free(spec);
}
