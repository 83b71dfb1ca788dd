/*
 * One look at a job: read its rows, plan what it lacks, carry that out.
 * Woken by scheduler.c, and by answers of partners (command.c).
 */
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "supervisor/command.h"
#include "supervisor/joblog.h"
#include "supervisor/launch.h"
#include "supervisor/leftovers.h"
#include "supervisor/queue.h"
#include "supervisor/rows.h"
#include "supervisor/scheduler_private.h"

/* Changes of own rows and fresh looks in a row: more are no progress. */
#define ROUNDS_MAX 20

/*
 * Answers that come together are planned with together; those that are no
 * news only end what was under way.
 */
static void
answered(void *ctx, struct job *j, bool news)
{
	struct scheduler *s = ctx;

	j->again |= news;
	if (j->under_way > 0) {
		if (j->again)
			loop_timer_set(s->soon, SOON_MS, 0);
	} else if (j->again)
		scheduler_look_at(s, j);
	else if (j->fence != 0)
		scheduler_rest(s, j);
}

/* Starts go first: of all commands they are what somebody waits for. */
static int
ask_partners(struct scheduler *s, struct job *j, const struct snapshot *sn,
    bool starts, struct outcome *o)
{
	const struct plan_action *a;
	struct sent sent;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->plan.n; i++) {
		a = &s->plan.actions[i];
		if (!plan_is_command(a->verb) ||
		    sn->parties[a->member].is_local ||
		    (a->verb == PLAN_TASK_START) != starts)
			continue;
		r = command_send(s->super, j, sn, a, answered, s, &sent);
		o->changed |= sent.news;
		o->asked = true;
	}
	return r;
}

/*
 * What a reservation here changes is known without reading the rows again:
 * the snapshot has it, unless anything else changed.
 */
static int
serve_own(
    struct scheduler *s, struct job *j, struct snapshot *sn, struct outcome *o)
{
	const struct plan_action *a;
	struct sent sent;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->plan.n; i++) {
		a = &s->plan.actions[i];
		if (!plan_is_command(a->verb) || a->done ||
		    !sn->parties[a->member].is_local)
			continue;
		r = command_send(s->super, j, sn, a, answered, s, &sent);
		if (sent.news && sent.done && a->verb == PLAN_APPLY) {
			sn->plan.members[a->member].reserved = o->more = true;
			sn->plan.members[a->member].started = a->begins;
		} else
			o->changed |= sent.news;
	}
	return r;
}

static void
start_claimed(struct scheduler *s, const struct outcome *o)
{
	for (size_t i = 0; i < o->n_claimed; i++)
		launch_claimed(s->super->launcher, o->claimed[i]);
	if (o->unclaimed)
		launch_look(s->super->launcher);
}

/*
 * Rows first, as commands rely on them; partners before own members, which
 * are served while the requests are on their way.
 */
static int
carry_out(
    struct scheduler *s, struct job *j, struct snapshot *sn, struct outcome *o)
{
	int r;

	if ((r = rows_change(s->super, j, sn, &s->plan, o)) != 0 || o->stale)
		return r;
	if (o->became != STATE_NONE)
		sn->plan.status = o->became;
	j->has_ended = state_is_end(sn->plan.status);
	if ((r = ask_partners(s, j, sn, true, o)) == 0)
		r = ask_partners(s, j, sn, false, o);
	/* They are claimed, whatever became of the requests. */
	start_claimed(s, o);
	return r != 0 ? r : serve_own(s, j, sn, o);
}

/* When a job that is given back is to be looked at again. */
static int64_t
next_look(
    struct scheduler *s, const struct snapshot *sn, const struct outcome *o)
{
	if (o->delay_ms >= 0)
		return queue_delay_ms(s->super->queue, sn->plan.job_id,
		    s->plan.wait.code, o->delay_ms);
	for (size_t m = 0; m < sn->plan.nmembers; m++)
		if (sn->plan.members[m].away)
			return LOOK_SOON_MS;
	if (sn->resting && state_is_end(sn->plan.status))
		return sn->rest_ms;
	return sn->resting || sn->plan.status != STATE_RUNNING ? LOOK_SOON_MS
							       : LOOK_AGAIN_MS;
}

/*
 * Rows that make no sense will make none the next time: the job ends with the
 * reason instead of being looked at for ever.
 */
