/*
 * The conversation with the executor: its frames are read, judged and given
 * to the part they are for; ours are queued and written.
 */
#ifndef SUPERVISOR_SHEPHERD_SESSION_H
#define SUPERVISOR_SHEPHERD_SESSION_H

#include <stddef.h>

#include "lib/wire/frame.h"

struct shepherd;
struct session;
struct inputs;

/*
 * Watch the executor's socket and its printed output (both borrowed) and send
 * the Start frame.  text_fd goes with it when it is not negative (a table that
 * is kept outside) and is closed, on failure too.
 * Errors: ERR_IO, ERR_LIMIT (inputs too large).
 */
int session_open(struct shepherd *, const struct inputs *, int text_fd,
    struct session **out);
void session_close(struct session *); /* NULL is fine */

/* Queue a frame; the descriptors become the session's, on failure too. */
int session_send(struct session *, const frame_msg *, const int *fds, size_t n);
/*
 * Read the last of what a dead executor left, and stop.  Frames that it sent
 * before its end count.
 */
void session_drain(struct session *);
/*
 * The parts that queue call this when they got room again: reading pauses
 * while one of them is full.
 */
void session_resume(struct session *);

#endif
