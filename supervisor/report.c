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
#include "lib/json/json.h"
#include "supervisor/partners.h"

/* Due reports looked at in one go; those to absent partners count too. */
#define REPORT_BATCH 2000

struct sending {
	struct reporter *reporter;
	struct arena *arena; /* owns this too */
	struct db_task_key key;
	enum state told;
	struct sending *next;
};

struct reporter {
	struct supervisor *super;
	struct sending *list;
};

struct reporter *
reporter_new(struct supervisor *s)
{
	struct reporter *r = xcalloc(1, sizeof(*r));

	r->super = s;
	return r;
}

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

void
reporter_free(struct reporter *rp)
{
	if (rp == NULL)
		return;
	while (rp->list != NULL)
		drop(rp, rp->list);
	free(rp);
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

static void
told(void *ctx, const struct partner_reply *reply)
{
	struct sending *s = ctx;
	struct reporter *rp = s->reporter;
	/* Its own trouble, as a database that is away, is no answer either. */
	bool silence = partners_is_silence(reply) || reply->status >= 500;
	bool changed = false;
	int r = 0;

	/*
	 * Whatever the initiator answers, it has heard us: one that does not
	 * know the task any more will not want to know it later.
	 */
	if (!silence)
		r = db_task_report_done(
		    rp->super->db, &s->key, s->told, &changed);
	if (r != 0)
		log_err("job=%s task=%s report done", s->key.job_id,
		    s->key.component);
	else if (!silence && reply->error != 0 && reply->retcode != 10)
		log_warn("job=%s task=%s report refused: %s", s->key.job_id,
		    s->key.component, reply->retmsg);
	drop(rp, s);
	if (changed)
		report_look(rp);
}

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
