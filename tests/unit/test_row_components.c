/*
 * Components that choose rows: the data splits, FederatedSample, Union, LabelTransform, against the samples that
 * NumPy and scikit-learn draw (tests/fixtures/samples_reference.py), and
 * lists of rows that no honest partner would send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/id_list.h"
#include "lib/base/err.h"
#include "lib/json/json.h"
#include "lib/base/mem.h"
#include "proto/model/label_transform.pb-c.h"
#include "tests/lib/dense_table.h"

#define ROWS 30
#define SCHEMA                                                                 \
	"{\"sid\":\"id\",\"header\":[\"x0\"],\"label_name\":\"y\","            \
	"\"anonymous_header\":[\"guest_9999_x0\"]}"

static char ids[ROWS][4];
static struct dense_row table[ROWS];  /* label i * i mod 3 */
static struct dense_row target[ROWS]; /* label i */
static struct dense_row mirror[ROWS]; /* the host's: no label, other order */

static int
make_tables(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		snprintf(ids[i], sizeof(ids[i]), "r%02zu", 7 * i % ROWS);
		table[i] = (struct dense_row){ .id = ids[i],
			.label = (double)(i * i % 3),
			.values = { (double)i } };
		target[i] = table[i];
		target[i].label = (double)i;
		mirror[ROWS - 1 - i] = (struct dense_row){ .id = ids[i],
			.label = NAN,
			.values = { 100 + (double)i } };
	}
	return 0;
}

static struct member *
add(struct loopback *lb, const char *role, const char *party,
    const char *parameters, const struct dense_row *rows, size_t n)
{
	struct member *m = loopback_add(lb, role, party, parameters);

	dense_input(lb, m, "data", "intersection_0", rows, n, 1, SCHEMA);
	return m;
}

static void
says(const struct member *m, const char *part)
{
	if (strstr(loopback_error(m), part) == NULL)
		fail_msg(
		    "\"%s\" does not contain \"%s\"", loopback_error(m), part);
}

static void
ids_are(const struct member *m, size_t output, const char *want)
{
	char *got = dense_ids(m, output);

	assert_string_equal(got, want);
	free(got);
}

static const char *
json(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
}

/* One member alone; module as in the DSL. */
static struct loopback *
alone(const char *module, const char *parameters, const struct dense_row *rows,
    struct member **m)
{
	struct loopback *lb = loopback_new(module, "component_0");

	*m = add(lb, "guest", "9999", parameters, rows, ROWS);
	return lb;
}

static void
refused(const char *module, const char *parameters, const char *part)
{
	struct member *m;
	struct loopback *lb = alone(module, parameters, table, &m);

	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(m, part);
	loopback_free(lb);
}

/* --- the splits --------------------------------------------------------------------- */

static void
a_split_draws_what_scikit_learn_draws(void **state)
{
	struct member *m;
	struct loopback *lb = alone("HomoDataSplit",
	    "{\"random_state\":42,\"stratified\":false,\"shuffle\":true}",
	    table, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0,
	    "r00 r07 r14 r21 r28 r05 r12 r19 r26 r03 r10 r24 r01 r22 r29 "
	    "r06 r13 r20 r04 r11 r18 r25 r02 r16");
	ids_are(m, 1, "r17 r08 r15 r27 r09 r23");
	ids_are(m, 2, "");
	assert_string_equal(json(loopback_summary(m)),
	    "{\"data_split_count_info\":{\"original\":30,\"train\":24,"
	    "\"validate\":6,\"test\":0},\"data_split_ratio_info\":{"
	    "\"train\":0.8,\"validate\":0.2,\"test\":0.0},"
	    "\"stratified\":false}");
	assert_string_equal(json(loopback_metric(m, "train", "data_split")),
	    "[[\"data_split\",0.0]]");
	assert_string_equal(
	    json_get_str(
		loopback_meta(m, "train", "data_split"), "metric_type", ""),
	    "DATA_SPLIT");
	loopback_free(lb);

	lb = alone("HomoDataSplit",
	    "{\"random_state\":7,\"train_size\":15,\"validate_size\":9,"
	    "\"test_size\":6}",
	    table, &m);
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0,
	    "r07 r14 r21 r19 r26 r03 r10 r08 r15 r22 r06 r20 r04 r25 r23");
	ids_are(m, 1, "r00 r28 r17 r24 r29 r13 r11 r18 r09");
	ids_are(m, 2, "r05 r12 r01 r27 r02 r16");
	loopback_free(lb);
}

