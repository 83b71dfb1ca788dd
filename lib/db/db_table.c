/*
 * Meta of tables, and which task made which.  Written by fcgi-app (bind) and
 * shepherds (uploads, outputs).
 */
#include "lib/db/db_table.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_lineage.h"
#include "lib/db/db_tx.h"

#define TABLE_COLS(X)                                                          \
	X(STR, table_namespace, "namespace")                                   \
	X(STR, name, "name")                                                   \
	X(STR, engine, "engine")                                               \
	X(STR, folder, "folder")                                               \
	X(INT, partitions, "partitions")                                       \
	X(INT, row_count, "row_count")                                         \
	X(STR, id_delimiter, "id_delimiter")                                   \
	X(BOOL, have_head, "have_head")                                        \
	X(BOOL, extend_sid, "extend_sid")                                      \
	X(BOOL, auto_increasing_sid, "auto_increasing_sid")                    \
	X(STR, origin, "origin")                                               \
	X(BOOL, disabled, "disabled")                                          \
	X(STR, description, "description")                                     \
	X(STR, job_id, "job_id")                                               \
	X(MS, created_ms, "created_at")                                        \
	X(MS, updated_ms, "updated_at")
#define DOCUMENT_COLS(X)                                                       \
	X(STR, address, "address")                                             \
	X(STR, schema_json, "table_schema_json")                               \
	X(STR, preview, "preview")

static const struct db_col table_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_table, field) },
	TABLE_COLS(COL) DOCUMENT_COLS(COL)
#undef COL
};
static const struct db_shape table_shape =
    DB_SHAPE(struct db_table, table_cols);
/* Documents are the last of the columns: lists end before them. */
#define ONE(type, field, column) +1
static const struct db_shape list_shape = { sizeof(struct db_table), table_cols,
	0 TABLE_COLS(ONE) };
#undef ONE

static const struct db_stmt insert = { "table.insert", "sssssiisiiissssist",
	"INSERT INTO data_table (namespace, name, engine, address, folder,"
	" partitions, row_count, id_delimiter, have_head, extend_sid,"
	" auto_increasing_sid, table_schema_json, preview, origin,"
	" description, disabled, job_id, created_at)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	" COALESCE(?, NOW(6)))" };
/*
 * Rules are about names to the letter; "=" alone takes one with blanks behind
 * it for the same, which a rule about the table says nothing about.
 */
#define EXACTLY                                                                \
	" namespace = ? AND name = ? AND LENGTH(namespace) = LENGTH(?)"        \
	" AND LENGTH(name) = LENGTH(?)"
static const struct db_stmt folder_of = { "table.folder", "ssss",
	"SELECT 1, folder FROM data_table WHERE" EXACTLY " FOR UPDATE" };
static const struct db_stmt get = { "table.get", "ssss",
	"SELECT 1" TABLE_COLS(DB_SQL)
	    DOCUMENT_COLS(DB_SQL) " FROM data_table WHERE" EXACTLY };
static const struct db_stmt list = { "table.list", "ssssi",
	"SELECT 1" TABLE_COLS(
	    DB_SQL) " FROM data_table"
		    " WHERE (? IS NULL OR namespace = ?) AND (? IS NULL OR "
		    "name = ?)"
		    " AND (? = 0 OR disabled = 1)"
		    " ORDER BY created_at DESC, namespace, name" };
/*
 * Which tables a page has comes off an index; only their rows are read.  The
 * index is named: the server's guess depends on counts of before.  A namespace
 * that is equal to a constant would leave the order, and the statement, when it
 * is executed again without one, sort all.
 */
#define NEWEST "created_at DESC, namespace DESC, name DESC"
#define PAGE(index, chosen)                                                    \
	" FROM (SELECT t.namespace AS its_namespace, t.name AS its_name"       \
	" FROM data_table t FORCE INDEX (" index ") " chosen                   \
	" ORDER BY t.created_at DESC, t.namespace DESC, t.name DESC"           \
	" LIMIT ? OFFSET ?) k STRAIGHT_JOIN data_table FORCE INDEX (PRIMARY)"  \
	" ON namespace = its_namespace AND name = its_name ORDER BY " NEWEST
