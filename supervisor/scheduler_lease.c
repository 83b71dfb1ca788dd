/*
 * Leases of jobs: kept for a while, given back, renewed, and those found that
 * nobody works under.
 */
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_tx.h"
#include "supervisor/queue.h"
#include "supervisor/scheduler_private.h"

/*
 * A job's lease is short: whoever takes it over does so under another fence,
 * and the former does nothing more.  Renewed three times in it.
 */
#define JOB_LEASE_MS 2000
/* Who was looked at so lately may be looked at again soon: its lease is kept. */
#define KEEP_MS 1000
/* Leases that nobody works under, given back in one go. */
#define UNKNOWN_BATCH 1000

int64_t
scheduler_lease_ms(const struct scheduler *s)
{
	int64_t ms = s->super->conf->lease_ms;

	return ms < JOB_LEASE_MS ? ms : JOB_LEASE_MS;
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

void
scheduler_give_back(struct scheduler *s, struct job *j, int64_t delay_ms)
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

void
scheduler_rest(struct scheduler *s, struct job *j)
{
	const char *name = s->super->name;

	if (j->again || (j->runs && j->delay_ms > KEEP_MS &&
			    (name == NULL || *name == '\0')))
		return;
	scheduler_give_back(s, j, j->delay_ms);
}

void
scheduler_let_go(struct scheduler *s, struct job *j)
{
	log_info("job=%s: %s; looked at anew", j->job_id, err_text());
	err_clear();
	scheduler_give_back(s, j, LOOK_SOON_MS);
	if (j->under_way == 0)
		scheduler_drop(s, j);
}

void
scheduler_give_back_kept(struct scheduler *s)
{
	int64_t now = clock_mono_ms(), left;

	for (struct job *j = s->jobs; j != NULL; j = j->next) {
		if (j->fence == 0 || j->under_way > 0 || j->again ||
		    now - j->looked_ms < KEEP_MS)
			continue;
		left = j->delay_ms - (now - j->looked_ms);
		scheduler_give_back(s, j, left > 0 ? left : 0);
	}
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
		j = scheduler_find(s, rows[i].job_id);
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

void
scheduler_renew(struct scheduler *s, int64_t held)
{
	int64_t n;

	if (db_job_renew(s->super->db, s->super->instance,
		scheduler_lease_ms(s), &n) != 0)
		log_err("renew leases of jobs");
	else if (n > held)
		release_unknown(s);
}
