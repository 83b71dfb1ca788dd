/*
 * What a split says of itself: counts, ratios, labels of each part.
 */
#include <math.h>
#include <stdlib.h>

#include "executor/components/data_split.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

static const char *const part_names[PARTS] = { "train", "validate", "test" };

static void
class_text(const struct split *s, size_t class, struct buf *out)
{
	buf_clear(out);
	if (s->continuous)
		buf_printf(out, "%zu", class);
	else
		label_text(&s->labels, &s->labels.distinct[class], out);
}

/* {"0": 212, "1": 357} for the rows given; NULL for all rows. */
static struct json_object *
count_labels(const struct split *s, const uint32_t *rows, size_t n)
{
	size_t *counts = xcalloc(s->n_classes + 1, sizeof(*counts)), i;
	struct json_object *o = json_object_new_object();
	struct buf text = BUF_INIT;

	for (i = 0; i < n; i++)
		counts[s->class_of[rows != NULL ? rows[i] : i]]++;
	for (i = 0; i < s->n_classes; i++) {
		class_text(s, i, &text);
		json_add_int(o, buf_str(&text), (int64_t)counts[i]);
	}
	buf_fini(&text);
	free(counts);
	return o;
}

static struct json_object *
label_info(const struct split *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct buf text = BUF_INIT;
	size_t i, at = 0;

	json_add(o, "original", count_labels(s, NULL, s->ids.n));
	for (i = 0; i < PARTS; at += s->counts[i++])
		json_add(o, part_names[i],
		    count_labels(s, s->rows + at, s->counts[i]));
	for (i = 0; s->continuous && i < s->n_points; i++)
		json_object_array_add(list, json_double(s->points[i]));
	for (i = 0; !s->continuous && i < s->n_classes; i++) {
		class_text(s, i, &text);
		json_object_array_add(
		    list, json_object_new_string(buf_str(&text)));
	}
	json_add(o, s->continuous ? "split_points" : "label_names", list);
	json_add_bool(o, "continuous_label", s->continuous);
	buf_fini(&text);
	return o;
}

static struct json_object *
describe(const struct split *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *counts = json_object_new_object();
	struct json_object *ratios = json_object_new_object();
	double n = (double)s->ids.n;
	size_t i;

	json_add_int(counts, "original", (int64_t)s->ids.n);
	for (i = 0; i < PARTS; i++) {
		json_add_int(counts, part_names[i], (int64_t)s->counts[i]);
		json_add(ratios, part_names[i],
		    json_double(
			n > 0 ? round((double)s->counts[i] / n * 1000) / 1000
			      : 0));
	}
	json_add(o, "data_split_count_info", counts);
	json_add(o, "data_split_ratio_info", ratios);
	json_add_bool(o, "stratified", s->stratified);
	if (s->stratified && s->has_labels)
		json_add(o, "data_split_label_info", label_info(s));
	return o;
}

int
split_report(struct split *s)
{
	struct json_object *o = describe(s);
	int r;

	if ((r = task_metric_named(
		 s->task, "train", "data_split", "data_split", 0)) == 0 &&
	    (r = task_metric_meta(s->task, "train", "data_split", "data_split",
		 "DATA_SPLIT", o)) == 0)
		r = task_summary(s->task, o);
	json_object_put(o);
	return r;
}
