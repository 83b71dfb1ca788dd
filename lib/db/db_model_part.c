/*
 * Parts of models.  Written by shepherds at the end of their tasks, by
 * lib/party and by imports; read by fcgi-app and shepherds.
 */
#include "lib/db/db_model_part.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define PART_COLS(X)                                                           \
	X(STR, model_id, "p.model_id")                                         \
	X(STR, model_version, "p.model_version")                               \
	X(STR, role, "p.role")                                                 \
	X(STR, party_id, "p.party_id")                                         \
	X(STR, component, "p.component")                                       \
	X(STR, alias, "p.alias")                                               \
	X(STR, buffer_name, "p.buffer_name")                                   \
	X(STR, message, "p.message")                                           \
	X(STR, module, "p.module")                                             \
	X(INT, version, "p.version")                                           \
	X(INT, bytes, "p.bytes")                                               \
	X(BIN, sha256, "p.sha256")                                             \
	X(BOOL, sealed, "p.sealed")                                            \
	X(MS, created_ms, "p.created_at")

#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_model_part, field) },
static const struct db_col part_cols[] = { PART_COLS(COL) };
#undef COL
static const struct db_shape part_shape =
    DB_SHAPE(struct db_model_part, part_cols);

#define KEY_WHERE                                                              \
	" model_id = ? AND model_version = ? AND role = ? AND party_id = ?"
#define KEY_ARGS(k) (k)->model_id, (k)->model_version, (k)->role, (k)->party_id
#define PART_ORDER " ORDER BY p.component, p.alias, p.buffer_name, p.version"

/* What is sealed stays what it was. */
#define OPEN(column) " " column " = IF(sealed, " column ", VALUES(" column "))"
/* The formatter takes the macros between the texts for code. */
/* clang-format off */
static const struct db_stmt put = {
	"model_part.put", "sssssssssiib",
	"INSERT INTO model_part (model_id, model_version, role, party_id,"
	" component, alias, buffer_name, message, module, version, bytes,"
	" sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE" OPEN("message") "," OPEN("module") ","
	OPEN("bytes") "," OPEN("sha256") ","
	" created_at = IF(sealed, created_at, NOW(6))"
};
/* clang-format on */
static const struct db_stmt newest = { "model_part.newest", "sssssssss",
	"SELECT 1" PART_COLS(
	    DB_SQL) " FROM model_part p"
		    " WHERE p.model_version = ? AND p.role = ?"
		    " AND p.party_id = ? AND (? IS NULL OR p.model_id = ?)"
		    " AND (? IS NULL OR p.component = ?)"
		    " AND (? IS NULL OR p.alias = ?)"
		    " AND p.version = (SELECT MAX(q.version) FROM model_part q"
		    "  WHERE q.model_version = p.model_version"
		    "  AND q.role = p.role AND q.party_id = p.party_id"
		    "  AND q.component = p.component"
		    "  AND q.model_id = p.model_id)" PART_ORDER };
static const struct db_stmt list_sealed = {
	"model_part.sealed", "ssssss",
	"SELECT 1" PART_COLS(
	    DB_SQL) " FROM model_part p WHERE" KEY_WHERE
		    " AND p.sealed = 1 AND (? IS NULL OR p.component = ?)" PART_ORDER
};
static const struct db_stmt list_all = { "model_part.all", "ssss",
	"SELECT 1" PART_COLS(
	    DB_SQL) " FROM model_part p WHERE" KEY_WHERE PART_ORDER };
static const struct db_stmt object_used = { "model_part.object_used", "bb",
	"SELECT EXISTS (SELECT 1 FROM model_part WHERE sha256 = ?)"
	" OR EXISTS (SELECT 1 FROM checkpoint_part WHERE sha256 = ?)" };

int
db_model_part_put(struct db *db, const struct db_model_part *p)
{
	return db_exec(db, &put, NULL, KEY_ARGS(p), p->component, p->alias,
	    p->buffer_name, p->message, p->module, p->version, p->bytes,
	    (const void *)p->sha256, sizeof(p->sha256));
}

int
db_model_part_newest(struct db *db, struct arena *a, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    const char *component, const char *alias, struct db_model_part **rows,
    size_t *n)
{
	return db_select(db, &newest, &part_shape, a, rows, n, model_version,
	    role, party_id, model_id, model_id, component, component, alias,
	    alias);
}

int
db_model_part_sealed(struct db *db, struct arena *a,
    const struct db_model_key *k, const char *component,
    struct db_model_part **rows, size_t *n)
{
	return db_select(db, &list_sealed, &part_shape, a, rows, n, KEY_ARGS(k),
	    component, component);
}

int
db_model_part_all(struct db *db, struct arena *a, const struct db_model_key *k,
    struct db_model_part **rows, size_t *n)
{
	return db_select(db, &list_all, &part_shape, a, rows, n, KEY_ARGS(k));
}

int
db_model_object_used(struct db *db, const unsigned char sha256[], bool *used)
{
	int64_t n;
	int r;

	r = db_query_int(db, &object_used, &n, (const void *)sha256,
	    (size_t)DB_HASH_SIZE, (const void *)sha256, (size_t)DB_HASH_SIZE);
	*used = n != 0;
	return r;
}

/* --- seal, delete --- */

static const struct db_stmt unmark = { "model_part.unmark", "ssss",
	"UPDATE model_part SET sealed = 0 WHERE" KEY_WHERE };
static const struct db_stmt mark = { "model_part.mark", "sssssssibi",
	"UPDATE model_part SET sealed = 1 WHERE" KEY_WHERE
	" AND component = ? AND alias = ? AND buffer_name = ?"
	" AND version = ? AND sha256 = ? AND bytes = ?" };
static const struct db_stmt deletes[] = {
	[DB_MODEL_PARTS_ALL] = { "model_part.delete", "ssss",
	    "DELETE FROM model_part WHERE" KEY_WHERE },
	[DB_MODEL_PARTS_STAGED] = { "model_part.delete_staged", "ssss",
	    "DELETE FROM model_part WHERE" KEY_WHERE " AND sealed = 0" },
	[DB_MODEL_PARTS_PIPELINE] = { "model_part.delete_pipeline", "ssss",
	    "DELETE FROM model_part WHERE" KEY_WHERE
	    " AND sealed = 0 AND component = '" DB_MODEL_PIPELINE "'" },
};

int
db_model_part_seal(struct db *db, const struct db_model_key *k,
    const struct db_model_part *parts, size_t n)
{
	int64_t found;
	int r;

	if ((r = db_exec(db, &unmark, NULL, KEY_ARGS(k))) != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct db_model_part *p = &parts[i];

		if ((r = db_exec(db, &mark, &found, KEY_ARGS(k), p->component,
			 p->alias, p->buffer_name, p->version,
			 (const void *)p->sha256, sizeof(p->sha256),
			 p->bytes)) != 0)
			return r;
		if (found != 1)
			return err_set(ERR_CONFLICT,
			    "part %.100s.%.100s %.100s of the manifest is not "
			    "registered here",
			    p->component, p->alias, p->buffer_name);
	}
	return db_model_part_delete(db, k, DB_MODEL_PARTS_STAGED);
}

int
db_model_part_delete(
    struct db *db, const struct db_model_key *k, enum db_model_parts which)
{
	return db_exec(db, &deletes[which], NULL, KEY_ARGS(k));
}
