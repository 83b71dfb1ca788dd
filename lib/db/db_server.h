/*
 * What the database server is, for those who check an installation.
 */
#ifndef LIB_DB_DB_SERVER_H
#define LIB_DB_DB_SERVER_H

#include "lib/db/db.h"

struct db_server_info {
	const char *version;
	bool is_new_enough; /* MariaDB 10.6, MySQL 8.0 */
	int64_t max_packet; /* bytes */
	int64_t now_ms;	    /* its clock */
};

/* As VERSION() says it: "10.11.6-MariaDB-0+deb12u1", "8.0.36". */
bool db_server_is_new_enough(const char *version);
/* Errors: ERR_DB. */
int db_server_info(struct db *, struct arena *, struct db_server_info *out);

/*
 * Of the rights that every program needs, those that the account has on
 * neither the server, the database, nor its table job: "INSERT, UPDATE", ""
 * for none.
 */
int db_server_rights(struct db *, struct arena *, const char **missing);

/*
 * What a MariaDB of this version (11.1.1 is 110101) calls a session's
 * isolation level, without a warning.
 */
const char *db_isolation_variable(unsigned long version);

#endif
