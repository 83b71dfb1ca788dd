/*
 * What shepherds and sluice-sandbox, which they start, agree about.
 */
#ifndef SUPERVISOR_SHEPHERD_INSIDE_H
#define SUPERVISOR_SHEPHERD_INSIDE_H

#define INSIDE_PROVIDER "/provider"
#define INSIDE_OUT "/out"

/* Descriptors: 0 nothing, 1 and 2 what is printed, 3 the shepherd. */
#define INSIDE_FD_SOCKET 3
#define INSIDE_FD_FILTER                                                       \
	4 /* a file of instructions, closed before the program */

/* What bubblewrap starts in the program's place, see supervisor/sandbox. */
#define INSIDE_GUARD "/guard"
#define INSIDE_GUARD_WORD "--guard"

/* Exit status of a sandbox that could not be made. */
#define INSIDE_EXIT 125

#endif
