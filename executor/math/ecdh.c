/*
 * Blinding of ids over ristretto255.  Used by the private set intersection.
 */
#include "executor/math/ecdh.h"

#include <sodium.h>
#include <string.h>

#include "lib/base/err.h"

_Static_assert(ECDH_POINT == crypto_core_ristretto255_BYTES, "point size");

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

const unsigned char *
ecdh_salt_digest(const struct ecdh *e)
{
	return e->salt;
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
ecdh_token(const struct ecdh *e, const unsigned char point[ECDH_POINT],
    unsigned char out[ECDH_TOKEN])
{
	unsigned char p[ECDH_POINT];

	if (crypto_scalarmult_ristretto255(p, e->scalar, point) != 0)
		return err_set(
		    ERR_FORMAT, "a blinded id is not an element of the group");
	return crypto_generichash(out, ECDH_TOKEN, p, sizeof(p),
		   (const unsigned char *)token_domain,
		   sizeof(token_domain)) == 0
		   ? 0
		   : err_set(ERR_CRYPTO, "hash failed");
}
