/*
 * From due jobs to done plans.  Owned by main.c; woken by changes (changes.c)
 * and by answers of partners (command.c).
 */
#include "supervisor/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_recover.h"
#include "lib/db/db_tx.h"
#include "supervisor/command.h"
#include "supervisor/job.h"
#include "supervisor/joblog.h"
#include "supervisor/launch.h"
#include "supervisor/leftovers.h"
#include "supervisor/plan.h"
#include "supervisor/queue.h"
#include "supervisor/rows.h"

/* Jobs claimed in one transaction. */
#define CLAIM_BATCH 32
/*
 * A job's lease is short: whoever takes it over does so under another fence,
 * and the former does nothing more.  Renewed three times in it.
 */
#define JOB_LEASE_MS 2000
/* Changes of own rows and fresh looks in a row: more are no progress. */
#define ROUNDS_MAX 20
/* Answers that come together are planned with together. */
#define SOON_MS 1
/* Who was looked at so lately may be looked at again soon: its lease is kept. */
#define KEEP_MS 1000
/* So long answers are waited for. */
#define WOKEN_REST_MS 200
/* Woken jobs looked at in one go. */
#define WOKEN_BATCH 1000
/* Leases that nobody works under, given back in one go. */
#define UNKNOWN_BATCH 1000
/* When to look again at a job that nothing waits for: a net, no clock. */
#define LOOK_AGAIN_MS 10000
/* After an error, and while something is due soon. */
#define LOOK_SOON_MS 1000

struct scheduler {
	struct supervisor *super;
	struct job *jobs;
	struct plan plan;
	struct loop_timer *renew;
	struct loop_timer *more;
	struct loop_timer *soon;
};

static void look(struct scheduler *, struct job *);
static void give_back(struct scheduler *, struct job *, int64_t delay_ms);
static void rest(struct scheduler *, struct job *);

/* --- the list of jobs --------------------------------------------------- */

static struct job *
find(struct scheduler *s, const char *job_id)
{
	for (struct job *j = s->jobs; j != NULL; j = j->next)
		if (strcmp(j->job_id, job_id) == 0)
			return j;
	return NULL;
}

static struct job *
take_up(struct scheduler *s, const struct db_job_claim *claim)
{
	struct job *j = find(s, claim->job_id);

	if (j == NULL) {
		j = job_new(claim->job_id);
		j->next = s->jobs;
		s->jobs = j;
	}
	job_forget(j);
	acks_clear(&j->acks);
	j->fence = claim->fence;
	j->queue_us = claim->queue_us;
	j->priority = claim->priority;
	return j;
}

static void
drop(struct scheduler *s, struct job *j)
{
	for (struct job **at = &s->jobs; *at != NULL; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			break;
		}
	job_free(j);
}

/* --- carrying out a plan --------------------------------------------------- */

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
		look(s, j);
	else if (j->fence != 0)
		rest(s, j);
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
		if (sent.news && sent.done && a->verb == PLAN_APPLY)
			sn->plan.members[a->member].reserved = o->more = true;
		else
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

/* Its lease is over: what is to be done now is for whoever claims it next. */
static void
let_go(struct scheduler *s, struct job *j)
{
	log_info("job=%s: %s; looked at anew", j->job_id, err_text());
	err_clear();
	give_back(s, j, LOOK_SOON_MS);
	if (j->under_way == 0)
		drop(s, j);
}

struct giving {
	const struct job *job;
	int64_t delay_ms;
};

/* The release is the guard of what is written with it. */
static int
give_back_tx(struct db *db, void *ctx)
{
	const struct giving *g = ctx;
	const struct job *j = g->job;
	int r =
	    db_job_release(db, j->job_id, j->fence, g->delay_ms, j->seen_us);

	return r != 0 ? r : acks_write(&j->acks, db);
}

static void
give_back(struct scheduler *s, struct job *j, int64_t delay_ms)
{
	struct giving g = { j, delay_ms };
	struct db *db = s->super->db;
	int r =
	    j->acks.n > 0 ? db_tx(db, give_back_tx, &g) : give_back_tx(db, &g);

	acks_clear(&j->acks);
	if (r == ERR_CONFLICT)
		err_clear(); /* it was given a new life meanwhile */
	else if (r != 0)
		log_err("job=%s release", j->job_id);
	j->fence = 0;
	if (delay_ms == 0 || r == ERR_CONFLICT ||
	    j->wakes != queue_wakes(s->super->queue))
		loop_timer_set(s->more, 0, 0);
}

/*
 * Nothing is under way.  Whoever runs is woken by the ends of its tasks: its
 * lease stays for a while, which saves a claim and a release for each.  A
 * further supervisor of the home keeps none, as it is not told of wakes.
 */
