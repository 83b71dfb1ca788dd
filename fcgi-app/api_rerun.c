/*
 * Jobs that go on after their submit: run again, with other parameters.
 * lib/party decides what gets a new version; here is checked that the job
 * still could be submitted, with what this site has and allows now.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "fcgi-app/wake.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/merge.h"
#include "lib/party/party.h"

#define EVERYTHING "pipeline" /* stands for all components */
/* The database tells of a seal; its writer is another program. */
#define SEAL_TRIES 40
#define SEAL_PAUSE_US 50000
#define REVISE_TRIES 5 /* another request was faster */

static struct party_caller
self(const struct request *req)
{
	return (struct party_caller){ .is_site = true,
		.party_id = req->app->conf->party_id };
}

/* --- the job -------------------------------------------------------------- */

/*
 * The job that a request names, when it can be changed from here; else *job
 * is NULL and the reply says what to do.
 */
static int
find_job(struct request *req, struct reply *rp, const char *what,
    struct db_job **job)
{
	const char *id = request_text(req, "job_id");
	int r;

	*job = NULL;
	if ((r = request_require(req, "job_id")) != 0)
		return r;
	r = db_job_get(req->app->db, req->arena, id != NULL ? id : "", job);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		*job = NULL;
		return reply_fault(rp, 102, "job %s is not known here",
		    id != NULL ? id : "null");
	}
	if (r != 0)
		return r;
	log_context((*job)->job_id, NULL, NULL);
	if (!(*job)->is_initiator) {
		reply_fault(rp, 103,
		    "job %s was initiated by %s %s: %s there, at the site of "
		    "party %s",
		    (*job)->job_id, (*job)->initiator_role,
		    (*job)->initiator_party, what, (*job)->initiator_party);
		*job = NULL;
	}
	return 0;
}

static bool
is_upload(const struct job_spec *spec)
{
	size_t i;

	for (i = 0; i < spec->n_components; i++)
		if (strcmp(spec->components[i]->module, "Upload") == 0)
			return true;
	return false;
}

/* --- rerun ---------------------------------------------------------------- */

struct wanted {
	const char **names; /* none: all */
	size_t n;
};

static void
fault_component(const struct job_spec *spec, struct json_object *value,
    const struct json_path *path, struct faults *faults)
{
	char hint[FAULTS_HINT_SIZE] = "";
	const char **names;
	size_t i;

	names = xcalloc(spec->n_components + 1, sizeof(*names));
	for (i = 0; i < spec->n_components; i++)
		names[i] = spec->components[i]->name;
	if (json_is_string(value))
		faults_hint(faults, json_object_get_string(value), names,
		    spec->n_components, hint);
	faults_add_value(
	    faults, path, value, "the job has no such component%s", hint);
	free(names);
}

static void
want(struct wanted *w, const struct job_spec *spec, struct json_object *value,
    const struct json_path *path, bool *all, struct faults *faults)
{
	const char *name =
	    json_is_string(value) ? json_object_get_string(value) : "";

	if (strcmp(name, EVERYTHING) == 0)
		*all = true;
	else if (job_spec_component(spec, name) == (size_t)-1)
		fault_component(spec, value, path, faults);
	else
		w->names[w->n++] = name;
}

/* component_name: a name, a list of names, absent or "pipeline" for all. */
static void
read_wanted(const struct request *req, const struct job_spec *spec,
    struct wanted *w, struct faults *faults)
{
	struct json_object *o = request_field(req, "component_name");
	struct json_path at = { NULL, "component_name", 0 };
	bool all = o == NULL;
	size_t i, n = json_is_array(o) ? json_object_array_length(o) : 1;

	w->names = arena_alloc(req->arena, (n + 1) * sizeof(*w->names));
	w->n = 0;
	if (json_is_array(o)) {
		all = n == 0;
		for (i = 0; i < n; i++)
			want(w, spec, json_object_array_get_idx(o, i),
			    JSON_PATH_AT(&at, i), &all, faults);
	} else if (o != NULL)
		want(w, spec, o, &at, &all, faults);
	if (all)
		w->n = 0;
}

static int
rerun(struct request *req, struct reply *rp, const struct db_job *job,
    const struct job_spec *spec, const struct wanted *w)
{
	struct party_caller who = self(req);
	struct party_rerun p = {
		.job_id = job->job_id,
		.components = w->names,
		.ncomp = w->n,
		.force = request_flag(req, "force", false),
		.auto_retries = spec->auto_retries,
		.retry_delay_s = spec->auto_retry_delay_s,
	};
	struct graph *graph;
	int64_t n;
	int r, tries = 0;

	if ((r = graph_from_dsl(job->dsl, &graph)) != 0)
		return r;
	p.graph = graph;
	/* The success was seen a moment before all members have its model. */
	while ((r = initiator_rerun(req->app->db, &who, &p, &n)) == ERR_BUSY &&
	       ++tries < SEAL_TRIES)
		(void)usleep(SEAL_PAUSE_US);
	graph_free(graph);
	if (r == ERR_BUSY) {
		reply_fault(rp, 103, "%s", err_text());
		err_clear();
		return 0;
	}
	if (r != 0)
		return r;
	if (n == 0)
		return reply_message(rp,
		    "nothing to rerun: what was asked for succeeded, runs or "
		    "waits to run%s",
		    p.force ? "" : "; force runs it again");
	wake_supervisor(req, job->job_id, WAKE_JOBS);
	log_info("rerun of %lld components", (long long)n);
	return reply_message(rp, "rerun job success");
}

