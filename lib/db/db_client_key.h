/*
 * Keys of this site's users: who signs requests, and what they may do.
 */
#ifndef LIB_DB_DB_CLIENT_KEY_H
#define LIB_DB_DB_CLIENT_KEY_H

#include "lib/db/db.h"

struct db_client_key {
	const char *name;
	const char *app_key;
	const char *role;
	const char *secret; /* sealed by lib/sign/vault.h */
	bool enabled;
	int64_t created_ms;
};

/* Errors: ERR_EXISTS (name or app_key is taken), ERR_DB. */
int db_client_key_add(struct db *, const struct db_client_key *);
/* By APP_KEY, disabled ones too.  ERR_NOT_FOUND. */
int db_client_key_get(struct db *, struct arena *, const char *app_key,
    struct db_client_key **out);
/* In order of names. */
int db_client_key_list(
    struct db *, struct arena *, struct db_client_key **rows, size_t *n);
/* Is there any that is enabled? */
int db_client_key_any(struct db *, bool *out);
/* Both by name.  ERR_NOT_FOUND. */
int db_client_key_enable(struct db *, const char *name, bool enabled);
int db_client_key_delete(struct db *, const char *name);

#endif
