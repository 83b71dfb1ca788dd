/*
 * Rows from delimited text.  Called by upload.c and reader.c.
 */
#include "executor/components/text_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/schema.h"

enum { PROGRESS_LINES = 1 << 16 };

struct text_table {
	struct task *task;
	struct text_table_options o;
	bool is_ragged;		    /* sparse and tag lines may be */
	uint64_t first_ragged;	    /* line, where nobody said so; 0 for none */
	struct json_object *schema; /* owned */
	struct csv *csv;
	struct table_writer *writer; /* borrowed */
	struct buf header;   /* names behind the id's; "" without head */
	size_t columns;	     /* of every line; 0: unknown yet */
	uint64_t blank_line; /* the first one, 0 for none */
	char id_prefix[ID_RANDOM_SIZE];

	/* Which columns of a line are taken, id first; NULL: all of them. */
	size_t *places;
	size_t n_places;
	struct buf line; /* put together from these */
};

/* --- meta ------------------------------------------------------------------ */

static const struct meta_default {
	const char *key;
	const char *json;
	bool is_label; /* only with with_label */
} meta_defaults[] = {
	{ "delimiter", "\",\"", false },
	{ "input_format", "\"dense\"", false },
	{ "tag_with_value", "false", false },
	{ "tag_value_delimiter", "\":\"", false },
	{ "with_match_id", "false", false },
	{ "id_range", "0", false },
	{ "data_type", "\"float64\"", false },
	{ "with_label", "false", false },
	{ "label_name", "\"y\"", true },
	{ "label_type", "\"int\"", true },
};

struct json_object *
text_table_meta(struct json_object *given, bool makes_ids)
{
	struct json_object *meta = json_object_new_object(), *v;
	bool with_label;
	size_t i;

	if (json_object_is_type(given, json_type_object)) {
		json_object_object_foreach(given, key, value)
		{
			if (value != NULL)
				json_object_object_add(
				    meta, key, json_object_get(value));
		}
	}
	with_label = json_object_object_get_ex(meta, "with_label", &v) &&
		     json_object_get_boolean(v);
	for (i = 0; i < sizeof(meta_defaults) / sizeof(meta_defaults[0]); i++) {
		const struct meta_default *d = &meta_defaults[i];

		if (d->is_label && !with_label)
			json_object_object_del(meta, d->key);
		else if (!json_object_object_get_ex(meta, d->key, &v))
			json_object_object_add(
			    meta, d->key, json_tokener_parse(d->json));
	}
	if (makes_ids)
		json_object_object_add(
		    meta, "with_match_id", json_object_new_boolean(true));
	return meta;
}

/* --- columns ----------------------------------------------------------------- */

static void
set_string(struct json_object *o, const char *key, struct span s)
{
	json_object_object_add(
	    o, key, json_object_new_string_len(s.data, (int)s.len));
}

/* Where the id ends and the rest begins; rest is empty without delimiter. */
static void
cut_id(const struct text_table *t, struct span line, struct span *id,
    struct span *rest)
{
	size_t n = strlen(t->o.format.delimiter);
	const char *p = memmem(line.data, line.len, t->o.format.delimiter, n);

	*id = line;
	*rest = (struct span){ line.data + line.len, 0 };
	if (p == NULL)
		return;
	id->len = (size_t)(p - line.data);
	rest->data = p + n;
	rest->len = line.len - id->len - n;
}

/* The names that were asked for, id first, as one line; "" for any. */
static void
wanted_names(const struct text_table *t, struct buf *out)
{
	const struct text_table_options *o = &t->o;

	if (!o->makes_ids && o->id_column != NULL)
		buf_puts(out, o->id_column);
	if (o->columns == NULL || o->columns[0] == '\0')
		return;
	if (out->len > 0)
		buf_puts(out, o->format.delimiter);
	buf_puts(out, o->columns);
}

static bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Places of the wanted names in the head; ERR_INVALID names a missing one. */
static int
find_places(struct text_table *t, const struct span *have, size_t n_have,
    struct span wanted)
{
	size_t n = strlen(t->o.format.delimiter), i;
	const char *p;
	struct span name;

	for (;;) {
		p = memmem(wanted.data, wanted.len, t->o.format.delimiter, n);
		name = wanted;
		if (p != NULL)
			name.len = (size_t)(p - wanted.data);
		name = span_trim(name);
		for (i = 0; i < n_have && !span_eq(span_trim(have[i]), name);
		     i++)
			;
		if (i == n_have)
			return err_set(ERR_INVALID,
			    "the table was bound with a column '%.*s', but "
			    "the %s has none of that name",
			    (int)name.len, name.data, t->o.what);
		t->places[t->n_places++] = i;
		if (p == NULL)
			return 0;
		wanted.len -= (size_t)(p + n - wanted.data);
		wanted.data = p + n;
	}
}

/* With an id's name only, the other columns follow as they are. */
static void
take_rest(struct text_table *t, size_t n_have)
{
	size_t i, id = t->places[0];

	for (i = 0; i < n_have; i++)
		if (i != id)
			t->places[t->n_places++] = i;
}

static int
choose_columns(struct text_table *t, struct span head)
{
	struct buf wanted = BUF_INIT;
	const struct span *have;
	size_t n, i, most;
	int r;

	wanted_names(t, &wanted);
	if (wanted.len == 0)
		return 0;
	if ((r = csv_split(t->csv, head, &have, &n)) != 0)
		goto out;
	most = csv_count(
	    t->o.format.delimiter, (struct span){ wanted.data, wanted.len });
	t->places = mem_array(most + n, sizeof(*t->places));
	if (t->places == NULL) {
		r = err_code();
		goto out;
	}
	r = find_places(t, have, n, (struct span){ wanted.data, wanted.len });
	if (r == 0 && !t->o.makes_ids &&
	    (t->o.columns == NULL || t->o.columns[0] == '\0'))
		take_rest(t, n);
	/* The common case: all of them, in their order. */
	for (i = 0; r == 0 && i < t->n_places && t->places[i] == i; i++)
		;
	if (r == 0 && i == n && t->n_places == n) {
		free(t->places);
		t->places = NULL;
	}
out:
	buf_fini(&wanted);
	return r;
}

/* The chosen columns of a line; valid until the next call. */
static int
pick(struct text_table *t, struct span *line)
{
	const struct span *fields;
	size_t n, i;
	int r;

	if (t->places == NULL)
		return 0;
	if ((r = csv_split(t->csv, *line, &fields, &n)) != 0)
		return r;
	buf_clear(&t->line);
	for (i = 0; i < t->n_places; i++) {
		if (i > 0)
			buf_puts(&t->line, t->o.format.delimiter);
		/* The number of columns was checked before. */
		buf_append(&t->line, fields[t->places[i]].data,
		    fields[t->places[i]].len);
	}
	*line = (struct span){ buf_str(&t->line), t->line.len };
	return 0;
}

/* --- the head ------------------------------------------------------------------ */

static int
read_head(struct text_table *t)
{
	struct span line = { "", 0 }, sid, rest;
	struct buf head = BUF_INIT;
	int r;

	if ((r = csv_line(t->csv, &line)) < 0)
		return r;
	if (span_trim(line).len == 0)
		return err_set(ERR_INVALID,
		    "the first line should name the "
		    "columns (head is 1), but it is empty");
	t->columns = csv_count(t->o.format.delimiter, line);
	if ((r = upload_head_check(&t->o.format, line, &head)) != 0)
		goto out;
	line = (struct span){ head.data, head.len };
	if ((r = choose_columns(t, line)) != 0 || (r = pick(t, &line)) != 0)
		goto out;
	cut_id(t, line, &sid, &rest);
	if (t->o.makes_ids) {
		rest = line;
		sid = (struct span){ "extend_sid", 10 };
	}
	buf_append(&t->header, rest.data, rest.len);
	set_string(t->schema, "header", rest);
	set_string(t->schema, "sid", sid);
out:
	buf_fini(&head);
	return r;
}

