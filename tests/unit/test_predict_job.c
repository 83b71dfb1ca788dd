/*
 * lib/model/job_spec for predict jobs: what is inherited from the training,
 * who may take part, and the contract that binds the job to one version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/json/merge.h"
#include "lib/model/job_spec.h"
#include "lib/model/predict_dsl.h"
#include "lib/provider/manifest.h"

#define FILE_MAX 1000000
#define JOB "202601020000000000001"
#define CHILD "202601010000000000002"

static struct providers *product;
static struct job_model model;

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

/* A training of one guest, three hosts and an arbiter. */
#define TRAIN_DSL                                                              \
	"{'components':{"                                                      \
	"'reader_0':{'module':'Reader','output':{'data':['data']}},"           \
	"'data_transform_0':{'module':'DataTransform','input':{'data':"        \
	"{'data':['reader_0.data']}},'output':{'data':['data'],'model':"       \
	"['model']}},"                                                         \
	"'intersection_0':{'module':'Intersection','input':{'data':{'data':"   \
	"['data_transform_0.data']}},'output':{'data':['data']}},"             \
	"'hetero_lr_0':{'module':'HeteroLR','input':{'data':{'train_data':"    \
	"['intersection_0.data']}},'output':{'data':['data'],'model':"         \
	"['model']}},"                                                         \
	"'hetero_lr_1':{'module':'HeteroLR','input':{'data':{'test_data':"     \
	"['intersection_0.data']},'model':['hetero_lr_0.model']},"             \
	"'output':{'data':['data'],'model':['model']}},"                       \
	"'evaluation_0':{'module':'Evaluation','input':{'data':{'data':"       \
	"['hetero_lr_0.data']}},'output':{'data':['data']}}}}"
#define TRAIN_CONF                                                             \
	"{'dsl_version':2,'initiator':{'role':'guest','party_id':9999},"       \
	"'role':{'guest':[9999],'host':[10000,10001,10002],"                   \
	"'arbiter':[10003]},'job_parameters':{'common':{'task_cores':3}},"     \
	"'provider':{'common':{'hetero_lr_0':'sluice@0.0.1'}},"                \
	"'component_parameters':{'common':{},'role':{"                         \
	"'guest':{'0':{'reader_0':{'table':{'name':'g','namespace':'t'}}}},"   \
	"'host':{'all':{'reader_0':{'table':{'name':'h','namespace':'t'}}}}}}" \
	"}"
#define CONF                                                                   \
	"{'dsl_version':2,'initiator':{'role':'guest','party_id':9999},"       \
	"'role':{'guest':[9999],'host':[10002,10000],'arbiter':[10003]},"      \
	"'job_parameters':{'common':{'job_type':'predict',"                    \
	"'model_id':'m','model_version':'" CHILD "'}}}"

static int
load(void **state)
{
	struct json_object *o;
	struct faults faults = FAULTS_INIT;

	(void)state;
	product = providers_new();
	if (json_parse_file("executor/manifest.json", FILE_MAX, &o) != 0 ||
	    providers_add(product, o, "/x") != 0)
		return -1;
	json_object_put(o);
	model.model_id = "m";
	model.model_version = CHILD;
	model.train_dsl = parse(TRAIN_DSL);
	model.train_conf = parse(TRAIN_CONF);
	memset(model.root_hash, 7, sizeof(model.root_hash));
	return predict_dsl_deduce(
	    model.train_dsl, NULL, 0, &faults, NULL, &model.inference_dsl);
}

static int
unload(void **state)
{
	(void)state;
	json_object_put(model.train_dsl);
	json_object_put(model.train_conf);
	json_object_put(model.inference_dsl);
	providers_free(product);
	return 0;
}

struct build {
	const char *party; /* NULL: the guest's site */
	const char *dsl;   /* NULL: {} */
	const char *conf;  /* NULL: CONF */
	const char *patch; /* of the conf */
	const struct job_model *model;
	struct json_object *fixed;
};

