/*
 * Masks between pairs of members.  Used by the secure aggregation.
 */
#include "executor/math/mask.h"

#include <endian.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

_Static_assert(MASK_PUBLIC == crypto_scalarmult_BYTES, "key size");

/* What is hashed for one purpose never stands for another. */
static const char domain[] = "sluice secure aggregation pair 1";

#define CHUNK 512 /* elements of a stream made at once */

struct pair {
	bool is_known;
	unsigned char seed[crypto_stream_chacha20_KEYBYTES];
};

struct secret {
	unsigned char key[crypto_scalarmult_SCALARBYTES];
	struct pair pairs[]; /* of the members */
};

struct mask {
	size_t self;
	size_t n;
	unsigned char context[32];
	unsigned char public[MASK_PUBLIC];
	uint64_t next_round; /* the least one not used */
	struct secret *secret;
};

struct mask *
mask_new(size_t self, size_t n, const char *context)
{
	struct mask *m;
	size_t size;

	if (__builtin_mul_overflow(n, sizeof(struct pair), &size) ||
	    sodium_init() < 0) {
		err_set(ERR_CRYPTO, "no masks for %zu members", n);
		return NULL;
	}
	m = xcalloc(1, sizeof(*m));
	m->secret = sodium_malloc(sizeof(*m->secret) + size);
	if (m->secret == NULL) {
		free(m);
		err_set(ERR_NOMEM, "no memory for secrets");
		return NULL;
	}
	memset(m->secret, 0, sizeof(*m->secret) + size);
	m->self = self;
	m->n = n;
	crypto_generichash(m->context, sizeof(m->context),
	    (const unsigned char *)context, strlen(context), NULL, 0);
	randombytes_buf(m->secret->key, sizeof(m->secret->key));
	(void)crypto_scalarmult_base(m->public, m->secret->key);
	return m;
}

void
mask_free(struct mask *m)
{
	if (m == NULL)
		return;
	sodium_free(m->secret);
	free(m);
}

const unsigned char *
mask_public(const struct mask *m)
{
	return m->public;
}

/* The same at both ends: what belongs to the lower place comes first. */
static void
derive(const struct mask *m, size_t peer, const unsigned char *their_key,
    const unsigned char *point, unsigned char *seed)
{
	bool is_lower = m->self < peer;
	uint64_t places[2] = { htole64(is_lower ? m->self : peer),
		htole64(is_lower ? peer : m->self) };
	crypto_generichash_state st;

	/* All parts have fixed lengths: no two inputs run together. */
	crypto_generichash_init(
	    &st, m->context, sizeof(m->context), sizeof(m->secret->key));
	crypto_generichash_update(
	    &st, (const unsigned char *)domain, sizeof(domain));
	crypto_generichash_update(
	    &st, (const unsigned char *)places, sizeof(places));
	crypto_generichash_update(
	    &st, is_lower ? m->public : their_key, MASK_PUBLIC);
	crypto_generichash_update(
	    &st, is_lower ? their_key : m->public, MASK_PUBLIC);
	crypto_generichash_update(&st, point, crypto_scalarmult_BYTES);
	crypto_generichash_final(&st, seed, crypto_stream_chacha20_KEYBYTES);
	sodium_memzero(&st, sizeof(st));
}

int
mask_peer(struct mask *m, size_t peer, const unsigned char key[MASK_PUBLIC])
{
	unsigned char point[crypto_scalarmult_BYTES];
	struct pair *p;
	int r = 0;

	if (peer >= m->n || peer == m->self || m->secret->pairs[peer].is_known)
		return err_set(ERR_INVALID, "member %zu of %zu", peer, m->n);
	p = &m->secret->pairs[peer];
	if (memcmp(key, m->public, MASK_PUBLIC) == 0 ||
	    crypto_scalarmult(point, m->secret->key, key) != 0)
		r = err_set(ERR_FORMAT, "a public key that makes no secret");
	else {
		derive(m, peer, key, point, p->seed);
		p->is_known = true;
	}
	sodium_memzero(point, sizeof(point));
	return r;
}

/* v += or -= the pair's stream of a round. */
static void
apply_pair(
    const struct pair *p, uint64_t round, bool is_added, uint64_t *v, size_t n)
{
	uint64_t stream[CHUNK], nonce = htole64(round);
	size_t i, from, k;

	_Static_assert(
	    sizeof(nonce) == crypto_stream_chacha20_NONCEBYTES, "nonce size");
	for (from = 0; from < n; from += k) {
		k = n - from < CHUNK ? n - from : CHUNK;
		memset(stream, 0, sizeof(stream));
		/* Blocks are 64 bytes, 8 elements; CHUNK is whole blocks. */
		(void)crypto_stream_chacha20_xor_ic((unsigned char *)stream,
		    (const unsigned char *)stream, k * sizeof(*stream),
		    (const unsigned char *)&nonce, from / 8, p->seed);
		for (i = 0; i < k; i++)
			v[from + i] +=
			    is_added ? le64toh(stream[i]) : -le64toh(stream[i]);
	}
	sodium_memzero(stream, sizeof(stream));
}

int
mask_apply(struct mask *m, uint64_t round, uint64_t *v, size_t n)
{
	size_t i;

	/* Two vectors under one stream would give their difference away. */
	if (round < m->next_round)
		return err_set(ERR_INVALID, "round %llu has had its masks",
		    (unsigned long long)round);
	for (i = 0; i < m->n; i++)
		if (i != m->self && !m->secret->pairs[i].is_known)
			return err_set(
			    ERR_INVALID, "member %zu has sent no key", i);
	m->next_round = round + 1;
	for (i = 0; i < m->n; i++)
		if (i != m->self)
			apply_pair(
			    &m->secret->pairs[i], round, m->self < i, v, n);
	return 0;
}
