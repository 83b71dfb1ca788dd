/*
 * The permission tree's rows.  Written by the operator's commands and by
 * admins' requests, matched by lib/party.
 */
#include "lib/db/db_permission.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_rows.h"
#include "lib/json/json.h"

#define RULE_COLS(X)                                                           \
	X(INT, id, "p.id")                                                     \
	X(STR, leaf.party_id, "p.party_id")                                    \
	X(STR, leaf.src_role, "p.src_role")                                    \
	X(STR, leaf.kind, "p.kind")                                            \
	X(STR, leaf.subject, "p.subject")                                      \
	X(STR, leaf.detail, "p.detail")                                        \
	X(STR, bound, "p.bound")                                               \
	X(MS, valid_from_ms, "p.valid_from")                                   \
	X(MS, valid_until_ms, "p.valid_until")                                 \
	X(BOOL, is_early, "COALESCE(p.valid_from > NOW(6), 0)")                \
	X(BOOL, is_late, "COALESCE(p.valid_until <= NOW(6), 0)")               \
	X(BOOL, has_uses, "p.uses_left IS NOT NULL")                           \
	X(INT, uses_left, "p.uses_left")                                       \
	X(STR, approval_by, "p.approval_by")                                   \
	X(INT, approval_within_s, "p.approval_within_s")                       \
	X(STR, created_by, "p.created_by")                                     \
	X(MS, created_ms, "p.created_at")

static const struct db_col rule_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_permission, field) },
	RULE_COLS(COL)
#undef COL
};
static const struct db_shape rule_shape =
    DB_SHAPE(struct db_permission, rule_cols);

static const struct db_stmt put = { "permission.put", "ssssssttIsIs",
	"INSERT INTO permission (party_id, src_role, kind, subject, detail,"
	" bound, valid_from, valid_until, uses_left, approval_by,"
	" approval_within_s, created_by)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 200), ?, LEFT(?, 200))"
	" ON DUPLICATE KEY UPDATE bound = VALUES(bound),"
	" valid_from = VALUES(valid_from), valid_until = VALUES(valid_until),"
	" uses_left = VALUES(uses_left),"
	" approval_by = VALUES(approval_by),"
	" approval_within_s = VALUES(approval_within_s), created_by = VALUES(created_by),"
	" created_at = NOW(6)" };
static const struct db_stmt delete = { "permission.delete", "sssss",
	"DELETE FROM permission WHERE party_id = ? AND src_role = ?"
	" AND kind = ? AND subject = ? AND detail = ?" };
static const struct db_stmt list = { "permission.list", "ss",
	"SELECT 1" RULE_COLS(DB_SQL) " FROM permission p"
				     " WHERE ? IS NULL OR p.party_id = ?"
				     " ORDER BY p.party_id, p.src_role, p.kind,"
				     " p.subject, p.detail" };
/*
 * The wanted leaves come as one JSON text, [[party, role, kind, subject,
 * detail], …], and drive the lookups, each in the unique index; so the number
 * of rules does not matter.
 */
#define WANTED                                                                 \
	" FROM JSON_TABLE(?, '$[*]' COLUMNS ("                                 \
	"party_id VARCHAR(10) PATH '$[0]', src_role VARCHAR(20) PATH '$[1]',"  \
	" kind VARCHAR(10) PATH '$[2]', subject VARCHAR(255) PATH '$[3]',"     \
	" detail VARCHAR(255) PATH '$[4]')) w"                                 \
	" STRAIGHT_JOIN permission p"                                          \
	" ON p.party_id = w.party_id COLLATE utf8mb4_bin"                      \
	" AND p.src_role = w.src_role COLLATE utf8mb4_bin"                     \
	" AND p.kind = w.kind COLLATE utf8mb4_bin"                             \
	" AND p.subject = w.subject COLLATE utf8mb4_bin"
static const struct db_stmt match = { "permission.match", "ss",
	"SELECT 1" RULE_COLS(DB_SQL) WANTED
	" AND p.detail = w.detail COLLATE utf8mb4_bin"
	" UNION ALL SELECT 1" RULE_COLS(DB_SQL) WANTED };
