/*
 * A site's Ed25519 key pair (RFC 8032, libsodium): who signed a request.
 *
 * The secret file holds one line, "sluice-ed25519-secret BASE64(seed)", mode
 * 0600; the public text is "ed25519:BASE64(key)".
 */
#ifndef LIB_SIGN_KEYS_H
#define LIB_SIGN_KEYS_H

#include <stddef.h>
#include <stdint.h>

#define KEYS_PUBLIC_SIZE 32
#define KEYS_SIGNATURE_SIZE 64

/* A key pair; its secret half lies in guarded memory and is wiped. */
struct keys;

/* A new pair from the kernel's generator. */
int keys_generate(struct keys **out);
/* A pair from its 32-byte seed. */
int keys_from_seed(const uint8_t seed[32], struct keys **out);
/*
 * Read a secret file.  Errors: ERR_NOT_FOUND, ERR_IO, ERR_FORMAT, and
 * ERR_DENIED when group or others may read it or it belongs to someone else
 * (root's files are taken).
 */
int keys_load(const char *path, struct keys **out);
/*
 * Read the file of keys_load() again if it is another one now, in place: who
 * holds the pair signs with the new one from then on.  On failure the old
 * one stays.  Pairs from elsewhere stay as they are.
 */
int keys_refresh(struct keys *);
/* Write the secret file, mode 0600; ERR_EXISTS when it is there already. */
int keys_save(const struct keys *, const char *path);
void keys_free(struct keys *); /* NULL is fine */

const uint8_t *keys_public(const struct keys *); /* 32 bytes */
void keys_sign(const struct keys *, const void *data, size_t len,
    uint8_t signature[KEYS_SIGNATURE_SIZE]);
/* ERR_AUTH when the signature is not this key's over data. */
int keys_verify(const uint8_t public_key[KEYS_PUBLIC_SIZE], const void *data,
    size_t len, const uint8_t signature[KEYS_SIGNATURE_SIZE]);

/*
 * A secret for another purpose, named in words: the same for all who hold the
 * pair, and telling nothing about it (keyed BLAKE2b-256).
 */
#define KEYS_DERIVED_SIZE 32
void keys_derive(
    const struct keys *, const char *purpose, uint8_t out[KEYS_DERIVED_SIZE]);

/* The public key as text; parse refuses anything but exactly that form. */
#define KEYS_TEXT_SIZE 53
void keys_public_text(
    const uint8_t public_key[KEYS_PUBLIC_SIZE], char out[KEYS_TEXT_SIZE]);
int keys_public_parse(const char *text, uint8_t public_key[KEYS_PUBLIC_SIZE]);

/* First 16 hex digits of BLAKE2b-256 of the key: the end of a keyid. */
#define KEYS_ID_SIZE 17
void keys_id(
    const uint8_t public_key[KEYS_PUBLIC_SIZE], char out[KEYS_ID_SIZE]);
/*
 * What two people read to each other: 132 bits of a 32-byte hash as eight
 * groups of five decimal digits, for hex letters sound alike.  A group is
 * four bytes of the hash (big-endian) modulo 100 000.
 */
#define KEYS_FINGERPRINT_SIZE 48
void keys_spoken(const uint8_t hash[32], char out[KEYS_FINGERPRINT_SIZE]);
/* The same of the hash that keys_id() begins. */
void keys_fingerprint(const uint8_t public_key[KEYS_PUBLIC_SIZE],
    char out[KEYS_FINGERPRINT_SIZE]);

#endif
