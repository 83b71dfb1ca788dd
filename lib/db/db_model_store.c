/*
 * Archives of models in a database.  Called by lib/store.
 */
#include "lib/db/db_model_store.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/db/db_tx.h"

/* Base64 of it stays well below the server's max_allowed_packet. */
#define SLICE ((size_t)4 << 20)
#define SLICE_MAX ((size_t)64 << 20) /* of others, as text */
#define SLICES_MAX 1000000

/*
 * Names and types are the classic platform's, but for the length of the
 * model's id, which it makes too short for many parties.
 */
static const struct db_stmt make_slices = { "archive.make_slices", "",
	"CREATE TABLE IF NOT EXISTS t_machine_learning_model ("
	" f_create_time BIGINT NULL, f_create_date DATETIME NULL,"
	" f_update_time BIGINT NULL, f_update_date DATETIME NULL,"
	" f_model_id VARCHAR(255) NOT NULL, f_model_version VARCHAR(100)"
	" NOT NULL, f_size BIGINT NOT NULL, f_content LONGTEXT NULL,"
	" f_slice_index INT NOT NULL,"
	" PRIMARY KEY (f_model_id, f_model_version, f_slice_index))"
	" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin" };
/* What that table has no place for. */
static const struct db_stmt make_sums = { "archive.make_sums", "",
	"CREATE TABLE IF NOT EXISTS sluice_model_archive ("
	" model_id VARCHAR(255) NOT NULL, model_version VARCHAR(100) NOT NULL,"
	" bytes BIGINT NOT NULL, slices INT NOT NULL, sha256 CHAR(64) NOT NULL,"
	" stored_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),"
	" PRIMARY KEY (model_id, model_version))"
	" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin" };
static const struct db_stmt count = { "archive.count", "ss",
	"SELECT COUNT(*) FROM t_machine_learning_model"
	" WHERE f_model_id = ? AND f_model_version = ?" };
static const struct db_stmt drop_slices = { "archive.drop_slices", "ss",
	"DELETE FROM t_machine_learning_model"
	" WHERE f_model_id = ? AND f_model_version = ?" };
static const struct db_stmt put_slice = { "archive.put_slice", "ssisi",
	"INSERT INTO t_machine_learning_model (f_create_time, f_create_date,"
	" f_update_time, f_update_date, f_model_id, f_model_version, f_size,"
	" f_content, f_slice_index) VALUES (UNIX_TIMESTAMP() * 1000, NOW(),"
	" UNIX_TIMESTAMP() * 1000, NOW(), ?, ?, ?, ?, ?)" };
static const struct db_stmt put_sum = { "archive.put_sum", "ssiis",
	"REPLACE INTO sluice_model_archive (model_id, model_version, bytes,"
	" slices, sha256) VALUES (?, ?, ?, ?, ?)" };
static const struct db_stmt get_slice = { "archive.get_slice", "ssi",
	"SELECT f_content FROM t_machine_learning_model"
	" WHERE f_model_id = ? AND f_model_version = ?"
	" AND f_slice_index = ?" };
static const struct db_stmt get_sum = { "archive.get_sum", "ss",
	"SELECT slices, sha256 FROM sluice_model_archive"
	" WHERE model_id = ? AND model_version = ?" };

int
db_archive_tables(struct db *db)
{
	int r;

	if ((r = db_exec(db, &make_slices, NULL)) != 0)
		return r;
	return db_exec(db, &make_sums, NULL);
}

/* --- put --- */

struct putting {
	const struct db_archive *a;
	int fd;
	bool force;
};

