/*
 * Commands on their way to partners, and those that wait for a place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_job.h"
#include "lib/party/errand.h"
#include "supervisor/partners_private.h"

/*
 * When a partner has said of a request that it need only be signed anew:
 * signatures have whole seconds, and the next one is another.
 */
#define ANEW_MS 1000

/*
 * A command under way, or one that waits its turn: where no limit of time runs
 * and nothing is signed.
 */
struct post {
	struct outbox_item item; /* first, the list is of these */
	char *path, *body;
	int64_t fence; /* of the job's lease; 0: of none */
	struct partner *partner;
	struct partners *owner;
	int64_t sent_ms;
	char request_id[LOG_REQUEST_SIZE]; /* for which it is done, or "" */
	bool is_try;
	struct loop_timer *anew; /* it is sent once more; NULL: not yet */
	struct post *next_anew;	 /* of those that rest until then */
	partner_done_fn *fn;
	void *ctx;
};

static void
post_free(struct post *post)
{
	loop_timer_free(post->anew);
	free(post->path);
	free(post->body);
	free(post);
}

void
partners_drop_posts(struct partner *p)
{
	struct outbox_item *item, *next;
	struct post *post;

	for (item = outbox_take_all(&p->outbox); item != NULL; item = next) {
		next = item->next;
		post_free((struct post *)item);
	}
	while ((post = p->anew) != NULL) {
		p->anew = post->next_anew;
		post_free(post);
	}
}

static int send_post(struct post *);

/*
 * This process may have stood still while the command waited: what it decided
 * about the job then is not for it to say any more.
 */
static int
check_ours(const struct post *post)
{
	int r;

	if (post->fence == 0)
		return 0;
	r = db_job_hold(post->owner->super->db, post->item.key, post->fence);
	return r == ERR_NOT_FOUND ? ERR_CONFLICT : r;
}

/* Whoever takes the answer speaks of the same request. */
static void
answer(const struct post *post, const struct partner_reply *reply)
{
	log_request(post->request_id);
	post->fn(post->ctx, reply);
	log_request("");
}

/* It is answered without having been sent. */
static void
give_back(struct post *post, int error, const char *why)
{
	struct partner_reply reply = { .error = error, .retmsg = why };

	if (post->is_try)
		post->partner->trying = false;
	outbox_done(&post->partner->outbox, &post->item);
	answer(post, &reply);
	post_free(post);
}

/* One that has waited; when it cannot be sent it is answered as silence. */
static void
send_late(struct post *post)
{
	char *why;
	int r;

	if ((r = check_ours(post)) == 0 && send_post(post) == 0)
		return;
	why = xstrdup(err_text());
	if (r == ERR_CONFLICT)
		log_info("job=%s: %s; %s is not sent", post->item.key, why,
		    post->path);
	err_clear();
	give_back(post, r == ERR_CONFLICT ? r : ERR_NET, why);
	free(why);
}

static void
send_next(struct partner *p)
{
	struct post *post;

	while ((post = (struct post *)outbox_pop(
		    &p->outbox, clock_mono_ms())) != NULL)
		send_late(post);
}

static void
on_anew(void *ctx)
{
	struct post *post = ctx, **at;
	struct partner *p = post->partner;

	for (at = &p->anew; *at != post; at = &(*at)->next_anew)
		;
	*at = post->next_anew;
	send_late(post);
	send_next(p);
}

/*
 * A database that has just been started cannot tell what was signed before
 * from what it has seen; its site is there and asks for it again.  Once: a
 * clock that is wrong does not get right by that.
 */
static bool
signs_anew(struct post *post, const struct partner_reply *reply)
{
	struct partner *p = post->partner;

	if (!partners_is_stale(reply) || post->anew != NULL)
		return false;
	log_info("party %s: %s", p->party, reply->retmsg);
	post->next_anew = p->anew;
	p->anew = post;
	post->anew = loop_timer_new(post->owner->super->loop, on_anew, post);
	loop_timer_set(post->anew, ANEW_MS, 0);
	return true;
}

/* The partner was silent, which is the answer to all that wait. */
static void
fail_queue(struct partner *p, const struct partner_reply *silence)
{
	struct partner_reply reply = *silence;
	struct outbox_item *item, *next;
	struct post *post;

	reply.sent = false;
	for (item = outbox_take_all(&p->outbox); item != NULL; item = next) {
		next = item->next;
		post = (struct post *)item;
		if (post->is_try)
			p->trying = false;
		answer(post, &reply);
		post_free(post);
	}
}

