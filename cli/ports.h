/*
 * Free loopback ports for a site that is being set up.
 */
#ifndef CLI_PORTS_H
#define CLI_PORTS_H

#include <stddef.h>

/*
 * n different ports of 127.0.0.1 that nobody listens at now, outside the
 * range that the kernel gives to outgoing connections, and not spoken for
 * by a site beside home (in the same parent folder).
 * Errors: ERR_BUSY when none were found.
 */
int ports_pick(const char *home, int *ports, size_t n);

#endif
