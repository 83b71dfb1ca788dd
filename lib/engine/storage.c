/*
 * The part of tables that all engines share: rows are checked, encoded and
 * collected into batches on the way in, and decoded on the way out.
 */
#include "lib/engine/storage.h"

#include <endian.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/engine.h"
#include "lib/engine/row.h"

enum {
	FORMAT = 1,
	/* A transaction of this size hides the cost of its commit. */
	BATCH_ROWS = 65536,
	BATCH_BYTES = 16 << 20,
	NAME_SIZE = 80, /* of a row in a message */
};

struct table_writer {
	const struct storage_ops *ops;
	void *ctx;
	struct buf bytes; /* rows of the batch */
	struct batch_row *rows;
	struct batch_key *by_id;
	size_t *offsets;
	size_t n;
	uint64_t flushed;
	enum row_kind kind;
	char what[16];
	uint64_t base;
};

struct table {
	const struct storage_ops *ops;
	void *ctx;
	struct buf schema;
	struct table_stat stat;
};

struct table_cursor {
	struct table *table;
	void *ctx;
	uint64_t next;
	uint64_t end;
	struct row_scratch scratch;
};

int
table_create(const struct storage_ops *ops, const char *address,
    struct table_writer **out)
{
	struct table_writer *w;
	int r;

	*out = NULL;
	w = xcalloc(1, sizeof(*w));
	w->ops = ops;
	if ((r = ops->create(address, &w->ctx)) != 0) {
		free(w);
		return r;
	}
	w->rows = xcalloc(BATCH_ROWS, sizeof(w->rows[0]));
	w->by_id = xcalloc(BATCH_ROWS, sizeof(w->by_id[0]));
	w->offsets = xcalloc(BATCH_ROWS, sizeof(w->offsets[0]));
	*out = w;
	return 0;
}

void
table_writer_name_rows(struct table_writer *w, const char *what, uint64_t first)
{
	(void)snprintf(w->what, sizeof(w->what), "%s", what);
	w->base = first;
}

uint64_t
table_writer_rows(const struct table_writer *w)
{
	return w->flushed + w->n;
}

