/*
 * A look at an executor's memory, for hosts where no control group limits it.
 * RLIMIT_DATA holds private memory in bounds; memory files and shared
 * mappings are not counted there.
 */
#ifndef SUPERVISOR_SHEPHERD_MEMWATCH_H
#define SUPERVISOR_SHEPHERD_MEMWATCH_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Bytes that the sandbox's first process and its children hold: their private
 * memory, and the larger of shared mappings and open memory files.  0 when
 * nothing can be seen (they may just have ended).
 */
int64_t memwatch_bytes(pid_t inner);

#endif