int
api_job_rerun(struct request *req, struct reply *rp)
{
	struct faults faults = FAULTS_INIT;
	struct rebuilt re = { NULL, NULL };
	struct db_job *job;
	struct wanted w = { NULL, 0 };
	int r;

	if ((r = find_job(req, rp, "rerun it", &job)) != 0 || job == NULL)
		return r;
	r = submit_rebuild(req, job, NULL, &faults, &re);
	if (r == 0)
		read_wanted(req, re.spec, &w, &faults);
	if (faults_any(&faults)) {
		err_clear();
		submit_refuse(rp, "job rerun failed", &faults);
		r = 0;
	} else if (r == 0 && is_upload(re.spec))
		reply_fault(rp, 103,
		    "an upload cannot run again: the file that was sent is "
		    "removed when its job ends; upload it again");
	else if (r == 0)
		r = rerun(req, rp, job, re.spec, &w);
	submit_rebuilt_fini(&re);
	faults_fini(&faults);
	return r;
}

/* --- other parameters ----------------------------------------------------- */

static const char *const sections[] = { "job_parameters",
	"component_parameters" };

#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* The stored conf with the request's sections merged over it. */
static int
patched_conf(const struct request *req, const struct db_job *job,
    struct faults *faults, struct json_object **out)
{
	struct json_object *patch, *part;
	size_t i, n = 0;
	int r;

	if ((r = json_parse_text(job->runtime_conf, out)) != 0)
		return r;
	patch = json_object_new_object();
	for (i = 0; i < N_SECTIONS; i++) {
		part = request_field(req, sections[i]);
		if (part == NULL)
			continue;
		n++;
		if (json_is_object(part))
			json_add(patch, sections[i], json_object_get(part));
		else
			faults_add_value(faults,
			    JSON_PATH_KEY(NULL, sections[i]), part,
			    "must be an object with common and role");
	}
	if (n == 0)
		faults_add(faults, NULL,
		    "job_parameters or component_parameters must be there");
	json_merge(*out, patch);
	json_object_put(patch);
	return 0;
}

/* What a contract is about cannot change under its name. */
static void
check_same_job(const struct db_job *job, const struct job_spec *spec,
    struct faults *faults)
{
	struct json_path parameters = { NULL, "job_parameters", 0 };
	struct json_path common = { &parameters, "common", 0 };

	if (strcmp(spec->job_type, job->job_type) != 0)
		faults_add(faults, JSON_PATH_KEY(&common, "job_type"),
		    "a %s job stays one; submit a new job", job->job_type);
}

/* Names of the components that the request speaks of, each once. */
static void
add_components(struct json_object *o, const struct job_spec *spec, int depth,
    struct json_object *seen)
{
	if (!json_is_object(o))
		return;
	json_object_object_foreach(o, key, value)
	{
		if (job_spec_component(spec, key) != (size_t)-1)
			json_add_bool(seen, key, true);
		else if (depth > 0)
			add_components(value, spec, depth - 1, seen);
	}
}

static struct json_object *
components_json(const struct request *req, const struct job_spec *spec)
{
	struct json_object *seen = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *o = request_field(req, "component_parameters");

	add_components(json_get(o, "common"), spec, 0, seen);
	add_components(json_get(o, "role"), spec, 2, seen);
	json_object_object_foreach(seen, name, unused)
	{
		(void)unused;
		json_object_array_add(list, json_object_new_string(name));
	}
	json_object_put(seen);
	return list;
}

static int
answer_revised(
    const struct request *req, struct reply *rp, const struct job_spec *spec)
{
	struct json_object *data = json_object_new_object();
	size_t i;

	for (i = 0; i < N_SECTIONS; i++) {
		struct json_object *o = json_get(spec->conf, sections[i]);

		json_add(data, sections[i],
		    o != NULL ? json_object_get(o) : json_object_new_object());
	}
	json_add(data, "components", components_json(req, spec));
	return reply_data(rp, data);
}

/* One try; ERR_CONFLICT: the job got other parameters meanwhile. */
static int
revise(struct request *req, struct reply *rp, const struct db_job *job,
    struct faults *faults)
{
	struct party_caller who = self(req);
	struct json_object *conf = NULL;
	struct rebuilt re = { NULL, NULL };
	struct db_job_new row;
	int r;

	if ((r = patched_conf(req, job, faults, &conf)) != 0 ||
	    faults_any(faults) ||
	    (r = submit_rebuild(req, job, conf, faults, &re)) != 0)
		goto out;
	check_same_job(job, re.spec, faults);
	if (faults_any(faults))
		goto out;
	submit_rows(req, re.spec, NULL, &row);
	row.revision = job->revision + 1;
	row.run = job->run;
	if ((r = initiator_revise(req->app->db, &who, &row)) == 0) {
		log_info("parameters, revision %lld", (long long)row.revision);
		r = answer_revised(req, rp, re.spec);
	}
out:
	submit_rebuilt_fini(&re);
	json_object_put(conf);
	return r;
}

int
api_job_parameter_update(struct request *req, struct reply *rp)
{
	struct faults faults = FAULTS_INIT;
	struct db_job *job;
	int r, tries = 0;

	do {
		if ((r = find_job(req, rp, "change its parameters", &job)) !=
			0 ||
		    job == NULL)
			return r;
		r = revise(req, rp, job, &faults);
	} while (r == ERR_CONFLICT && ++tries < REVISE_TRIES);
	if (faults_any(&faults)) {
		err_clear();
		submit_refuse(rp, "job parameter update failed", &faults);
		r = 0;
	} else if (r == ERR_BUSY) {
		reply_fault(rp, 103, "%s", err_text());
		err_clear();
		r = 0;
	}
	faults_fini(&faults);
	return r;
}
