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
#include "supervisor/shepherd/courier.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_partner.h"
#include "lib/http/client.h"
#include "lib/json/json.h"
#include "lib/sign/keys.h"
#include "supervisor/shepherd/budget.h"
#include "supervisor/shepherd/parcel.h"
#include "supervisor/shepherd/session.h"
#include "supervisor/shepherd/shepherd.h"

#define MAX_IN_FLIGHT 8
/* Acknowledgements wait above these, reading pauses at twice as much. */
#define SOFT_INLINE (4u << 20)
#define SOFT_BYTES (256ull << 20)
#define SOFT_SHIPMENTS 2000
/* Rows of the ledger in one transaction. */
#define LEDGER_BATCH 64
/* Pauses before another try: the receiver starts soon, or was not reached. */
#define START_PAUSE_MS 20
#define START_MAX_MS 500
#define RETRY_PAUSE_MS 50
#define RETRY_MAX_MS 2000
/* A partner may be silent for so many times partner_timeout_ms. */
#define PATIENCE 6
/* Slowest link that is still waited for: bytes per millisecond. */
#define SLOWEST 1000

enum part_state {
	PART_NEW, /* not in the ledger */
	PART_WAITS,
	PART_SENT,
	PART_DONE
};

struct shipment {
	TAILQ_ENTRY(shipment) link;
	struct courier *courier;
	struct parcel *parcel;
	const char *role; /* borrowed from the subject */
	const char *party_id;
	bool is_here;	      /* the receiver is at this site */
	unsigned char *parts; /* enum part_state each */
	uint32_t n_done;
	uint32_t n_sent; /* under way now */
	int64_t due_ms;	 /* not before; monotonic */
	int64_t pause_ms;
	int64_t trouble_ms; /* since when; 0: none */
};

struct flight {
	TAILQ_ENTRY(flight) link;
	struct shipment *shipment;
	uint32_t part;
	struct http_call *call;
};

struct ack {
	STAILQ_ENTRY(ack) link;
	uint64_t id;
};

/* Where a partner is; looked up once. */
struct address {
	struct address *next;
	char *party_id;
	char *url;
};

struct courier {
	struct shepherd *shepherd;
	struct budget budget;
	struct keys *keys;
	struct http_client *http; /* NULL until needed */
	struct address *addresses;
	TAILQ_HEAD(shipment_list, shipment) queue;
	TAILQ_HEAD(flight_list, flight) flights;
	STAILQ_HEAD(ack_list, ack) acks;
	struct loop_timer *timer;
	int hashed_fd; /* eventfd: another part has its digest */
	struct loop_fd *hashed;
	size_t n; /* shipments */
	unsigned in_flight;
	size_t inline_bytes; /* of shipments */
	uint64_t bytes;
	int64_t db_pause_ms;
};

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

static void
flight_free(struct courier *c, struct flight *f)
{
	TAILQ_REMOVE(&c->flights, f, link);
	c->in_flight--;
	free(f);
}

static void
addresses_free(struct courier *c)
{
	struct address *a;

	while ((a = c->addresses) != NULL) {
		c->addresses = a->next;
		free(a->party_id);
		free(a->url);
		free(a);
	}
}

void
courier_free(struct courier *c)
{
	struct ack *a;

	if (c == NULL)
		return;
	http_client_free(c->http);
	keys_free(c->keys);
	while (!TAILQ_EMPTY(&c->flights))
		flight_free(c, TAILQ_FIRST(&c->flights));
	while (!TAILQ_EMPTY(&c->queue))
		shipment_free(TAILQ_FIRST(&c->queue));
	while ((a = STAILQ_FIRST(&c->acks)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->acks, link);
		free(a);
	}
	addresses_free(c);
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

static bool
has_room(const struct courier *c)
{
	return c->inline_bytes <= SOFT_INLINE && c->bytes <= SOFT_BYTES &&
	       c->n <= SOFT_SHIPMENTS;
}

/* The end of the task, with what could not be delivered. */
static void
give_up(struct shipment *sh, const char *why)
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
send_acks(struct courier *c)
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
	if ((r = spend(c, m, fd != NULL)) != 0)
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
	send_acks(c);
	loop_timer_set(c->timer, 0, 0);
	return 0;
}

/* --- the ledger ------------------------------------------------------------------- */

/*
 * A large object leaves in parts, and each has its own line: what left is
 * what was sent, not what was meant to be.  Its tag gets " [N/M]".
 */
