/*
 * Writing a table.  Called as storage_standalone.
 */
#include "lib/engine/standalone_private.h"

#include <endian.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/engine/id_runs.h"

enum {
	MAP_FIRST = 16 << 20,	/* grows by doubling */
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

static void
writer_free(struct writer *w)
{
	if (w->env != NULL)
		mdb_env_close(w->env);
	id_runs_free(w->runs);
	free(w->folder);
	free(w);
}

void
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

int
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
	    (e = mdb_env_set_maxdbs(w->env, STANDALONE_DATABASES)) != 0 ||
	    (e = mdb_env_set_mapsize(w->env, w->map_size)) != 0 ||
	    (e = mdb_env_open(w->env, folder, MDB_NOLOCK | MDB_NOSYNC, 0600)) !=
		0 ||
	    (e = open_databases(w)) != 0) {
		standalone_discard(w);
		return standalone_fail(e, "create", folder);
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

int
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
		      : standalone_fail(e, "write", w->folder);
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
	return e == 0 ? 0 : standalone_fail(e, "index", x->w->folder);
}

static int
index_ids(struct writer *w, uint64_t *old, uint64_t *new)
{
	struct indexing x = { .w = w, .left = id_runs_bytes(w->runs) };
	int e, r;

	if ((e = make_room(&x)) != 0 || (e = begin_ids(&x)) != 0) {
		r = standalone_fail(e, "index", w->folder);
	} else {
		r = id_runs_merge(w->runs, put_id, &x, old, new);
		if (r == 0 && (e = commit_ids(&x)) != 0)
			r = standalone_fail(e, "index", w->folder);
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

int
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
		r = standalone_fail(e, "seal", w->folder);
		standalone_discard(w);
		return r;
	}
	r = fd_sync_dir(w->folder);
	writer_free(w);
	return r;
}
