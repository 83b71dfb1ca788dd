/*
 * From refused.log and nginx-tls.log to metrics and audit.  Owned by supervisor.c.
 */
#include "supervisor/refusals.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_refusal.h"
#include "lib/db/db_tx.h"
#include "supervisor/certificates.h"
#include "supervisor/peers.h"
#include "supervisor/refused_line.h"
#include "supervisor/refused_log.h"

#define PERIOD_MS 1000
#define AGAIN_MS 20
/* Listeners, reasons and partners of one bite; more become nobody's, for whom
 * there is room for each listener and reason. */
#define KINDS_MAX 1000
#define NOBODYS_MAX 100
#define AUDIT_ACTION "front"

struct refusals {
	struct supervisor *super;
	struct loop_timer *timer;
	enum refusals_of of;
	const char *name; /* of the log */
	struct refused_log *log;
	struct certificates *certificates;
	char *place;
	struct db_front_at at;
	bool is_known;	 /* at is what the row says */
	bool is_waiting; /* rows are pending, or may be */
};

/* --- one bite --------------------------------------------------------------- */

struct bite {
	struct refusals *refusals;
	struct arena *arena;
	int64_t users_port; /* see port_of_users() */
	struct db_front_at to;
	struct db_refusal *kinds;
	size_t n;
	/* of the transaction */
	size_t recorded;
	int64_t waiting;
};

static struct db_refusal *
kind_of(struct bite *b, const char *listener, const char *reason,
    const char *party_id)
{
	struct db_refusal *k;
	size_t i;

	for (i = 0; i < b->n; i++) {
		k = &b->kinds[i];
		if (str_eq(k->listener, listener) &&
		    str_eq(k->reason, reason) && str_eq(k->party_id, party_id))
			return k;
	}
	if (party_id[0] != '\0' && b->n >= KINDS_MAX)
		return kind_of(b, listener, reason, "");
	k = &b->kinds[b->n++];
	*k = (struct db_refusal){ .listener = listener,
		.reason = reason,
		.party_id = arena_strdup(b->arena, party_id),
		.address = "" };
	return k;
}

/* The port of the users' listener; 0: there is none. */
static int64_t
port_of_users(const struct site_conf *c)
{
	const char *colon = strrchr(c->client_tls_url, ':');
	int64_t port = 0;

	if (colon != NULL && str_to_int64(colon + 1, 1, UINT16_MAX, &port) != 0)
		err_clear();
	return port;
}

/* Much else stands in that log, which is no refusal. */
static bool
parse_handshake(const struct bite *b, const char *text, size_t len,
    struct refused_line *out)
{
	int64_t port;

	if (!refused_tls_parse(text, len, out, &port))
		return false;
	out->listener =
	    port == b->users_port ? REFUSED_CLIENT_TLS : REFUSED_PARTNER;
	out->at_ms = clock_wall_ms();
	return true;
}

static void
count_line(struct bite *b, const char *text, size_t len)
{
	struct refusals *rf = b->refusals;
	const char *party = NULL;
	struct refused_line l;
	struct db_refusal *k;

	if (rf->of == REFUSALS_HANDSHAKES) {
		if (!parse_handshake(b, text, len, &l))
			return;
		k = kind_of(b, l.listener, refused_reason(&l, false), "");
	} else if (!refused_line_parse(text, len, &l)) {
		k = kind_of(b, "?", REFUSED_UNREADABLE, "");
		l.at_ms = clock_wall_ms();
		l.address[0] = '\0';
	} else {
		if (l.fingerprint[0] != '\0')
			party = certificates_find(
			    rf->certificates, rf->super->db, l.fingerprint);
		k = kind_of(b, l.listener, refused_reason(&l, party != NULL),
		    party != NULL ? party : "");
	}
	if (k->n++ == 0)
		k->first_ms = l.at_ms;
	if (!str_eq(k->address, l.address))
		k->address = arena_strdup(b->arena, l.address);
}

static void
count_lines(struct bite *b, const struct buf *lines)
{
	const char *at = buf_str(lines), *end = at + lines->len, *newline;

	b->kinds = arena_alloc(
	    b->arena, (KINDS_MAX + NOBODYS_MAX) * sizeof(*b->kinds));
	for (; at < end; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (newline == NULL)
			newline = end;
		count_line(b, at, (size_t)(newline - at));
	}
}

