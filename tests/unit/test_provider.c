/*
 * lib/provider: the product's own manifest, schemas, completion, rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"
#include "lib/provider/params.h"
#include "lib/provider/rules.h"
#include "lib/provider/tag.h"

#define MANIFEST "executor/manifest.json"
#define MANIFEST_MAX 1000000

static struct providers *product;

/* JSON with single quotes, so that C strings stay readable. */
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
load_product(void **state)
{
	struct json_object *o;

	(void)state;
	product = providers_new();
	if (json_parse_file(MANIFEST, MANIFEST_MAX, &o) != 0 ||
	    providers_add(product, o, "/x") != 0) {
		print_error("%s\n", err_text());
		return -1;
	}
	json_object_put(o);
	return 0;
}

static int
free_product(void **state)
{
	(void)state;
	providers_free(product);
	return 0;
}

/* Complete parameters, or NULL; faults stay in *f. */
static struct json_object *
complete(const char *module, const char *given, struct faults *f)
{
	struct json_object *in = given != NULL ? parse(given) : NULL;
	struct json_object *out;
	const struct module *m = providers_module(product, module);

	assert_non_null(m);
	params_complete(m, in, NULL, f, &out);
	json_object_put(in);
	return out;
}

static void
accepts(const char *module, const char *given, const char *key,
    const char *expected)
{
	struct faults f = FAULTS_INIT;
	struct json_object *o = complete(module, given, &f);
	struct buf b = BUF_INIT;

	faults_text(&f, &b);
	if (o == NULL)
		fail_msg("%s %s: %s", module, given, buf_str(&b));
	assert_string_equal(json_text(json_get(o, key)), expected);
	json_object_put(o);
	buf_fini(&b);
	faults_fini(&f);
}

/* Exactly one fault, there and with these words in it. */
static void
refuses(const char *module, const char *given, const char *pointer,
    const char *words)
{
	struct faults f = FAULTS_INIT;
	struct json_object *o = complete(module, given, &f);
	struct buf b = BUF_INIT;

	faults_text(&f, &b);
	assert_null(o);
	if (f.n != 1 || strcmp(f.items[0].pointer, pointer) != 0 ||
	    strstr(f.items[0].message, words) == NULL)
		fail_msg("%s: wanted %s %s, got %s", given, pointer, words,
		    buf_str(&b));
	buf_fini(&b);
	faults_fini(&f);
}

/* --- the product's manifest ------------------------------------------------- */

