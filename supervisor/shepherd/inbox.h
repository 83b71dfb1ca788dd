/*
 * Objects from other members to the executor: it asks by Get, they lie in
 * the task's mailbox or come later.
 */
#ifndef SUPERVISOR_SHEPHERD_INBOX_H
#define SUPERVISOR_SHEPHERD_INBOX_H

#include "proto/executor.pb-c.h"

struct shepherd;
struct inbox;

/*
 * Make the mailbox and listen on its wake socket.  Whatever an earlier
 * attempt of the same task left there is removed.
 * Errors: ERR_IO, ERR_INVALID.
 */
int inbox_open(struct shepherd *, struct inbox **out);
/* Stops listening; the mailbox goes as well. */
void inbox_close(struct inbox *); /* NULL is fine */

/*
 * A checked Get: answered at once, or when the object arrives.
 * Errors: ERR_INVALID when the sender is no other member or the object was
 * handed out before, ERR_LIMIT when too many are asked for at once, ERR_IO.
 */
int inbox_get(struct inbox *, const Sluice__Executor__Get *);
#define INBOX_TEXT_SIZE 256
/*
 * For how long the executor has waited for an object; *what describes the
 * oldest one (in text), NULL when it waits for none.  Milliseconds.
 */
int64_t inbox_waits(
    const struct inbox *, char text[INBOX_TEXT_SIZE], const char **what);
/* What was handed out so far of objects from other sites, one by one. */
struct inbox_received {
	char *party_id;
	int64_t objects; /* parts of large ones, each */
	int64_t bytes;
	struct inbox_received *next;
};
const struct inbox_received *inbox_received(const struct inbox *);
/* Look for all that is waited for; wake datagrams may get lost. */
void inbox_look(struct inbox *);

#endif
