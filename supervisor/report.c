/*
 * Reports of local tasks to their initiators.  Owned by main.c.  What is due
 * stands in the rows; kept here is only what is under way, so that a look
 * does not send it twice.
 */
#include "supervisor/report.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "supervisor/partners.h"

/* Due reports looked at in one go; those to absent partners count too. */
#define REPORT_BATCH 2000
/* That a task runs is told after this: many are over by then. */
#define SOON_MS 50
/* Acknowledged reports become rows after this, or when they are so many. */
#define HEARD_MS 100
#define HEARD_MANY 64
/* An initiator in trouble of its own is not told again before. */
#define REST_MS 1000

struct sending {
	struct reporter *reporter;
	struct arena *arena; /* owns this too */
	struct db_task_key key;
	enum state told;
	bool heard; /* acknowledged; the row does not say so yet */
	bool rests; /* not taken: due again after a while */
	struct sending *next;
};

struct reporter {
	struct supervisor *super;
	struct sending *list;
	size_t heard, resting;
	struct loop_timer *soon, *write, *again;
	bool is_soon; /* the timer runs */
};

static void
drop(struct reporter *rp, struct sending *s)
{
	for (struct sending **at = &rp->list; *at != NULL; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	arena_free(s->arena);
}

static bool
is_same(const struct db_task_key *a, const struct db_task_key *b)
{
	return a->version == b->version && strcmp(a->job_id, b->job_id) == 0 &&
	       strcmp(a->component, b->component) == 0 &&
	       strcmp(a->role, b->role) == 0 &&
	       strcmp(a->party_id, b->party_id) == 0;
}

/*
 * A later state does not wait for the report of an earlier one: whichever
 * arrives first, the initiator takes no step back.
 */
static bool
is_under_way(const struct reporter *rp, const struct db_task *t)
{
	for (const struct sending *s = rp->list; s != NULL; s = s->next)
		if (s->told == t->party_status && is_same(&s->key, &t->key))
			return true;
	return false;
}

/* --- what was acknowledged -------------------------------------------------- */

/* A state that came after the one that was told is to be told, too. */
struct writing {
	struct reporter *reporter;
	bool changed;
};

static int
write_heard(struct db *db, void *ctx)
{
	struct writing *w = ctx;
	bool changed;
	int r = 0;

	w->changed = false;
	for (const struct sending *s = w->reporter->list; r == 0 && s != NULL;
	     s = s->next)
		if (s->heard && (r = db_task_report_done(
				     db, &s->key, s->told, &changed)) == 0)
			w->changed |= changed;
	return r;
}

/* What cannot be written is due still, and is sent again. */
static bool
write_all(struct reporter *rp)
{
	struct writing w = { .reporter = rp };
	struct sending *s, *next;

	loop_timer_cancel(rp->write);
	if (db_tx(rp->super->db, write_heard, &w) != 0) {
		log_err("reports done");
		w.changed = false;
	}
	for (s = rp->list; s != NULL; s = next) {
		next = s->next;
		if (s->heard)
			drop(rp, s);
	}
	rp->heard = 0;
	return w.changed;
}

static void
on_write(void *ctx)
{
	if (write_all(ctx))
		report_look(ctx);
}

/* All that rests is due again when the first of it is. */
static void
on_again(void *ctx)
{
	struct reporter *rp = ctx;
	struct sending *s, *next;

	for (s = rp->list; s != NULL; s = next) {
		next = s->next;
		if (s->rests)
			drop(rp, s);
	}
	rp->resting = 0;
	report_look(rp);
}

static void
rest(struct reporter *rp, struct sending *s)
{
	s->rests = true;
	if (++rp->resting == 1)
		loop_timer_set(rp->again, REST_MS, 0);
}

static void
told(void *ctx, const struct partner_reply *reply)
{
	struct sending *s = ctx;
	struct reporter *rp = s->reporter;

	/* Who is silent is left alone by partners.c. */
	if (partners_is_silence(reply)) {
		drop(rp, s);
		return;
	}
	/*
	 * Its own trouble, as a database that is away, is no answer either.
	 * Whatever else the initiator answers, it has heard us: one that does
	 * not know the task any more will not want to know it later.
	 */
	if (reply->status >= 500) {
		rest(rp, s);
		return;
	}
	if (reply->error != 0 && reply->retcode != 10)
		log_warn("job=%s task=%s report refused: %s", s->key.job_id,
		    s->key.component, reply->retmsg);
	s->heard = true;
	if (++rp->heard == 1)
		loop_timer_set(rp->write, HEARD_MS, 0);
	else if (rp->heard >= HEARD_MANY)
		on_write(rp);
}

/* --- sending ------------------------------------------------------------------ */

static char *
body_of(const struct site_conf *conf, const struct db_task *t)
{
	struct json_object *o = json_object_new_object();
	char *text;

	json_add_str(o, "party_status", state_name(t->party_status));
	json_add_int(o, "start_time", t->started_ms);
	json_add_int(o, "end_time", t->ended_ms);
	json_add_int(o, "progress", t->progress);
	if (t->error_report != NULL)
		json_add_str(o, "error_report",
		    fault_outward(conf->error_detail, fault_parse(t->fault),
			t->error_report));
	json_add_str(o, "fault", t->fault);
	text = xstrdup(json_text(o));
	json_object_put(o);
	return text;
}

static void
send_report(struct reporter *rp, const struct db_report *d)
{
	const struct db_task_key *k = &d->task.key;
	struct arena *arena = arena_new();
	struct sending *s = arena_alloc(arena, sizeof(*s));
	char *path, *body;

	s->reporter = rp;
	s->arena = arena;
	s->told = d->task.party_status;
	s->key = (struct db_task_key){
		.job_id = arena_strdup(arena, k->job_id),
		.component = arena_strdup(arena, k->component),
		.version = k->version,
		.role = arena_strdup(arena, k->role),
		.party_id = arena_strdup(arena, k->party_id),
	};
	path = xasprintf("/v1/initiator/%s/%s/%s_%s/%lld/%s/%s/report",
	    k->job_id, k->component, k->job_id, k->component,
	    (long long)k->version, k->role, k->party_id);
	body = body_of(rp->super->conf, &d->task);
	if (partners_post(rp->super->partners, d->initiator_party, path, body,
		told, s) == 0) {
		s->next = rp->list;
		rp->list = s;
	} else {
		log_err("job=%s task=%s report", k->job_id, k->component);
		arena_free(arena);
	}
	free(path);
	free(body);
}

void
report_look(struct reporter *rp)
{
	struct supervisor *s = rp->super;
	struct arena *arena = arena_new();
	struct db_report *rows;
	const char *why;
	int64_t away_ms;
	size_t n;

	if (db_task_reports_due(s->db, arena, REPORT_BATCH, &rows, &n) != 0) {
		log_err("look for reports");
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		if (!is_under_way(rp, &rows[i].task) &&
		    !partners_away(
			s->partners, rows[i].initiator_party, &away_ms, &why))
			send_report(rp, &rows[i]);
	arena_free(arena);
}

/* --- the reporter ------------------------------------------------------------- */

static void
on_soon(void *ctx)
{
	struct reporter *rp = ctx;

	rp->is_soon = false;
	report_look(rp);
}

void
report_soon(struct reporter *rp)
{
	if (!rp->is_soon)
		loop_timer_set(rp->soon, SOON_MS, 0);
	rp->is_soon = true;
}

struct reporter *
reporter_new(struct supervisor *s)
{
	struct reporter *rp = xcalloc(1, sizeof(*rp));

	rp->super = s;
	rp->soon = loop_timer_new(s->loop, on_soon, rp);
	rp->write = loop_timer_new(s->loop, on_write, rp);
	rp->again = loop_timer_new(s->loop, on_again, rp);
	return rp;
}

void
reporter_free(struct reporter *rp)
{
	if (rp == NULL)
		return;
	if (rp->heard > 0)
		(void)write_all(rp);
	loop_timer_free(rp->soon);
	loop_timer_free(rp->write);
	loop_timer_free(rp->again);
	while (rp->list != NULL)
		drop(rp, rp->list);
	free(rp);
}