static void
the_manifest_offers_the_classic_components(void **state)
{
	static const char *const names[] = { "Upload", "Reader",
		"DataTransform", "Intersection", "HeteroLR", "Evaluation",
		"HomoLR", "SecureAddExample", "FeatureScale", "DataStatistics",
		"HeteroDataSplit", "HomoDataSplit", "FederatedSample", "Union",
		"LabelTransform" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(providers_module(product, names[i]));
	assert_string_equal(
	    providers_module(product, "heterolr")->name, "HeteroLR");
	assert_string_equal(
	    providers_module(product, "DataIO")->name, "DataTransform");
	assert_null(providers_module(product, "HeteroRL"));
	assert_string_equal(
	    providers_nearest_module(product, "HeteroRL"), "HeteroLR");
	assert_string_equal(providers_at(product, 0)->version, SLUICE_VERSION);
}

static void
tags_follow_their_patterns(void **state)
{
	static const struct {
		const char *pattern, *tag;
		bool matches;
	} cases[] = {
		{ "0", "0", true },
		{ "0", "1", false },
		{ "0", "", false },
		{ "", "", true },
		{ "#", "0", true },
		{ "#", "4294967295", true },
		{ "#", "12345678901", false },
		{ "#", "01", false },
		{ "#", "00", false },
		{ "#", "-1", false },
		{ "#", "1x", false },
		{ "#", "", false },
		{ "#.#", "3.14", true },
		{ "#.#", "3.", false },
		{ "#.#", "3.1.4", false },
		{ "[f#.][m#.]#", "7", true },
		{ "[f#.][m#.]#", "f1.7", true },
		{ "[f#.][m#.]#", "m2.7", true },
		{ "[f#.][m#.]#", "f1.m2.7", true },
		{ "[f#.][m#.]#", "m2.f1.7", false },
		{ "[f#.][m#.]#", "f1.", false },
		{ "[#.]#", "5", true },
		{ "[#.]#", "5.6", true },
		{ "train[.#]", "train", true },
		{ "train[.#]", "train.3", true },
		{ "train[.#]", "train.", false },
		{ "[a][a][a][a][a][a][a][a]", "aaaaaaaa", true },
	};
	static const char *const wrong[] = { "[", "]", "[a[b]]", "a]b[", "a b",
		"a/b", "%s", "\xc3\xa4",
		/* A partner's tag could keep it busy for years. */
		"[a][a][a][a][a][a][a][a][a]" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(tag_pattern_valid(cases[i].pattern));
		if (tag_matches(cases[i].pattern, cases[i].tag) !=
		    cases[i].matches)
			fail_msg("%s %s", cases[i].pattern, cases[i].tag);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(tag_pattern_valid(wrong[i]));
}

/* What is sent here says which tags it has. */
static void
every_transfer_declares_its_tags(void **state)
{
	const struct provider *p = providers_at(product, 0);
	struct arena *a = arena_new();
	const struct module *lr = provider_module(p, "HeteroLR");

	(void)state;
	for (size_t i = 0; i < p->n_modules; i++)
		for (size_t j = 0; j < p->modules[i].n_transfers; j++)
			if (!p->modules[i].transfers[j].says_tags)
				fail_msg("%s %s", p->modules[i].name,
				    p->modules[i].transfers[j].name);
	assert_true(module_may_tag(lr, "loss", "f1.m2.3"));
	assert_false(module_may_tag(lr, "loss", "x = 1.5"));
	assert_string_equal(module_tags_text(lr, "loss", a), "[f#.][m#.]#");
	assert_string_equal(module_tags_text(lr, "guest_gradient", a),
	    "[f#.][m#.]#.#, [f#.][m#.]#.norm");
	assert_false(module_may_tag(lr, "use_async", "0"));
	assert_string_equal(module_tags_text(lr, "use_async", a), "none");
	assert_false(module_may_tag(lr, "anything", "0"));
	assert_string_equal(module_tags_text(lr, "anything", a), "none");
	arena_free(a);
}

/* A manifest of before there were any, or of somebody who did not think. */
static void
a_transfer_without_tags_lets_nothing_through(void **state)
{
	static const char text[] =
	    "{\"name\":\"p\",\"version\":\"1.0\",\"program\":\"x\","
	    "\"protocol\":1,\"components\":{\"Old\":{\"roles\":[\"guest\","
	    "\"host\"],\"inputs\":{\"data\":[]},\"outputs\":{},"
	    "\"parameters\":{},\"transfers\":{\"sums\":{\"from\":[\"guest\"],"
	    "\"to\":[\"host\"]%s}}}}}";
	struct providers *ps = providers_new();
	struct arena *a = arena_new();
	struct json_object *o = NULL;
	const struct module *m;
	char *untagged = xasprintf(text, "");
	char *tagged = xasprintf(text, ",\"tags\":[]");

	(void)state;
	assert_int_equal(json_parse_text(untagged, &o), 0);
	assert_int_equal(providers_add(ps, o, "/x"), 0);
	json_object_put(o);
	m = provider_module(providers_at(ps, 0), "Old");
	assert_true(module_may_send(m, "sums", "guest", "host"));
	assert_false(module_may_tag(m, "sums", ""));
	assert_false(module_may_tag(m, "sums", "0"));
	assert_non_null(strstr(module_tags_text(m, "sums", a), "no \"tags\""));
	assert_int_equal(provider_check_tags(providers_at(ps, 0)), ERR_INVALID);
	assert_non_null(strstr(err_text(), "\"sums\" of Old"));
	assert_non_null(strstr(err_text(), "write \"tags\": [\"#\"]"));
	providers_free(ps);
	ps = providers_new();
	assert_int_equal(json_parse_text(tagged, &o), 0);
	assert_int_equal(providers_add(ps, o, "/x"), 0);
	json_object_put(o);
	assert_int_equal(provider_check_tags(providers_at(ps, 0)), 0);
	assert_int_equal(provider_check_tags(providers_at(product, 0)), 0);
	providers_free(ps);
	arena_free(a);
	free(untagged);
	free(tagged);
}

static void
roles_and_transfers_are_bounded(void **state)
{
	const struct module *lr = providers_module(product, "HeteroLR");
	const struct module *ix = providers_module(product, "Intersection");

	(void)state;
	assert_true(module_has_role(lr, "arbiter"));
	assert_false(module_has_role(ix, "arbiter"));
	assert_true(module_may_send(lr, "paillier_pubkey", "arbiter", "host"));
	assert_false(module_may_send(lr, "paillier_pubkey", "host", "arbiter"));
	assert_false(module_may_send(lr, "guest_gradient", "guest", "host"));
	assert_false(module_may_send(lr, "anything", "guest", "host"));
	assert_true(module_may_send(ix, "intersect_ids", "guest", "host"));
	assert_false(module_may_send(ix, "intersect_ids", "host", "guest"));
}

static void
providers_are_found_by_name_alias_and_version(void **state)
{
	(void)state;
	assert_non_null(providers_find(product, "sluice", NULL));
	assert_non_null(providers_find_spec(product, "sluice@1.0.0"));
	assert_null(providers_find_spec(product, "sluice@9.9.9"));
	assert_non_null(providers_find_spec(product, "fate@1.11.4"));
	assert_non_null(providers_find_spec(product, "FATE"));
	assert_null(providers_find_spec(product, "other"));
	assert_true(provider_spec_valid("a@1.2"));
	assert_false(provider_spec_valid("@1.2"));
	assert_false(provider_spec_valid("a@"));
	assert_false(provider_spec_valid("a@1@2"));
	assert_false(provider_spec_valid("../a"));
}

static void
versions_are_compared_as_numbers(void **state)
{
	(void)state;
	assert_true(provider_version_cmp("1.10.0", "1.9.9") > 0);
	assert_true(provider_version_cmp("1.0", "1.0.0") == 0);
	assert_true(provider_version_cmp("1.0", "1.0.1") < 0);
	assert_true(provider_version_cmp("2", "10") < 0);
}

/* --- parameters ------------------------------------------------------------- */

static void
defaults_are_filled_in(void **state)
{
	(void)state;
	accepts("HeteroLR", NULL, "penalty", "\"L2\"");
	accepts("HeteroLR", NULL, "tol", "0.0001");
	accepts("HeteroLR", NULL, "metrics", "[\"auc\",\"ks\"]");
	accepts("HeteroLR", NULL, "need_run", "true");
	accepts("HeteroLR", "{'init_param':{'init_method':'zeros'}}",
	    "init_param",
	    "{\"init_method\":\"zeros\",\"init_const\":1,"
	    "\"fit_intercept\":true,\"random_seed\":null}");
	accepts("HeteroLR", NULL, "encrypt_param",
	    "{\"method\":\"Paillier\",\"key_length\":2048}");
	accepts("Intersection", NULL, "intersect_method", "\"ecdh\"");
	accepts("Evaluation", "{}", "eval_type", "\"binary\"");
}

static void
values_get_their_normal_form(void **state)
{
	(void)state;
	accepts("HeteroLR", "{'max_iter':12.0}", "max_iter", "12");
	accepts("HeteroLR", "{'penalty':'l1'}", "penalty", "\"L1\"");
	accepts("HeteroLR", "{'penalty':null}", "penalty", "null");
	accepts("HeteroLR", "{'shuffle':0}", "shuffle", "false");
	accepts("HeteroLR",
	    "{'encrypt_param':{'method':'iterativeAffine',"
	    "'key_length':1024}}",
	    "encrypt_param", "{\"method\":\"Paillier\",\"key_length\":1024}");
	accepts("HeteroLR", "{'validation_freqs':[1,5]}", "validation_freqs",
	    "[1,5]");
	accepts("Evaluation",
	    "{'metrics':['RMSE','mae'],"
	    "'eval_type':'regression'}",
	    "metrics", "[\"root_mean_squared_error\",\"mean_absolute_error\"]");
	accepts("Evaluation", "{'need_run':false}", "need_run", "false");
	/* All rows, not one row. */
	accepts("HomoDataSplit", "{'train_size':1.0}", "train_size", "1.0");
	accepts("HomoDataSplit", "{'train_size':20}", "train_size", "20");
	accepts("FeatureScale", "{'feat_upper':[1,2.5],'method':null}",
	    "feat_upper", "[1,2.5]");
	accepts("DataStatistics", "{'statistics':['95%']}", "statistics",
	    "[\"95%\"]");
}

static void
wrong_values_are_refused_at_their_place(void **state)
{
	(void)state;
	refuses("HeteroLR", "{'max_itre':1}", "/max_itre",
	    "did you mean \"max_iter\"?");
	refuses("HeteroLR", "{'max_iter':0}", "/max_iter", "at least 1");
	refuses("HeteroLR", "{'max_iter':1.5}", "/max_iter", "must be integer");
	refuses(
	    "HeteroLR", "{'max_iter':'10'}", "/max_iter", "must be integer");
	refuses(
	    "HeteroLR", "{'max_iter':null}", "/max_iter", "must be integer");
	refuses("HeteroLR", "{'penalty':'L3'}", "/penalty",
	    "must be one of L1, L2, NONE, null");
	refuses("HeteroLR", "{'shuffle':2}", "/shuffle", "must be boolean");
	refuses("HeteroLR", "{'init_param':{'init_metod':'ones'}}",
	    "/init_param/init_metod", "did you mean \"init_method\"?");
	refuses("HeteroLR", "{'encrypt_param':{'key_length':512}}",
	    "/encrypt_param/key_length", "at least 1024");
	refuses("HeteroLR", "{'metrics':['auc',1]}", "/metrics/1",
	    "must be string");
}

static void
rules_between_parameters_hold(void **state)
{
	(void)state;
	refuses("HeteroLR", "{'early_stopping_rounds':3}",
	    "/early_stopping_rounds", "needs validation_freqs");
	refuses("HeteroLR", "{'callback_param':{'early_stopping_rounds':3}}",
	    "/callback_param/early_stopping_rounds", "needs validation_freqs");
	refuses("HeteroLR", "{'batch_size':5}", "/batch_size", "at least 10");
	refuses("HeteroDataSplit", "{'train_size':0.7,'test_size':0.4}",
	    "/train_size", "add up to 1.1, must be 1");
	refuses("HomoDataSplit", "{'stratified':true,'shuffle':false}",
	    "/shuffle", "must be true");
	refuses("FederatedSample", "{'mode':'stratified','fractions':0.5}",
	    "/fractions", "a list of [label, rate]");
	refuses("FederatedSample", "{'fractions':[[0,0.5]]}", "/fractions",
	    "must be a number in mode random");
	accepts("Intersection", "{'intersect_method':'RSA'}",
	    "intersect_method", "\"rsa\"");
	accepts("Intersection", "{'intersect_method':'raw'}",
	    "intersect_method", "\"raw\"");
	refuses("Intersection", "{'run_preprocess':true}", "/run_preprocess",
	    "guesses");
	refuses("Intersection", "{'cardinality_only':true,'run_cache':true}",
	    "/run_cache", "cardinality_only");
	refuses("HomoLR",
	    "{'early_stopping_rounds':3,"
	    "'validation_freqs':1}",
	    "/early_stopping_rounds", "not offered");
	refuses("HeteroLR", "{'stepwise_param':{'need_stepwise':true}}",
	    "/stepwise_param/need_stepwise", "leave it false");
	accepts("HeteroLR",
	    "{'early_stopping_rounds':3,'validation_freqs':1,"
	    "'cv_param':{'need_cv':true}}",
	    "early_stopping_rounds", "3");
	refuses("HomoLR", "{'encrypt_param':{'method':'paillier'}}",
	    "/encrypt_param/method", "leave it null");
	refuses("HomoLR", "{'use_proximal':true}", "/use_proximal",
	    "leave it false");
	refuses("HomoLR", "{'batch_size':5}", "/batch_size", "at least 10");
	accepts("HomoLR", "{'encrypt_param':{'method':null}}",
	    "aggregate_iters", "1");
	refuses("Intersection",
	    "{'join_method':'left_join','sync_intersect_ids':false}",
	    "/sync_intersect_ids", "must be true");
	refuses("Intersection",
	    "{'join_method':'left_join','cardinality_only':true}",
	    "/join_method", "inner_join");
	accepts("DataTransform", "{'input_format':'tag'}", "input_format",
	    "\"tag\"");
	refuses("Evaluation", "{'eval_type':'clustering'}", "/eval_type",
	    "not offered");
	refuses("Evaluation", "{'eval_type':'regression','metrics':['auc']}",
	    "/metrics/0", "is no metric of eval_type regression");
	refuses("Reader", NULL, "/table", "is missing");
	refuses("ModelLoader",
	    "{'model_id':'m','model_version':'1','component_name':'c',"
	    "'model_alias':'a','step_index':3}",
	    "/step_index", "only one of");
	refuses("ModelLoader", "{'model_id':'m','model_version':'1'}",
	    "/component_name", "is missing");
	refuses("Reader", "{'table':{'name':'a'}}", "/table/namespace",
	    "is missing");
	refuses("Reader",
	    "{'table':{'name':'name_to_be_filled_0','namespace':'a'}}",
	    "/table/name", "should be the name of a table");
	refuses("Reader",
	    "{'table':{'name':'a','namespace':'namespace_to_be_filled_12'}}",
	    "/table/namespace", "should be the namespace of a table");
	refuses("Reader", "{'table':{'name':'a','namespace':7}}",
	    "/table/namespace", "string");
	refuses("Reader", "{'table':{'name':'a','namespace':'b','x':1}}",
	    "/table/x", "");
	refuses("Reader",
	    "{'table':{'job_id':'20260101000000000000','data_name':'d'}}",
	    "/table/component_name", "is missing");
	refuses("Reader",
	    "{'table':{'job_id':'20260101000000000000','data_name':'d',"
	    "'component_name':'c','name':'a','namespace':'b'}}",
	    "/table/job_id", "one or the other");
	refuses("Writer", "{'name':'a','namespace':'b'}", "/output_name",
	    "where the table goes");
	refuses("Writer",
	    "{'name':'a','output_name':'c',"
	    "'output_namespace':'d'}",
	    "/namespace", "must be there, too");
	refuses("Writer",
	    "{'output_name':'c','output_namespace':'d','address':{}}",
	    "/address", "one place");
	refuses("Writer",
	    "{'storage_engine':'MYSQL','address':{'host':'h',"
	    "'user':'u','passwd':'p','db':'d','name':'t'}}",
	    "/address/passwd", "connector");
	refuses("Writer", "{'storage_engine':'PATH','address':{}}",
	    "/address/path", "");
}

static void
checking_alone_does_not_ask_for_what_is_missing(void **state)
{
	const struct module *m = providers_module(product, "Reader");
	struct faults f = FAULTS_INIT;
	struct json_object *o = parse("{'table':{'name':'a'}}");

	(void)state;
	assert_int_equal(params_check(m, o, NULL, &f), 0);
	json_object_put(o);
	o = parse("['table']");
	assert_int_equal(params_check(m, o, NULL, &f), ERR_INVALID);
	json_object_put(o);
	faults_fini(&f);
}

/* A deployed component reads back the model that it made. */
static void
who_makes_a_model_takes_one(void **state)
{
	const struct provider *p = providers_at(product, 0);
	size_t i;

	(void)state;
	for (i = 0; i < p->n_modules; i++)
		if (p->modules[i].output_model && !p->modules[i].input_model)
			fail_msg("%s makes a model and takes none",
			    p->modules[i].name);
}

static void
members_must_suit_the_module(void **state)
{
	const struct module *lr = providers_module(product, "HeteroLR");
	static const struct {
		const char *roles;
		size_t training; /* faults */
		size_t prediction;
	} cases[] = {
		{ "{'guest':[1],'host':[2],'arbiter':[3]}", 0, 0 },
		{ "{'guest':[1],'host':[2,3],'arbiter':[2]}", 0, 0 },
		{ "{'guest':[1],'host':[1],'arbiter':[1]}", 0, 0 },
		{ "{'guest':[1],'host':[2],'arbiter':[1]}", 1, 1 },
		{ "{'guest':[1],'host':[1,2],'arbiter':[1]}", 1, 1 },
		{ "{'guest':[1],'host':[2]}", 1, 0 },
		{ "{'guest':[1,4],'arbiter':[3]}", 2, 2 },
		{ "{'guest':[1,4]}", 3, 2 },
	};
	struct json_object *roles;
	struct faults f = FAULTS_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		roles = parse(cases[i].roles);
		rules_check_members(lr, roles, false, NULL, &f);
		if (faults_count(&f) != cases[i].training)
			fail_msg(
			    "%s: %zu faults", cases[i].roles, faults_count(&f));
		faults_fini(&f);
		rules_check_members(lr, roles, true, NULL, &f);
		if (faults_count(&f) != cases[i].prediction)
			fail_msg("%s: %zu faults in prediction", cases[i].roles,
			    faults_count(&f));
		faults_fini(&f);
		json_object_put(roles);
	}
}

/* --- manifests ---------------------------------------------------------------- */

#define HEAD "{'name':'p','version':'1.2','program':'x','protocol':1,"
#define MODULE(params)                                                         \
	"'components':{'A':{'roles':['guest'],"                                \
	"'inputs':{'data':[]},'outputs':{},'parameters':" params "}}}"

static void
broken_manifests_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		HEAD "'components':{},'extra':1}",
		"{'name':'../p','version':'1','program':'x','protocol':1,"
		"'components':{}}",
		"{'name':'p','version':'v1','program':'x','protocol':1,"
		"'components':{}}",
		"{'name':'p','version':'1','program':'../x','protocol':1,"
		"'components':{}}",
		HEAD MODULE("{'x':{'type':'text','default':1}}"),
		HEAD MODULE("{'x':{'type':'integer'}}"),
		HEAD MODULE("{'x':{'type':'integer','default':'1'}}"),
		HEAD MODULE("{'x':{'type':'integer','min':2,'default':1}}"),
		HEAD MODULE("{'x':{'type':'string','enum':['a'],"
			    "'default':'b'}}"),
		HEAD MODULE("{'x':{'type':'object','fields':{'y':1}}}"),
		HEAD "'components':{'A':{'aliases':['b'],'roles':['guest'],"
		     "'inputs':{'data':[]},'outputs':{},'parameters':{}},"
		     "'B':{'roles':['guest'],'inputs':{'data':[]},"
		     "'outputs':{},'parameters':{}}}}",
		HEAD "'components':{'A':{'roles':['guest'],"
		     "'inputs':{'data':[]},'outputs':{},'parameters':{},"
		     "'transfers':{'t':{'from':['host'],'to':['guest']}}}}}",
	};
	struct providers *ps = providers_new();
	struct json_object *o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = parse(bad[i]);
		if (providers_add(ps, o, "/x") != ERR_INVALID)
			fail_msg("accepted: %s", bad[i]);
		json_object_put(o);
	}
	assert_int_equal(providers_count(ps), 0);
	providers_free(ps);
}

