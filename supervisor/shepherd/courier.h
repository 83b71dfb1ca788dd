/*
 * Objects from the executor to other members.
 *
 * Those for partners are entered in the egress ledger, then put into their
 * site's mailbox by signed requests until that site has them; those for
 * members of this site go straight into their mailboxes.  Deliveries are
 * idempotent, so whatever is in doubt is sent again.
 */
#ifndef SUPERVISOR_SHEPHERD_COURIER_H
#define SUPERVISOR_SHEPHERD_COURIER_H

#include <stdbool.h>

#include "proto/executor.pb-c.h"

struct shepherd;
struct courier;

/* courier_free() is due on errors as well.  Errors: ERR_DB. */
int courier_open(struct shepherd *, struct courier **out);
/* What is under way is dropped. */
void courier_free(struct courier *); /* NULL is fine */

/*
 * Take a checked Remote; *fd (NULL: the content is in the message) becomes
 * the courier's and is set to -1.  RemoteAck follows when there is room.
 * Errors: ERR_DENIED when the manifest does not let this role send the name
 * to a receiver or the task's budget does not suffice (nothing of the object
 * leaves), ERR_INVALID for a receiver that is no other member, ERR_IO,
 * ERR_FORMAT when the descriptor is not what was said.
 */
int courier_take(struct courier *, const Sluice__Executor__Remote *, int *fd);
bool courier_is_idle(const struct courier *);
/*
 * Since when (monotonic ms) a receiver has had no room for an object, the
 * first of all; 0: all have.  Texts are borrowed until the next turn.
 */
struct courier_full {
	const char *role;
	const char *party_id;
	const char *name; /* of the object */
	const char *why;  /* in the receiver's words */
};
int64_t courier_full_since(const struct courier *, struct courier_full *out);
/* More is held than should be: stop reading from the executor. */
bool courier_is_full(const struct courier *);

#endif
