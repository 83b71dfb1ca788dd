/*
 * Paillier secret keys: generation and decryption by the Chinese remainder
 * theorem.  Held by the arbiter of a learning task, never sent, wiped.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/paillier.h"
#include "executor/math/paillier_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

/*
 * GMP counts 24 of these for the Baillie-PSW test that it runs first and
 * spends the rest on Miller-Rabin.
 */
#define PRIME_TESTS (24 + 40)

/* One prime's half of the key. */
struct half {
	mpz_t p, p2; /* prime, its square */
	mpz_t p1;    /* p - 1 */
	mpz_t h;     /* 1 / L((1 + n)^(p-1) mod p^2) mod p */
};

struct paillier_key {
	struct paillier_pub *pub;
	struct half p, q;
	mpz_t pinv; /* 1/p mod q */
};

static void
mpz_wipe(mpz_t x)
{
	size_t n = mpz_size(x);

	if (n > 0)
		sodium_memzero(
		    mpz_limbs_modify(x, (mp_size_t)n), n * sizeof(mp_limb_t));
	mpz_clear(x);
}

/* A uniformly random number of exactly bits bits, the two highest set. */
static void
random_candidate(mpz_t x, unsigned bits)
{
	unsigned char b[PAILLIER_BITS_MAX / 16];

	randombytes_buf(b, bits / 8);
	b[0] |= 0xc0;	      /* so that n has all its bits */
	b[bits / 8 - 1] |= 3; /* 3 mod 4, as h = -x^2 wants */
	mpz_import(x, bits / 8, 1, 1, 0, 0, b);
	sodium_memzero(b, sizeof(b));
}

/* Product of the odd primes below 1000: one gcd sorts out most numbers. */
static void
small_primes(mpz_t x)
{
	mpz_t two;

	mpz_init_set_ui(two, 2);
	mpz_primorial_ui(x, 1000);
	mpz_divexact(x, x, two);
	mpz_clear(two);
}

static void
random_prime(mpz_t p, unsigned bits)
{
	mpz_t small, g;

	mpz_inits(small, g, NULL);
	small_primes(small);
	do {
		random_candidate(p, bits);
		mpz_gcd(g, p, small);
	} while (
	    mpz_cmp_ui(g, 1) != 0 || mpz_probab_prime_p(p, PRIME_TESTS) == 0);
	mpz_clear(small);
	mpz_wipe(g);
}

/* gcd(p-1, q-1) = 2 makes the squares a cyclic group, as DJN assume. */
static bool
primes_fit(const mpz_t p, const mpz_t q, unsigned bits)
{
	mpz_t a, b;
	bool ok;

	mpz_inits(a, b, NULL);
	mpz_sub(a, p, q);
	/* Close primes would fall to Fermat's method. */
	ok = mpz_sizeinbase(a, 2) > bits / 2 - 100;
	mpz_sub_ui(a, p, 1);
	mpz_sub_ui(b, q, 1);
	mpz_gcd(a, a, b);
	ok = ok && mpz_cmp_ui(a, 2) == 0;
	mpz_wipe(a);
	mpz_wipe(b);
	return ok;
}

/* L(u) = (u - 1) / p */
static void
ell(mpz_t r, const mpz_t u, const mpz_t p)
{
	mpz_sub_ui(r, u, 1);
	mpz_divexact(r, r, p);
}

static int
half_init(struct half *h, const mpz_t n)
{
	mpz_t t;
	int ok;

	mpz_mul(h->p2, h->p, h->p);
	mpz_sub_ui(h->p1, h->p, 1);
	mpz_init(t);
	mpz_add_ui(t, n, 1);
	mpz_powm_sec(t, t, h->p1, h->p2);
	ell(t, t, h->p);
	ok = mpz_invert(h->h, t, h->p);
	mpz_wipe(t);
	return ok ? 0 : err_set(ERR_CRYPTO, "key generation failed");
}

/* hs = (-x^2)^n mod n^2 for a random x. */
static void
random_generator(mpz_t hs, const mpz_t n, unsigned bits)
{
	unsigned char b[PAILLIER_BITS_MAX / 8];
	mpz_t n2;

	mpz_init(n2);
	mpz_mul(n2, n, n);
	randombytes_buf(b, bits / 8);
	mpz_import(hs, bits / 8, 1, 1, 0, 0, b);
	mpz_mul(hs, hs, hs);
	mpz_neg(hs, hs);
	mpz_mod(hs, hs, n);
	mpz_powm(hs, hs, n, n2);
	sodium_memzero(b, sizeof(b));
	mpz_clear(n2);
}

static struct paillier_key *
key_new(void)
{
	struct paillier_key *k = xcalloc(1, sizeof(*k));

	mpz_inits(k->p.p, k->p.p2, k->p.p1, k->p.h, NULL);
	mpz_inits(k->q.p, k->q.p2, k->q.p1, k->q.h, k->pinv, NULL);
	return k;
}

