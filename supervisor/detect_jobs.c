/*
 * Detectors about jobs and tasks.  Called by detectors.c.
 */
#include <signal.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_job.h"
#include "lib/db/db_recover.h"
#include "lib/db/db_task.h"
#include "lib/db/db_withdrawal.h"
#include "lib/party/party.h"
#include "lib/party/withdraw.h"
#include "supervisor/detect.h"
#include "supervisor/doubts.h"
#include "supervisor/finding.h"
#include "supervisor/kill.h"
#include "supervisor/launch.h"
#include "supervisor/processes.h"

/* A running job with nothing running for so long is looked into. */
#define STUCK_MS 60000
/* A partner's job that never started is given up after this long; its
 * initiator gives up earlier (snapshot.c). */
#define STALE_MS (7 * 3600 * INT64_C(1000))
/* Until then its initiator may be about to start it. */
#define DOUBT_MS 60000
/* Its initiator ends it at its limit; this is for one that is gone. */
#define FORGOTTEN_MS (3600 * INT64_C(1000))
/* Whoever runs a task has an open attempt all the time. */
#define LOST_MS 30000
#define LATE_MS 60000
/* Until then the operator's own command ends them, more quickly. */
#define WITHDRAWAL_MS 10000
/* Reports that no initiator took for so long are a backlog. */
#define BACKLOG_MS 60000
#define BATCH 100
#define HOUR_MS (3600 * INT64_C(1000))

/* Attempts whose shepherds stopped renewing. */
int
detect_attempt_leases(struct supervisor *s)
{
	return launch_reap_expired(s->launcher);
}

/* Jobs over their limit are planned again at once. */
int
detect_job_timeouts(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **ids;
	size_t n = 0;
	int r;

	r = db_job_overdue(s->db, arena, BATCH, &ids, &n);
	for (size_t i = 0; i < n; i++) {
		(void)finding(s, "job timeouts", ids[i],
		    "runs longer than its limit, and is ended");
		detect_note(&r, db_job_wake(s->db, ids[i]), ids[i]);
		supervisor_changed(s, ids[i]);
	}
	arena_free(arena);
	return r;
}

int
detect_stuck_jobs(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **ids;
	size_t n = 0;
	int r;

	r = db_job_stuck(s->db, arena, STUCK_MS, BATCH, &ids, &n);
	for (size_t i = 0; i < n; i++) {
		(void)finding(s, "stuck jobs", ids[i],
		    "runs, but none of its tasks did or changed for a minute");
		detect_note(&r, db_job_wake(s->db, ids[i]), ids[i]);
		supervisor_changed(s, ids[i]);
	}
	arena_free(arena);
	return r;
}

typedef int partner_jobs_fn(struct db *, struct arena *, int64_t age_ms,
    int64_t limit, struct db_partner_job **, size_t *n);

/*
 * The command that its initiator owes us, for each member here: its tasks end
 * with the job.
 */
static int
time_out(struct supervisor *s, partner_jobs_fn *list, int64_t age_ms,
    const char *detector, const char *why)
{
	struct arena *arena = arena_new();
	struct db_partner_job *rows;
	size_t n = 0;
	int r, stopped;

	r = list(s->db, arena, age_ms, BATCH, &rows, &n);
	for (size_t i = 0; i < n; i++) {
		struct party_caller as = { .party_id = rows[i].initiator_party,
			.run = &rows[i].run };
		struct party_member to = { rows[i].job_id, rows[i].role,
			rows[i].party_id };

		(void)finding(s, detector, rows[i].job_id, "%s", why);
		stopped =
		    party_job_stop(s->db, &as, &to, STATE_TIMEOUT, why, NULL);
		if (stopped == ERR_CONFLICT)
			err_clear(); /* it begins another run just now */
		else
			detect_note(&r, stopped, rows[i].job_id);
		supervisor_changed(s, rows[i].job_id);
	}
	if (n > 0)
		kill_look(s);
	arena_free(arena);
	return r;
}

