/*
 * DataTransform's other formats.  A row of either begins with match ids and a
 * label, when there are any; then come
 *
 *   sparse (svmlight)   place:value, and columns are x0 to x<largest place>
 *   tag                 tag or tag:value, and columns are the tags in the
 *                       order of their bytes; a tag without value is 1
 *
 * What a row does not mention is 0, or, among tags with values of which
 * missing ones are filled, missing.  One pass over the table finds the
 * columns; with a model they are those of the model, and others are dropped.
 * Called by data_transform.c.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/data_transform.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/csv.h"
#include "lib/engine/storage.h"

enum { TAG_MAX = 255 }; /* bytes */

/* A feature of a row: its name, and its value when it has one. */
struct feature {
	struct span name;
	struct span value;
	bool has_value;
};

static int
bad_row(uint64_t row, const char *what)
{
	return err_set(ERR_FORMAT, "row %" PRIu64 ": %s", row + 1, what);
}

/* --- taking rows apart ------------------------------------------------------ */

/* The next cell of text; false when there is none. */
static bool
next_cell(struct span *text, const char *delimiter, struct span *cell)
{
	size_t len = strlen(delimiter);
	const char *p;

	if (text->data == NULL)
		return false;
	p = text->len > 0 ? memmem(text->data, text->len, delimiter, len)
			  : NULL;
	*cell = *text;
	if (p == NULL) {
		*text = (struct span){ NULL, 0 };
	} else {
		cell->len = (size_t)(p - text->data);
		text->len -= cell->len + len;
		text->data = p + len;
	}
	*cell = span_trim(*cell);
	return true;
}

/* Match ids and label, as far as they are there. */
static int
read_front(struct transform *t, const struct row *row, struct span *text)
{
	struct span cell = { "", 0 };
	size_t i;

	for (i = 0; i < t->settings.id_range; i++) {
		if (!next_cell(text, t->delimiter, &cell))
			return bad_row(row->number, "has no match id");
		if (i == t->match_at)
			t->match_id = cell;
	}
	if (!t->has_label)
		return 0;
	if (!next_cell(text, t->delimiter, &cell))
		return bad_row(row->number, "has no label");
	t->label = cell;
	return 0;
}

static int
cut_feature(const struct transform *t, struct span cell, uint64_t row,
    struct feature *f)
{
	const struct settings *s = &t->settings;
	bool is_tag = s->format == FORMAT_TAG;
	const char *by = is_tag ? s->tag_delimiter : ":";
	const char *p = NULL;

	*f = (struct feature){ .name = cell };
	if (!is_tag || s->tag_with_value)
		p = memmem(cell.data, cell.len, by, strlen(by));
	if (p != NULL) {
		f->name = span_trim(
		    (struct span){ cell.data, (size_t)(p - cell.data) });
		f->value.data = p + strlen(by);
		f->value.len = (size_t)(cell.data + cell.len - f->value.data);
		f->value = span_trim(f->value);
		f->has_value = true;
	} else if (!is_tag) {
		return bad_row(row,
		    "a feature is not written as place:value; with_label says "
		    "whether a label stands in front");
	} else if (s->tag_with_value) {
		return bad_row(row,
		    "a tag has no value; tag_with_value is true, and "
		    "tag_value_delimitor stands between tag and value");
	}
	if (f->name.len == 0)
		return bad_row(row, "a value stands without its feature");
	if (f->name.len > TAG_MAX)
		return bad_row(row,
		    "a tag of more than 255 bytes; is delimitor what stands "
		    "between tags?");
	return 0;
}

/* The next feature: 1, 0 at the end of the row, or an error. */
static int
next_feature(const struct transform *t, struct span *text, uint64_t row,
    struct feature *f)
{
	struct span cell;
	int r;

	while (next_cell(text, t->delimiter, &cell)) {
		/* Two blanks are no feature between them. */
		if (cell.len == 0)
			continue;
		return (r = cut_feature(t, cell, row, f)) == 0 ? 1 : r;
	}
	return 0;
}