static int
build(const struct build *b, struct faults *f, struct job_spec **out)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct json_object *dsl = parse(b->dsl != NULL ? b->dsl : "{}");
	struct json_object *conf = parse(b->conf != NULL ? b->conf : CONF);
	struct json_object *patch = parse(b->patch != NULL ? b->patch : "{}");
	struct job_spec_input in = {
		.job_id = JOB,
		.local_party = b->party != NULL ? b->party : "9999",
		.dsl = dsl,
		.conf = conf,
		.model = b->model != NULL ? b->model : &model,
		.providers_fixed = b->fixed,
		.providers = product,
		.defaults = &defaults,
		.dsl_path = JSON_PATH_KEY(NULL, "job_dsl"),
		.conf_path = JSON_PATH_KEY(NULL, "job_runtime_conf"),
	};
	int r;

	json_merge(conf, patch);
	r = job_spec_build(&in, f, out);
	json_object_put(dsl);
	json_object_put(conf);
	json_object_put(patch);
	return r;
}

static struct job_spec *
build_good(const struct build *b)
{
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	struct buf text = BUF_INIT;

	if (build(b, &f, &spec) != 0) {
		faults_text(&f, &text);
		fail_msg("%s", buf_str(&text));
	}
	faults_fini(&f);
	return spec;
}

static void
refuses(const struct build *b, const char *pointer, const char *words)
{
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	struct buf text = BUF_INIT;

	assert_int_equal(build(b, &f, &spec), ERR_INVALID);
	faults_text(&f, &text);
	if (f.n != 1 || strcmp(f.items[0].pointer, pointer) != 0 ||
	    strstr(f.items[0].message, words) == NULL)
		fail_msg(
		    "wanted %s: %s\ngot %s", pointer, words, buf_str(&text));
	buf_fini(&text);
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

/* --- parameters ------------------------------------------------------------- */

static struct json_object *
with_parameters(const char *base, const char *params)
{
	struct json_object *o = parse(base), *p;
	char *text = xasprintf("{'component_parameters':{%s}}", params);

	p = parse(text);
	json_merge(o, p);
	json_object_put(p);
	free(text);
	return o;
}

/*
 * hetero_lr_0's alpha at the guest and at the hosts 10000 and 10002, which
 * stood at 0 and 2 in the training and stand at 1 and 0 now.  0.01 is what
 * holds when nobody says anything.
 */
static const struct {
	const char *training;
	const char *now;
	double guest, first, last;
} merges[] = {
#define LR(a) "{'hetero_lr_0':{'alpha':" #a "}}"
	{ "", "", 1, 1, 1 },
	{ "'common':" LR(5), "", 5, 5, 5 },
	/* Positions are those of the training. */
	{ "'role':{'host':{'0':" LR(5) "}}", "", 1, 5, 1 },
	{ "'role':{'host':{'1':" LR(5) "}}", "", 1, 1, 1 },
	{ "'role':{'host':{'2':" LR(5) "}}", "", 1, 1, 5 },
	{ "'role':{'host':{'0|1':" LR(5) "}}", "", 1, 5, 1 },
	{ "'role':{'host':{'1|2':" LR(5) "}}", "", 1, 1, 5 },
	{ "'role':{'host':{'all':" LR(5) "}}", "", 1, 5, 5 },
	{ "'role':{'host':{'hetero_lr_0':{'alpha':5}}}", "", 1, 5, 5 },
	{ "'role':{'host':{'all':" LR(5) ",'0':" LR(6) "}}", "", 1, 6, 5 },
	{ "'role':{'host':{'0':" LR(6) ",'0|2':" LR(5) "}}", "", 1, 5, 5 },
	/* Positions are those of this job. */
	{ "", "'role':{'host':{'0':" LR(5) "}}", 1, 1, 5 },
	{ "", "'role':{'host':{'1':" LR(5) "}}", 1, 5, 1 },
	{ "", "'role':{'host':{'0|1':" LR(5) "}}", 1, 5, 5 },
	/* This job wins, whatever form its key has. */
	{ "'common':" LR(5), "'common':" LR(6), 6, 6, 6 },
	{ "'role':{'host':{'0':" LR(5) "}}",
	    "'role':{'host':{'all':" LR(6) "}}", 1, 6, 6 },
	{ "'role':{'host':{'all':" LR(5) "}}",
	    "'role':{'host':{'1':" LR(6) "}}", 1, 6, 5 },
	{ "'role':{'host':{'0':" LR(5) ",'all':" LR(7) "}}",
	    "'role':{'host':{'0|1':" LR(6) "}}", 1, 6, 6 },
	{ "'common':" LR(5), "'role':{'guest':{'0':" LR(6) "}}", 6, 5, 5 },
	/* A role's scope wins over common of either. */
	{ "'role':{'guest':{'0':" LR(5) "}}", "'common':" LR(6), 5, 6, 6 },
};

static double
alpha(const struct job_spec *spec, const char *role, const char *party,
    const char *component)
{
	double a = json_get_double(
	    task_of(spec, role, party, component)->parameters, "alpha", -1);

	return a == 0.01 || a == 1.0 ? 1 : a;
}

static void
parameters_are_inherited_from_the_training(void **state)
{
	struct job_model m = model;
	struct job_spec *spec;
	char *patch;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
		m.train_conf = with_parameters(TRAIN_CONF, merges[i].training);
		patch =
		    xasprintf("{'component_parameters':{%s}}", merges[i].now);
		spec =
		    build_good(&(struct build){ .model = &m, .patch = patch });
		if (alpha(spec, "guest", "9999", "hetero_lr_0") !=
			merges[i].guest ||
		    alpha(spec, "host", "10000", "hetero_lr_0") !=
			merges[i].first ||
		    alpha(spec, "host", "10002", "hetero_lr_0") !=
			merges[i].last)
			fail_msg("%s and %s: %g %g %g", merges[i].training,
			    merges[i].now,
			    alpha(spec, "guest", "9999", "hetero_lr_0"),
			    alpha(spec, "host", "10000", "hetero_lr_0"),
			    alpha(spec, "host", "10002", "hetero_lr_0"));
		job_spec_free(spec);
		json_object_put(m.train_conf);
		free(patch);
	}
}

