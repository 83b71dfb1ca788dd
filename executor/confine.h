/*
 * The executor's own system call filter, tighter than its sandbox's.
 */
#ifndef EXECUTOR_CONFINE_H
#define EXECUTOR_CONFINE_H

/*
 * From here on all threads may compute, use their files and their open
 * socket, and make threads; no programs, no sockets, no tracing, no
 * privileges.  Whatever is forbidden ends the process.  Does nothing in
 * builds with sanitizers, whose runtime needs more.
 * Errors: ERR_UNSUPPORTED when the kernel refuses the filter.
 */
int confine(void);

#endif
