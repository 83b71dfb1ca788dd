/*
 * A task that cannot go on because a receiver's site has no room says so in
 * its row (wait partner_full) for as long as that lasts.
 */
#ifndef SUPERVISOR_SHEPHERD_BLOCKED_H
#define SUPERVISOR_SHEPHERD_BLOCKED_H

#include <stdbool.h>

struct shepherd;

/*
 * With each heartbeat; *told is whether the row says it, kept by the caller.
 * What the database does not take is tried again with the next one.
 */
void blocked_look(struct shepherd *, bool *told);

#endif