static void
a_component_that_applied_a_model_inherits_over_the_training(void **state)
{
	struct job_model m = model;
	struct job_spec *spec;

	(void)state;
	m.train_conf = with_parameters(TRAIN_CONF,
	    "'common':" LR(5) ",'role':{'host':{'2':"
			      "{'hetero_lr_1':{'alpha':8}}}}");
	spec = build_good(&(struct build){ .model = &m });
	assert_true(alpha(spec, "host", "10000", "hetero_lr_1") == 5);
	assert_true(alpha(spec, "host", "10002", "hetero_lr_1") == 8);
	job_spec_free(spec);
	/* What this job says about the source is not about the other. */
	spec = build_good(&(struct build){ .model = &m,
	    .patch = "{'component_parameters':{'common':" LR(6) "}}" });
	assert_true(alpha(spec, "guest", "9999", "hetero_lr_0") == 6);
	assert_true(alpha(spec, "guest", "9999", "hetero_lr_1") == 5);
	job_spec_free(spec);
	json_object_put(m.train_conf);
}

static void
a_component_under_another_name_inherits_by_its_model(void **state)
{
	struct job_model m = model;
	struct job_spec *spec;

	(void)state;
	m.train_conf = with_parameters(TRAIN_CONF, "'common':" LR(5));
	m.inference_dsl = parse(
	    "{'components':{'r':{'module':'Reader','output':{'data':['d']}},"
	    "'again':{'module':'HeteroLR','input':{'data':{'test_data':['r.d']}"
	    ",'model':['pipeline.hetero_lr_0.model']},"
	    "'output':{'data':['d']}}}}");
	spec = build_good(&(struct build){ .model = &m,
	    .patch = "{'component_parameters':{'common':{'r':{'table':"
		     "{'name':'n','namespace':'s'}}}}}" });
	assert_true(alpha(spec, "guest", "9999", "again") == 5);
	job_spec_free(spec);
	json_object_put(m.train_conf);
	json_object_put(m.inference_dsl);
}

static void
tables_and_lists_are_replaced_and_not_mixed(void **state)
{
	struct job_spec *spec = build_good(&(struct build){
	    .patch = "{'component_parameters':{'role':{'host':{'0':"
		     "{'reader_0':{'table':{'name':'h2','namespace':'u'}}}}}}"
		     "}" });

	(void)state;
	assert_string_equal(
	    json_text(task_of(spec, "host", "10002", "reader_0")->parameters),
	    "{\"table\":{\"name\":\"h2\",\"namespace\":\"u\"},"
	    "\"need_run\":true}");
	assert_string_equal(
	    json_text(task_of(spec, "host", "10000", "reader_0")->parameters),
	    "{\"table\":{\"name\":\"h\",\"namespace\":\"t\"},"
	    "\"need_run\":true}");
	job_spec_free(spec);
}

