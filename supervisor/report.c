/*
 * Reports of local tasks to their initiators.  Owned by main.c.
 */
#include "supervisor/report.h"

#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "supervisor/partners.h"
#include "supervisor/telling.h"

/* Due reports looked at in one go; those to absent partners count too. */
#define REPORT_BATCH 2000
/* That a task runs is told after this: many are over by then. */
#define SOON_MS 50
/* Acknowledged reports become rows after this, or when they are so many. */
#define HEARD_MS 100
#define HEARD_MANY 64

struct sending {
	struct telling telling;
	struct reporter *reporter;
	struct db_task_key key;
	enum state told;
	struct sending *next_heard; /* acknowledged; no row says so yet */
};

struct reporter {
	struct supervisor *super;
	struct tellings tellings;
	struct sending *heard;
	size_t n_heard;
	struct loop_timer *soon, *write;
	bool is_soon; /* the timer runs */
};

/*
 * A later state does not wait for the report of an earlier one: whichever
 * arrives first, the initiator takes no step back.
 */
static const char *
name_of(struct arena *a, const struct db_task *t)
{
	const struct db_task_key *k = &t->key;

	return arena_printf(a, "%s %s %lld %s %s %s", k->job_id, k->component,
	    (long long)k->version, k->role, k->party_id,
	    state_name(t->party_status));
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
	for (const struct sending *s = w->reporter->heard; r == 0 && s != NULL;
	     s = s->next_heard)
		if ((r = db_task_report_done(db, &s->key, s->told, &changed)) ==
		    0)
			w->changed |= changed;
	return r;
}

/* What cannot be written is due still, and is sent again. */
static bool
write_all(struct reporter *rp)
{
	struct writing w = { .reporter = rp };
	struct sending *s;

	loop_timer_cancel(rp->write);
	if (db_tx(rp->super->db, write_heard, &w) != 0) {
		log_err("reports done");
		w.changed = false;
	}
	while ((s = rp->heard) != NULL) {
		rp->heard = s->next_heard;
		telling_drop(&s->telling);
	}
	rp->n_heard = 0;
	return w.changed;
}

static void
on_write(void *ctx)
{
	if (write_all(ctx))
		report_look(ctx);
}

static void
told(void *ctx, const struct partner_reply *reply)
{
	struct sending *s = ctx;
	struct reporter *rp = s->reporter;

	/* Who is silent is left alone by partners.c. */
	if (partners_is_silence(reply)) {
		telling_drop(&s->telling);
		return;
	}
	/*
	 * Its own trouble, as a database that is away, is no answer either.
	 * Whatever else the initiator answers, it has heard us: one that does
	 * not know the task any more will not want to know it later.
	 */
	if (telling_rests(&s->telling, reply))
		return;
	if (reply->error != 0 && reply->retcode != 10)
		log_warn("job=%s task=%s report refused: %s", s->key.job_id,
		    s->key.component, reply->retmsg);
	s->next_heard = rp->heard;
	rp->heard = s;
	if (++rp->n_heard == 1)
		loop_timer_set(rp->write, HEARD_MS, 0);
	else if (rp->n_heard >= HEARD_MANY)
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
send_report(struct reporter *rp, const struct db_report *d, const char *name)
{
	const struct db_task_key *k = &d->task.key;
	struct sending *s = tellings_add(&rp->tellings, name, sizeof(*s));
	struct arena *arena = s->telling.arena;
	char *path, *body;

	s->reporter = rp;
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
		told, s) != 0) {
		log_err("job=%s task=%s report", k->job_id, k->component);
		telling_drop(&s->telling);
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
	for (size_t i = 0; i < n; i++) {
		const char *name = name_of(arena, &rows[i].task);

		if (!tellings_has(&rp->tellings, name) &&
		    !partners_away(
			s->partners, rows[i].initiator_party, &away_ms, &why))
			send_report(rp, &rows[i], name);
	}
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

static void
look(void *ctx)
{
	report_look(ctx);
}

struct reporter *
reporter_new(struct supervisor *s)
{
	struct reporter *rp = xcalloc(1, sizeof(*rp));

	rp->super = s;
	rp->soon = loop_timer_new(s->loop, on_soon, rp);
	rp->write = loop_timer_new(s->loop, on_write, rp);
	tellings_init(&rp->tellings, s->loop, look, rp);
	return rp;
}

void
reporter_free(struct reporter *rp)
{
	if (rp == NULL)
		return;
	if (rp->n_heard > 0)
		(void)write_all(rp);
	loop_timer_free(rp->soon);
	loop_timer_free(rp->write);
	tellings_fini(&rp->tellings);
	free(rp);
}
