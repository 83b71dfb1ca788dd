/*
 * The event table.  Written by the other stores inside their transactions,
 * read by fcgi-app for timelines.
 */
#include "lib/db/db_event.h"

#include "lib/db/db_rows.h"

#define EVENT_COLS(X)                                                          \
	X(INT, id, "id")                                                       \
	X(MS, at_ms, "at")                                                     \
	X(STR, job_id, "job_id")                                               \
	X(STR, component, "component")                                         \
	X(INT, version, "version")                                             \
	X(STR, role, "role")                                                   \
	X(STR, party_id, "party_id")                                           \
	X(STR, kind, "kind")                                                   \
	X(STR, from_state, "from_state")                                       \
	X(STR, to_state, "to_state")                                           \
	X(STR, actor, "actor")                                                 \
	X(STR, reason, "reason")

static const struct db_col event_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_event, field) },
	EVENT_COLS(COL)
#undef COL
};
static const struct db_shape event_shape =
    DB_SHAPE(struct db_event, event_cols);

static const struct db_stmt insert = { "event.add", "ssisssssse",
	"INSERT INTO event (job_id, component, version, role, party_id, kind,"
	" from_state, to_state, actor, reason)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 4000))" };
static const struct db_stmt list = { "event.list", "sii",
	"SELECT 1" EVENT_COLS(
	    DB_SQL) " FROM event"
		    " WHERE job_id = ? AND id > ? ORDER BY id LIMIT ?" };

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

int
db_event_add(struct db *db, const struct db_event *e)
{
	return db_exec(db, &insert, NULL, text(e->job_id), text(e->component),
	    e->version, text(e->role), text(e->party_id), text(e->kind),
	    text(e->from_state), text(e->to_state), db_actor(db), e->reason);
}

int
db_event_list(struct db *db, struct arena *a, const char *job_id,
    int64_t after_id, int64_t limit, struct db_event **rows, size_t *n)
{
	return db_select(
	    db, &list, &event_shape, a, rows, n, job_id, after_id, limit);
}
