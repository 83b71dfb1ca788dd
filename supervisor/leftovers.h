/*
 * What a shepherd leaves behind when it could not tidy up itself.
 */
#ifndef SUPERVISOR_LEFTOVERS_H
#define SUPERVISOR_LEFTOVERS_H

#include "supervisor/supervisor.h"

/*
 * Remove the work folder, the mailbox and the wake-up socket of an attempt
 * that has ended without its shepherd.  What cannot be removed is logged.
 */
void leftovers_remove(struct supervisor *, const char *attempt_id);

#endif
