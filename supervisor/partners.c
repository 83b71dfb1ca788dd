/*
 * Partner sites as the supervisor sees them: where they are, whether they
 * answer.  Used by scheduler.c and report.c.
 */
#include "supervisor/partners.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_job.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_partner.h"
#include "lib/party/errand.h"
#include "lib/party/withdraw.h"
#include "supervisor/finding.h"
#include "supervisor/outbox.h"

/* After the first failure, doubled by each more; with jitter, so that two
 * sites that lost each other do not try in step. */
#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 5000
/* A changed address is noticed after this long. */
#define ADDRESS_MS 5000
/* Who answered so lately need not be asked whether it answers. */
#define PROBE_MS 60000
/* Refusals that are so far apart are two matters. */
#define APART_MS (15 * 60 * INT64_C(1000))
/* For how long what is owed to one that is disabled rests. */
#define SHUT_MS 1000
struct partner {
	char *party;
	char *url; /* NULL: not known or not enabled */
	int64_t url_until_ms;
	int64_t shut_until_ms; /* is_shut() need not look again before */
	char *shut_why;
	int64_t failing_since_ms; /* 0: it answers */
	int64_t answered_ms;	  /* when it did last; 0: never yet */
	bool is_probed;		  /* a question whether it answers */
	bool refuses;		  /* it did when it answered last */
	int64_t pause_ms;
	int64_t next_try_ms;
	bool trying; /* one command tests whether it is back */
	char *why;
	struct outbox outbox;
	struct partner *next;
};

struct partners {
	struct supervisor *super;
	struct http_client *http;
	struct partner *list;
};

/*
 * A command under way, or one that waits its turn: where no limit of time runs
 * and nothing is signed.
 */
struct post {
	struct outbox_item item; /* first, the list is of these */
	char *path, *body;	 /* only while it waits */
	int64_t fence;		 /* of the job's lease; 0: of none */
	struct partner *partner;
	struct partners *owner;
	int64_t sent_ms;
	char request_id[LOG_REQUEST_SIZE]; /* for which it is done, or "" */
	bool is_try;
	partner_done_fn *fn;
	void *ctx;
};

static void
post_free(struct post *post)
{
	free(post->path);
	free(post->body);
	free(post);
}

static void
drop_queue(struct partner *p)
{
	struct outbox_item *item, *next;

	for (item = outbox_take_all(&p->outbox); item != NULL; item = next) {
		next = item->next;
		post_free((struct post *)item);
	}
}

struct partners *
partners_open(struct supervisor *s, struct http_client *http)
{
	struct partners *ps = xcalloc(1, sizeof(*ps));

	ps->super = s;
	ps->http = http;
	return ps;
}

void
partners_close(struct partners *ps)
{
	struct partner *p;

	if (ps == NULL)
		return;
	while ((p = ps->list) != NULL) {
		ps->list = p->next;
		drop_queue(p);
		free(p->party);
		free(p->url);
		free(p->why);
		free(p->shut_why);
		free(p);
	}
	free(ps);
}

static struct partner *
find(struct partners *ps, const char *party)
{
	struct partner *p;

	for (p = ps->list; p != NULL; p = p->next)
		if (strcmp(p->party, party) == 0)
			return p;
	p = xcalloc(1, sizeof(*p));
	p->party = xstrdup(party);
	outbox_init(&p->outbox);
	p->next = ps->list;
	ps->list = p;
	return p;
}

static int
find_address(struct partners *ps, struct partner *p)
{
	struct arena *arena;
	struct db_partner *row;
	int64_t now = clock_mono_ms();
	int r;

	if (p->url != NULL && now < p->url_until_ms)
		return 0;
	arena = arena_new();
	r = db_partner_get(ps->super->db, arena, p->party, &row);
	if (r == 0 || r == ERR_NOT_FOUND) {
		free(p->url);
		p->url = r == 0 && row->enabled ? xstrdup(row->url) : NULL;
		p->url_until_ms = now + ADDRESS_MS;
		if (r == ERR_NOT_FOUND)
			(void)err_set(r,
			    "party %s is no partner of this site; its "
			    "operator makes it one by: sluice partner import",
			    p->party);
		else if (p->url == NULL)
			r = err_set(ERR_DENIED, "%s",
			    withdraw_words(arena, p->party, WITHDRAW_DISABLED));
	}
	arena_free(arena);
	return r;
}

/*
 * Its address was known a moment ago, and no certificate that it may show:
 * the row says why.
 */
static int
no_certificate(struct partners *ps, struct partner *p)
{
	struct arena *arena;
	int r;

	p->url_until_ms = 0;
	if ((r = find_address(ps, p)) != 0)
		return r;
	arena = arena_new();
	r = err_set(ERR_DENIED, "%s",
	    withdraw_words(arena, p->party, WITHDRAW_TLS_CERT));
	arena_free(arena);
	return r;
}

