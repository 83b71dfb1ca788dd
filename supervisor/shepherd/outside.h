/*
 * Where a task reads or writes outside: an address with its connector's
 * settings, checked against the site's configuration at the time of use, and
 * the password opened.
 */
#ifndef SUPERVISOR_SHEPHERD_OUTSIDE_H
#define SUPERVISOR_SHEPHERD_OUTSIDE_H

#include "lib/conf/site_conf.h"
#include "lib/data/address.h"
#include "lib/db/db.h"
#include "lib/db/db_remote.h"

/* Owned: give it to outside_fini(), which wipes the password. */
struct outside {
	struct json_object *json; /* what the texts of address are in */
	struct data_address address;
	char *password; /* opened; "" for none; NULL unless MYSQL */
	const struct site_conf *conf;
};

/*
 * address is borrowed.  Errors: those of data_address_parse() and
 * data_address_allowed(), ERR_NOT_FOUND (connector), those of vault_open().
 */
int outside_open(struct db *, const struct site_conf *, enum data_engine,
    struct json_object *address, struct outside *out);
void outside_fini(struct outside *); /* a zeroed one is fine */

/* The server; texts are borrowed from o. */
void outside_server(const struct outside *, struct remote_server *out);

#endif
