/*
 * Output tables of tasks.  Written by shepherds with the end of their tasks.
 */
#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_often.h"
#include "lib/db/db_table.h"

#define OUTPUT_COLS(X)                                                         \
	KEY_COLS(X, key., "o.")                                                \
	X(STR, data_name, "o.data_name")                                       \
	X(INT, position, "o.position")                                         \
	X(STR, table_namespace, "o.namespace")                                 \
	X(STR, name, "o.name")                                                 \
	X(MS, created_ms, "o.created_at")

static const struct db_col output_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_output, field) },
	OUTPUT_COLS(COL)
#undef COL
};
static const struct db_shape output_shape =
    DB_SHAPE(struct db_output, output_cols);

static const struct db_stmt put = { "output.put", KEY_PARAMS "siss",
	"INSERT INTO task_output (job_id, component, version, role, party_id,"
	" data_name, position, namespace, name)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE position = VALUES(position),"
	" namespace = VALUES(namespace), name = VALUES(name)" };
static const struct db_stmt list = { "output.list", KEY_PARAMS,
	"SELECT 1" OUTPUT_COLS(DB_SQL) " FROM task_output o WHERE" KEY_WHERE
				       " ORDER BY o.position, o.data_name" };
/*
 * Versions that made nothing (still running, failed) do not hide older ones.
 * Rules are about names to the letter, as in db_table.c.
 */
static const struct db_stmt newest = { "output.newest", "ssssssssssss",
	"SELECT 1" OUTPUT_COLS(
	    DB_SQL) " FROM task_output o"
		    " WHERE o.job_id = ? AND o.component = ? AND o.role = ?"
		    " AND o.party_id = ? AND (? IS NULL OR o.data_name = ?)"
		    " AND o.version = (SELECT MAX(v.version) FROM task_output v"
		    "  WHERE v.job_id = ? AND v.component = ? AND v.role = ?"
		    "  AND v.party_id = ?)"
		    " AND LENGTH(o.job_id) = LENGTH(?)"
		    " AND LENGTH(o.component) = LENGTH(?)"
		    " ORDER BY o.position, o.data_name" };
static const struct db_stmt of_job = { "output.of_job", "sssssss",
	"SELECT 1" OUTPUT_COLS(
	    DB_SQL) " FROM task_output o"
		    " WHERE o.job_id = ? AND (? IS NULL OR o.component = ?)"
		    " AND (? IS NULL OR o.role = ?) AND (? IS NULL OR "
		    "o.party_id = ?)"
		    " ORDER BY o.component, o.version DESC, o.role, o.party_id,"
		    " o.position" };
struct component_row {
	const char *component;
};
static const struct db_col component_cols[] = {
	{ DB_STR, offsetof(struct component_row, component) },
};
static const struct db_shape component_shape =
    DB_SHAPE(struct component_row, component_cols);
static const struct db_stmt gone = { "output.gone", "s",
	"SELECT DISTINCT 1, o.component FROM task_output o"
	" JOIN task t ON t.job_id = o.job_id AND t.component = o.component"
	"  AND t.version = o.version AND t.role = o.role"
	"  AND t.party_id = o.party_id"
	" LEFT JOIN data_table d ON d.namespace = o.namespace"
	"  AND d.name = o.name"
	" WHERE o.job_id = ? AND d.name IS NULL AND t.run_here = 1"
	" AND NOT EXISTS (SELECT 1 FROM task v WHERE v.job_id = t.job_id"
	"  AND v.component = t.component AND v.role = t.role"
	"  AND v.party_id = t.party_id AND v.version > t.version)" };

int
db_output_put(struct db *db, const struct db_output *o)
{
	return db_exec(db, &put, NULL, KEY_ARGS(&o->key), o->data_name,
	    o->position, o->table_namespace, o->name);
}

int
db_output_list(struct db *db, struct arena *a, const struct db_task_key *k,
    struct db_output **rows, size_t *n)
{
	return db_select(db, &list, &output_shape, a, rows, n, KEY_ARGS(k));
}

int
db_output_newest(struct db *db, struct arena *a, const char *job_id,
    const char *component, const char *role, const char *party_id,
    const char *data_name, struct db_output **rows, size_t *n)
{
	return db_select(db, &newest, &output_shape, a, rows, n, job_id,
	    component, role, party_id, data_name, data_name, job_id, component,
	    role, party_id, job_id, component);
}

int
db_output_of_job(struct db *db, struct arena *a, const char *job_id,
    const char *component, const char *role, const char *party_id,
    struct db_output **rows, size_t *n)
{
	return db_select(db, &of_job, &output_shape, a, rows, n, job_id,
	    component, component, role, role, party_id, party_id);
}

/* The shape of a row is that of a plain array of strings. */
int
db_output_gone(struct db *db, struct arena *a, const char *job_id,
    const char ***components, size_t *n)
{
	return db_select(db, &gone, &component_shape, a, components, n, job_id);
}

const struct db_stmt *const db_output_often[] = { &list, &newest, &put, NULL };
