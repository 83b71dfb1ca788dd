/*
 * A way back for a site whose database is older than what it has said: a
 * backup was put in its place.  Called by command.c.
 */
#ifndef SUPERVISOR_REFENCE_H
#define SUPERVISOR_REFENCE_H

#include "lib/http/partner.h"
#include "supervisor/supervisor.h"

/*
 * What a member answered to a command of the lease `fence`: did it refuse for
 * one above, which it has heard?  Then either another supervisor has the job,
 * or, while the lease is ours in our own database, that has forgotten what
 * was said.  The lease is given back there, to be taken anew above what was
 * heard, with an event and an audit record.  true: it is not held any more.
 */
bool refence_on(struct supervisor *, const char *job_id, const char *party,
    int64_t fence, const struct partner_reply *);

#endif
