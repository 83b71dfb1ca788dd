/*
 * lib/model/job_spec: a job from its two documents, at the initiator and
 * again at a partner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/json/merge.h"
#include "lib/model/job_spec.h"
#include "lib/provider/manifest.h"

#define FILE_MAX 1000000
#define JOB "202601010000000000001"

static struct providers *product;
static struct json_object *dsl, *conf; /* the example job */

static struct json_object *
parse(const char *text)
{
	struct json_object *o = NULL;
	char *s = xstrdup(text), *p;

	for (p = s; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse_text(s, &o) != 0)
		fail_msg("%s: %s", s, err_text());
	free(s);
	return o;
}

static int
load(void **state)
{
	struct json_object *o;

	(void)state;
	product = providers_new();
	if (json_parse_file("executor/manifest.json", FILE_MAX, &o) != 0 ||
	    providers_add(product, o, "/x") != 0 ||
	    json_parse_file("examples/hetero_lr/dsl.json", FILE_MAX, &dsl) !=
		0 ||
	    json_parse_file("examples/hetero_lr/conf.json", FILE_MAX, &conf) !=
		0) {
		print_error("%s\n", err_text());
		return -1;
	}
	json_object_put(o);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	json_object_put(dsl);
	json_object_put(conf);
	providers_free(product);
	return 0;
}

static int
build_with(const char *party, struct json_object *d, struct json_object *c,
    struct json_object *fixed, const struct job_defaults *defaults,
    struct faults *f, struct job_spec **out)
{
	struct job_spec_input in = {
		.job_id = JOB,
		.local_party = party,
		.dsl = d,
		.conf = c,
		.providers_fixed = fixed,
		.providers = product,
		.defaults = defaults,
		.dsl_path = JSON_PATH_KEY(NULL, "job_dsl"),
		.conf_path = JSON_PATH_KEY(NULL, "job_runtime_conf"),
	};

	return job_spec_build(&in, f, out);
}

/* The example job with a patch merged into its conf. */
static struct job_spec *
build(const char *patch, struct faults *f)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct json_object *c = json_copy(conf), *p;
	struct job_spec *spec;
	int r;

	if (patch != NULL) {
		p = parse(patch);
		json_merge(c, p);
		json_object_put(p);
	}
	r = build_with("9999", dsl, c, NULL, &defaults, f, &spec);
	assert_int_equal(r, faults_any(f) ? ERR_INVALID : 0);
	assert_int_equal(spec != NULL, r == 0);
	json_object_put(c);
	return spec;
}

static struct job_spec *
build_good(const char *patch)
{
	struct faults f = FAULTS_INIT;
	struct job_spec *spec = build(patch, &f);
	struct buf b = BUF_INIT;

	faults_text(&f, &b);
	if (spec == NULL)
		fail_msg("%s", buf_str(&b));
	buf_fini(&b);
	faults_fini(&f);
	return spec;
}

/* One fault, below the conf, at pointer, with these words. */
static void
refuses(const char *patch, const char *pointer, const char *words)
{
	struct faults f = FAULTS_INIT;
	struct job_spec *spec = build(patch, &f);
	struct buf b = BUF_INIT;
	char *full = xasprintf("/job_runtime_conf%s", pointer);

	faults_text(&f, &b);
	assert_null(spec);
	if (f.n != 1 || strcmp(f.items[0].pointer, full) != 0 ||
	    strstr(f.items[0].message, words) == NULL)
		fail_msg("%s:\nwanted %s: %s\ngot %s", patch, full, words,
		    buf_str(&b));
	free(full);
	buf_fini(&b);
	faults_fini(&f);
}

static const struct job_task *
task_of(const struct job_spec *spec, const char *role, const char *party,
    const char *component)
{
	const struct job_member *m = job_spec_member(spec, role, party);
	size_t seq = job_spec_component(spec, component);

	assert_non_null(m);
	assert_int_not_equal(seq, (size_t)-1);
	return &m->tasks[seq];
}

/* --- a good job ------------------------------------------------------------- */

