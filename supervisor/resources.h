/*
 * What this site has to give: cores and memory, as configured or measured.
 */
#ifndef SUPERVISOR_RESOURCES_H
#define SUPERVISOR_RESOURCES_H

#include "supervisor/supervisor.h"

/* The cores that programs of this host may use.  ERR_IO. */
int resources_cores_here(int64_t *out);

/*
 * Is memory counted for each host by itself?  Where there may be several:
 * with [site] wake_address or [supervisor] host_memory_mb.
 */
bool resources_counts_host_memory(const struct supervisor *);

/* Register the capacity.  Errors: ERR_IO (the machine), ERR_DB. */
int resources_register(struct supervisor *);

#endif
