/*
 * Commands about a whole job at one member.  Each is one transaction.
 */

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_disk.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_tx.h"
#include "lib/party/approval.h"
#include "lib/party/party_private.h"
#include "lib/party/signatures.h"

/* --- create --- */

/* The description must be about the member that is addressed, and no other. */
static int
check_description(const struct party_caller *c, const struct party_member *m,
    const struct db_job_new *j)
{
	bool found = false;

	if (!str_eq(j->job_id, m->job_id))
		return err_set(
		    ERR_INVALID, "the description is of job %.30s", j->job_id);
	if (!str_eq(c->party_id, j->initiator_party))
		return err_set(ERR_DENIED,
		    "party %.10s cannot create a job "
		    "of party %.10s",
		    c->party_id, j->initiator_party);
	for (size_t i = 0; i < j->nparties; i++)
		found |= j->parties[i].is_local && j->parties[i].created &&
			 str_eq(j->parties[i].role, m->role) &&
			 str_eq(j->parties[i].party_id, m->party_id);
	if (!found)
		return err_set(ERR_NOT_FOUND,
		    "%.20s %.10s is not a member of "
		    "job %s here",
		    m->role, m->party_id, m->job_id);
	for (size_t i = 0; i < j->ntasks; i++) {
		if (!str_eq(j->tasks[i].role, m->role) ||
		    !str_eq(j->tasks[i].party_id, m->party_id))
			return err_set(ERR_INVALID,
			    "task %.100s is of another "
			    "member",
			    j->tasks[i].component);
	}
	return 0;
}

void
party_ask_of(struct arena *a, const struct party_member *m,
    const struct db_job_new *j, struct permit_ask *out)
{
	struct permit_task *tasks = arena_alloc(a, j->ntasks * sizeof(*tasks));
	size_t i, n = 0;

	for (i = 0; i < j->ntasks; i++) {
		const struct db_task_new *t = &j->tasks[i];

		if (str_eq(t->role, m->role) &&
		    str_eq(t->party_id, m->party_id))
			tasks[n++] = (struct permit_task){ t->component,
				t->module, t->parameters };
	}
	*out = (struct permit_ask){ .job_id = j->job_id,
		.party = j->initiator_party,
		.src_role = j->initiator_role,
		.role = m->role,
		.party_id = m->party_id,
		.command = PERMIT_CREATE,
		.tasks = tasks,
		.ntasks = n,
		.admits = true };
}

int
party_job_explain(struct db *db, struct arena *a, const struct party_member *m,
    const struct db_job_new *j, struct permit_decision **out, size_t *n)
{
	struct permit_ask ask;

	party_ask_of(a, m, j, &ask);
	return permit_decide(db, a, &ask, out, n);
}

/* Is the member of that job here already? */
static int
is_taken_in(
    struct db *db, struct arena *a, const struct party_member *m, bool *out)
{
	struct db_party *p;
	int r = db_party_get(db, a, m->job_id, m->role, m->party_id, &p);

	*out = r == 0 && p->created;
	if (r == ERR_NOT_FOUND) {
		err_clear();
		r = 0;
	}
	return r;
}

int
party_job_wishes(struct db *db, struct arena *a, const struct party_member *m,
    const struct db_job_new *j, const char *command, struct permit_ask *ask,
    struct permit_decision **out, size_t *n)
{
	bool here;
	int r;

	*n = 0;
	party_ask_of(a, m, j, ask);
	ask->command = command;
	ask->again = !str_eq(command, PERMIT_CREATE);
	if ((r = is_taken_in(db, a, m, &here)) != 0 || (here && !ask->again))
		return r;
	r = party_wishes(db, a, ask, out, n);
	ask->tasks = NULL;
	ask->ntasks = 0;
	return r;
}

struct creation {
	const struct party_caller *caller;
	const struct party_member *member;
	const struct db_job_new *job;
	enum permit_kind refused;
	struct permit_demands demands; /* of people */
	bool here;		       /* it was taken in before */
	bool created;
};

int
party_look_at(const struct party_caller *c, const struct party_member *m,
    const struct permit_demands *demands)
{
	if (c->look == NULL || demands->n > 0)
		return 0;
	return c->look->fn(c->look->ctx, m);
}

/* Who was taken in before is only told so again. */
static int
check_admission(struct db *db, struct arena *a, struct creation *c)
{
	struct permit_ask ask;
	int r;

	if ((r = is_taken_in(db, a, c->member, &c->here)) != 0 || c->here)
		return r;
	party_ask_of(a, c->member, c->job, &ask);
	ask.demands = &c->demands;
	if ((r = permit_check(db, &ask, &c->refused)) != 0)
		return r;
	return party_look_at(c->caller, c->member, &c->demands);
}

