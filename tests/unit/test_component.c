/*
 * What holds for every component, whatever it does: need_run, and models
 * that are handed on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/engine/storage.h"
#include "tests/lib/dense_table.h"
#include "tests/lib/loopback.h"

#define SCHEMA "{\"sid\":\"id\",\"header\":[\"x0\"]}"

static struct dense_row rows[] = {
	{ "a", 1, NULL, { 1 } },
	{ "b", 0, NULL, { 2 } },
	{ "c", 1, NULL, { 4 } },
};

static void
a_component_that_need_not_run_hands_its_table_on(void **state)
{
	struct loopback *lb = loopback_new("Intersection", "intersection_0");
	const char *parameters = "{\"need_run\":false}";
	struct member *guest = loopback_add(lb, "guest", "9999", parameters);
	struct member *host = loopback_add(lb, "host", "10000", parameters);
	struct json_object *sent;

	(void)state;
	dense_input(lb, guest, "data", "data_transform_0", rows, 3, 1, SCHEMA);
	dense_input(lb, host, "data", "data_transform_0", rows, 2, 1, SCHEMA);
	assert_int_equal(loopback_run(lb), 0);
	/* Each its own: nobody was asked for anything. */
	assert_int_equal(table_count(loopback_output(guest, 0)), 3);
	assert_int_equal(table_count(loopback_output(host, 0)), 2);
	assert_string_equal(
	    table_stat(loopback_output(guest, 0))->schema_json, SCHEMA);
	sent = loopback_sent(guest);
	assert_int_equal(json_object_object_length(sent), 0);
	json_object_put(sent);
	loopback_free(lb);
}

static void
an_arbiter_has_nothing_to_hand_on(void **state)
{
	struct loopback *lb = loopback_new("HeteroLR", "hetero_lr_0");
	struct member *arbiter =
	    loopback_add(lb, "arbiter", "10001", "{\"need_run\":false}");

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_null(loopback_output(arbiter, 0));
	loopback_free(lb);
}

/* A scaled table and the model of it; the run is the caller's. */
static struct loopback *
scaled(struct member **out)
{
	struct loopback *lb = loopback_new("FeatureScale", "feature_scale_0");

	*out = loopback_add(lb, "guest", "9999", "{}");
	dense_input(lb, *out, "data", "intersection_0", rows, 3, 1, SCHEMA);
	assert_int_equal(loopback_run(lb), 0);
	return lb;
}

static void
a_loaded_model_becomes_one_of_this_job(void **state)
{
	struct member *made, *loader;
	struct loopback *fit = scaled(&made), *lb;
	const struct task_buffer *a, *b;

	(void)state;
	lb = loopback_new("ModelLoader", "model_loader_0");
	loader = loopback_add(lb, "guest", "9999", "{}");
	loopback_model(loader, TASK_MODEL, made);
	assert_int_equal(loopback_run(lb), 0);
	a = loopback_model_buffer(made, "ScaleParam");
	b = loopback_model_buffer(loader, "ScaleParam");
	assert_non_null(b);
	assert_string_equal(a->message, b->message);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->content, b->content, a->size);
	loopback_free(lb);
	loopback_free(fit);
}

static void
a_loader_without_a_model_says_so_but_at_an_arbiter(void **state)
{
	struct loopback *lb = loopback_new("ModelLoader", "model_loader_0");
	struct member *m = loopback_add(lb, "arbiter", "10001", "{}");

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_null(loopback_model_buffer(m, "ScaleParam"));
	loopback_free(lb);
	lb = loopback_new("ModelLoader", "model_loader_0");
	m = loopback_add(lb, "host", "10000", "{}");
	assert_int_equal(loopback_run(lb), ERR_NOT_FOUND);
	assert_non_null(strstr(loopback_error(m), "no such model"));
	loopback_free(lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_component_that_need_not_run_hands_its_table_on),
		cmocka_unit_test(an_arbiter_has_nothing_to_hand_on),
		cmocka_unit_test(a_loaded_model_becomes_one_of_this_job),
		cmocka_unit_test(
		    a_loader_without_a_model_says_so_but_at_an_arbiter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
