/*
 * Outgoing objects.  A shipment is one object for one receiver; its parts
 * are requests, a bounded number of them under way at once.
 *
 *   taken -> each part recorded in the ledger, then sent, again after a
 *   pause when that failed -> done
 *
 * Silence and "no such running task" (the other half may start a little
 * later) are borne for a while, a full mailbox as long as the task may run;
 * everything else ends the task.
 */
#include "supervisor/shepherd/courier_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "supervisor/shepherd/session.h"
#include "supervisor/shepherd/shepherd.h"

/* Acknowledgements wait above these, reading pauses at twice as much. */
#define SOFT_INLINE (4u << 20)
#define SOFT_BYTES (256ull << 20)
#define SOFT_SHIPMENTS 2000

static void work(void *ctx);

int
courier_open(struct shepherd *s, struct courier **out)
{
	struct courier *c = xcalloc(1, sizeof(*c));

	c->shepherd = s;
	TAILQ_INIT(&c->queue);
	TAILQ_INIT(&c->flights);
	STAILQ_INIT(&c->acks);
	c->timer = loop_timer_new(s->loop, work, c);
	c->db_pause_ms = RETRY_PAUSE_MS;
	c->hashed_fd = -1;
	*out = c;
	return budget_open(s->db, s->conf, s->subject, &c->budget);
}

static void
shipment_free(struct shipment *sh)
{
	struct courier *c = sh->courier;

	TAILQ_REMOVE(&c->queue, sh, link);
	c->n--;
	c->bytes -= sh->parcel->size;
	if (sh->parcel->data != NULL)
		c->inline_bytes -= sh->parcel->size;
	parcel_drop(sh->parcel);
	free(sh->parts);
	free(sh);
}

void
courier_free(struct courier *c)
{
	struct ack *a;

	if (c == NULL)
		return;
	courier_send_fini(c);
	while (!TAILQ_EMPTY(&c->queue))
		shipment_free(TAILQ_FIRST(&c->queue));
	while ((a = STAILQ_FIRST(&c->acks)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->acks, link);
		free(a);
	}
	loop_timer_free(c->timer);
	loop_fd_del(c->hashed);
	fd_close(&c->hashed_fd);
	free(c);
}

bool
courier_is_idle(const struct courier *c)
{
	return TAILQ_EMPTY(&c->queue);
}

bool
courier_is_full(const struct courier *c)
{
	return c->inline_bytes > 2 * SOFT_INLINE || c->bytes > 2 * SOFT_BYTES ||
	       c->n > 2 * SOFT_SHIPMENTS;
}

int64_t
courier_full_since(const struct courier *c, struct courier_full *out)
{
	const struct shipment *sh;
	int64_t since = 0;

	TAILQ_FOREACH(sh, &c->queue, link)
	if (sh->full_ms != 0 && (since == 0 || sh->full_ms < since)) {
		since = sh->full_ms;
		*out = (struct courier_full){ sh->role, sh->party_id,
			sh->parcel->name, sh->full_why };
	}
	return since;
}

static bool
has_room(const struct courier *c)
{
	return c->inline_bytes <= SOFT_INLINE && c->bytes <= SOFT_BYTES &&
	       c->n <= SOFT_SHIPMENTS;
}

/* The end of the task, with what could not be delivered. */
void
shipment_give_up(struct shipment *sh, const char *why)
{
	char *text = xasprintf("%s (tag '%s') to %s %s: %s", sh->parcel->name,
	    sh->parcel->tag, sh->role, sh->party_id, why);

	control_end(sh->courier->shepherd, STATE_FAILED, FAULT_PARTNER, text);
	free(text);
}

/* --- taking --------------------------------------------------------------------- */

static int
check_receiver(const struct courier *c, const char *name,
    const Sluice__Executor__Party *to)
{
	const struct subject *s = c->shepherd->subject;
	const struct db_task_key *key = subject_key(s);

	if (!subject_has_member(s, to->role, to->party_id) ||
	    (str_eq(to->role, key->role) &&
		str_eq(to->party_id, key->party_id)))
		return err_set(ERR_INVALID,
		    "%s to %s %s, which is no other "
		    "member of %s",
		    name, to->role, to->party_id, key->component);
	if (!module_may_send(s->module, name, key->role, to->role))
		return err_set(ERR_DENIED, "%s may not send %s from %s to %s",
		    s->module->name, name, key->role, to->role);
	return 0;
}