static void
the_example_job_is_completed(void **state)
{
	struct job_spec *spec = build_good(NULL);
	const struct job_task *t;

	(void)state;
	assert_int_equal(spec->n_members, 3);
	assert_int_equal(spec->n_components, 5);
	assert_string_equal(spec->components[0]->name, "reader_0");
	assert_string_equal(spec->components[4]->name, "evaluation_0");
	assert_string_equal(
	    spec->model_id, "arbiter-10001#guest-9999#host-10000#model");
	assert_string_equal(spec->model_version, JOB);
	assert_string_equal(spec->initiator_party, "9999");
	assert_int_equal(spec->timeout_s, 259200);
	assert_int_equal(spec->n_warnings, 0);
	t = task_of(spec, "arbiter", "10001", "reader_0");
	assert_false(t->runs);
	t = task_of(spec, "arbiter", "10001", "hetero_lr_0");
	assert_true(t->runs && t->need_run);
	assert_string_equal(t->provider_name, "sluice");
	assert_string_equal(t->provider_version, SLUICE_VERSION);
	assert_int_equal(json_get_int(t->parameters, "max_iter", 0), 30);
	assert_string_equal(
	    json_get_str(t->parameters, "multi_class", ""), "ovr");
	t = task_of(spec, "guest", "9999", "reader_0");
	assert_string_equal(json_text(t->parameters),
	    "{\"table\":{\"name\":"
	    "\"breast_guest\",\"namespace\":\"demo\"},\"need_run\":true}");
	t = task_of(spec, "host", "10000", "data_transform_0");
	assert_false(json_get_bool(t->parameters, "with_label", true));
	assert_true(json_get_bool(
	    task_of(spec, "guest", "9999", "data_transform_0")->parameters,
	    "with_label", false));
	job_spec_free(spec);
}

static void
the_completed_conf_carries_the_defaults(void **state)
{
	struct job_spec *spec = build_good(NULL);
	struct json_object *common;

	(void)state;
	common = json_path_get(spec->conf, "job_parameters", "common");
	assert_int_equal(json_get_int(common, "task_cores", 0), 2);
	assert_int_equal(json_get_int(common, "auto_retry_delay", 0), 1);
	assert_int_equal(json_get_int(common, "computing_partitions", 0), 2);
	assert_string_equal(
	    json_get_str(common, "federated_mode", ""), "MULTIPLE");
	assert_string_equal(
	    json_get_str(common, "model_id", ""), spec->model_id);
	assert_string_equal(json_text(json_get(common, "roles")),
	    "{\"guest\":[9999],\"host\":[10000],\"arbiter\":[10001]}");
	assert_true(json_has(common, "role_parameters"));
	assert_string_equal(
	    json_get_str(
		json_get(spec->members[0].conf_on_party, "job_parameters"),
		"model_version", ""),
	    JOB);
	job_spec_free(spec);
}

static void
party_ids_may_be_numbers_or_text(void **state)
{
	struct job_spec *a = build_good(NULL);
	struct job_spec *b =
	    build_good("{'dsl_version':2,'initiator':"
		       "{'role':'guest','party_id':'9999'},'role':"
		       "{'host':['10000']}}");

	(void)state;
	assert_string_equal(a->contract, b->contract);
	job_spec_free(a);
	job_spec_free(b);
}

static void
the_model_id_sorts_roles_and_numbers(void **state)
{
	struct json_object *roles = parse("{'host':[10000,9,10],"
					  "'guest':[3],'arbiter':[10000]}");
	char *id = job_model_id(roles);

	(void)state;
	assert_string_equal(id, "arbiter-10000#guest-3#host-9_10_10000#model");
	free(id);
	json_object_put(roles);
}

/* --- at a partner ----------------------------------------------------------- */