static void
faults_name_the_document_they_are_in(void **state)
{
	struct job_model m = model;

	(void)state;
	refuses(
	    &(struct build){ .patch = "{'component_parameters':{'common':"
				      "{'hetero_lr_0':{'init_param':5}}}}" },
	    "/job_runtime_conf/component_parameters/common/hetero_lr_0/"
	    "init_param",
	    "must be");
	m.train_conf = with_parameters(TRAIN_CONF,
	    "'role':{'host':{'0|1':{'hetero_lr_1':{'alpha':'x'}}}}");
	refuses(&(struct build){ .model = &m },
	    "/train_runtime_conf/component_parameters/role/host/0|1/"
	    "hetero_lr_1/alpha",
	    "must be number");
	json_object_put(m.train_conf);
	refuses(&(struct build){ .patch = "{'component_parameters':{'common':"
					  "{'hetero_rl_0':{}}}}" },
	    "/job_runtime_conf/component_parameters/common/hetero_rl_0",
	    "did you mean \"hetero_lr_0\"?");
	refuses(&(struct build){ .patch = "{'component_parameters':{'role':"
					  "{'host':{'2':{}}}}}" },
	    "/job_runtime_conf/component_parameters/role/host/2",
	    "there is no host 2");
}

/* --- who and what ------------------------------------------------------------ */

static void
members_must_have_had_the_same_role(void **state)
{
	(void)state;
#define TABLES                                                                 \
	",'component_parameters':{'common':{'reader_0':{'table':"              \
	"{'name':'n','namespace':'s'}}}}"
	refuses(
	    &(struct build){ .patch = "{'role':{'host':[10000,7]}" TABLES "}" },
	    "/job_runtime_conf/role/host/1",
	    "party 7 did not take part as host in the training of the model; "
	    "10000, 10001, 10002 did");
	/* The guest was no host. */
	refuses(
	    &(struct build){
		.patch =
		    "{'role':{'host':[9999],'arbiter':[10003]}" TABLES "}" },
	    "/job_runtime_conf/role/host/0", "did not take part as host");
}

static void
a_role_that_is_not_needed_may_stay_away(void **state)
{
	struct job_spec *spec = build_good(&(struct build){
	    .conf = "{'dsl_version':2,'initiator':{'role':'guest','party_id':"
		    "9999},'role':{'guest':[9999],'host':[10001]},"
		    "'job_parameters':{'common':{'job_type':'predict'}}}" });

	(void)state;
	assert_int_equal(spec->n_members, 2);
	assert_string_equal(spec->model_id, "m");
	assert_string_equal(spec->model_version, CHILD);
	assert_string_equal(spec->job_type, "predict");
	job_spec_free(spec);
}

static void
the_inference_dsl_runs_whatever_was_sent(void **state)
{
	struct job_spec *spec = build_good(&(struct build){ 0 });
	struct job_spec *other;

	(void)state;
	assert_ptr_equal(spec->dsl_json, model.inference_dsl);
	assert_int_equal(spec->n_warnings, 0);
	other = build_good(
	    &(struct build){ .dsl = json_text(model.inference_dsl) });
	assert_int_equal(other->n_warnings, 0);
	assert_string_equal(spec->contract, other->contract);
	job_spec_free(other);
	other = build_good(&(struct build){ .dsl = TRAIN_DSL });
	assert_int_equal(other->n_warnings, 1);
	assert_string_equal(spec->contract, other->contract);
	job_spec_free(other);
	job_spec_free(spec);
	refuses(&(struct build){ .dsl = "{'components':{'r':{}}}" },
	    "/job_dsl/components/r/module", "is missing");
}

