/*
 * The claim of this shepherd on its task: renewed while it lives.
 */
#ifndef SUPERVISOR_SHEPHERD_LEASE_H
#define SUPERVISOR_SHEPHERD_LEASE_H

struct shepherd;
struct lease;

/*
 * Take over the lease as the claim left it and renew it with every heartbeat
 * from now on.  The last renewal counts: a lease that could not be renewed
 * for its length is lost as well.
 * Errors: ERR_CONFLICT when it has run out already.
 */
int lease_open(struct shepherd *, struct lease **out);
/*
 * The executor runs: say so, with the process ids, and renew, in one
 * transaction.  Errors: ERR_CONFLICT, ERR_DB.
 */
int lease_running(struct lease *);
void lease_close(struct lease *); /* NULL is fine */
/* A heartbeat now: a wish to end the task may be there. */
void lease_beat(struct lease *);

#endif
