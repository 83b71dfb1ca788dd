/*
 * The claim of this shepherd on its task: renewed while it lives.
 */
#ifndef SUPERVISOR_SHEPHERD_LEASE_H
#define SUPERVISOR_SHEPHERD_LEASE_H

struct shepherd;
struct lease;

/*
 * Take over the lease as the claim left it and renew it with every heartbeat
 * from now on.  It is lost when the attempt was ended, or after outage_s in
 * which the database could not be reached.
 * Errors: ERR_CONFLICT when the attempt was ended already.
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
