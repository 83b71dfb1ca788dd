/*
 * Something of this site became free: initiators whose jobs were refused here
 * are told, so that they ask again at once instead of by their clocks.
 */
#ifndef SUPERVISOR_FREED_H
#define SUPERVISOR_FREED_H

#include "supervisor/supervisor.h"

/*
 * Look whether what is free now fits somebody who waits, and tell those, who
 * asked first first, until all that is free is offered.  Who was told has a
 * second to come; then it is offered to others.  A notice that is lost costs
 * what it cost before there were any: its jobs ask again by themselves.
 * Errors: ERR_DB.
 */
int freed_look(struct supervisor *);

#endif