static int
fill_egress(struct arena *a, const struct shipment *sh, uint32_t part,
    struct db_egress *row)
{
	struct parcel *p = sh->parcel;
	const unsigned char *sum;
	uint64_t offset, len;
	int r;

	if ((r = parcel_digest(p, part, &sum)) != 0)
		return r;
	parcel_part(p, part, &offset, &len);
	memset(row, 0, sizeof(*row));
	row->key = *subject_key(sh->courier->shepherd->subject);
	row->to_role = sh->role;
	row->to_party = sh->party_id;
	row->name = p->name;
	row->tag = p->parts == 1 ? p->tag
				 : arena_printf(a, "%s [%u/%u]", p->tag,
				       part + 1, p->parts);
	row->bytes = (int64_t)len;
	memcpy(row->sha256, sum, sizeof(row->sha256));
	return 0;
}

/* Parts of large objects, one by one as they are sent. */
static int
record_part(struct shipment *sh, uint32_t part)
{
	struct arena *a = arena_new();
	struct db_egress row;
	int r;

	if ((r = fill_egress(a, sh, part, &row)) == 0 &&
	    (r = db_egress_add(sh->courier->shepherd->db, &row, 1)) == 0)
		sh->parts[part] = PART_WAITS;
	arena_free(a);
	return r;
}

/*
 * Small objects in batches, for a commit costs more than an object.  *more
 * tells whether some are left.
 */
