/*
 * Heads of the audit chain, signed and exchanged with the other sites of a job
 * once it has ended, until both have each other's and have said so.  Nothing
 * waits for it: a site that is away is asked again for a week.
 */
#ifndef SUPERVISOR_HEADS_H
#define SUPERVISOR_HEADS_H

#include "supervisor/supervisor.h"

struct heads;

struct heads *heads_new(struct supervisor *);
/* The calls of the HTTP client must have been dropped before. */
void heads_free(struct heads *); /* NULL is fine */

/* Exchanges may be due.  Call it after the chain has grown. */
void heads_look(struct heads *);
/*
 * Is it time for that?  Soon after a look it is not: jobs that end meanwhile
 * are told of together, and supervisor_changed() is called when it is.
 */
bool heads_may_look(struct heads *);

#endif