static int
compare_ids(const void *a, const void *b)
{
	const struct batch_key *k = a, *l = b;
	const struct batch_row *x = k->row, *y = l->row;
	size_t n = x->id.len < y->id.len ? x->id.len : y->id.len;
	int c;

	if (k->prefix != l->prefix)
		return k->prefix < l->prefix ? -1 : 1;
	if ((c = memcmp(x->id.data, y->id.data, n)) != 0)
		return c;
	if (x->id.len != y->id.len)
		return x->id.len < y->id.len ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Bytes that all ids of the batch begin with. */
static size_t
common_prefix(const struct table_writer *w)
{
	struct span first = w->rows[0].id;
	size_t i, n = first.len;

	for (i = 1; i < w->n && n > 0; i++)
		n = storage_common(
		    (struct span){ first.data, n }, w->rows[i].id);
	return n;
}

/* "row 1", or "line 2 (row 1)" when rows came as something else. */
static void
name_row(const struct table_writer *w, uint64_t number, char out[NAME_SIZE])
{
	if (w->what[0] == '\0')
		(void)snprintf(out, NAME_SIZE, "row %" PRIu64, number + 1);
	else
		(void)snprintf(out, NAME_SIZE,
		    "%s %" PRIu64 " (row %" PRIu64 ")", w->what,
		    w->base + number, number + 1);
}

static int
duplicate(const struct table_writer *w, uint64_t old, uint64_t new)
{
	char first[NAME_SIZE], again[NAME_SIZE];

	name_row(w, old, first);
	name_row(w, new, again);
	return err_set(ERR_EXISTS,
	    "%s has the same id as %s; ids must be unique (or be made with "
	    "extend_sid: sluice upload --extend-sid)",
	    again, first);
}

/* Ids go to the engine in their order, which is what an index is made from. */
static int
flush(struct table_writer *w)
{
	struct storage_batch batch = { w->flushed, w->n, w->rows, NULL };
	const struct batch_row *a, *b;
	uint64_t old = 0, new = 0;
	size_t i, end, common;
	int r;

	if (w->n == 0)
		return 0;
	for (i = 0; i < w->n; i++) {
		end = i + 1 < w->n ? w->offsets[i + 1] : w->bytes.len;
		w->rows[i].data = w->bytes.data + w->offsets[i];
		w->rows[i].len = end - w->offsets[i];
		w->rows[i].id = row_encoded_id(w->rows[i].data, w->rows[i].len);
		w->rows[i].number = w->flushed + i;
	}
	common = common_prefix(w);
	for (i = 0; i < w->n; i++) {
		w->by_id[i].prefix = storage_prefix(w->rows[i].id, common);
		w->by_id[i].row = &w->rows[i];
	}
	qsort(w->by_id, w->n, sizeof(w->by_id[0]), compare_ids);
	for (i = 1; i < w->n; i++) {
		a = w->by_id[i - 1].row;
		b = w->by_id[i].row;
		if (a->id.len == b->id.len &&
		    memcmp(a->id.data, b->id.data, a->id.len) == 0)
			return duplicate(w, a->number, b->number);
	}
	batch.by_id = w->by_id;
	r = w->ops->write(w->ctx, &batch, &old, &new);
	if (r == ERR_EXISTS)
		return duplicate(w, old, new);
	if (r != 0)
		return r;
	w->flushed += w->n;
	w->n = 0;
	buf_clear(&w->bytes);
	return 0;
}

int
table_append(struct table_writer *w, const struct row *row)
{
	uint64_t number = table_writer_rows(w);
	char name[NAME_SIZE];
	int r;

	if (w->n == BATCH_ROWS || w->bytes.len >= BATCH_BYTES)
		if ((r = flush(w)) != 0)
			return r;
	if (number > 0 && row->kind != w->kind) {
		name_row(w, number, name);
		return err_set(ERR_FORMAT,
		    "%s: rows of different kinds in one table", name);
	}
	w->offsets[w->n] = w->bytes.len;
	if (row_encode(&w->bytes, row) != 0) {
		name_row(w, number, name);
		return err_wrap("%s", name);
	}
	w->kind = row->kind;
	w->n++;
	return 0;
}

static void
writer_free(struct table_writer *w)
{
	buf_fini(&w->bytes);
	free(w->rows);
	free(w->by_id);
	free(w->offsets);
	free(w);
}

int
table_seal(struct table_writer *w, const char *schema_json, uint32_t partitions)
{
	uint64_t old = 0, new = 0;
	char marker[160];
	int r;

	if (partitions == 0 || partitions > STORAGE_PARTITIONS_MAX)
		r = err_set(ERR_INVALID, "%u partitions: must be 1 to %d",
		    partitions, STORAGE_PARTITIONS_MAX);
	else
		r = flush(w);
	if (r != 0) {
		table_writer_free(w);
		return r;
	}
	(void)snprintf(marker, sizeof(marker),
	    "{\"format\":%d,\"kind\":%d,"
	    "\"rows\":%" PRIu64 ",\"partitions\":%u}",
	    FORMAT, w->flushed > 0 ? (int)w->kind : ROW_TEXT, w->flushed,
	    partitions);
	r = w->ops->seal(w->ctx, marker, schema_json, &old, &new);
	if (r == ERR_EXISTS)
		r = duplicate(w, old, new);
	writer_free(w);
	return r;
}

void
table_writer_free(struct table_writer *w)
{
	if (w == NULL)
		return;
	w->ops->discard(w->ctx);
	writer_free(w);
}

static int
marker_int(struct json_object *marker, const char *key, int64_t min,
    int64_t max, int64_t *out)
{
	struct json_object *v;

	if (!json_object_object_get_ex(marker, key, &v) ||
	    !json_object_is_type(v, json_type_int))
		return err_set(ERR_FORMAT,
		    "the table's marker is damaged: "
		    "no %s",
		    key);
	*out = json_object_get_int64(v);
	if (*out < min || *out > max)
		return err_set(ERR_FORMAT,
		    "the table's marker is damaged: "
		    "%s is %" PRId64,
		    key, *out);
	return 0;
}

static int
marker_parse(const char *text, struct table_stat *stat)
{
	struct json_object *marker = json_tokener_parse(text);
	int64_t format, kind, rows, partitions;
	int r;

	if ((r = marker_int(marker, "format", FORMAT, FORMAT, &format)) != 0 ||
	    (r = marker_int(marker, "kind", ROW_TEXT, ROW_PREDICT, &kind)) !=
		0 ||
	    (r = marker_int(marker, "rows", 0, INT64_MAX / 1024, &rows)) != 0 ||
	    (r = marker_int(marker, "partitions", 1, STORAGE_PARTITIONS_MAX,
		 &partitions)) != 0)
		goto out;
	stat->kind = (enum row_kind)kind;
	stat->rows = (uint64_t)rows;
	stat->partitions = (uint32_t)partitions;
out:
	json_object_put(marker);
	return r;
}

int
table_open(
    const struct storage_ops *ops, const char *address, struct table **out)
{
	struct table *t;
	struct buf marker = BUF_INIT;
	int r;

	*out = NULL;
	t = xcalloc(1, sizeof(*t));
	t->ops = ops;
	if ((r = ops->open(address, &t->ctx, &marker, &t->schema)) == 0)
		r = marker_parse(buf_str(&marker), &t->stat);
	buf_fini(&marker);
	if (r != 0) {
		table_close(t);
		return r;
	}
	t->stat.schema_json = buf_str(&t->schema);
	*out = t;
	return 0;
}

void
table_close(struct table *t)
{
	if (t == NULL)
		return;
	if (t->ctx != NULL)
		t->ops->close(t->ctx);
	buf_fini(&t->schema);
	free(t);
}

const struct table_stat *
table_stat(const struct table *t)
{
	return &t->stat;
}

uint64_t
table_count(const struct table *t)
{
	return t->stat.rows;
}

int
table_scan(
    struct table *t, uint64_t first, uint64_t end, struct table_cursor **out)
{
	struct table_cursor *c;
	int r;

	*out = NULL;
	c = xcalloc(1, sizeof(*c));
	c->table = t;
	c->next = first;
	c->end = end < t->stat.rows ? end : t->stat.rows;
	if ((r = t->ops->cursor(t->ctx, &c->ctx)) != 0) {
		free(c);
		return r;
	}
	*out = c;
	return 0;
}

static int
decode(
    struct table_cursor *c, uint64_t number, struct span bytes, struct row *out)
{
	if (row_decode(bytes.data, bytes.len, &c->scratch, out) != 0)
		return err_wrap("row %" PRIu64, number + 1);
	if (out->kind != c->table->stat.kind)
		return err_set(ERR_FORMAT,
		    "row %" PRIu64 " is of another kind "
		    "than its table",
		    number + 1);
	out->number = number;
	return 0;
}

int
cursor_next(struct table_cursor *c, struct row *out)
{
	struct span bytes;
	int r;

	if (c->next >= c->end)
		return 0;
	if ((r = c->table->ops->read(c->ctx, c->next, &bytes)) != 0 ||
	    (r = decode(c, c->next, bytes, out)) != 0)
		return r;
	c->next++;
	return 1;
}

int
cursor_get(
    struct table_cursor *c, const void *id, size_t id_len, struct row *out)
{
	struct span bytes;
	uint64_t number;
	int r;

	if (id_len == 0 || id_len > STORAGE_ID_MAX)
		return err_set(ERR_NOT_FOUND, "no row has this id");
	if ((r = c->table->ops->find(c->ctx, id, id_len, &number, &bytes)) != 0)
		return r;
	return decode(c, number, bytes, out);
}

int
cursor_at(struct table_cursor *c, uint64_t number, struct row *out)
{
	struct span bytes;
	int r;

	if (number >= c->table->stat.rows)
		return err_set(
		    ERR_FORMAT, "there is no row %" PRIu64, number + 1);
	if ((r = c->table->ops->read(c->ctx, number, &bytes)) != 0)
		return r;
	return decode(c, number, bytes, out);
}

void
cursor_free(struct table_cursor *c)
{
	if (c == NULL)
		return;
	c->table->ops->cursor_close(c->ctx);
	row_scratch_fini(&c->scratch);
	free(c);
}

int
table_destroy(const struct storage_ops *ops, const char *address)
{
	return ops->destroy(address);
}