/* Counted for the partner whose job it is, once for each member. */
static int
count_stored(struct db *db, const struct creation *c)
{
	const struct db_job_new *j = c->job;

	if (c->here || j->is_initiator)
		return 0;
	return db_quota_store(db, j->initiator_party,
	    c->created ? party_job_bytes(j) : party_member_bytes(j));
}

/*
 * The job came with another member of this site, whose row is locked now.  A
 * member that comes after its end would wait for ever: nobody ends it again.
 */
static int
check_goes_on(struct db *db, struct arena *a, const struct creation *c)
{
	struct db_job *job;
	int r;

	if (c->created || c->here)
		return 0;
	if ((r = db_job_get_brief(db, a, c->job->job_id, &job)) != 0 ||
	    !state_is_end(job->status))
		return r;
	if (c->job->run > job->run)
		return err_set(ERR_BUSY,
		    "run %lld of job %s is yet to begin at the other members "
		    "here",
		    (long long)c->job->run, job->job_id);
	return err_set(ERR_CONFLICT, "job %s has ended: %s", job->job_id,
	    state_name(job->status));
}

static int
create_tx(struct db *db, void *ctx)
{
	struct creation *c = ctx;
	struct arena *a = arena_new();
	int r;

	c->refused = PERMIT_NONE;
	c->demands = (struct permit_demands){ .arena = a };
	if ((r = check_admission(db, a, c)) == 0 &&
	    (r = db_job_insert(db, c->job, &c->created)) == 0 &&
	    (r = check_goes_on(db, a, c)) == 0 &&
	    (r = count_stored(db, c)) == 0 && c->demands.n > 0)
		r = approval_ask(db, c->job, c->member->role,
		    c->member->party_id, &c->demands);
	arena_free(a);
	return r;
}

int
party_job_create(struct db *db, const struct party_caller *c,
    const struct party_member *m, const struct db_job_new *j,
    enum permit_kind *refused, bool *effective)
{
	struct creation creation = { .caller = c, .member = m, .job = j };
	int r;

	if (effective != NULL)
		*effective = false;
	if (refused != NULL)
		*refused = PERMIT_NONE;
	if ((r = check_description(c, m, j)) != 0)
		return r;
	r = db_tx(db, create_tx, &creation);
	if (refused != NULL)
		*refused = creation.refused;
	if (r != 0)
		return r;
	if (effective != NULL)
		*effective = creation.created;
	return 0;
}

static bool
is_of_member(const struct db_task_key *k, const struct party_member *m)
{
	return str_eq(k->role, m->role) && str_eq(k->party_id, m->party_id);
}

/*
 * The job's end is its tasks' too: who initiated it says no more of them.
 * What never began was canceled, however the job ended.  Of what began at a
 * job that is only wished to end the initiator is yet to say it.
 */
static int
end_verdict(struct db *db, const struct party_command *c,
    const struct db_task *t, enum state end)
{
	if (c->job->is_initiator || state_is_end(t->status) ||
	    (c->caller->is_wish && t->start_acked))
		return 0;
	return db_task_move(db, &t->key,
	    &(struct db_task_move){ .status = end,
		.party_status = STATE_NONE,
		.reason = c->reason },
	    NULL);
}