static const struct db_stmt page = { "table.page", "siii",
	"SELECT 1" TABLE_COLS(DB_SQL) PAGE("data_table_age",
	    "WHERE t.namespace = COALESCE(?, t.namespace)"
	    " AND (? = 1 OR t.origin <> 'output')") };

#define UPLOAD_COLS(X)                                                         \
	X(STR, job_id, "job_id")                                               \
	X(STR, table_namespace, "namespace")                                   \
	X(STR, name, "name")                                                   \
	X(INT, partitions, "partitions")                                       \
	X(INT, row_count, "row_count")                                         \
	X(STR, schema_json, "table_schema_json")                               \
	X(STR, notes,                                                          \
	    "(SELECT j.description FROM job j"                                 \
	    " WHERE j.job_id = data_table.job_id)")
static const struct db_col upload_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_upload, field) },
	UPLOAD_COLS(COL)
#undef COL
};
static const struct db_shape upload_shape =
    DB_SHAPE(struct db_upload, upload_cols);
#define UPLOADED                                                               \
	"STRAIGHT_JOIN job j FORCE INDEX (PRIMARY) ON j.job_id = t.job_id"     \
	" AND j.status = 'success' STRAIGHT_JOIN job_party p"                  \
	" FORCE INDEX (PRIMARY) ON p.job_id = t.job_id AND p.role = 'local'"   \
	" AND p.is_local = 1 WHERE t.origin = 'upload'"
static const struct db_stmt uploads = { "table.uploads", "ii",
	"SELECT 1" UPLOAD_COLS(DB_SQL) PAGE("data_table_age", UPLOADED) };
static const struct db_stmt uploads_of_job = { "table.uploads_of_job", "sii",
	"SELECT 1" UPLOAD_COLS(DB_SQL)
	    PAGE("data_table_job", UPLOADED " AND t.job_id = ?") };
static const struct db_stmt delete = { "table.delete", "ss",
	"DELETE FROM data_table WHERE namespace = ? AND name = ?" };
static const struct db_stmt set_disabled = { "table.set_disabled", "issss",
	"UPDATE data_table SET disabled = ? WHERE (? IS NULL OR namespace = ?)"
	" AND (? IS NULL OR name = ?)" };
static const struct db_stmt set_schema = { "table.set_schema", "sss",
	"UPDATE data_table SET table_schema_json = ?"
	" WHERE namespace = ? AND name = ?" };
static const struct db_stmt folder_used = { "table.folder_used", "ss",
	"SELECT EXISTS (SELECT 1 FROM data_table WHERE folder = ?)"
	" OR EXISTS (SELECT 1 FROM task_cache WHERE folder = ?)" };

struct folder_row {
	const char *folder;
};
static const struct db_col folder_cols[] = {
	{ DB_STR, offsetof(struct folder_row, folder) },
};
static const struct db_shape folder_shape =
    DB_SHAPE(struct folder_row, folder_cols);

struct putting {
	struct arena *arena;
	const struct db_table *t;
	bool replace;
	const char *old_folder;
};

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

static int
missing(const char *table_namespace, const char *name)
{
	return err_set(ERR_NOT_FOUND, "no table %.255s in namespace %.255s",
	    name, table_namespace);
}

static int
insert_table(struct db *db, const struct db_table *t)
{
	return db_exec(db, &insert, NULL, t->table_namespace, t->name,
	    text(t->engine), text(t->address), text(t->folder), t->partitions,
	    t->row_count, t->id_delimiter != NULL ? t->id_delimiter : ",",
	    (int64_t)t->have_head, (int64_t)t->extend_sid,
	    (int64_t)t->auto_increasing_sid,
	    t->schema_json != NULL ? t->schema_json : "{}", t->preview,
	    text(t->origin), t->description, (int64_t)t->disabled,
	    text(t->job_id), t->created_ms);
}

