/*
 * Metrics, checkpoints and progress from the executor to the database, in order.  While
 * the database does not answer they wait here, as many as there is room for.
 */
#ifndef SUPERVISOR_SHEPHERD_RELAY_H
#define SUPERVISOR_SHEPHERD_RELAY_H

#include <stdbool.h>

#include "lib/wire/frame.h"

struct shepherd;
struct relay;

struct relay *relay_new(struct shepherd *);
void relay_free(struct relay *); /* NULL is fine */

/*
 * A checked frame of metric data, metric meta, checkpoint or progress; now the relay's.
 * A task with more metrics than may be kept fails.
 */
void relay_take(struct relay *, frame_msg *);
bool relay_is_idle(const struct relay *); /* nothing waits */
bool relay_is_full(const struct relay *);

#endif
