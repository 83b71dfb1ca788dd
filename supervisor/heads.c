/*
 * The exchange of heads.  Owned by main.c, called by changes.c.  All of it
 * stands in rows (audit_exchange); kept here is only what is under way.
 */
#include "supervisor/heads.h"

#include <stdlib.h>
#include <string.h>

#include "lib/audit/head.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_audit_chain.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/audit_head.h"
#include "supervisor/partners.h"

#define BATCH 200
/*
 * Between two looks: jobs that end meanwhile share an errand, and what it
 * costs in statements and commits at both sites.
 */
#define PACE_MS 500
#define AGAIN_MS 500
#define AGAIN_MAX_MS (300 * INT64_C(1000))
#define DOUBLINGS 10
#define TOLD_HEAD 1
#define TOLD_ALL 2

/* An errand under way. */
struct asking {
	struct heads *heads;
	struct arena *arena; /* owns this too */
	const char *peer_id;
	struct db_exchange *rows; /* told: what it has heard when it answers */
	size_t n;
	struct asking *next;
};

struct heads {
	struct supervisor *super;
	struct asking *list;
	struct loop_timer *later;
	int64_t looked_ms; /* monotonic; 0: never */
	bool is_later;	   /* the timer runs */
};

static void
on_later(void *ctx)
{
	struct heads *h = ctx;

	h->is_later = false;
	supervisor_changed(h->super, "");
}

struct heads *
heads_new(struct supervisor *s)
{
	struct heads *h = xcalloc(1, sizeof(*h));

	h->super = s;
	h->later = loop_timer_new(s->loop, on_later, h);
	return h;
}

static void
drop(struct asking *a)
{
	struct asking **at = &a->heads->list;

	while (*at != NULL && *at != a)
		at = &(*at)->next;
	if (*at == a)
		*at = a->next;
	arena_free(a->arena);
}

void
heads_free(struct heads *h)
{
	if (h == NULL)
		return;
	while (h->list != NULL)
		drop(h->list);
	loop_timer_free(h->later);
	free(h);
}

/* --- signing -------------------------------------------------------------- */

static int
sign(const struct heads *h, struct arena *a, struct audit_head *head,
    enum head_kind kind, const char **out)
{
	uint8_t bytes[KEYS_SIGNATURE_SIZE];
	char hex[2 * KEYS_SIGNATURE_SIZE + 1];
	int r;

	if ((r = audit_head_sign(head, kind, h->super->keys, bytes)) != 0)
		return r;
	str_to_hex(bytes, sizeof(bytes), hex);
	*out = arena_strdup(a, hex);
	return 0;
}

/* The chain as it is now: the job's end is in it (db_exchange_due()). */
static int
sign_own(const struct heads *h, struct arena *a, int64_t seq,
    const uint8_t *hash, struct db_exchange *x)
{
	struct audit_head head = { .job_id = x->job_id,
		.party_id = h->super->conf->party_id,
		.peer_id = x->peer_id,
		.seq = seq };
	char hex[2 * DIGEST_SIZE + 1];

	memcpy(head.hash, hash, sizeof(head.hash));
	str_to_hex(head.hash, sizeof(head.hash), hex);
	x->own.seq = seq;
	x->own.hash = arena_strdup(a, hex);
	return sign(h, a, &head, HEAD_OWN, &x->own.sign);
}

static int
sign_seen(const struct heads *h, struct arena *a, struct db_exchange *x)
{
	struct audit_head head = { .job_id = x->job_id,
		.party_id = x->peer_id,
		.peer_id = h->super->conf->party_id,
		.seq = x->peer.seq };
	int r;

	if ((r = str_from_hex(x->peer.hash, head.hash, sizeof(head.hash))) != 0)
		return r;
	return sign(h, a, &head, HEAD_SEEN, &x->peer.seen);
}

/* Rows of one other site. */
struct batch {
	const struct heads *heads;
	struct arena *arena;
	const char *peer_id;
	struct db_exchange *rows;
	size_t n;
};

