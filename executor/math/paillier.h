/*
 * Paillier's cryptosystem (Eurocrypt 1999) as modified by Damgård, Jurik and
 * Nielsen (2010, section 4.2): ciphertexts are (1 + mn) hs^r mod n^2 with
 * hs = h^n, h = -x^2 mod n and short exponents r.
 *
 * Plaintexts are numbers in [0, n); those above n/2 stand for negative ones.
 * Adding ciphertexts adds plaintexts, multiplying by an integer multiplies.
 *
 * Time and secrets: decryption raises to secret exponents with
 * mpz_powm_sec(), whose time and memory accesses do not depend on them, so
 * the base needs no blinding.  Encryption looks up a table by its random
 * exponent; who could watch this process's caches could learn it.  Nobody
 * but the site itself runs code beside an executor.
 */
#ifndef EXECUTOR_MATH_PAILLIER_H
#define EXECUTOR_MATH_PAILLIER_H

#include <gmp.h>
#include <stdint.h>

#include "executor/math/bigvec.h"
#include "executor/math/mont.h"
#include "executor/parallel.h"

#define PAILLIER_BITS_MIN 1024
#define PAILLIER_BITS_MAX 8192
#define PAILLIER_BITS_STEP 128 /* both primes fill whole limbs */

struct paillier_pub; /* public key, with what makes encryption quick */
struct paillier_key; /* secret key; holds its public key */

/*
 * A fresh key with n of exactly bits bits.  Primes are 3 mod 4 and drawn
 * from the kernel's generator; GMP's Baillie-PSW test and 40 more rounds of
 * Miller-Rabin leave an error below 4^-40.
 * Errors: ERR_INVALID for a length outside the limits above.
 */
int paillier_generate(unsigned bits, struct paillier_key **out);
void paillier_key_free(struct paillier_key *); /* wipes; NULL is fine */
const struct paillier_pub *paillier_key_pub(const struct paillier_key *);

/* Append the key: u32 bits, n, hs, all little-endian. */
void paillier_pub_encode(const struct paillier_pub *, struct buf *out);
/*
 * A partner's key.  ERR_FORMAT unless n is odd and of the stated length
 * within the limits, and hs is in (1, n^2 - 1) and coprime to n.
 */
int paillier_pub_decode(
    const void *data, size_t len, struct paillier_pub **out);
void paillier_pub_free(struct paillier_pub *); /* NULL is fine */

/*
 * Build the table of powers of hs (7.3 MB at 2048 bits) that encryption
 * needs; a second call does nothing.  ERR_NOMEM.
 */
int paillier_pub_prepare(struct paillier_pub *, struct parallel *pool);

unsigned paillier_bits(const struct paillier_pub *);
size_t paillier_plain_limbs(const struct paillier_pub *);
size_t paillier_cipher_limbs(const struct paillier_pub *);
size_t paillier_cipher_bytes(const struct paillier_pub *);
const mp_limb_t *paillier_n(const struct paillier_pub *);
const struct mont *paillier_mont(const struct paillier_pub *);

/* Vectors of plaintexts or ciphertexts for this key; see bigvec.h. */
int paillier_plain_new(
    const struct paillier_pub *, size_t count, struct bigvec **out);
int paillier_cipher_decode(const struct paillier_pub *, const void *data,
    size_t len, size_t count, struct bigvec **out);
int paillier_plain_decode(const struct paillier_pub *, const void *data,
    size_t len, size_t count, struct bigvec **out);
/* Uniform in [0, n): added to a plaintext it hides it completely. */
void paillier_random_plain(const struct paillier_pub *, struct bigvec *);

/*
 * Encrypt each of m.  The key must be prepared.  ERR_NOMEM; ERR_INVALID when
 * a plaintext is not below n.
 */
int paillier_encrypt(const struct paillier_pub *, const struct bigvec *m,
    struct parallel *pool, struct bigvec **out);
/* c[i] becomes a fresh encryption of its plaintext plus m[i]. */
int paillier_add_fresh(const struct paillier_pub *, struct bigvec *c,
    const struct bigvec *m, struct parallel *pool);
/* The same without fresh randomness: for ciphertexts that stay here. */
int paillier_add_plain(const struct paillier_pub *, struct bigvec *c,
    const struct bigvec *m, struct parallel *pool);
/* a[i] becomes an encryption of the sum; both of the same count. */
int paillier_add(const struct paillier_pub *, struct bigvec *a,
    const struct bigvec *b, struct parallel *pool);
/* c[i] to the power k, one at a time.  ERR_FORMAT: not invertible. */
int paillier_mul(const struct paillier_pub *, struct bigvec *c, int64_t k);

/* Plaintexts in [0, n).  Ciphertexts must be in range (bigvec_decode). */
int paillier_decrypt(const struct paillier_key *, const struct bigvec *c,
    struct parallel *pool, struct bigvec **out);

#endif