static void
a_stratified_split_keeps_the_shares_of_labels(void **state)
{
	struct member *m;
	struct loopback *lb = alone("HomoDataSplit",
	    "{\"random_state\":7,\"train_size\":0.5,\"validate_size\":0.3,"
	    "\"test_size\":0.2,\"stratified\":true}",
	    table, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0,
	    "r00 r14 r28 r05 r26 r03 r17 r24 r08 r15 r29 r06 r04 r02 r23");
	ids_are(m, 1, "r07 r21 r12 r19 r10 r01 r22 r25 r09");
	ids_are(m, 2, "r13 r20 r27 r11 r18 r16");
	assert_string_equal(
	    json(json_get(loopback_meta(m, "train", "data_split"),
		"data_split_label_info")),
	    "{\"original\":{\"0\":10,\"1\":20},\"train\":{\"0\":5,\"1\":10},"
	    "\"validate\":{\"0\":3,\"1\":6},\"test\":{\"0\":2,\"1\":4},"
	    "\"label_names\":[\"0\",\"1\"],\"continuous_label\":false}");
	loopback_free(lb);
}

static void
split_points_make_classes_of_numbers(void **state)
{
	struct member *m;
	struct loopback *lb = alone("HomoDataSplit",
	    "{\"random_state\":3,\"train_size\":15,\"validate_size\":9,"
	    "\"test_size\":6,\"stratified\":true,\"split_points\":[19,9]}",
	    target, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0,
	    "r14 r28 r05 r12 r03 r10 r24 r08 r29 r06 r27 r11 r18 r25 r02");
	ids_are(m, 1, "r00 r19 r26 r01 r15 r22 r04 r16 r23");
	ids_are(m, 2, "r07 r21 r17 r13 r20 r09");
	assert_string_equal(
	    json(json_get(loopback_summary(m), "data_split_label_info")),
	    "{\"original\":{\"0\":10,\"1\":10,\"2\":10},\"train\":{\"0\":5,"
	    "\"1\":5,\"2\":5},\"validate\":{\"0\":3,\"1\":3,\"2\":3},"
	    "\"test\":{\"0\":2,\"1\":2,\"2\":2},\"split_points\":[9.0,19.0],"
	    "\"continuous_label\":true}");
	loopback_free(lb);
}

static void
without_shuffle_the_parts_follow_the_ids(void **state)
{
	struct member *m;
	struct loopback *lb = alone("HomoDataSplit",
	    "{\"shuffle\":false,\"train_size\":28}", table, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 2, "r28 r29");
	loopback_free(lb);
}

static void
sizes_that_were_not_given_are_the_rest(void **state)
{
	static const struct {
		const char *sizes;
		const char *counts;
	} cases[] = {
		{ "\"train_size\":0.7",
		    "\"train\":21,\"validate\":0,\"test\":9" },
		{ "\"test_size\":0.3",
		    "\"train\":21,\"validate\":0,\"test\":9" },
		{ "\"validate_size\":0.1",
		    "\"train\":27,\"validate\":3,\"test\":0" },
		{ "\"train_size\":0.5,\"test_size\":0.25",
		    "\"train\":15,\"validate\":7,\"test\":8" },
		{ "\"train_size\":0.5,\"validate_size\":0.5",
		    "\"train\":15,\"validate\":15,\"test\":0" },
		{ "\"train_size\":1.0",
		    "\"train\":30,\"validate\":0,\"test\":0" },
		{ "\"train_size\":20,\"validate_size\":10,\"test_size\":0",
		    "\"train\":20,\"validate\":10,\"test\":0" },
	};
	struct loopback *lb;
	struct member *m;
	char text[160];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "{%s}", cases[i].sizes);
		lb = alone("HomoDataSplit", text, table, &m);
		assert_int_equal(loopback_run(lb), 0);
		snprintf(text, sizeof(text), "{\"original\":30,%s}",
		    cases[i].counts);
		assert_string_equal(json(json_get(loopback_summary(m),
					"data_split_count_info")),
		    text);
		loopback_free(lb);
	}
}

static void
wrong_sizes_are_refused_with_the_sum_they_need(void **state)
{
	(void)state;
	refused("HomoDataSplit",
	    "{\"train_size\":0.7,\"validate_size\":0.2,\"test_size\":0.2}",
	    "must add up to 1");
	refused("HomoDataSplit",
	    "{\"train_size\":20,\"validate_size\":5,\"test_size\":4}",
	    "must add up to 30, the number of rows");
	refused("HomoDataSplit", "{\"train_size\":0.7,\"test_size\":9}",
	    "test_size is 9 rows where others are fractions");
	refused("HomoDataSplit", "{\"train_size\":31}",
	    "train_size is 31, must be between 0 and 30");
	refused("HomoDataSplit", "{\"train_size\":1.5}", "between 0 and 1");
	refused("HomoDataSplit", "{\"train_size\":0.01}",
	    "train_size 0.01 of 30 rows is not even one row");
	refused("HomoDataSplit", "{\"stratified\":true,\"shuffle\":false}",
	    "stratified needs shuffle");
	refused("HomoDataSplit", "{\"stratified\":true,\"train_size\":29}",
	    "cannot hold all 2 labels");
}

