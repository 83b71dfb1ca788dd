/*
 * Which jobs are worked on here, and when.  Owned by main.c; woken by changes
 * (changes.c).
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_recover.h"
#include "supervisor/scheduler_private.h"

/* Jobs claimed in one transaction. */
#define CLAIM_BATCH 32
/* So long answers are waited for. */
#define WOKEN_REST_MS 200
/* Woken jobs looked at in one go. */
#define WOKEN_BATCH 1000

/* --- the list of jobs --------------------------------------------------- */

struct job *
scheduler_find(struct scheduler *s, const char *job_id)
{
	for (struct job *j = s->jobs; j != NULL; j = j->next)
		if (strcmp(j->job_id, job_id) == 0)
			return j;
	return NULL;
}

static struct job *
take_up(struct scheduler *s, const struct db_job_claim *claim)
{
	struct job *j = scheduler_find(s, claim->job_id);

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

void
scheduler_drop(struct scheduler *s, struct job *j)
{
	for (struct job **at = &s->jobs; *at != NULL; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			break;
		}
	job_free(j);
}

/* --- when ------------------------------------------------------------------- */

static void
take_due(struct scheduler *s)
{
	struct arena *arena = arena_new();
	struct db_job_claim *claims;
	size_t n;

	if (db_job_claim(s->super->db, arena, s->super->instance,
		scheduler_lease_ms(s), CLAIM_BATCH, &claims, &n) != 0) {
		log_err("claim jobs");
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		scheduler_look_at(s, take_up(s, &claims[i]));
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
			scheduler_look_at(s, j);
	} while (j != NULL);
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
			scheduler_drop(s, j);
	}
}

/* Answers are late: once, its row is to say what it waits for. */
static bool
is_late(const struct job *j, int64_t now_ms)
{
	return j->brief != WAIT_NONE && !j->brief_told &&
	       now_ms - j->brief_ms >= JOB_BRIEF_MS;
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
		scheduler_renew(s, held);
	on_soon(s);
	scheduler_give_back_kept(s);
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
		j = scheduler_find(s, rows[i].job_id);
		if (j != NULL && j->fence != 0 &&
		    j->seen_us != rows[i].look_us && !answers_come(j))
			scheduler_look_at(s, j);
	}
	arena_free(arena);
}

void
scheduler_wake(struct scheduler *s, const char *job_id)
{
	struct job *j = *job_id == '\0' ? NULL : scheduler_find(s, job_id);

	if (j != NULL && j->fence != 0)
		scheduler_look_at(s, j);
}

bool
scheduler_has(struct scheduler *s, const char *job_id)
{
	struct job *j = scheduler_find(s, job_id);

	return j != NULL && j->fence != 0;
}

bool
scheduler_has_room_for(struct scheduler *s, const char *job_id)
{
	struct job *j = scheduler_find(s, job_id);

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
	loop_timer_set(
	    s->renew, scheduler_lease_ms(s) / 3, scheduler_lease_ms(s) / 3);
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
			scheduler_give_back(s, s->jobs, 0);
		scheduler_drop(s, s->jobs);
	}
	loop_timer_free(s->renew);
	loop_timer_free(s->more);
	loop_timer_free(s->soon);
	plan_fini(&s->plan);
	free(s);
}
