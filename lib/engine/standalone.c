/*
 * Tables as LMDB environments, one folder each: the site's own engine.
 *
 * There is one writer and it is alone until the table is sealed, so LMDB's
 * locks are off; readers open the file read-only and need nothing but it
 * (no lock file, no /proc, no /dev).  Until the marker is committed the
 * folder counts as rubbish: whoever was killed while writing left nothing
 * that could be mistaken for a table.
 *
 * A table may be damaged or made by a hostile program: the head is checked
 * before LMDB believes it, pages beyond the file are refused.  Forged pages in
 * the middle are standalone_check.c's, which the shepherd asks before a
 * task's table becomes the site's.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/engine/engine.h"
#include "lib/engine/id_runs.h"

enum {
	DATABASES = 3,
	MAP_FIRST = 16 << 20, /* grows by doubling */
	SCHEMA_MAX = 64 << 20,
	COMMIT_BYTES = 8 << 20, /* of ids, while the index is made */
};

struct writer {
	MDB_env *env;
	MDB_dbi rows;
	MDB_dbi ids;
	MDB_dbi table;
	size_t map_size;
	char *folder;
	struct id_runs *runs; /* ids so far */
};

struct reader {
	MDB_env *env;
	MDB_dbi rows;
	MDB_dbi ids;
};

struct cursor {
	struct reader *reader;
	MDB_txn *txn;
	MDB_cursor *rows;
	uint64_t last; /* number the cursor stands on */
	bool is_placed;
};

static int
fail(int error, const char *what, const char *folder)
{
	int code = ERR_IO;

	switch (error) {
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_NOTFOUND:
	case MDB_PANIC:
	case MDB_BAD_TXN:
		code = ERR_FORMAT;
		break;
	case ENOMEM:
		code = ERR_NOMEM;
		break;
	}
	return err_set(
	    code, "%s table %s: %s", what, folder, mdb_strerror(error));
}

static void
writer_free(struct writer *w)
{
	if (w->env != NULL)
		mdb_env_close(w->env);
	id_runs_free(w->runs);
	free(w->folder);
	free(w);
}

static void
standalone_discard(void *ctx)
{
	struct writer *w = ctx;

	if (w->env != NULL)
		mdb_env_close(w->env);
	w->env = NULL;
	(void)fd_remove_tree(w->folder);
	writer_free(w);
}

static int
open_databases(struct writer *w)
{
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(w->env, NULL, 0, &txn)) != 0)
		return e;
	if ((e = mdb_dbi_open(txn, "rows", MDB_CREATE, &w->rows)) != 0 ||
	    (e = mdb_dbi_open(txn, "ids", MDB_CREATE, &w->ids)) != 0 ||
	    (e = mdb_dbi_open(txn, "table", MDB_CREATE, &w->table)) != 0) {
		mdb_txn_abort(txn);
		return e;
	}
	return mdb_txn_commit(txn);
}

static int
standalone_create(const char *folder, void **out)
{
	struct writer *w;
	int e;

	if (mkdir(folder, 0700) != 0)
		return err_set_errno(errno == EEXIST ? ERR_EXISTS : ERR_IO,
		    "create table %s", folder);
	w = xcalloc(1, sizeof(*w));
	w->folder = xstrdup(folder);
	w->map_size = MAP_FIRST;
	w->runs = id_runs_new(folder);
	/* Nothing is worth syncing before the seal. */
	if ((e = mdb_env_create(&w->env)) != 0 ||
	    (e = mdb_env_set_maxdbs(w->env, DATABASES)) != 0 ||
	    (e = mdb_env_set_mapsize(w->env, w->map_size)) != 0 ||
	    (e = mdb_env_open(w->env, folder, MDB_NOLOCK | MDB_NOSYNC, 0600)) !=
		0 ||
	    (e = open_databases(w)) != 0) {
		standalone_discard(w);
		return fail(e, "create", folder);
	}
	*out = w;
	return 0;
}

static int
put_rows(struct writer *w, MDB_txn *txn, const struct storage_batch *batch)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t number;
	size_t i;
	int e;

	if ((e = mdb_cursor_open(txn, w->rows, &cursor)) != 0)
		return e;
	for (i = 0; i < batch->n && e == 0; i++) {
		number = htobe64(batch->first + i);
		key = (MDB_val){ sizeof(number), &number };
		value = (MDB_val){ batch->rows[i].len,
			(void *)(uintptr_t)batch->rows[i].data };
		e = mdb_cursor_put(cursor, &key, &value, MDB_APPEND);
	}
	mdb_cursor_close(cursor);
	return e;
}

