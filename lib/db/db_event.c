/*
 * The event table.  Written by the other stores inside their transactions,
 * read by fcgi-app for timelines.
 */
#include "lib/db/db_event.h"

#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_exchange.h"
#include "lib/db/db_often.h"
#include "lib/db/db_private.h"
#include "lib/db/db_rows.h"
#include "lib/model/state.h"

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

#define ADD                                                                    \
	"INSERT INTO event (job_id, component, version, role, party_id, kind," \
	" from_state, to_state, actor, reason) VALUES " ROW
#define ROW "(?, ?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 4000))"
#define ROW_PARAMS "ssisssssse"
#define ROW_ARGS(e)                                                            \
	(e)->job_id, (e)->component, (e)->version, (e)->role, (e)->party_id,   \
	    (e)->kind, (e)->from_state, (e)->to_state, (e)->actor, (e)->reason
static const struct db_stmt add_1 = { "event.add", ROW_PARAMS, ADD };
static const struct db_stmt add_2 = { "event.add_2", ROW_PARAMS ROW_PARAMS,
	ADD ", " ROW };
static const struct db_stmt add_3 = { "event.add_3",
	ROW_PARAMS ROW_PARAMS ROW_PARAMS, ADD ", " ROW ", " ROW };
static const struct db_stmt add_4 = { "event.add_4",
	ROW_PARAMS ROW_PARAMS ROW_PARAMS ROW_PARAMS,
	ADD ", " ROW ", " ROW ", " ROW };
static const struct db_stmt list = { "event.list", "sii",
	"SELECT 1" EVENT_COLS(
	    DB_SQL) " FROM event"
		    " WHERE job_id = ? AND id > ? ORDER BY id LIMIT ?" };

/*
 * What an auditor asks about is in the audit chain, too: written by the same
 * transaction, so that neither can be there without the other.
 */
static const struct db_stmt audit_job = { "event.audit_job", "esses",
	"INSERT INTO audit (actor, action, subject, outcome, detail)"
	" SELECT LEFT(?, 200), ?, job_id, ?, JSON_OBJECT("
	"  'contract', LOWER(HEX(contract_hash)), 'initiator', initiator_party,"
	"  'run', run, 'revision', revision, 'reason', LEFT(?, 2000))"
	" FROM job WHERE job_id = ?" };
/* Of tasks this site's own: what partners report of theirs is in their chain.
 */
static const struct db_stmt audit_task = { "event.audit_task",
	"esse" KEY_PARAMS,
	"INSERT INTO audit (actor, action, subject, outcome, detail)"
	" SELECT LEFT(?, 200), ?, CONCAT_WS(' ', job_id, component, version,"
	"  role, party_id), ?, LEFT(?, 4000)"
	" FROM task WHERE" KEY_WHERE " AND run_here = 1" };

/*
 * What left for each other site, and what came from each, in the versions of
 * tasks that stand at the end of the job: after a success both sides' numbers
 * are the same ("sluice verify").
 */
#define NEWEST                                                                 \
	" JOIN (SELECT component, MAX(version) AS version FROM task"           \
	"  WHERE job_id = ? GROUP BY component) AS n"                          \
	"  ON n.component = x.component AND n.version = x.version"             \
	" JOIN job AS j ON j.job_id = x.job_id WHERE x.job_id = ?"
static const struct db_stmt audit_totals = { "event.audit_totals", "esssesss",
	"INSERT INTO audit (actor, action, subject, outcome, detail)"
	" SELECT LEFT(?, 200), 'egress', x.job_id, ?, JSON_OBJECT("
	"  'party', x.to_party, 'run', j.run, 'objects', COUNT(*),"
	"  'bytes', CAST(SUM(x.bytes) AS SIGNED)) FROM egress AS x" NEWEST
	" AND x.name NOT LIKE '(%' GROUP BY x.job_id, j.run, x.to_party"
	" UNION ALL SELECT LEFT(?, 200), 'ingress', x.job_id, ?, JSON_OBJECT("
	"  'party', x.from_party, 'run', j.run,"
	"  'objects', CAST(SUM(x.objects) AS SIGNED),"
	"  'bytes', CAST(SUM(x.bytes) AS SIGNED)) FROM ingress AS x" NEWEST
	" GROUP BY x.job_id, j.run, x.from_party" };

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

/* What the move of a job or task is called in the chain; NULL: nothing. */
static const char *
action_of(const struct db_event *e, bool is_job)
{
	enum state to;

	if (state_parse(text(e->to_state), &to) != 0)
		return NULL;
	if (is_job && *text(e->from_state) == '\0')
		return "job create";
	if (to == STATE_RUNNING)
		return is_job ? "job start" : "task start";
	if (state_is_end(to))
		return is_job ? "job end" : "task end";
	return is_job && to == STATE_WAITING ? "job again" : NULL;
}

