/*
 * Ed25519 keys of sites.  Programs that send load the site's pair at start;
 * fcgi-app only verifies and never opens a secret file.
 */
#include "lib/sign/keys.h"

#include <sodium.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/secret_file.h"

#define SECRET_PREFIX "sluice-ed25519-secret"
#define PUBLIC_PREFIX "ed25519:"
#define SEED_SIZE crypto_sign_SEEDBYTES

struct keys {
	uint8_t public_key[KEYS_PUBLIC_SIZE];
	uint8_t *secret; /* sodium_malloc: seed and public key */
	char *path;	 /* of keys_load(), or NULL */
	struct stat seen;
};

static int
sodium_ready(void)
{
	return sodium_init() >= 0
		   ? 0
		   : err_set(ERR_CRYPTO, "libsodium cannot start");
}

static int
keys_new(struct keys **out)
{
	struct keys *k;
	int r;

	*out = NULL;
	if ((r = sodium_ready()) != 0)
		return r;
	k = xcalloc(1, sizeof(*k));
	k->secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	if (k->secret == NULL) {
		free(k);
		return err_set_errno(ERR_NOMEM, "guarded memory for a key");
	}
	*out = k;
	return 0;
}

/* Nothing writes to the secret from here on. */
static void
keys_seal(struct keys *k)
{
	(void)sodium_mprotect_readonly(k->secret);
}

int
keys_generate(struct keys **out)
{
	int r;

	if ((r = keys_new(out)) != 0)
		return r;
	crypto_sign_keypair((*out)->public_key, (*out)->secret);
	keys_seal(*out);
	return 0;
}

int
keys_from_seed(const uint8_t seed[32], struct keys **out)
{
	int r;

	if ((r = keys_new(out)) != 0)
		return r;
	crypto_sign_seed_keypair((*out)->public_key, (*out)->secret, seed);
	keys_seal(*out);
	return 0;
}

void
keys_free(struct keys *k)
{
	if (k == NULL)
		return;
	sodium_free(k->secret); /* wipes */
	free(k->path);
	free(k);
}

int
keys_load(const char *path, struct keys **out)
{
	uint8_t seed[SEED_SIZE];
	struct stat seen = { 0 };
	int r;

	*out = NULL;
	/* Looked at first: a change in between is noticed the next time. */
	(void)stat(path, &seen);
	if ((r = sodium_ready()) == 0 &&
	    (r = secret_file_load(path, SECRET_PREFIX, seed)) == 0)
		r = keys_from_seed(seed, out);
	sodium_memzero(seed, sizeof(seed));
	if (r == 0) {
		(*out)->path = xstrdup(path);
		(*out)->seen = seen;
	}
	return r;
}

int
keys_refresh(struct keys *k)
{
	struct keys *fresh;
	struct stat now;
	uint8_t *secret = k->secret;
	int r;

	if (k->path == NULL ||
	    (stat(k->path, &now) == 0 && fd_same_file(&now, &k->seen)))
		return 0;
	if ((r = keys_load(k->path, &fresh)) != 0)
		return r;
	memcpy(k->public_key, fresh->public_key, sizeof(k->public_key));
	k->secret = fresh->secret;
	k->seen = fresh->seen;
	fresh->secret = secret;
	keys_free(fresh);
	return 0;
}

/* The secret of libsodium is the seed followed by the public key. */
int
keys_save(const struct keys *k, const char *path)
{
	return secret_file_save(path, SECRET_PREFIX, k->secret);
}

const uint8_t *
keys_public(const struct keys *k)
{
	return k->public_key;
}

void
keys_sign(const struct keys *k, const void *data, size_t len,
    uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	/* Cannot fail: the key is checked and the memory is ours. */
	(void)crypto_sign_detached(signature, NULL, data, len, k->secret);
}

void
keys_derive(
    const struct keys *k, const char *purpose, uint8_t out[KEYS_DERIVED_SIZE])
{
	(void)crypto_generichash(out, KEYS_DERIVED_SIZE,
	    (const unsigned char *)purpose, strlen(purpose), k->secret,
	    SEED_SIZE);
}

int
keys_verify(const uint8_t public_key[KEYS_PUBLIC_SIZE], const void *data,
    size_t len, const uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	int r;

	if ((r = sodium_ready()) != 0)
		return r;
	if (crypto_sign_verify_detached(signature, data, len, public_key) != 0)
		return err_set(ERR_AUTH, "signature does not match");
	return 0;
}

void
keys_public_text(
    const uint8_t public_key[KEYS_PUBLIC_SIZE], char out[KEYS_TEXT_SIZE])
{
	size_t prefix = sizeof(PUBLIC_PREFIX) - 1;

	memcpy(out, PUBLIC_PREFIX, prefix);
	sodium_bin2base64(out + prefix, KEYS_TEXT_SIZE - prefix, public_key,
	    KEYS_PUBLIC_SIZE, sodium_base64_VARIANT_ORIGINAL);
}

int
keys_public_parse(const char *text, uint8_t public_key[KEYS_PUBLIC_SIZE])
{
	size_t prefix = sizeof(PUBLIC_PREFIX) - 1, n = 0;

	if (strlen(text) != KEYS_TEXT_SIZE - 1 ||
	    !str_starts(text, PUBLIC_PREFIX) ||
	    sodium_base642bin(public_key, KEYS_PUBLIC_SIZE, text + prefix, 44,
		NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != KEYS_PUBLIC_SIZE)
		return err_set(ERR_FORMAT,
		    "a public key is \"ed25519:\" and 44 characters");
	return 0;
}

static void
key_hash(const uint8_t public_key[KEYS_PUBLIC_SIZE], uint8_t hash[32])
{
	(void)crypto_generichash(
	    hash, 32, public_key, KEYS_PUBLIC_SIZE, NULL, 0);
}

void
keys_id(const uint8_t public_key[KEYS_PUBLIC_SIZE], char out[KEYS_ID_SIZE])
{
	uint8_t hash[32];

	key_hash(public_key, hash);
	str_to_hex(hash, 8, out);
}

void
keys_spoken(const uint8_t hash[32], char out[KEYS_FINGERPRINT_SIZE])
{
	uint32_t group;
	int i;

	for (i = 0; i < 8; i++) {
		group = (uint32_t)hash[4 * i] << 24 |
			(uint32_t)hash[4 * i + 1] << 16 |
			(uint32_t)hash[4 * i + 2] << 8 | hash[4 * i + 3];
		(void)snprintf(out + 6 * i,
		    KEYS_FINGERPRINT_SIZE - 6 * (size_t)i,
		    i < 7 ? "%05u " : "%05u", group % 100000);
	}
}

void
keys_fingerprint(
    const uint8_t public_key[KEYS_PUBLIC_SIZE], char out[KEYS_FINGERPRINT_SIZE])
{
	uint8_t hash[32];

	key_hash(public_key, hash);
	keys_spoken(hash, out);
}
