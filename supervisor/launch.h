/*
 * Shepherds: one process for each task attempt.  The launcher claims tasks
 * that want to run, starts a shepherd for each and notices its end.  A
 * shepherd that ends without having ended its attempt has crashed: its task
 * fails at once.  Shepherds outlive the supervisor; the next one finds them
 * again by the attempts that are open.
 */
#ifndef SUPERVISOR_LAUNCH_H
#define SUPERVISOR_LAUNCH_H

#include "lib/db/db_attempt.h"
#include "supervisor/supervisor.h"

struct launcher;

/* A shepherd's exit status: nothing was begun, start it once more. */
#define SHEPHERD_AGAIN 75

/*
 * Take up what a predecessor left, then launch what waits.
 * Errors: ERR_DB.
 */
int launcher_new(struct supervisor *, struct launcher **out);
/* The shepherds go on.  NULL is fine. */
void launcher_free(struct launcher *);

/* Something may want a launch. */
void launch_look(struct launcher *);
/*
 * Claim one task inside the transaction that has just wanted its launch; *out
 * (in the arena) is NULL when that is for a look.  Once it is committed
 * launch_claimed() starts the shepherd.
 */
int launch_claim(struct launcher *, struct arena *, const struct db_task_key *,
    struct db_attempt **out);
/* The same of one whose launch is still to be wanted: both in one step. */
int launch_begin(struct launcher *, struct arena *, const struct db_task_key *,
    struct db_attempt **out);
void launch_claimed(struct launcher *, const struct db_attempt *);

/* Is a shepherd for this attempt running on this host, as far as we know? */
bool launch_is_watched(const struct launcher *, const char *attempt_id);

/*
 * Open attempts of this home that nobody watches here: their shepherds are
 * watched from now on, those whose shepherd is gone end.  What a supervisor
 * claimed whose name begins with dead_prefix (NULL: none is dead) and has not
 * started is launched anew.  Errors: ERR_DB, ERR_IO.
 */
int launch_adopt(struct launcher *, const char *dead_prefix);

/* The detector's part: attempts whose lease ran out. */
int launch_reap_expired(struct launcher *);

#endif
