/*
 * The component Intersection: parameters and the order of things.  The
 * protocol is intersection_psi.c; who gets which rows intersection_align.c;
 * what is left behind intersection_output.c.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/component.h"
#include "executor/components/intersection_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

/* --- parameters --------------------------------------------------------------- */

/*
 * Every private method answers the same question; this one answers it over
 * an elliptic curve whichever was asked for.  raw would hand one party's ids
 * to the other.
 */
static void
note_method(struct task *t, const char *path)
{
	const char *m = task_param_string(t, path, "ecdh");

	if (strcasecmp(m, "ecdh") != 0)
		task_log(t, TASK_WARNING,
		    "%s is %s; the ids are compared by ecdh over ristretto255, "
		    "which gives the same rows and shows the parties less",
		    path, m);
}

/* The salt stands with the method that the job file chose. */
static const char *
salt_of(struct task *t, const char *method)
{
	static const struct {
		const char *method;
		const char *path;
	} places[] = { { "rsa", "rsa_params.salt" }, { "dh", "dh_params.salt" },
		{ "raw", "raw_params.salt" } };
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcasecmp(places[i].method, method) == 0)
			return task_param_string(t, places[i].path, "");
	return task_param_string(t, "ecdh_params.salt", "");
}

static int
read_parameters(struct intersection *x)
{
	struct task *t = x->task;
	const char *path;

	x->conf.sync_ids = task_param_bool(t, "sync_intersect_ids", true);
	x->conf.cardinality_only =
	    task_param_bool(t, "cardinality_only", false);
	x->conf.sync_cardinality =
	    task_param_bool(t, "sync_cardinality", false);
	x->join_method = task_param_string(t, "join_method", "inner_join");
	x->conf.left_join = str_eq(x->join_method, "left_join");
	x->conf.host_owns_ids = str_eq(
	    task_param_string(t, "sample_id_generator", "guest"), "host");
	x->conf.new_ids = task_param_bool(t, "new_sample_id", false);
	x->conf.cache_id = "";
	x->makes_cache = task_param_bool(t, "run_cache", false);
	x->only_key = task_param_bool(t, "only_output_key", false);
	path = x->conf.cardinality_only ? "cardinality_method"
					: "intersect_method";
	x->conf.salt = salt_of(t, task_param_string(t, path, "ecdh"));
	note_method(t, path);
	if (x->conf.cardinality_only && task_role_size(t, "host") > 1)
		return err_set(ERR_UNSUPPORTED, "cardinality_only works with "
						"one host");
	return 0;
}

/* What the table must be like for these parameters. */
static int
check_table(struct intersection *x)
{
	const struct psi_conf *c = &x->conf;

	if (!c->by_match && c->left_join)
		return err_set(ERR_INVALID,
		    "join_method left_join needs rows with match ids; set "
		    "with_match_id in DataTransform");
	if (!c->by_match || !c->host_owns_ids || c->cardinality_only)
		return 0;
	if (task_role_size(x->task, "host") > 1)
		return err_set(ERR_UNSUPPORTED,
		    "sample_id_generator host works with one host; with "
		    "several the guest has to make the sample ids");
	if (!c->sync_ids)
		return err_set(ERR_INVALID,
		    "sample_id_generator host needs sync_intersect_ids true");
	return 0;
}

static int
open_input(struct intersection *x)
{
	int r;

	if ((x->input = task_input(x->task, "data")) == NULL)
		return err_set(ERR_INVALID, "Intersection needs an input "
					    "under data");
	if ((r = task_open_table(x->task, x->input, &x->in.table)) != 0 ||
	    (r = schema_parse(table_stat(x->in.table)->schema_json,
		 x->input->id_delimiter, &x->schema)) != 0)
		return r;
	/* Text rows have not been cut yet: DataTransform finds match ids. */
	x->conf.by_match = x->schema.match_id_name[0] != '\0' &&
			   table_stat(x->in.table)->kind == ROW_DENSE;
	return check_table(x);
}

/* --- the guest with all hosts -------------------------------------------------- */

/* Settings with a partner: caches are made with each one. */
static struct psi_conf
conf_with(const struct intersection *x, size_t host)
{
	struct psi_conf conf = x->conf;

	if (x->cache != NULL)
		conf.cache_id = psi_cache_id(x->cache, host);
	return conf;
}

static int
ask_host(
    struct intersection *x, size_t host, uint32_t *places, uint64_t *common)
{
	struct psi_conf conf = conf_with(x, host);

	return x->cache != NULL
		   ? psi_cached_guest(
			 x->task, &x->in, &conf, x->cache, host, places, common)
		   : psi_guest(x->task, &x->in, &conf, host, places, common);
}

/* places[h][id]: where an id stands in the list of host h. */
static int
tell_hosts(struct intersection *x, uint32_t *const *places, size_t hosts)
{
	struct psi_conf conf;
	uint32_t *told;
	uint64_t i;
	size_t h;
	int r = 0;

	if ((told = mem_array(x->common + 1, sizeof(*told))) == NULL)
		return err_code();
	for (h = 0; h < hosts && r == 0; h++) {
		for (i = 0; i < x->common; i++)
			told[i] = places[h][x->ids[i]];
		conf = conf_with(x, h);
		r = psi_guest_tell(x->task, &conf, h, told, x->common);
	}
	free(told);
	return r;
}

