/*
 * Rows to JSON and to text.  Called for previews of output tables and for
 * downloads.
 */
#include "lib/engine/render.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

void
render_double(struct buf *out, double v)
{
	char text[40];
	int digits;

	if (isnan(v)) {
		buf_puts(out, "nan");
		return;
	}
	if (isinf(v)) {
		buf_puts(out, v > 0 ? "inf" : "-inf");
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(out, text);
	if (strpbrk(text, ".e") == NULL)
		buf_puts(out, ".0");
}

static bool
is_whole(double v)
{
	return v == floor(v) && fabs(v) < 1e15;
}

static struct json_object *
json_double(double v)
{
	struct buf text = BUF_INIT;
	struct json_object *o;

	if (!isfinite(v))
		return NULL;
	render_double(&text, v);
	o = json_object_new_double_s(v, text.data);
	buf_fini(&text);
	return o;
}

static struct json_object *
json_whole(double v)
{
	return is_whole(v) ? json_object_new_int64((int64_t)v) : json_double(v);
}

static struct json_object *
json_span(struct span s)
{
	return json_object_new_string_len(
	    s.data != NULL ? s.data : "", (int)s.len);
}

static struct json_object *
json_label(const struct row *row)
{
	if (row->flags & ROW_LABEL_TEXT)
		return json_span(row->label_text);
	return row->flags & ROW_LABEL ? json_whole(row->label) : NULL;
}

static void
json_text_cells(
    struct json_object *out, struct span text, const char *delimiter)
{
	const char *p = text.data, *end = p + text.len, *q;
	size_t n = strlen(delimiter);

	while (p != NULL) {
		q = n > 0 && p < end
			? memmem(p, (size_t)(end - p), delimiter, n)
			: NULL;
		json_object_array_add(
		    out, json_span((struct span){
			     p, (size_t)((q != NULL ? q : end) - p) }));
		p = q != NULL ? q + n : NULL;
	}
}

struct json_object *
render_row_json(const struct row *row, const char *delimiter)
{
	struct json_object *out = json_object_new_array();
	uint32_t i;

	json_object_array_add(out, json_span(row->id));
	switch (row->kind) {
	case ROW_TEXT:
		if (row->text.len > 0)
			json_text_cells(out, row->text, delimiter);
		break;
	case ROW_DENSE:
		if (row->flags & ROW_MATCH_ID)
			json_object_array_add(out, json_span(row->match_id));
		if (row->flags & (ROW_LABEL | ROW_LABEL_TEXT))
			json_object_array_add(out, json_label(row));
		for (i = 0; i < row->n_values; i++)
			json_object_array_add(out, json_double(row->values[i]));
		break;
	case ROW_PREDICT:
		json_object_array_add(out, json_label(row));
		json_object_array_add(out, json_whole(row->result));
		json_object_array_add(out, json_double(row->score));
		json_object_array_add(out, json_span(row->detail));
		json_object_array_add(out, json_span(row->type));
		break;
	}
	return out;
}

static void
csv_whole(struct buf *out, double v)
{
	if (is_whole(v))
		buf_printf(out, "%.0f", v);
	else
		render_double(out, v);
}

static void
csv_label(struct buf *out, const struct row *row)
{
	if (row->flags & ROW_LABEL_TEXT)
		buf_append(out, row->label_text.data, row->label_text.len);
	else if (row->flags & ROW_LABEL)
		csv_whole(out, row->label);
	else
		buf_puts(out, "None");
}

/* A JSON object as the platform prints a map: single quotes, and one blank
 * behind each colon and comma. */
static void
csv_detail(struct buf *out, struct span detail)
{
	bool quoted = false;
	size_t i;
	char c;

	buf_putc(out, '"');
	for (i = 0; i < detail.len; i++) {
		c = detail.data[i];
		if (c == '"' && (i == 0 || detail.data[i - 1] != '\\'))
			quoted = !quoted;
		buf_putc(out, c == '"' ? '\'' : c);
		if (!quoted && (c == ':' || c == ',') && i + 1 < detail.len &&
		    detail.data[i + 1] != ' ')
			buf_putc(out, ' ');
	}
	buf_putc(out, '"');
}

void
render_row_csv(struct buf *out, const struct row *row, const char *delimiter)
{
	uint32_t i;

	buf_append(out, row->id.data, row->id.len);
	switch (row->kind) {
	case ROW_TEXT:
		if (row->text.len > 0) {
			buf_puts(out, delimiter);
			buf_append(out, row->text.data, row->text.len);
		}
		break;
	case ROW_DENSE:
		if (row->flags & ROW_MATCH_ID) {
			buf_puts(out, delimiter);
			buf_append(out, row->match_id.data, row->match_id.len);
		}
		if (row->flags & (ROW_LABEL | ROW_LABEL_TEXT)) {
			buf_puts(out, delimiter);
			csv_label(out, row);
		}
		for (i = 0; i < row->n_values; i++) {
			buf_puts(out, delimiter);
			render_double(out, row->values[i]);
		}
		break;
	case ROW_PREDICT:
		buf_puts(out, delimiter);
		csv_label(out, row);
		buf_puts(out, delimiter);
		csv_whole(out, row->result);
		buf_puts(out, delimiter);
		render_double(out, row->score);
		buf_puts(out, delimiter);
		csv_detail(out, row->detail);
		buf_puts(out, delimiter);
		buf_append(out, row->type.data, row->type.len);
		break;
	}
}

static void
add_name(struct json_object *out, struct json_object *schema, const char *key)
{
	struct json_object *v;
	size_t i;

	if (!json_object_object_get_ex(schema, key, &v))
		return;
	if (json_object_is_type(v, json_type_array)) {
		for (i = 0; i < json_object_array_length(v); i++)
			json_object_array_add(out,
			    json_object_get(json_object_array_get_idx(v, i)));
	} else if (json_object_is_type(v, json_type_string) &&
		   json_object_get_string_len(v) > 0) {
		json_object_array_add(out, json_object_get(v));
	}
}

/* Text rows with meta: names stand where original_index_info says. */
static void
place(struct json_object *out, struct json_object *info, const char *index_key,
    struct json_object *schema, const char *name_key)
{
	struct json_object *names = json_object_new_array(), *at, *v;
	size_t i, n;

	add_name(names, schema, name_key);
	n = json_object_array_length(names);
	if (json_object_object_get_ex(info, index_key, &at))
		for (i = 0; i < n; i++) {
			v = json_object_is_type(at, json_type_array)
				? json_object_array_get_idx(at, i)
				: at;
			/* One more for the id that is in front. */
			if (json_object_is_type(v, json_type_int) &&
			    json_object_get_int64(v) >= 0 &&
			    json_object_get_int64(v) < STORAGE_VALUES_MAX)
				json_object_array_put_idx(out,
				    (size_t)json_object_get_int64(v) + 1,
				    json_object_get(
					json_object_array_get_idx(names, i)));
		}
	json_object_put(names);
}

struct json_object *
render_columns(struct json_object *schema, const char *delimiter)
{
	struct json_object *out = json_object_new_array();
	struct json_object *header, *info;
	struct span text;

	add_name(out, schema, "sid");
	if (json_object_object_get_ex(schema, "original_index_info", &info)) {
		place(out, info, "header_index", schema, "header");
		place(out, info, "label_index", schema, "label_name");
		place(out, info, "match_id_index", schema, "match_id_name");
		return out;
	}
	add_name(out, schema, "match_id_name");
	if (!json_object_object_get_ex(schema, "header", &header))
		return out;
	if (json_object_is_type(header, json_type_array)) {
		/* The label of text rows is among their columns already. */
		add_name(out, schema, "label_name");
		add_name(out, schema, "header");
	} else if (json_object_is_type(header, json_type_string) &&
		   json_object_get_string_len(header) > 0) {
		text = (struct span){ json_object_get_string(header),
			(size_t)json_object_get_string_len(header) };
		json_text_cells(out, text, delimiter);
	}
	return out;
}
