/*
 * The network between sites: every message may be late, lost, there twice, or
 * overtaken by another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "tests/sim/world.h"

#define REFUSED_MS 2
#define DELAY_MAX (9 * SECOND)

/* A request and its way back. */
struct message {
	struct message *prev, *next;
	uint64_t number;
	struct instance *from;
	struct site *source, *target;
	char *path, *body;
	partner_done_fn *done;
	void *ctx;
	bool is_answered; /* whoever asked has been told something */
	struct http_reply reply;
};

/* One arrival of a request at its target. */
struct arrival {
	struct actor actor;
	struct message *message;
};

static struct message *all;
static uint64_t numbers;
static int64_t cut_until[SITES_MAX][SITES_MAX];

void
net_reset(void)
{
	numbers = 0;
	memset(cut_until, 0, sizeof(cut_until));
}

void
net_cut(int from, int to, int64_t until_us)
{
	cut_until[from][to] = until_us;
}

static bool
is_cut(const struct site *from, const struct site *to)
{
	return cut_until[from->number][to->number] > sim_now();
}

#define UNRULY INT64_C(400000) /* of a million */

static bool
is_unruly(const struct message *m)
{
	return world_is_rough() && world.faults.unruly != NULL &&
	       strstr(m->path, world.faults.unruly) != NULL &&
	       sim_chance(UNRULY);
}

static int64_t
latency(const struct message *m)
{
	if (is_unruly(m) ||
	    (world_is_rough() && sim_chance(world.faults.delay)))
		return sim_between(100 * MS, DELAY_MAX);
	return sim_between(200, 5 * MS);
}

static bool
is_lost(const struct site *from, const struct site *to)
{
	return is_cut(from, to) ||
	       (world_is_rough() && sim_chance(world.faults.lose));
}

/* --- the way back ---------------------------------------------------------------- */

static void
deliver_reply(void *ctx)
{
	struct message *m = ctx;
	struct partner_reply reply;
	json_object *root;

	(void)partner_parse(&m->reply, &reply, &root);
	trace("hears #%llu %s: %d %lld %s", (unsigned long long)m->number,
	    m->path, reply.status, (long long)reply.retcode, reply.retmsg);
	m->done(m->ctx, &reply);
	json_object_put(root);
}

/* The first to come counts: an answer, or the end of patience. */
static void
answer(struct message *m, int error, const char *text, int status,
    const struct buf *body)
{
	if (m->is_answered)
		return;
	m->is_answered = true;
	if (m->from->actor.dead)
		return;
	m->reply.error = error;
	if (error != 0)
		m->reply.error_text = xstrdup(text);
	m->reply.sent = error != ERR_NET;
	m->reply.status = status;
	if (body != NULL)
		buf_append(&m->reply.body, buf_str(body), body->len);
	instance_post(m->from, deliver_reply, m);
}

struct returning {
	struct message *message;
	int status;
	struct buf body;
};

static void
on_return(void *ctx)
{
	struct returning *r = ctx;

	answer(r->message, 0, NULL, r->status, &r->body);
	buf_fini(&r->body);
	free(r);
}

/* --- the way there ---------------------------------------------------------------- */

static void
handle(void *ctx)
{
	struct arrival *a = ctx;
	struct message *m = a->message;
	struct returning *r = xcalloc(1, sizeof(*r));
	struct buf reply = BUF_INIT;

	r->message = m;
	trace("takes #%llu %s", (unsigned long long)m->number, m->path);
	if (!site_request(m->target, m->source->party, m->path, m->body,
		&r->status, &reply)) {
		/* nginx notices at once that its worker is gone. */
		buf_clear(&reply);
		buf_puts(&reply, "<html>bad gateway</html>");
	}
	r->body = reply;
	if (!world.over && !is_lost(m->target, m->source)) {
		sim_at(sim_now() + latency(m), on_return, r);
	} else {
		trace("answer of #%llu is lost", (unsigned long long)m->number);
		buf_fini(&r->body);
		free(r);
	}
	a->actor.routine = NULL;
	free(a);
}

static void
arrive(void *ctx)
{
	struct message *m = ctx;
	struct arrival *a;

	if (m->target->down_until > sim_now() || is_cut(m->source, m->target))
		return;
	a = xcalloc(1, sizeof(*a));
	a->message = m;
	a->actor = (struct actor){ .kind = KIND_WORKER, .site = m->target };
	(void)snprintf(a->actor.name, sizeof(a->actor.name), "s%d fcgi",
	    m->target->number);
	routine_start(&a->actor, handle, a);
}

static void
on_timeout(void *ctx)
{
	answer(ctx, ERR_TIMEOUT, "no answer in time", 0, NULL);
}

static void
on_refused(void *ctx)
{
	answer(ctx, ERR_NET, "connection refused", 0, NULL);
}

int
net_post(struct instance *from, const char *party, const char *path,
    const char *body, int64_t timeout_ms, partner_done_fn *done, void *ctx)
{
	struct site *to = site_of_party(party);
	struct message *m;

	if (to == NULL)
		return err_set(ERR_NOT_FOUND, "no certificate of %s", party);
	m = xcalloc(1, sizeof(*m));
	m->number = ++numbers;
	m->from = from;
	m->source = from->host->site;
	m->target = to;
	m->path = xstrdup(path);
	m->body = xstrdup(body != NULL ? body : "{}");
	m->done = done;
	m->ctx = ctx;
	m->next = all;
	all = m;
	world.messages++;
	trace("sends #%llu to s%d %s", (unsigned long long)m->number,
	    to->number, path);
	story_success_sent(path, (int)(to - sites));
	if (to->down_until > sim_now() && sim_draw(2) == 0) {
		sim_at(sim_now() + REFUSED_MS * MS, on_refused, m);
		return 0;
	}
	sim_at(sim_now() + timeout_ms * MS, on_timeout, m);
	if (!is_lost(m->source, to))
		sim_at(sim_now() + latency(m), arrive, m);
	else
		trace("#%llu is lost", (unsigned long long)m->number);
	if (is_unruly(m) ||
	    (world_is_rough() && sim_chance(world.faults.duplicate))) {
		trace(
		    "#%llu will be there twice", (unsigned long long)m->number);
		sim_at(sim_now() + sim_between(MS, DELAY_MAX), arrive, m);
	}
	return 0;
}

void
net_clear(void)
{
	struct message *m;

	while ((m = all) != NULL) {
		all = m->next;
		free(m->path);
		free(m->body);
		http_reply_fini(&m->reply);
		free(m);
	}
}
