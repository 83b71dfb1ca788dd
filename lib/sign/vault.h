/*
 * Secrets of others that a site keeps for its tasks, such as the password of
 * a database: sealed (libsodium's crypto_box_seal: X25519, XSalsa20,
 * Poly1305) before they become rows, with a key outside the database.
 *
 * keys/vault.pub seals and is all that the program that hears strangers
 * needs; keys/vault.key (mode 0600) opens and is read by shepherds only.  A
 * secret is sealed together with the place it is for, and opens for no other:
 * who gets hold of the text cannot have it sent somewhere else.
 */
#ifndef LIB_SIGN_VAULT_H
#define LIB_SIGN_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#define VAULT_SECRET_MAX 512 /* bytes of a secret */

/*
 * Make the pair below home/keys unless it is there.
 * Errors: ERR_IO, ERR_CRYPTO, ERR_FORMAT when one half is damaged.
 */
int vault_make(const char *home);

/*
 * "sealed:" and base64; the caller's.  place says what the secret is for,
 * such as "mysql user@host:port".
 * Errors: ERR_NOT_FOUND when the site has no vault yet, ERR_LIMIT, ERR_IO.
 */
int vault_seal(
    const char *home, const char *secret, const char *place, char **out);

/*
 * Open what vault_seal() made for this place.  *out is to be given to
 * vault_forget().  Errors: ERR_NOT_FOUND, ERR_DENIED when it is for another
 * place or the key file may be read by others, ERR_FORMAT, ERR_CRYPTO (not
 * sealed by this site), ERR_IO.
 */
int vault_open(
    const char *home, const char *sealed, const char *place, char **out);
void vault_forget(char *secret); /* wipes; NULL is fine */

bool vault_is_sealed(const char *text);

#endif