static int
record_some(struct courier *c, bool *more)
{
	struct shipment *batch[LEDGER_BATCH];
	struct shipment *sh;
	struct db_egress rows[LEDGER_BATCH];
	size_t n = 0, i;
	int r;

	*more = false;
	for (sh = TAILQ_FIRST(&c->queue); sh != NULL;
	     sh = TAILQ_NEXT(sh, link)) {
		if (sh->is_here || sh->parcel->parts != 1 ||
		    sh->parts[0] != PART_NEW)
			continue;
		if (n == LEDGER_BATCH) {
			*more = true;
			break;
		}
		if ((r = fill_egress(NULL, sh, 0, &rows[n])) != 0)
			return r;
		batch[n++] = sh;
	}
	if (n == 0)
		return 0;
	if ((r = db_egress_add(c->shepherd->db, rows, n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		batch[i]->parts[0] = PART_WAITS;
	return 0;
}

static int
record(struct courier *c)
{
	bool more;
	int r;

	do {
		if ((r = record_some(c, &more)) != 0)
			return r;
	} while (more);
	return 0;
}

/* --- trouble ---------------------------------------------------------------------- */

static int64_t
grown(int64_t pause, int64_t first, int64_t most)
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
static void
later(struct shipment *sh, int64_t first, int64_t most, bool patience,
    const char *why)
{
	int64_t now = clock_mono_ms();
	int64_t limit =
	    PATIENCE * sh->courier->shepherd->conf->partner_timeout_ms;

	sh->pause_ms = grown(sh->pause_ms, first, most);
	sh->due_ms = now + sh->pause_ms;
	if (!patience)
		return;
	if (sh->trouble_ms == 0)
		sh->trouble_ms = now;
	if (now - sh->trouble_ms >= limit)
		give_up(sh, why);
}

static void
part_done(struct shipment *sh, uint32_t part)
{
	struct courier *c = sh->courier;

	sh->parts[part] = PART_DONE;
	sh->n_done++;
	sh->pause_ms = 0;
	sh->trouble_ms = 0;
	if (sh->n_done < sh->parcel->parts)
		return;
	shipment_free(sh);
	send_acks(c);
	session_resume(c->shepherd->session);
	if (courier_is_idle(c))
		control_poke(c->shepherd);
}

/* --- to members of this site -------------------------------------------------------- */

static int
deposit(const struct site_conf *conf, const struct mailbox_task *to,
    const struct mailbox_object *o, const struct parcel *p)
{
	struct mailbox *mb;
	char file[MAILBOX_FILE_SIZE];
	int r;

	if ((r = mailbox_file_name(o, file)) != 0 ||
	    (r = mailbox_open(conf, to, &mb)) != 0)
		return r;
	if (p->data != NULL)
		r = mailbox_put_bytes(mb, o, p->data, p->size);
	else
		r = mailbox_put_fd(mb, o, p->fd, 0, p->size);
	mailbox_close(mb);
	/* A receiver that does not listen looks by itself, later. */
	if (r == 0)
		(void)mailbox_wake(conf, to, file);
	return r;
}

static void
deliver_here(struct shipment *sh)
{
	struct shepherd *s = sh->courier->shepherd;
	struct mailbox_task to = s->mailbox;
	struct mailbox_object o = {
		.name = sh->parcel->name,
		.tag = sh->parcel->tag,
		.from_role = s->mailbox.role,
		.from_party = s->mailbox.party_id,
		.parts = 1,
	};

	to.role = sh->role;
	to.party_id = sh->party_id;
	switch (deposit(s->conf, &to, &o, sh->parcel)) {
	case 0:
		/* In one piece here, however many parts it would have had. */
		sh->n_done = sh->parcel->parts - 1;
		part_done(sh, sh->parcel->parts - 1);
		break;
	case ERR_NOT_FOUND:
		later(sh, START_PAUSE_MS, START_MAX_MS, true,
		    "the receiver does not run");
		break;
	case ERR_BUSY:
		later(sh, RETRY_PAUSE_MS, RETRY_MAX_MS, false, NULL);
		break;
	default:
		give_up(sh, err_text());
		break;
	}
}

/* --- to partners ------------------------------------------------------------------- */

static int
find_address(struct courier *c, const char *party_id, const char **url)
{
	struct arena *arena = NULL;
	struct address *a;
	struct db_partner *p;
	int r = 0;

	for (a = c->addresses; a != NULL; a = a->next)
		if (str_eq(a->party_id, party_id))
			goto out;
	arena = arena_new();
	if ((r = db_partner_get(c->shepherd->db, arena, party_id, &p)) != 0)
		goto out;
	if (!p->enabled) {
		r = err_set(ERR_DENIED, "partner %s is disabled", party_id);
		goto out;
	}
	a = xcalloc(1, sizeof(*a));
	a->party_id = xstrdup(party_id);
	a->url = xstrdup(p->url);
	if (str_ends(a->url, "/"))
		a->url[strlen(a->url) - 1] = '\0';
	a->next = c->addresses;
	c->addresses = a;
out:
	arena_free(arena);
	*url = a != NULL ? a->url : NULL;
	return r;
}

static int
open_client(struct courier *c)
{
	char *path;
	int r = 0;

	if (c->http != NULL)
		return 0;
	path = site_path(c->shepherd->conf, "%s/sign.key", SITE_KEYS);
	if (c->keys == NULL)
		r = keys_load(path, &c->keys);
	free(path);
	if (r != 0)
		return r;
	return http_client_new_site(
	    c->shepherd->loop, c->shepherd->conf, c->keys, &c->http);
}

static void
add_query(struct buf *b, char first, const char *name, const char *value)
{
	buf_printf(b, "%c%s=", first, name);
	str_percent_encode(b, value, strlen(value));
}

static void
make_url(
    struct buf *b, const char *base, const struct shipment *sh, uint32_t part)
{
	const struct mailbox_task *me = &sh->courier->shepherd->mailbox;
	const struct parcel *p = sh->parcel;

	/* Parts of a large object are spooled, whatever their own size. */
	buf_printf(b, "%s/v1/mailbox/%s/%s/%s/%d/%s/%s", base,
	    p->size <= MAILBOX_SMALL_MAX ? "small" : "large", me->job_id,
	    me->component, me->version, sh->role, sh->party_id);
	add_query(b, '?', "name", p->name);
	add_query(b, '&', "tag", p->tag);
	add_query(b, '&', "from", me->role);
	buf_printf(b, "&part=%u&parts=%u", part, p->parts);
}

/* The partner's own words, when it said any. */
static char *
refusal(const struct http_reply *reply)
{
	struct json_object *o = NULL;
	char *text;

	if (reply->error != 0)
		return xstrdup(reply->error_text);
	if (json_parse(buf_str(&reply->body), reply->body.len, 64 << 10, &o) !=
	    0)
		o = NULL;
	text = xasprintf(
	    "status %d %.300s", reply->status, json_get_str(o, "retmsg", ""));
	json_object_put(o);
	return text;
}

static void
part_failed(struct shipment *sh, const struct http_reply *reply)
{
	char *why = refusal(reply);

	log_warn(
	    "%s to %s %s: %s", sh->parcel->name, sh->role, sh->party_id, why);
	if (reply->status == 404)
		later(sh, START_PAUSE_MS, START_MAX_MS, true, why);
	else if (reply->status == 429)
		later(sh,
		    reply->retry_after_s > 0 ? reply->retry_after_s * 1000
					     : RETRY_PAUSE_MS,
		    RETRY_MAX_MS, false, why);
	else if (reply->error == ERR_NET || reply->error == ERR_TIMEOUT ||
		 reply->status >= 500)
		later(sh, RETRY_PAUSE_MS, RETRY_MAX_MS, true, why);
	else
		give_up(sh, why);
	free(why);
}

static void
on_reply(void *ctx, const struct http_reply *reply)
{
	struct flight *f = ctx;
	struct shipment *sh = f->shipment;
	struct courier *c = sh->courier;
	uint32_t part = f->part;

	flight_free(c, f);
	sh->n_sent--;
	if (reply->error == 0 && reply->status == 200) {
		part_done(sh, part);
	} else {
		sh->parts[part] = PART_WAITS;
		part_failed(sh, reply);
	}
	loop_timer_set(c->timer, 0, 0);
}

static int
send_part(struct shipment *sh, uint32_t part)
{
	struct courier *c = sh->courier;
	struct parcel *p = sh->parcel;
	const unsigned char *sum;
	struct flight *f;
	struct http_request req = { .method = "PUT",
		.content_type = "application/octet-stream" };
	struct buf url = BUF_INIT;
	char digest[DIGEST_TEXT_SIZE];
	const char *base;
	uint64_t offset, len;
	int r;

	if ((r = open_client(c)) != 0 ||
	    (r = find_address(c, sh->party_id, &base)) != 0 ||
	    (sh->parts[part] == PART_NEW && (r = record_part(sh, part)) != 0) ||
	    (r = parcel_digest(p, part, &sum)) != 0)
		return r;
	make_url(&url, base, sh, part);
	parcel_part(p, part, &offset, &len);
	req.url = buf_str(&url);
	req.party = sh->party_id;
	if (p->data != NULL) {
		req.body = p->data;
		req.body_len = p->size;
	} else {
		req.body_fd = p->fd;
		req.body_offset = offset;
		req.body_size = len;
	}
	digest_text(sum, digest);
	req.digest = digest;
	req.timeout_ms =
	    c->shepherd->conf->partner_timeout_ms + (int64_t)(len / SLOWEST);
	f = xcalloc(1, sizeof(*f));
	f->shipment = sh;
	f->part = part;
	r = http_send(c->http, &req, on_reply, f, &f->call);
	buf_fini(&url);
	if (r != 0) {
		free(f);
		return r;
	}
	TAILQ_INSERT_TAIL(&c->flights, f, link);
	c->in_flight++;
	sh->parts[part] = PART_SENT;
	sh->n_sent++;
	return 0;
}

static void
send_parts(struct shipment *sh)
{
	struct courier *c = sh->courier;
	uint32_t i;
	int r;

	for (i = 0; i < sh->parcel->parts && c->in_flight < MAX_IN_FLIGHT;
	     i++) {
		if (sh->parts[i] > PART_WAITS)
			continue;
		if (!parcel_is_ready(sh->parcel, i))
			break; /* on_hashed() comes back to it */
		r = send_part(sh, i);
		if (r == ERR_DB || r == ERR_DB_RETRY || r == ERR_IO)
			later(
			    sh, RETRY_PAUSE_MS, RETRY_MAX_MS, true, err_text());
		else if (r != 0)
			give_up(sh, err_text());
		/* After trouble one part tries whether it has passed. */
		if (r != 0 || sh->trouble_ms != 0)
			break;
	}
}

/* --- the round ------------------------------------------------------------------------ */

/* Everything that may be sent now is sent; the timer waits for the rest. */
static void
work(void *ctx)
{
	struct courier *c = ctx;
	struct shipment *sh, *next;
	int64_t now = clock_mono_ms(), due = INT64_MAX;

	if (record(c) != 0) {
		log_err("ledger not written");
		loop_timer_set(c->timer, c->db_pause_ms, 0);
		c->db_pause_ms =
		    grown(c->db_pause_ms, RETRY_PAUSE_MS, RETRY_MAX_MS);
		return;
	}
	c->db_pause_ms = RETRY_PAUSE_MS;
	for (sh = TAILQ_FIRST(&c->queue); sh != NULL; sh = next) {
		next = TAILQ_NEXT(sh, link);
		if (sh->due_ms <= now &&
		    (sh->trouble_ms == 0 || sh->n_sent == 0)) {
			/* Delivered at once it is gone: look at it no more. */
			if (sh->is_here)
				deliver_here(sh);
			else if (c->in_flight < MAX_IN_FLIGHT)
				send_parts(sh);
		}
	}
	now = clock_mono_ms();
	TAILQ_FOREACH(sh, &c->queue, link)
	if (sh->due_ms > now && sh->due_ms < due)
		due = sh->due_ms;
	if (due != INT64_MAX)
		loop_timer_set(c->timer, due - now, 0);
}