static const struct db_stmt note_use = { "permission.note_use", "isss",
	"INSERT INTO permission_use (permission_id, job_id, role, party_id)"
	" VALUES (?, ?, ?, ?)" };
static const struct db_stmt use = { "permission.use", "i",
	"UPDATE permission SET uses_left = uses_left - 1"
	" WHERE id = ? AND uses_left > 0" };

int
db_permission_put(struct db *db, const struct db_permission *p)
{
	const struct db_leaf *l = &p->leaf;

	return db_exec(db, &put, NULL, l->party_id, l->src_role, l->kind,
	    l->subject, l->detail, p->bound, p->valid_from_ms,
	    p->valid_until_ms, p->has_uses ? &p->uses_left : NULL,
	    p->approval_by != NULL ? p->approval_by : "",
	    p->approval_within_s > 0 ? &p->approval_within_s : NULL,
	    p->created_by != NULL ? p->created_by : "");
}

int
db_permission_delete(struct db *db, const struct db_leaf *l, int64_t *n)
{
	return db_exec(db, &delete, n, l->party_id, l->src_role, l->kind,
	    l->subject, l->detail);
}

int
db_permission_list(struct db *db, struct arena *a, const char *party_id,
    struct db_permission **rows, size_t *n)
{
	return db_select(
	    db, &list, &rule_shape, a, rows, n, party_id, party_id);
}

/* --- match ------------------------------------------------------------------ */

static void
add_text(struct json_object *row, const char *s)
{
	json_object_array_add(row, json_object_new_string(s));
}

static void
add_key(struct json_object *keys, const char *party, const char *role,
    const struct db_leaf *l, const char *subject, const char *detail)
{
	struct json_object *row = json_object_new_array();

	add_text(row, party);
	add_text(row, role);
	add_text(row, l->kind);
	add_text(row, subject);
	add_text(row, detail);
	json_object_array_add(keys, row);
}

/* A namespace may be any only together with the name. */
static void
add_subjects(struct json_object *keys, const char *party, const char *role,
    const struct db_leaf *l)
{
	add_key(keys, party, role, l, l->subject, l->detail);
	if (str_eq(l->kind, "parameter"))
		return;
	if (*l->detail != '\0')
		add_key(keys, party, role, l, l->subject, DB_PERMISSION_ANY);
	add_key(keys, party, role, l, DB_PERMISSION_ANY,
	    *l->detail != '\0' ? DB_PERMISSION_ANY : "");
}

/* Those of parameters, or all others: each half of the query has its own. */
static struct json_object *
keys_of(const struct db_leaf *wanted, size_t n, bool parameters)
{
	struct json_object *keys = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		const struct db_leaf *l = &wanted[i];

		if (str_eq(l->kind, "parameter") != parameters)
			continue;
		add_subjects(keys, l->party_id, l->src_role, l);
		add_subjects(keys, l->party_id, DB_PERMISSION_ANY, l);
		add_subjects(keys, DB_PERMISSION_ANY, l->src_role, l);
		add_subjects(keys, DB_PERMISSION_ANY, DB_PERMISSION_ANY, l);
	}
	return keys;
}

int
db_permission_match(struct db *db, struct arena *a,
    const struct db_leaf *wanted, size_t n_wanted, struct db_permission **rows,
    size_t *n)
{
	struct json_object *keys = keys_of(wanted, n_wanted, false);
	struct json_object *parameters = keys_of(wanted, n_wanted, true);
	int r;

	r = db_select(db, &match, &rule_shape, a, rows, n, json_text(keys),
	    json_text(parameters));
	json_object_put(keys);
	json_object_put(parameters);
	return r;
}

int
db_permission_use(struct db *db, int64_t id, const char *job_id,
    const char *role, const char *party_id)
{
	int64_t n = 0;
	int r;

	r = db_exec(db, &note_use, NULL, id, job_id, role, party_id);
	if (r == ERR_EXISTS) {
		err_clear();
		return 0;
	}
	if (r != 0 || (r = db_exec(db, &use, &n, id)) != 0)
		return r;
	return n == 1 ? 0
		      : err_set(ERR_DENIED, "rule %lld has no use left",
			    (long long)id);
}