static int
put_tx(struct db *db, void *ctx)
{
	struct putting *p = ctx;
	struct folder_row *old;
	size_t n;
	int r;

	p->old_folder = NULL;
	if (p->replace) {
		if ((r = db_lineage_forget(
			 db, p->t->table_namespace, p->t->name)) != 0)
			return r;
		if ((r = db_select(db, &folder_of, &folder_shape, p->arena,
			 &old, &n, p->t->table_namespace, p->t->name,
			 p->t->table_namespace, p->t->name)) != 0)
			return r;
		if (n > 0)
			p->old_folder = old->folder;
		if (n > 0 && (r = db_exec(db, &delete, NULL,
				  p->t->table_namespace, p->t->name)) != 0)
			return r;
	}
	r = insert_table(db, p->t);
	if (r == ERR_EXISTS)
		return err_set(r, "table %s exists in namespace %s", p->t->name,
		    p->t->table_namespace);
	return r;
}

int
db_table_put(struct db *db, struct arena *a, const struct db_table *t,
    bool replace, const char **old_folder)
{
	struct putting p = { .arena = a, .t = t, .replace = replace };
	int r;

	r = db_tx(db, put_tx, &p);
	if (old_folder != NULL)
		*old_folder = r == 0 ? p.old_folder : NULL;
	return r;
}

int
db_table_get(struct db *db, struct arena *a, const char *table_namespace,
    const char *name, struct db_table **out)
{
	int r;

	r = db_select_one(db, &get, &table_shape, a, out, table_namespace, name,
	    table_namespace, name);
	return r == ERR_NOT_FOUND ? missing(table_namespace, name) : r;
}

int
db_table_list(struct db *db, struct arena *a, const char *table_namespace,
    const char *name, bool disabled_only, struct db_table **rows, size_t *n)
{
	return db_select(db, &list, &list_shape, a, rows, n, table_namespace,
	    table_namespace, name, name, (int64_t)disabled_only);
}

int
db_table_page(struct db *db, struct arena *a, const char *table_namespace,
    bool outputs, int64_t limit, int64_t offset, struct db_table **rows,
    size_t *n)
{
	return db_select(db, &page, &list_shape, a, rows, n, table_namespace,
	    (int64_t)outputs, limit, offset);
}

int
db_upload_list(struct db *db, struct arena *a, const char *job_id,
    int64_t limit, struct db_upload **rows, size_t *n)
{
	const int64_t offset = 0;

	if (job_id == NULL)
		return db_select(
		    db, &uploads, &upload_shape, a, rows, n, limit, offset);
	return db_select(db, &uploads_of_job, &upload_shape, a, rows, n, job_id,
	    limit, offset);
}

struct deleting {
	struct arena *arena;
	const char *table_namespace;
	const char *name;
	const char *old_folder;
};

static int
delete_tx(struct db *db, void *ctx)
{
	struct deleting *d = ctx;
	struct folder_row *old;
	int r;

	r = db_select_one(db, &folder_of, &folder_shape, d->arena, &old,
	    d->table_namespace, d->name, d->table_namespace, d->name);
	if (r != 0)
		return r == ERR_NOT_FOUND ? missing(d->table_namespace, d->name)
					  : r;
	d->old_folder = old->folder;
	if ((r = db_lineage_forget(db, d->table_namespace, d->name)) != 0)
		return r;
	return db_exec(db, &delete, NULL, d->table_namespace, d->name);
}

int
db_table_delete(struct db *db, struct arena *a, const char *table_namespace,
    const char *name, const char **old_folder)
{
	struct deleting d = { a, table_namespace, name, NULL };
	int r;

	r = db_tx(db, delete_tx, &d);
	if (old_folder != NULL)
		*old_folder = r == 0 ? d.old_folder : NULL;
	return r;
}

int
db_table_set_disabled(struct db *db, const char *table_namespace,
    const char *name, bool disabled, int64_t *n)
{
	return db_exec(db, &set_disabled, n, (int64_t)disabled, table_namespace,
	    table_namespace, name, name);
}

int
db_table_set_schema(struct db *db, const char *table_namespace,
    const char *name, const char *schema_json)
{
	int64_t n;
	int r;

	if ((r = db_exec(
		 db, &set_schema, &n, schema_json, table_namespace, name)) != 0)
		return r;
	return n == 1 ? 0 : missing(table_namespace, name);
}

int
db_table_folder_used(struct db *db, const char *folder, bool *used)
{
	int64_t n;
	int r;

	r = db_query_int(db, &folder_used, &n, folder, folder);
	*used = n != 0;
	return r;
}
