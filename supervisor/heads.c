/*
 * The exchange of heads.  Owned by main.c, called by changes.c.  All of it
 * stands in rows (audit_exchange); kept here is only what is under way.
 */
#include "supervisor/heads.h"

#include <stdlib.h>
#include <string.h>

#include "lib/audit/head.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_audit_chain.h"
#include "lib/json/json.h"
#include "lib/party/audit_head.h"
#include "supervisor/partners.h"

#define BATCH 50
#define AGAIN_MS 500
#define AGAIN_MAX_MS (300 * INT64_C(1000))
#define DOUBLINGS 10
#define TOLD_HEAD 1
#define TOLD_ALL 2

struct asking {
	struct heads *heads;
	struct arena *arena; /* owns this too */
	struct db_exchange row;
	int64_t telling; /* TOLD_HEAD or TOLD_ALL */
	struct asking *next;
};

struct heads {
	struct supervisor *super;
	struct asking *list;
};

struct heads *
heads_new(struct supervisor *s)
{
	struct heads *h = xcalloc(1, sizeof(*h));

	h->super = s;
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

	/* They may have been changed (sluice site rotate-key). */
	if ((r = keys_refresh(h->super->keys)) != 0 ||
	    (r = audit_head_sign(head, kind, h->super->keys, bytes)) != 0)
		return r;
	str_to_hex(bytes, sizeof(bytes), hex);
	*out = arena_strdup(a, hex);
	return 0;
}

/* The chain as it is now: the job's end is in it (db_exchange_due()). */
static int
sign_own(struct heads *h, struct arena *a, struct db_exchange *x)
{
	struct audit_head head = { .job_id = x->job_id,
		.party_id = h->super->conf->party_id,
		.peer_id = x->peer_id };
	char hex[2 * DIGEST_SIZE + 1];
	struct db_exchange *kept;
	int r;

	if ((r = db_audit_head(h->super->db, &head.seq, head.hash)) != 0 ||
	    (r = sign(h, a, &head, HEAD_OWN, &x->own.sign)) != 0)
		return r;
	str_to_hex(head.hash, sizeof(head.hash), hex);
	x->own.seq = head.seq;
	x->own.hash = arena_strdup(a, hex);
	if ((r = db_exchange_put_own(h->super->db, x)) != 0 ||
	    (r = db_exchange_get(
		 h->super->db, a, x->job_id, x->run, x->peer_id, &kept)) != 0)
		return r;
	/* Another supervisor may have been first: there is one head. */
	*x = *kept;
	return 0;
}

static int
sign_seen(struct heads *h, struct arena *a, struct db_exchange *x)
{
	struct audit_head head = { .job_id = x->job_id,
		.party_id = x->peer_id,
		.peer_id = h->super->conf->party_id,
		.seq = x->peer.seq };
	int r;

	if ((r = str_from_hex(x->peer.hash, head.hash, sizeof(head.hash))) !=
		0 ||
	    (r = sign(h, a, &head, HEAD_SEEN, &x->peer.seen)) != 0)
		return r;
	return db_exchange_put_peer(h->super->db, x);
}

/* --- asking --------------------------------------------------------------- */

static int
take_answer(struct asking *a, const struct partner_reply *reply)
{
	struct supervisor *s = a->heads->super;
	struct arena *arena = arena_new();
	int r = 0;

	if (reply->error == 0 && json_is_object(reply->data))
		r = audit_head_take(
		    s->db, arena, s->conf->party_id, &a->row, reply->data);
	if (r != 0)
		log_err(
		    "job=%s head of party %s", a->row.job_id, a->row.peer_id);
	r = db_exchange_told(s->db, &a->row, reply->error == 0 ? a->telling : 0,
	    reply->error == 0 ? (r != 0 ? err_text() : "") : reply->retmsg);
	arena_free(arena);
	return r;
}