/* Partners' jobs that never started and that nobody ended. */
int
detect_stale_jobs(struct supervisor *s)
{
	return time_out(s, db_detect_stale, STALE_MS, "stale jobs",
	    "its initiator never started it and was not heard of");
}

/* Partners' jobs that wait, and perhaps for nothing. */
int
detect_doubtful_jobs(struct supervisor *s)
{
	return doubts_look(s->doubts, DOUBT_MS);
}

/* Partners' jobs that run on though their initiators should have ended them. */
int
detect_forgotten_jobs(struct supervisor *s)
{
	return time_out(s, db_detect_forgotten, FORGOTTEN_MS, "forgotten jobs",
	    "ran beyond its time limit; its initiator was not heard of");
}

/* --- tasks -------------------------------------------------------------------- */

static int
end_lost(struct supervisor *s, const struct db_stuck_task *t)
{
	static const char why[] =
	    "nobody runs this task: its attempt is over and left no end";
	struct db_task_move move = { .status = STATE_NONE,
		.party_status = STATE_FAILED,
		.error_report = why,
		.reason = why };
	int r;

	(void)finding(s, "lost tasks", t->key.job_id, "%s of %s %s: %s",
	    t->key.component, t->key.role, t->key.party_id, why);
	r = db_task_move(s->db, &t->key, &move, NULL);
	supervisor_changed(s, t->key.job_id);
	return r == ERR_CONFLICT ? 0 : r;
}

static int
launch_lost(struct supervisor *s, const struct db_stuck_task *t)
{
	int r = db_detect_relaunch(s->db, &t->key);

	if (r == ERR_CONFLICT)
		return 0;
	(void)finding(s, "lost tasks", t->key.job_id,
	    "%s of %s %s: its attempt ended before it began, launched anew",
	    t->key.component, t->key.role, t->key.party_id);
	return r;
}

typedef int find_tasks_fn(struct db *, struct arena *, int64_t bound,
    int64_t limit, struct db_stuck_task **, size_t *n);

/* Act on each task that is found beyond the bound; *n is how many there are. */
static int
each_task(struct supervisor *s, find_tasks_fn *find, int64_t bound,
    int (*act)(struct supervisor *, const struct db_stuck_task *), size_t *n)
{
	struct arena *arena = arena_new();
	struct db_stuck_task *rows;
	int r;

	*n = 0;
	r = find(s->db, arena, bound, BATCH, &rows, n);
	for (size_t i = 0; i < *n; i++)
		detect_note(&r, act(s, &rows[i]), rows[i].key.job_id);
	arena_free(arena);
	return r;
}

/* No running task without an attempt, no started one without a launch. */
int
detect_lost_tasks(struct supervisor *s)
{
	size_t n;
	int r = each_task(s, db_detect_lost_tasks, LOST_MS, end_lost, &n);
	int more = each_task(s, db_detect_unlaunched, LOST_MS, launch_lost, &n);

	if (n > 0)
		launch_look(s->launcher);
	return r != 0 ? r : more;
}

/* One finding for each task that is late; *n is how many there are. */
static int
tell_late(struct supervisor *s, find_tasks_fn *late, const char *detector,
    const char *words, size_t *n)
{
	struct arena *arena = arena_new();
	struct db_stuck_task *rows;
	int r;

	*n = 0;
	r = late(s->db, arena, LATE_MS, BATCH, &rows, n);
	for (size_t i = 0; i < *n; i++)
		(void)finding(s, detector, rows[i].key.job_id,
		    "%s of %s %s: %s", rows[i].key.component, rows[i].key.role,
		    rows[i].key.party_id, words);
	arena_free(arena);
	return r;
}

int
detect_late_launches(struct supervisor *s)
{
	size_t n;
	int r = tell_late(s, db_detect_late_launches, "late launches",
	    "nobody took its start for a minute", &n);

	if (r == 0 && n > 0)
		launch_look(s->launcher);
	return r;
}

