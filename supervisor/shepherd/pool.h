/*
 * The nursery's connections to the database, each lent to one shepherd at a
 * time.  Logging in and preparing what every task asks costs the server more
 * than the questions, so a shepherd gets a connection on which that is done,
 * and sends its socket back when its task has ended well.
 *
 * While it is lent the socket is open in the shepherd alone: killed in a
 * transaction, its connection ends and the transaction with it, as ever.
 * What comes back is taken only when it is the very same socket, with nothing
 * in it to be read, and is lent again only after that process has ended, or
 * has said that it holds it no more.  A shepherd that gets none makes one of
 * its own, and whose loan was forgotten closes it.
 *
 * What costs is the beginning of a task; then little is asked, and seldom.  So
 * when the last connection was lent, who has had one for a while is asked to
 * do without: it sends the socket, closes its own, says so, and connects by
 * itself when it has something to ask.
 *
 * This is for speed and keeps nobody apart: each shepherd has the account's
 * password and may do the same by a connection of its own.  One that was taken
 * over could leave the socket open in another process, or settings behind.
 */
#ifndef SUPERVISOR_SHEPHERD_POOL_H
#define SUPERVISOR_SHEPHERD_POOL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"

struct pool;

/* Connections that are kept; more shepherds at once make their own. */
#define POOL_SIZE 8
/* Descriptors to be watched for them. */
#define POOL_WATCHED (2 * POOL_SIZE)

/* A connection in the hands of a forked process. */
struct loan {
	struct db *db; /* NULL: none was there */
	int back;      /* where its socket is sent back to; -1 */
};
#define LOAN_INIT                                                              \
	{                                                                      \
		NULL, -1                                                       \
	}

/*
 * Empty; conf is borrowed.  When another connection is wanted, a loan that has
 * lasted longer than ask_ms is asked back, and one longer than patience_ms is
 * not waited for: long tasks do not keep short ones from theirs.
 */
#define POOL_ASK_MS 100
#define POOL_PATIENCE_MS 5000
struct pool *pool_new(
    const struct site_conf *, int64_t ask_ms, int64_t patience_ms);
void pool_free(struct pool *); /* NULL is fine */

/* Is there none to lend, and room for one? */
bool pool_wants_one(const struct pool *);
/* Open one, when the server can be reached; it says so in debug. */
void pool_add_one(struct pool *);

/* Take one for the process that is forked next. */
void pool_lend(struct pool *, struct loan *out);
/*
 * In the nursery, after the fork: pidfd, which becomes the pool's, is of the
 * process that has it; -1 when nothing was forked.
 */
void pool_lent(struct pool *, const struct loan *, int pidfd);

/*
 * To be watched, at most POOL_WATCHED: processes, whose end pool_look() sees,
 * and what comes back before.
 */
size_t pool_watch(const struct pool *, struct pollfd *out);
void pool_look(struct pool *);

/*
 * In the process that has it, when l->back can be read: it is asked to do
 * without.  True when the connection has gone back; l->db is the caller's then
 * (and l has none), and connects at its next use.  Else all is as it was.
 */
bool loan_give(struct loan *);

/*
 * In the process that has it, when its work is done: the connection goes
 * back, or, when it is not as it came, is closed.  Without a loan: nothing.
 */
void loan_return(struct loan *);

#endif
