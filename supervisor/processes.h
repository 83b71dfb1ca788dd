/*
 * The shepherds that run on this host, by what /proc says.
 */
#ifndef SUPERVISOR_PROCESSES_H
#define SUPERVISOR_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/id.h"

struct process {
	pid_t pid;
	/* Called as a nursery is, which looks like this for a moment when it
	 * forks a shepherd; or the shepherd, in its first instant. */
	bool may_be_nursery;
	char attempt_id[ID_RANDOM_SIZE];
};

struct processes {
	struct process *items;
	size_t n;
};

/*
 * Processes whose command line is "PROGRAM --config CONFIG --attempt ID", in
 * this PID namespace itself and in none below it.
 * Ownership: *out is the caller's.  Errors: ERR_IO.
 */
int processes_list(
    const char *program, const char *config, struct processes **out);
void processes_free(struct processes *); /* NULL is fine */

/*
 * The shepherd of an attempt; 0 when there is none (or list is NULL), or when
 * it may be a nursery.
 */
pid_t processes_find(const struct processes *, const char *attempt_id);
/* The same for who knows that there is no nursery any more. */
pid_t processes_find_any(const struct processes *, const char *attempt_id);

#endif
