/*
 * How often somebody failed lately, shared by all workers of the program:
 * who guesses is answered without being looked at for the rest of a minute.
 */
#ifndef FCGI_APP_THROTTLE_H
#define FCGI_APP_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_MAX 30	     /* failures in one window */
#define THROTTLE_WINDOW_S 60 /* then all are forgotten */

struct throttle;

/* Before the workers are forked.  Errors: ERR_NOMEM. */
int throttle_new(struct throttle **out);
void throttle_free(struct throttle *); /* NULL is fine */

/*
 * who is hashed; names that share a slot only make the older one forgotten.
 * Seconds left to wait, 0 when there is nothing to wait for.
 */
int64_t throttle_wait_s(const struct throttle *, const char *who);
/* Count a failure; true for the one that fills the window. */
bool throttle_failed(struct throttle *, const char *who);

#endif