static int
read_place(struct span name, uint64_t row, uint32_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < name.len; i++) {
		if (name.data[i] < '0' || name.data[i] > '9')
			return bad_row(row,
			    "the place of a feature is not a whole number "
			    "from 0");
		v = v * 10 + (uint64_t)(name.data[i] - '0');
		if (v >= STORAGE_VALUES_MAX)
			return err_set(ERR_LIMIT,
			    "row %" PRIu64 ": a feature's place is beyond %d, "
			    "which is the last one possible",
			    row + 1, STORAGE_VALUES_MAX - 1);
	}
	*out = (uint32_t)v;
	return 0;
}

/* --- finding the columns ---------------------------------------------------- */

static int
find_features(struct transform *t, const struct row *row, size_t *width)
{
	struct span text = row->text;
	struct feature f;
	uint32_t place;
	bool is_new;
	int r;

	if ((r = read_front(t, row, &text)) != 0)
		return r;
	while ((r = next_feature(t, &text, row->number, &f)) == 1) {
		if (t->settings.format == FORMAT_TAG) {
			place = name_set_add(t->tags, f.name, &is_new);
			if (place >= STORAGE_VALUES_MAX)
				return err_set(ERR_LIMIT,
				    "more than %d different tags; are values "
				    "mixed up with tags (tag_with_value)?",
				    STORAGE_VALUES_MAX);
		} else {
			if ((r = read_place(f.name, row->number, &place)) != 0)
				return r;
			if (place >= *width)
				*width = (size_t)place + 1;
		}
	}
	return r;
}