static int
write_once(struct writer *w, const struct storage_batch *batch)
{
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(w->env, NULL, 0, &txn)) != 0)
		return e;
	if ((e = put_rows(w, txn, batch)) != 0) {
		mdb_txn_abort(txn);
		return e;
	}
	return mdb_txn_commit(txn);
}

/* The map is address space, which a sandbox limits: grow it as needed. */
static int
grow(struct writer *w)
{
	w->map_size *= 2;
	return mdb_env_set_mapsize(w->env, w->map_size);
}

static int
standalone_write(
    void *ctx, const struct storage_batch *batch, uint64_t *old, uint64_t *new)
{
	struct writer *w = ctx;
	int e;

	(void)old; /* two equal ids meet when the index is made */
	(void)new;
	while ((e = write_once(w, batch)) == MDB_MAP_FULL)
		if ((e = grow(w)) != 0)
			break;
	return e == 0 ? id_runs_add(w->runs, batch)
		      : fail(e, "write", w->folder);
}

/* --- the index of ids, made in their order --------------------------------- */

struct indexing {
	struct writer *w;
	MDB_txn *txn;
	MDB_cursor *cursor;
	uint64_t left;	/* bytes of ids, ID_RUNS_HEAD with each */
	uint64_t bytes; /* put in this transaction */
};

static int
begin_ids(struct indexing *x)
{
	int e;

	if ((e = mdb_txn_begin(x->w->env, NULL, 0, &x->txn)) != 0)
		return e;
	x->bytes = 0;
	return mdb_cursor_open(x->txn, x->w->ids, &x->cursor);
}

static int
commit_ids(struct indexing *x)
{
	MDB_txn *txn = x->txn;

	mdb_cursor_close(x->cursor);
	x->txn = NULL;
	return mdb_txn_commit(txn);
}

/*
 * A full map ends a transaction, and LMDB takes back all of it: so room is
 * made before.  Nodes cost less than 16 bytes beside the id, pages are filled
 * one after the other, and twice their bytes covers what is left free there.
 */
static int
make_room(struct indexing *x)
{
	struct writer *w = x->w;
	uint64_t bytes = x->left < COMMIT_BYTES ? x->left : COMMIT_BYTES;
	MDB_envinfo info;
	MDB_stat stat;
	size_t used;
	int e;

	if ((e = mdb_env_info(w->env, &info)) != 0 ||
	    (e = mdb_env_stat(w->env, &stat)) != 0)
		return e;
	used = (info.me_last_pgno + 64) * stat.ms_psize;
	while (w->map_size < used + 4 * bytes)
		if ((e = grow(w)) != 0)
			return e;
	return 0;
}

static int
put_id(void *ctx, struct span id, uint64_t number)
{
	struct indexing *x = ctx;
	MDB_val key = { id.len, (void *)(uintptr_t)id.data };
	MDB_val value = { sizeof(number), &number };
	int e = 0;

	number = htole64(number);
	if (x->bytes >= COMMIT_BYTES && (e = commit_ids(x)) == 0 &&
	    (e = make_room(x)) == 0)
		e = begin_ids(x);
	if (e == 0)
		e = mdb_cursor_put(x->cursor, &key, &value, MDB_APPEND);
	x->bytes += id.len + ID_RUNS_HEAD;
	x->left -= id.len + ID_RUNS_HEAD;
	return e == 0 ? 0 : fail(e, "index", x->w->folder);
}

static int
index_ids(struct writer *w, uint64_t *old, uint64_t *new)
{
	struct indexing x = { .w = w, .left = id_runs_bytes(w->runs) };
	int e, r;

	if ((e = make_room(&x)) != 0 || (e = begin_ids(&x)) != 0) {
		r = fail(e, "index", w->folder);
	} else {
		r = id_runs_merge(w->runs, put_id, &x, old, new);
		if (r == 0 && (e = commit_ids(&x)) != 0)
			r = fail(e, "index", w->folder);
	}
	if (x.txn != NULL)
		mdb_txn_abort(x.txn);
	return r;
}

static int
put_marker(struct writer *w, const char *marker, const char *schema)
{
	MDB_val schema_key = { 6, (void *)(uintptr_t) "schema" };
	MDB_val marker_key = { 6, (void *)(uintptr_t) "sealed" };
	MDB_val value;
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(w->env, NULL, 0, &txn)) != 0)
		return e;
	value = (MDB_val){ strlen(schema), (void *)(uintptr_t)schema };
	if ((e = mdb_put(txn, w->table, &schema_key, &value, 0)) == 0) {
		value = (MDB_val){ strlen(marker), (void *)(uintptr_t)marker };
		e = mdb_put(txn, w->table, &marker_key, &value, 0);
	}
	if (e != 0) {
		mdb_txn_abort(txn);
		return e;
	}
	return mdb_txn_commit(txn);
}

