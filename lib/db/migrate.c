/*
 * Applying the numbered SQL files and checking the schema.  Called by the
 * CLI's migrate and, for the check, by every program at its start.
 *
 * DDL commits by itself, so a file cannot be one transaction: its row counts
 * the statements done, and an interrupted file is continued behind the last.
 */
#include "lib/db/migrate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_rows.h"

#define FILE_MAX (16u << 20)
#define LOCK_NAME "sluice_migrate"
#define LOCK_WAIT_S 30
#define DIGITS 4 /* NNNN_name.sql */

struct file {
	int64_t version;
	char *name;
	struct buf text;
	unsigned char sha256[DB_BIN_SIZE];
};

struct files {
	struct file *v;
	size_t n;
};

/* A row of schema_migration. */
struct applied {
	int64_t version;
	const char *name;
	unsigned char sha256[DB_BIN_SIZE];
	int64_t statements;
	bool complete;
};

#define APPLIED_COLS(X)                                                        \
	X(INT, version, "version")                                             \
	X(STR, name, "name")                                                   \
	X(BIN, sha256, "sha256")                                               \
	X(INT, statements, "statements")                                       \
	X(BOOL, complete, "applied_at IS NOT NULL")

static const struct db_col applied_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct applied, field) },
	APPLIED_COLS(COL)
#undef COL
};
static const struct db_shape applied_shape =
    DB_SHAPE(struct applied, applied_cols);

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " version INT NOT NULL PRIMARY KEY,"
    " name VARCHAR(200) NOT NULL,"
    " sha256 BINARY(32) NOT NULL,"
    " statements INT NOT NULL DEFAULT 0,"
    " applied_at DATETIME(6) NULL"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
static const struct db_stmt list_applied = { "migration.list", "",
	"SELECT 1" APPLIED_COLS(
	    DB_SQL) " FROM schema_migration ORDER BY version" };
static const struct db_stmt begin_file = { "migration.begin", "isbsb",
	"INSERT INTO schema_migration (version, name, sha256) VALUES (?, ?, ?)"
	" ON DUPLICATE KEY UPDATE name = ?, sha256 = ?" };
static const struct db_stmt count_statement = { "migration.count", "ii",
	"UPDATE schema_migration SET statements = ? WHERE version = ?" };
static const struct db_stmt finish_file = { "migration.finish", "i",
	"UPDATE schema_migration SET applied_at = NOW(6) WHERE version = ?" };
static const struct db_stmt have_table = {
	"migration.table", "",
	"SELECT COUNT(*) FROM information_schema.tables"
	" WHERE table_schema = DATABASE() AND table_name = 'schema_migration'"
};

static void
files_fini(struct files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].name);
		buf_fini(&f->v[i].text);
	}
	free(f->v);
	f->v = NULL;
	f->n = 0;
}

/* "0001_init.sql" → 1; 0 for files that are no migrations (grants.sql). */
static int64_t
version_of(const char *name)
{
	size_t len = strlen(name);
	int64_t v = 0;

	if (len < DIGITS + 5 || strcmp(name + len - 4, ".sql") != 0)
		return 0;
	for (int i = 0; i < DIGITS; i++) {
		if (!isdigit((unsigned char)name[i]))
			return 0;
		v = v * 10 + (name[i] - '0');
	}
	return name[DIGITS] == '_' ? v : 0;
}

static int
by_version(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->version < y->version ? -1 : x->version > y->version;
}

static int
read_file(const char *folder, struct file *f)
{
	char *path = xasprintf("%s/%s", folder, f->name);
	int r;

	r = buf_read_file(&f->text, path, FILE_MAX);
	free(path);
	if (r != 0)
		return err_wrap("%s", f->name);
	if (memchr(buf_str(&f->text), '\0', f->text.len) != NULL)
		return err_set(ERR_FORMAT, "%s holds a NUL", f->name);
	(void)crypto_hash_sha256(
	    f->sha256, (const unsigned char *)buf_str(&f->text), f->text.len);
	return 0;
}

static int
list_folder(const char *folder, struct files *out)
{
	struct dirent *e;
	int64_t version;
	DIR *d;

	if ((d = opendir(folder)) == NULL)
		return err_set_errno(ERR_IO, "%s", folder);
	while ((e = readdir(d)) != NULL) {
		if ((version = version_of(e->d_name)) == 0)
			continue;
		out->v = xrealloc(out->v, (out->n + 1) * sizeof(*out->v));
		out->v[out->n++] = (struct file){ .version = version,
			.name = xstrdup(e->d_name) };
	}
	closedir(d);
	return out->n > 0 ? 0
			  : err_set(ERR_FORMAT, "no migrations in %s", folder);
}

static int
read_folder(const char *folder, struct files *out)
{
	int r;

	if ((r = list_folder(folder, out)) != 0)
		return r;
	qsort(out->v, out->n, sizeof(*out->v), by_version);
	for (size_t i = 0; i < out->n; i++) {
		if (out->v[i].version != (int64_t)i + 1)
			return err_set(ERR_FORMAT,
			    "%s: number %zu is missing "
			    "or there twice",
			    folder, i + 1);
		if ((r = read_file(folder, &out->v[i])) != 0)
			return r;
	}
	return 0;
}

