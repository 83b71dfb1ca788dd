/*
 * lib/model/dsl: what a DSL may say, and the order that follows from it.
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
#include "lib/model/dsl.h"
#include "lib/provider/manifest.h"

#define MANIFEST_MAX 1000000

static struct providers *product;

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
	if (json_parse_file("executor/manifest.json", MANIFEST_MAX, &o) != 0 ||
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

#define WRAP(components) "{'components':{" components "}}"
#define READER "'r':{'module':'Reader','output':{'data':['data']}}"

/* All faults of a DSL as text; the caller's. */
static char *
faults_of(const char *text)
{
	struct json_object *o = parse(text);
	struct faults f = FAULTS_INIT;
	struct dsl *d;
	struct buf b = BUF_INIT;
	int r = dsl_parse(o, product, NULL, &f, &d);

	assert_int_equal(r, faults_any(&f) ? ERR_INVALID : 0);
	faults_text(&f, &b);
	faults_fini(&f);
	dsl_free(d);
	json_object_put(o);
	return buf_steal(&b);
}

static void
refuses(const char *text, const char *words)
{
	char *got = faults_of(text);

	if (strstr(got, words) == NULL || strchr(got, '\n') != NULL)
		fail_msg("%s:\nwanted %s\ngot %s", text, words, got);
	free(got);
}

static void
every_kind_of_fault_is_told_with_its_place(void **state)
{
	(void)state;
	refuses("[]", "document: must be an object");
	refuses("{}", "/components: is missing");
	refuses("{'components':{}}", "/components: must hold at least one");
	refuses("{'components':{" READER "},'componets':{}}",
	    "/componets: unknown name; did you mean \"components\"?");
	refuses(WRAP("'a b':{'module':'Reader'}"), "/components/a b: ");
	refuses(WRAP("'\u00e9':{'module':'Reader'}"), "a component's name");
	refuses(WRAP("'r':{}"), "/components/r/module: is missing");
	refuses(WRAP("'r':{'module':'Raeder'}"), "did you mean \"Reader\"?");
	refuses(WRAP("'r':{'module':'Reader','outptu':{}}"),
	    "/components/r/outptu: unknown name");
	refuses(WRAP("'r':{'module':'Reader','output':[]}"),
	    "/components/r/output: must be an object");
	refuses(WRAP("'r':{'module':'Reader','output':{'data':'data'}}"),
	    "/components/r/output/data: must be an array");
	refuses(WRAP("'r':{'module':'Reader','output':{'data':[]}}"),
	    "/components/r/output/data: names no output");
	refuses(WRAP("'r':{'module':'Reader','output':"
		     "{'data':['x','y','x']}}"),
	    "/components/r/output/data/2: ");
	refuses(WRAP("'r':{'module':'Reader','output':{'data':['a.b']}}"),
	    "/components/r/output/data/0: an output's name");
	refuses(WRAP("'r':{'module':'Reader','output':{'model':['m']}}"),
	    "/components/r/output/model: Reader has no output of this kind");
	refuses(WRAP("'r':{'module':'Reader','provider':'a@b@c'}"),
	    "must be NAME or NAME@VERSION");
}

#define TRANSFORM(input)                                                       \
	WRAP(READER ",'d':{'module':'DataTransform',"                          \
		    "'input':" input                                           \
		    ",'output':{'data':['data'],'model':['m']}}")

