/*
 * At which parties jobs of this site wait.  Told by answer.c and rows.c,
 * asked by scheduler_look.c, refreshed by a detector.
 */
#include "supervisor/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_queue.h"
#include "supervisor/changes.h"
#include "supervisor/scheduler.h"

/* So many at a party ask by themselves, */
#define FIRST 8
/* all but the first not more often than this: it would be before its turn. */
#define SECOND_MS 5000
/* All others are woken; this is for the wake that got lost. */
#define NET_MS (3600 * INT64_C(1000))
#define PARTIES_MAX 1000
/* Having waited longer than this, a job is not passed any more. */
#define AGED_MS 60000

struct party {
	char id[16];
	int64_t fresh_ms; /* monotonic; until then nobody has waited AGED_MS */
	struct party *next;
};

struct queue {
	struct supervisor *super;
	uint64_t wakes;
	struct party *parties;
};

struct queue *
queue_new(struct supervisor *s)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	q->super = s;
	return q;
}

static void
forget(struct queue *q)
{
	struct party *p;

	while ((p = q->parties) != NULL) {
		q->parties = p->next;
		free(p);
	}
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	forget(q);
	free(q);
}

static struct party *
find(const struct queue *q, const char *party)
{
	struct party *p = q->parties;

	while (p != NULL && strcmp(p->id, party) != 0)
		p = p->next;
	return p;
}

bool
queue_has(const struct queue *q, const char *party)
{
	return find(q, party) != NULL;
}

/*
 * Who begins to wait, begins now: when the longest has waited for less, it is
 * known until when nobody will have waited so long.
 */
static int
has_aged(struct queue *q, struct party *p, bool *aged)
{
	int64_t now = clock_mono_ms(), waited;
	int r;

	*aged = false;
	if (now < p->fresh_ms)
		return 0;
	if ((r = db_queue_longest(q->super->db, p->id, &waited)) != 0)
		return r;
	*aged = waited >= AGED_MS;
	if (!*aged)
		p->fresh_ms = now + AGED_MS - (waited > 0 ? waited : 0);
	return 0;
}

/* The parties where somebody waits, with commas; each once is not needed. */
static const char *
list_of(const struct queue *q, struct arena *a, const char *const *parties,
    size_t n)
{
	const char *list = "";

	for (size_t i = 0; i < n; i++)
		if (queue_has(q, parties[i]))
			list = arena_printf(a, "%s%s%s", list,
			    *list == '\0' ? "" : ",", parties[i]);
	return list;
}

int
queue_ahead(struct queue *q, struct arena *a, const char *job_id,
    const char *const *parties, size_t n, const char **ahead, const char **at)
{
	struct db *db = q->super->db;
	const char *list = list_of(q, a, parties, n);
	struct party *p;
	bool aged;
	int r = 0;

	*ahead = NULL;
	if (*list == '\0')
		return 0;
	for (size_t i = 0; i < n; i++) {
		if ((p = find(q, parties[i])) == NULL)
			continue;
		if ((r = has_aged(q, p, &aged)) != 0)
			return r;
		*at = parties[i];
		if (aged && ((r = db_queue_ahead(
				  db, a, job_id, p->id, AGED_MS, ahead)) != 0 ||
				*ahead != NULL))
			return r;
	}
	return db_queue_woken_ahead(db, a, job_id, list, ahead, at);
}

void
queue_refused(struct queue *q, const char *party)
{
	struct party *p;

	if (queue_has(q, party))
		return;
	p = xcalloc(1, sizeof(*p));
	(void)snprintf(p->id, sizeof(p->id), "%s", party);
	p->next = q->parties;
	q->parties = p;
}

uint64_t
queue_wakes(const struct queue *q)
{
	return q->wakes;
}

/*
 * Who holds its resources already, and is about to start, would only be
 * looked at once more.
 */
static void
wake(struct queue *q, const char *const *ids, size_t n, int64_t due)
{
	struct arena *a = arena_new();
	const char **some = arena_alloc(a, (n + 1) * sizeof(*some));
	int64_t woken = 0;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!scheduler_has_room_for(q->super->scheduler, ids[i]))
			some[k++] = ids[i];
	if (db_queue_wake_these(q->super->db, some, k, &woken) != 0)
		log_err("wake jobs that wait");
	arena_free(a);
	if (woken + due == 0)
		return;
	q->wakes++;
	changes_add(q->super->changes, "", WAKE_JOBS);
}

void
queue_moved(struct queue *q, const char *const *parties, size_t n)
{
	struct arena *a = arena_new();
	const char **all = NULL, **ids;
	size_t have = 0, count;
	int64_t due, sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (!queue_has(q, parties[i]))
			continue;
		if (db_queue_first(q->super->db, a, parties[i], DB_QUEUE_WOKEN,
			&ids, &count, &due) != 0) {
			log_err("the queue at party %s", parties[i]);
			continue;
		}
		all = xrealloc(all, (have + count + 1) * sizeof(*all));
		for (size_t k = 0; k < count; k++)
			all[have++] = ids[k];
		sum += due;
	}
	wake(q, all, have, sum);
	free(all);
	arena_free(a);
}

void
queue_freed(struct queue *q, const char *party)
{
	/* That nobody is known to wait there may be old. */
	queue_refused(q, party);
	queue_moved(q, &party, 1);
}

int
queue_refresh(struct queue *q, bool all)
{
	struct arena *arena = arena_new();
	const char **ids;
	size_t n;
	int r;

	if ((r = db_queue_parties(
		 q->super->db, arena, PARTIES_MAX, &ids, &n)) == 0) {
		forget(q);
		for (size_t i = 0; i < n; i++)
			queue_refused(q, ids[i]);
		if (all)
			queue_moved(q, ids, n);
	}
	arena_free(arena);
	return r;
}

int64_t
queue_delay_ms(struct queue *q, const char *job_id, enum wait_code code,
    int64_t planned_ms)
{
	int64_t n = 0;

	if (!db_queue_has(code))
		return planned_ms;
	if (db_queue_rank(q->super->db, job_id, FIRST, &n) != 0) {
		log_err("job=%s its place in the queue", job_id);
		return planned_ms;
	}
	if (n == 0)
		return planned_ms;
	if (n >= FIRST)
		return NET_MS;
	return planned_ms > SECOND_MS ? planned_ms : SECOND_MS;
}