static void
a_partner_comes_to_the_same_contract(void **state)
{
	/* The partner's own defaults must not matter. */
	static const struct job_defaults other = { 7, 3, 60, 2, 9, 512, 0, 0, 0,
		0 };
	struct faults f = FAULTS_INIT;
	struct job_spec *a = build_good("{'job_parameters':{'role':"
					"{'host':{'0':{'task_cores':3}}}}}");
	struct json_object *d = NULL, *c = NULL, *fixed = NULL;
	struct job_spec *b;

	(void)state;
	/* What is sent is text. */
	assert_int_equal(json_parse_text(json_text(a->dsl_json), &d), 0);
	assert_int_equal(json_parse_text(json_text(a->conf), &c), 0);
	assert_int_equal(
	    json_parse_text(json_text(a->providers_json), &fixed), 0);
	assert_int_equal(build_with("10000", d, c, fixed, &other, &f, &b), 0);
	assert_string_equal(a->contract, b->contract);
	assert_memory_equal(a->contract_hash, b->contract_hash, JOB_HASH_SIZE);
	assert_true(job_spec_member(b, "host", "10000")->is_local);
	assert_false(job_spec_member(b, "guest", "9999")->is_local);
	assert_int_equal(job_spec_member(b, "host", "10000")->cores, 3);
	assert_string_equal(
	    json_text(job_spec_member(a, "host", "10000")->job_parameters),
	    json_text(job_spec_member(b, "host", "10000")->job_parameters));
	job_spec_free(b);
	/* Another number anywhere is another contract. */
	json_add_int(
	    json_path_get(c, "component_parameters", "common", "hetero_lr_0"),
	    "max_iter", 31);
	assert_int_equal(build_with("10000", d, c, fixed, &other, &f, &b), 0);
	assert_memory_not_equal(
	    a->contract_hash, b->contract_hash, JOB_HASH_SIZE);
	job_spec_free(b);
	job_spec_free(a);
	json_object_put(d);
	json_object_put(c);
	json_object_put(fixed);
	faults_fini(&f);
}

static void
a_partner_without_the_fixed_version_refuses(void **state)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	struct json_object *fixed;

	(void)state;
	fixed = parse("{'hetero_lr_0':{'host':{'10000':'sluice@7.0.0'},"
		      "'guest':{'9999':'sluice@8.0.0'}}}");
	assert_int_equal(
	    build_with("10000", dsl, conf, fixed, &defaults, &f, &spec),
	    ERR_INVALID);
	/* The guest's provider is the guest's matter. */
	assert_int_equal(f.n, 1);
	assert_string_equal(f.items[0].pointer, "/providers/hetero_lr_0/host");
	json_object_put(fixed);
	faults_fini(&f);
}

/* --- faults ----------------------------------------------------------------- */

static void
five_faults_are_reported_as_five(void **state)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	static const char *const pointers[] = {
		"/job_runtime_conf/initiator/party_id",
		"/job_runtime_conf/job_parameters/common/task_cores",
		"/job_dsl/components/evaluation_0/module",
		"/job_dsl/components/hetero_lr_0/input/data/train_data/0",
		"/job_runtime_conf/component_parameters/common/hetero_lr_0"
		"/max_iter",
	};
	struct json_object *d = json_copy(dsl), *c = json_copy(conf);
	struct json_object *p;
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	size_t i, j;

	(void)state;
	p = parse("{'components':{'evaluation_0':{'module':'Evaluate'},"
		  "'hetero_lr_0':{'input':{'data':{'train_data':"
		  "['intersect_0.data']}}}}}");
	json_merge(d, p);
	json_object_put(p);
	p = parse("{'initiator':{'party_id':8888},'job_parameters':{'common':"
		  "{'task_cores':0}},'component_parameters':{'common':"
		  "{'hetero_lr_0':{'max_iter':'many'}}}}");
	json_merge(c, p);
	json_object_put(p);
	assert_int_equal(
	    build_with("9999", d, c, NULL, &defaults, &f, &spec), ERR_INVALID);
	assert_int_equal(faults_count(&f), 5);
	for (i = 0; i < 5; i++) {
		for (j = 0;
		     j < f.n && strcmp(f.items[j].pointer, pointers[i]) != 0;
		     j++)
			;
		if (j == f.n)
			fail_msg("no fault at %s", pointers[i]);
	}
	faults_fini(&f);
	json_object_put(d);
	json_object_put(c);
}