static void
what_was_not_deployed_is_passed_over_with_a_remark(void **state)
{
	struct job_model m = model;
	const char *keep[] = { "reader_0", "data_transform_0", "intersection_0",
		"hetero_lr_0" };
	struct faults f = FAULTS_INIT;
	struct job_spec *spec;
	char *text;

	(void)state;
	assert_int_equal(predict_dsl_deduce(
			     m.train_dsl, keep, 4, &f, NULL, &m.inference_dsl),
	    0);
	m.train_conf = with_parameters(
	    TRAIN_CONF, "'common':{'evaluation_0':{'eval_type':'binary'}}");
	spec = build_good(&(struct build){ .model = &m });
	assert_int_equal(spec->n_components, 4);
	assert_int_equal(spec->n_warnings, 0);
	job_spec_free(spec);
	spec = build_good(&(struct build){ .model = &m,
	    .patch = "{'component_parameters':{'role':{'guest':{'0':"
		     "{'evaluation_0':{}}}}}}" });
	text = job_spec_warning_text(spec);
	assert_non_null(strstr(text, "evaluation_0 have no effect"));
	free(text);
	job_spec_free(spec);
	json_object_put(m.inference_dsl);
	json_object_put(m.train_conf);
}

static void
stored_models_must_have_been_made(void **state)
{
	struct job_model m = model;

	(void)state;
#define APPLIES(reference)                                                     \
	"{'components':{'r':{'module':'Reader','output':{'data':['d']}},"      \
	"'hetero_lr_0':{'module':'HeteroLR','input':{'data':{'test_data':"     \
	"['r.d']},'model':['" reference "']}}}}"
#define WITH_TABLE                                                             \
	.patch = "{'component_parameters':{'common':{'r':{'table':"            \
		 "{'name':'n','namespace':'s'}}}}}"
#define MODEL_AT "/inference_dsl/components/hetero_lr_0/input/model/0"
	m.inference_dsl = parse(APPLIES("pipeline.hetero_lr_0.other"));
	refuses(&(struct build){ .model = &m, WITH_TABLE }, MODEL_AT,
	    "made no model hetero_lr_0.other");
	json_object_put(m.inference_dsl);
	m.inference_dsl = parse(APPLIES("pipeline.data_transform_0.model"));
	refuses(&(struct build){ .model = &m, WITH_TABLE }, MODEL_AT,
	    "is a model of DataTransform, not of HeteroLR");
	json_object_put(m.inference_dsl);
}

/* --- the contract -------------------------------------------------------------- */

static void
members_come_to_one_contract_from_one_version(void **state)
{
	struct job_spec *a = build_good(&(struct build){
	    .patch = "{'component_parameters':{'common':" LR(6) "}}" });
	struct job_model m = model;
	struct build partner = { .party = "10002",
		.dsl = json_text(a->dsl_json),
		.conf = json_text(a->conf),
		.fixed = a->providers_json,
		.model = &m };
	struct job_spec *b = build_good(&partner);

	(void)state;
	assert_string_equal(a->contract, b->contract);
	assert_memory_equal(a->contract_hash, b->contract_hash, JOB_HASH_SIZE);
	assert_non_null(strstr(a->contract, "\"root_hash\":\"0707"));
	assert_string_equal(
	    json_text(task_of(a, "host", "10002", "hetero_lr_0")->parameters),
	    json_text(task_of(b, "host", "10002", "hetero_lr_0")->parameters));
	job_spec_free(b);
	/* Halves of another training, and documents that were changed. */
	m.root_hash[31] ^= 1;
	b = build_good(&partner);
	assert_memory_not_equal(
	    a->contract_hash, b->contract_hash, JOB_HASH_SIZE);
	job_spec_free(b);
	m.root_hash[31] ^= 1;
	m.train_conf = with_parameters(TRAIN_CONF, "'common':" LR(7));
	b = build_good(&partner);
	assert_memory_not_equal(
	    a->contract_hash, b->contract_hash, JOB_HASH_SIZE);
	job_spec_free(b);
	json_object_put(m.train_conf);
	job_spec_free(a);
}

/* --- models that are loaded ------------------------------------------------------ */

#define LOADING_DSL                                                             \
	"{'components':{'l':{'module':'ModelLoader','output':{'model':['m']}}," \
	"'r':{'module':'Reader','output':{'data':['d']}},"                      \
	"'warm':{'module':'HeteroLR','input':{'data':{'train_data':['r.d']},"   \
	"'model':['l.m']},'output':{'data':['d'],'model':['m']}}}}"