static int
record(struct db *db, struct arena *a, const struct refusals *rf,
    const struct db_refusal *k)
{
	char date[CLOCK_UTC_SIZE];
	struct db_audit row = {
		.actor = "front", .action = AUDIT_ACTION, .outcome = "refused"
	};
	int r;

	clock_utc(k->first_ms, date);
	if (k->party_id[0] != '\0')
		row.actor = arena_printf(a, "party %s", k->party_id);
	row.subject = arena_printf(a, "%s %s", k->listener, k->reason);
	row.detail = arena_printf(a, "%lld since %s, the last from %s: %s",
	    (long long)k->n, date, k->address[0] != '\0' ? k->address : "?",
	    refused_text(k->reason));
	if ((r = db_audit_add(db, &row)) != 0)
		return r;
	return db_refusal_told(db, rf->place, k);
}

static int
take_tx(struct db *db, void *ctx)
{
	struct bite *b = ctx;
	struct refusals *rf = b->refusals;
	bool moved =
	    b->to.inode != rf->at.inode || b->to.offset != rf->at.offset;
	struct db_refusal *due;
	size_t i;
	int r = 0;

	if (moved)
		r = db_front_move(db, rf->place, &rf->at, &b->to);
	for (i = 0; r == 0 && i < b->n; i++)
		r = db_refusal_add(db, rf->place, &b->kinds[i]);
	if (r == 0)
		r = db_refusal_due(
		    db, b->arena, rf->place, &due, &b->recorded, &b->waiting);
	for (i = 0; r == 0 && i < b->recorded; i++)
		r = record(db, b->arena, rf, &due[i]);
	return r;
}

static void
taken(struct refusals *rf, const struct bite *b)
{
	const struct db_refusal *k;

	for (k = b->kinds; k < b->kinds + b->n; k++) {
		metrics_add(rf->super->metrics, METRIC_front_refusals_total,
		    (double)k->n, "listener", k->listener, "reason", k->reason,
		    "party", k->party_id, NULL);
		log_info("front: %lld refused: %s %s%s%s, the last from %s",
		    (long long)k->n, k->listener, k->reason,
		    k->party_id[0] != '\0' ? " party=" : "", k->party_id,
		    k->address);
	}
	rf->at = b->to;
	rf->is_waiting = b->waiting > 0;
	refused_log_done(rf->log, &rf->at);
}

int
refusals_look(struct refusals *rf, bool *more)
{
	struct bite b = { .refusals = rf, .arena = arena_new() };
	struct buf lines = BUF_INIT;
	int r = 0;

	*more = false;
	if (rf->of == REFUSALS_HANDSHAKES)
		b.users_port = port_of_users(rf->super->conf);
	if (!rf->is_known)
		r = db_front_at(rf->super->db, rf->place, &rf->at);
	rf->is_known = r == 0;
	if (r == 0)
		r = refused_log_read(rf->log, &rf->at, &lines, &b.to, more);
	if (r == 0)
		count_lines(&b, &lines);
	if (r == 0 && (b.to.inode != rf->at.inode ||
			  b.to.offset != rf->at.offset || rf->is_waiting)) {
		r = db_tx(rf->super->db, take_tx, &b);
		if (r == 0)
			taken(rf, &b);
		else
			rf->is_known = false;
	}
	if (r == ERR_CONFLICT) { /* another supervisor of this home did it */
		err_clear();
		rf->is_waiting = true;
		r = 0;
	}
	buf_fini(&lines);
	arena_free(b.arena);
	return r;
}

/* --- its clock ---------------------------------------------------------------- */

static void
on_timer(void *ctx)
{
	struct refusals *rf = ctx;
	bool more = false;

	if (refusals_look(rf, &more) != 0) {
		log_err("%s", rf->name);
		more = false;
	}
	loop_timer_set(rf->timer, more ? AGAIN_MS : PERIOD_MS, 0);
}

struct refusals *
refusals_new(struct supervisor *s, enum refusals_of of)
{
	bool requests = of == REFUSALS_REQUESTS;
	struct refusals *rf = xcalloc(1, sizeof(*rf));
	char *folder = site_path(s->conf, "%s", SITE_LOGS), *label;

	rf->super = s;
	rf->of = of;
	rf->name = requests ? REFUSED_LOG : REFUSED_TLS_LOG;
	rf->log = refused_log_new(folder, rf->name);
	rf->certificates = certificates_new();
	label = peers_label(s->conf, s->host, "");
	rf->place = requests ? xstrdup(label) : xasprintf("%s tls", label);
	free(label);
	rf->is_waiting = true;
	rf->timer = loop_timer_new(s->loop, on_timer, rf);
	loop_timer_set(rf->timer, PERIOD_MS, 0);
	free(folder);
	return rf;
}

void
refusals_free(struct refusals *rf)
{
	if (rf == NULL)
		return;
	loop_timer_free(rf->timer);
	refused_log_free(rf->log);
	certificates_free(rf->certificates);
	free(rf->place);
	free(rf);
}
