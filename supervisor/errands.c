/*
 * From a claimed errand to its replies.  Called by changes.c.
 */
#include "supervisor/errands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_errand.h"
#include "lib/party/errand.h"
#include "supervisor/partners.h"

#define BATCH 16
/* Beyond the limit of a request to a partner. */
#define LEASE_MORE_MS 5000
/* Who is silent or busy is asked again after this, doubled up to… */
#define AGAIN_MIN_MS 200
#define AGAIN_MAX_MS 30000

struct run {
	struct errands *owner;
	struct arena *arena; /* the errand's texts */
	const struct db_errand *errand;
	const struct errand_kind *kind;
	struct json_object *calls;   /* owned */
	struct json_object *replies; /* owned; in the order of calls */
	size_t under_way;
	bool starting; /* calls are still being made */
	struct run *next;
};

/* A call under way to a partner. */
struct asked {
	struct run *run;
	size_t index;
};

struct errands {
	struct supervisor *super;
	struct run *list;
};

static void
run_free(struct run *run)
{
	json_object_put(run->calls);
	json_object_put(run->replies);
	arena_free(run->arena);
	free(run);
}

static void
drop(struct run *run)
{
	for (struct run **at = &run->owner->list; *at != NULL;
	     at = &(*at)->next)
		if (*at == run) {
			*at = run->next;
			break;
		}
	run_free(run);
}

/* --- replies ---------------------------------------------------------------- */

/* data is borrowed. */
static void
set_reply(struct run *run, size_t i, int64_t retcode, const char *retmsg,
    struct json_object *data, bool silent)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "retcode", retcode);
	json_add_str(o, "retmsg", retmsg);
	json_add_bool(o, "silent", silent);
	if (data != NULL)
		json_add(o, "data", json_object_get(data));
	json_object_array_put_idx(run->replies, i, o);
}

/* "Not now": it is asked again as long as somebody waits. */
static bool
is_busy(struct json_object *reply)
{
	return reply != NULL &&
	       json_get_int(reply, "retcode", 0) == err_retcode(ERR_BUSY);
}

static bool
is_answered(struct json_object *replies, size_t i)
{
	struct json_object *o = json_object_array_get_idx(replies, i);

	return o != NULL && !json_get_bool(o, "silent", false) && !is_busy(o);
}

static void
tell(struct run *run)
{
	char *path =
	    errand_socket(run->owner->super->conf, run->errand->errand_id);

	/* Nobody waits any more, or it looks by itself. */
	if (fd_dgram_send(path, "", 0) != 0)
		err_clear();
	free(path);
}

static int64_t
again_ms(const struct db_errand *e)
{
	int64_t ms = AGAIN_MIN_MS;

	for (int64_t i = 1; i < e->tries && ms < AGAIN_MAX_MS; i++)
		ms *= 2;
	return ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS;
}

static void
finish(struct run *run)
{
	const struct db_errand *e = run->errand;
	const char *replies = json_text(run->replies);
	struct db *db = run->owner->super->db;
	bool all = true, busy = false, again;
	int r;

	for (size_t i = 0; i < json_object_array_length(run->calls); i++) {
		all &= is_answered(run->replies, i);
		busy |= is_busy(json_object_array_get_idx(run->replies, i));
	}
	again = !all && (e->persistent || busy);
	r = again ? db_errand_again(
			db, e->errand_id, e->fence, replies, again_ms(e))
		  : db_errand_done(db, e->errand_id, e->fence, replies);
	if (r != 0)
		log_err("errand %s %s", e->kind, e->errand_id);
	tell(run);
	drop(run);
}

/* --- asking ------------------------------------------------------------------ */

static void
answered(void *ctx, const struct partner_reply *reply)
{
	struct asked *a = ctx;
	struct run *run = a->run;

	/* Its own trouble (its database, say) is no answer either. */
	if (partners_is_silence(reply) || reply->status >= 500)
		set_reply(run, a->index, err_retcode(ERR_NET), reply->retmsg,
		    NULL, true);
	else
		set_reply(run, a->index, reply->retcode, reply->retmsg,
		    reply->data, false);
	free(a);
	if (--run->under_way == 0 && !run->starting)
		finish(run);
}

static int
ask_partner(struct run *run, size_t i, const char *role, const char *party,
    struct json_object *body)
{
	struct asked *a = xcalloc(1, sizeof(*a));
	char *path =
	    xasprintf("%s/%s/%s/%s", ERRAND_PATH, run->kind->name, role, party);
	int r;

	a->run = run;
	a->index = i;
	r = partners_post(run->owner->super->partners, party, path,
	    json_text(body), answered, a);
	if (r == 0)
		run->under_way++;
	else
		free(a);
	free(path);
	return r;
}