static void
done(void *ctx, const struct partner_reply *reply)
{
	struct post *post = ctx;
	struct partners *ps = post->owner;
	struct partner *p = post->partner;

	metrics_observe(ps->super->metrics, METRIC_partner_command_seconds,
	    (double)(clock_mono_ms() - post->sent_ms) / 1000, "partner",
	    p->party, NULL);
	if (signs_anew(post, reply))
		return; /* in its place still */
	outbox_done(&p->outbox, &post->item);
	if (post->is_try)
		p->trying = false;
	if (partners_is_silence(reply)) {
		partners_failed(ps, p, reply->retmsg);
		fail_queue(p, reply);
	} else
		partners_answered(ps, p, partners_is_refusal(reply));
	answer(post, reply);
	post_free(post);
	send_next(p);
}

/* On errors the post is the caller's still. */
static int
send_post(struct post *post)
{
	struct partners *ps = post->owner;
	struct partner *p = post->partner;
	char *was;
	int r;

	post->sent_ms = clock_mono_ms();
	if ((r = partners_find_address(ps, p)) == 0) {
		was = xstrdup(log_request_id());
		log_request(post->request_id);
		r = partner_post(ps->http, p->url, p->party, post->path,
		    post->body, ps->super->conf->partner_timeout_ms, done, post,
		    NULL);
		log_request(was);
		free(was);
	}
	if (r == ERR_NOT_FOUND && p->url != NULL)
		r = partners_no_certificate(ps, p);
	if (r == ERR_DENIED)
		partners_shut(p);
	else if (r != 0)
		partners_failed(ps, p, err_text());
	if (r != 0) {
		if (post->is_try)
			p->trying = false;
		return r;
	}
	return 0;
}

/* Sent at once when there is a place, or put into the queue. */
static int
send_or_wait(struct post *post)
{
	struct outbox *box = &post->partner->outbox;
	int r;

	if (outbox_is_clear(box, &post->item)) {
		if ((r = send_post(post)) == 0)
			outbox_begin(box, &post->item);
		return r;
	}
	if (!outbox_push(box, &post->item))
		return err_set(ERR_BUSY, "%zu commands wait for partner %s",
		    box->lanes[post->item.lane].n, post->partner->party);
	return 0;
}

int
partners_post_job(struct partners *ps, struct partners_job *of,
    const char *party, const char *path, const char *body, partner_done_fn *fn,
    void *ctx)
{
	struct partner *p = partners_get(ps, party);
	struct post *post;
	int r;

	if ((r = partners_find_address(ps, p)) != 0)
		return r;
	post = xcalloc(1, sizeof(*post));
	post->item.lane = of->is_new ? OUTBOX_NEW
			  : of->asks ? OUTBOX_ASKS
				     : OUTBOX_WORK;
	post->item.queue_us = of->queue_us;
	post->item.priority = of->priority;
	post->item.key = of->job_id;
	post->item.bytes = body != NULL ? strlen(body) : 0;
	post->fence = of->fence;
	(void)snprintf(
	    post->request_id, sizeof(post->request_id), "%s", log_request_id());
	post->owner = ps;
	post->partner = p;
	post->is_try = p->failing_since_ms != 0;
	post->path = xstrdup(path);
	post->body = body != NULL ? xstrdup(body) : NULL;
	post->fn = fn;
	post->ctx = ctx;
	if ((r = send_or_wait(post)) != 0) {
		of->rest_ms = outbox_rest_ms(&p->outbox, post->item.lane);
		post_free(post);
		return r;
	}
	if (post->is_try)
		p->trying = true;
	return 0;
}

int
partners_post(struct partners *ps, const char *party, const char *path,
    const char *body, partner_done_fn *fn, void *ctx)
{
	struct partners_job none = { .job_id = "" };

	return partners_post_job(ps, &none, party, path, body, fn, ctx);
}

/* --- does it answer? ---------------------------------------------------------- */

static void
probed(void *ctx, const struct partner_reply *reply)
{
	struct partner *p = ctx;

	(void)reply;
	p->is_probed = false;
}

void
partners_probe(struct partners *ps, const char *party, int64_t quiet_ms)
{
	struct partner *p = partners_get(ps, party);
	int64_t now = clock_mono_ms();
	char *path;

	if (ps->http == NULL || p->is_probed || p->trying ||
	    now < p->next_try_ms ||
	    (p->failing_since_ms == 0 && p->answered_ms != 0 &&
		now - p->answered_ms < quiet_ms))
		return;
	path = xasprintf("%s/ping/guest/%s", ERRAND_PATH, party);
	p->is_probed = true;
	if (partners_post(ps, party, path, "{}", probed, p) != 0) {
		log_err("ask partner %s whether it answers", party);
		p->is_probed = false;
	}
	free(path);
}