/* Names without a head: all columns have to be named. */
static void
name_columns(struct text_table *t)
{
	const char *columns = t->o.columns != NULL ? t->o.columns : "";
	struct buf names = BUF_INIT;

	if (!t->o.makes_ids && t->o.id_column != NULL)
		json_object_object_add(
		    t->schema, "sid", json_object_new_string(t->o.id_column));
	json_object_object_add(
	    t->schema, "header", json_object_new_string(columns));
	if (columns[0] == '\0')
		return;
	buf_puts(&t->header, columns);
	wanted_names(t, &names);
	t->columns = csv_count(
	    t->o.format.delimiter, (struct span){ names.data, names.len });
	buf_fini(&names);
}

static int
make_schema(struct text_table *t)
{
	struct span none = { "", 0 };
	int r = 0;

	t->schema = json_object_new_object();
	set_string(t->schema, "header", none);
	set_string(t->schema, "sid",
	    t->o.makes_ids ? (struct span){ "extend_sid", 10 } : none);
	if (t->o.has_head)
		r = read_head(t);
	else
		name_columns(t);
	if (r != 0)
		return r;
	if (json_object_is_type(t->o.schema, json_type_object)) {
		json_object_object_foreach(t->o.schema, key, value)
		{
			json_object_object_add(
			    t->schema, key, json_object_get(value));
		}
	}
	if (t->o.meta == NULL)
		return 0;
	json_object_object_add(t->schema, "meta", json_object_get(t->o.meta));
	/* Sparse and tag tables get their names from their values, later. */
	return t->is_ragged ? 0
			    : schema_generate(t->schema, t->o.format.delimiter);
}

static bool
meta_is_ragged(struct json_object *meta)
{
	struct json_object *v;

	return json_object_object_get_ex(meta, "input_format", &v) &&
	       !str_eq(json_object_get_string(v), "dense");
}

int
text_table_open(struct task *task, const struct text_table_options *o,
    struct text_table **out)
{
	struct text_table *t = xcalloc(1, sizeof(*t));
	struct csv_options options = { .delimiter = o->format.delimiter };
	int r;

	*out = NULL;
	t->task = task;
	t->o = *o;
	t->is_ragged = o->meta != NULL && meta_is_ragged(o->meta);
	if (!o->counts_ids)
		id_random(t->id_prefix);
	if ((r = csv_open(o->fd, &options, &t->csv)) != 0 ||
	    (r = make_schema(t)) != 0) {
		text_table_free(t);
		return r;
	}
	*out = t;
	return 0;
}

void
text_table_free(struct text_table *t)
{
	if (t == NULL)
		return;
	csv_free(t->csv);
	json_object_put(t->schema);
	free(t->places);
	buf_fini(&t->header);
	buf_fini(&t->line);
	free(t);
}

struct json_object *
text_table_schema(const struct text_table *t)
{
	return t->schema;
}

bool
text_table_is_ragged(const struct text_table *t)
{
	return t->is_ragged;
}

size_t
text_table_columns(const struct text_table *t, struct buf *names)
{
	size_t n = t->places != NULL ? t->n_places : t->columns;

	buf_append(names, buf_str(&t->header), t->header.len);
	return n == 0 || t->o.makes_ids ? n : n - 1;
}

/* --- rows -------------------------------------------------------------------- */

/* Columns are picked by their places, which a line has to have. */
static bool
may_be_ragged(const struct text_table *t)
{
	return t->is_ragged && t->places == NULL;
}