static void
shut(struct partner *p)
{
	free(p->shut_why);
	p->shut_why = xstrdup(err_text());
	p->shut_until_ms = clock_mono_ms() + SHUT_MS;
}

bool
partners_is_shut(struct partners *ps, const char *party, const char **why)
{
	struct partner *p = find(ps, party);
	int r;

	if (clock_mono_ms() >= p->shut_until_ms) {
		if ((r = find_address(ps, p)) == ERR_DENIED)
			shut(p);
		err_clear();
		if (r != ERR_DENIED)
			return false;
	}
	*why = p->shut_why;
	return true;
}

bool
partners_away(
    struct partners *ps, const char *party, int64_t *away_ms, const char **why)
{
	struct partner *p = find(ps, party);
	int64_t now = clock_mono_ms();

	if (p->failing_since_ms == 0 || (!p->trying && now >= p->next_try_ms))
		return false;
	*away_ms = now - p->failing_since_ms;
	*why = p->why;
	return true;
}

bool
partners_is_silence(const struct partner_reply *r)
{
	if (r->error == 0)
		return false;
	/* nginx answers for programs that are down: 502, 504; 429 is its
	 * limit.  A refusal by the program has an envelope of its own. */
	return r->status == 0 || r->status == 429 || r->status == 502 ||
	       r->status == 504 || r->retcode == 429 || r->retcode == 502 ||
	       r->retcode == 503 || r->retcode == 504 ||
	       r->error == ERR_FORMAT ||
	       /* Refused for now, as when one of the clocks was set. */
	       (r->status == 401 && r->retry_after_s > 0);
}

bool
partners_is_refusal(const struct partner_reply *r)
{
	/* By the program; 400 is nginx, of the certificate. */
	return r->error != 0 && !partners_is_silence(r) &&
	       (r->retcode == err_retcode(ERR_AUTH) ||
		   (r->status == 400 && r->retcode == 400));
}

/* For people and for the metrics; when it cannot be kept, the next may. */
static void
keep_state(
    struct partners *ps, const struct partner *p, bool answers, const char *why)
{
	if (db_partner_state_put(ps->super->db, p->party, answers, why) != 0)
		log_err("state of partner %s", p->party);
}

/* After an answer of a partner that nobody here has heard before, too. */
static void
keep_refusal(struct partners *ps, struct partner *p, bool refuses)
{
	struct db *db = ps->super->db;
	bool is_first = p->answered_ms == 0;
	bool apart = refuses && clock_mono_ms() - p->answered_ms > APART_MS;
	int r;

	if (refuses == p->refuses && !is_first && !apart)
		return;
	r = refuses ? db_partner_refuses(db, p->party, !is_first)
		    : db_partner_hears(db, p->party);
	if (r != 0)
		log_err("refusals of partner %s", p->party);
	else
		p->refuses = refuses;
}

static void
answered(struct partners *ps, struct partner *p, bool refuses)
{
	int64_t now = clock_mono_ms();

	if (p->failing_since_ms != 0)
		log_info("partner %s answers again after %lld ms", p->party,
		    (long long)(now - p->failing_since_ms));
	if (p->failing_since_ms != 0 || p->is_probed || p->answered_ms == 0)
		keep_state(ps, p, true, NULL);
	keep_refusal(ps, p, refuses);
	p->failing_since_ms = 0;
	p->answered_ms = now;
}

static void
fail(struct partners *ps, struct partner *p, const char *why)
{
	int64_t now = clock_mono_ms();
	char *old = p->why;

	/* What is written here may have errors of its own. */
	why = p->why = xstrdup(why);
	free(old);
	metrics_add(ps->super->metrics, METRIC_partner_failures_total, 1,
	    "partner", p->party, NULL);
	if (p->failing_since_ms == 0 || p->is_probed)
		keep_state(ps, p, false, why);
	if (p->failing_since_ms == 0) {
		p->failing_since_ms = now;
		p->pause_ms = PAUSE_MIN_MS;
		log_warn("partner %s does not answer: %s", p->party, why);
		(void)finding(ps->super, "partners", "",
		    "party %s does not answer (sluice partner list)", p->party);
	} else if (now >= p->next_try_ms && p->pause_ms < PAUSE_MAX_MS)
		p->pause_ms *= 2;
	if (p->pause_ms > PAUSE_MAX_MS)
		p->pause_ms = PAUSE_MAX_MS;
	p->next_try_ms =
	    now + p->pause_ms + randombytes_uniform((uint32_t)p->pause_ms / 4);
}

