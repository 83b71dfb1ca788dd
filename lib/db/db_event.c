/*
 * The event table.  Written by the other stores inside their transactions,
 * read by fcgi-app for timelines.
 */
#include "lib/db/db_event.h"

#include "lib/base/str.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_exchange.h"
#include "lib/db/db_often.h"
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

static const struct db_stmt insert = { "event.add", "ssisssssse",
	"INSERT INTO event (job_id, component, version, role, party_id, kind,"
	" from_state, to_state, actor, reason)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, LEFT(?, 4000))" };
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

int
db_event_add(struct db *db, const struct db_event *e)
{
	int r = add_audit(db, e);

	if (r != 0)
		return r;
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

const struct db_stmt *const db_event_often[] = { &insert, &audit_task, NULL };
