/*
 * lib/model/predict_dsl: what of a training DSL predicts.
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
#include "lib/model/predict_dsl.h"

#define KEEP_MAX 20

/* JSON with ' for ". */
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

/* keep: names with blanks between them; NULL for all. */
static int
deduce(const char *dsl, const char *keep, struct faults *faults,
    struct json_object **out)
{
	const char *names[KEEP_MAX];
	struct json_object *o = parse(dsl);
	char *copy = xstrdup(keep != NULL ? keep : ""), *rest = copy, *one;
	size_t n = 0;
	int r;

	while ((one = strsep(&rest, " ")) != NULL)
		if (*one != '\0')
			names[n++] = one;
	r = predict_dsl_deduce(
	    o, keep != NULL ? names : NULL, n, faults, NULL, out);
	free(copy);
	json_object_put(o);
	return r;
}

static void
gives(const char *dsl, const char *keep, const char *want)
{
	struct faults faults = FAULTS_INIT;
	struct json_object *out, *expected = parse(want);
	struct buf text = BUF_INIT;

	if (deduce(dsl, keep, &faults, &out) != 0) {
		faults_text(&faults, &text);
		fail_msg("%s", buf_str(&text));
	}
	assert_string_equal(
	    json_text(json_get(out, "components")), json_text(expected));
	json_object_put(expected);
	json_object_put(out);
	faults_fini(&faults);
	buf_fini(&text);
}

static void
refuses(const char *dsl, const char *keep, const char *words)
{
	struct faults faults = FAULTS_INIT;
	struct json_object *out;
	struct buf text = BUF_INIT;

	assert_int_equal(deduce(dsl, keep, &faults, &out), ERR_INVALID);
	assert_null(out);
	faults_text(&faults, &text);
	if (strstr(buf_str(&text), words) == NULL)
		fail_msg("wanted %s\ngot %s", words, buf_str(&text));
	faults_fini(&faults);
	buf_fini(&text);
}

#define WRAP(components) "{'components':{" components "}}"
#define READER "'r':{'module':'Reader','output':{'data':['data']}}"
#define TRANSFORM                                                              \
	"'t':{'module':'DataTransform','input':{'data':{'data':['r.data']}},"  \
	"'output':{'data':['data'],'model':['model']}}"
#define JOIN                                                                   \
	"'i':{'module':'Intersection','input':{'data':{'data':['t.data']}},"   \
	"'output':{'data':['data'],'cache':['cache']}}"
#define BINNING                                                                \
	"'b':{'module':'HeteroFeatureBinning','input':{'data':{'data':"        \
	"['i.data']}},'output':{'data':['data'],'model':['binning']}}"
#define SELECTION                                                              \
	"'s':{'module':'HeteroFeatureSelection','input':{'data':{'data':"      \
	"['b.data']},'isometric_model':['b.binning']},"                        \
	"'output':{'data':['data'],'model':['selected']}}"
#define LEARNER                                                                \
	"'l':{'module':'HeteroLR','input':{'data':{'train_data':['s.data']}}," \
	"'output':{'data':['data'],'model':['model']}}"
#define EVALUATION                                                             \
	"'e':{'module':'Evaluation','input':{'data':{'data':['l.data']}},"     \
	"'output':{'data':['data']}}"
#define CHAIN                                                                  \
	WRAP(READER "," TRANSFORM "," JOIN "," BINNING "," SELECTION           \
		    "," LEARNER "," EVALUATION)

static void
models_are_read_from_the_deployed_version(void **state)
{
	(void)state;
	gives(CHAIN, NULL,
	    "{'r':{'module':'Reader','output':{'data':['data']}},"
	    "'t':{'module':'DataTransform','input':{'data':{'data':['r.data']},"
	    "'model':['pipeline.t.model']},'output':{'data':['data']}},"
	    "'i':{'module':'Intersection','input':{'data':{'data':['t.data']}},"
	    "'output':{'data':['data'],'cache':['cache']}},"
	    "'b':{'module':'HeteroFeatureBinning','input':{'data':{'data':"
	    "['i.data']},'model':['pipeline.b.binning']},"
	    "'output':{'data':['data']}},"
	    "'s':{'module':'HeteroFeatureSelection','input':{'data':{'data':"
	    "['b.data']},'model':['pipeline.s.selected']},"
	    "'output':{'data':['data']}},"
	    "'l':{'module':'HeteroLR','input':{'data':{'test_data':['s.data']},"
	    "'model':['pipeline.l.model']},'output':{'data':['data']}},"
	    "'e':{'module':'Evaluation','input':{'data':{'data':['l.data']}},"
	    "'output':{'data':['data']}}}");
}