static int
give_up(struct scheduler *s, struct job *j)
{
	char *why = xstrdup(err_text());
	int r;

	joblog_error(s->super->conf, j->job_id, "job failed: %s", why);
	if ((r = db_job_move(s->super->db, j->job_id, STATE_FAILED, j->fence,
		 why, NULL)) == 0)
		r = db_job_settle(s->super->db, j->job_id, j->fence);
	free(why);
	return r;
}

static bool
all_have_room(const struct plan_job *p)
{
	for (size_t m = 0; m < p->nmembers; m++)
		if (!p->members[m].reserved && !p->members[m].started)
			return false;
	return true;
}

/*
 * All know of its end, and what is missing is how a partner's tasks ended; or
 * one of them did not take it, and rests.
 */
static bool
awaits_ends(const struct snapshot *sn)
{
	const struct plan_job *p = &sn->plan;

	for (size_t m = 0; m < p->nmembers && !sn->resting; m++)
		if (!p->members[m].ended)
			return false;
	return state_is_end(p->status);
}

/*
 * Read, plan, carry out, as long as that changes rows here.  *round is
 * ROUNDS_MAX when it came to no end.
 */
static int
carry_on(struct scheduler *s, struct job *j, struct snapshot *sn,
    struct outcome *o, int *round)
{
	bool known = false;
	int r;

	*round = 0;
	do {
		*o = (struct outcome){ .became = STATE_NONE, .delay_ms = -1 };
		if (*round > 0 && !known)
			snapshot_fini(sn);
		if (!known && (r = snapshot_load(s->super, j, sn)) != 0)
			break;
		log_request(sn->row->request_id);
		j->has_room = all_have_room(&sn->plan);
		plan_make(&s->plan, &sn->plan);
		r = carry_out(s, j, sn, o);
		known = o->more && !o->changed;
		o->changed |= o->more;
	} while (r == 0 && o->changed && !o->asked && !o->settled &&
		 ++*round < ROUNDS_MAX);
	return r;
}

/* What was no smooth end of the rounds: when to look again, and why. */
static void
judge(struct scheduler *s, struct job *j, struct outcome *o, int round, int r)
{
	if (r == ERR_BUSY) {
		log_info("job=%s: %s", j->job_id, err_text());
		err_clear();
		o->delay_ms = j->delay_ms;
	} else if (r != 0) {
		log_err("job=%s", j->job_id);
		o->delay_ms = LOOK_SOON_MS;
		if (r == ERR_INVALID || r == ERR_FORMAT)
			o->settled = give_up(s, j) == 0;
	} else if (round == ROUNDS_MAX) {
		/* Changes that do not change what is planned: no haste. */
		log_warn("job=%s: its plan comes to no end", j->job_id);
		o->delay_ms = LOOK_SOON_MS;
	} else if (o->changed) {
		o->delay_ms = 0;
		j->again = true;
		loop_timer_set(s->soon, SOON_MS, 0);
	}
}

/*
 * Whom nobody needs any more is dropped.  Of a running job, which is looked at
 * often, the graph is kept; of one that has ended, since when a partner's task
 * is silent, and until when one rests.
 */
static void
look_once(struct scheduler *s, struct job *j)
{
	struct snapshot sn;
	struct outcome o;
	bool awaits;
	int r, round;

	j->again = false;
	j->looked_ms = clock_mono_ms();
	j->wakes = queue_wakes(s->super->queue);
	r = carry_on(s, j, &sn, &o, &round);
	if (r == ERR_CONFLICT) {
		snapshot_fini(&sn);
		scheduler_let_go(s, j);
		return;
	}
	judge(s, j, &o, round, r);
	j->runs = r == 0 && sn.plan.status == STATE_RUNNING;
	j->delay_ms = r != 0 ? o.delay_ms : next_look(s, &sn, &o);
	awaits = r == 0 && !o.settled && awaits_ends(&sn);
	if (o.settled) {
		j->fence = 0;
		leftovers_remove_upload(s->super, j->job_id);
	} else if (j->under_way == 0)
		scheduler_rest(s, j);
	snapshot_fini(&sn);
	if (j->fence == 0 && j->under_way == 0 && !j->runs && !awaits)
		scheduler_drop(s, j);
}

/* What is told and sent meanwhile names the request that the job is for. */
void
scheduler_look_at(struct scheduler *s, struct job *j)
{
	if (j->fence == 0)
		return;
	look_once(s, j);
	log_request("");
}
