/*
 * From the ledger to those who wait for it.  Called by changes.c when a job
 * gave back, and by a detector.
 */
#include "supervisor/freed.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_waiter.h"
#include "lib/party/resources_freed.h"
#include "supervisor/detect.h"
#include "supervisor/partners.h"
#include "supervisor/queue.h"

/* Initiators, not jobs. */
#define WAITERS_MAX 1000

static bool
fits(const struct db_budget *b, const struct db_waiter *w)
{
	if (strcmp(w->code, wait_name(WAIT_QUOTA)) == 0)
		return w->changed;
	return !w->is_idle && w->cores <= b->cores &&
	       w->memory_mb <= b->memory_mb;
}

static void
spend(struct db_budget *b, const struct db_waiter *w)
{
	b->cores -= w->cores;
	b->memory_mb -= w->memory_mb;
}

/* Lost or not, nobody tells it again. */
static void
told(void *ctx, const struct partner_reply *reply)
{
	(void)ctx;
	if (reply->error != 0 || reply->retcode != 0)
		log_debug("a notice of free resources: %s", reply->retmsg);
}

static void
tell(struct supervisor *s, const struct db_waiter *w)
{
	const char *why;
	int64_t away_ms;
	char *path;

	metrics_add(s->metrics, METRIC_resource_notices_total, 1, "party",
	    w->party_id, NULL);
	if (strcmp(w->party_id, s->conf->party_id) == 0) {
		queue_freed(s->queue, w->party_id);
		return;
	}
	if (partners_away(s->partners, w->party_id, &away_ms, &why))
		return;
	path = xasprintf(
	    ERRAND_PATH "/" RESOURCES_FREED "/%s/%s", w->role, w->party_id);
	if (partners_post(s->partners, w->party_id, path, "{}", told, NULL) !=
	    0)
		log_err("tell party %s what is free", w->party_id);
	free(path);
}

static int
offer_one(struct supervisor *s, struct db_budget *b, const struct db_waiter *w)
{
	bool mine;
	int r;

	if (!fits(b, w)) {
		/* What it needs is not offered to those behind it. */
		if (db_waiter_keeps(w, b, false))
			spend(b, w);
		return 0;
	}
	spend(b, w);
	if ((r = db_waiter_tell(s->db, w, &mine)) == 0 && mine)
		tell(s, w);
	return r;
}

static int
offer(struct supervisor *s, struct db_budget *b, const struct db_waiter *rows,
    size_t n)
{
	bool old = false;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		old |= rows[i].lapsed || (rows[i].is_idle && !rows[i].is_alive);
		if (rows[i].told && !rows[i].lapsed && !rows[i].served)
			spend(b, &rows[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (!rows[i].told)
			detect_note(&r, offer_one(s, b, &rows[i]), "");
	return r == 0 && old ? db_waiter_forget(s->db) : r;
}

int
freed_look(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct db_waiter *rows;
	struct db_resource *have;
	struct db_budget b;
	size_t n;
	int r;

	r = db_waiter_list(s->db, arena, "", WAITERS_MAX, &rows, &n);
	if (r == 0 && n > 0 &&
	    (r = db_resource_get(s->db, arena, DB_ENGINE_DEFAULT, &have)) ==
		0) {
		b = (struct db_budget){ have->free_cores,
			have->free_memory_mb };
		r = offer(s, &b, rows, n);
	}
	arena_free(arena);
	return r;
}