static void
without_a_reader_the_top_has_no_data(void **state)
{
	(void)state;
	gives(CHAIN, "t",
	    "{'t':{'module':'DataTransform','input':{'model':"
	    "['pipeline.t.model']},'output':{'data':['data']}}}");
	gives(WRAP(READER "," TRANSFORM "," JOIN), "i",
	    "{'i':{'module':'Intersection',"
	    "'output':{'data':['data'],'cache':['cache']}}}");
}

static void
what_goes_is_replaced_by_what_it_consumed(void **state)
{
	(void)state;
	/* Over two components. */
	gives(CHAIN, "i l",
	    "{'i':{'module':'Intersection','output':{'data':['data'],"
	    "'cache':['cache']}},"
	    "'l':{'module':'HeteroLR','input':{'data':{'test_data':['i.data']},"
	    "'model':['pipeline.l.model']},'output':{'data':['data']}}}");
	/* Up to a Reader that stays, and to one that does not. */
	gives(CHAIN, "e r",
	    "{'r':{'module':'Reader','output':{'data':['data']}},"
	    "'e':{'module':'Evaluation','input':{'data':{'data':['r.data']}},"
	    "'output':{'data':['data']}}}");
	gives(CHAIN, "e",
	    "{'e':{'module':'Evaluation','output':{'data':['data']}}}");
}

#define TWO_READERS READER ",'q':{'module':'Reader','output':{'data':['data']}}"
#define SPLIT                                                                  \
	"'p':{'module':'HeteroDataSplit','input':{'data':{'data':['r.data']}}" \
	",'output':{'data':['train_data','validate_data','test_data']}}"
#define FED(input)                                                             \
	"'l':{'module':'HeteroLR','input':{'data':{" input                     \
	"}},'output':{'data':['data'],'model':['m']}}"
#define APPLIES(data)                                                          \
	"'l':{'module':'HeteroLR','input':{'data':{" data                      \
	"},'model':['pipeline.l.m']},'output':{'data':['data']}}"
#define READS "'r':{'module':'Reader','output':{'data':['data']}}"

static void
one_data_input_stays_by_its_rank(void **state)
{
	(void)state;
	gives(
	    WRAP(READER "," SPLIT "," FED("'validate_data':['p.validate_data'],"
					  "'train_data':['p.train_data']")),
	    "r p l",
	    "{" READS "," SPLIT
	    "," APPLIES("'test_data':['p.train_data']") "}");
	gives(WRAP(READER "," SPLIT "," FED("'test_data':['p.test_data'],"
					    "'data':['p.train_data']")),
	    "r p l",
	    "{" READS "," SPLIT "," APPLIES("'data':['p.train_data']") "}");
	gives(
	    WRAP(READER "," SPLIT "," FED("'test_data':['p.test_data'],"
					  "'validate_data':['p.train_data']")),
	    "r p l",
	    "{" READS "," SPLIT
	    "," APPLIES("'test_data':['p.train_data']") "}");
	gives(WRAP(READER "," SPLIT "," FED("'test_data':['p.test_data']")),
	    "r p l",
	    "{" READS "," SPLIT "," APPLIES("'test_data':['p.test_data']") "}");
	/* eval_data is none of them. */
	gives(WRAP(READER "," FED("'eval_data':['r.data']")), "r l",
	    "{" READS ",'l':{'module':'HeteroLR','input':"
	    "{'model':['pipeline.l.m']},'output':{'data':['data']}}}");
}