/* What the manifest does not foresee could say anything. */
static int
check_tag(const struct courier *c, const char *name, const char *tag)
{
	const struct module *m = c->shepherd->subject->module;
	struct arena *a;
	int r;

	if (module_may_tag(m, name, tag))
		return 0;
	a = arena_new();
	r = err_set(ERR_DENIED,
	    "%s may not send %s with the tag '%.200s'; its manifest "
	    "allows: %s",
	    m->name, name, tag, module_tags_text(m, name, a));
	arena_free(a);
	return r;
}

/* The subject's own copy of a member's name. */
static const struct subject_member *
member_of(const struct subject *s, const Sluice__Executor__Party *p)
{
	size_t i;

	for (i = 0; i < s->n_members; i++)
		if (str_eq(s->members[i].role, p->role) &&
		    str_eq(s->members[i].party_id, p->party_id))
			return &s->members[i];
	return NULL;
}

static void
add_shipment(
    struct courier *c, struct parcel *p, const Sluice__Executor__Party *to)
{
	const struct subject_member *m = member_of(c->shepherd->subject, to);
	struct shipment *sh = xcalloc(1, sizeof(*sh));

	sh->courier = c;
	sh->parcel = p;
	p->refs++;
	sh->role = m->role;
	sh->party_id = m->party_id;
	sh->is_here = str_eq(m->party_id, c->shepherd->conf->party_id);
	sh->parts = xcalloc(p->parts, 1);
	sh->seq = c->last_seq + 1;
	c->last_seq += p->parts;
	TAILQ_INSERT_TAIL(&c->queue, sh, link);
	c->n++;
	c->bytes += p->size;
	if (p->data != NULL)
		c->inline_bytes += p->size;
}

static void
send_ack(struct courier *c, uint64_t id)
{
	Sluice__Executor__RemoteAck m = SLUICE__EXECUTOR__REMOTE_ACK__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;

	m.id = id;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_REMOTE_ACK;
	f.remote_ack = &m;
	if (session_send(c->shepherd->session, &f, NULL, 0) != 0)
		log_err("acknowledgement");
}

static void
courier_send_acks(struct courier *c)
{
	struct ack *a;

	while (has_room(c) && (a = STAILQ_FIRST(&c->acks)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->acks, link);
		send_ack(c, a->id);
		free(a);
	}
}

static void
on_hashed(void *ctx, int fd, int events)
{
	struct courier *c = ctx;
	eventfd_t n;

	(void)events;
	(void)eventfd_read(fd, &n);
	loop_timer_set(c->timer, 0, 0);
}

/* Digests of a large object are made beside its sending, by a thread. */
static void
hash_ahead(struct courier *c, struct parcel *p)
{
	if (c->hashed == NULL) {
		c->hashed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (c->hashed_fd < 0 ||
		    loop_fd_add(c->shepherd->loop, c->hashed_fd, LOOP_READ,
			on_hashed, c, &c->hashed) != 0) {
			fd_close(&c->hashed_fd);
			return; /* made when they are needed, then */
		}
	}
	parcel_hash_ahead(p, c->hashed_fd);
}

/* All that this object makes leave the site, or nothing of it. */
static int
spend(struct courier *c, const Sluice__Executor__Remote *m, bool is_file)
{
	uint64_t each = (is_file ? m->size : m->content.len) + strlen(m->tag);
	uint64_t all = 0;
	size_t i;

	for (i = 0; i < m->n_to; i++)
		if (!str_eq(m->to[i]->party_id, c->shepherd->conf->party_id) &&
		    __builtin_add_overflow(all, each, &all))
			return err_set(
			    ERR_LIMIT, "%s is larger than anything", m->name);
	return all == 0 ? 0 : budget_spend(&c->budget, m->name, all);
}

int
courier_take(struct courier *c, const Sluice__Executor__Remote *m, int *fd)
{
	struct parcel *p;
	struct ack *a;
	size_t i;
	int r;

	for (i = 0; i < m->n_to; i++)
		if ((r = check_receiver(c, m->name, m->to[i])) != 0)
			return r;
	if ((r = check_tag(c, m->name, m->tag)) != 0 ||
	    (r = spend(c, m, fd != NULL)) != 0)
		return r;
	if ((r = parcel_new(m, fd, &p)) != 0)
		return r;
	hash_ahead(c, p);
	for (i = 0; i < m->n_to; i++)
		add_shipment(c, p, m->to[i]);
	parcel_drop(p);
	a = xcalloc(1, sizeof(*a));
	a->id = m->id;
	STAILQ_INSERT_TAIL(&c->acks, a, link);
	courier_send_acks(c);
	loop_timer_set(c->timer, 0, 0);
	return 0;
}