static void
the_conf_is_checked_in_every_corner(void **state)
{
	(void)state;
	refuses("{'dsl_version':1}", "/dsl_version", "must be 2");
	refuses("{'rloe':{}}", "/rloe", "did you mean \"role\"?");
	refuses("{'initiator':{'party_id':1}}", "/initiator/party_id",
	    "one of role.guest");
	refuses("{'initiator':{'role':'local'}}", "/initiator/role",
	    "no such role");
	refuses(
	    "{'role':{'hots':[1]}}", "/role/hots", "did you mean \"host\"?");
	refuses("{'role':{'host':[10000,'10000']}}", "/role/host/1",
	    "in the list already");
	refuses("{'role':{'local':[10000]}}", "/role/local", "no other roles");
	refuses("{'role':{'arbiter':[9999]}}", "/role/arbiter",
	    "its only host as well");
	refuses("{'job_parameters':{'common':{'timeout':'soon'}}}",
	    "/job_parameters/common/timeout", "whole number");
	refuses("{'job_parameters':{'common':{'job_type':'predict'}}}",
	    "/job_parameters/common/job_type",
	    "needs model_id and model_version");
	refuses("{'job_parameters':{'role':{'host':{'0':{'timeout':5}}}}}",
	    "/job_parameters/role/host/0/timeout", "whole job");
	refuses("{'component_parameters':{'common':{'hetero_rl_0':{}}}}",
	    "/component_parameters/common/hetero_rl_0",
	    "did you mean \"hetero_lr_0\"?");
	refuses("{'component_parameters':{'common':{'hetero_lr_0':"
		"{'max_itre':1}}}}",
	    "/component_parameters/common/hetero_lr_0/max_itre",
	    "did you mean \"max_iter\"?");
	refuses("{'component_parameters':{'role':{'host':{'all':"
		"{'hetero_lr_0':{'alpha':'x'}}}}}}",
	    "/component_parameters/role/host/all/hetero_lr_0/alpha",
	    "must be number");
	refuses("{'component_parameters':{'common':{'intersection_0':"
		"{'run_preprocess':true}}}}",
	    "/component_parameters/common/intersection_0/run_preprocess",
	    "not offered");
	refuses("{'component_parameters':{'common':{'hetero_lr_0':null}}}",
	    "/component_parameters/common/hetero_lr_0", "object");
	refuses("{'job_parameters':{'role':{'host':[]}}}",
	    "/job_parameters/role/host", "must be an object");
	refuses("{'provider':{'common':{'hetero_lr_0':'sluice@9'}}}",
	    "/provider/common/hetero_lr_0", "it has sluice@1.0.0");
	refuses("{'provider':{'role':{'guest':{'0':{'hetero_lr_0':'a@b@c'}}}"
		"}}",
	    "/provider/role/guest/0/hetero_lr_0", "NAME");
}

static void
a_reader_without_a_table_names_the_place(void **state)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct json_object *c = json_copy(conf);
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;

	(void)state;
	json_object_object_del(
	    json_path_get(c, "component_parameters", "role", "host", "all"),
	    "reader_0");
	json_object_object_del(json_path_get(c, "component_parameters", "role",
				   "guest", "0", "reader_0", "table"),
	    "namespace");
	assert_int_equal(build_with("9999", dsl, c, NULL, &defaults, &f, &spec),
	    ERR_INVALID);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.items[0].pointer,
	    "/job_runtime_conf/"
	    "component_parameters/role/guest/0/reader_0/table/namespace");
	assert_string_equal(f.items[1].pointer,
	    "/job_runtime_conf/"
	    "component_parameters/role/host/0/reader_0/table");
	faults_fini(&f);
	json_object_put(c);
}

static void
removed_and_unknown_job_parameters_only_warn(void **state)
{
	struct job_spec *spec =
	    build_good("{'job_parameters':{'common':"
		       "{'work_mode':1,'backend':0,'colour':'red'}}}");
	char *text = job_spec_warning_text(spec);

	(void)state;
	assert_int_equal(spec->n_warnings, 3);
	assert_non_null(strstr(text, "[WARN]work_mode is removed"));
	assert_non_null(strstr(text, "colour"));
	assert_null(json_get(
	    json_path_get(spec->conf, "job_parameters", "common"), "colour"));
	free(text);
	job_spec_free(spec);
}