static void
answered(void *ctx, const struct partner_reply *reply)
{
	struct asking *a = ctx;
	struct heads *h = a->heads;

	if (!partners_is_silence(reply) && take_answer(a, reply) != 0)
		log_err("job=%s exchange of heads", a->row.job_id);
	drop(a);
	heads_look(h);
}

static bool
is_under_way(const struct heads *h, const struct db_exchange *x)
{
	for (const struct asking *a = h->list; a != NULL; a = a->next)
		if (a->row.run == x->run &&
		    strcmp(a->row.job_id, x->job_id) == 0 &&
		    strcmp(a->row.peer_id, x->peer_id) == 0)
			return true;
	return false;
}

static struct asking *
asking_new(struct heads *h, const struct db_exchange *x)
{
	struct arena *arena = arena_new();
	struct asking *a = arena_alloc(arena, sizeof(*a));

	a->heads = h;
	a->arena = arena;
	a->row = *x;
	a->row.job_id = arena_strdup(arena, x->job_id);
	a->row.peer_id = arena_strdup(arena, x->peer_id);
	a->row.peer_role = NULL;
	a->telling = x->peer.seen != NULL ? TOLD_ALL : TOLD_HEAD;
	/* What its answer is held against. */
	if (x->own.seq != 0)
		a->row.own.hash = arena_strdup(arena, x->own.hash);
	if (x->peer.seq != 0)
		a->row.peer.hash = arena_strdup(arena, x->peer.hash);
	return a;
}

/* Whoever is away stands behind the others for a while. */
static int
pause_for(struct heads *h, const struct db_exchange *x)
{
	int64_t ms = AGAIN_MS << (x->tries < DOUBLINGS ? x->tries : DOUBLINGS);

	return db_exchange_asked(
	    h->super->db, x, ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS);
}

static int
ask(struct heads *h, const struct db_exchange *x)
{
	struct supervisor *s = h->super;
	struct json_object *body;
	struct asking *a;
	const char *why;
	int64_t away_ms;
	char *path;
	int r;

	if ((r = pause_for(h, x)) != 0 ||
	    partners_away(s->partners, x->peer_id, &away_ms, &why))
		return r;
	a = asking_new(h, x);
	body = audit_head_tell(x);
	path = xasprintf(
	    "%s/" AUDIT_HEAD "/%s/%s", ERRAND_PATH, x->peer_role, x->peer_id);
	r = partners_post(
	    s->partners, x->peer_id, path, json_text(body), answered, a);
	if (r == 0) {
		a->next = h->list;
		h->list = a;
	} else
		arena_free(a->arena);
	free(path);
	json_object_put(body);
	return r;
}

static int
carry_on(struct heads *h, struct arena *arena, struct db_exchange *x)
{
	int r;

	if (x->own.seq == 0 && (r = sign_own(h, arena, x)) != 0)
		return r;
	if (x->peer.seq != 0 && x->peer.seen == NULL &&
	    (r = sign_seen(h, arena, x)) != 0)
		return r;
	/* It heard all and has said all: what is missing is to say so here. */
	if (x->told == TOLD_ALL && x->own.seen != NULL)
		return db_exchange_told(h->super->db, x, TOLD_ALL, "");
	r = ask(h, x);
	/* No partner any more, so nobody to tell. */
	return r == ERR_NOT_FOUND ? 0 : r;
}

void
heads_look(struct heads *h)
{
	struct supervisor *s = h->super;
	struct arena *arena = arena_new();
	struct db_exchange *rows;
	size_t n = 0;

	if (s->keys == NULL || s->http == NULL)
		goto out;
	if (db_exchange_due(s->db, arena, BATCH, &rows, &n) != 0)
		log_err("look for heads to exchange");
	for (size_t i = 0; i < n; i++)
		if (!is_under_way(h, &rows[i]) && rows[i].peer_role != NULL &&
		    carry_on(h, arena, &rows[i]) != 0)
			log_err("job=%s exchange of heads with party %s",
			    rows[i].job_id, rows[i].peer_id);
	err_clear();
out:
	arena_free(arena);
}
