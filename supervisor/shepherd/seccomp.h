/*
 * The system calls of an executor, as a filter for bubblewrap.
 */
#ifndef SUPERVISOR_SHEPHERD_SECCOMP_H
#define SUPERVISOR_SHEPHERD_SECCOMP_H

/*
 * Compile the filter, once in a process: forked ones have it.
 * Errors: ERR_INTERNAL, ERR_IO.
 */
int seccomp_filter_make(void);

/*
 * The filter in a memory file that stands at its start; bwrap reads it with
 * --seccomp.  *out is the caller's.  Errors: as above.
 */
int seccomp_filter_open(int *out);

#endif