static void
references_must_lead_somewhere(void **state)
{
	(void)state;
	refuses(TRANSFORM("{'data':{'data':['x.data']}}"),
	    "/components/d/input/data/data/0: there is no component \"x\"");
	refuses(TRANSFORM("{'data':{'data':['r.date']}}"),
	    "r declares no data output of this name; it has \"data\"");
	refuses(TRANSFORM("{'data':{'data':['r']}}"), "two names");
	refuses(TRANSFORM("{'data':{'data':['r.']}}"), "two names");
	refuses(TRANSFORM("{'data':{'data':['.data']}}"), "two names");
	refuses(TRANSFORM("{'data':{'data':['r.x.data']}}"), "two names");
	refuses(TRANSFORM("{'data':{'data':[7]}}"), "two names");
	refuses(TRANSFORM("{'data':{'data':'r.data'}}"),
	    "must be a list of references");
	refuses(TRANSFORM("{'data':{'data':[]}}"), "not empty");
	refuses(TRANSFORM("{'data':['r.data']}"), "must be an object");
	refuses(TRANSFORM("{'data':{'train_data':['r.data']}}"),
	    "is no data key of DataTransform; it takes data");
	refuses(TRANSFORM("{'data':{'data':['r.data','r.data']}}"),
	    "listed already");
	refuses(TRANSFORM("{'model':['r.m']}"),
	    "r declares no model output of this name");
	refuses(TRANSFORM("{'model':['pipeline.d']}"), "three names");
	refuses(TRANSFORM("{'model':['pipeline..m']}"), "three names");
	refuses(TRANSFORM("{'model':['pipeline.d.m.n']}"), "three names");
	refuses(TRANSFORM("{'data':{'data':['pipeline.r.data']}}"),
	    "only models are kept between jobs");
	refuses(TRANSFORM("{'cache':['r.data']}"), "/input/cache: ");
	refuses(WRAP(READER ",'d':{'module':'DataTransform','output':"
			    "{'model':['m']}},'l':{'module':'HeteroLR','input':"
			    "{'model':['d.m']}}"),
	    "is a model of DataTransform, not of "
	    "HeteroLR");
}

static void
all_faults_are_told_in_one_go(void **state)
{
	char *got =
	    faults_of("{'componnets':1,'components':{"
		      "'a':{'module':'Nothing'},"
		      "'b c':{'module':'Reader'},"
		      "'d':{'module':'DataTransform','input':{'data':{'dtaa':"
		      "['a.x','q.y']}}},"
		      "'e':{'module':'Evaluation','input':{'data':{'data':"
		      "['f.x']}},'output':{'data':['x']}},"
		      "'f':{'module':'Evaluation','input':{'data':{'data':"
		      "['e.x']}},'output':{'data':['x']}}}}");
	size_t lines = 1;
	char *p;

	(void)state;
	for (p = got; *p != '\0'; p++)
		lines += *p == '\n';
	if (lines != 7)
		fail_msg("%zu faults:\n%s", lines, got);
	free(got);
}

static void
cycles_are_named_completely(void **state)
{
#define E(name, from)                                                          \
	"'" name "':{'module':'Evaluation','input':"                           \
	"{'data':{'data':['" from ".x']}},'output':{'data':['x']}}"
	char *got;

	(void)state;
	refuses(WRAP(E("a", "c") "," E("b", "a") "," E("c", "b")),
	    "/components/a/input: components wait for each other: "
	    "a → c → b → a ");
	refuses(WRAP(E("a", "a")), "a → a ");
	/* A tail that leads into a cycle is no part of it. */
	refuses(
	    WRAP(E("t", "u") "," E("u", "a") "," E("a", "b") "," E("b", "a")),
	    "a → b → a ");
	got = faults_of(
	    WRAP(E("a", "b") "," E("b", "a") "," E("c", "d") "," E("d", "c")));
	assert_non_null(strstr(got, "a → b → a"));
	assert_non_null(strstr(got, "c → d → c"));
	free(got);
#undef E
}

