/*
 * One command of a plan to one member: sent, and its answer made into rows.
 * This site's own members are served by lib/party at once; partners by HTTPS.
 */
#ifndef SUPERVISOR_COMMAND_H
#define SUPERVISOR_COMMAND_H

#include "supervisor/job.h"

/*
 * Called when the answer of a partner has become rows.  news: it may call for
 * further commands; a start that was taken does not.
 */
typedef void command_done_fn(void *ctx, struct job *, bool news);

struct sent {
	bool news; /* rows have changed already and call for a new plan */
	bool done; /* the member has done it */
};

/*
 * Carry out a command.  For an own member all is done on return; for a
 * partner j->under_way counts it and done is called later from the loop, with
 * j as it is then (the caller keeps a job while something is under way).
 * out says what an own member's has come to by then.
 * Errors: ERR_DB and the like; the command is then simply not sent.  ERR_BUSY:
 * too much waits for the partner; j->delay_ms is when to come again.
 */
int command_send(struct supervisor *, struct job *, const struct snapshot *,
    const struct plan_action *, command_done_fn *done, void *ctx,
    struct sent *out);

#endif
