/*
 * Blinding of ids over ristretto255.  Used by the private set intersection.
 */
#include "executor/math/ecdh.h"

#include <sodium.h>
#include <string.h>

#include "lib/base/err.h"

_Static_assert(ECDH_POINT == crypto_core_ristretto255_BYTES, "point size");
_Static_assert(
    ECDH_SECRET == crypto_core_ristretto255_SCALARBYTES, "exponent size");

/* What is hashed for one purpose never stands for another. */
static const char id_domain[] = "sluice intersection ecdh id 1";
static const char token_domain[] = "sluice intersection ecdh token 1";

struct ecdh {
	unsigned char scalar[crypto_core_ristretto255_SCALARBYTES];
	unsigned char salt[ECDH_SALT_DIGEST];
};

struct ecdh *
ecdh_new(const char *salt)
{
	struct ecdh *e;

	if (sodium_init() < 0 || (e = sodium_malloc(sizeof(*e))) == NULL) {
		err_set(ERR_CRYPTO, "no memory for a secret");
		return NULL;
	}
	crypto_core_ristretto255_scalar_random(e->scalar);
	crypto_generichash(e->salt, sizeof(e->salt),
	    (const unsigned char *)salt, strlen(salt), NULL, 0);
	return e;
}

void
ecdh_free(struct ecdh *e)
{
	sodium_free(e);
}

int
ecdh_blind_id(const struct ecdh *e, const void *id, size_t len,
    unsigned char out[ECDH_POINT])
{
	crypto_hash_sha512_state st;
	unsigned char h[crypto_core_ristretto255_HASHBYTES];
	unsigned char p[ECDH_POINT];
	int r;

	/* All but the id has a fixed length: no two inputs run together. */
	crypto_hash_sha512_init(&st);
	crypto_hash_sha512_update(
	    &st, (const unsigned char *)id_domain, sizeof(id_domain));
	crypto_hash_sha512_update(&st, e->salt, sizeof(e->salt));
	crypto_hash_sha512_update(&st, id, len);
	crypto_hash_sha512_final(&st, h);
	crypto_core_ristretto255_from_hash(p, h);
	r = crypto_scalarmult_ristretto255(out, e->scalar, p);
	sodium_memzero(h, sizeof(h));
	sodium_memzero(p, sizeof(p));
	return r == 0 ? 0 : err_set(ERR_CRYPTO, "an id cannot be blinded");
}

int
ecdh_multiply(const struct ecdh *e, const unsigned char point[ECDH_POINT],
    unsigned char out[ECDH_POINT])
{
	return crypto_scalarmult_ristretto255(out, e->scalar, point) == 0
		   ? 0
		   : err_set(ERR_FORMAT,
			 "a blinded id is not an element of the group");
}

int
ecdh_digest(
    const unsigned char point[ECDH_POINT], unsigned char out[ECDH_TOKEN])
{
	return crypto_generichash(out, ECDH_TOKEN, point, ECDH_POINT,
		   (const unsigned char *)token_domain,
		   sizeof(token_domain)) == 0
		   ? 0
		   : err_set(ERR_CRYPTO, "hash failed");
}

int
ecdh_token(const struct ecdh *e, const unsigned char point[ECDH_POINT],
    unsigned char out[ECDH_TOKEN])
{
	unsigned char p[ECDH_POINT];
	int r = ecdh_multiply(e, point, p);

	return r == 0 ? ecdh_digest(p, out) : r;
}

void
ecdh_export(const struct ecdh *e, unsigned char out[ECDH_SECRET])
{
	memcpy(out, e->scalar, sizeof(e->scalar));
}

struct ecdh *
ecdh_import(const unsigned char secret[ECDH_SECRET], const char *salt)
{
	struct ecdh *e;

	if (sodium_is_zero(secret, ECDH_SECRET)) {
		err_set(ERR_FORMAT, "a secret exponent is damaged");
		return NULL;
	}
	if ((e = ecdh_new(salt)) != NULL)
		memcpy(e->scalar, secret, sizeof(e->scalar));
	return e;
}

struct ecdh *
ecdh_inverse(const struct ecdh *e)
{
	struct ecdh *inverse = ecdh_new("");

	if (inverse == NULL)
		return NULL;
	memcpy(inverse->salt, e->salt, sizeof(e->salt));
	/* Only 0 has none, and a random scalar is not 0. */
	if (crypto_core_ristretto255_scalar_invert(
		inverse->scalar, e->scalar) != 0) {
		ecdh_free(inverse);
		err_set(ERR_CRYPTO, "an exponent without inverse");
		return NULL;
	}
	return inverse;
}
