/*
 * Sealing of secrets.  Called by fcgi-app to use a client's secret and by the
 * command line to make one.
 */
#include "lib/sign/client_vault.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/secret_file.h"

#define PREFIX "sluice-client-vault"
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define OVERHEAD                                                               \
	(NONCE_SIZE + (size_t)crypto_aead_xchacha20poly1305_ietf_ABYTES)

_Static_assert(SECRET_FILE_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    "a file holds one key");

struct client_vault {
	uint8_t *key; /* sodium_malloc */
};

int
client_vault_load(const char *path, struct client_vault **out)
{
	struct client_vault *v;
	int r;

	*out = NULL;
	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "libsodium cannot start");
	v = xcalloc(1, sizeof(*v));
	if ((v->key = sodium_malloc(SECRET_FILE_BYTES)) == NULL)
		r = err_set_errno(ERR_NOMEM, "guarded memory for a key");
	else
		r = secret_file_load(path, PREFIX, v->key);
	if (r != 0) {
		client_vault_free(v);
		return r;
	}
	(void)sodium_mprotect_readonly(v->key);
	*out = v;
	return 0;
}

int
client_vault_make(const char *path)
{
	uint8_t key[SECRET_FILE_BYTES];
	int r;

	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "libsodium cannot start");
	randombytes_buf(key, sizeof(key));
	r = secret_file_save(path, PREFIX, key);
	sodium_memzero(key, sizeof(key));
	return r;
}

void
client_vault_free(struct client_vault *v)
{
	if (v == NULL)
		return;
	sodium_free(v->key); /* wipes; NULL is fine */
	free(v);
}

int
client_vault_seal(const struct client_vault *v, const char *label,
    const char *secret, struct buf *out)
{
	unsigned char bytes[CLIENT_SECRET_MAX + OVERHEAD];
	unsigned long long n = 0;

	if (strlen(secret) > CLIENT_SECRET_MAX)
		return err_set(ERR_LIMIT, "the secret is too long");
	randombytes_buf(bytes, NONCE_SIZE);
	/* Cannot fail: sizes are ours. */
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + NONCE_SIZE, &n,
	    (const unsigned char *)secret, strlen(secret),
	    (const unsigned char *)label, strlen(label), NULL, bytes, v->key);
	str_base64(out, bytes, NONCE_SIZE + (size_t)n);
	return 0;
}

int
client_vault_open(const struct client_vault *v, const char *label,
    const char *sealed, char out[CLIENT_SECRET_MAX + 1])
{
	struct buf bytes = BUF_INIT;
	const unsigned char *from;
	unsigned long long n = 0;
	int r;

	r = str_unbase64(&bytes, sealed, strlen(sealed));
	if (r == 0 &&
	    (bytes.len < OVERHEAD || bytes.len > CLIENT_SECRET_MAX + OVERHEAD))
		r = err_set(
		    ERR_FORMAT, "a sealed secret of %zu bytes", bytes.len);
	if (r == 0) {
		from = (const unsigned char *)bytes.data;
		if (crypto_aead_xchacha20poly1305_ietf_decrypt(
			(unsigned char *)out, &n, NULL, from + NONCE_SIZE,
			bytes.len - NONCE_SIZE, (const unsigned char *)label,
			strlen(label), from, v->key) != 0)
			r = err_set(ERR_CRYPTO, "the secret was sealed under "
						"another key than the vault's");
		else
			out[n] = '\0';
	}
	buf_fini(&bytes);
	return r;
}