/* What was applied must be what the folder holds, from the first on. */
static int
check_applied(const struct files *f, const struct applied *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].version != (int64_t)i + 1)
			return err_set(ERR_CONFLICT,
			    "migration %s was "
			    "applied before number %zu",
			    rows[i].name, i + 1);
		if (i >= f->n)
			return err_set(ERR_CONFLICT,
			    "migration %s was applied "
			    "but its file is missing",
			    rows[i].name);
		if (!rows[i].complete && i + 1 < n)
			return err_set(ERR_CONFLICT,
			    "migration %s was left "
			    "before its end",
			    rows[i].name);
		if (!rows[i].complete)
			continue; /* may be repaired and continued */
		if (strcmp(rows[i].name, f->v[i].name) != 0)
			return err_set(ERR_CONFLICT,
			    "migration %s was applied "
			    "as %s",
			    f->v[i].name, rows[i].name);
		if (memcmp(rows[i].sha256, f->v[i].sha256, DB_BIN_SIZE) != 0)
			return err_set(ERR_CONFLICT,
			    "migration %s was changed "
			    "after it was applied",
			    rows[i].name);
	}
	return 0;
}

static int
apply_file(struct db *db, const struct file *f, int64_t done)
{
	const char *text = buf_str(&f->text), *start;
	int64_t k = 0;
	size_t len;
	int r;

	if ((r = db_exec(db, &begin_file, NULL, f->version, f->name,
		 (const void *)f->sha256, (size_t)DB_BIN_SIZE, f->name,
		 (const void *)f->sha256, (size_t)DB_BIN_SIZE)) != 0)
		return r;
	while ((r = sql_next_statement(&text, &start, &len)) == 1) {
		if (++k <= done)
			continue;
		if ((r = db_run_script_statement(db, start, len)) != 0)
			return err_wrap(
			    "%s: statement %lld", f->name, (long long)k);
		if ((r = db_exec(db, &count_statement, NULL, k, f->version)) !=
		    0)
			return r;
	}
	if (r != 0)
		return err_wrap("%s", f->name);
	log_info("migration %s applied", f->name);
	return db_exec(db, &finish_file, NULL, f->version);
}

static int
migrate_locked(struct db *db, const struct files *f, int *count)
{
	struct arena *a = arena_new();
	struct applied *rows;
	size_t n, first;
	int64_t done;
	int r;

	if ((r = db_run_script_statement(
		 db, create_sql, sizeof(create_sql) - 1)) != 0)
		goto out;
	if ((r = db_select(db, &list_applied, &applied_shape, a, &rows, &n)) !=
	    0)
		goto out;
	if ((r = check_applied(f, rows, n)) != 0)
		goto out;
	first = n > 0 && !rows[n - 1].complete ? n - 1 : n;
	for (size_t i = first; i < f->n; i++) {
		done = i < n ? rows[i].statements : 0;
		if ((r = apply_file(db, &f->v[i], done)) != 0)
			goto out;
		++*count;
	}
out:
	arena_free(a);
	return r;
}

int
db_migrate(struct db *db, const char *folder, int *applied)
{
	struct files f = { NULL, 0 };
	int r;

	*applied = 0;
	if ((r = read_folder(folder, &f)) != 0)
		goto out;
	if ((r = db_named_lock(db, LOCK_NAME, LOCK_WAIT_S)) != 0)
		goto out;
	r = migrate_locked(db, &f, applied);
	db_named_unlock(db, LOCK_NAME);
out:
	files_fini(&f);
	return r;
}

bool
db_schema_is_newer(struct db *db)
{
	struct arena *a = arena_new();
	struct applied *rows;
	size_t n = 0;
	int r = db_select(db, &list_applied, &applied_shape, a, &rows, &n);

	arena_free(a);
	if (r != 0)
		err_clear();
	return r == 0 && n > DB_SCHEMA_VERSION;
}

int
db_schema_check(struct db *db)
{
	struct arena *a = arena_new();
	struct applied *rows;
	int64_t have;
	size_t n = 0;
	int r;

	if ((r = db_query_int(db, &have_table, &have)) != 0)
		goto out;
	if (have != 0 && (r = db_select(db, &list_applied, &applied_shape, a,
			      &rows, &n)) != 0)
		goto out;
	if (n > 0 && !rows[n - 1].complete)
		r = err_set(ERR_CONFLICT,
		    "migration %s was left before its "
		    "end: run migrate",
		    rows[n - 1].name);
	else if (n < DB_SCHEMA_VERSION)
		r = err_set(ERR_CONFLICT,
		    "the schema has version %zu, this "
		    "program needs %d: run migrate",
		    n, DB_SCHEMA_VERSION);
	else if (n > DB_SCHEMA_VERSION)
		r = err_set(ERR_CONFLICT,
		    "the schema has version %zu, newer "
		    "than this program (%d)",
		    n, DB_SCHEMA_VERSION);
out:
	arena_free(a);
	return r;
}