static int
find_all_features(struct transform *t, size_t *width)
{
	struct table_cursor *cursor;
	struct row row;
	int r;

	if ((r = table_scan(t->table, 0, UINT64_MAX, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1)
		if ((r = find_features(t, &row, width)) != 0)
			break;
	cursor_free(cursor);
	if (r != 0 || t->settings.format != FORMAT_TAG)
		return r;
	name_set_sort(t->tags);
	*width = name_set_count(t->tags);
	return 0;
}

/* The model's columns; places of sparse rows are those in its header. */
static int
features_of_model(struct transform *t, size_t *width)
{
	struct span name;
	char place[24];
	bool is_new = true;
	size_t i;

	*width = t->n_model_header;
	for (i = 0; i < *width && is_new; i++) {
		(void)snprintf(place, sizeof(place), "x%zu", i);
		name = (struct span){ t->model_header[i],
			strlen(t->model_header[i]) };
		if (t->settings.format == FORMAT_TAG)
			(void)name_set_add(t->tags, name, &is_new);
		else
			is_new = str_eq(place, t->model_header[i]);
	}
	return is_new ? 0
		      : err_set(ERR_FORMAT,
			    "the model was not made from a table of this "
			    "input_format");
}

static char *
column_name(const struct transform *t, size_t i)
{
	struct span name;

	if (t->settings.format != FORMAT_TAG)
		return xasprintf("x%zu", i);
	name = name_set_get(t->tags, (uint32_t)i);
	return xstrndup(name.data, name.len);
}

static int
make_columns(struct transform *t, size_t width)
{
	size_t i;
	int r;

	t->columns = mem_array(width + 1, sizeof(t->columns[0]));
	t->values = mem_array(width + 1, sizeof(t->values[0]));
	if (t->columns == NULL || t->values == NULL)
		return err_code();
	memset(t->columns, 0, (width + 1) * sizeof(t->columns[0]));
	memset(t->values, 0, (width + 1) * sizeof(t->values[0]));
	for (i = 0; i < width; i++) {
		t->columns[i].name = column_name(t, i);
		t->n++;
		if ((r = transform_column_type(t, &t->columns[i])) != 0)
			return r;
	}
	return 0;
}

/* --- reading rows ----------------------------------------------------------- */

static bool
absent_is_missing(const struct transform *t)
{
	return t->settings.format == FORMAT_TAG && t->settings.tag_with_value &&
	       t->settings.missing.is_on;
}

/* Undo what the row before left. */
static void
clear_values(struct transform *t)
{
	size_t i;

	if (absent_is_missing(t)) {
		for (i = 0; i < t->n; i++)
			t->values[i] = NAN;
	} else {
		for (i = 0; i < t->n_places; i++)
			t->values[t->places[i]] = 0;
	}
	t->n_places = 0;
}

static void
keep_place(struct transform *t, uint32_t place)
{
	if (t->n_places == t->places_cap) {
		t->places_cap = t->places_cap != 0 ? 2 * t->places_cap : 64;
		t->places =
		    xrealloc(t->places, t->places_cap * sizeof(t->places[0]));
	}
	t->places[t->n_places++] = place;
}

static int
compare_places(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A tag that is said twice is said; two values contradict each other. */
static int
check_once(struct transform *t, uint64_t row)
{
	size_t i;

	if (t->n_places < 2 ||
	    (t->settings.format == FORMAT_TAG && !t->settings.tag_with_value))
		return 0;
	qsort(t->places, t->n_places, sizeof(t->places[0]), compare_places);
	for (i = 1; i < t->n_places; i++)
		if (t->places[i - 1] == t->places[i])
			return transform_bad_cell(row,
			    t->columns[t->places[i]].name,
			    "has two values in this row");
	return 0;
}

static int
find_place(
    struct transform *t, const struct feature *f, uint64_t row, uint32_t *out)
{
	if (t->settings.format != FORMAT_TAG)
		return read_place(f->name, row, out);
	*out = name_set_find(t->tags, f->name);
	return 0;
}

static int
read_sparse(struct transform *t, const struct row *row)
{
	struct span text = row->text;
	struct feature f;
	uint32_t at;
	int r;

	clear_values(t);
	if ((r = read_front(t, row, &text)) != 0)
		return r;
	while ((r = next_feature(t, &text, row->number, &f)) == 1) {
		if ((r = find_place(t, &f, row->number, &at)) != 0)
			return r;
		if (at >= t->n) /* the model does not know it */
			continue;
		keep_place(t, at);
		t->values[at] = 1;
		if (f.has_value &&
		    (r = transform_read_cell(t, &t->columns[at], f.value,
			 row->number, &t->values[at])) != 0)
			return r;
	}
	return r != 0 ? r : check_once(t, row->number);
}

/* --- the plan ---------------------------------------------------------------- */

/*
 * Rows to predict may come without label: sparse ones show it, for a label
 * is no place:value.
 */
static int
plan_label(struct transform *t)
{
	struct table_cursor *cursor;
	struct span text, cell = { "", 0 };
	struct row row;
	size_t i;
	int r;

	t->has_label = t->settings.with_label;
	t->label_name = t->has_label ? xstrdup("label") : NULL;
	if (!t->has_label || !t->has_model ||
	    t->settings.format != FORMAT_SPARSE)
		return 0;
	if ((r = table_scan(t->table, 0, 1, &cursor)) != 0)
		return r;
	if ((r = cursor_next(cursor, &row)) == 1) {
		text = row.text;
		for (i = 0; i <= t->settings.id_range; i++)
			(void)next_cell(&text, t->delimiter, &cell);
		t->has_label = memchr(cell.data, ':', cell.len) == NULL;
		r = 0;
	}
	cursor_free(cursor);
	return r;
}

static int
plan_match_id(struct transform *t)
{
	size_t n = t->settings.id_range;

	t->match_at = SIZE_MAX;
	if (!t->settings.with_match_id)
		return 0;
	t->match_at = (size_t)task_param_int(t->task, "match_id_index", 0);
	if (t->match_at >= n)
		return err_set(ERR_INVALID,
		    "match_id_index is %zu, but rows have %zu match id%s "
		    "(meta.id_range), counted from 0",
		    t->match_at, n, n == 1 ? "" : "s");
	t->has_match_id = true;
	t->match_name = n == 1 ? xstrdup("match_id")
			       : xasprintf("match_id%zu", t->match_at);
	return 0;
}

int
transform_plan_sparse(struct transform *t)
{
	size_t width = 0;
	int r;

	t->read = read_sparse;
	t->tags = name_set_new();
	if ((r = plan_match_id(t)) != 0 || (r = plan_label(t)) != 0)
		return r;
	r = t->has_model ? features_of_model(t, &width)
			 : find_all_features(t, &width);
	return r == 0 ? make_columns(t, width) : r;
}