static void
rest(struct scheduler *s, struct job *j)
{
	const char *name = s->super->name;

	if (j->again || (j->runs && j->delay_ms > KEEP_MS &&
			    (name == NULL || *name == '\0')))
		return;
	give_back(s, j, j->delay_ms);
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
 * One look: read, plan, carry out, as long as that changes rows here.  Then
 * the job waits for answers, or is given back until it is due again.
 */
static void
look_once(struct scheduler *s, struct job *j)
{
	struct snapshot sn;
	struct outcome o = { .became = STATE_NONE, .delay_ms = -1 };
	bool awaits, known = false;
	int r, round = 0;

	if (j->fence == 0)
		return;
	j->again = false;
	j->looked_ms = clock_mono_ms();
	j->wakes = queue_wakes(s->super->queue);
	do {
		o = (struct outcome){ .became = STATE_NONE, .delay_ms = -1 };
		if (round > 0 && !known)
			snapshot_fini(&sn);
		if (!known && (r = snapshot_load(s->super, j, &sn)) != 0)
			break;
		log_request(sn.row->request_id);
		j->has_room = all_have_room(&sn.plan);
		plan_make(&s->plan, &sn.plan);
		r = carry_out(s, j, &sn, &o);
		known = o.more && !o.changed;
		o.changed |= o.more;
	} while (r == 0 && o.changed && !o.asked && !o.settled &&
		 ++round < ROUNDS_MAX);
	if (r == ERR_CONFLICT) {
		snapshot_fini(&sn);
		let_go(s, j);
		return;
	}
	if (r == ERR_BUSY) {
		log_info("job=%s: %s", j->job_id, err_text());
		err_clear();
		o.delay_ms = j->delay_ms;
	} else if (r != 0) {
		log_err("job=%s", j->job_id);
		o.delay_ms = LOOK_SOON_MS;
		if (r == ERR_INVALID || r == ERR_FORMAT)
			o.settled = give_up(s, j) == 0;
	} else if (round == ROUNDS_MAX) {
		/* Changes that do not change what is planned: no haste. */
		log_warn("job=%s: its plan comes to no end", j->job_id);
		o.delay_ms = LOOK_SOON_MS;
	} else if (o.changed) {
		o.delay_ms = 0;
		j->again = true;
		loop_timer_set(s->soon, SOON_MS, 0);
	}
	j->runs = r == 0 && sn.plan.status == STATE_RUNNING;
	j->delay_ms = r != 0 ? o.delay_ms : next_look(s, &sn, &o);
	awaits = r == 0 && !o.settled && awaits_ends(&sn);
	if (o.settled) {
		j->fence = 0;
		leftovers_remove_upload(s->super, j->job_id);
	} else if (j->under_way == 0)
		rest(s, j);
	snapshot_fini(&sn);
	/*
	 * A running job is looked at often: its graph is kept.  Of one that
	 * has ended it is since when a partner's task is silent, and until
	 * when one rests.
	 */
	if (j->fence == 0 && j->under_way == 0 && !j->runs && !awaits)
		drop(s, j);
}

/* What is told and sent meanwhile names the request that the job is for. */
static void
look(struct scheduler *s, struct job *j)
{
	look_once(s, j);
	log_request("");
}

static int64_t
job_lease_ms(const struct scheduler *s)
{
	int64_t ms = s->super->conf->lease_ms;

	return ms < JOB_LEASE_MS ? ms : JOB_LEASE_MS;
}

/* --- when ------------------------------------------------------------------- */

static void
take_due(struct scheduler *s)
{
	struct arena *arena = arena_new();
	struct db_job_claim *claims;
	size_t n;

	if (db_job_claim(s->super->db, arena, s->super->instance,
		job_lease_ms(s), CLAIM_BATCH, &claims, &n) != 0) {
		log_err("claim jobs");
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		look(s, take_up(s, &claims[i]));
	if (n == CLAIM_BATCH)
		loop_timer_set(s->more, 0, 0);
	arena_free(arena);
}

static void
on_more(void *ctx)
{
	take_due(ctx);
}

/* A look may drop jobs: begin anew after each. */
static void
on_soon(void *ctx)
{
	struct scheduler *s = ctx;
	struct job *j;

	do {
		for (j = s->jobs; j != NULL && !j->again; j = j->next)
			continue;
		if (j != NULL && j->fence == 0)
			j->again = false;
		else if (j != NULL)
			look(s, j);
	} while (j != NULL);
}

/* Leases that were kept, of jobs that nothing woke. */
static void
give_back_kept(struct scheduler *s)
{
	int64_t now = clock_mono_ms(), left;

	for (struct job *j = s->jobs; j != NULL; j = j->next) {
		if (j->fence == 0 || j->under_way > 0 || j->again ||
		    now - j->looked_ms < KEEP_MS)
			continue;
		left = j->delay_ms - (now - j->looked_ms);
		give_back(s, j, left > 0 ? left : 0);
	}
}

/* Running jobs that another supervisor has by now. */
static void
forget_lost(struct scheduler *s)
{
	int64_t now = clock_mono_ms();
	struct job *j, *next;

	for (j = s->jobs; j != NULL; j = next) {
		next = j->next;
		if (j->fence == 0 && j->under_way == 0 &&
		    now - j->looked_ms > 6 * LOOK_AGAIN_MS)
			drop(s, j);
	}
}

/* Answers are late: once, its row is to say what it waits for. */
static bool
is_late(const struct job *j, int64_t now_ms)
{
	return j->brief != WAIT_NONE && !j->brief_told &&
	       now_ms - j->brief_ms >= JOB_BRIEF_MS;
}

/*
 * Leases that are ours in the rows and not here: the answer to a claim's
 * commit, or to a release, was lost.  Renewed with the others they would keep
 * their jobs from everybody.
 */
static void
release_unknown(struct scheduler *s)
{
	struct db *db = s->super->db;
	struct arena *arena = arena_new();
	struct db_job_claim *rows;
	const struct job *j;
	size_t n = 0;

	if (db_job_leased(
		db, arena, s->super->instance, UNKNOWN_BATCH, &rows, &n) != 0)
		log_err("look for leases of jobs that nobody works under");
	for (size_t i = 0; i < n; i++) {
		j = find(s, rows[i].job_id);
		if (j != NULL && j->fence == rows[i].fence)
			continue;
		log_warn("job=%s lease %lld was not known here, given back",
		    rows[i].job_id, (long long)rows[i].fence);
		if (db_job_release(db, rows[i].job_id, rows[i].fence, 0, 0) !=
		    0)
			log_err("job=%s release", rows[i].job_id);
		loop_timer_set(s->more, 0, 0);
	}
	arena_free(arena);
}

static void
renew(struct scheduler *s, int64_t held)
{
	int64_t n;

	if (db_job_renew(
		s->super->db, s->super->instance, job_lease_ms(s), &n) != 0)
		log_err("renew leases of jobs");
	else if (n > held)
		release_unknown(s);
}

static void
on_renew(void *ctx)
{
	struct scheduler *s = ctx;
	int64_t now = clock_mono_ms(), held = 0;

	for (struct job *j = s->jobs; j != NULL; j = j->next) {
		held += j->fence != 0;
		if (j->fence != 0 && is_late(j, now))
			j->again = true;
	}
	if (held > 0)
		renew(s, held);
	on_soon(s);
	give_back_kept(s);
	forget_lost(s);
}

/*
 * A job that has not begun is looked at when its members have answered; who
 * wakes it for more than what may be free names it (changes.c), and the next
 * poll but one finds it all the same.
 */
static bool
answers_come(const struct job *j)
{
	return j->under_way > 0 && !j->runs &&
	       clock_mono_ms() - j->looked_ms < WOKEN_REST_MS;
}

void
scheduler_look_at_woken(struct scheduler *s)
{
	struct arena *arena;
	struct db_job_woken *rows;
	struct job *j;
	size_t n = 0;

	for (j = s->jobs; j != NULL && j->fence == 0; j = j->next)
		continue;
	if (j == NULL)
		return;
	arena = arena_new();
	if (db_job_woken(s->super->db, arena, s->super->instance, WOKEN_BATCH,
		&rows, &n) != 0)
		log_err("look for jobs that were woken");
	for (size_t i = 0; i < n; i++) {
		j = find(s, rows[i].job_id);
		if (j != NULL && j->fence != 0 &&
		    j->seen_us != rows[i].look_us && !answers_come(j))
			look(s, j);
	}
	arena_free(arena);
}

void
scheduler_wake(struct scheduler *s, const char *job_id)
{
	struct job *j = *job_id == '\0' ? NULL : find(s, job_id);

	if (j != NULL && j->fence != 0)
		look(s, j);
}

bool
scheduler_has(struct scheduler *s, const char *job_id)
{
	struct job *j = find(s, job_id);

	return j != NULL && j->fence != 0;
}

bool
scheduler_has_room_for(struct scheduler *s, const char *job_id)
{
	struct job *j = find(s, job_id);

	return j != NULL && j->fence != 0 && j->has_room;
}

void
scheduler_look(struct scheduler *s)
{
	take_due(s);
}

int
scheduler_new(struct supervisor *super, struct scheduler **out)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));
	char *prefix;
	int r;

	*out = NULL;
	prefix = xstrndup(super->instance, super->instance_prefix);
	r = db_job_take_over(super->db, prefix, super->instance);
	free(prefix);
	if (r != 0) {
		free(s);
		return r;
	}
	s->super = super;
	plan_init(&s->plan);
	s->renew = loop_timer_new(super->loop, on_renew, s);
	s->more = loop_timer_new(super->loop, on_more, s);
	s->soon = loop_timer_new(super->loop, on_soon, s);
	loop_timer_set(s->renew, job_lease_ms(s) / 3, job_lease_ms(s) / 3);
	loop_timer_set(s->more, 0, 0);
	*out = s;
	return 0;
}

void
scheduler_free(struct scheduler *s)
{
	if (s == NULL)
		return;
	while (s->jobs != NULL) {
		if (s->jobs->fence != 0)
			give_back(s, s->jobs, 0);
		drop(s, s->jobs);
	}
	loop_timer_free(s->renew);
	loop_timer_free(s->more);
	loop_timer_free(s->soon);
	plan_fini(&s->plan);
	free(s);
}