#define LOADING_CONF                                                           \
	"{'dsl_version':2,'initiator':{'role':'guest','party_id':9999},"       \
	"'role':{'guest':[9999],'host':[10002],'arbiter':[10003]},"            \
	"'component_parameters':{'common':{'l':{'model_id':'m',"               \
	"'model_version':'" CHILD "','component_name':'hetero_lr_1'},"         \
	"'r':{'table':{'name':'n','namespace':'s'}}}}}"

static void
what_a_loader_loads_brings_its_parameters(void **state)
{
	struct job_model m = model;
	struct build b = {
		.dsl = LOADING_DSL, .conf = LOADING_CONF, .model = &m
	};
	struct build partner = { .party = "10002", .model = &m };
	struct job_spec *spec, *other;

	(void)state;
	m.loader = "l";
	m.train_conf = with_parameters(TRAIN_CONF,
	    "'common':{'hetero_lr_0':{'alpha':5,'max_iter':7}},"
	    "'role':{'host':{'2':{'hetero_lr_1':{'alpha':8}}}}");
	b.patch = "{'component_parameters':{'common':{'warm':{'max_iter':9}}}}";
	spec = build_good(&b);
	assert_string_equal(spec->job_type, "train");
	assert_string_equal(spec->model_version, JOB);
	assert_true(alpha(spec, "guest", "9999", "warm") == 5);
	assert_true(alpha(spec, "host", "10002", "warm") == 8);
	assert_int_equal(
	    json_get_int(task_of(spec, "guest", "9999", "warm")->parameters,
		"max_iter", 0),
	    9);
	assert_non_null(strstr(spec->contract, "\"loads\":{\"l\":{"));
	/* A partner with another version comes to another contract. */
	partner.dsl = json_text(spec->dsl_json);
	partner.conf = json_text(spec->conf);
	partner.fixed = spec->providers_json;
	other = build_good(&partner);
	assert_string_equal(spec->contract, other->contract);
	job_spec_free(other);
	m.root_hash[0] ^= 1;
	other = build_good(&partner);
	assert_string_not_equal(spec->contract, other->contract);
	job_spec_free(other);
	job_spec_free(spec);
	json_object_put(m.train_conf);
}

static void
a_loaded_version_is_none_to_predict_with(void **state)
{
	struct job_model m = model;
	const struct build b = { .dsl = LOADING_DSL,
		.conf = LOADING_CONF,
		.model = &m,
		.patch = "{'job_parameters':{'common':{'job_type':"
			 "'predict'}}}" };

	(void)state;
	m.loader = "l";
	refuses(&b, "/job_runtime_conf/job_parameters/common/job_type",
	    "needs model_id and model_version");
}

static void
the_providers_of_the_training_do_not_bind(void **state)
{
	struct job_spec *spec = build_good(&(struct build){ 0 });

	(void)state;
	assert_string_equal(
	    task_of(spec, "guest", "9999", "hetero_lr_0")->provider_version,
	    SLUICE_VERSION);
	job_spec_free(spec);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_inherited_from_the_training),
		cmocka_unit_test(
		    a_component_that_applied_a_model_inherits_over_the_training),
		cmocka_unit_test(
		    a_component_under_another_name_inherits_by_its_model),
		cmocka_unit_test(tables_and_lists_are_replaced_and_not_mixed),
		cmocka_unit_test(faults_name_the_document_they_are_in),
		cmocka_unit_test(members_must_have_had_the_same_role),
		cmocka_unit_test(a_role_that_is_not_needed_may_stay_away),
		cmocka_unit_test(the_inference_dsl_runs_whatever_was_sent),
		cmocka_unit_test(
		    what_was_not_deployed_is_passed_over_with_a_remark),
		cmocka_unit_test(stored_models_must_have_been_made),
		cmocka_unit_test(members_come_to_one_contract_from_one_version),
		cmocka_unit_test(the_providers_of_the_training_do_not_bind),
		cmocka_unit_test(what_a_loader_loads_brings_its_parameters),
		cmocka_unit_test(a_loaded_version_is_none_to_predict_with),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
