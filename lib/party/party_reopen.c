/*
 * A job that runs again: its new run is begun here, with its documents, or
 * comes to nothing.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_resource.h"
#include "lib/json/json.h"
#include "lib/party/approval.h"
#include "lib/party/party_private.h"

static bool
is_same_contract(const struct db_job *have, const struct db_job_new *want)
{
	return memcmp(have->contract_hash, want->contract_hash,
		   sizeof(have->contract_hash)) == 0;
}

/* Errors: see party_job_reopen(). */
static int
check_run(const struct db_job *have, const struct db_job_new *want)
{
	if (want->run < have->run)
		return err_set(ERR_CONFLICT,
		    "job %s is in its run %lld here, %lld is over",
		    have->job_id, (long long)have->run, (long long)want->run);
	if (!is_same_contract(have, want) &&
	    (want->run == have->run || want->revision <= have->revision))
		return err_set(ERR_DENIED,
		    "job %s has another contract here, of revision %lld; "
		    "revision %lld cannot replace it",
		    have->job_id, (long long)have->revision,
		    (long long)want->revision);
	return 0;
}

/* What the initiator says is over, whatever was heard of it here. */
static int
end_old_run(struct db *db, struct party_command *c)
{
	bool moved;
	int r;

	if (state_is_end(c->job->status))
		return 0;
	c->state = STATE_CANCELED;
	c->reason = "the job begins another run";
	if ((r = party_stop_tasks(db, c, true)) != 0)
		return r;
	return db_job_move(
	    db, c->job->job_id, STATE_CANCELED, 0, c->reason, &moved);
}

/* Each member here, by what it would do from now on. */
static int
check_again(struct db *db, struct party_command *c)
{
	const struct db_job_new *j = c->documents;
	bool is_new = !is_same_contract(c->job, j);
	struct permit_demands d = { .arena = c->arena };
	struct permit_ask ask;
	size_t i;
	int r;

	for (i = 0; i < j->nparties && !c->job->is_initiator; i++) {
		const struct db_party_new *p = &j->parties[i];
		const struct party_member m = { j->job_id, p->role,
			p->party_id };

		if (!p->is_local)
			continue;
		party_ask_of(c->arena, &m, j, &ask);
		ask.command = PERMIT_RERUN;
		ask.again = true;
		d.n = 0;
		if (is_new)
			ask.demands = &d;
		else if ((r = approval_check(db, j->job_id, c->job->revision,
			      p->role, p->party_id)) == ERR_PENDING)
			ask.demands = &d;
		else if (r != 0)
			return r;
		if ((r = permit_check(db, &ask, &c->refused)) != 0 ||
		    (r = party_look_at(c->caller, &m, &d)) != 0)
			return r;
	}
	return 0;
}

/* Another contract needs another approval; of the same one it holds. */
static int
demand_again(struct db *db, struct party_command *c)
{
	const struct db_job_new *j = c->documents;
	struct permit_demands d = { .arena = c->arena };
	struct permit_ask ask;
	size_t i;
	int r = 0;

	for (i = 0; i < j->nparties && r == 0; i++) {
		const struct db_party_new *p = &j->parties[i];

		if (!p->is_local)
			continue;
		party_ask_of(c->arena,
		    &(struct party_member){ j->job_id, p->role, p->party_id },
		    j, &ask);
		ask.command = PERMIT_RERUN;
		ask.again = true;
		ask.demands = &d;
		d.n = 0;
		if ((r = db_sign_due_set(db, j->job_id, p->role, p->party_id,
			 DB_SIGN_NONE)) == 0 &&
		    (r = permit_check(db, &ask, &c->refused)) == 0 && d.n > 0)
			r = approval_ask(db, j, p->role, p->party_id, &d);
	}
	return r;
}

static bool
is_same_document(const char *a, const char *b)
{
	struct json_object *x = NULL, *y = NULL;
	bool same = json_parse_text(a, &x) == 0 &&
		    json_parse_text(b, &y) == 0 && json_object_equal(x, y);

	json_object_put(x);
	json_object_put(y);
	return same;
}