static int
ask_own(struct run *run, size_t i, const char *role, const char *party,
    struct json_object *body)
{
	struct supervisor *s = run->owner->super;
	const struct party_caller self = { .party_id = s->conf->party_id,
		.is_site = true };
	struct json_object *data = NULL;
	struct arena *arena = arena_new();
	const struct errand_ask ask = { .db = s->db,
		.conf = s->conf,
		.arena = arena,
		.caller = &self,
		.role = role,
		.party_id = party,
		.body = body,
		.data = &data };
	int r = run->kind->ask(&ask);

	/* The database's trouble passes: a persistent errand tries again. */
	if (r == 0)
		set_reply(run, i, 0, "success", data, false);
	else
		set_reply(run, i, err_retcode(r), err_text(), NULL,
		    r == ERR_DB || r == ERR_DB_RETRY);
	if (r != 0)
		log_info("errand %s of %s %s: %s", run->kind->name, role, party,
		    err_text());
	json_object_put(data);
	arena_free(arena);
	return 0;
}

static void
ask(struct run *run, size_t i, bool own)
{
	struct json_object *call = json_object_array_get_idx(run->calls, i);
	const char *role = json_get_str(call, "role", "");
	const char *party = json_get_str(call, "party_id", "");
	struct json_object *body = json_get(call, "body");
	int r;

	if (str_eq(party, run->owner->super->conf->party_id) != own)
		return;
	r = own ? ask_own(run, i, role, party, body)
		: ask_partner(run, i, role, party, body);
	if (r != 0)
		set_reply(run, i, err_retcode(ERR_NET), err_text(), NULL, true);
}

/* Partners first: their way is longer. */
static void
ask_all(struct run *run)
{
	size_t n = json_object_array_length(run->calls);

	run->starting = true;
	for (int own = 0; own <= 1; own++)
		for (size_t i = 0; i < n; i++)
			if (!is_answered(run->replies, i))
				ask(run, i, own != 0);
	run->starting = false;
	if (run->under_way == 0)
		finish(run);
}

static int
read_errand(struct run *run)
{
	const struct db_errand *e = run->errand;
	int r;

	if ((run->kind = errand_find(e->kind)) == NULL)
		return err_set(
		    ERR_UNSUPPORTED, "no errand of kind %s", e->kind);
	if ((r = json_parse_text(e->calls, &run->calls)) != 0)
		return r;
	if (e->replies != NULL &&
	    (r = json_parse_text(e->replies, &run->replies)) != 0)
		return r;
	if (run->replies == NULL)
		run->replies = json_object_new_array();
	return json_is_array(run->calls) && json_is_array(run->replies)
		   ? 0
		   : err_set(ERR_FORMAT, "calls or replies are no list");
}

static void
start(struct errands *es, struct arena *arena, const struct db_errand *e)
{
	struct run *run = xcalloc(1, sizeof(*run));

	run->owner = es;
	run->arena = arena;
	run->errand = e;
	run->next = es->list;
	es->list = run;
	log_request(e->request_id);
	if (read_errand(run) == 0) {
		if (*e->request_id != '\0')
			log_info("errand %s %s", e->kind, e->errand_id);
		ask_all(run);
		log_request("");
		return;
	}
	log_err("errand %s %s", e->kind, e->errand_id);
	if (db_errand_done(es->super->db, e->errand_id, e->fence, "[]") != 0)
		log_err("errand %s %s", e->kind, e->errand_id);
	tell(run);
	drop(run);
	log_request("");
}

/* One at a time, so that each has its own arena. */
static bool
take_one(struct errands *es)
{
	struct supervisor *s = es->super;
	struct arena *arena = arena_new();
	struct db_errand *rows;
	size_t n;

	if (db_errand_claim(s->db, arena, s->instance,
		s->conf->partner_timeout_ms + LEASE_MORE_MS, 1, &rows,
		&n) != 0) {
		log_err("claim errands");
		n = 0;
	}
	if (n == 1)
		start(es, arena, &rows[0]);
	else
		arena_free(arena);
	return n == 1;
}

void
errands_look(struct errands *es)
{
	for (int i = 0; i < BATCH; i++)
		if (!take_one(es))
			return;
	supervisor_changed(es->super, "");
}

int
errands_new(struct supervisor *s, struct errands **out)
{
	struct errands *es = xcalloc(1, sizeof(*es));
	char *prefix = xstrndup(s->instance, s->instance_prefix);
	int r = db_errand_take_over(s->db, prefix, s->instance);

	free(prefix);
	es->super = s;
	*out = es;
	return r;
}

void
errands_free(struct errands *es)
{
	struct run *run;

	if (es == NULL)
		return;
	while ((run = es->list) != NULL) {
		es->list = run->next;
		run_free(run);
	}
	free(es);
}
