/*
 * Hashing of passwords.  Called by fcgi-app when people log in and by the
 * command line when they get or change one.
 */
#include "lib/sign/password.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define BYTES_PER_MB ((size_t)1024 * 1024)
#define SALT_SIZE 16 /* as crypto_pwhash_str() has them */
#define KEY_SIZE 32

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES,
    "a hash as libsodium writes it");

static int
ready(void)
{
	return sodium_init() >= 0
		   ? 0
		   : err_set(ERR_CRYPTO, "libsodium cannot start");
}

static bool
is_one_character(const char *s)
{
	return s[0] != '\0' && s[strspn(s, (char[]){ s[0], '\0' })] == '\0';
}

int
password_acceptable(const char *password, const char *name)
{
	size_t len = strlen(password), i;

	if (len < PASSWORD_MIN || len > PASSWORD_MAX)
		return err_set(ERR_INVALID,
		    "a password has %d to %d bytes: several words are a good "
		    "one",
		    PASSWORD_MIN, PASSWORD_MAX);
	if (!str_is_utf8(password, len))
		return err_set(ERR_INVALID, "a password is UTF-8");
	for (i = 0; i < len; i++)
		if ((unsigned char)password[i] < 0x20 || password[i] == 0x7f)
			return err_set(ERR_INVALID,
			    "a password has no control characters");
	if (is_one_character(password) ||
	    (strlen(name) >= PASSWORD_MIN / 2 &&
		strcasestr(password, name) != NULL))
		return err_set(ERR_INVALID,
		    "the password is too easy: no name of its user in it, no "
		    "character all over");
	return 0;
}

int
password_hash(const char *password, const struct password_cost *cost,
    char out[PASSWORD_HASH_SIZE])
{
	int r;

	if ((r = ready()) != 0)
		return r;
	return crypto_pwhash_str(out, password, strlen(password),
		   (unsigned long long)cost->ops,
		   (size_t)cost->memory_mb * BYTES_PER_MB) == 0
		   ? 0
		   : err_set(ERR_NOMEM,
			 "argon2id with %" PRId64 " MB of memory",
			 cost->memory_mb);
}

int
password_verify(const char *hash, const char *password)
{
	int r;

	if ((r = ready()) != 0)
		return r;
	return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0
		   ? 0
		   : err_set(ERR_AUTH, "the password is wrong");
}

bool
password_is_outdated(const char *hash, const struct password_cost *cost)
{
	return crypto_pwhash_str_needs_rehash(hash,
		   (unsigned long long)cost->ops,
		   (size_t)cost->memory_mb * BYTES_PER_MB) != 0;
}

int
password_dummy(const struct password_cost *cost, char out[PASSWORD_HASH_SIZE])
{
	uint8_t bytes[SALT_SIZE + KEY_SIZE];
	char salt[32], key[64];
	int r;

	if ((r = ready()) != 0)
		return r;
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2base64(salt, sizeof(salt), bytes, SALT_SIZE,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_bin2base64(key, sizeof(key), bytes + SALT_SIZE, KEY_SIZE,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	(void)snprintf(out, PASSWORD_HASH_SIZE,
	    "$argon2id$v=19$m=%" PRId64 ",t=%" PRId64 ",p=1$%s$%s",
	    cost->memory_mb * 1024, cost->ops, salt, key);
	return 0;
}
