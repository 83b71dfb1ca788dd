/*
 * Parts of models.  Written by shepherds at the end of their tasks and by
 * imports; read by fcgi-app.
 */
#include "lib/db/db_model.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define MODEL_COLS(X)                                                          \
	X(STR, model_id, "model_id")                                           \
	X(STR, model_version, "model_version")                                 \
	X(STR, role, "role")                                                   \
	X(STR, party_id, "party_id")
#define PART_COLS(X)                                                           \
	MODEL_COLS(X)                                                          \
	X(STR, component, "component")                                         \
	X(STR, alias, "alias")                                                 \
	X(STR, buffer_name, "buffer_name")                                     \
	X(STR, message, "message")                                             \
	X(STR, module, "module")                                               \
	X(INT, version, "version")                                             \
	X(INT, bytes, "bytes")                                                 \
	X(BIN, sha256, "sha256")                                               \
	X(MS, created_ms, "created_at")
#define WHOLE_COLS(X)                                                          \
	MODEL_COLS(X)                                                          \
	X(STR, component, "''")                                                \
	X(STR, alias, "''")                                                    \
	X(STR, buffer_name, "''")                                              \
	X(INT, bytes, "CAST(SUM(bytes) AS SIGNED)")                            \
	X(MS, created_ms, "MIN(created_at)")

#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_model_part, field) },
static const struct db_col part_cols[] = { PART_COLS(COL) };
static const struct db_col whole_cols[] = { WHOLE_COLS(COL) };
#undef COL
static const struct db_shape part_shape =
    DB_SHAPE(struct db_model_part, part_cols);
static const struct db_shape whole_shape =
    DB_SHAPE(struct db_model_part, whole_cols);

/*
 * Assignments are done from left to right: version, which the others compare
 * with, comes last.
 */
#define NEWER(column)                                                          \
	" " column " = IF(VALUES(version) >= version, VALUES(" column          \
	"), " column ")"
/* The formatter takes the macros between the texts for code. */
/* clang-format off */
static const struct db_stmt put = {
	"model.put", "sssssssssiib",
	"INSERT INTO model_part (model_id, model_version, role, party_id,"
	" component, alias, buffer_name, message, module, version, bytes,"
	" sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE" NEWER("model_id") "," NEWER("message") ","
	NEWER("module") "," NEWER("bytes") "," NEWER("sha256") ","
	" created_at = IF(VALUES(version) >= version, NOW(6), created_at),"
	" version = GREATEST(version, VALUES(version))"
};
/* clang-format on */
static const struct db_stmt list = { "model.list", "sssssss",
	"SELECT 1" PART_COLS(
	    DB_SQL) " FROM model_part"
		    " WHERE model_version = ? AND role = ? AND party_id = ?"
		    " AND (? IS NULL OR component = ?) AND (? IS NULL OR alias "
		    "= ?)"
		    " ORDER BY component, alias, buffer_name" };
static const struct db_stmt query = { "model.query", "ssssssss",
	"SELECT 1" WHOLE_COLS(
	    DB_SQL) " FROM model_part"
		    " WHERE (? IS NULL OR model_id = ?)"
		    " AND (? IS NULL OR model_version = ?) AND (? IS NULL OR "
		    "role = ?)"
		    " AND (? IS NULL OR party_id = ?)"
		    " GROUP BY model_version, role, party_id, model_id"
		    " ORDER BY model_version DESC, role, party_id" };
static const struct db_stmt object_used = { "model.object_used", "b",
	"SELECT EXISTS (SELECT 1 FROM model_part WHERE sha256 = ?)" };

int
db_model_put(struct db *db, const struct db_model_part *p)
{
	return db_exec(db, &put, NULL, p->model_id, p->model_version, p->role,
	    p->party_id, p->component, p->alias, p->buffer_name, p->message,
	    p->module, p->version, p->bytes, (const void *)p->sha256,
	    sizeof(p->sha256));
}

int
db_model_list(struct db *db, struct arena *a, const char *model_version,
    const char *role, const char *party_id, const char *component,
    const char *alias, struct db_model_part **rows, size_t *n)
{
	return db_select(db, &list, &part_shape, a, rows, n, model_version,
	    role, party_id, component, component, alias, alias);
}

int
db_model_query(struct db *db, struct arena *a, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    struct db_model_part **rows, size_t *n)
{
	return db_select(db, &query, &whole_shape, a, rows, n, model_id,
	    model_id, model_version, model_version, role, role, party_id,
	    party_id);
}

int
db_model_object_used(struct db *db, const unsigned char sha256[], bool *used)
{
	int64_t n;
	int r;

	r = db_query_int(
	    db, &object_used, &n, (const void *)sha256, (size_t)DB_HASH_SIZE);
	*used = n != 0;
	return r;
}
