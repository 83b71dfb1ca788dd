/*
 * Commands to partner sites.  A partner that does not answer is left alone
 * for a while, growing with each failure, so that its own jobs wait and no
 * others; then one command tries whether it is back.
 */
#ifndef SUPERVISOR_PARTNERS_H
#define SUPERVISOR_PARTNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/http/partner.h"
#include "supervisor/supervisor.h"

struct partners;

struct partners *partners_open(struct supervisor *, struct http_client *);
void partners_close(struct partners *); /* NULL is fine */

/*
 * Is it useless to send to this party now?  Then *away_ms is for how long it
 * has not answered and *why what the last attempt said (borrowed).
 */
bool partners_away(
    struct partners *, const char *party, int64_t *away_ms, const char **why);

/*
 * Has this site disabled the partner, or withdrawn all its certificates?
 * Then nothing can be sent until its operator changes that; *why is the words
 * (borrowed).  As of a second ago.
 */
bool partners_is_shut(struct partners *, const char *party, const char **why);

/*
 * POST body to path at a partner; fn is called once from the loop, unless an
 * error is returned.  What cannot be sent at once waits (supervisor/outbox.h).
 * Errors: ERR_NOT_FOUND (no partner of that id), ERR_DENIED (see
 * partners_is_shut(), but as of now), ERR_BUSY (too much
 * waits for it), ERR_DB, those of partner_post().
 */
int partners_post(struct partners *, const char *party, const char *path,
    const char *body, partner_done_fn *fn, void *ctx);

/*
 * The same for a command of a job that is scheduled under a lease: when it had
 * to wait and another has claimed the job by then, it is not sent, and answered
 * by error ERR_CONFLICT.
 */
struct partners_job {
	const char *job_id; /* borrowed until the answer */
	int64_t fence;
	bool is_new; /* the partner does not have the job */
	bool asks;   /* for resources, from this place in the queue: */
	int64_t queue_us, priority;
	int64_t rest_ms; /* after ERR_BUSY: when to come again */
};
int partners_post_job(struct partners *, struct partners_job *,
    const char *party, const char *path, const char *body, partner_done_fn *fn,
    void *ctx);

/*
 * Ask a partner that did not answer anything for quiet_ms whether it does.
 * Its state (does it, since when, why not) is kept in the database whenever
 * it changes.
 */
void partners_probe(struct partners *, const char *party, int64_t quiet_ms);

/*
 * A version of before refuses a start of a job that names tasks which begin
 * with it: for some minutes from then on it is sent none, then tried again.
 * Nor is one that does not answer: whether it has begun would not be known, and
 * what is held here for it would stay so.
 */
void partners_note_plain_starts(struct partners *, const char *party);
bool partners_wants_plain_starts(struct partners *, const char *party);

/* The answer did not come from the partner's programs: nobody was asked. */
bool partners_is_silence(const struct partner_reply *);
/*
 * Its site takes nothing from this one: it knows no key of it that counts.
 * Since when stands in its state (db_partner_refused_ms()).
 */
bool partners_is_refusal(const struct partner_reply *);

#endif
