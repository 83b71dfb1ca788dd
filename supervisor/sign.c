/*
 * Signing contracts and telling initiators.  Owned by supervisor.c.
 */
#include "supervisor/sign.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/approval.h"
#include "lib/party/signatures.h"
#include "supervisor/job.h"
#include "supervisor/joblog.h"
#include "supervisor/partners.h"
#include "supervisor/telling.h"

/* Looked at in one go, of each initiator some. */
#define BATCH 500

struct word {
	struct telling telling;
	struct signer *signer;
	struct db_sign_work work;
};

struct signer {
	struct supervisor *super;
	struct tellings tellings;
};

static void
look(void *ctx)
{
	sign_look(ctx);
}

struct signer *
signer_new(struct supervisor *s)
{
	struct signer *sg = xcalloc(1, sizeof(*sg));

	sg->super = s;
	tellings_init(&sg->tellings, s->loop, look, sg);
	return sg;
}

void
signer_free(struct signer *sg)
{
	if (sg == NULL)
		return;
	tellings_fini(&sg->tellings);
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
	struct word *w = ctx;

	if (telling_rests(&w->telling, reply))
		return;
	if (!partners_is_silence(reply))
		heard(w->signer, &w->work);
	if (reply->error != 0 && reply->retcode != 10)
		log_warn("job=%s initiator does not take it: %s",
		    w->work.job_id, reply->retmsg);
	telling_drop(&w->telling);
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

/* What a person rejected is signed, too, before anybody hears of it. */
static int
sign_decisions(struct supervisor *s, const struct db_sign_work *w)
{
	struct signing sg = { .super = s, .arena = arena_new(), .work = w };
	int r = db_tx(s->db, sign_decisions_tx, &sg);

	arena_free(sg.arena);
	return r;
}

static int
post(struct signer *sg, const struct db_sign_work *w, const char *name)
{
	struct word *word = tellings_add(&sg->tellings, name, sizeof(*word));
	struct arena *arena = word->telling.arena;
	const char *path;
	char *body = NULL;
	int r;

	word->signer = sg;
	word->work =
	    (struct db_sign_work){ .job_id = arena_strdup(arena, w->job_id),
		    .role = arena_strdup(arena, w->role),
		    .party_id = arena_strdup(arena, w->party_id),
		    .due = w->due };
	path = arena_printf(arena, "/v1/initiator/%s/%s/%s/%s", w->job_id,
	    w->role, w->party_id,
	    w->due == DB_SIGN_REFUSED ? "stop/failed" : "signature");
	if ((r = body_of(sg, w, &body)) == 0)
		r = partners_post(sg->super->partners, w->initiator_party, path,
		    body, told, word);
	if (r != 0)
		telling_drop(&word->telling);
	free(body);
	return r;
}

static void
tell(struct signer *sg, struct arena *arena, const struct db_sign_work *w)
{
	struct supervisor *s = sg->super;
	const char *name = arena_printf(arena, "%s %s %s %lld", w->job_id,
	    w->role, w->party_id, (long long)w->due);
	const char *why;
	int64_t away_ms;
	int r = 0;

	if (tellings_has(&sg->tellings, name) ||
	    partners_away(s->partners, w->initiator_party, &away_ms, &why))
		return;
	if (w->due == DB_SIGN_REFUSED)
		r = sign_decisions(s, w);
	if (r != 0 || post(sg, w, name) != 0)
		log_err("job=%s tell the initiator", w->job_id);
}

void
sign_look(struct signer *sg)
{
	struct supervisor *s = sg->super;
	struct arena *arena = arena_new();
	struct db_sign_work *rows;
	size_t n;

	if (db_sign_due_list(s->db, arena, BATCH, &rows, &n) != 0) {
		log_err("look for signatures");
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (rows[i].due == DB_SIGN_DUE || rows[i].due == DB_SIGN_ASKED)
			sign_one(s, arena, &rows[i]);
		if (rows[i].due == DB_SIGN_TELL ||
		    rows[i].due == DB_SIGN_REFUSED)
			tell(sg, arena, &rows[i]);
	}
	arena_free(arena);
}
