/*
 * A client key as a user has it: what to put into APP_KEY, and the secret.
 */
#ifndef CLI_CLIENT_KEY_H
#define CLI_CLIENT_KEY_H

struct client_key {
	char *app_key;
	char *secret;
};

/*
 * From a file that "sluice key create --output" wrote (JSON with app_key and
 * secret_key); end with client_key_fini() in any case.
 * Errors: ERR_IO, ERR_FORMAT, ERR_DENIED when others may read it.
 */
int client_key_load(const char *path, struct client_key *);
void client_key_fini(struct client_key *); /* wipes */

/* ERR_INVALID unless it is viewer, modeler or admin; option names it. */
int client_role_check(const char *option, const char *role);

#endif