static void
write_manifest(const char *dir, const char *name, const char *version)
{
	char *folder = xasprintf("%s/%s/%s", dir, name, version);
	char *path = xasprintf("%s/manifest.json", folder);
	char *text;

	text = xasprintf(
	    "{\"name\":\"%s\",\"version\":\"%s\",\"program\":"
	    "\"x\",\"protocol\":1,\"components\":{\"%s%c\":{\"roles\":"
	    "[\"guest\"],\"inputs\":{\"data\":[]},\"outputs\":{},"
	    "\"parameters\":{}}}}",
	    name, version, name, version[0]);
	assert_int_equal(fd_mkdirs(folder, 0700), 0);
	assert_int_equal(fd_replace_file(path, text, strlen(text), 0600), 0);
	free(text);
	free(path);
	free(folder);
}

static void
the_highest_version_is_the_default(void **state)
{
	char dir[] = "/tmp/test_provider_XXXXXX";
	struct providers *ps;
	char *text, *moved;

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_manifest(dir, "q", "2.0");
	write_manifest(dir, "p", "1.9");
	write_manifest(dir, "p", "1.10");
	assert_int_equal(providers_load(dir, &ps), 0);
	assert_int_equal(providers_count(ps), 3);
	assert_string_equal(providers_find(ps, "p", NULL)->version, "1.10");
	assert_string_equal(providers_find(ps, "p", "1.9")->version, "1.9");
	assert_string_equal(
	    providers_module(ps, "p1")->provider->version, "1.10");
	text = xasprintf("%s/q/2.0/x", dir);
	assert_string_equal(providers_find(ps, "q", "")->program, text);
	free(text);
	providers_free(ps);
	/* A folder whose name is not the manifest's. */
	text = xasprintf("%s/q/2.0", dir);
	moved = xasprintf("%s/q/2.1", dir);
	assert_int_equal(rename(text, moved), 0);
	assert_int_equal(providers_load(dir, &ps), ERR_INVALID);
	assert_null(ps);
	assert_int_equal(providers_load("/nonexistent", &ps), ERR_IO);
	free(moved);
	free(text);
	fd_remove_tree(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manifest_offers_the_classic_components),
		cmocka_unit_test(tags_follow_their_patterns),
		cmocka_unit_test(every_transfer_declares_its_tags),
		cmocka_unit_test(a_transfer_without_tags_lets_nothing_through),
		cmocka_unit_test(roles_and_transfers_are_bounded),
		cmocka_unit_test(providers_are_found_by_name_alias_and_version),
		cmocka_unit_test(versions_are_compared_as_numbers),
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(values_get_their_normal_form),
		cmocka_unit_test(wrong_values_are_refused_at_their_place),
		cmocka_unit_test(rules_between_parameters_hold),
		cmocka_unit_test(
		    checking_alone_does_not_ask_for_what_is_missing),
		cmocka_unit_test(who_makes_a_model_takes_one),
		cmocka_unit_test(members_must_suit_the_module),
		cmocka_unit_test(broken_manifests_are_refused),
		cmocka_unit_test(the_highest_version_is_the_default),
	};

	return cmocka_run_group_tests(tests, load_product, free_product);
}