static void
a_method_that_is_served_by_another_warns_once(void **state)
{
	struct job_spec *spec =
	    build_good("{'component_parameters':{'common':{'intersection_0':"
		       "{'intersect_method':'rsa'}}}}");
	char *text = job_spec_warning_text(spec);

	(void)state;
	assert_int_equal(spec->n_warnings, 1);
	assert_non_null(strstr(text, "[WARN]"));
	assert_non_null(strstr(text, "/intersection_0/intersect_method"));
	assert_non_null(strstr(text, "ecdh is used instead"));
	free(text);
	job_spec_free(spec);
}

/* --- scopes ----------------------------------------------------------------- */

#define THREE_HOSTS "'role':{'host':[1,2,3]}"

/* hetero_lr_0's alpha at the three hosts and the guest. */
static void
alphas(const char *params, double h0, double h1, double h2, double guest)
{
	static const char *const ids[] = { "1", "2", "3" };
	double expected[] = { h0, h1, h2 };
	struct json_object *c = json_copy(conf), *p;
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	struct buf b = BUF_INIT;
	char *text;
	int i;

	text =
	    xasprintf("{" THREE_HOSTS ",'component_parameters':{%s}}", params);
	p = parse(text);
	json_merge(c, p);
	json_object_put(p);
	json_add_str(
	    json_path_get(c, "component_parameters", "common", "hetero_lr_0"),
	    "early_stop", "weight_diff");
	if (build_with("9999", dsl, c, NULL, &defaults, &f, &spec) != 0) {
		faults_text(&f, &b);
		fail_msg("%s", buf_str(&b));
	}
	for (i = 0; i < 3; i++)
		assert_true(
		    json_get_double(task_of(spec, "host", ids[i], "hetero_lr_0")
					->parameters,
			"alpha", -1) == expected[i]);
	assert_true(
	    json_get_double(
		task_of(spec, "guest", "9999", "hetero_lr_0")->parameters,
		"alpha", -1) == guest);
	job_spec_free(spec);
	free(text);
	json_object_put(c);
	faults_fini(&f);
}

static void
index_keys_choose_members(void **state)
{
	(void)state;
	alphas("'role':{'host':{'1':{'hetero_lr_0':{'alpha':5}}}}", 0.01, 5,
	    0.01, 0.01);
	alphas("'role':{'host':{'0|2':{'hetero_lr_0':{'alpha':5}}}}", 5, 0.01,
	    5, 0.01);
	alphas("'role':{'host':{'all':{'hetero_lr_0':{'alpha':5}}}}", 5, 5, 5,
	    0.01);
	/* Later keys win. */
	alphas("'role':{'host':{'0|1|2':{'hetero_lr_0':{'alpha':5}},"
	       "'1':{'hetero_lr_0':{'alpha':6}}}}",
	    5, 6, 5, 0.01);
	alphas("'common':{'hetero_lr_0':{'alpha':7}},"
	       "'role':{'guest':{'0':{'hetero_lr_0':{'alpha':8}}}}",
	    7, 7, 7, 8);
	/* A component directly under the role. */
	alphas("'role':{'host':{'hetero_lr_0':{'alpha':9}}}", 9, 9, 9, 0.01);
}

static void
training_that_could_not_run_is_refused_before_it_starts(void **state)
{
	(void)state;
	refuses("{" THREE_HOSTS "}",
	    "/component_parameters/common/hetero_lr_0/early_stop",
	    "use weight_diff");
	refuses("{'component_parameters':{'common':{'hetero_lr_0':"
		"{'early_stopping_rounds':2,'validation_freqs':1}}}}",
	    "/component_parameters/common/hetero_lr_0/early_stopping_rounds",
	    "validate_data");
	refuses("{'component_parameters':{'common':{'hetero_lr_0':"
		"{'callback_param':{'early_stopping_rounds':2,"
		"'validation_freqs':1}}}}}",
	    "/component_parameters/common/hetero_lr_0/callback_param/"
	    "early_stopping_rounds",
	    "validate_data");
	/* Folds have their own validation rows. */
	job_spec_free(build_good("{'component_parameters':{'common':"
				 "{'hetero_lr_0':{'early_stopping_rounds':2,"
				 "'validation_freqs':1,"
				 "'cv_param':{'need_cv':true}}}}}"));
}

