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
#include "lib/engine/standalone_private.h"

#define SCHEMA_MAX ((size_t)64 << 20)

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

int
standalone_fail(int error, const char *what, const char *folder)
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
	case ENOSPC:
	case EDQUOT:
		code = ERR_FULL;
		break;
	case ENOMEM:
		code = ERR_NOMEM;
		break;
	}
	return err_set(
	    code, "%s table %s: %s", what, folder, mdb_strerror(error));
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
		return standalone_fail(e, "open", folder);
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
		return standalone_fail(e, "open", folder);
	}
	/* Handles opened in a transaction stay valid when it commits. */
	e = mdb_txn_commit(txn);
	return e == 0 ? 0 : standalone_fail(e, "open", folder);
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
		return standalone_fail(e, "open", folder);
	/* Map as much as there is, not what the file claims. */
	if ((e = mdb_env_set_maxdbs(env, STANDALONE_DATABASES)) != 0 ||
	    (e = mdb_env_set_mapsize(env, size)) != 0 ||
	    (e = mdb_env_open(env, folder, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS,
		 0600)) != 0) {
		mdb_env_close(env);
		return standalone_fail(e, "open", folder);
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
		return standalone_fail(e, "read", "");
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
		return standalone_fail(e != 0 ? e : MDB_CORRUPTED, "read", "");
	memcpy(&n, value.mv_data, sizeof(n));
	*number = le64toh(n);
	n = htobe64(*number);
	key = (MDB_val){ sizeof(n), &n };
	if ((e = mdb_get(c->txn, c->reader->rows, &key, &value)) != 0)
		return standalone_fail(e, "read", "");
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