static void
a_stratified_split_needs_labels_and_two_rows_of_each(void **state)
{
	struct member *m;
	struct loopback *lb =
	    alone("HomoDataSplit", "{\"stratified\":true}", mirror, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(m, "row 1 has no label");
	loopback_free(lb);
	lb = alone("HomoDataSplit", "{\"stratified\":true}", target, &m);
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(m, "needs at least two of each");
	loopback_free(lb);
}

/* Are these bytes somewhere in what the member sent? */
static void
never_sent(const struct member *m, const char *bytes)
{
	struct json_object *sent = loopback_sent(m);

	assert_null(strstr(json(sent), bytes));
	json_object_put(sent);
}

static void
hosts_follow_the_guest_without_seeing_labels_or_ids(void **state)
{
	struct loopback *lb = loopback_new("HeteroDataSplit", "split_0");
	struct member *guest, *host, *host2;
	struct json_object *sent;
	const char *params = "{\"random_state\":7,\"train_size\":15,"
			     "\"validate_size\":9,\"test_size\":6,"
			     "\"stratified\":true}";

	(void)state;
	guest = add(lb, "guest", "9999", params, table, ROWS);
	host = add(lb, "host", "10000", params, mirror, ROWS);
	host2 = add(lb, "host", "10001", params, mirror, ROWS);
	assert_int_equal(loopback_run(lb), 0);
	ids_are(guest, 0,
	    "r00 r14 r28 r05 r26 r03 r17 r24 r08 r15 r29 r06 r04 r02 r23");
	/* In the guest's order, whatever the own one was. */
	ids_are(host, 0,
	    "r00 r14 r28 r05 r26 r03 r17 r24 r08 r15 r29 r06 r04 r02 r23");
	ids_are(host, 1, "r07 r21 r12 r19 r10 r01 r22 r25 r09");
	ids_are(host2, 2, "r13 r20 r27 r11 r18 r16");
	assert_true(dense_output(host, 0, "r14", 0) == 102);
	assert_string_equal(json(loopback_summary(host)),
	    "{\"data_split_count_info\":{\"original\":30,\"train\":15,"
	    "\"validate\":9,\"test\":6},\"data_split_ratio_info\":{"
	    "\"train\":0.5,\"validate\":0.3,\"test\":0.2},"
	    "\"stratified\":true}");
	sent = loopback_sent(guest);
	assert_non_null(json_get(sent, "id_train/0"));
	assert_int_equal(json_object_object_length(sent), 3);
	json_object_put(sent);
	never_sent(guest, "r00");
	sent = loopback_sent(host);
	assert_int_equal(json_object_object_length(sent), 0);
	json_object_put(sent);
	loopback_free(lb);
}

static void
a_host_that_lacks_rows_says_so(void **state)
{
	struct loopback *lb = loopback_new("HeteroDataSplit", "split_0");
	struct member *host;

	(void)state;
	(void)add(lb, "guest", "9999", "{\"random_state\":1}", table, ROWS);
	host = add(lb, "host", "10000", "{}", mirror, 3);
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	says(host, "rows are not among our 3; run Intersection first");
	loopback_free(lb);
}

static void
without_need_run_everything_is_for_training(void **state)
{
	struct member *m;
	struct loopback *lb =
	    alone("HeteroDataSplit", "{\"need_run\":false}", table, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(table_count(loopback_output(m, 0)), ROWS);
	assert_int_equal(table_count(loopback_output(m, 1)), 0);
	assert_int_equal(table_count(loopback_output(m, 2)), 0);
	loopback_free(lb);
}

/* --- Union ----------------------------------------------------------------------------- */

static const struct dense_row one[] = { { "a", 1, NULL, { 1, 2 } },
	{ "b", 0, NULL, { 3, 4 } } };
static const struct dense_row two[] = { { "b", 1, NULL, { 5, 6 } },
	{ "c", 1, NULL, { 7, NAN } } };

#define ONE "{\"sid\":\"id\",\"label_name\":\"y\",\"header\":[\"x0\",\"x1\"]}"

static struct loopback *
unite(const char *parameters, const char *schema_two, size_t n_two,
    struct member **m)
{
	struct loopback *lb = loopback_new("Union", "union_0");

	*m = loopback_add(lb, "guest", "9999", parameters);
	dense_input(lb, *m, "data", "split_0", one, 2, 2, ONE);
	dense_input(lb, *m, "data", "split_0", two, 0, 2, "{}");
	dense_input(lb, *m, "data", "scale_0", two, n_two, 2, schema_two);
	return lb;
}

static void
a_union_keeps_the_first_row_of_an_id(void **state)
{
	struct member *m;
	struct loopback *lb = unite("{}", ONE, 2, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0, "a b c");
	assert_true(dense_output(m, 0, "b", 0) == 3);
	assert_true(isnan(dense_output(m, 0, "c", 1)));
	assert_string_equal(
	    table_stat(loopback_output(m, 0))->schema_json, ONE);
	assert_string_equal(json(loopback_metric(m, "train", "union")),
	    "[[\"split_0.data.0\",2.0],[\"split_0.data.1\",0.0],"
	    "[\"scale_0.data\",2.0],[\"Total\",3.0]]");
	assert_string_equal(json(loopback_meta(m, "train", "union")),
	    "{\"name\":\"union\",\"metric_type\":\"UNION\"}");
	assert_string_equal(json(loopback_summary(m)),
	    "{\"split_0.data.0\":2,\"split_0.data.1\":0,"
	    "\"scale_0.data\":2,\"Total\":3}");
	loopback_free(lb);
}

static void
keep_duplicate_gives_every_row_its_own_id(void **state)
{
	struct member *m;
	struct loopback *lb = unite("{\"keep_duplicate\":true}", ONE, 2, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0,
	    "a_split_0.data.0 b_split_0.data.0 b_scale_0.data "
	    "c_scale_0.data");
	loopback_free(lb);
}

static void
allow_missing_takes_the_columns_of_all_tables(void **state)
{
	struct member *m;
	struct loopback *lb = unite("{\"allow_missing\":true}",
	    "{\"sid\":\"id\",\"label_name\":\"y\",\"header\":[\"x2\",\"x0\"]}",
	    2, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_string_equal(table_stat(loopback_output(m, 0))->schema_json,
	    "{\"sid\":\"id\",\"label_name\":\"y\","
	    "\"header\":[\"x0\",\"x1\",\"x2\"]}");
	assert_true(isnan(dense_output(m, 0, "a", 2)));
	assert_true(isnan(dense_output(m, 0, "c", 0)));
	assert_true(isnan(dense_output(m, 0, "c", 1)));
	assert_true(dense_output(m, 0, "c", 2) == 7);
	loopback_free(lb);
}

static void
tables_that_do_not_fit_are_refused_with_both_names(void **state)
{
	static const struct {
		const char *schema;
		const char *part;
	} cases[] = {
		{ "{\"sid\":\"key\",\"label_name\":\"y\",\"header\":[\"x0\","
		  "\"x1\"]}",
		    "the id column of split_0.data.0 is \"id\", that of "
		    "scale_0.data is \"key\"" },
		{ "{\"sid\":\"id\",\"header\":[\"x0\",\"x1\"]}",
		    "the label of split_0.data.0 is \"y\"" },
		{ "{\"sid\":\"id\",\"label_name\":\"y\",\"header\":[\"x0\","
		  "\"z\"]}",
		    "column 1 of split_0.data.0 is x1, that of scale_0.data "
		    "is z" },
		{ "{\"sid\":\"id\",\"label_name\":\"y\",\"header\":[\"x0\"]}",
		    "has 2 columns, scale_0.data has 1" },
	};
	struct loopback *lb;
	struct member *m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lb = unite("{}", cases[i].schema, 2, &m);
		assert_int_equal(loopback_run(lb), ERR_INVALID);
		says(m, cases[i].part);
		loopback_free(lb);
	}
	lb = loopback_new("Union", "union_0");
	m = add(lb, "host", "10000", "{}", table, ROWS);
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(m, "at least two tables");
	loopback_free(lb);
}

/* --- LabelTransform --------------------------------------------------------------------- */

static const struct dense_row named[] = {
	{ "a", NAN, "yes", { 1 } },
	{ "b", NAN, "no", { 2 } },
	{ "c", NAN, "maybe", { 3 } },
	{ "d", NAN, "yes", { 4 } },
};
static const struct dense_row numbered[] = {
	{ "a", -1, NULL, { 1 } },
	{ "b", 2, NULL, { 2 } },
	{ "c", 10, NULL, { 3 } },
	{ "d", 2, NULL, { 4 } },
};

static struct loopback *
relabel(const char *parameters, const struct dense_row *rows,
    const struct member *model, struct member **m)
{
	struct loopback *lb =
	    loopback_new("LabelTransform", "label_transform_0");

	*m = add(lb, "guest", "9999", parameters, rows, 4);
	if (model != NULL)
		loopback_model(*m, TASK_MODEL, model);
	return lb;
}

static void
labels_are(const struct member *m, const char *want)
{
	struct json_object *rows = loopback_preview(m, 0);
	struct json_object *labels = json_object_new_array();
	size_t i;

	assert_non_null(rows);
	for (i = 0; i < json_object_array_length(rows); i++)
		json_object_array_add(
		    labels, json_object_get(json_object_array_get_idx(
				json_object_array_get_idx(rows, i), 1)));
	assert_string_equal(json(labels), want);
	json_object_put(labels);
}

static void
labels_are_numbered_in_ascending_order(void **state)
{
	struct member *m;
	struct loopback *lb = relabel("{}", named, NULL, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	labels_are(m, "[2,1,0,2]");
	assert_string_equal(json(loopback_meta(m, "train", "label_transform")),
	    "{\"label_encoder\":{\"maybe\":0,\"no\":1,\"yes\":2},"
	    "\"name\":\"label_transform\","
	    "\"metric_type\":\"LABEL_TRANSFORM\"}");
	assert_string_equal(
	    json(loopback_metric(m, "train", "label_transform")),
	    "[[\"label_transform\",0.0]]");
	loopback_free(lb);
	/* By number, not by letter: 10 comes after 2. */
	lb = relabel("{}", numbered, NULL, &m);
	assert_int_equal(loopback_run(lb), 0);
	labels_are(m, "[0,1,2,1]");
	loopback_free(lb);
}

static void
an_encoder_renames_what_it_knows(void **state)
{
	struct member *m;
	struct loopback *lb = relabel(
	    "{\"label_encoder\":{\"-1\":0,\"2\":\"two\"}}", numbered, NULL, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	labels_are(m, "[0,\"two\",10,\"two\"]");
	loopback_free(lb);
	/* With label_list, 2 is a text, which no row of this table has. */
	lb = relabel("{\"label_encoder\":{\"-1\":0,\"2\":5},"
		     "\"label_list\":[-1,\"2\"]}",
	    numbered, NULL, &m);
	assert_int_equal(loopback_run(lb), 0);
	labels_are(m, "[0,2,10,2]");
	loopback_free(lb);
	lb = relabel("{\"label_encoder\":{\"-1\":0},\"label_list\":[2]}",
	    numbered, NULL, &m);
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(m, "label_encoder has -1, label_list does not");
	loopback_free(lb);
	lb = relabel("{\"label_encoder\":{\"2\":[]}}", numbered, NULL, &m);
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(m, "labels are numbers or texts");
	loopback_free(lb);
}

static void
a_label_model_keeps_types_and_is_applied_to_other_rows(void **state)
{
	static const struct dense_row other[] = {
		{ "p", NAN, "no", { 1 } },
		{ "q", NAN, "never", { 2 } },
		{ "r", NAN, NULL, { 2 } },
		{ "s", NAN, "yes", { 2 } },
	};
	struct member *fitted, *m;
	struct loopback *fit = relabel("{}", named, NULL, &fitted);
	const struct task_buffer *b;
	struct loopback *lb;
	Sluice__Model__LabelTransformParam *p;

	(void)state;
	assert_int_equal(loopback_run(fit), 0);
	b = loopback_model_buffer(fitted, "LabelTransformParam");
	assert_non_null(b);
	p = sluice__model__label_transform_param__unpack(
	    NULL, b->size, b->content);
	assert_non_null(p);
	assert_int_equal(p->n_label_encoder, 3);
	assert_string_equal(p->label_encoder[0]->key, "maybe");
	assert_string_equal(p->label_encoder[0]->value, "0");
	assert_string_equal(p->encoder_key_type[0]->value, "str");
	assert_string_equal(p->encoder_value_type[0]->value, "int");
	sluice__model__label_transform_param__free_unpacked(p, NULL);
	lb = relabel("{}", other, fitted, &m);
	assert_int_equal(loopback_run(lb), 0);
	/* Row r has none: its first cell is its value. */
	labels_are(m, "[1,\"never\",2.0,2]");
	/* The model is handed on. */
	assert_non_null(loopback_model_buffer(m, "LabelTransformParam"));
	loopback_free(lb);
	loopback_free(fit);
}

static char *
predictions(struct loopback *lb)
{
	static const char detail[] = "{\"0\": 0.25, \"1\": 0.75}";
	char *path = xasprintf("%s/predictions", loopback_folder(lb));
	struct row row = { .kind = ROW_PREDICT,
		.flags = ROW_LABEL,
		.id = { "a", 1 },
		.label = 0,
		.result = 1,
		.score = 0.75,
		.detail = { detail, sizeof(detail) - 1 },
		.type = { "predict", 7 } };
	struct table_writer *w;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	assert_int_equal(table_append(w, &row), 0);
	assert_int_equal(table_seal(w,
			     "{\"sid\":\"id\",\"content_type\":"
			     "\"predict_result\",\"header\":[\"label\","
			     "\"predict_result\",\"predict_score\","
			     "\"predict_detail\",\"type\"]}",
			     1),
	    0);
	return path;
}

static int
map_back(const struct dense_row *rows, const char *parameters,
    struct loopback **lb, struct member **m)
{
	struct member *fitted;
	struct loopback *fit = relabel(parameters, rows, NULL, &fitted);
	char *path;
	int r;

	assert_int_equal(loopback_run(fit), 0);
	*lb = loopback_new("LabelTransform", "label_transform_1");
	*m = loopback_add(*lb, "guest", "9999", "{}");
	path = predictions(*lb);
	loopback_input(*m, "data", "hetero_lr_0", path);
	loopback_model(*m, TASK_MODEL, fitted);
	r = loopback_run(*lb);
	free(path);
	loopback_free(fit);
	return r;
}

static void
predictions_get_their_old_labels_back(void **state)
{
	struct loopback *lb;
	struct member *m;

	(void)state;
	assert_int_equal(map_back(numbered, "{}", &lb, &m), 0);
	assert_string_equal(json(loopback_preview(m, 0)),
	    "[[\"a\",-1,2,0.75,\"{\\\"-1\\\":0.25,\\\"2\\\":0.75}\","
	    "\"predict\"]]");
	loopback_free(lb);
	assert_int_equal(map_back(numbered,
			     "{\"label_encoder\":{\"-1\":0,\"2\":0}}", &lb, &m),
	    ERR_INVALID);
	says(m, "labels -1 and 2 both became 0");
	loopback_free(lb);
	assert_int_equal(map_back(named, "{}", &lb, &m), ERR_UNSUPPORTED);
	says(m, "would become the text");
	loopback_free(lb);
}

static void
hosts_without_labels_hand_their_table_on(void **state)
{
	struct loopback *lb =
	    loopback_new("LabelTransform", "label_transform_0");
	struct member *host = loopback_add(lb, "host", "10000", "{}"), *guest;

	(void)state;
	dense_input(lb, host, "data", "intersection_0", mirror, ROWS, 1,
	    "{\"sid\":\"id\",\"header\":[\"x0\"]}");
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(table_count(loopback_output(host, 0)), ROWS);
	loopback_free(lb);
	lb = loopback_new("LabelTransform", "label_transform_0");
	guest = loopback_add(lb, "guest", "9999", "{}");
	dense_input(lb, guest, "data", "intersection_0", mirror, ROWS, 1,
	    "{\"sid\":\"id\",\"header\":[\"x0\"]}");
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	says(guest, "row 1 has no label");
	loopback_free(lb);
}

/* --- FederatedSample --------------------------------------------------------------------- */

/* The values of output 0 as row numbers of the table: "r21 r08 …". */
static void
sampled(const struct member *m, const char *want)
{
	struct table *t = loopback_output(m, 0);
	struct buf got = BUF_INIT;
	struct table_cursor *c;
	char number[24];
	struct row row;

	assert_non_null(t);
	assert_int_equal(table_scan(t, 0, UINT64_MAX, &c), 0);
	while (cursor_next(c, &row) == 1) {
		snprintf(number, sizeof(number), "%d", (int)row.number);
		assert_int_equal(row.id.len, strlen(number));
		assert_memory_equal(row.id.data, number, row.id.len);
		buf_printf(&got, "%s%s", got.len > 0 ? " " : "",
		    ids[(size_t)row.values[0] % 100]);
	}
	cursor_free(c);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

#define UP                                                                     \
	"r21 r08 r15 r23 r12 r04 r22 r03 r26 r28 r19 r09 r22 r22 r19 r24 "     \
	"r15 r29 r27 r19 r22 r09 r24 r01 r17 r07 r15 r20 r04 r23 r06 r25 "     \
	"r03 r10 r03 r03 r07 r06 r19 r22 r08 r05 r02 r00 r22"
#define DOWN "r00 r14 r10 r17 r01 r06 r27 r11 r25 r02 r16 r23"

static void
a_random_sample_is_the_one_that_numpy_draws(void **state)
{
	struct member *m;
	struct loopback *lb = alone("FederatedSample",
	    "{\"fractions\":0.4,\"random_state\":5}", table, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0, DOWN);
	assert_string_equal(json(loopback_metric(m, "sample_count", "random")),
	    "[[\"count\",12.0]]");
	assert_string_equal(json(loopback_meta(m, "sample_count", "random")),
	    "{\"name\":\"random\",\"metric_type\":\"SAMPLE_TEXT\"}");
	assert_string_equal(json(loopback_summary(m)), "{\"sample_count\":12}");
	loopback_free(lb);
	lb = alone("FederatedSample",
	    "{\"fractions\":1.5,\"random_state\":5,\"method\":\"upsample\"}",
	    table, &m);
	assert_int_equal(loopback_run(lb), 0);
	sampled(m, UP);
	loopback_free(lb);
}

static void
a_stratified_sample_has_a_rate_for_each_label(void **state)
{
	struct member *m;
	struct loopback *lb = alone("FederatedSample",
	    "{\"fractions\":[[0,0.5],[1,0.1]],\"mode\":\"stratified\","
	    "\"random_state\":5}",
	    table, &m);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	ids_are(m, 0, "r28 r12 r26 r24 r15 r27 r09");
	assert_string_equal(
	    json(loopback_metric(m, "sample_count", "stratified")),
	    "[[\"0\",5.0],[\"1\",2.0]]");
	assert_string_equal(
	    json(loopback_metric(m, "original_count", "stratified")),
	    "[[\"0\",10.0],[\"1\",20.0]]");
	assert_string_equal(
	    json(loopback_meta(m, "original_count", "stratified")),
	    "{\"name\":\"stratified\",\"metric_type\":\"SAMPLE_TABLE\"}");
	assert_string_equal(json(loopback_summary(m)),
	    "{\"sample_count\":{\"0\":5,\"1\":2},"
	    "\"original_count\":{\"0\":10,\"1\":20}}");
	loopback_free(lb);
	lb = alone("FederatedSample",
	    "{\"fractions\":[[0,1.5],[1,3]],\"mode\":\"stratified\","
	    "\"method\":\"upsample\",\"random_state\":5}",
	    table, &m);
	assert_int_equal(loopback_run(lb), 0);
	sampled(m,
	    "r03 r06 r06 r00 r09 r18 r24 r27 r00 r00 r27 r21 r15 r27 r00 "
	    "r05 r04 r11 r10 r25 r08 r01 r19 r17 r25 r25 r17 r13 r11 r02 "
	    "r17 r25 r13 r20 r29 r14 r11 r16 r08 r22 r08 r08 r14 r16 r17 "
	    "r25 r04 r26 r07 r25 r19 r04 r19 r08 r23 r28 r19 r10 r08 r23 "
	    "r23 r16 r02 r17 r19 r13 r20 r29 r29 r05 r14 r05 r04 r14 r17");
	loopback_free(lb);
}

static void
hosts_take_the_same_sample_as_the_guest(void **state)
{
	const char *params = "{\"fractions\":1.5,\"random_state\":5,"
			     "\"method\":\"upsample\"}";
	struct loopback *lb = loopback_new("FederatedSample", "sample_0");
	struct member *guest = add(lb, "guest", "9999", params, table, ROWS);
	struct member *host = add(lb, "host", "10000", params, mirror, ROWS);
	struct json_object *sent;

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	sampled(guest, UP);
	sampled(host, UP);
	sent = loopback_sent(guest);
	assert_int_equal(json_object_object_length(sent), 1);
	assert_non_null(json_get(sent, "sample_ids/0"));
	json_object_put(sent);
	never_sent(guest, "r21");
	loopback_free(lb);
	/* Alone in a homogeneous federation: nothing crosses. */
	lb = loopback_new("FederatedSample", "sample_0");
	params = "{\"fractions\":0.4,\"random_state\":5,"
		 "\"task_type\":\"homo\"}";
	guest = add(lb, "guest", "9999", params, table, ROWS);
	host = add(lb, "host", "10000", params, table, ROWS);
	assert_int_equal(loopback_run(lb), 0);
	ids_are(guest, 0, DOWN);
	ids_are(host, 0, DOWN);
	sent = loopback_sent(guest);
	assert_int_equal(json_object_object_length(sent), 0);
	json_object_put(sent);
	loopback_free(lb);
}

static void
a_host_refuses_more_rows_than_were_agreed(void **state)
{
	struct loopback *lb = loopback_new("FederatedSample", "sample_0");
	struct member *host;

	(void)state;
	(void)add(lb, "guest", "9999",
	    "{\"fractions\":50,\"method\":\"upsample\"}", table, ROWS);
	host = add(lb, "host", "10000",
	    "{\"fractions\":2,\"method\":\"upsample\"}", mirror, ROWS);
	assert_int_equal(loopback_run(lb), ERR_LIMIT);
	says(host, "1500 rows, but fractions allow 60 at most");
	loopback_free(lb);
	lb = loopback_new("FederatedSample", "sample_0");
	(void)add(lb, "guest", "9999",
	    "{\"fractions\":2,\"method\":\"upsample\"}", table, ROWS);
	host = add(lb, "host", "10000", "{\"fractions\":1}", mirror, ROWS);
	assert_int_equal(loopback_run(lb), ERR_FORMAT);
	says(host, "a row stands in two lists, or twice in one");
	loopback_free(lb);
}

static void
wrong_fractions_are_refused(void **state)
{
	(void)state;
	refused("FederatedSample", "{}", "mode random needs a number");
	refused("FederatedSample", "{\"fractions\":1.5}",
	    "fractions is 1.5, must be between 0 and 1");
	refused("FederatedSample", "{\"fractions\":0,\"method\":\"upsample\"}",
	    "above 0");
	refused("FederatedSample",
	    "{\"fractions\":0.5,\"mode\":\"stratified\"}",
	    "needs a list of a rate for each label");
	refused("FederatedSample",
	    "{\"fractions\":[[0,0.5]],\"mode\":\"stratified\"}",
	    "fractions has no rate for label 1");
	refused("FederatedSample",
	    "{\"fractions\":[[0,0.5],[0,1]],\"mode\":\"stratified\"}",
	    "label 0 twice");
	refused("FederatedSample",
	    "{\"fractions\":[[0,0.5],[1,2]],\"mode\":\"stratified\"}",
	    "fractions of label 1 is 2, must be between 0 and 1");
	refused("FederatedSample",
	    "{\"fractions\":[[0]],\"mode\":\"stratified\"}", "must be pairs");
}

/* --- hostile lists --------------------------------------------------------------------- */

static void
add_ids(
    struct row_ids *r, const char *first, const char *second, const char *third)
{
	const char *const all[3] = { first, second, third };
	size_t i;

	for (i = 0; i < 3; i++) {
		struct row row = { .id = { all[i], strlen(all[i]) } };

		assert_int_equal(row_ids_add(r, &row), 0);
	}
}

static void
lists_must_have_their_size_and_known_rows(void **state)
{
	static const uint32_t order[3] = { 2, 0, 1 };
	struct row_ids ours = { 0 }, others = { 0 };
	unsigned char *m, *grown;
	uint32_t *rows;
	size_t size, n, i;

	(void)state;
	add_ids(&ours, "a", "b", "c");
	add_ids(&others, "a", "b", "x");
	assert_int_equal(
	    id_list_encode(&ours, order, 3, (void **)&m, &size), 0);
	assert_int_equal(id_list_decode(m, size, &ours, NULL, &rows, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(rows, order, sizeof(order));
	free(rows);
	assert_int_equal(
	    id_list_decode(m, size, &others, NULL, &rows, &n), ERR_CONFLICT);
	assert_null(rows);
	for (i = 0; i < size; i++)
		assert_int_equal(
		    id_list_decode(m, i, &ours, NULL, &rows, &n), ERR_FORMAT);
	/* More bytes than it says, more rows than it has, other versions. */
	grown = calloc(1, size + 1);
	assert_non_null(grown);
	memcpy(grown, m, size);
	assert_int_equal(
	    id_list_decode(grown, size + 1, &ours, NULL, &rows, &n),
	    ERR_FORMAT);
	for (i = 0; i < ID_LIST_HEADER; i++) {
		memcpy(grown, m, size);
		grown[i] ^= 0xff;
		assert_int_equal(
		    id_list_decode(grown, size, &ours, NULL, &rows, &n),
		    ERR_FORMAT);
		assert_null(rows);
	}
	/* A digest or a key of another id finds no row. */
	memcpy(grown, m, size);
	grown[size - 1] ^= 1;
	assert_int_equal(
	    id_list_decode(grown, size, &ours, NULL, &rows, &n), ERR_CONFLICT);
	free(grown);
	free(m);
	row_ids_fini(&ours);
	row_ids_fini(&others);
}

static void
a_row_must_not_be_in_two_parts(void **state)
{
	static const uint32_t twice[2] = { 1, 1 }, other[2] = { 0, 2 };
	struct row_ids ours = { 0 };
	bool taken[3] = { false };
	void *m;
	uint32_t *rows;
	size_t size, n;

	(void)state;
	add_ids(&ours, "a", "b", "c");
	assert_int_equal(id_list_encode(&ours, twice, 2, &m, &size), 0);
	assert_int_equal(
	    id_list_decode(m, size, &ours, taken, &rows, &n), ERR_FORMAT);
	assert_null(rows);
	/* Where rows may come again, they do. */
	assert_int_equal(id_list_decode(m, size, &ours, NULL, &rows, &n), 0);
	free(rows);
	free(m);
	assert_int_equal(id_list_encode(&ours, other, 2, &m, &size), 0);
	assert_int_equal(id_list_decode(m, size, &ours, taken, &rows, &n), 0);
	free(rows);
	assert_int_equal(
	    id_list_decode(m, size, &ours, taken, &rows, &n), ERR_FORMAT);
	free(m);
	row_ids_fini(&ours);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_split_draws_what_scikit_learn_draws),
		cmocka_unit_test(a_stratified_split_keeps_the_shares_of_labels),
		cmocka_unit_test(split_points_make_classes_of_numbers),
		cmocka_unit_test(without_shuffle_the_parts_follow_the_ids),
		cmocka_unit_test(sizes_that_were_not_given_are_the_rest),
		cmocka_unit_test(
		    wrong_sizes_are_refused_with_the_sum_they_need),
		cmocka_unit_test(
		    a_stratified_split_needs_labels_and_two_rows_of_each),
		cmocka_unit_test(
		    hosts_follow_the_guest_without_seeing_labels_or_ids),
		cmocka_unit_test(a_host_that_lacks_rows_says_so),
		cmocka_unit_test(without_need_run_everything_is_for_training),
		cmocka_unit_test(a_union_keeps_the_first_row_of_an_id),
		cmocka_unit_test(keep_duplicate_gives_every_row_its_own_id),
		cmocka_unit_test(allow_missing_takes_the_columns_of_all_tables),
		cmocka_unit_test(
		    tables_that_do_not_fit_are_refused_with_both_names),
		cmocka_unit_test(labels_are_numbered_in_ascending_order),
		cmocka_unit_test(an_encoder_renames_what_it_knows),
		cmocka_unit_test(
		    a_label_model_keeps_types_and_is_applied_to_other_rows),
		cmocka_unit_test(predictions_get_their_old_labels_back),
		cmocka_unit_test(hosts_without_labels_hand_their_table_on),
		cmocka_unit_test(a_random_sample_is_the_one_that_numpy_draws),
		cmocka_unit_test(a_stratified_sample_has_a_rate_for_each_label),
		cmocka_unit_test(hosts_take_the_same_sample_as_the_guest),
		cmocka_unit_test(a_host_refuses_more_rows_than_were_agreed),
		cmocka_unit_test(wrong_fractions_are_refused),
		cmocka_unit_test(lists_must_have_their_size_and_known_rows),
		cmocka_unit_test(a_row_must_not_be_in_two_parts),
	};

	return cmocka_run_group_tests(tests, make_tables, NULL);
}
