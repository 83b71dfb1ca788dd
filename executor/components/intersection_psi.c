/*
 * Both halves of the intersection protocol.  Memory: 36 bytes per own id
 * while it is blinded, then 4, and up to 24 per id of the partner (guest) or
 * one block of them (host).  Called by intersection.c.
 */
#include "executor/components/intersection_psi.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_session.h"
#include "executor/components/intersection_tokens.h"
#include "executor/math/ecdh.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

_Static_assert(PSI_NO_MATCH == TOKEN_NONE, "one value for no place");

/* Blind our ids and send them in random order. */
static int
send_own(struct session *s, const char *name)
{
	unsigned char *points;
	int r;

	if ((r = session_blind_own(s, &points)) != 0)
		return r;
	r = session_send(s, name, PSI_POINTS, points, s->n);
	free(points);
	return r;
}

/* Guest: the host's list becomes tokens that can be looked up. */
static int
keep_tokens(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct token_list **list = ctx;
	int r;

	if (*list == NULL && (r = token_list_new(b->total, list)) != 0)
		return r;
	return session_map(s, s->key, ecdh_token, b->items, b->count,
	    token_list_at(*list, first), ECDH_TOKEN);
}

/* Host: the answer to one block of the guest's list. */
static int
answer_block(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	unsigned char *tokens;
	int r;

	(void)ctx;
	if ((tokens = mem_array((size_t)b->count + 1, ECDH_TOKEN)) == NULL)
		return err_code();
	if ((r = session_map(s, s->key, ecdh_token, b->items, b->count, tokens,
		 ECDH_TOKEN)) == 0)
		r = session_send_block(s, "doubly_encrypted_id", PSI_TOKENS,
		    b->total, first / PSI_BLOCK_ITEMS, tokens);
	free(tokens);
	return r;
}

/* Host, cardinality only: all answers, for an order without meaning. */
struct answers {
	unsigned char *tokens;
	uint64_t n;
};

static int
keep_answers(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct answers *a = ctx;

	if (a->tokens == NULL) {
		a->tokens = mem_array(b->total + 1, ECDH_TOKEN);
		a->n = b->total;
	}
	if (a->tokens == NULL)
		return err_code();
	return session_map(s, s->key, ecdh_token, b->items, b->count,
	    a->tokens + first * ECDH_TOKEN, ECDH_TOKEN);
}

static void
shuffle_answers(struct answers *a)
{
	unsigned char t[ECDH_TOKEN], *x, *y;
	uint64_t i;

	for (i = a->n; i > 1; i--) {
		x = a->tokens + (i - 1) * ECDH_TOKEN;
		y = a->tokens +
		    (uint64_t)randombytes_uniform((uint32_t)i) * ECDH_TOKEN;
		memcpy(t, x, sizeof(t));
		memcpy(x, y, sizeof(t));
		memcpy(y, t, sizeof(t));
	}
}

static int
answer_shuffled(struct session *s)
{
	struct answers a = { 0 };
	int r;

	if ((r = session_receive(s, "id_ciphertext_exchange_g2h", PSI_POINTS,
		 keep_answers, &a)) == 0) {
		shuffle_answers(&a);
		r = session_send(
		    s, "doubly_encrypted_id", PSI_TOKENS, a.tokens, a.n);
	}
	free(a.tokens);
	return r;
}

/* --- guest ---------------------------------------------------------------------- */

struct join {
	struct token_list *host;
	uint32_t *match; /* by id */
	uint64_t common;
};

static int
join_block(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct join *j = ctx;
	uint32_t i, place;

	if (b->total != s->n)
		return err_set(ERR_FORMAT, "%llu answers to %llu ids",
		    (unsigned long long)b->total, (unsigned long long)s->n);
	for (i = 0; i < b->count; i++) {
		place =
		    token_list_find(j->host, b->items + (size_t)i * ECDH_TOKEN);
		j->common += place != TOKEN_NONE;
		/* Shuffled answers say nothing about our rows. */
		if (!s->conf->cardinality_only)
			j->match[s->order[first + i]] = place;
	}
	return 0;
}

static int
guest_steps(struct session *s, struct join *j)
{
	int r;

	if ((r = send_own(s, "id_ciphertext_exchange_g2h")) != 0 ||
	    (r = session_receive(s, "id_ciphertext_exchange_h2g", PSI_POINTS,
		 keep_tokens, &j->host)) != 0)
		return r;
	if ((r = token_list_index(j->host)) != 0)
		return err_wrap(
		    "list of %s %s", s->partner.role, s->partner.party_id);
	return session_receive(
	    s, "doubly_encrypted_id", PSI_TOKENS, join_block, j);
}

