/*
 * The system calls of an executor, as a filter for bubblewrap.
 */
#ifndef SUPERVISOR_SHEPHERD_SECCOMP_H
#define SUPERVISOR_SHEPHERD_SECCOMP_H

/*
 * Compile the filter into a memory file that stands at its start; bwrap reads
 * it with --seccomp.  *out is the caller's.  Errors: ERR_INTERNAL, ERR_IO.
 */
int seccomp_filter_open(int *out);

#endif