/* Whoever is away stands behind the others for a while. */
static int64_t
pause_ms(const struct db_exchange *x)
{
	int64_t ms = AGAIN_MS << (x->tries < DOUBLINGS ? x->tries : DOUBLINGS);

	return ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS;
}

static int
sign_one(
    struct batch *b, int64_t seq, const uint8_t *hash, struct db_exchange *x)
{
	int r = 0;

	if (x->own.seq == 0)
		r = sign_own(b->heads, b->arena, seq, hash, x);
	if (r == 0 && x->peer.seq != 0 && x->peer.seen == NULL)
		r = sign_seen(b->heads, b->arena, x);
	x->pause_ms = pause_ms(x);
	return r;
}

/*
 * All that can be said of these rows is made and kept before it is said.  They
 * are locked: another supervisor may have been first, and there is one head.
 */
static int
sign_tx(struct db *db, void *ctx)
{
	struct batch *b = ctx;
	uint8_t hash[DIGEST_SIZE];
	struct db_exchange *rows;
	int64_t seq;
	size_t n;
	int r;

	if ((r = db_exchange_some(db, b->arena, b->peer_id, b->rows, b->n, true,
		 &rows, &n)) != 0 ||
	    (r = db_audit_head(db, &seq, hash)) != 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = sign_one(b, seq, hash, &rows[i]);
	if (r != 0 || (r = db_exchange_put_own(db, b->peer_id, rows, n)) != 0)
		return r;
	b->rows = rows;
	b->n = n;
	return 0;
}

/* --- asking --------------------------------------------------------------- */

static int
take_answer(struct asking *a, const struct partner_reply *reply)
{
	struct supervisor *s = a->heads->super;
	const char *why = NULL;

	if (reply->error != 0)
		why = reply->retmsg;
	else if (audit_heads_take(s->db, a->arena, s->conf->party_id,
		     a->peer_id, a->rows, a->n, reply->data) != 0) {
		log_err("heads of party %s", a->peer_id);
		why = arena_strdup(a->arena, err_text());
		err_clear();
	}
	for (size_t i = 0; why != NULL && i < a->n; i++) {
		a->rows[i].error = why;
		if (reply->error != 0)
			a->rows[i].told = 0;
	}
	return db_exchange_told(s->db, a->peer_id, a->rows, a->n);
}

static void
answered(void *ctx, const struct partner_reply *reply)
{
	struct asking *a = ctx;
	struct heads *h = a->heads;

	if (!partners_is_silence(reply) && take_answer(a, reply) != 0)
		log_err("exchange of heads with party %s", a->peer_id);
	drop(a);
	if (heads_may_look(h))
		heads_look(h);
}

static bool
is_under_way(const struct heads *h, const struct db_exchange *x)
{
	for (const struct asking *a = h->list; a != NULL; a = a->next)
		for (size_t i = 0; i < a->n; i++)
			if (a->rows[i].run == x->run &&
			    strcmp(a->rows[i].job_id, x->job_id) == 0 &&
			    strcmp(a->peer_id, x->peer_id) == 0)
				return true;
	return false;
}

/* What the answers are held against is kept with it. */
static struct asking *
asking_new(struct heads *h, const struct batch *b)
{
	struct arena *arena = arena_new();
	struct asking *a = arena_alloc(arena, sizeof(*a));

	*a = (struct asking){ .heads = h, .arena = arena, .n = b->n };
	a->peer_id = arena_strdup(arena, b->peer_id);
	a->rows = arena_alloc(arena, (b->n + 1) * sizeof(*a->rows));
	for (size_t i = 0; i < b->n; i++) {
		const struct db_exchange *x = &b->rows[i];

		a->rows[i] = (struct db_exchange){ .job_id = arena_strdup(
						       arena, x->job_id),
			.run = x->run,
			.peer_id = a->peer_id,
			.own = { .seq = x->own.seq, .seen = x->own.seen },
			.peer = { .seq = x->peer.seq },
			.told = x->peer.seen != NULL ? TOLD_ALL : TOLD_HEAD };
		a->rows[i].own.hash = arena_strdup(arena, x->own.hash);
		if (x->own.seen != NULL)
			a->rows[i].own.seen = arena_strdup(arena, x->own.seen);
		if (x->peer.seq != 0)
			a->rows[i].peer.hash =
			    arena_strdup(arena, x->peer.hash);
	}
	return a;
}

static int
ask(struct heads *h, const struct batch *b, const char *role)
{
	struct asking *a = asking_new(h, b);
	struct json_object *body = audit_heads_tell(b->rows, b->n);
	char *path =
	    xasprintf("%s/" AUDIT_HEAD "/%s/%s", ERRAND_PATH, role, b->peer_id);
	int r = partners_post(
	    h->super->partners, b->peer_id, path, json_text(body), answered, a);

	if (r == 0) {
		a->next = h->list;
		h->list = a;
	} else
		arena_free(a->arena);
	free(path);
	json_object_put(body);
	return r;
}

/*
 * It heard all and has said all: what is missing is to say so here.  Those are
 * moved to the end; returns how many are left.
 */
static size_t
complete_last(struct db_exchange *rows, size_t n)
{
	struct db_exchange x;

	for (size_t i = 0; i < n;) {
		x = rows[i];
		if (x.told != TOLD_ALL || x.own.seen == NULL) {
			i++;
			continue;
		}
		rows[i] = rows[--n];
		rows[n] = x;
	}
	return n;
}

static int
carry_on(struct heads *h, struct batch *b)
{
	struct supervisor *s = h->super;
	const char *role = b->rows[0].peer_role, *why;
	size_t left = complete_last(b->rows, b->n);
	int64_t away_ms;
	int r;

	if ((r = db_exchange_told(
		 s->db, b->peer_id, b->rows + left, b->n - left)) != 0 ||
	    (b->n = left) == 0)
		return r;
	/* They may have been changed (sluice site rotate-key). */
	if ((r = keys_refresh(s->keys)) != 0 ||
	    (r = db_tx(s->db, sign_tx, b)) != 0 || b->n == 0 ||
	    partners_away(s->partners, b->peer_id, &away_ms, &why))
		return r;
	r = ask(h, b, role);
	/* No partner any more, so nobody to tell. */
	return r == ERR_NOT_FOUND ? 0 : r;
}

/* Of those from the first on, in their order: the first one's other site's. */
static size_t
gather(struct db_exchange *rows, size_t n)
{
	const char *peer = rows[0].peer_id;
	struct db_exchange x;
	size_t have = 0;

	for (size_t i = 0; i < n && have < AUDIT_HEADS_MAX; i++) {
		if (strcmp(rows[i].peer_id, peer) != 0)
			continue;
		x = rows[i];
		rows[i] = rows[have];
		rows[have++] = x;
	}
	return have;
}

bool
heads_may_look(struct heads *h)
{
	int64_t left = h->looked_ms + PACE_MS - clock_mono_ms();

	if (h->looked_ms == 0 || left <= 0)
		return true;
	if (!h->is_later)
		loop_timer_set(h->later, left, 0);
	h->is_later = true;
	return false;
}

void
heads_look(struct heads *h)
{
	struct supervisor *s = h->super;
	struct arena *arena = arena_new();
	struct db_exchange *rows;
	size_t n = 0, kept = 0;

	h->looked_ms = clock_mono_ms();
	if (s->keys == NULL || s->http == NULL)
		goto out;
	if (db_exchange_due(s->db, arena, BATCH, &rows, &n) != 0)
		log_err("look for heads to exchange");
	for (size_t i = 0; i < n; i++)
		if (rows[i].peer_role != NULL && !is_under_way(h, &rows[i]))
			rows[kept++] = rows[i];
	for (size_t i = 0; i < kept;) {
		struct batch b = { .heads = h,
			.arena = arena,
			.peer_id = rows[i].peer_id,
			.rows = &rows[i],
			.n = gather(&rows[i], kept - i) };

		i += b.n;
		if (carry_on(h, &b) != 0)
			log_err("exchange of heads with party %s", b.peer_id);
	}
	err_clear();
out:
	arena_free(arena);
}