int
detect_late_ends(struct supervisor *s)
{
	size_t n;
	int r = tell_late(s, db_detect_late_ends, "late ends",
	    "was told to end a minute ago and runs", &n);

	if (r == 0 && n > 0)
		kill_look(s);
	return r;
}

static int
end_session(struct supervisor *s, const struct db_stuck_task *t)
{
	int64_t hours = s->conf->session_hours;
	bool effective;
	char *why;
	int r;

	if (hours > 0 && t->age_ms >= hours * HOUR_MS)
		why = xasprintf("its session with this site's engines has been "
				"open for %lld hours, and is ended",
		    (long long)(t->age_ms / HOUR_MS));
	else
		why = xstrdup("its job ended a minute ago, and its session "
			      "with this site's engines was open still");
	r = db_task_want_end(s->db, &t->key, STATE_TIMEOUT, why, &effective);
	if (r == 0 && effective) {
		(void)finding(s, "engine sessions", t->key.job_id,
		    "%s of %s %s: %s", t->key.component, t->key.role,
		    t->key.party_id, why);
		supervisor_changed(s, t->key.job_id);
	}
	free(why);
	return r;
}

/* Nobody holds engines for ever. */
int
detect_sessions(struct supervisor *s)
{
	size_t n;
	int r = each_task(
	    s, db_detect_sessions, s->conf->session_hours, end_session, &n);

	if (n > 0)
		kill_look(s);
	return r;
}

int
detect_report_backlog(struct supervisor *s)
{
	int64_t n;
	int r;

	if ((r = db_report_backlog(s->db, BACKLOG_MS, &n)) == 0 && n > 0)
		(void)finding(s, "report backlog", "",
		    "reports wait for initiators that do not answer");
	return r;
}

/* --- processes ------------------------------------------------------------------ */

/*
 * Shepherds without an open attempt: they were told by their lease and should
 * be gone; what still runs after that is ended.
 */
static int
end_orphan(struct supervisor *s, const struct process *p)
{
	struct arena *arena = arena_new();
	struct db_attempt *a;
	int r = db_attempt_get(s->db, arena, p->attempt_id, &a);

	/* Its last seconds are spent tidying up. */
	if (r == ERR_NOT_FOUND ||
	    (r == 0 && a->ended &&
		a->lease_left_ms <= -10 * s->conf->lease_ms)) {
		(void)finding(s, "orphans", r == 0 ? a->key.job_id : "",
		    "shepherd %d of the ended attempt %s was still there",
		    (int)p->pid, p->attempt_id);
		(void)kill(p->pid, SIGKILL);
		err_clear();
		r = 0;
	}
	arena_free(arena);
	return r;
}

int
detect_orphans(struct supervisor *s)
{
	struct processes *running = NULL;
	size_t i;
	int r;

	r = processes_list(s->conf->shepherd_program, s->conf->path, &running);
	for (i = 0; running != NULL && i < running->n; i++)
		if (!running->items[i].may_be_nursery)
			detect_note(&r, end_orphan(s, &running->items[i]), "");
	processes_free(running);
	return r;
}

/* What the operator's command began and did not finish. */
int
detect_withdrawals(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct db_withdrawal *rows;
	bool effective;
	size_t n = 0;
	int r;

	r = db_withdrawal_list(s->db, arena, WITHDRAWAL_MS, &rows, &n);
	for (size_t i = 0; i < n; i++) {
		effective = false;
		detect_note(
		    &r, withdraw_more(s->db, rows[i].party_id, &effective), "");
		if (!effective)
			continue;
		(void)finding(s, "withdrawals", "",
		    "party %s was withdrawn (%s), and jobs with it went on; "
		    "they end",
		    rows[i].party_id, rows[i].kind);
		kill_look(s);
	}
	arena_free(arena);
	return r;
}
