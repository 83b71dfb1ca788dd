/*
 * Which providers were registered: the sign for every process of the site,
 * on whichever host, to read its folders of providers again.
 */
#ifndef LIB_DB_DB_PROVIDER_H
#define LIB_DB_DB_PROVIDER_H

#include "lib/db/db.h"

/* Grows with each registration; 0 before the first. */
int db_provider_generation(struct db *, int64_t *generation);
/* The same provider again is another registration. */
int db_provider_register(
    struct db *, const char *name, const char *version, const char *actor);

#endif