static void
order_follows_edges_and_then_the_document(void **state)
{
	struct json_object *o;
	struct faults f = FAULTS_INIT;
	struct dsl *d;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	o = parse(WRAP("'e':{'module':'evaluation','input':{'data':{'data':"
		       "['d2.data','d1.data','d2.data2']}}},"
		       "'d2':{'module':'DataTransform','input':{'data':{'data':"
		       "['r2.data']}},'output':{'data':['data','data2']}},"
		       "'r1':{'module':'Reader','output':{'data':['data']}},"
		       "'d1':{'module':'DataTransform','input':{'data':{'data':"
		       "['r1.data']}},'output':{'data':['data']}},"
		       "'r2':{'module':'Reader','output':{'data':['data']}}"));
	assert_int_equal(dsl_parse(o, product, NULL, &f, &d), 0);
	json_object_put(o); /* the DSL keeps what it needs */
	for (i = 0; i < d->n; i++) {
		buf_printf(&b, "%s ", d->components[d->order[i]].name);
		assert_int_equal(d->components[d->order[i]].seq, i);
	}
	assert_string_equal(buf_str(&b), "r1 d1 r2 d2 e ");
	assert_int_equal(d->components[0].n_refs, 3);
	assert_int_equal(d->components[0].n_ups, 2);
	assert_string_equal(d->components[0].refs[2].name, "data2");
	assert_string_equal(d->components[0].module, "Evaluation");
	assert_int_equal(dsl_find(d, "r2"), 4);
	assert_int_equal(dsl_find(d, "r3"), (size_t)-1);
	buf_fini(&b);
	dsl_free(d);
	faults_fini(&f);
}

static void
names_may_have_a_hundred_characters_and_no_more(void **state)
{
	char *text, *got;
	char name[102];
	size_t i;

	(void)state;
	for (i = 100; i <= 101; i++) {
		memset(name, 'x', i);
		name[i] = '\0';
		text = xasprintf(WRAP("'%s':{'module':'Reader'}"), name);
		got = faults_of(text);
		assert_int_equal(got[0] == '\0', i == 100);
		free(got);
		free(text);
	}
}

/* n components, each fed by the one before; closed: the first by the last. */
static char *
chain(size_t n, bool closed)
{
	struct buf b = BUF_INIT;
	size_t i;

	buf_puts(&b, "{'components':{");
	for (i = 0; i < n; i++) {
		buf_printf(&b, "%s'c%zu':{'module':'DataTransform',",
		    i > 0 ? "," : "", i);
		if (i > 0 || closed)
			buf_printf(&b,
			    "'input':{'data':{'data':"
			    "['c%zu.data']}},",
			    i > 0 ? i - 1 : n - 1);
		buf_puts(&b, "'output':{'data':['data']}}");
	}
	buf_puts(&b, "}}");
	return buf_steal(&b);
}

static void
ten_thousand_components_are_read(void **state)
{
	char *text, *got;
	int closed;

	(void)state;
	for (closed = 0; closed <= 1; closed++) {
		text = chain(10000, closed);
		got = faults_of(text);
		assert_int_equal(got[0] != '\0', closed);
		free(got);
		free(text);
	}
}

/* The worst of both: nothing found, every fault wants a hint. */
static void
ten_thousand_wrong_references_are_counted(void **state)
{
	struct buf b = BUF_INIT;
	char *got;
	int i;

	(void)state;
	buf_puts(&b, "{'components':{");
	for (i = 0; i < 10000; i++)
		buf_printf(&b,
		    "%s'component_%d':{'module':'DataTransform',"
		    "'input':{'data':{'data':['componnet_%d.data']}}}",
		    i > 0 ? "," : "", i, i);
	buf_puts(&b, "}}");
	got = faults_of(buf_str(&b));
	assert_non_null(strstr(got, "and 9800 more"));
	free(got);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_fault_is_told_with_its_place),
		cmocka_unit_test(references_must_lead_somewhere),
		cmocka_unit_test(all_faults_are_told_in_one_go),
		cmocka_unit_test(cycles_are_named_completely),
		cmocka_unit_test(order_follows_edges_and_then_the_document),
		cmocka_unit_test(
		    names_may_have_a_hundred_characters_and_no_more),
		cmocka_unit_test(ten_thousand_components_are_read),
		cmocka_unit_test(ten_thousand_wrong_references_are_counted),
	};

	return cmocka_run_group_tests(tests, load_product, free_product);
}
