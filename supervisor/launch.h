/*
 * Shepherds: one process for each task attempt.  The launcher claims tasks
 * that want to run, starts a shepherd for each and notices its end.  A
 * shepherd that ends without having ended its attempt has crashed: its task
 * fails at once.  Shepherds outlive the supervisor; the next one finds them
 * again by the attempts that are open.
 */
#ifndef SUPERVISOR_LAUNCH_H
#define SUPERVISOR_LAUNCH_H

#include "supervisor/supervisor.h"

struct launcher;

/*
 * Take up what a predecessor left, then launch what waits.
 * Errors: ERR_DB.
 */
int launcher_new(struct supervisor *, struct launcher **out);
/* The shepherds go on.  NULL is fine. */
void launcher_free(struct launcher *);

/* Something may want a launch. */
void launch_look(struct launcher *);

/* Is a shepherd for this attempt running on this host, as far as we know? */
bool launch_is_watched(const struct launcher *, const char *attempt_id);

/* The detector's part: attempts whose lease ran out. */
int launch_reap_expired(struct launcher *);

#endif
