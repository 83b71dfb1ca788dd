/*
 * Paillier public keys and what can be done with them: encryption by a
 * fixed-base table, additions, multiplication by integers.  Secret keys are
 * in paillier_key.c.  Used by the heterogeneous (vertical) learners.
 */
#include "executor/math/paillier.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/paillier_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define WINDOW 8 /* bits of r per table row */
#define ROW (1U << WINDOW)
#define R_BYTES_MAX 128

/*
 * Bits of the random exponent: four times the key's strength (NIST SP
 * 800-57), so that neither a search by meeting in the middle (half of them)
 * nor the bias of a short exponent comes near the cost of factoring n.
 */
static unsigned
exponent_bits(unsigned bits)
{
	if (bits <= 2048)
		return 448;
	if (bits <= 3072)
		return 512;
	if (bits <= 4096)
		return 608;
	return 1024;
}

int
paillier_pub_new(
    unsigned bits, const mpz_t n, const mpz_t hs, struct paillier_pub **out)
{
	struct paillier_pub *p = xcalloc(1, sizeof(*p));
	int r;

	*out = NULL;
	p->bits = bits;
	p->nl = bits / 64;
	p->cl = 2 * p->nl;
	p->r_bits = exponent_bits(bits);
	mpz_inits(p->n, p->n2, p->hs, NULL);
	mpz_set(p->n, n);
	mpz_mul(p->n2, n, n);
	mpz_set(p->hs, hs);
	limbs_from_mpz(p->n_limbs, p->nl, n);
	if ((r = mont_init(&p->mont, p->n2)) != 0) {
		paillier_pub_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void
paillier_pub_free(struct paillier_pub *p)
{
	if (p == NULL)
		return;
	mpz_clears(p->n, p->n2, p->hs, NULL);
	free(p->table);
	free(p);
}

unsigned
paillier_bits(const struct paillier_pub *p)
{
	return p->bits;
}

size_t
paillier_plain_limbs(const struct paillier_pub *p)
{
	return p->nl;
}

size_t
paillier_cipher_limbs(const struct paillier_pub *p)
{
	return p->cl;
}

size_t
paillier_cipher_bytes(const struct paillier_pub *p)
{
	return p->cl * sizeof(mp_limb_t);
}

const mp_limb_t *
paillier_n(const struct paillier_pub *p)
{
	return p->n_limbs;
}

const struct mont *
paillier_mont(const struct paillier_pub *p)
{
	return &p->mont;
}

/* --- bytes ---------------------------------------------------------------- */

void
paillier_pub_encode(const struct paillier_pub *p, struct buf *out)
{
	mp_limb_t hs[MONT_LIMBS_MAX];
	uint32_t bits = htole32(p->bits);

	limbs_from_mpz(hs, p->cl, p->hs);
	buf_append(out, &bits, sizeof(bits));
	buf_append(out, p->n_limbs, p->nl * sizeof(mp_limb_t));
	buf_append(out, hs, p->cl * sizeof(mp_limb_t));
}

/* Keys that would make encryption fail or hide nothing. */
static int
check_key(unsigned bits, const mpz_t n, const mpz_t hs)
{
	mpz_t t;
	int r = 0;

	if (mpz_even_p(n) || mpz_sizeinbase(n, 2) != bits)
		return err_set(ERR_FORMAT,
		    "public key: n is not an odd "
		    "number of %u bits",
		    bits);
	mpz_init(t);
	mpz_mul(t, n, n);
	mpz_sub_ui(t, t, 1);
	if (mpz_cmp_ui(hs, 1) <= 0 || mpz_cmp(hs, t) >= 0)
		r = err_set(ERR_FORMAT, "public key: hs is out of range");
	else {
		mpz_gcd(t, hs, n);
		if (mpz_cmp_ui(t, 1) != 0)
			r = err_set(ERR_FORMAT, "public key: hs is not a unit");
	}
	mpz_clear(t);
	return r;
}

int
paillier_pub_decode(const void *data, size_t len, struct paillier_pub **out)
{
	const unsigned char *d = data;
	uint32_t bits;
	size_t nb;
	mpz_t n, hs;
	int r;

	*out = NULL;
	if (len < sizeof(bits))
		return err_set(ERR_FORMAT, "public key: too short");
	memcpy(&bits, d, sizeof(bits));
	bits = le32toh(bits);
	if (bits < PAILLIER_BITS_MIN || bits > PAILLIER_BITS_MAX ||
	    bits % PAILLIER_BITS_STEP != 0)
		return err_set(
		    ERR_FORMAT, "public key: %u bits are not accepted", bits);
	nb = bits / 8;
	if (len != sizeof(bits) + 3 * nb)
		return err_set(ERR_FORMAT,
		    "public key: %zu bytes where %zu "
		    "should be",
		    len, sizeof(bits) + 3 * nb);
	mpz_inits(n, hs, NULL);
	mpz_import(n, nb, -1, 1, 0, 0, d + sizeof(bits));
	mpz_import(hs, 2 * nb, -1, 1, 0, 0, d + sizeof(bits) + nb);
	if ((r = check_key(bits, n, hs)) == 0)
		r = paillier_pub_new(bits, n, hs, out);
	mpz_clears(n, hs, NULL);
	return r;
}

int
paillier_plain_new(
    const struct paillier_pub *p, size_t count, struct bigvec **out)
{
	return bigvec_new(count, p->nl, out);
}

int
paillier_cipher_decode(const struct paillier_pub *p, const void *data,
    size_t len, size_t count, struct bigvec **out)
{
	return bigvec_decode(data, len, count, p->mont.m, p->cl, 1, out);
}

int
paillier_plain_decode(const struct paillier_pub *p, const void *data,
    size_t len, size_t count, struct bigvec **out)
{
	return bigvec_decode(data, len, count, p->n_limbs, p->nl, 0, out);
}

void
paillier_random_plain(const struct paillier_pub *p, struct bigvec *v)
{
	mp_limb_t *x;
	size_t i;

	/* n has its highest bit set: fewer than two draws on average. */
	for (i = 0; i < v->count; i++) {
		x = bigvec_at(v, i);
		do
			randombytes_buf(x, p->nl * sizeof(*x));
		while (mpn_cmp(x, p->n_limbs, (mp_size_t)p->nl) >= 0);
	}
}

/* --- the table of powers ---------------------------------------------------- */

static mp_limb_t *
table_at(const struct paillier_pub *p, unsigned row, unsigned k)
{
	return p->table + ((size_t)row * ROW + k) * p->cl;
}

/* Rows hold the powers 0 .. 255 of their element 1, in Montgomery form. */
static int
fill_rows(void *ctx, size_t from, size_t to, unsigned worker)
{
	struct paillier_pub *p = ctx;
	unsigned i, k;

	(void)worker;
	for (i = (unsigned)from; i < to; i++) {
		memcpy(
		    table_at(p, i, 0), p->mont.one, p->cl * sizeof(mp_limb_t));
		for (k = 2; k < ROW; k++)
			mont_mul(&p->mont, table_at(p, i, k),
			    table_at(p, i, k - 1), table_at(p, i, 1));
	}
	return 0;
}

int
paillier_pub_prepare(struct paillier_pub *p, struct parallel *pool)
{
	mp_limb_t x[MONT_LIMBS_MAX];
	unsigned i, j, rows = p->r_bits / WINDOW;

	if (p->table != NULL)
		return 0;
	p->table = mem_array((size_t)rows * ROW, p->cl * sizeof(mp_limb_t));
	if (p->table == NULL)
		return err_wrap("encryption table");
	limbs_from_mpz(x, p->cl, p->hs);
	mont_from_plain(&p->mont, x, x);
	for (i = 0; i < rows; i++) {
		memcpy(table_at(p, i, 1), x, p->cl * sizeof(*x));
		for (j = 0; j < WINDOW; j++)
			mont_sqr(&p->mont, x, x);
	}
	return parallel_for(pool, rows, 1, fill_rows, p);
}

/* --- work on vectors -------------------------------------------------------- */

struct batch {
	const struct paillier_pub *pub;
	const struct bigvec *m; /* plaintexts or ciphertexts */
	struct bigvec *c;
	bool keep;  /* multiply into c, else set */
	bool fresh; /* with a power of hs */
};

/* out = hs^r for a random r, in Montgomery form. */
static void
random_power(const struct paillier_pub *p, mp_limb_t *out)
{
	unsigned char r[R_BYTES_MAX];
	unsigned i, rows = p->r_bits / WINDOW;

	randombytes_buf(r, rows);
	memcpy(out, table_at(p, 0, r[0]), p->cl * sizeof(*out));
	for (i = 1; i < rows; i++)
		mont_mul(&p->mont, out, out, table_at(p, i, r[i]));
	sodium_memzero(r, sizeof(r));
}

/* out = 1 + m n, which is (1 + n)^m modulo n^2. */
static void
encode_plain(const struct paillier_pub *p, mp_limb_t *out, const mp_limb_t *m)
{
	mpn_mul_n(out, m, p->n_limbs, (mp_size_t)p->nl);
	mpn_add_1(out, out, (mp_size_t)p->cl, 1);
}

static int
mix_plain(void *ctx, size_t from, size_t to, unsigned worker)
{
	struct batch *b = ctx;
	const struct paillier_pub *p = b->pub;
	mp_limb_t t[MONT_LIMBS_MAX];
	mp_limb_t *c;
	size_t i;

	(void)worker;
	for (i = from; i < to; i++) {
		if (mpn_cmp(bigvec_at(b->m, i), p->n_limbs, (mp_size_t)p->nl) >=
		    0)
			return err_set(ERR_INVALID, "a plaintext is too big");
		c = bigvec_at(b->c, i);
		encode_plain(p, t, bigvec_at(b->m, i));
		if (b->keep) {
			/* One product for the form, one that leaves it. */
			mont_from_plain(&p->mont, c, c);
			mont_mul(&p->mont, c, c, t);
		} else
			memcpy(c, t, p->cl * sizeof(*c));
		if (b->fresh) {
			random_power(p, t);
			mont_mul(&p->mont, c, t, c);
		}
	}
	return 0;
}

static int
run_plain(struct batch *b, struct parallel *pool)
{
	if (b->fresh && b->pub->table == NULL)
		return err_set(ERR_INTERNAL, "the key is not prepared");
	if (b->m->count != b->c->count || b->m->limbs != b->pub->nl ||
	    b->c->limbs != b->pub->cl)
		return err_set(ERR_INTERNAL, "vectors do not fit together");
	return parallel_for(pool, b->m->count, 8, mix_plain, b);
}

int
paillier_encrypt(const struct paillier_pub *p, const struct bigvec *m,
    struct parallel *pool, struct bigvec **out)
{
	struct batch b = { .pub = p, .m = m, .fresh = true };
	int r;

	*out = NULL;
	if ((r = bigvec_new(m->count, p->cl, &b.c)) != 0)
		return r;
	if ((r = run_plain(&b, pool)) != 0) {
		bigvec_free(b.c);
		return r;
	}
	*out = b.c;
	return 0;
}

int
paillier_add_fresh(const struct paillier_pub *p, struct bigvec *c,
    const struct bigvec *m, struct parallel *pool)
{
	struct batch b = {
		.pub = p, .m = m, .c = c, .keep = true, .fresh = true
	};

	return run_plain(&b, pool);
}

int
paillier_add_plain(const struct paillier_pub *p, struct bigvec *c,
    const struct bigvec *m, struct parallel *pool)
{
	struct batch b = { .pub = p, .m = m, .c = c, .keep = true };

	return run_plain(&b, pool);
}

static int
add_ciphers(void *ctx, size_t from, size_t to, unsigned worker)
{
	struct batch *b = ctx;
	const struct mont *mt = &b->pub->mont;
	mp_limb_t *c;
	size_t i;

	(void)worker;
	for (i = from; i < to; i++) {
		c = bigvec_at(b->c, i);
		mont_from_plain(mt, c, c);
		mont_mul(mt, c, c, bigvec_at(b->m, i));
	}
	return 0;
}

int
paillier_add(const struct paillier_pub *p, struct bigvec *a,
    const struct bigvec *bv, struct parallel *pool)
{
	struct batch b = { .pub = p, .m = bv, .c = a };

	if (a->count != bv->count || a->limbs != p->cl || bv->limbs != p->cl)
		return err_set(ERR_INTERNAL, "vectors do not fit together");
	return parallel_for(pool, a->count, 64, add_ciphers, &b);
}

int
paillier_mul(const struct paillier_pub *p, struct bigvec *c, int64_t k)
{
	mpz_t x, e;
	size_t i;
	int r = 0;

	mpz_inits(x, e, NULL);
	mpz_set_si(e, k);
	for (i = 0; i < c->count && r == 0; i++) {
		limbs_to_mpz(x, bigvec_at(c, i), p->cl);
		if (k < 0 && mpz_invert(x, x, p->n2) == 0) {
			r = err_set(ERR_FORMAT, "a ciphertext has no inverse");
			break;
		}
		mpz_abs(e, e);
		mpz_powm(x, x, e, p->n2);
		limbs_from_mpz(bigvec_at(c, i), p->cl, x);
	}
	mpz_clears(x, e, NULL);
	return r;
}
