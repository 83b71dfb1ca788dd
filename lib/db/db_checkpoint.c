/*
 * Checkpoints.  Written by shepherds while their tasks run and by imports;
 * read by fcgi-app.
 */
#include "lib/db/db_checkpoint.h"

#include "lib/base/err.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define CHECKPOINT_COLS(X)                                                     \
	X(INT, id, "c.id")                                                     \
	X(STR, model_id, "c.model_id")                                         \
	X(STR, model_version, "c.model_version")                               \
	X(STR, role, "c.role")                                                 \
	X(STR, party_id, "c.party_id")                                         \
	X(STR, component, "c.component")                                       \
	X(INT, step_index, "c.step_index")                                     \
	X(STR, step_name, "c.step_name")                                       \
	X(INT, version, "c.version")                                           \
	X(MS, created_ms, "c.created_at")
#define PART_COLS(X)                                                           \
	X(INT, checkpoint_id, "p.checkpoint_id")                               \
	X(STR, buffer_name, "p.buffer_name")                                   \
	X(STR, message, "p.message")                                           \
	X(INT, bytes, "p.bytes")                                               \
	X(BIN, sha256, "p.sha256")

#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_checkpoint, field) },
static const struct db_col checkpoint_cols[] = { CHECKPOINT_COLS(COL) };
#undef COL
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_checkpoint_part, field) },
static const struct db_col part_cols[] = { PART_COLS(COL) };
#undef COL
static const struct db_shape checkpoint_shape =
    DB_SHAPE(struct db_checkpoint, checkpoint_cols);
static const struct db_shape part_shape =
    DB_SHAPE(struct db_checkpoint_part, part_cols);

#define OF_MEMBER                                                              \
	" model_id = ? AND model_version = ? AND role = ? AND party_id = ?"

/* The formatter takes the macros between the texts for code. */
/* clang-format off */
static const struct db_stmt drop_step = {
	"checkpoint.drop_step", "sssssi",
	"DELETE FROM checkpoint WHERE" OF_MEMBER
	" AND component = ? AND step_index = ?"
};
static const struct db_stmt put = {
	"checkpoint.put", "sssssisi",
	"INSERT INTO checkpoint (model_id, model_version, role, party_id,"
	" component, step_index, step_name, version)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
};
static const struct db_stmt put_part = {
	"checkpoint.put_part", "issib",
	"INSERT INTO checkpoint_part (checkpoint_id, buffer_name, message,"
	" bytes, sha256) VALUES (?, ?, ?, ?, ?)"
};
static const struct db_stmt drop_oldest = {
	"checkpoint.drop_oldest", "sssssisssss",
	"DELETE FROM checkpoint WHERE id <= (SELECT id FROM (SELECT id"
	" FROM checkpoint WHERE" OF_MEMBER " AND component = ?"
	" ORDER BY id DESC LIMIT 1 OFFSET ?) AS newest) AND" OF_MEMBER
	" AND component = ?"
};
static const struct db_stmt list = {
	"checkpoint.list", "ssssss",
	"SELECT 1" CHECKPOINT_COLS(DB_SQL) " FROM checkpoint c WHERE" OF_MEMBER
	" AND (? IS NULL OR component = ?) ORDER BY c.id"
};
static const struct db_stmt parts = {
	"checkpoint.parts", "ssssss",
	"SELECT 1" PART_COLS(DB_SQL) " FROM checkpoint c"
	" JOIN checkpoint_part p ON p.checkpoint_id = c.id WHERE" OF_MEMBER
	" AND (? IS NULL OR component = ?) ORDER BY c.id, p.buffer_name"
};
static const struct db_stmt delete_all = {
	"checkpoint.delete", "ssss",
	"DELETE FROM checkpoint WHERE" OF_MEMBER
};
/* clang-format on */

struct putting {
	const char *attempt_id;
	const struct db_checkpoint *c;
	const struct db_checkpoint_part *parts;
	size_t n;
	int64_t keep;
};

static int
put_parts(struct db *db, const struct putting *p)
{
	int64_t id = db_insert_id(db);
	int r;

	for (size_t i = 0; i < p->n; i++) {
		const struct db_checkpoint_part *b = &p->parts[i];

		if ((r = db_exec(db, &put_part, NULL, id, b->buffer_name,
			 b->message, b->bytes, (const void *)b->sha256,
			 sizeof(b->sha256))) != 0)
			return r;
	}
	return 0;
}

static int
put_tx(struct db *db, void *ctx)
{
	const struct putting *p = ctx;
	const struct db_checkpoint *c = p->c;
	int r;

	if (p->attempt_id != NULL &&
	    (r = db_attempt_guard(db, p->attempt_id)) != 0)
		return r;
	if ((r = db_exec(db, &drop_step, NULL, c->model_id, c->model_version,
		 c->role, c->party_id, c->component, c->step_index)) != 0 ||
	    (r = db_exec(db, &put, NULL, c->model_id, c->model_version, c->role,
		 c->party_id, c->component, c->step_index, c->step_name,
		 c->version)) != 0 ||
	    (r = put_parts(db, p)) != 0)
		return r;
	return db_exec(db, &drop_oldest, NULL, c->model_id, c->model_version,
	    c->role, c->party_id, c->component, p->keep, c->model_id,
	    c->model_version, c->role, c->party_id, c->component);
}

int
db_checkpoint_put(struct db *db, const char *attempt_id,
    const struct db_checkpoint *c, const struct db_checkpoint_part *rows,
    size_t n, int64_t keep)
{
	struct putting p = { attempt_id, c, rows, n, keep };

	if (keep < 1)
		return err_set(ERR_INTERNAL, "a ring of no checkpoints");
	return db_tx(db, put_tx, &p);
}

int
db_checkpoint_list(struct db *db, struct arena *a, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    const char *component, struct db_checkpoint **rows, size_t *n)
{
	return db_select(db, &list, &checkpoint_shape, a, rows, n, model_id,
	    model_version, role, party_id, component, component);
}

int
db_checkpoint_parts(struct db *db, struct arena *a, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    const char *component, struct db_checkpoint_part **rows, size_t *n)
{
	return db_select(db, &parts, &part_shape, a, rows, n, model_id,
	    model_version, role, party_id, component, component);
}

int
db_checkpoint_delete(struct db *db, const char *model_id,
    const char *model_version, const char *role, const char *party_id)
{
	return db_exec(
	    db, &delete_all, NULL, model_id, model_version, role, party_id);
}
