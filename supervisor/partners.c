/*
 * Partner sites as the supervisor sees them: where they are, whether they
 * answer and hear this site.  Used by scheduler.c, report.c and others.
 */
#include "supervisor/partners_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_partner.h"
#include "lib/party/withdraw.h"
#include "supervisor/finding.h"

/* After the first failure, doubled by each more; with jitter, so that two
 * sites that lost each other do not try in step. */
#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 5000
/* A changed address is noticed after this long. */
#define ADDRESS_MS 5000
/* Refusals that are so far apart are two matters. */
#define APART_MS (15 * 60 * INT64_C(1000))
/* An older version there is asked again whether it is one. */
#define PLAIN_MS (10 * 60 * INT64_C(1000))
/* For how long what is owed to one that is disabled rests. */
#define SHUT_MS 1000

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
		partners_drop_posts(p);
		free(p->party);
		free(p->url);
		free(p->why);
		free(p->shut_why);
		free(p);
	}
	free(ps);
}

struct partner *
partners_get(struct partners *ps, const char *party)
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

void
partners_note_plain_starts(struct partners *ps, const char *party)
{
	log_info("party %s has a version that takes no tasks with the start of "
		 "a job",
	    party);
	partners_get(ps, party)->plain_until_ms = clock_mono_ms() + PLAIN_MS;
}

bool
partners_wants_plain_starts(struct partners *ps, const char *party)
{
	const struct partner *p = partners_get(ps, party);

	return p->failing_since_ms != 0 || clock_mono_ms() < p->plain_until_ms;
}

int
partners_find_address(struct partners *ps, struct partner *p)
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

int
partners_no_certificate(struct partners *ps, struct partner *p)
{
	struct arena *arena;
	int r;

	p->url_until_ms = 0;
	if ((r = partners_find_address(ps, p)) != 0)
		return r;
	arena = arena_new();
	r = err_set(ERR_DENIED, "%s",
	    withdraw_words(arena, p->party, WITHDRAW_TLS_CERT));
	arena_free(arena);
	return r;
}

void
partners_shut(struct partner *p)
{
	free(p->shut_why);
	p->shut_why = xstrdup(err_text());
	p->shut_until_ms = clock_mono_ms() + SHUT_MS;
}

bool
partners_is_shut(struct partners *ps, const char *party, const char **why)
{
	struct partner *p = partners_get(ps, party);
	int r;

	if (clock_mono_ms() >= p->shut_until_ms) {
		if ((r = partners_find_address(ps, p)) == ERR_DENIED)
			partners_shut(p);
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
	struct partner *p = partners_get(ps, party);
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
	       r->error == ERR_FORMAT || partners_is_stale(r);
}

bool
partners_is_stale(const struct partner_reply *r)
{
	return r->status == 401 && r->retry_after_s > 0;
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

void
partners_answered(struct partners *ps, struct partner *p, bool refuses)
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

void
partners_failed(struct partners *ps, struct partner *p, const char *why)
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