static void
half_wipe(struct half *h)
{
	mpz_wipe(h->p);
	mpz_wipe(h->p2);
	mpz_wipe(h->p1);
	mpz_wipe(h->h);
}

void
paillier_key_free(struct paillier_key *k)
{
	if (k == NULL)
		return;
	half_wipe(&k->p);
	half_wipe(&k->q);
	mpz_wipe(k->pinv);
	paillier_pub_free(k->pub);
	free(k);
}

const struct paillier_pub *
paillier_key_pub(const struct paillier_key *k)
{
	return k->pub;
}

int
paillier_generate(unsigned bits, struct paillier_key **out)
{
	struct paillier_key *k;
	mpz_t n, hs;
	int r;

	*out = NULL;
	if (bits < PAILLIER_BITS_MIN || bits > PAILLIER_BITS_MAX ||
	    bits % PAILLIER_BITS_STEP != 0)
		return err_set(ERR_INVALID,
		    "a key has %d to %d bits in steps "
		    "of %d, not %u",
		    PAILLIER_BITS_MIN, PAILLIER_BITS_MAX, PAILLIER_BITS_STEP,
		    bits);
	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "no random numbers");
	k = key_new();
	mpz_inits(n, hs, NULL);
	do {
		random_prime(k->p.p, bits / 2);
		random_prime(k->q.p, bits / 2);
	} while (!primes_fit(k->p.p, k->q.p, bits));
	mpz_mul(n, k->p.p, k->q.p);
	random_generator(hs, n, bits);
	if ((r = half_init(&k->p, n)) != 0 || (r = half_init(&k->q, n)) != 0)
		goto out;
	mpz_invert(k->pinv, k->p.p, k->q.p);
	if ((r = paillier_pub_new(bits, n, hs, &k->pub)) != 0)
		goto out;
	*out = k;
	k = NULL;
out:
	mpz_clears(n, hs, NULL);
	paillier_key_free(k);
	return r;
}

/* --- decryption ------------------------------------------------------------- */

/* m = plaintext of c modulo h->p */
static void
decrypt_half(const struct half *h, mpz_t m, const mpz_t c)
{
	mpz_mod(m, c, h->p2);
	mpz_powm_sec(m, m, h->p1, h->p2);
	ell(m, m, h->p);
	mpz_mul(m, m, h->h);
	mpz_mod(m, m, h->p);
}

static void
decrypt_one(const struct paillier_key *k, mpz_t m, mpz_t mq, const mpz_t c)
{
	decrypt_half(&k->p, m, c);
	decrypt_half(&k->q, mq, c);
	/* m = mp + p * ((mq - mp) / p mod q) */
	mpz_sub(mq, mq, m);
	mpz_mul(mq, mq, k->pinv);
	mpz_mod(mq, mq, k->q.p);
	mpz_addmul(m, mq, k->p.p);
}

struct job {
	const struct paillier_key *key;
	const struct bigvec *c;
	struct bigvec *m;
};

/*
 * A multiple of p would make L() divide what is not divisible; whoever sends
 * one has factored n.
 */
static int
decrypt_some(void *ctx, size_t from, size_t to, unsigned worker)
{
	struct job *j = ctx;
	const struct paillier_pub *pub = j->key->pub;
	mpz_t c, m, mq;
	size_t i;
	int r = 0;

	(void)worker;
	mpz_inits(c, m, mq, NULL);
	for (i = from; i < to && r == 0; i++) {
		limbs_to_mpz(c, bigvec_at(j->c, i), pub->cl);
		if (mpz_divisible_p(c, j->key->p.p) ||
		    mpz_divisible_p(c, j->key->q.p)) {
			r = err_set(ERR_FORMAT, "a ciphertext is not a unit");
			break;
		}
		decrypt_one(j->key, m, mq, c);
		limbs_from_mpz(bigvec_at(j->m, i), pub->nl, m);
	}
	mpz_clear(c);
	mpz_wipe(m);
	mpz_wipe(mq);
	return r;
}

int
paillier_decrypt(const struct paillier_key *k, const struct bigvec *c,
    struct parallel *pool, struct bigvec **out)
{
	struct job j = { .key = k, .c = c };
	int r;

	*out = NULL;
	if (c->limbs != k->pub->cl)
		return err_set(ERR_INTERNAL, "ciphertexts of another width");
	if ((r = paillier_plain_new(k->pub, c->count, &j.m)) != 0)
		return r;
	if ((r = parallel_for(pool, c->count, 1, decrypt_some, &j)) != 0) {
		bigvec_wipe_free(j.m);
		return r;
	}
	*out = j.m;
	return 0;
}