static int send_post(struct post *, const char *path, const char *body);

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
	outbox_done(&post->partner->outbox, post->item.lane);
	answer(post, &reply);
	post_free(post);
}

/* The next ones of the queue; one that cannot be sent is answered as silence. */
static void
send_next(struct partner *p)
{
	struct post *post;
	char *why;
	int r;

	while ((post = (struct post *)outbox_pop(
		    &p->outbox, clock_mono_ms())) != NULL) {
		if ((r = check_ours(post)) == 0 &&
		    send_post(post, post->path, post->body) == 0)
			continue;
		why = xstrdup(err_text());
		if (r == ERR_CONFLICT)
			log_info("job=%s: %s; %s is not sent", post->item.key,
			    why, post->path);
		err_clear();
		give_back(post, r == ERR_CONFLICT ? r : ERR_NET, why);
		free(why);
	}
}

/* The partner was silent, which is the answer to all that wait. */
static void
fail_queue(struct partner *p, const struct partner_reply *reply)
{
	struct outbox_item *item, *next;
	struct post *post;

	for (item = outbox_take_all(&p->outbox); item != NULL; item = next) {
		next = item->next;
		post = (struct post *)item;
		if (post->is_try)
			p->trying = false;
		answer(post, reply);
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
	outbox_done(&p->outbox, post->item.lane);
	if (post->is_try)
		p->trying = false;
	if (partners_is_silence(reply)) {
		fail(ps, p, reply->retmsg);
		fail_queue(p, reply);
	} else
		answered(ps, p, partners_is_refusal(reply));
	answer(post, reply);
	post_free(post);
	send_next(p);
}

/* On errors the post is the caller's still. */
static int
send_post(struct post *post, const char *path, const char *body)
{
	struct partners *ps = post->owner;
	struct partner *p = post->partner;
	char *was;
	int r;

	post->sent_ms = clock_mono_ms();
	if ((r = find_address(ps, p)) == 0) {
		was = xstrdup(log_request_id());
		log_request(post->request_id);
		r = partner_post(ps->http, p->url, p->party, path, body,
		    ps->super->conf->partner_timeout_ms, done, post, NULL);
		log_request(was);
		free(was);
	}
	if (r == ERR_NOT_FOUND && p->url != NULL)
		r = no_certificate(ps, p);
	if (r == ERR_DENIED)
		shut(p);
	else if (r != 0)
		fail(ps, p, err_text());
	if (r != 0) {
		if (post->is_try)
			p->trying = false;
		return r;
	}
	return 0;
}

/* Sent at once when there is a place, or put into the queue. */
static int
send_or_wait(struct post *post, const char *path, const char *body)
{
	struct outbox *box = &post->partner->outbox;
	int r;

	if (outbox_is_clear(box, &post->item)) {
		if ((r = send_post(post, path, body)) == 0)
			outbox_begin(box, post->item.lane);
		return r;
	}
	if (!outbox_push(box, &post->item))
		return err_set(ERR_BUSY, "%zu commands wait for partner %s",
		    box->lanes[post->item.lane].n, post->partner->party);
	post->path = xstrdup(path);
	post->body = body != NULL ? xstrdup(body) : NULL;
	return 0;
}

int
partners_post_job(struct partners *ps, struct partners_job *of,
    const char *party, const char *path, const char *body, partner_done_fn *fn,
    void *ctx)
{
	struct partner *p = find(ps, party);
	struct post *post;
	int r;

	if ((r = find_address(ps, p)) != 0)
		return r;
	post = xcalloc(1, sizeof(*post));
	post->item.lane = of->is_new ? OUTBOX_NEW : OUTBOX_WORK;
	post->item.key = of->job_id;
	post->item.bytes = body != NULL ? strlen(body) : 0;
	post->fence = of->fence;
	(void)snprintf(
	    post->request_id, sizeof(post->request_id), "%s", log_request_id());
	post->owner = ps;
	post->partner = p;
	post->is_try = p->failing_since_ms != 0;
	post->fn = fn;
	post->ctx = ctx;
	if ((r = send_or_wait(post, path, body)) != 0) {
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
partners_probe(struct partners *ps, const char *party)
{
	struct partner *p = find(ps, party);
	int64_t now = clock_mono_ms();
	char *path;

	if (ps->http == NULL || p->is_probed || p->trying ||
	    now < p->next_try_ms ||
	    (p->failing_since_ms == 0 && p->answered_ms != 0 &&
		now - p->answered_ms < PROBE_MS))
		return;
	path = xasprintf("%s/ping/guest/%s", ERRAND_PATH, party);
	p->is_probed = true;
	if (partners_post(ps, party, path, "{}", probed, p) != 0) {
		log_err("ask partner %s whether it answers", party);
		p->is_probed = false;
	}
	free(path);
}
