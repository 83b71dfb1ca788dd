/*
 * Linking audit rows.  Owned by main.c.
 *
 * Ids are given before rows are committed, so a row may appear behind later
 * ones.  Everything up to `low` is linked or was given up by its transaction;
 * while there are holes above it, low stays, for HOLE_MS at most: no
 * transaction that writes such a row lasts that long.  If one did, its row is
 * found by sealer_check() and linked then.
 *
 * A hole that a transaction left which was rolled back is never filled, and
 * in busy times there always is one: so most looks begin at `near`, the last
 * row there was RECENT_MS to twice that ago, and one in RECENT_MS begins at
 * low.
 */
#include "supervisor/sealer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_audit_chain.h"
#include "supervisor/finding.h"

#define BATCH 200
/* Rows come several at a time, and nobody waits for their links. */
#define SOON_MS 200
#define HOLE_MS 60000
/* Nearly all rows are committed so soon after they got their ids. */
#define RECENT_MS 1000
#define OVERDUE_MS 10000
/* How far back the detector looks; a start looks at all rows. */
#define CHECKED_MS (3600 * INT64_C(1000))
/* Ids that transactions of the moment of the start may still hold. */
#define START_BACK 1000

struct sealer {
	struct supervisor *super;
	struct loop_timer *soon;
	bool is_soon;	 /* the timer runs */
	bool is_started; /* all older rows were looked at */
	int64_t low;
	int64_t near, next_near; /* rows that were there then */
	int64_t near_ms;	 /* monotonic, when next_near was */
	int64_t hole_ms;	 /* monotonic, since when; 0: none */
	int64_t hole_id;	 /* the last row there was then */
};

static void
on_soon(void *ctx)
{
	sealer_look(ctx);
}

struct sealer *
sealer_new(struct supervisor *s)
{
	struct sealer *se = xcalloc(1, sizeof(*se));

	se->super = s;
	se->soon = loop_timer_new(s->loop, on_soon, se);
	return se;
}

void
sealer_free(struct sealer *se)
{
	if (se == NULL)
		return;
	loop_timer_free(se->soon);
	free(se);
}

void
sealer_soon(struct sealer *se)
{
	if (!se->is_soon)
		loop_timer_set(se->soon, SOON_MS, 0);
	se->is_soon = true;
}

int64_t
sealer_low(const struct sealer *se)
{
	return se->low;
}

static int
link_rows(struct sealer *se, struct db_audit_row *rows, size_t n)
{
	uint8_t hash[DIGEST_SIZE];
	int64_t seq;
	int r;

	if ((r = db_audit_head(se->super->db, &seq, hash)) != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct audit_record *rec = &rows[i].rec;

		rec->seq = ++seq;
		memcpy(rec->prev, hash, sizeof(hash));
		if ((r = audit_record_hash(rec, rec->hash)) != 0)
			return r;
		memcpy(hash, rec->hash, sizeof(hash));
	}
	return db_audit_link(se->super->db, rows, n);
}

/* From where to look now, when the last row is this one. */
static int64_t
begin_at(struct sealer *se, int64_t last, int64_t now)
{
	int64_t from = se->near > se->low ? se->near : se->low;

	if (now - se->near_ms < RECENT_MS)
		return from;
	from = se->low;
	se->near = se->next_near;
	se->next_near = last;
	se->near_ms = now;
	return from;
}

/*
 * All that is there is linked: is there a hole below it?  *from is where the
 * rows that are not begin.
 */
static int
raise_low(struct sealer *se, int64_t *from)
{
	int64_t n, last, now = clock_mono_ms();
	int r;

	if ((r = db_audit_tail(se->super->db, se->low, &n, &last)) != 0)
		return r;
	*from = begin_at(se, last, now);
	if (n == last - se->low) {
		se->low = last;
		se->hole_ms = 0;
	} else if (se->hole_ms == 0) {
		se->hole_ms = now;
		se->hole_id = last;
	} else if (now - se->hole_ms >= HOLE_MS) {
		se->low = se->hole_id;
		se->hole_ms = 0;
	}
	return 0;
}

static int
seal(struct sealer *se, int64_t low)
{
	struct arena *arena;
	struct db_audit_row *rows;
	size_t n = BATCH;
	int r = 0;

	/* What appears below meanwhile is above the caller's low: next time. */
	while (r == 0 && n == BATCH) {
		arena = arena_new();
		r = db_audit_unlinked(
		    se->super->db, arena, low, BATCH, &rows, &n);
		if (r == 0 && n > 0) {
			low = rows[n - 1].audit_id;
			r = link_rows(se, rows, n);
		}
		arena_free(arena);
	}
	return r;
}

/* Once: rows of any age, from before this program or this schema. */
static int
start(struct sealer *se)
{
	int64_t n, last;
	int r;

	if (se->is_started)
		return 0;
	if ((r = db_audit_tail(se->super->db, 0, &n, &last)) != 0 ||
	    (r = seal(se, 0)) != 0)
		return r;
	se->low = last > START_BACK ? last - START_BACK : 0;
	se->is_started = true;
	return 0;
}

void
sealer_look(struct sealer *se)
{
	int64_t before, from;
	int r = start(se);

	se->is_soon = false;
	before = se->low;
	/*
	 * Before the rows are read: one that comes later has a later id, or
	 * fills a hole.
	 */
	if (r == 0 && (r = raise_low(se, &from)) == 0)
		r = seal(se, from);
	/* Another supervisor was faster; the rest is there next time. */
	if (r == ERR_EXISTS)
		err_clear();
	else if (r != 0)
		log_err("audit rows not chained");
	if (r != 0) {
		se->low = before;
		se->near_ms = 0; /* what was missed may be of any age */
	}
}

int
sealer_check(struct sealer *se)
{
	int64_t n, first;
	int r;

	r = db_audit_overdue(se->super->db, OVERDUE_MS, CHECKED_MS, &n, &first);
	if (r != 0 || n == 0)
		return r;
	(void)finding(se->super, "audit", "",
	    "%lld audit rows had no link after %d s", (long long)n,
	    OVERDUE_MS / 1000);
	return seal(se, first - 1);
}
