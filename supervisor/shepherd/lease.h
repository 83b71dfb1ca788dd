/*
 * The claim of this shepherd on its task: renewed while it lives.
 */
#ifndef SUPERVISOR_SHEPHERD_LEASE_H
#define SUPERVISOR_SHEPHERD_LEASE_H

struct shepherd;
struct lease;

/*
 * Renew at once, then with every heartbeat.  Whoever renewed last counts: a
 * lease that could not be renewed for its length is lost as well.
 * Errors: ERR_CONFLICT, ERR_DB.
 */
int	lease_open(struct shepherd *, struct lease **out);
void	lease_close(struct lease *);	/* NULL is fine */
/* A heartbeat now: a wish to end the task may be there. */
void	lease_beat(struct lease *);

#endif
