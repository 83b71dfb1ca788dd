/*
 * Heartbeats of an attempt.  The lease is lost when the database says that
 * somebody ended the attempt, and only then: one that has merely run out is
 * renewed like any other (see lib/db/db_attempt.c).  While the database is
 * away nobody can end the attempt, so the task goes on, for outage_s: whoever
 * reaches the database when we do not may have given it up.
 */
#include "supervisor/shepherd/lease.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_recover.h"
#include "lib/db/db_tx.h"
#include "supervisor/shepherd/agreement.h"
#include "supervisor/shepherd/blocked.h"
#include "supervisor/shepherd/diskwatch.h"
#include "supervisor/shepherd/inbox.h"
#include "supervisor/shepherd/memwatch.h"
#include "supervisor/shepherd/pulse.h"
#include "supervisor/shepherd/shepherd.h"

/* How soon to try again after the database did not answer. */
#define RETRY_MS 100

struct lease {
	struct shepherd *shepherd;
	struct loop_timer *timer;
	int64_t renewed_ms; /* monotonic */
	bool away;	    /* the database, and it was told */
	bool blocked;	    /* and the row says so */
	int64_t progress;   /* the pulse's count */
};

/* ERR_CONFLICT when it is lost.  kill: NULL when it is known otherwise. */
static int
renew(struct lease *l, enum state *kill)
{
	struct shepherd *s = l->shepherd;
	int64_t now = clock_mono_ms();
	int r;

	r = db_attempt_renew(s->db, s->subject->attempt->attempt_id,
	    s->conf->lease_ms, getpid(), s->child.pid > 0 ? s->child.pid : 0,
	    l->progress, kill);
	if (r == 0)
		l->renewed_ms = now;
	else if (r != ERR_CONFLICT &&
		 now - l->renewed_ms >= s->conf->outage_s * 1000)
		r = err_set(ERR_CONFLICT, "no renewal for %lld s",
		    (long long)s->conf->outage_s);
	return r;
}

/* Where a control group does not do it. */
static void
watch_memory(struct shepherd *s)
{
	char *why;

	if (!s->has_child || cgroup_limits_memory(s->child.cgroup) ||
	    memwatch_bytes(s->child.inner) >> 20 <= s->conf->executor_memory_mb)
		return;
	why = xasprintf("the executor holds more memory than the %lld MB of "
			"a task",
	    (long long)s->conf->executor_memory_mb);
	control_end(s, STATE_FAILED, FAULT_MEMORY, why);
	free(why);
}

/* The kernel bounds each file, not all of them together. */
static void
watch_disk(struct shepherd *s)
{
	char *why;

	if (!s->has_child || diskwatch_bytes(s->work_dir, s->child.inner) >>
				 20 <= s->conf->executor_file_mb)
		return;
	why = xasprintf("the executor wrote more than the %lld MB of a task",
	    (long long)s->conf->executor_file_mb);
	control_end(s, STATE_FAILED, FAULT_COMPONENT, why);
	free(why);
}

/* Nobody agreed to more, however long the task takes. */
static void
watch_agreement(struct shepherd *s)
{
	if (s->phase == PHASE_RUNNING && agreement_holds(s) != 0)
		control_end(s, STATE_FAILED, FAULT_REFUSED, err_text());
	err_clear();
}

/* Once when the database goes, once when it is back. */
static void
tell(struct lease *l, int r)
{
	if (r != 0 && !l->away)
		log_err("lease not renewed; the task goes on");
	else if (r == 0 && l->away)
		log_info("the database is back, the lease renewed");
	l->away = r != 0;
}

void
lease_beat(struct lease *l)
{
	struct shepherd *s = l->shepherd;
	enum state kill;
	int r;

	if (s->pulse != NULL)
		l->progress = pulse_look(s->pulse);
	if ((r = renew(l, &kill)) == ERR_CONFLICT) {
		log_err("lease lost");
		control_lost(s);
		return;
	}
	tell(l, r);
	if (r == 0) {
		db_clock_follow(s->db);
		blocked_look(s, &l->blocked);
	}
	if (kill != STATE_NONE)
		control_end(s, kill, FAULT_STOPPED, NULL);
	watch_agreement(s);
	watch_memory(s);
	watch_disk(s);
	if (s->inbox != NULL)
		inbox_look(s->inbox);
	loop_timer_set(l->timer, r == 0 ? s->conf->heartbeat_ms : RETRY_MS, 0);
}

static void
on_timer(void *ctx)
{
	lease_beat(ctx);
}

int
lease_open(struct shepherd *s, struct lease **out)
{
	struct lease *l;

	*out = NULL;
	if (s->subject->attempt->ended)
		return err_set(ERR_CONFLICT,
		    "the attempt was ended before the shepherd was there");
	l = xcalloc(1, sizeof(*l));
	l->shepherd = s;
	l->renewed_ms = clock_mono_ms();
	l->timer = loop_timer_new(s->loop, on_timer, l);
	loop_timer_set(l->timer, s->conf->heartbeat_ms, 0);
	*out = l;
	if (s->subject->task->kill_wanted != STATE_NONE)
		control_end(
		    s, s->subject->task->kill_wanted, FAULT_STOPPED, NULL);
	return 0;
}

struct running {
	struct lease *lease;
	enum state kill;
};

static int
write_running(struct db *db, void *ctx)
{
	struct running *run = ctx;
	struct shepherd *s = run->lease->shepherd;
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = STATE_RUNNING,
		.reason = "executor started",
		.kill_wanted = &run->kill,
	};
	int r;

	/* The renewal is the guard; rows are locked in the order of db.h. */
	if ((r = db_task_move(db, subject_key(s->subject), &move, NULL)) != 0)
		return r;
	return renew(run->lease, NULL);
}

int
lease_running(struct lease *l)
{
	struct running run = { l, STATE_NONE };
	int r;

	if ((r = db_tx(l->shepherd->db, write_running, &run)) == 0 &&
	    run.kill != STATE_NONE)
		control_end(l->shepherd, run.kill, FAULT_STOPPED, NULL);
	return r;
}

void
lease_close(struct lease *l)
{
	if (l == NULL)
		return;
	loop_timer_free(l->timer);
	free(l);
}