static void
index_keys_out_of_range_are_refused(void **state)
{
	static const char *const keys[] = { "1", "0|1", "00", "0|", "|0", "-1",
		"al", "", "0||0", "99999999999999999999" };
	char *patch, *pointer;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		patch = xasprintf("{'component_parameters':{'role':{'host':"
				  "{'%s':{'hetero_lr_0':{}}}}}}",
		    keys[i]);
		pointer =
		    xasprintf("/component_parameters/role/host/%s", keys[i]);
		refuses(patch, pointer,
		    i < 2 ? "there is no host 1" : "is no index key");
		free(pointer);
		free(patch);
	}
	refuses("{'job_parameters':{'role':{'host':{'1':{}}}}}",
	    "/job_parameters/role/host/1", "there is no host 1");
	refuses("{'provider':{'role':{'host':{'2':{}}}}}",
	    "/provider/role/host/2", "there is no host 2");
}

static void
job_parameters_are_scoped_by_role(void **state)
{
	struct job_spec *spec;
	const struct job_member *host, *guest, *arbiter;

	(void)state;
	spec = build_good(
	    "{'job_parameters':{'common':{'task_cores':2,"
	    "'task_parallelism':3},'role':{'host':{'all':{'task_cores':4}}}"
	    "}}");
	host = job_spec_member(spec, "host", "10000");
	guest = job_spec_member(spec, "guest", "9999");
	arbiter = job_spec_member(spec, "arbiter", "10001");
	assert_int_equal(guest->task_cores, 2);
	assert_int_equal(guest->cores, 6);
	assert_int_equal(host->task_cores, 4);
	assert_int_equal(host->cores, 12);
	assert_int_equal(
	    json_get_int(host->job_parameters, "task_cores", 0), 4);
	/* An arbiter coordinates; its cores are not accounted. */
	assert_int_equal(arbiter->task_cores, 1);
	assert_int_equal(arbiter->cores, 0);
	job_spec_free(spec);
	spec = build_good("{'job_parameters':{'common':{'eggroll_run':"
			  "{'eggroll.session.processors.per.node':5}}}}");
	assert_int_equal(job_spec_member(spec, "host", "10000")->cores, 5);
	job_spec_free(spec);
}

static void
a_job_larger_than_the_site_is_refused(void **state)
{
	static const struct job_defaults small = { 4, 1, 100, 0, 1, 256, 3, 0,
		0, 0 };
	struct faults f = FAULTS_INIT;
	struct json_object *c = json_copy(conf), *p;
	struct job_spec *spec;

	(void)state;
	assert_int_equal(
	    build_with("9999", dsl, conf, NULL, &small, &f, &spec), 0);
	assert_int_equal(spec->members[0].memory_mb, 256);
	job_spec_free(spec);
	p = parse("{'job_parameters':{'common':{'task_cores':4}}}");
	json_merge(c, p);
	assert_int_equal(
	    build_with("9999", dsl, c, NULL, &small, &f, &spec), ERR_INVALID);
	assert_int_equal(f.n, 1); /* the host's site is its own matter */
	json_object_put(p);
	json_object_put(c);
	faults_fini(&f);
}

/* --- uploads, size ---------------------------------------------------------- */

