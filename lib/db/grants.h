/*
 * The rights of the programs' accounts: sql/grants.sql.
 */
#ifndef LIB_DB_GRANTS_H
#define LIB_DB_GRANTS_H

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"

/*
 * Give the accounts that site.conf names for its programs what grants.sql in
 * folder says, under their names and for where they come from; nothing when
 * it names none.  db is the site's own account, which db_create() lets do
 * this.  May be run again; rights that were given by an older version stay.
 * Errors: ERR_IO, ERR_INVALID (names other than [A-Za-z0-9_]), ERR_DB.
 */
int db_grant_programs(
    struct db *, const struct site_conf *site, const char *folder);

/*
 * What grants.sql in folder gives to the account of a program and the account
 * of db does not have: "INSERT on job, …", "" for nothing.
 * Errors: ERR_IO, ERR_FORMAT, ERR_DB.
 */
int db_grants_missing(struct db *, enum site_program, const char *folder,
    struct arena *, const char **missing);

#endif