static int
add_totals(struct db *db, const struct db_event *e)
{
	const char *by = db_actor(db), *to = text(e->to_state);

	return db_exec(db, &audit_totals, NULL, by, to, e->job_id, e->job_id,
	    by, to, e->job_id, e->job_id);
}

static int
add_audit(struct db *db, const struct db_event *e)
{
	bool is_job = str_eq(e->kind, "job");
	const char *action = NULL;
	int r;

	if (str_eq(e->kind, "revision")) {
		is_job = true;
		action = "job contract";
	} else if (is_job || (str_eq(e->kind, "party_task") && !e->elsewhere))
		action = action_of(e, is_job);
	if (action == NULL)
		return 0;
	if (str_eq(action, "job end") && (r = add_totals(db, e)) != 0)
		return r;
	if (is_job) {
		r = db_exec(db, &audit_job, NULL, db_actor(db), action,
		    text(e->to_state), e->reason, e->job_id);
		/* Last: the head that is exchanged then holds all of it. */
		return r == 0 && str_eq(action, "job end")
			   ? db_exchange_begin(db, e->job_id)
			   : r;
	}
	return db_exec(db, &audit_task, NULL, db_actor(db), action,
	    text(e->to_state), e->reason, e->job_id, e->component, e->version,
	    text(e->role), text(e->party_id));
}

/* --- together, at the end of the transaction ------------------------------ */

/* They say what changed and nobody reads them before: one question for all. */
struct db_events {
	struct arena *arena;
	struct db_event *rows;
	size_t n;
};

static void
keep(struct db *db, const struct db_event *e)
{
	struct db_events *es = db->events;
	struct arena *a;

	if (es == NULL) {
		es = db->events = xcalloc(1, sizeof(*es));
		es->arena = arena_new();
	}
	a = es->arena;
	es->rows = xrealloc(es->rows, (es->n + 1) * sizeof(*es->rows));
	es->rows[es->n++] =
	    (struct db_event){ .job_id = arena_strdup(a, text(e->job_id)),
		    .component = arena_strdup(a, text(e->component)),
		    .version = e->version,
		    .role = arena_strdup(a, text(e->role)),
		    .party_id = arena_strdup(a, text(e->party_id)),
		    .kind = arena_strdup(a, text(e->kind)),
		    .from_state = arena_strdup(a, text(e->from_state)),
		    .to_state = arena_strdup(a, text(e->to_state)),
		    .actor = arena_strdup(a, db_actor(db)),
		    .reason = arena_strdup(a, e->reason) };
}

int
db_events_write(struct db *db)
{
	const struct db_event *e, *end;
	int r = 0;

	if (db->events == NULL)
		return 0;
	e = db->events->rows;
	end = e + db->events->n;
	for (; r == 0 && end - e >= 4; e += 4)
		r = db_exec(db, &add_4, NULL, ROW_ARGS(e), ROW_ARGS(e + 1),
		    ROW_ARGS(e + 2), ROW_ARGS(e + 3));
	if (r != 0 || e == end)
		return r;
	if (end - e == 1)
		return db_exec(db, &add_1, NULL, ROW_ARGS(e));
	if (end - e == 2)
		return db_exec(db, &add_2, NULL, ROW_ARGS(e), ROW_ARGS(e + 1));
	return db_exec(
	    db, &add_3, NULL, ROW_ARGS(e), ROW_ARGS(e + 1), ROW_ARGS(e + 2));
}

static void
tell_move(const struct db_event *e)
{
	if (!str_eq(e->kind, "job") || *e->from_state == '\0')
		return;
	log_info("job %s: %s to %s%s%s", e->job_id, e->from_state, e->to_state,
	    e->reason != NULL ? ": " : "", text(e->reason));
}

void
db_events_drop(struct db *db, bool committed)
{
	if (db->events == NULL)
		return;
	for (size_t i = 0; committed && i < db->events->n; i++)
		tell_move(&db->events->rows[i]);
	arena_free(db->events->arena);
	free(db->events->rows);
	free(db->events);
	db->events = NULL;
}

int
db_event_add(struct db *db, const struct db_event *e)
{
	int r = add_audit(db, e);

	if (r != 0)
		return r;
	keep(db, e);
	if (db->in_tx)
		return 0;
	r = db_events_write(db);
	db_events_drop(db, r == 0);
	return r;
}

int
db_event_list(struct db *db, struct arena *a, const char *job_id,
    int64_t after_id, int64_t limit, struct db_event **rows, size_t *n)
{
	return db_select(
	    db, &list, &event_shape, a, rows, n, job_id, after_id, limit);
}

const struct db_stmt *const db_event_often[] = { &add_1, &audit_task, NULL };