/* The ids that every host has. */
static int
collect_common(struct intersection *x, uint32_t *const *places, size_t hosts)
{
	uint64_t i, n = x->in.ids.n;
	size_t h;

	if ((x->ids = mem_array(n + 1, sizeof(*x->ids))) == NULL)
		return err_code();
	for (i = 0; i < n; i++) {
		for (h = 0; h < hosts; h++)
			if (places[h][i] == PSI_NO_MATCH)
				break;
		if (h == hosts)
			x->ids[x->common++] = (uint32_t)i;
	}
	return x->conf.sync_ids ? tell_hosts(x, places, hosts) : 0;
}

static int
run_guest(struct intersection *x)
{
	size_t h, hosts = task_role_size(x->task, "host");
	uint32_t **places = xcalloc(hosts + 1, sizeof(*places));
	uint64_t n = x->in.ids.n, common = 0;
	int r = 0;

	x->known = true;
	for (h = 0; h < hosts && r == 0; h++) {
		places[h] = mem_array(n + 1, sizeof(**places));
		r = places[h] == NULL ? err_code()
				      : ask_host(x, h, places[h], &common);
	}
	if (r == 0 && !x->conf.cardinality_only)
		r = collect_common(x, places, hosts);
	else if (r == 0) {
		x->common = common;
		if (x->conf.sync_cardinality)
			r = psi_guest_tell_count(x->task, &x->conf, 0, common);
	}
	for (h = 0; h < hosts; h++)
		free(places[h]);
	free(places);
	return r;
}

static int
run_host(struct intersection *x)
{
	struct psi_conf conf = conf_with(x, 0);

	return x->cache != NULL ? psi_cached_host(x->task, &x->in, &conf,
				      x->cache, &x->ids, &x->common, &x->known)
				: psi_host(x->task, &x->in, &conf, &x->ids,
				      &x->common, &x->known);
}

/* --- which rows ------------------------------------------------------------------ */

static int
own_rows(struct intersection *x)
{
	const struct psi_conf *c = &x->conf;
	bool is_guest = task_is(x->task, "guest");
	size_t i, n;
	int r;

	if ((r = align_own(&x->in, x->ids, x->common, c->left_join, c->new_ids,
		 &x->out)) != 0 ||
	    !c->sync_ids)
		return r;
	n = is_guest ? task_role_size(x->task, "host") : 1;
	for (i = 0; i < n && r == 0; i++)
		r = is_guest ? align_send(x->task, &x->out,
				   c->left_join ? "join_id_from_guest"
						: "id_map_from_guest",
				   "host", i)
			     : align_send(x->task, &x->out,
				   c->left_join ? "join_id_from_host"
						: "id_map_from_host",
				   "guest", 0);
	return r;
}

static int
rows_of_partner(struct intersection *x)
{
	const struct psi_conf *c = &x->conf;
	bool is_guest = task_is(x->task, "guest");
	const char *name =
	    is_guest ? c->left_join ? "join_id_from_host" : "id_map_from_host"
	    : c->left_join ? "join_id_from_guest"
			   : "id_map_from_guest";
	uint64_t extra = x->in.ids.rows - x->in.ids.n;

	/* Only the owner's rows are told apart by their sample ids. */
	if (extra > 0)
		task_log(x->task, TASK_WARNING,
		    "%llu rows repeat a match id of an earlier row and are "
		    "left out: sample_id_generator is the other party",
		    (unsigned long long)extra);
	return align_receive(x->task, &x->in, x->ids, x->common, c->left_join,
	    name, is_guest ? "host" : "guest", &x->out);
}

static int
choose_rows(struct intersection *x)
{
	bool owns = task_is(x->task, "host") == x->conf.host_owns_ids;

	if (x->ids == NULL || x->conf.cardinality_only)
		return align_rows(NULL, 0, &x->out);
	if (!x->conf.by_match)
		return align_rows(x->ids, x->common, &x->out);
	return owns ? own_rows(x) : rows_of_partner(x);
}

/* --- the component ----------------------------------------------------------------- */

static int
run_member(struct intersection *x)
{
	int r;

	if ((r = psi_ids_load(x->in.table, x->conf.by_match, &x->in.ids)) != 0)
		return r;
	/* For later runs: this one has no result of its own. */
	if (x->makes_cache)
		return psi_cache_make(x->task, &x->in, &x->conf);
	if ((r = psi_cache_open(x->task, &x->in, &x->conf, &x->cache)) != 0)
		return r;
	if (x->cache != NULL && x->conf.cardinality_only)
		return err_set(ERR_INVALID,
		    "cardinality_only does not work from a cache; leave the "
		    "cache away");
	r = task_is(x->task, "guest") ? run_guest(x) : run_host(x);
	if (r != 0)
		return r;
	if (x->known)
		task_log(x->task, TASK_INFO, "%llu of %llu ids are common",
		    (unsigned long long)x->common,
		    (unsigned long long)x->in.ids.n);
	if ((r = choose_rows(x)) != 0 || (r = intersection_output(x)) != 0)
		return r;
	return intersection_report(x);
}

static int
run(struct task *t)
{
	struct intersection x = { .task = t };
	int r;

	x.in.pool = parallel_new(task_cores(t));
	if ((r = read_parameters(&x)) == 0 && (r = open_input(&x)) == 0)
		r = run_member(&x);
	psi_cache_free(x.cache);
	alignment_fini(&x.out);
	psi_ids_fini(&x.in.ids);
	if (x.schema.json != NULL)
		schema_fini(&x.schema);
	table_close(x.in.table);
	parallel_free(x.in.pool);
	free(x.ids);
	return r;
}

const struct component component_intersection = {
	.module = "Intersection",
	.roles = "guest host",
	.run = run,
};
