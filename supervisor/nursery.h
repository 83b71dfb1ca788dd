/*
 * Where shepherds come from: the nursery, a process that has all of a
 * shepherd ready but its task, and forks one when it is asked to
 * (supervisor/shepherd/nursery.h).  Without it, or when it does not answer,
 * a shepherd is started as any program.
 *
 * A socket of packets is between the two.  There is one request at a time,
 * and one reply to each.
 */
#ifndef SUPERVISOR_NURSERY_H
#define SUPERVISOR_NURSERY_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/id.h"
#include "lib/conf/site_conf.h"
#include "lib/event/loop.h"

/* --- what goes between the processes --- */

#define NURSERY_FD 3 /* the nursery's end */
/* "PROGRAM --nursery --config FILE PLACE", as long as a shepherd's. */
#define NURSERY_ARGC 5
#define NURSERY_PLACE "00000000000000000000000000000000"
/* The names of the two processes (comm): while it forks a shepherd the nursery
 * has that one's command line. */
#define NURSERY_NAME "sluice-nursery"
#define NURSERY_SHEPHERD_NAME "sluice-shepherd"

struct nursery_request {
	char attempt_id[ID_RANDOM_SIZE - 1]; /* without its NUL */
};

enum { NURSERY_STALE = 0 };

struct nursery_reply {
	/* Of the shepherd, our child; NURSERY_STALE: ask a new nursery, this
	 * one ends, for its files changed; or a negative errno. */
	int32_t result;
};

/* --- the supervisor's side --- */

struct nursery;

/* Started at once; it is asked later.  loop and conf are borrowed. */
struct nursery *nursery_new(struct loop *, const struct site_conf *);
/* The nursery ends, its shepherds go on.  NULL is fine. */
void nursery_free(struct nursery *);

/*
 * Start the shepherd of an attempt: *pid is a child of this process.  NULL
 * for the nursery: there is none.  Takes no longer than NURSERY_PATIENCE_MS
 * and the start of a program.  No attempt gets two shepherds: a nursery that
 * does not answer is ended before it is looked what became of the request.
 * Errors: ERR_IO.
 */
#define NURSERY_PATIENCE_MS 1000
int nursery_start(struct nursery *, const struct site_conf *,
    const char *attempt_id, pid_t *pid);

/* Of the nursery itself, for tests; 0: there is none now. */
pid_t nursery_pid(const struct nursery *);

#endif