int
psi_guest(struct task *t, const struct psi_input *in,
    const struct psi_conf *conf, size_t host, uint32_t *match, uint64_t *common)
{
	struct session s;
	struct join j = { .match = match };
	uint64_t i;
	int r;

	*common = 0;
	for (i = 0; i < in->ids.n; i++)
		match[i] = PSI_NO_MATCH;
	if ((r = session_init(&s, t, conf, "host", host)) == 0 &&
	    (r = session_start(&s, in)) == 0 && (r = guest_steps(&s, &j)) == 0)
		*common = j.common;
	token_list_free(j.host);
	session_fini(&s);
	return r;
}

int
psi_guest_tell(struct task *t, const struct psi_conf *conf, size_t host,
    const uint32_t *places, uint64_t n)
{
	struct session s;
	uint32_t *le;
	uint64_t i;
	int r;

	if ((r = session_init(&s, t, conf, "host", host)) != 0)
		return r;
	if ((le = mem_array(n + 1, sizeof(*le))) == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		le[i] = htole32(places[i]);
	r = session_send(&s, "intersect_ids", PSI_INDEXES, le, n);
	free(le);
	return r;
}

int
psi_guest_tell_count(
    struct task *t, const struct psi_conf *conf, size_t host, uint64_t n)
{
	struct session s;
	uint64_t le = htole64(n);
	int r;

	if ((r = session_init(&s, t, conf, "host", host)) != 0)
		return r;
	return session_send(&s, "cardinality", PSI_COUNT, &le, 1);
}

/* --- host ----------------------------------------------------------------------- */

struct told {
	uint32_t *ids;
	uint64_t n;
};

static int
take_places(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct told *told = ctx;
	uint32_t i, place;

	if (b->total > s->n)
		return err_set(ERR_FORMAT, "%llu ids in common with our %llu",
		    (unsigned long long)b->total, (unsigned long long)s->n);
	if (told->ids == NULL) {
		told->ids = mem_array(b->total + 1, sizeof(*told->ids));
		told->n = b->total;
	}
	if (told->ids == NULL)
		return err_code();
	for (i = 0; i < b->count; i++) {
		memcpy(&place, b->items + (size_t)i * sizeof(place),
		    sizeof(place));
		if ((place = le32toh(place)) >= s->n)
			return err_set(ERR_FORMAT,
			    "place %u in a list of "
			    "%llu",
			    place, (unsigned long long)s->n);
		told->ids[first + i] = s->order[place];
	}
	return 0;
}

int
psi_receive_places(struct session *s, uint32_t **ids, uint64_t *n)
{
	struct told told = { 0 };
	int r = session_receive(
	    s, "intersect_ids", PSI_INDEXES, take_places, &told);

	if (r != 0) {
		free(told.ids);
		told = (struct told){ 0 };
	}
	*ids = told.ids;
	*n = told.n;
	return r;
}

static int
take_count(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	uint64_t n;

	(void)first;
	if (b->total != 1)
		return err_set(ERR_FORMAT, "%llu numbers where one is due",
		    (unsigned long long)b->total);
	memcpy(&n, b->items, sizeof(n));
	if ((n = le64toh(n)) > s->n)
		return err_set(ERR_FORMAT, "%llu ids in common with our %llu",
		    (unsigned long long)n, (unsigned long long)s->n);
	*(uint64_t *)ctx = n;
	return 0;
}

static int
host_steps(struct session *s, struct told *told, bool *known)
{
	const struct psi_conf *c = s->conf;
	int r;

	if ((r = send_own(s, "id_ciphertext_exchange_h2g")) != 0)
		return r;
	r = c->cardinality_only
		? answer_shuffled(s)
		: session_receive(s, "id_ciphertext_exchange_g2h", PSI_POINTS,
		      answer_block, NULL);
	if (r != 0)
		return r;
	*known = c->cardinality_only ? c->sync_cardinality : c->sync_ids;
	if (!*known)
		return 0;
	return c->cardinality_only
		   ? session_receive(
			 s, "cardinality", PSI_COUNT, take_count, &told->n)
		   : psi_receive_places(s, &told->ids, &told->n);
}

int
psi_host(struct task *t, const struct psi_input *in,
    const struct psi_conf *conf, uint32_t **ids, uint64_t *common, bool *known)
{
	struct session s;
	struct told told = { 0 };
	int r;

	*ids = NULL;
	*common = 0;
	*known = false;
	if ((r = session_init(&s, t, conf, "guest", 0)) == 0 &&
	    (r = session_start(&s, in)) == 0 &&
	    (r = host_steps(&s, &told, known)) == 0) {
		*ids = told.ids;
		*common = told.n;
		told.ids = NULL;
	}
	free(told.ids);
	session_fini(&s);
	return r;
}
