/*
 * Intersection from a cache: both halves of making one, and of using it.
 * Called by intersection.c; how caches are kept is intersection_store.c's.
 */
#include "executor/components/intersection_cached.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_session.h"
#include "executor/components/intersection_store.h"
#include "executor/components/intersection_tokens.h"
#include "executor/math/ecdh.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define CACHE_ID "cache_id_from_host"

/* --- making: the host --------------------------------------------------------- */

static int
digest_point(const struct ecdh *key, const unsigned char point[ECDH_POINT],
    unsigned char *out)
{
	(void)key;
	return ecdh_digest(point, out);
}

static int
send_tokens(struct session *s)
{
	unsigned char *points, *tokens;
	int r;

	if ((r = session_blind_own(s, &points)) != 0)
		return r;
	if ((tokens = mem_array(s->n + 1, ECDH_TOKEN)) == NULL)
		r = err_code();
	else if ((r = session_map(s, NULL, digest_point, points, s->n, tokens,
		      ECDH_TOKEN)) == 0)
		r = session_send(
		    s, "id_ciphertext_exchange_h2g", PSI_TOKENS, tokens, s->n);
	free(points);
	free(tokens);
	return r;
}

static int
make_host(struct task *t, const struct psi_input *in,
    const struct psi_conf *conf, struct psi_cache *c)
{
	struct psi_peer *p = &c->peers[0];
	struct session s;
	int r;

	id_random(p->cache_id);
	if ((r = session_init(&s, t, conf, "guest", 0)) == 0 &&
	    (r = session_start(&s, in)) == 0 &&
	    (r = task_remote(t, CACHE_ID, "0", &s.partner, 1, p->cache_id,
		 strlen(p->cache_id))) == 0 &&
	    (r = send_tokens(&s)) == 0 &&
	    (r = psi_ids_digest(&in->ids, in->table, c->ids_digest)) == 0) {
		ecdh_export(s.key, c->key);
		p->count = s.n;
		c->order = s.order;
		s.order = NULL;
	}
	session_fini(&s);
	return r;
}

/* --- making: the guest ---------------------------------------------------------- */

static int
take_tokens(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct psi_peer *p = ctx;

	(void)s;
	if (p->tokens == NULL) {
		p->tokens = mem_array(b->total + 1, ECDH_TOKEN);
		p->count = b->total;
	}
	if (p->tokens == NULL)
		return err_code();
	memcpy(p->tokens + first * ECDH_TOKEN, b->items,
	    (size_t)b->count * ECDH_TOKEN);
	return 0;
}

static int
take_cache_id(struct task *t, size_t host, struct psi_peer *p)
{
	struct object o = { 0 };
	int r;

	if ((r = task_get_max(t, CACHE_ID, "0", "host", host,
		 sizeof(p->cache_id) - 1, &o)) != 0)
		return r;
	memcpy(p->cache_id, o.data, o.size);
	p->cache_id[o.size] = '\0';
	if (o.size != sizeof(p->cache_id) - 1 ||
	    strspn(p->cache_id, "0123456789abcdef") != o.size)
		r = err_set(ERR_FORMAT, "a cache id that cannot be one");
	object_free(&o);
	return r;
}

static int
make_guest(struct task *t, const struct psi_conf *conf, struct psi_cache *c)
{
	struct session s;
	size_t h;
	int r = 0;

	for (h = 0; h < c->n_peers && r == 0; h++)
		if ((r = session_init(&s, t, conf, "host", h)) == 0 &&
		    (r = take_cache_id(t, h, &c->peers[h])) == 0)
			r = session_receive(&s, "id_ciphertext_exchange_h2g",
			    PSI_TOKENS, take_tokens, &c->peers[h]);
	return r;
}

int
psi_cache_make(
    struct task *t, const struct psi_input *in, const struct psi_conf *conf)
{
	bool is_guest = task_is(t, "guest");
	struct psi_cache *c = psi_store_new(t);
	int r;

	r = is_guest ? make_guest(t, conf, c) : make_host(t, in, conf, c);
	if (r == 0)
		r = psi_store_write(t, conf, c);
	psi_cache_free(c);
	return r;
}

/* --- using ---------------------------------------------------------------------- */

struct join {
	struct token_list *host;
	struct ecdh *unblind;
	uint32_t *match; /* by id */
	uint64_t common;
};

