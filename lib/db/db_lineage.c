/*
 * Ancestry of tables.  Written by shepherds, shown by fcgi-app.
 */
#include "lib/db/db_lineage.h"

#include "lib/base/err.h"
#include "lib/db/db_cols.h"

#define USE_COLS(X)                                                            \
	KEY_COLS(X, key., "")                                                  \
	X(INT, position, "position")                                           \
	X(STR, data_key, "data_key")                                           \
	X(STR, table_namespace, "namespace")                                   \
	X(STR, name, "name")
static const struct db_col use_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_table_use, field) },
	USE_COLS(COL)
#undef COL
};
static const struct db_shape use_shape =
    DB_SHAPE(struct db_table_use, use_cols);

static const struct db_col job_cols[] = {
	{ DB_STR, offsetof(struct db_table_job, job_id) },
};
static const struct db_shape job_shape =
    DB_SHAPE(struct db_table_job, job_cols);

#define LINEAGE_COLS(X)                                                        \
	X(STR, parent_namespace, "parent_namespace")                           \
	X(STR, parent_name, "parent_name")                                     \
	X(STR, source_namespace, "source_namespace")                           \
	X(STR, source_name, "source_name")
static const struct db_col lineage_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_lineage, field) },
	LINEAGE_COLS(COL)
#undef COL
};
static const struct db_shape lineage_shape =
    DB_SHAPE(struct db_lineage, lineage_cols);

static const struct db_stmt put_use = { "table_use.put", KEY_PARAMS "isss",
	"INSERT INTO table_use (job_id, component, version, role, party_id,"
	" position, data_key, namespace, name)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE data_key = VALUES(data_key),"
	" namespace = VALUES(namespace), name = VALUES(name)" };
static const struct db_stmt uses_of_job = { "table_use.of_job", "sssss",
	"SELECT 1" USE_COLS(
	    DB_SQL) " FROM table_use WHERE job_id = ?"
		    " AND (? IS NULL OR role = ?)"
		    " AND (? IS NULL OR party_id = ?)"
		    " ORDER BY component, version DESC, position" };
static const struct db_stmt jobs = { "table_use.jobs", "ss",
	"SELECT DISTINCT 1, job_id FROM table_use"
	" WHERE namespace = ? AND name = ? ORDER BY job_id DESC" };

/* A length in front of each name: no two lists of names look alike. */
#define HASH_OF(ns, name, pns, pname, sns, sname)                              \
	"UNHEX(SHA2(CONCAT(LENGTH(" ns "), ':', " ns ", LENGTH(" name          \
	"), ':', " name ", LENGTH(" pns "), ':', " pns ", LENGTH(" pname       \
	"), ':', " pname ", LENGTH(" sns "), ':', " sns ", " sname "), 256))"

#define INSERT_LINEAGE                                                         \
	"INSERT INTO table_lineage (row_hash, namespace, name,"                \
	" parent_namespace, parent_name, source_namespace, source_name,"       \
	" job_id) SELECT "
/* Also when it is there already a row counts as written. */
#define OR_KEEP_IT " ON DUPLICATE KEY UPDATE job_id = VALUES(job_id)"

static const struct db_stmt put_from_sources = { "lineage.from_sources",
	"sssssss",
	INSERT_LINEAGE HASH_OF("n.ns", "n.name", "n.pns", "n.pname",
	    "p.source_namespace",
	    "p.source_name") ", n.ns, n.name, n.pns, n.pname,"
			     " p.source_namespace, p.source_name, n.job"
			     " FROM (SELECT ? AS ns, ? AS name, ? AS pns,"
			     " ? AS pname, ? AS job) n"
			     " JOIN table_lineage p"
			     " ON p.namespace = ? AND p.name = ?" OR_KEEP_IT };
static const struct db_stmt put_from_parent = { "lineage.from_parent", "sssss",
	INSERT_LINEAGE HASH_OF("n.ns", "n.name", "n.pns", "n.pname", "n.pns",
	    "n.pname") ", n.ns, n.name, n.pns, n.pname, n.pns, n.pname, n.job"
		       " FROM (SELECT ? AS ns, ? AS name, ? AS pns,"
		       " ? AS pname, ? AS job) n" OR_KEEP_IT };
static const struct db_stmt list = { "lineage.list", "ss",
	"SELECT 1" LINEAGE_COLS(
	    DB_SQL) " FROM table_lineage WHERE namespace = ? AND name = ?"
		    " ORDER BY parent_namespace, parent_name,"
		    " source_namespace, source_name" };
static const struct db_stmt forget = { "lineage.forget", "ss",
	"DELETE FROM table_lineage WHERE namespace = ? AND name = ?" };

int
db_table_use_put(struct db *db, const struct db_table_use *u)
{
	return db_exec(db, &put_use, NULL, KEY_ARGS(&u->key), u->position,
	    u->data_key, u->table_namespace, u->name);
}

int
db_table_use_of_job(struct db *db, struct arena *a, const char *job_id,
    const char *role, const char *party_id, struct db_table_use **rows,
    size_t *n)
{
	return db_select(db, &uses_of_job, &use_shape, a, rows, n, job_id, role,
	    role, party_id, party_id);
}

int
db_table_jobs(struct db *db, struct arena *a, const char *table_namespace,
    const char *name, struct db_table_job **rows, size_t *n)
{
	return db_select(
	    db, &jobs, &job_shape, a, rows, n, table_namespace, name);
}

int
db_lineage_put(struct db *db, const char *table_namespace, const char *name,
    const char *parent_namespace, const char *parent_name, const char *job_id)
{
	int64_t n = 0;
	int r;

	r = db_exec(db, &put_from_sources, &n, table_namespace, name,
	    parent_namespace, parent_name, job_id, parent_namespace,
	    parent_name);
	if (r != 0 || n > 0)
		return r;
	return db_exec(db, &put_from_parent, NULL, table_namespace, name,
	    parent_namespace, parent_name, job_id);
}

int
db_lineage_list(struct db *db, struct arena *a, const char *table_namespace,
    const char *name, struct db_lineage **rows, size_t *n)
{
	return db_select(
	    db, &list, &lineage_shape, a, rows, n, table_namespace, name);
}

int
db_lineage_forget(struct db *db, const char *table_namespace, const char *name)
{
	return db_exec(db, &forget, NULL, table_namespace, name);
}