static void
an_upload_is_a_local_job(void **state)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct json_object *params, *d, *c;
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	struct buf b = BUF_INIT;

	(void)state;
	params = parse("{'file':'x.csv','namespace':'n','name':'t','head':1,"
		       "'partition':4,'id_delimiter':',','destroy':true}");
	job_local_documents("Upload", params, NULL, "0", &d, &c);
	assert_string_equal(json_text(d),
	    "{\"components\":{\"upload_0\":{\"module\":\"Upload\"}}}");
	if (build_with("9999", d, c, NULL, &defaults, &f, &spec) != 0) {
		faults_text(&f, &b);
		fail_msg("%s", buf_str(&b));
	}
	assert_string_equal(spec->model_id, "local-0#model");
	assert_true(spec->members[0].is_local);
	assert_true(spec->members[0].is_initiator);
	assert_true(json_get_bool(
	    spec->members[0].tasks[0].parameters, "destroy", false));
	assert_string_equal(
	    json_get_str(json_path_get(spec->conf, "job_parameters", "common"),
		"federated_mode", ""),
	    "SINGLE");
	job_spec_free(spec);
	json_object_put(d);
	json_object_put(c);
	json_object_put(params);
	faults_fini(&f);
}

static void
ten_thousand_components_are_read(void **state)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct buf b = BUF_INIT;
	struct json_object *d, *c;
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	int i;

	(void)state;
	buf_puts(&b, "{'components':{'r':{'module':'Reader','output':"
		     "{'data':['data']}}");
	for (i = 0; i < 10000; i++) {
		buf_printf(&b,
		    ",'t%d':{'module':'DataTransform','output':"
		    "{'data':['data']},'input':{'data':{'data':['",
		    i);
		if (i == 0)
			buf_puts(&b, "r.data']}}}");
		else
			buf_printf(&b, "t%d.data']}}}", i - 1);
	}
	buf_puts(&b, "}}");
	d = parse(buf_str(&b));
	c = parse(
	    "{'dsl_version':2,'initiator':{'role':'guest','party_id':"
	    "9999},'role':{'guest':[9999],'host':[1,2]},"
	    "'component_parameters':{'common':{'r':{'table':{'name':'a',"
	    "'namespace':'b'}},'t5':{'missing_fill':true}},'role':{'host':"
	    "{'1':{'t5000':{'with_label':true}}}}}}");
	assert_int_equal(
	    build_with("9999", d, c, NULL, &defaults, &f, &spec), 0);
	assert_int_equal(spec->n_components, 10001);
	assert_true(
	    json_get_bool(task_of(spec, "host", "2", "t5000")->parameters,
		"with_label", false));
	assert_false(
	    json_get_bool(task_of(spec, "host", "1", "t5000")->parameters,
		"with_label", true));
	job_spec_free(spec);
	/* Two hosts more, and it is too much. */
	json_add(json_get(c, "role"), "host", parse("[1,2,3,4]"));
	assert_int_equal(
	    build_with("9999", d, c, NULL, &defaults, &f, &spec), ERR_INVALID);
	assert_non_null(strstr(f.items[0].message, "too many tasks"));
	json_object_put(d);
	json_object_put(c);
	buf_fini(&b);
	faults_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_job_is_completed),
		cmocka_unit_test(the_completed_conf_carries_the_defaults),
		cmocka_unit_test(party_ids_may_be_numbers_or_text),
		cmocka_unit_test(the_model_id_sorts_roles_and_numbers),
		cmocka_unit_test(a_partner_comes_to_the_same_contract),
		cmocka_unit_test(a_partner_without_the_fixed_version_refuses),
		cmocka_unit_test(five_faults_are_reported_as_five),
		cmocka_unit_test(the_conf_is_checked_in_every_corner),
		cmocka_unit_test(a_reader_without_a_table_names_the_place),
		cmocka_unit_test(removed_and_unknown_job_parameters_only_warn),
		cmocka_unit_test(a_method_that_is_served_by_another_warns_once),
		cmocka_unit_test(index_keys_choose_members),
		cmocka_unit_test(
		    training_that_could_not_run_is_refused_before_it_starts),
		cmocka_unit_test(index_keys_out_of_range_are_refused),
		cmocka_unit_test(job_parameters_are_scoped_by_role),
		cmocka_unit_test(a_job_larger_than_the_site_is_refused),
		cmocka_unit_test(an_upload_is_a_local_job),
		cmocka_unit_test(ten_thousand_components_are_read),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