static int
join_block(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct join *j = ctx;
	unsigned char *tokens;
	uint32_t i, place;
	int r;

	if (b->total != s->n)
		return err_set(ERR_FORMAT, "%llu answers to %llu ids",
		    (unsigned long long)b->total, (unsigned long long)s->n);
	if ((tokens = mem_array((size_t)b->count + 1, ECDH_TOKEN)) == NULL)
		return err_code();
	r = session_map(
	    s, j->unblind, ecdh_token, b->items, b->count, tokens, ECDH_TOKEN);
	for (i = 0; i < b->count && r == 0; i++) {
		place =
		    token_list_find(j->host, tokens + (size_t)i * ECDH_TOKEN);
		j->common += place != TOKEN_NONE;
		j->match[s->order[first + i]] = place;
	}
	free(tokens);
	return r;
}

static int
ask_host(struct session *s, struct join *j)
{
	unsigned char *points;
	int r;

	if ((r = session_blind_own(s, &points)) != 0)
		return r;
	r = session_send(
	    s, "id_ciphertext_exchange_g2h", PSI_POINTS, points, s->n);
	free(points);
	if (r != 0)
		return r;
	if ((j->unblind = ecdh_inverse(s->key)) == NULL)
		return err_code();
	return session_receive(
	    s, "doubly_encrypted_id", PSI_POINTS, join_block, j);
}

static int
index_tokens(const struct psi_peer *p, struct token_list **out)
{
	int r;

	if ((r = token_list_new(p->count, out)) != 0)
		return r;
	if (p->count > 0)
		memcpy(
		    token_list_at(*out, 0), p->tokens, p->count * ECDH_TOKEN);
	return token_list_index(*out) == 0 ? 0 : err_wrap("the cache");
}

int
psi_cached_guest(struct task *t, const struct psi_input *in,
    const struct psi_conf *conf, const struct psi_cache *c, size_t host,
    uint32_t *match, uint64_t *common)
{
	struct join j = { .match = match };
	struct session s;
	uint64_t i;
	int r;

	*common = 0;
	for (i = 0; i < in->ids.n; i++)
		match[i] = PSI_NO_MATCH;
	if ((r = session_init(&s, t, conf, "host", host)) == 0 &&
	    (r = session_start(&s, in)) == 0 &&
	    (r = index_tokens(&c->peers[host], &j.host)) == 0 &&
	    (r = ask_host(&s, &j)) == 0)
		*common = j.common;
	ecdh_free(j.unblind);
	token_list_free(j.host);
	session_fini(&s);
	return r;
}

/* Host: the function's values at one block of the guest's blinded ids. */
static int
evaluate_block(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	unsigned char *points;
	int r;

	(void)ctx;
	if ((points = mem_array((size_t)b->count + 1, ECDH_POINT)) == NULL)
		return err_code();
	if ((r = session_map(s, s->key, ecdh_multiply, b->items, b->count,
		 points, ECDH_POINT)) == 0)
		r = session_send_block(s, "doubly_encrypted_id", PSI_POINTS,
		    b->total, first / PSI_BLOCK_ITEMS, points);
	free(points);
	return r;
}

/* The session of a cache: its exponent, its order. */
static int
resume(struct session *s, const struct psi_input *in, const struct psi_cache *c)
{
	s->in = in;
	s->n = in->ids.n;
	if ((s->key = ecdh_import(c->key, s->conf->salt)) == NULL ||
	    (s->order = mem_array(s->n + 1, sizeof(*s->order))) == NULL)
		return err_code();
	if (s->n > 0)
		memcpy(s->order, c->order, s->n * sizeof(*s->order));
	return 0;
}

int
psi_cached_host(struct task *t, const struct psi_input *in,
    const struct psi_conf *conf, const struct psi_cache *c, uint32_t **ids,
    uint64_t *common, bool *known)
{
	struct session s;
	int r;

	*ids = NULL;
	*common = 0;
	*known = false;
	if ((r = session_init(&s, t, conf, "guest", 0)) == 0 &&
	    (r = resume(&s, in, c)) == 0 &&
	    (r = session_receive(&s, "id_ciphertext_exchange_g2h", PSI_POINTS,
		 evaluate_block, NULL)) == 0 &&
	    conf->sync_ids && (r = psi_receive_places(&s, ids, common)) == 0)
		*known = true;
	session_fini(&s);
	return r;
}