/* --- trouble ---------------------------------------------------------------------- */

static int64_t
shipment_grown(int64_t pause, int64_t first, int64_t most)
{
	if (pause < first)
		return first;
	pause += pause / 2 + 1;
	return pause < most ? pause : most;
}

/*
 * Try again later.  With patience it is an error after a while, since it
 * tells that the receiver is not there.
 */
void
shipment_later(struct shipment *sh, int64_t first, int64_t most, bool patience,
    const char *why)
{
	int64_t now = clock_mono_ms();
	int64_t limit = sh->courier->shepherd->conf->partner_outage_s * 1000;

	sh->pause_ms = shipment_grown(sh->pause_ms, first, most);
	sh->due_ms = now + sh->pause_ms;
	if (!patience)
		return;
	if (sh->trouble_ms == 0)
		sh->trouble_ms = now;
	if (now - sh->trouble_ms >= limit)
		shipment_give_up(sh, why);
}

void
shipment_full(struct shipment *sh, int64_t first, const char *why)
{
	int64_t most = RETRY_MAX_MS;

	sh->trouble_ms = 0; /* it answers */
	if (sh->full_ms == 0)
		sh->full_ms = clock_mono_ms();
	(void)snprintf(sh->full_why, sizeof(sh->full_why), "%s", why);
	/* The first one asks often, all together so many times a second. */
	if (sh != TAILQ_FIRST(&sh->courier->queue))
		most += FULL_SHARE_MS * (int64_t)sh->courier->n;
	shipment_later(sh, first, most, false, why);
}

/*
 * One got in: there may be room for the next, in the order in which the
 * executor sent them, for that is what the other one mostly asks for.
 */
static void
try_full(struct courier *c, const struct shipment *done)
{
	struct shipment *sh;

	TAILQ_FOREACH(sh, &c->queue, link)
	if (sh != done && sh->full_ms != 0 && str_eq(sh->role, done->role) &&
	    str_eq(sh->party_id, done->party_id)) {
		sh->due_ms = 0;
		sh->pause_ms = 0;
		return;
	}
}

void
shipment_part_done(struct shipment *sh, uint32_t part)
{
	struct courier *c = sh->courier;

	sh->parts[part] = PART_DONE;
	sh->n_done++;
	sh->pause_ms = 0;
	sh->trouble_ms = 0;
	if (sh->full_ms != 0)
		try_full(c, sh);
	sh->full_ms = 0;
	if (sh->n_done < sh->parcel->parts)
		return;
	shipment_free(sh);
	courier_send_acks(c);
	session_resume(c->shepherd->session);
	if (courier_is_idle(c))
		control_poke(c->shepherd);
}

/* --- the round ------------------------------------------------------------------------ */

/* Everything that may be sent now is sent; the timer waits for the rest. */
static void
work(void *ctx)
{
	struct courier *c = ctx;
	struct shipment *sh, *next;
	int64_t now = clock_mono_ms(), due = INT64_MAX;

	if (courier_record(c) != 0) {
		log_err("ledger not written");
		loop_timer_set(c->timer, c->db_pause_ms, 0);
		c->db_pause_ms = shipment_grown(
		    c->db_pause_ms, RETRY_PAUSE_MS, RETRY_MAX_MS);
		return;
	}
	c->db_pause_ms = RETRY_PAUSE_MS;
	for (sh = TAILQ_FIRST(&c->queue); sh != NULL; sh = next) {
		next = TAILQ_NEXT(sh, link);
		if (sh->due_ms <= now &&
		    ((sh->trouble_ms == 0 && sh->full_ms == 0) ||
			sh->n_sent == 0)) {
			/* Delivered at once it is gone: look at it no more. */
			if (sh->is_here)
				shipment_deliver(sh);
			else if (c->in_flight < COURIER_IN_FLIGHT)
				shipment_send(sh);
		}
	}
	now = clock_mono_ms();
	TAILQ_FOREACH(sh, &c->queue, link)
	if (sh->due_ms > now && sh->due_ms < due)
		due = sh->due_ms;
	if (due != INT64_MAX)
		loop_timer_set(c->timer, due - now, 0);
}