static int
standalone_seal(void *ctx, const char *marker, const char *schema,
    uint64_t *old, uint64_t *new)
{
	struct writer *w = ctx;
	int e, r;

	if ((r = index_ids(w, old, new)) != 0) {
		standalone_discard(w);
		return r;
	}
	/*
	 * From here on commits sync: the rows before the marker, the marker
	 * before the page that makes it count.
	 */
	if ((e = mdb_env_sync(w->env, 1)) == 0 &&
	    (e = mdb_env_set_flags(w->env, MDB_NOSYNC, 0)) == 0) {
		while ((e = put_marker(w, marker, schema)) == MDB_MAP_FULL)
			if ((e = grow(w)) != 0)
				break;
	}
	if (e != 0) {
		r = fail(e, "seal", w->folder);
		standalone_discard(w);
		return r;
	}
	r = fd_sync_dir(w->folder);
	writer_free(w);
	return r;
}

/*
 * LMDB trusts the page size in the first page: look before it does.
 * Offsets are those of its data format 1: a page header of 16 bytes, then
 * magic, version, address, map size, and the free list's record, which
 * begins with the page size.
 */
static int
check_head(const char *folder, size_t *file_size)
{
	enum { MAGIC = 16, VERSION = 20, PAGE_SIZE = 40, HEAD = 44 };
	unsigned char head[HEAD];
	uint32_t magic, version, page;
	struct stat st;
	char *path = xasprintf("%s/data.mdb", folder);
	int fd, r = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		if (errno != ENOENT)
			r = err_set_errno(ERR_IO, "open table %s", folder);
		else if (stat(folder, &st) == 0)
			r = err_set(
			    ERR_CONFLICT, "table %s was not sealed", folder);
		else
			r = err_set(ERR_NOT_FOUND, "no table %s", folder);
		goto out;
	}
	if (fstat(fd, &st) != 0) {
		r = err_set_errno(ERR_IO, "open table %s", folder);
		goto out;
	}
	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head)) {
		r = err_set(ERR_CONFLICT, "table %s was not sealed", folder);
		goto out;
	}
	memcpy(&magic, head + MAGIC, sizeof(magic));
	memcpy(&version, head + VERSION, sizeof(version));
	memcpy(&page, head + PAGE_SIZE, sizeof(page));
	if (magic != 0xBEEFC0DE || version != 1 || page < 512 || page > 65536 ||
	    (page & (page - 1)) != 0 || !S_ISREG(st.st_mode))
		r = err_set(ERR_FORMAT, "table %s is damaged", folder);
	*file_size = (size_t)st.st_size;
out:
	fd_close(&fd);
	free(path);
	return r;
}

/* Pages that LMDB may follow must lie inside the file: no SIGBUS. */
static int
check_size(MDB_env *env, size_t file_size, const char *folder)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat) != 0)
		return err_set(ERR_FORMAT, "table %s is damaged", folder);
	if (info.me_last_pgno >= file_size / stat.ms_psize)
		return err_set(ERR_FORMAT, "table %s is cut short", folder);
	return 0;
}

static int
read_text(MDB_txn *txn, MDB_dbi dbi, const char *key_text, struct buf *out)
{
	MDB_val key = { strlen(key_text), (void *)(uintptr_t)key_text };
	MDB_val value;
	int e;

	if ((e = mdb_get(txn, dbi, &key, &value)) != 0)
		return e;
	if (value.mv_size > SCHEMA_MAX)
		return MDB_CORRUPTED;
	buf_append(out, value.mv_data, value.mv_size);
	return 0;
}

static int
read_marker(struct reader *t, const char *folder, struct buf *marker,
    struct buf *schema)
{
	MDB_dbi table;
	MDB_txn *txn;
	int e;

	if ((e = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &txn)) != 0)
		return fail(e, "open", folder);
	if ((e = mdb_dbi_open(txn, "table", 0, &table)) == 0)
		e = read_text(txn, table, "sealed", marker);
	if (e == MDB_NOTFOUND) {
		mdb_txn_abort(txn);
		return err_set(ERR_CONFLICT, "table %s was not sealed", folder);
	}
	if (e == 0)
		e = read_text(txn, table, "schema", schema);
	if (e == 0)
		e = mdb_dbi_open(txn, "rows", 0, &t->rows);
	if (e == 0)
		e = mdb_dbi_open(txn, "ids", 0, &t->ids);
	if (e != 0) {
		mdb_txn_abort(txn);
		return fail(e, "open", folder);
	}
	/* Handles opened in a transaction stay valid when it commits. */
	e = mdb_txn_commit(txn);
	return e == 0 ? 0 : fail(e, "open", folder);
}

