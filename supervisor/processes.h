/*
 * The shepherds that run on this host, by what /proc says.
 */
#ifndef SUPERVISOR_PROCESSES_H
#define SUPERVISOR_PROCESSES_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/id.h"

struct process {
	pid_t pid;
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

/* The shepherd of an attempt; 0 when there is none (or list is NULL). */
pid_t processes_find(const struct processes *, const char *attempt_id);

#endif
