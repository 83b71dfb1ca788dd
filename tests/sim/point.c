/*
 * Points between two steps: which there are, and who dies or stands still
 * at one.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "tests/sim/world.h"

#define FREEZE_MIN (500 * MS)
#define FREEZE_MAX (15 * SECOND)
#define HOLD_MAX (40 * MS)
/* Longer than a job's lease (scheduler.c), or than an attempt's. */
#define LAPSE_JOB_MIN (2100 * MS)
#define LAPSE_JOB_MAX (9 * SECOND)
#define LAPSE_ATTEMPT_MIN (5100 * MS)
#define LAPSE_ATTEMPT_MAX (14 * SECOND)

/* --- which there are -------------------------------------------------------------- */

/* 64-bit FNV-1a. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t
mix_in(uint64_t h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * FNV_PRIME;
	return h;
}

uint64_t
point_of(const char *text, size_t len)
{
	return mix_in(FNV_BASIS, text, len);
}

uint64_t
point_of_path(const char *path)
{
	uint64_t h = FNV_BASIS;

	while (*path != '\0') {
		size_t len = 1 + strcspn(path + 1, "/");
		bool is_name = true;

		for (size_t i = 0; i < len; i++)
			is_name &= !isdigit((unsigned char)path[i]);
		if (is_name)
			h = mix_in(h, path, len);
		path += len;
	}
	return h;
}

static struct point *
find(uint64_t key)
{
	for (size_t i = 0; i < tally->npoints; i++)
		if (tally->points[i].key == key)
			return &tally->points[i];
	return NULL;
}

static const char *
kind_of(const struct actor *a)
{
	switch (a->kind) {
	case KIND_SUPERVISOR:
		return "supervisor";
	case KIND_WORKER:
		return "fcgi";
	default:
		return "shepherd";
	}
}

static struct point *
note(const char *when, const char *what, uint64_t id)
{
	uint64_t key = mix_in(id, when, strlen(when)) + (uint64_t)self->kind;
	struct point *p = find(key);

	if (p == NULL) {
		if (tally->npoints == POINTS_MAX) {
			world_fail("more than %d points", POINTS_MAX);
			return NULL;
		}
		p = &tally->points[tally->npoints++];
		p->key = key;
		(void)snprintf(p->label, sizeof(p->label), "%s %s %s",
		    kind_of(self), when, what);
	}
	p->passes++;
	return p;
}

/* --- who dies at one ---------------------------------------------------------------- */

static uint64_t fatal; /* a point; 0: none */
static bool was_fatal; /* in this seed */

void
point_kill_at(uint64_t key)
{
	fatal = key;
}

void
point_reset(void)
{
	was_fatal = false;
}

bool
point_was_fatal(void)
{
	return was_fatal;
}

static void
die(struct point *p, const char *when, const char *what)
{
	char where[80];

	(void)snprintf(where, sizeof(where), "%s %s", when, what);
	p->kills++;
	world.crashes++;
	/* Its executor ends with it, and nobody runs it twice. */
	world.may_fail |= self->kind == KIND_SHEPHERD;
	actor_kill(self, where);
}

/* Shepherds have fates of their own. */
static bool
may_be_killed(void)
{
	return self->kind != KIND_SHEPHERD;
}

/* --- who stands still ----------------------------------------------------------------- */

/*
 * The worst moment to stand still: all has been read, and what follows from
 * it is about to be written.  Until that goes on others have the lease.
 */
static bool
may_lapse(const char *what, enum role_kind kind)
{
	return self->kind == kind && str_eq(what, "START TRANSACTION") &&
	       (kind != KIND_SUPERVISOR || self->site->nhosts > 1);
}

/* The server ends a transaction that stands still for a lease. */
static void
stand_in_transaction(int64_t until)
{
	int64_t end = sim_now() + self->site->conf->lease_ms * MS;

	if (end >= until)
		return;
	routine_sleep(end, false);
	if (self->dead)
		return;
	site_link_drop(self->my);
	self->in_tx = self->has_written = false;
	self->is_cut_off = true;
	trace("the server ends its transaction");
}

static void
freeze(const char *when, const char *what, int64_t low, int64_t high)
{
	int64_t until;

	world.freezes++;
	/* Whoever waits for its locks loses a lease; and a shepherd
	 * that stands still loses its own, by rights. */
	world.may_fail |= self->in_tx || self->kind == KIND_SHEPHERD;
	trace("freezes %s %s", when, what);
	until = sim_now() + sim_between(low, high);
	if (self->in_tx)
		stand_in_transaction(until);
	routine_sleep(until, false);
	trace("thaws");
}

static void
stand_still(const char *when, const char *what)
{
	const struct faults *f = &world.faults;

	/* A shepherd's lapse excuses a failed job: seldom. */
	if (may_lapse(what, KIND_SUPERVISOR) && sim_chance(f->lapse))
		freeze(when, what, LAPSE_JOB_MIN, LAPSE_JOB_MAX);
	else if (may_lapse(what, KIND_SHEPHERD) && sim_chance(f->lapse / 6))
		freeze(when, what, LAPSE_ATTEMPT_MIN, LAPSE_ATTEMPT_MAX);
	else if (sim_chance(f->freeze))
		freeze(when, what, FREEZE_MIN, FREEZE_MAX);
	else if (sim_chance(f->hold))
		routine_sleep(sim_now() + sim_between(1, HOLD_MAX), false);
}

bool
point_pass(const char *when, const char *what, uint64_t id)
{
	struct point *p;

	if (self->dead)
		return false;
	if (!world_is_rough() || (p = note(when, what, id)) == NULL)
		return true;
	if (p->key == fatal && !was_fatal) {
		was_fatal = true;
		die(p, when, what);
		return false;
	}
	if (may_be_killed() && sim_chance(world.faults.crash)) {
		die(p, when, what);
		return false;
	}
	stand_still(when, what);
	return !self->dead;
}