static void
standalone_close(void *ctx)
{
	struct reader *t = ctx;

	mdb_env_close(t->env);
	free(t);
}

static int
standalone_open(
    const char *folder, void **out, struct buf *marker, struct buf *schema)
{
	struct reader *t;
	MDB_env *env = NULL;
	size_t size = 0;
	int e, r;

	if ((r = check_head(folder, &size)) != 0)
		return r;
	if ((e = mdb_env_create(&env)) != 0)
		return fail(e, "open", folder);
	/* Map as much as there is, not what the file claims. */
	if ((e = mdb_env_set_maxdbs(env, DATABASES)) != 0 ||
	    (e = mdb_env_set_mapsize(env, size)) != 0 ||
	    (e = mdb_env_open(env, folder, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS,
		 0600)) != 0) {
		mdb_env_close(env);
		return fail(e, "open", folder);
	}
	t = xcalloc(1, sizeof(*t));
	t->env = env;
	if ((r = check_size(env, size, folder)) != 0 ||
	    (r = read_marker(t, folder, marker, schema)) != 0) {
		standalone_close(t);
		return r;
	}
	*out = t;
	return 0;
}

static void
standalone_cursor_close(void *ctx)
{
	struct cursor *c = ctx;

	if (c->rows != NULL)
		mdb_cursor_close(c->rows);
	if (c->txn != NULL)
		mdb_txn_abort(c->txn);
	free(c);
}

static int
standalone_cursor(void *ctx, void **out)
{
	struct reader *t = ctx;
	struct cursor *c = xcalloc(1, sizeof(*c));
	int e;

	c->reader = t;
	if ((e = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &c->txn)) != 0 ||
	    (e = mdb_cursor_open(c->txn, t->rows, &c->rows)) != 0) {
		standalone_cursor_close(c);
		return fail(e, "read", "");
	}
	*out = c;
	return 0;
}

static int
standalone_read(void *ctx, uint64_t number, struct span *out)
{
	struct cursor *c = ctx;
	uint64_t wanted = htobe64(number);
	MDB_val key = { sizeof(wanted), &wanted };
	MDB_val value;
	int e;

	e = mdb_cursor_get(c->rows, &key, &value,
	    c->is_placed && number == c->last + 1 ? MDB_NEXT : MDB_SET_KEY);
	c->is_placed = e == 0;
	if (e != 0)
		return err_set(ERR_FORMAT, "row %llu: %s",
		    (unsigned long long)number + 1, mdb_strerror(e));
	if (key.mv_size != sizeof(wanted) ||
	    memcmp(key.mv_data, &wanted, sizeof(wanted)) != 0) {
		c->is_placed = false;
		return err_set(ERR_FORMAT, "row %llu is missing",
		    (unsigned long long)number + 1);
	}
	c->last = number;
	*out = (struct span){ value.mv_data, value.mv_size };
	return 0;
}

static int
standalone_find(void *ctx, const void *id, size_t id_len, uint64_t *number,
    struct span *out)
{
	struct cursor *c = ctx;
	MDB_val key = { id_len, (void *)(uintptr_t)id };
	MDB_val value;
	uint64_t n;
	int e;

	e = mdb_get(c->txn, c->reader->ids, &key, &value);
	if (e == MDB_NOTFOUND)
		return err_set(ERR_NOT_FOUND, "no row has this id");
	if (e != 0 || value.mv_size != sizeof(n))
		return fail(e != 0 ? e : MDB_CORRUPTED, "read", "");
	memcpy(&n, value.mv_data, sizeof(n));
	*number = le64toh(n);
	n = htobe64(*number);
	key = (MDB_val){ sizeof(n), &n };
	if ((e = mdb_get(c->txn, c->reader->rows, &key, &value)) != 0)
		return fail(e, "read", "");
	*out = (struct span){ value.mv_data, value.mv_size };
	return 0;
}

static int
standalone_destroy(const char *folder)
{
	return fd_remove_tree(folder);
}

const struct storage_ops storage_standalone = {
	.name = "standalone",
	.create = standalone_create,
	.write = standalone_write,
	.seal = standalone_seal,
	.discard = standalone_discard,
	.open = standalone_open,
	.close = standalone_close,
	.cursor = standalone_cursor,
	.read = standalone_read,
	.find = standalone_find,
	.cursor_close = standalone_cursor_close,
	.destroy = standalone_destroy,
};
