/*
 * Questions to initiators, and what follows from their answers.  Owned by
 * supervisor.c, called by a detector.
 */
#include "supervisor/doubts.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_operations.h"
#include "lib/json/json.h"
#include "lib/party/job_doubt.h"
#include "supervisor/finding.h"
#include "supervisor/kill.h"
#include "supervisor/partners.h"

#define BATCH 100

struct asking {
	struct doubts *doubts;
	struct arena *arena; /* owns this too */
	struct party_member member;
	const char *initiator;
	int64_t run;
	struct asking *next;
};

struct doubts {
	struct supervisor *super;
	struct asking *list;
};

struct doubts *
doubts_new(struct supervisor *s)
{
	struct doubts *d = xcalloc(1, sizeof(*d));

	d->super = s;
	return d;
}

static void
drop(struct asking *a)
{
	struct asking **at = &a->doubts->list;

	while (*at != NULL && *at != a)
		at = &(*at)->next;
	if (*at == a)
		*at = a->next;
	arena_free(a->arena);
}

void
doubts_free(struct doubts *d)
{
	if (d == NULL)
		return;
	while (d->list != NULL)
		drop(d->list);
	free(d);
}

/* --- answers -------------------------------------------------------------------- */

/*
 * It cannot be asked and will hear of no end: what is held for it is given
 * back after as long as a partner may be away.
 */
static int
take_refusal(struct asking *a, const char *words, bool *ended)
{
	struct supervisor *s = a->doubts->super;
	struct party_caller as = { .party_id = a->initiator, .run = &a->run };
	const char *why;
	int64_t ms;
	int r;

	if ((r = db_partner_refused_ms(s->db, a->initiator, &ms)) != 0 ||
	    ms < s->conf->partner_outage_s * 1000)
		return r;
	why = arena_printf(a->arena,
	    "its initiator has refused to hear this site for %lld s: %s",
	    (long long)ms / 1000, words);
	return party_job_stop(s->db, &as, &a->member, STATE_FAILED, why, ended);
}

/*
 * A partner that knows no such question has no answer: for it there are
 * "stale jobs" and "forgotten jobs".
 */
static int
take(struct asking *a, const struct partner_reply *reply, bool *ended)
{
	if (partners_is_silence(reply))
		return 0;
	if (partners_is_refusal(reply))
		return take_refusal(a, reply->retmsg, ended);
	return reply->error != 0
		   ? 0
		   : job_doubt_take(a->doubts->super->db, &a->member,
			 a->initiator, a->run, reply->data, ended);
}

static void
answered(void *ctx, const struct partner_reply *reply)
{
	struct asking *a = ctx;
	struct supervisor *s = a->doubts->super;
	bool ended = false;
	int r = take(a, reply, &ended);

	if (r == ERR_CONFLICT)
		err_clear(); /* it begins another run just now */
	else if (r != 0)
		log_err("job=%s is it wanted", a->member.job_id);
	if (ended) {
		(void)finding(s, "doubtful jobs", a->member.job_id,
		    "was open here; %s %s", a->initiator,
		    partners_is_refusal(reply)
			? "refuses to hear this site"
			: "has ended it, or never had it");
		supervisor_changed(s, a->member.job_id);
		kill_look(s);
	}
	drop(a);
}

static void
ask(struct doubts *d, const struct db_partner_job *row)
{
	struct arena *arena = arena_new();
	struct asking *a = arena_alloc(arena, sizeof(*a));
	struct json_object *body = json_object_new_object();
	char *path = xasprintf(ERRAND_PATH "/" JOB_DOUBT "/%s/%s",
	    row->initiator_role, row->initiator_party);

	*a = (struct asking){ .doubts = d,
		.arena = arena,
		.member = { arena_strdup(arena, row->job_id),
		    arena_strdup(arena, row->role),
		    arena_strdup(arena, row->party_id) },
		.initiator = arena_strdup(arena, row->initiator_party),
		.run = row->run };
	json_add_str(body, "job_id", row->job_id);
	json_add_int(body, "run", row->run);
	a->next = d->list;
	d->list = a;
	if (partners_post(d->super->partners, a->initiator, path,
		json_text(body), answered, a) != 0) {
		log_err("job=%s is it wanted", row->job_id);
		drop(a);
	}
	json_object_put(body);
	free(path);
}

int
doubts_look(struct doubts *d, int64_t age_ms)
{
	struct supervisor *s = d->super;
	struct arena *arena = arena_new();
	struct db_partner_job *rows;
	const char *why;
	int64_t away_ms;
	size_t n = 0;
	int r;

	r = db_detect_doubtful(s->db, arena, age_ms, BATCH, &rows, &n);
	/* Those of the last look have been answered, or their partner is slow
	 * and need not be asked more. */
	if (d->list != NULL)
		n = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!partners_away(
			s->partners, rows[i].initiator_party, &away_ms, &why))
			ask(d, &rows[i]);
	arena_free(arena);
	return r;
}