static int
read_at(int fd, char *to, size_t len, int64_t at)
{
	ssize_t n;

	while (len > 0) {
		n = pread(fd, to, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(ERR_IO, "the archive ends early");
		to += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
put_slices(struct db *db, const struct putting *p, int64_t *slices)
{
	const struct db_archive *a = p->a;
	struct buf raw = BUF_INIT, text = BUF_INIT;
	int64_t at, left;
	size_t n;
	int r = 0;

	*slices = 0;
	for (at = 0; r == 0 && at < a->bytes; at += (int64_t)n) {
		left = a->bytes - at;
		n = left < (int64_t)SLICE ? (size_t)left : SLICE;
		buf_clear(&raw);
		buf_clear(&text);
		if ((r = read_at(p->fd, buf_reserve(&raw, n), n, at)) != 0)
			break;
		str_base64(&text, raw.data, n);
		r = db_exec(db, &put_slice, NULL, a->model_id, a->model_version,
		    (int64_t)n, buf_str(&text), (*slices)++);
	}
	buf_fini(&raw);
	buf_fini(&text);
	return r;
}

static int
put_tx(struct db *db, void *ctx)
{
	const struct putting *p = ctx;
	const struct db_archive *a = p->a;
	char hex[2 * sizeof(a->sha256) + 1];
	int64_t n;
	int r;

	if ((r = db_query_int(db, &count, &n, a->model_id, a->model_version)) !=
	    0)
		return r;
	if (n > 0 && !p->force)
		return err_set(ERR_EXISTS,
		    "version %s of %s is in the store already; force_update "
		    "replaces it",
		    a->model_version, a->model_id);
	if ((r = db_exec(
		 db, &drop_slices, NULL, a->model_id, a->model_version)) != 0 ||
	    (r = put_slices(db, p, &n)) != 0)
		return r;
	str_to_hex(a->sha256, sizeof(a->sha256), hex);
	return db_exec(db, &put_sum, NULL, a->model_id, a->model_version,
	    a->bytes, n, hex);
}

int
db_archive_put(struct db *db, const struct db_archive *a, int fd, bool force)
{
	struct putting p = { a, fd, force };

	return db_tx(db, put_tx, &p);
}

/* --- get --- */

struct getting {
	struct db_archive *a;
	int fd;
	int64_t slices; /* from the sum; -1: not known */
	struct buf raw;
};

static int
on_sum(const struct db_row *row, void *ctx)
{
	struct getting *g = ctx;
	const char *hex = db_row_str(row, 1);

	g->slices = db_row_int(row, 0);
	if (hex == NULL ||
	    str_from_hex(hex, g->a->sha256, sizeof(g->a->sha256)) != 0)
		return err_set(ERR_FORMAT, "the stored SHA-256 is none");
	g->a->has_sha256 = true;
	return 0;
}

static int
on_slice(const struct db_row *row, void *ctx)
{
	struct getting *g = ctx;
	const char *text;
	size_t len;
	int r;

	text = db_row_blob(row, 0, &len);
	if (text == NULL || len > SLICE_MAX)
		return err_set(ERR_FORMAT, "a stored slice is empty or large");
	buf_clear(&g->raw);
	if ((r = str_unbase64(&g->raw, text, len)) != 0)
		return err_wrap("a stored slice");
	g->a->bytes += (int64_t)g->raw.len;
	return fd_write_all(g->fd, g->raw.data, g->raw.len);
}

static int
get_slices(struct db *db, struct getting *g, int64_t n)
{
	const struct db_archive *a = g->a;
	int64_t found;
	int r = 0;

	for (int64_t i = 0; r == 0 && i < n; i++) {
		r = db_query(db, &get_slice, on_slice, g, &found, a->model_id,
		    a->model_version, i);
		if (r == 0 && found != 1)
			r = err_set(ERR_FORMAT,
			    "slice %lld of %lld of the stored archive is "
			    "missing",
			    (long long)i, (long long)n);
	}
	return r;
}

int
db_archive_get(struct db *db, struct db_archive *a, int fd)
{
	struct getting g = { .a = a, .fd = fd, .slices = -1 };
	int64_t n;
	int r;

	a->bytes = 0;
	a->has_sha256 = false;
	if ((r = db_query_int(db, &count, &n, a->model_id, a->model_version)) !=
		0 ||
	    (r = db_query(db, &get_sum, on_sum, &g, NULL, a->model_id,
		 a->model_version)) != 0)
		return r;
	if (n == 0)
		return err_set(ERR_NOT_FOUND,
		    "version %s of %s is not in the store", a->model_version,
		    a->model_id);
	if (n > SLICES_MAX || (g.slices >= 0 && g.slices != n))
		return err_set(ERR_FORMAT,
		    "the stored archive has %lld slices, %lld were put there",
		    (long long)n, (long long)g.slices);
	r = get_slices(db, &g, n);
	buf_fini(&g.raw);
	return r;
}
