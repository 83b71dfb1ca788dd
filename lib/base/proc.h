/*
 * What holds for a whole process.
 */
#ifndef LIB_BASE_PROC_H
#define LIB_BASE_PROC_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * No core file of this process and of those it starts: with a key or people's
 * data in memory, a crash must not write it to disk, however it was started.
 * Nor is one handed to a program that collects them, which a limit does not
 * prevent, and no other process of the same account can look into this one.
 */
void proc_no_core(void);

/*
 * Where this process's ids mean something: a boot of a machine and a PID
 * namespace, as text.  Two processes that see the same place see each other
 * under the same number; in another place a number is somebody else's.
 */
#define PROC_PLACE_SIZE 64
void proc_place(char out[PROC_PLACE_SIZE]);
/*
 * Does the process live in this place itself, and not in a PID namespace
 * below it (a container of this machine)?  False when it is gone.
 */
bool proc_is_here(pid_t);

#endif