/* Another contract is about other parameters, not about another job. */
static int
revise(struct db *db, struct party_command *c)
{
	const struct db_job_new *j = c->documents;
	struct db_job *have;
	int r;

	if (is_same_contract(c->job, j))
		return 0;
	if ((r = db_job_get(db, c->arena, j->job_id, &have)) != 0)
		return r;
	if (!is_same_document(have->dsl, j->dsl) ||
	    !is_same_document(have->roles, j->roles) ||
	    !str_eq(have->initiator_role, j->initiator_role) ||
	    !str_eq(have->job_type, j->job_type) ||
	    !str_eq(have->model_version, j->model_version))
		return err_set(ERR_DENIED,
		    "job %s has another DSL, type, model or other members "
		    "here: only its parameters can change",
		    j->job_id);
	if (!c->job->is_initiator &&
	    (r = db_quota_store(db, j->initiator_party,
		 party_document_bytes(j->dsl, j->runtime_conf, j->contract) -
		     party_document_bytes(
			 have->dsl, have->runtime_conf, have->contract) +
		     PARTY_MEMBER_BYTES * (int64_t)j->nparties)) != 0)
		return r;
	return db_job_revise(db, j);
}

static int
reopen(struct db *db, struct party_command *c)
{
	const struct db_job_new *j = c->documents;
	int r;

	/* Locks the row: the other members of this site may be asked now. */
	if ((r = db_job_wake(db, j->job_id)) != 0 ||
	    (r = db_job_get_brief(db, c->arena, j->job_id, &c->job)) != 0 ||
	    (r = check_run(c->job, j)) != 0 || j->run == c->job->run)
		return r;
	if ((r = check_again(db, c)) != 0 || (r = end_old_run(db, c)) != 0 ||
	    (r = revise(db, c)) != 0 ||
	    (r = db_party_clear(db, j->job_id, DB_PARTY_STARTED, 0)) != 0 ||
	    (r = db_job_set_run(db, j->job_id, j->run)) != 0)
		return r;
	if ((r = db_job_move(db, j->job_id, STATE_WAITING, 0, "runs again",
		 &c->effective)) != 0)
		return r;
	return is_same_contract(c->job, j) || c->job->is_initiator
		   ? 0
		   : demand_again(db, c);
}

int
party_job_reopen(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct db_job_new *j,
    enum permit_kind *refused, bool *effective)
{
	struct party_command c = {
		.caller = caller, .member = *m, .documents = j
	};
	int r;

	if (effective != NULL)
		*effective = false;
	if (refused != NULL)
		*refused = PERMIT_NONE;
	if (!str_eq(j->job_id, m->job_id))
		return err_set(
		    ERR_INVALID, "the description is of job %.30s", j->job_id);
	r = party_run(db, &c, reopen, effective);
	if (refused != NULL)
		*refused = c.refused;
	return r;
}

/* --- a run that comes to nothing --- */

static int
undo(struct db *db, struct party_command *c)
{
	const struct db_job *j = c->job;
	int r;

	/* Undone before, or never begun here. */
	if (j->is_initiator || state_is_end(j->status))
		return 0;
	/* The end of the run before was not heard here, and is the same. */
	if (c->is_later_run) {
		if (state_is_interrupt(c->state) &&
		    (r = party_stop_tasks(db, c, false)) != 0)
			return r;
		return party_end_job(db, c, &c->effective);
	}
	/* What runs needs what the job holds, and nobody told it to end. */
	if ((r = party_own_end(db, c)) != 0 ||
	    (r = db_job_undo(db, j->job_id, c->state, c->reason)) != 0)
		return r;
	/* A member that heard of the job in this run alone has its tasks. */
	if ((r = party_stop_tasks(db, c, true)) != 0)
		return r;
	c->effective = true;
	return 0;
}

int
party_job_undo(struct db *db, const struct party_caller *caller,
    const struct party_member *m, enum state s, const char *reason,
    bool *effective)
{
	struct party_command c = { .caller = caller,
		.member = *m,
		.state = s,
		.reason = reason,
		.is_undo = true };

	if (!state_is_end(s) || s == STATE_PASS)
		return err_set(
		    ERR_INVALID, "a job cannot end as \"%s\"", state_name(s));
	return party_run(db, &c, undo, effective);
}