static const char *
why_even(const struct text_table *t, struct span line, size_t n)
{
	if (n > t->columns && memchr(line.data, '"', line.len) != NULL)
		return "quotes are not supported: the delimiter may not "
		       "stand inside a field";
	if (t->is_ragged)
		return "all lines must have as many where the table was bound "
		       "with some of the columns";
	return "all lines must have as many (sparse and tag data: say so in "
	       "meta.input_format)";
}

static int
check_columns(struct text_table *t, struct span line)
{
	size_t n = csv_count(t->o.format.delimiter, line);
	uint64_t number = csv_line_number(t->csv);

	if (t->columns == 0)
		t->columns = n;
	if (n == t->columns || may_be_ragged(t))
		return 0;
	/*
	 * Nobody said what the columns are: these may be tags.  Whoever reads
	 * them as columns counts again and names the row.
	 */
	if (!t->o.has_head && t->o.meta == NULL && t->header.len == 0) {
		if (t->first_ragged == 0)
			t->first_ragged = number;
		return 0;
	}
	return err_set(ERR_FORMAT,
	    "line %" PRIu64 " (row %" PRIu64 ") has %zu columns, but %s "
	    "has %zu; %s",
	    number, number - t->o.has_head, n,
	    t->o.has_head	? "the header"
	    : t->header.len > 0 ? "the list of bound columns"
				: "the first line",
	    t->columns, why_even(t, line, n));
}

static int
add_line(struct text_table *t, struct span line)
{
	struct row row = { .kind = ROW_TEXT };
	char id[ID_RANDOM_SIZE + 24];
	int r;

	/* One look tells: a writer that quotes does so in its first row. */
	if (table_writer_rows(t->writer) == 0 && !t->o.is_plain &&
	    (r = upload_check_quotes(&t->o.format,
		 t->o.has_head ? "line 2 (row 1)" : "line 1 (row 1)", line)) !=
		0)
		return r;
	if ((r = check_columns(t, line)) != 0 || (r = pick(t, &line)) != 0)
		return r;
	if (t->o.makes_ids) {
		(void)snprintf(id, sizeof(id), "%s%" PRIu64, t->id_prefix,
		    table_writer_rows(t->writer));
		row.id = (struct span){ id, strlen(id) };
		row.text = line;
	} else {
		cut_id(t, line, &row.id, &row.text);
	}
	return table_append(t->writer, &row);
}

static int
read_lines(struct text_table *t)
{
	struct span line;
	int r;

	while ((r = csv_line(t->csv, &line)) == 1) {
		/* Blank lines are fine behind the last row, nowhere else. */
		if (span_trim(line).len == 0) {
			if (t->blank_line == 0)
				t->blank_line = csv_line_number(t->csv);
			continue;
		}
		if (t->blank_line != 0)
			return err_set(ERR_FORMAT,
			    "line %" PRIu64 " (row %" PRIu64 ") is empty, but "
			    "rows follow; remove the line",
			    t->blank_line, t->blank_line - t->o.has_head);
		if ((r = add_line(t, line)) != 0)
			return r;
		if (csv_line_number(t->csv) % PROGRESS_LINES == 0 &&
		    (r = task_progress(t->task, csv_bytes(t->csv), t->o.size,
			 "reading")) != 0)
			return r;
	}
	return r;
}

int
text_table_copy(struct text_table *t, struct table_writer *w)
{
	int r;

	t->writer = w;
	/* Without a header the first row is line 1. */
	table_writer_name_rows(w, "line", t->o.has_head ? 2 : 1);
	r = read_lines(t);
	if (r == 0 && table_writer_rows(w) == 0)
		r = err_set(ERR_INVALID, "the %s has no rows", t->o.what);
	if (r == 0 && t->first_ragged != 0)
		task_log(t->task, TASK_WARNING,
		    "line %" PRIu64 " (row %" PRIu64 ") has another number of "
		    "columns than the first: sparse or tag rows may, others "
		    "will be refused where they are read",
		    t->first_ragged, t->first_ragged);
	return r;
}
