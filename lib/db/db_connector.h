/*
 * Connectors: how to reach a server that keeps tables, under a name.
 */
#ifndef LIB_DB_DB_CONNECTOR_H
#define LIB_DB_DB_CONNECTOR_H

#include "lib/db/db.h"

struct db_connector {
	const char *name;
	const char *engine;
	const char *info; /* JSON; passwords are sealed in it */
};

/* Make it, or replace the one of that name. */
int db_connector_put(struct db *, const struct db_connector *);
/* ERR_NOT_FOUND when there is none. */
int db_connector_get(
    struct db *, struct arena *, const char *name, struct db_connector **out);

#endif