int
party_stop_tasks(struct db *db, struct party_command *c, bool all)
{
	struct db_task *rows;
	size_t n;
	bool ended = false;
	int r;

	if ((r = db_task_list(
		 db, c->arena, c->job->job_id, false, &rows, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct db_task *t = &rows[i];
		/* What never began did not fail or time out. */
		enum state end = t->start_acked ? c->state : STATE_CANCELED;

		if (!t->run_here ||
		    (!all && !is_of_member(&t->key, &c->member)))
			continue;
		if (!state_is_end(t->party_status) &&
		    (r = db_task_want_end(
			 db, &t->key, end, c->reason, &ended)) != 0)
			return r;
		if ((r = end_verdict(db, c, t, end)) != 0)
			return r;
		c->effective |= ended;
	}
	return 0;
}

/* --- resources --- */

int
party_site_ready(const struct site_conf *conf, struct wait *why)
{
	int r = site_disk_check(conf);

	if (r != ERR_BUSY)
		return r;
	*why = wait_of(WAIT_SITE_NOT_READY);
	return err_wrap("site of party %s", conf->party_id);
}

/* Nothing is held for what a person has not approved. */
static int
check_signing(struct db *db, struct party_command *c)
{
	int r;

	if (c->party->sign_due == DB_SIGN_REFUSED ||
	    c->party->sign_due == DB_SIGN_HEARD)
		return err_set(ERR_DENIED, "%s",
		    c->party->last_error != NULL ? c->party->last_error
						 : "refused");
	if (c->party->sign_due != DB_SIGN_WAITS)
		return 0;
	r = approval_check(db, c->job->job_id, c->job->revision, c->member.role,
	    c->member.party_id);
	/* It was approved since the member was read; or somebody wrote a row. */
	if (r == 0)
		r = err_set(ERR_PENDING,
		    "waits until what was approved is carried out");
	if (r == ERR_PENDING)
		c->why = wait_of(WAIT_APPROVAL);
	return r;
}

/* One that is not made yet is told to the initiator when it is. */
static int
ask_for_signature(struct db *db, const struct party_command *c)
{
	const struct party_member *m = &c->member;

	if (c->job->is_initiator ||
	    (enum db_sign_due)c->party->sign_due != DB_SIGN_DUE)
		return 0;
	return db_sign_due_move(db, m->job_id, m->role, m->party_id,
	    DB_SIGN_DUE, DB_SIGN_ASKED, NULL);
}

/* What it waited for here is over: it is the initiator's turn. */
static int
waits_elsewhere(struct db *db, const struct party_command *c)
{
	const struct db_job *j = c->job;
	struct wait w = wait_of(WAIT_INITIATOR);

	if (j->is_initiator || str_eq(j->wait.code, wait_name(w.code)))
		return 0;
	w.role = j->initiator_role;
	w.party = j->initiator_party;
	return db_wait_set_locked(db, j, &w);
}

/* starts: what is granted is not to be confirmed any more. */
static int
grant(struct db *db, struct party_command *c, bool starts)
{
	const struct db_job *j = c->job;
	const struct db_grant g = { .job_id = j->job_id,
		.role = c->member.role,
		.party_id = c->member.party_id,
		.engine = DB_ENGINE_DEFAULT,
		.cores = c->party->cores,
		.memory_mb = c->party->memory_mb };
	int r;

	if (state_is_end(j->status))
		return err_set(ERR_CONFLICT, "job %s has ended: %s", j->job_id,
		    state_name(j->status));
	if ((r = check_signing(db, c)) != 0)
		return r;
	/* Being asked for resources tells that all members took the job in. */
	if (j->status == STATE_READY &&
	    (r = db_job_move_locked(db, c->job, STATE_WAITING,
		 "all members created it", &c->effective)) != 0)
		return r;
	return starts ? db_resource_take(db, &g, &c->why)
		      : db_resource_apply(db, &g, c->reservation_ms, &c->why);
}

static int
apply(struct db *db, struct party_command *c)
{
	int r;

	if ((r = grant(db, c, false)) == 0 && (r = waits_elsewhere(db, c)) == 0)
		r = ask_for_signature(db, c);
	c->effective = r == 0;
	return r;
}

static int
run_apply(struct db *db, struct party_command *c, party_command_fn *fn,
    struct wait *why, bool *effective)
{
	int r;

	c->why = wait_of(WAIT_NONE);
	r = party_run(db, c, fn, effective);
	if (why != NULL)
		*why = c->why;
	return r;
}

int
party_resource_apply(struct db *db, const struct party_caller *caller,
    const struct party_member *m, int64_t reservation_ms, struct wait *why,
    bool *effective)
{
	struct party_command c = {
		.caller = caller, .member = *m, .reservation_ms = reservation_ms
	};

	return run_apply(db, &c, apply, why, effective);
}

/* Only a reservation: what a running job holds, its end gives back. */
static int
give_back(struct db *db, struct party_command *c)
{
	int r;

	if (c->job->status == STATE_RUNNING)
		return err_set(ERR_CONFLICT, "job %s runs", c->job->job_id);
	if ((r = waits_elsewhere(db, c)) != 0)
		return r;
	return db_resource_return(db, c->job->job_id, c->member.role,
	    c->member.party_id, "reservation returned", &c->effective);
}

int
party_resource_return(struct db *db, const struct party_caller *caller,
    const struct party_member *m, bool *effective)
{
	struct party_command c = { .caller = caller, .member = *m };

	return party_run(db, &c, give_back, effective);
}

/* --- start, status, stop --- */

static int
begin(struct db *db, struct party_command *c)
{
	const struct db_job *j = c->job;
	bool moved;
	int r;

	/* At the initiator the scheduler moves it, once all have started. */
	if (!j->is_initiator && j->status == STATE_READY &&
	    (r = db_job_move_locked(db, c->job, STATE_WAITING,
		 "all members created it", &moved)) != 0)
		return r;
	if (!j->is_initiator &&
	    (r = db_job_move_locked(
		 db, c->job, STATE_RUNNING, "started", &c->effective)) != 0)
		return r;
	return db_party_mark(db, j->job_id, c->member.role, c->member.party_id,
	    DB_PARTY_STARTED, true, "", 0);
}

static int
start(struct db *db, struct party_command *c)
{
	const struct db_job *j = c->job;
	int r;

	if (state_is_end(j->status))
		return err_set(ERR_CONFLICT, "job %s has ended: %s", j->job_id,
		    state_name(j->status));
	/* Also when another member here has set the job running. */
	if ((r = db_resource_confirm(
		 db, j->job_id, c->member.role, c->member.party_id)) != 0)
		return r;
	return begin(db, c);
}

static int
start_tasks(struct db *db, struct party_command *c)
{
	bool any;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_starts; i++) {
		r = party_task_start_held(db, &c->starts[i], &any);
		c->effective |= r == 0 && any;
	}
	return r;
}

int
party_start_signed(struct db *db, struct party_command *c)
{
	int r =
	    signatures_take(db, c->job, c->signatures, c->n_signatures, true);

	if (r == 0)
		r = start(db, c);
	return r == 0 ? start_tasks(db, c) : r;
}

int
party_job_start(struct db *db, const struct party_caller *caller,
    const struct party_member *m, bool *effective)
{
	struct party_command c = { .caller = caller, .member = *m };

	return party_run(db, &c, start, effective);
}

int
party_job_start_held(struct db *db, const struct party_member *m)
{
	int r = db_resource_confirm(db, m->job_id, m->role, m->party_id);

	return r != 0 ? r
		      : db_party_mark(db, m->job_id, m->role, m->party_id,
			    DB_PARTY_STARTED, true, "", 0);
}

static int
take(struct db *db, struct party_command *c)
{
	int r = grant(db, c, true);

	return r != 0 ? r : begin(db, c);
}

int
party_take_signed(struct db *db, struct party_command *c)
{
	int r;

	c->why = wait_of(WAIT_NONE);
	c->has_started = c->party->signed_revision == c->job->revision;
	if (!c->has_started)
		return apply(db, c);
	if ((r = signatures_take(
		 db, c->job, c->signatures, c->n_signatures, true)) == 0 &&
	    (r = take(db, c)) == 0)
		r = start_tasks(db, c);
	c->effective = r == 0;
	return r;
}

int
party_resource_take(struct db *db, const struct party_caller *caller,
    const struct party_member *m, struct wait *why, bool *effective)
{
	struct party_command c = { .caller = caller, .member = *m };

	return run_apply(db, &c, take, why, effective);
}

static int
status(struct db *db, struct party_command *c)
{
	int r;

	if ((r = party_model_end(db, c)) != 0)
		return r;
	return party_end_job(db, c, &c->effective);
}

int
party_job_status(struct db *db, const struct party_caller *caller,
    const struct party_member *m, enum state s, const char *reason,
    bool *effective)
{
	struct party_command c = {
		.caller = caller, .member = *m, .state = s, .reason = reason
	};

	if ((state_kinds(s) & STATE_OF_JOB) == 0)
		return err_set(
		    ERR_INVALID, "a job cannot be \"%s\"", state_name(s));
	return party_run(db, &c, status, effective);
}

static int
stop(struct db *db, struct party_command *c)
{
	bool moved;
	int r;

	/* This run, too, has its end here. */
	if (c->is_later_run && state_is_end(c->job->status) &&
	    (r = db_job_move_locked(db, c->job, STATE_WAITING,
		 "another run, which is over", &moved)) != 0)
		return r;
	/*
	 * A job that succeeded has no unended tasks worth a kill wish.  What is
	 * staged is sealed, or goes, by the initiator's word.
	 */
	if (state_is_interrupt(c->state) &&
	    ((r = party_stop_tasks(db, c, false)) != 0 ||
		(!c->caller->is_wish && (r = party_model_end(db, c)) != 0)))
		return r;
	/* At the initiator the scheduler moves its job, under its lease. */
	if (c->job->is_initiator)
		return 0;
	r = c->caller->is_wish
		? db_job_move_locked(db, c->job, c->state, c->reason, &moved)
		: party_end_job(db, c, &moved);
	if (r != 0)
		return r;
	c->effective |= moved;
	return 0;
}

int
party_job_stop(struct db *db, const struct party_caller *caller,
    const struct party_member *m, enum state s, const char *reason,
    bool *effective)
{
	struct party_command c = {
		.caller = caller, .member = *m, .state = s, .reason = reason
	};

	if (!state_is_end(s) || s == STATE_PASS)
		return err_set(ERR_INVALID,
		    "a job cannot be stopped as "
		    "\"%s\"",
		    state_name(s));
	return party_run(db, &c, stop, effective);
}
