/*
 * Errands carried out: claimed under a lease, all members asked at once
 * (partners over HTTPS, own ones by lib/party), the replies written, and
 * whoever waits told.  What is under way is only in memory: when this process
 * dies, the lease ends and the errand is done again.
 */
#ifndef SUPERVISOR_ERRANDS_H
#define SUPERVISOR_ERRANDS_H

#include "supervisor/supervisor.h"

struct errands;

/* Takes over from dead predecessors.  Errors: ERR_DB. */
int errands_new(struct supervisor *, struct errands **out);
/*
 * The calls of the HTTP client must have been dropped before.  NULL is fine.
 */
void errands_free(struct errands *);

/* There may be some to do. */
void errands_look(struct errands *);

#endif
