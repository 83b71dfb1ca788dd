/*
 * Signing contracts and telling initiators.  Owned by supervisor.c; kept here
 * is only what is under way, so that a look does not send it twice.
 */
#include "supervisor/sign.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_tx.h"
#include "lib/event/loop.h"
#include "lib/json/json.h"
#include "lib/party/approval.h"
#include "lib/party/signatures.h"
#include "supervisor/job.h"
#include "supervisor/joblog.h"
#include "supervisor/partners.h"

/* Looked at in one go; those whose initiators are away count too. */
#define BATCH 500
/* An initiator in trouble of its own is not told again before. */
#define REST_MS 1000

struct telling {
	struct signer *signer;
	struct arena *arena; /* owns this too */
	struct db_sign_work work;
	bool rests;
	struct telling *next;
};

struct signer {
	struct supervisor *super;
	struct telling *list;
	size_t resting;
	struct loop_timer *again; /* when one rests */
};

static void
drop(struct signer *sg, struct telling *t)
{
	for (struct telling **at = &sg->list; *at != NULL; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	arena_free(t->arena);
}

/* All that rests is due again when the first of it is. */
static void
on_again(void *ctx)
{
	struct signer *sg = ctx;
	struct telling *t, *next;

	for (t = sg->list; t != NULL; t = next) {
		next = t->next;
		if (t->rests)
			drop(sg, t);
	}
	sg->resting = 0;
	sign_look(sg);
}

struct signer *
signer_new(struct supervisor *s)
{
	struct signer *sg = xcalloc(1, sizeof(*sg));

	sg->super = s;
	sg->again = loop_timer_new(s->loop, on_again, sg);
	return sg;
}

void
signer_free(struct signer *sg)
{
	if (sg == NULL)
		return;
	while (sg->list != NULL)
		drop(sg, sg->list);
	loop_timer_free(sg->again);
	free(sg);
}

/* --- own jobs ------------------------------------------------------------ */

int
sign_own(struct supervisor *s, const struct snapshot *sn, size_t member)
{
	const struct db_party *p = &sn->parties[member];
	struct arena *arena = arena_new();
	struct db_job *job;
	int r;

	if ((r = keys_refresh(s->keys)) == 0 &&
	    (r = db_job_get(s->db, arena, p->job_id, &job)) == 0)
		r = signature_make(
		    s->db, arena, s->keys, job, p->role, p->party_id);
	arena_free(arena);
	return r;
}

/* --- partners' jobs -------------------------------------------------------- */

struct signing {
	struct supervisor *super;
	struct arena *arena;
	const struct db_sign_work *work;
	bool tell; /* the initiator waits for it */
};

/* The row's lock decides whether an apply has asked before or will see it. */
static int
settle_due(struct db *db, struct signing *sg)
{
	const struct db_sign_work *w = sg->work;
	bool moved;
	int r;

	r = db_sign_due_move(db, w->job_id, w->role, w->party_id, DB_SIGN_DUE,
	    DB_SIGN_NONE, &moved);
	if (r != 0 || moved)
		return r;
	return db_sign_due_move(db, w->job_id, w->role, w->party_id,
	    DB_SIGN_ASKED, DB_SIGN_TELL, &sg->tell);
}

static int
sign_tx(struct db *db, void *ctx)
{
	struct signing *sg = ctx;
	const struct db_sign_work *w = sg->work;
	struct db_job *job;
	int r;

	sg->tell = false;
	if ((r = keys_refresh(sg->super->keys)) != 0 ||
	    (r = db_job_get(db, sg->arena, w->job_id, &job)) != 0)
		return r;
	/* Only then has a person had a say. */
	if (w->due == DB_SIGN_ASKED &&
	    (r = approval_sign(db, sg->arena, sg->super->keys, job, w->role,
		 w->party_id)) != 0)
		return r;
	if ((r = signature_make(db, sg->arena, sg->super->keys, job, w->role,
		 w->party_id)) != 0)
		return r;
	return settle_due(db, sg);
}

/* What is not what this site agreed to is not signed, and the job ends. */
static void
refuse(struct supervisor *s, struct arena *arena, struct db_sign_work *w)
{
	char *why = arena_strdup(arena, err_text());

	log_err("job=%s not signed", w->job_id);
	joblog_error(s->conf, w->job_id, "not signed for %s %s: %s", w->role,
	    w->party_id, why);
	if (db_sign_refuse(s->db, w->job_id, w->role, w->party_id, why) != 0)
		log_err("job=%s refusal", w->job_id);
	w->why = why;
}

static void
sign_one(struct supervisor *s, struct arena *arena, struct db_sign_work *w)
{
	struct signing sg = { .super = s, .arena = arena_new(), .work = w };
	int r = db_tx(s->db, sign_tx, &sg);

	if (r == 0)
		w->due = sg.tell ? DB_SIGN_TELL : DB_SIGN_NONE;
	else if (r == ERR_INVALID) {
		refuse(s, arena, w);
		w->due = DB_SIGN_REFUSED;
	} else
		log_err("job=%s sign", w->job_id);
	arena_free(sg.arena);
}

/* --- telling ----------------------------------------------------------------- */

static bool
is_under_way(const struct signer *sg, const struct db_sign_work *w)
{
	for (const struct telling *t = sg->list; t != NULL; t = t->next)
		if (str_eq(t->work.job_id, w->job_id) &&
		    str_eq(t->work.role, w->role) &&
		    str_eq(t->work.party_id, w->party_id))
			return true;
	return false;
}

static void
rest(struct signer *sg, struct telling *t)
{
	t->rests = true;
	if (++sg->resting == 1)
		loop_timer_set(sg->again, REST_MS, 0);
}

/* What was refused stays so. */
static void
heard(struct signer *sg, const struct db_sign_work *w)
{
	if (db_sign_due_move(sg->super->db, w->job_id, w->role, w->party_id,
		(enum db_sign_due)w->due,
		w->due == DB_SIGN_REFUSED ? DB_SIGN_HEARD : DB_SIGN_NONE,
		NULL) != 0)
		log_err("job=%s told", w->job_id);
}

/* Its own trouble, as a database that is away, is no answer; whatever else the
 * initiator says, it has heard us. */
static void
told(void *ctx, const struct partner_reply *reply)
{
	struct telling *t = ctx;
	struct signer *sg = t->signer;

	if (!partners_is_silence(reply) && reply->status >= 500) {
		rest(sg, t);
		return;
	}
	if (!partners_is_silence(reply))
		heard(sg, &t->work);
	if (reply->error != 0 && reply->retcode != 10)
		log_warn("job=%s initiator does not take it: %s",
		    t->work.job_id, reply->retmsg);
	drop(sg, t);
}

static int
body_of(struct signer *sg, const struct db_sign_work *w, char **out)
{
	struct arena *arena = arena_new();
	struct json_object *o = json_object_new_object();
	struct db_signature *mine;
	int r = 0;

	*out = NULL;
	if (w->due == DB_SIGN_REFUSED) {
		/* All members read it: whose word it is comes first. */
		json_add_str(o, "reason",
		    arena_printf(
			arena, "%s %s: %s", w->role, w->party_id, w->why));
	} else if ((r = db_signature_get(sg->super->db, arena, w->job_id,
			w->role, w->party_id, &mine)) == 0) {
		json_add(o, "signature", signature_json(mine));
	}
	if (r == 0)
		*out = xstrdup(json_text(o));
	json_object_put(o);
	arena_free(arena);
	return r;
}

static int
sign_decisions_tx(struct db *db, void *ctx)
{
	struct signing *sg = ctx;
	const struct db_sign_work *w = sg->work;
	struct db_job *job;
	int r = db_job_get_brief(db, sg->arena, w->job_id, &job);

	return r != 0 ? r
		      : approval_sign(db, sg->arena, sg->super->keys, job,
			    w->role, w->party_id);
}

/* What a person rejected is signed, too. */
static void
sign_decisions(struct supervisor *s, const struct db_sign_work *w)
{
	struct signing sg = { .super = s, .arena = arena_new(), .work = w };

	if (db_tx(s->db, sign_decisions_tx, &sg) != 0)
		log_err("job=%s decisions not signed", w->job_id);
	arena_free(sg.arena);
}

static void
tell(struct signer *sg, const struct db_sign_work *w)
{
	struct arena *arena = arena_new();
	struct telling *t = arena_alloc(arena, sizeof(*t));
	char *path, *body = NULL;

	*t = (struct telling){ .signer = sg, .arena = arena };
	t->work =
	    (struct db_sign_work){ .job_id = arena_strdup(arena, w->job_id),
		    .role = arena_strdup(arena, w->role),
		    .party_id = arena_strdup(arena, w->party_id),
		    .due = w->due };
	path = xasprintf("/v1/initiator/%s/%s/%s/%s", w->job_id, w->role,
	    w->party_id,
	    w->due == DB_SIGN_REFUSED ? "stop/failed" : "signature");
	if (body_of(sg, w, &body) == 0 &&
	    partners_post(sg->super->partners, w->initiator_party, path, body,
		told, t) == 0) {
		t->next = sg->list;
		sg->list = t;
	} else {
		log_err("job=%s tell the initiator", w->job_id);
		arena_free(arena);
	}
	free(path);
	free(body);
}

void
sign_look(struct signer *sg)
{
	struct supervisor *s = sg->super;
	struct arena *arena = arena_new();
	struct db_sign_work *rows;
	const char *why;
	int64_t away_ms;
	size_t n;

	if (db_sign_due_list(s->db, arena, BATCH, &rows, &n) != 0) {
		log_err("look for signatures");
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (rows[i].due == DB_SIGN_DUE || rows[i].due == DB_SIGN_ASKED)
			sign_one(s, arena, &rows[i]);
		else if (rows[i].due == DB_SIGN_REFUSED)
			sign_decisions(s, &rows[i]);
		if ((rows[i].due == DB_SIGN_TELL ||
			rows[i].due == DB_SIGN_REFUSED) &&
		    !is_under_way(sg, &rows[i]) &&
		    !partners_away(
			s->partners, rows[i].initiator_party, &away_ms, &why))
			tell(sg, &rows[i]);
	}
	arena_free(arena);
}
