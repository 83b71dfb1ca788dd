/*
 * Making a site's database and its account, once, with an administrator's
 * account of the server.
 */
#ifndef LIB_DB_CREATE_H
#define LIB_DB_CREATE_H

#include "lib/conf/site_conf.h"

/* The administrator's way in; unset parts are NULL. */
struct db_admin {
	const char *socket; /* NULL: as the site's */
	const char *host;   /* used when there is no socket */
	const char *user;
	const char *password_file; /* NULL: none */
};

/* [A-Za-z0-9_], at most as long as servers take. */
bool db_is_account_name(const char *);
/* From where the accounts come: 'localhost' by a socket, else '%'. */
const char *db_account_host(const struct site_conf *);

/*
 * Create what site names, if it is not there, and give the account the
 * password of site's password file and all rights on that database, no
 * other.  The programs' own accounts, if site has them, are made without
 * rights: db_grant_programs() gives them theirs.  May be run again.
 * Errors: ERR_INVALID (names other than [A-Za-z0-9_]), ERR_IO, ERR_DB.
 */
int db_create(const struct site_conf *site, const struct db_admin *);

#endif
