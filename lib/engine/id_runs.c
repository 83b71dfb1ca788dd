/*
 * Sorted runs of ids and their merge (Knuth, TAOCP 3, 5.4).  Called by
 * standalone_write.c.  An entry of a run is the id's length u16, the row's number
 * u64, both as this machine has them, and the id.
 */
#include "lib/engine/id_runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

enum {
	HEAD = ID_RUNS_HEAD,
	READ_SIZE = 32 << 10, /* of each run while merging */
};

struct run {
	uint64_t at; /* next byte in the file */
	uint64_t end;
	char *data; /* READ_SIZE bytes, or the pending run */
	size_t len;
	size_t pos;
	struct span id; /* the entry at hand */
	uint64_t prefix;
	uint64_t number;
};

struct id_runs {
	char *folder;
	int fd; /* -1 until there are two runs */
	uint64_t size;
	struct buf pending;	     /* the run that came last */
	char common[STORAGE_ID_MAX]; /* what all ids begin with */
	size_t n_common;
	bool has_ids;
	struct run *runs; /* those in the file */
	size_t n;
	size_t cap;
	struct run **heap; /* the smallest id is on top */
	size_t n_heap;
};

struct id_runs *
id_runs_new(const char *folder)
{
	struct id_runs *r = xcalloc(1, sizeof(*r));

	r->folder = xstrdup(folder);
	r->fd = -1;
	return r;
}

void
id_runs_free(struct id_runs *r)
{
	size_t i;

	if (r == NULL)
		return;
	/* The pending run's bytes are the buffer's. */
	for (i = 0; i < r->n; i++)
		if (r->runs[i].data != r->pending.data)
			free(r->runs[i].data);
	buf_fini(&r->pending);
	fd_close(&r->fd);
	free(r->runs);
	free(r->heap);
	free(r->folder);
	free(r);
}

uint64_t
id_runs_bytes(const struct id_runs *r)
{
	return r->size + r->pending.len;
}

static int
open_file(struct id_runs *r)
{
	char *path = xasprintf("%s/ids", r->folder);
	int e = 0;

	r->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (r->fd < 0 || unlink(path) != 0)
		e = err_set_errno(ERR_IO, "%s", path);
	free(path);
	return e;
}

static struct run *
new_run(struct id_runs *r)
{
	struct run *run;

	if (r->n == r->cap) {
		r->cap = r->cap != 0 ? 2 * r->cap : 16;
		r->runs = xrealloc(r->runs, r->cap * sizeof(*r->runs));
	}
	run = &r->runs[r->n++];
	memset(run, 0, sizeof(*run));
	return run;
}

static int
write_pending(struct id_runs *r)
{
	struct run *run;
	int e;

	if (r->pending.len == 0)
		return 0;
	if (r->fd < 0 && (e = open_file(r)) != 0)
		return e;
	if ((e = fd_write_all(r->fd, r->pending.data, r->pending.len)) != 0)
		return e;
	run = new_run(r);
	run->at = r->size;
	run->end = r->size += r->pending.len;
	buf_clear(&r->pending);
	return 0;
}

/* A sorted batch has in common what its ends have in common. */
static void
note_common(struct id_runs *r, const struct storage_batch *batch)
{
	struct span first = batch->by_id[0].row->id;
	struct span last = batch->by_id[batch->n - 1].row->id;

	if (!r->has_ids) {
		memcpy(r->common, first.data, first.len);
		r->n_common = first.len;
		r->has_ids = true;
	}
	r->n_common =
	    storage_common((struct span){ r->common, r->n_common }, first);
	r->n_common =
	    storage_common((struct span){ r->common, r->n_common }, last);
}

int
id_runs_add(struct id_runs *r, const struct storage_batch *batch)
{
	const struct batch_row *row;
	uint16_t len;
	size_t i;
	int e;

	if ((e = write_pending(r)) != 0)
		return e;
	if (batch->n > 0)
		note_common(r, batch);
	for (i = 0; i < batch->n; i++) {
		row = batch->by_id[i].row;
		len = (uint16_t)row->id.len;
		buf_append(&r->pending, &len, sizeof(len));
		buf_append(&r->pending, &row->number, sizeof(row->number));
		buf_append(&r->pending, row->id.data, row->id.len);
	}
	return 0;
}