static void
looking_upwards_takes_the_first_entry_by_another_rank(void **state)
{
	(void)state;
#define VIA(input)                                                             \
	WRAP(TWO_READERS ",'x':{'module':'HeteroLR','input':{'data':{" input   \
			 "}},'output':{'data':['data']}},"                     \
			 "'e':{'module':'Evaluation','input':{'data':"         \
			 "{'data':['x.data']}}}")
#define SEES(reader)                                                           \
	"{'r':{'module':'Reader','output':{'data':['data']}},"                 \
	"'q':{'module':'Reader','output':{'data':['data']}},"                  \
	"'e':{'module':'Evaluation','input':{'data':{'data':['" reader         \
	".data']}}}}"
	gives(VIA("'data':['r.data'],'train_data':['q.data']"), "r q e",
	    SEES("q"));
	gives(VIA("'data':['r.data'],'test_data':['q.data']"), "r q e",
	    SEES("q"));
	gives(VIA("'test_data':['r.data'],'eval_data':['q.data']"), "r q e",
	    SEES("q"));
	gives(VIA("'data':['q.data','r.data']"), "r q e", SEES("q"));
	/* validate_data alone leads nowhere. */
	gives(VIA("'validate_data':['q.data']"), "e",
	    "{'e':{'module':'Evaluation'}}");
}

static void
two_ways_to_one_output_are_one_reference(void **state)
{
	(void)state;
	gives(WRAP(READER "," SPLIT
			  ",'u':{'module':'Union','input':{'data':{'data':"
			  "['p.train_data','p.test_data','r.data']}},"
			  "'output':{'data':['data']}}"),
	    "r u",
	    "{" READS ",'u':{'module':'Union','input':{'data':{'data':"
	    "['r.data']}},'output':{'data':['data']}}}");
	gives(WRAP(TWO_READERS ",'u':{'module':'Union','input':{'data':{'data':"
			       "['q.data','r.data']}},"
			       "'output':{'data':['data']}}"),
	    "r q u",
	    "{" READS ",'q':{'module':'Reader','output':{'data':['data']}},"
	    "'u':{'module':'Union','input':{'data':{'data':"
	    "['q.data','r.data']}},'output':{'data':['data']}}}");
}

static void
models_of_training_go_and_caches_stay(void **state)
{
	(void)state;
	gives(WRAP(READER "," TRANSFORM "," JOIN
			  ",'j':{'module':'Intersection','input':{'data':"
			  "{'data':['t.data']},'cache':['i.cache']},"
			  "'output':{'data':['data']}},"
			  "'l':{'module':'HeteroLR','input':{'data':"
			  "{'train_data':['j.data']}},'output':{'data':"
			  "['data'],'model':['m']}},"
			  "'k':{'module':'HeteroLR','input':{'data':"
			  "{'train_data':['j.data']},'model':['l.m']},"
			  "'output':{'data':['data'],'model':['m']}}"),
	    "j k",
	    "{'j':{'module':'Intersection','input':{'cache':['i.cache']},"
	    "'output':{'data':['data']}},"
	    "'k':{'module':'HeteroLR','input':{'data':{'test_data':['j.data']},"
	    "'model':['pipeline.k.m']},'output':{'data':['data']}}}");
}

static void
what_is_skipped_leaves_no_reference(void **state)
{
	(void)state;
	/* A component without data output, one without data input. */
	gives(WRAP(READER ",'h':{'module':'HomoLR','output':{'data':['d']}},"
			  "'e':{'module':'Evaluation','input':{'data':"
			  "{'data':['h.d']}}}"),
	    "e", "{'e':{'module':'Evaluation'}}");
}

static void
names_and_documents_are_checked(void **state)
{
	(void)state;
	refuses(CHAIN, "t x_1", "there is no component \"x_1\"");
	refuses(CHAIN, "", "name at least one");
	refuses("{}", NULL, "/components: is missing");
	refuses(WRAP(READER ",'e':{'module':'Evaluation','input':{'data':"
			    "{'data':['x.data']}}}"),
	    NULL, "/components/e/input/data/data/0");
	refuses(WRAP("'e':{'module':'E','input':{'data':{'data':['e.d']}},"
		     "'output':{'data':['d']}}"),
	    NULL, "/components");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_are_read_from_the_deployed_version),
		cmocka_unit_test(without_a_reader_the_top_has_no_data),
		cmocka_unit_test(what_goes_is_replaced_by_what_it_consumed),
		cmocka_unit_test(one_data_input_stays_by_its_rank),
		cmocka_unit_test(
		    looking_upwards_takes_the_first_entry_by_another_rank),
		cmocka_unit_test(two_ways_to_one_output_are_one_reference),
		cmocka_unit_test(models_of_training_go_and_caches_stay),
		cmocka_unit_test(what_is_skipped_leaves_no_reference),
		cmocka_unit_test(names_and_documents_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
