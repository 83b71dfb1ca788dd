/*
 * Contracts at a partner's side, around the commands of party_job.c.  Called
 * by fcgi-app.
 */
#include "lib/party/party_contract.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_tx.h"
#include "lib/party/party_private.h"
#include "lib/party/signatures.h"

struct command {
	const struct party_caller *caller;
	const struct party_member *member;
	const struct db_job_new *job;
	const struct party_offer *offer;
	enum permit_kind refused;
	bool effective;
};

/* --- create and reopen ---------------------------------------------------- */

/*
 * Whoever asks others to take part stands behind it first.  That it is still
 * a partner was asked of the request, but a withdrawal that ends the jobs that
 * are here would miss the one that comes now.
 */
static int
check_offer(struct db *db, const struct command *c)
{
	const struct db_job_new *j = c->job;
	size_t i;
	int r;

	if ((r = db_partner_hold(db, c->caller->party_id)) != 0)
		return r;

	for (i = 0; i < c->offer->n; i++)
		if (str_eq(c->offer->signatures[i].role, j->initiator_role) &&
		    str_eq(
			c->offer->signatures[i].party_id, j->initiator_party))
			return 0;
	return err_set(ERR_DENIED,
	    "the initiator, %s %s, has not signed the contract",
	    j->initiator_role, j->initiator_party);
}

/* The supervisor signs, who has the key. */
static int
sign_is_due(struct db *db, struct arena *a, const struct db_job *job,
    const char *role, const char *party_id)
{
	struct db_party *p;
	int r;

	if ((r = db_party_get(db, a, job->job_id, role, party_id, &p)) == 0 &&
	    p->signed_revision != job->revision &&
	    (enum db_sign_due)p->sign_due == DB_SIGN_NONE)
		r = db_sign_due_set(
		    db, job->job_id, role, party_id, DB_SIGN_DUE);
	return r;
}

/* Of the initiator what was sent, of members here theirs, in a while. */
static int
take_offer(struct db *db, const struct command *c, bool all)
{
	const struct db_job_new *j = c->job;
	struct arena *a = arena_new();
	struct db_job *job;
	size_t i;
	int r;

	if ((r = db_job_get_brief(db, a, j->job_id, &job)) == 0)
		r = signatures_take(
		    db, job, c->offer->signatures, c->offer->n, false);
	if (r == 0 && !all)
		r = sign_is_due(
		    db, a, job, c->member->role, c->member->party_id);
	for (i = 0; r == 0 && all && i < j->nparties; i++)
		if (j->parties[i].is_local)
			r = sign_is_due(db, a, job, j->parties[i].role,
			    j->parties[i].party_id);
	arena_free(a);
	return r;
}

static int
create_tx(struct db *db, void *ctx)
{
	struct command *c = ctx;
	int r;

	if ((r = check_offer(db, c)) != 0 ||
	    (r = party_job_create(db, c->caller, c->member, c->job, &c->refused,
		 &c->effective)) != 0)
		return r;
	return take_offer(db, c, false);
}

static int
reopen_tx(struct db *db, void *ctx)
{
	struct command *c = ctx;
	int r;

	if ((r = check_offer(db, c)) != 0 ||
	    (r = party_job_reopen(db, c->caller, c->member, c->job, &c->refused,
		 &c->effective)) != 0)
		return r;
	return take_offer(db, c, true);
}

static int
run(struct db *db, struct command *c, db_tx_fn *fn, enum permit_kind *refused,
    bool *effective)
{
	int r = db_tx(db, fn, c);

	if (refused != NULL)
		*refused = c->refused;
	if (effective != NULL)
		*effective = r == 0 && c->effective;
	return r;
}

int
party_contract_create(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct db_job_new *j,
    const struct party_offer *offer, enum permit_kind *refused, bool *effective)
{
	struct command c = {
		.caller = caller, .member = m, .job = j, .offer = offer
	};

	return run(db, &c, create_tx, refused, effective);
}

int
party_contract_reopen(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct db_job_new *j,
    const struct party_offer *offer, enum permit_kind *refused, bool *effective)
{
	struct command c = {
		.caller = caller, .member = m, .job = j, .offer = offer
	};

	return run(db, &c, reopen_tx, refused, effective);
}

/* --- start -------------------------------------------------------------------- */

int
party_contract_start(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct party_offer *offer,
    const struct db_task_key *tasks, size_t n, bool *effective)
{
	struct party_command c = { .caller = caller,
		.member = *m,
		.signatures = offer->signatures,
		.n_signatures = offer->n,
		.starts = tasks,
		.n_starts = n };

	return party_run(db, &c, party_start_signed, effective);
}

int
party_contract_begin(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct party_begin *b, struct wait *why,
    bool *started, bool *effective)
{
	struct party_command c = { .caller = caller,
		.member = *m,
		.signatures = b->offer.signatures,
		.n_signatures = b->offer.n,
		.starts = b->tasks,
		.n_starts = b->n,
		.reservation_ms = b->reservation_ms,
		.why = wait_of(WAIT_NONE) };
	int r = party_run(db, &c, party_take_signed, effective);

	*why = c.why;
	*started = r == 0 && c.has_started;
	return r;
}