/* --- merging ------------------------------------------------------------------ */

/* Read on behind what is left of the run. */
static int
fill(struct id_runs *r, struct run *run)
{
	size_t left = run->len - run->pos, want;
	ssize_t n;

	memmove(run->data, run->data + run->pos, left);
	run->pos = 0;
	run->len = left;
	while (run->at < run->end && run->len < READ_SIZE) {
		want = READ_SIZE - run->len;
		if (want > run->end - run->at)
			want = (size_t)(run->end - run->at);
		n = pread(r->fd, run->data + run->len, want, (off_t)run->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(ERR_IO, "read sorted ids");
		run->at += (uint64_t)n;
		run->len += (size_t)n;
	}
	return 0;
}

/* The next entry: 1, 0 at the end of the run, or an error. */
static int
next_entry(struct id_runs *r, struct run *run)
{
	uint16_t len;
	int e;

	if (run->len - run->pos < HEAD + STORAGE_ID_MAX && run->at < run->end &&
	    (e = fill(r, run)) != 0)
		return e;
	if (run->pos == run->len)
		return 0;
	memcpy(&len, run->data + run->pos, sizeof(len));
	memcpy(&run->number, run->data + run->pos + sizeof(len),
	    sizeof(run->number));
	run->id = (struct span){ run->data + run->pos + HEAD, len };
	run->prefix = storage_prefix(run->id, r->n_common);
	run->pos += HEAD + (size_t)len;
	return 1;
}

static int
compare(struct span a, struct span b)
{
	int c = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static bool
is_before(const struct run *a, const struct run *b)
{
	int c;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix;
	c = compare(a->id, b->id);
	return c != 0 ? c < 0 : a->number < b->number;
}

static void
sink(struct id_runs *r, size_t i)
{
	struct run *moving = r->heap[i];
	size_t child;

	while ((child = 2 * i + 1) < r->n_heap) {
		if (child + 1 < r->n_heap &&
		    is_before(r->heap[child + 1], r->heap[child]))
			child++;
		if (!is_before(r->heap[child], moving))
			break;
		r->heap[i] = r->heap[child];
		i = child;
	}
	r->heap[i] = moving;
}

static int
build_heap(struct id_runs *r)
{
	struct run *run;
	size_t i;
	int e;

	/* The run that came last is merged from memory. */
	if (r->pending.len > 0) {
		run = new_run(r);
		run->data = r->pending.data;
		run->len = r->pending.len;
	}
	r->heap = xcalloc(r->n + 1, sizeof(struct run *));
	for (i = 0; i < r->n; i++) {
		run = &r->runs[i];
		if (run->data == NULL)
			run->data = xmalloc(READ_SIZE);
		if ((e = next_entry(r, run)) < 0)
			return e;
		if (e == 1)
			r->heap[r->n_heap++] = run;
	}
	for (i = r->n_heap / 2; i > 0; i--)
		sink(r, i - 1);
	return 0;
}

int
id_runs_merge(struct id_runs *r,
    int (*fn)(void *ctx, struct span id, uint64_t number), void *ctx,
    uint64_t *old, uint64_t *new)
{
	char last[STORAGE_ID_MAX];
	struct span before = { last, 0 };
	uint64_t number = 0;
	struct run *run;
	int e;

	if ((e = build_heap(r)) != 0)
		return e;
	while (r->n_heap > 0) {
		run = r->heap[0];
		/* Ids are never empty, so the first one differs. */
		if (compare(before, run->id) == 0) {
			*old = number;
			*new = run->number;
			return err_set(ERR_EXISTS, "an id is there twice");
		}
		if ((e = fn(ctx, run->id, run->number)) != 0)
			return e;
		memcpy(last, run->id.data, run->id.len);
		before.len = run->id.len;
		number = run->number;
		if ((e = next_entry(r, run)) < 0)
			return e;
		if (e == 0)
			r->heap[0] = r->heap[--r->n_heap];
		if (r->n_heap > 0)
			sink(r, 0);
	}
	return 0;
}
