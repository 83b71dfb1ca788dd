/*
 * Secrets of users' keys.  Checking an HMAC takes its secret in the clear, so
 * they are kept in the database encrypted under a key that is not there: the
 * site's client vault, a file of one line "sluice-client-vault BASE64(32
 * bytes)", mode 0600.  Unlike lib/sign/vault.h the program that hears
 * strangers must open these, and nothing else may be sealed with them.
 *
 * XChaCha20-Poly1305; a sealed secret is bound to its label (who it is of),
 * so that rows cannot be exchanged.
 */
#ifndef LIB_SIGN_CLIENT_VAULT_H
#define LIB_SIGN_CLIENT_VAULT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

struct client_vault;

#define CLIENT_SECRET_MAX 128 /* bytes */

/*
 * Errors: ERR_NOT_FOUND, ERR_IO, ERR_FORMAT, and ERR_DENIED when group or
 * others may read the file or it belongs to someone else (root's are taken).
 */
int client_vault_load(const char *path, struct client_vault **out);
/* A new file with a new key; ERR_EXISTS when it is there already. */
int client_vault_make(const char *path);
void client_vault_free(struct client_vault *); /* NULL is fine */

/* What to store, as text; appends.  ERR_LIMIT. */
int client_vault_seal(const struct client_vault *, const char *label,
    const char *secret, struct buf *out);
/*
 * Wipe out after use.  Errors: ERR_FORMAT, ERR_CRYPTO (sealed under another
 * key or label).
 */
int client_vault_open(const struct client_vault *, const char *label,
    const char *sealed, char out[CLIENT_SECRET_MAX + 1]);

#endif
