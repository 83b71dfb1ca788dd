/*
 * The vault.  Sealed by fcgi-app, opened by shepherds, made by "sluice site
 * init" or, for older sites, by the supervisor.
 */
#include "lib/sign/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define MARK "sealed:"
#define HASH_SIZE crypto_generichash_BYTES
#define PLAIN_MAX (HASH_SIZE + VAULT_SECRET_MAX)
/* Secret and public half of an X25519 pair have the same size. */
#define KEY_SIZE crypto_box_SECRETKEYBYTES
#define HEX_SIZE (2 * KEY_SIZE)

_Static_assert(crypto_box_PUBLICKEYBYTES == KEY_SIZE, "one size of key");

static char *
key_path(const char *home, const char *name)
{
	return xasprintf("%s/keys/%s", home, name);
}

/* --- key files: one line of hex ------------------------------------------- */

/* The administrator looks after keys that are other users'. */
static bool
is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0 || geteuid() == 0;
}

static int
check_private(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(ERR_IO, "%s", path);
	if ((st.st_mode & 077) != 0 || !is_ours(&st))
		return err_set(ERR_DENIED,
		    "%s must belong to this user and be readable by nobody "
		    "else (chmod 600)",
		    path);
	return 0;
}

static int
read_key(const char *path, bool is_secret, unsigned char key[KEY_SIZE])
{
	char text[HEX_SIZE + 1];
	int fd, r = 0;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s", path);
	if (is_secret)
		r = check_private(fd, path);
	if (r == 0 && fd_read_exact(fd, text, HEX_SIZE) != 0)
		r = err_set(ERR_FORMAT, "%s is too short", path);
	text[HEX_SIZE] = '\0';
	if (r == 0 && str_from_hex(text, key, KEY_SIZE) != 0)
		r = err_set(ERR_FORMAT, "%s is no key of a vault", path);
	fd_close(&fd);
	sodium_memzero(text, sizeof(text));
	return r;
}

static int
write_key(const char *path, const unsigned char key[KEY_SIZE], mode_t mode)
{
	char text[HEX_SIZE + 2];
	int r;

	str_to_hex(key, KEY_SIZE, text);
	text[HEX_SIZE] = '\n';
	text[HEX_SIZE + 1] = '\0';
	r = fd_replace_file(path, text, HEX_SIZE + 1, mode);
	sodium_memzero(text, sizeof(text));
	return r;
}

int
vault_make(const char *home)
{
	char *secret_path = key_path(home, "vault.key");
	char *public_path = key_path(home, "vault.pub");
	unsigned char secret[KEY_SIZE], public[KEY_SIZE];
	int r;

	if (sodium_init() < 0) {
		r = err_set(ERR_CRYPTO, "libsodium does not start");
		goto out;
	}
	r = read_key(secret_path, true, secret);
	if (r == ERR_NOT_FOUND) {
		(void)crypto_box_keypair(public, secret);
		r = write_key(secret_path, secret, 0600);
	} else if (r == 0 && crypto_scalarmult_base(public, secret) != 0) {
		r = err_set(ERR_FORMAT, "%s is no key", secret_path);
	}
	/* A kill between the two files leaves the public half to be redone. */
	if (r == 0 && access(public_path, F_OK) != 0)
		r = write_key(public_path, public, 0644);
out:
	sodium_memzero(secret, sizeof(secret));
	free(secret_path);
	free(public_path);
	return r;
}

/* --- sealing ---------------------------------------------------------------- */

static void
hash_place(const char *place, unsigned char hash[HASH_SIZE])
{
	(void)crypto_generichash(hash, HASH_SIZE, (const unsigned char *)place,
	    strlen(place), NULL, 0);
}

int
vault_seal(const char *home, const char *secret, const char *place, char **out)
{
	char *path = key_path(home, "vault.pub");
	unsigned char public[KEY_SIZE], plain[PLAIN_MAX];
	unsigned char sealed[PLAIN_MAX + crypto_box_SEALBYTES];
	struct buf text = BUF_INIT;
	size_t n = strlen(secret);
	int r;

	*out = NULL;
	if (n > VAULT_SECRET_MAX) {
		r = err_set(ERR_LIMIT, "a secret of more than %d bytes",
		    VAULT_SECRET_MAX);
		goto out;
	}
	if ((r = read_key(path, false, public)) != 0) {
		(void)err_wrap("the site's vault (made when its supervisor "
			       "starts)");
		goto out;
	}
	hash_place(place, plain);
	memcpy(plain + HASH_SIZE, secret, n);
	if (crypto_box_seal(sealed, plain, HASH_SIZE + n, public) != 0) {
		r = err_set(ERR_CRYPTO, "the vault's public key is bad");
		goto out;
	}
	buf_puts(&text, MARK);
	str_base64(&text, sealed, HASH_SIZE + n + crypto_box_SEALBYTES);
	*out = buf_steal(&text);
out:
	sodium_memzero(plain, sizeof(plain));
	buf_fini(&text);
	free(path);
	return r;
}

/* The plain text must begin with the hash of its place. */
static int
take_secret(const unsigned char *plain, size_t n, const char *place, char **out)
{
	unsigned char hash[HASH_SIZE];

	hash_place(place, hash);
	if (sodium_memcmp(plain, hash, HASH_SIZE) != 0)
		return err_set(ERR_DENIED,
		    "the sealed password was stored for another server or "
		    "user; store it again for this one");
	*out = xstrndup((const char *)plain + HASH_SIZE, n - HASH_SIZE);
	return 0;
}

int
vault_open(const char *home, const char *sealed, const char *place, char **out)
{
	char *path = key_path(home, "vault.key");
	unsigned char secret[KEY_SIZE], public[KEY_SIZE], plain[PLAIN_MAX];
	struct buf box = BUF_INIT;
	int r;

	*out = NULL;
	if (!vault_is_sealed(sealed) ||
	    str_unbase64(&box, sealed + strlen(MARK),
		strlen(sealed) - strlen(MARK)) != 0 ||
	    box.len < HASH_SIZE + crypto_box_SEALBYTES ||
	    box.len > PLAIN_MAX + crypto_box_SEALBYTES) {
		r = err_set(ERR_FORMAT, "not a sealed secret");
		goto out;
	}
	if ((r = read_key(path, true, secret)) != 0)
		goto out;
	if (crypto_scalarmult_base(public, secret) != 0 ||
	    crypto_box_seal_open(plain, (const unsigned char *)box.data,
		box.len, public, secret) != 0)
		r = err_set(ERR_CRYPTO,
		    "the stored password was not sealed by this site's "
		    "vault; store it again");
	else
		r = take_secret(
		    plain, box.len - crypto_box_SEALBYTES, place, out);
out:
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(plain, sizeof(plain));
	buf_fini(&box);
	free(path);
	return r;
}

void
vault_forget(char *secret)
{
	if (secret == NULL)
		return;
	sodium_memzero(secret, strlen(secret));
	free(secret);
}

bool
vault_is_sealed(const char *text)
{
	return str_starts(text, MARK);
}
