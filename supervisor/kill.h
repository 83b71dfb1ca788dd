/*
 * Tasks that are to end: their shepherds are told.  A datagram that is lost
 * or finds nobody is sent again with the next look; a shepherd also learns of
 * the wish from its next heartbeat.
 */
#ifndef SUPERVISOR_KILL_H
#define SUPERVISOR_KILL_H

#include "supervisor/supervisor.h"

void kill_look(struct supervisor *);

#endif
