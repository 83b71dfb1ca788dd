/*
 * Commands about one task at one member.  Each is one transaction.
 */
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_metric.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_tx.h"
#include "lib/party/party_private.h"

static int
run_task(struct db *db, struct party_command *c, party_command_fn *fn,
    bool *effective)
{
	c->member = party_of_task(c->key);
	return party_run(db, c, fn, effective);
}

/* --- create: a new version --- */

#define NEWER "a newer version was created"

/*
 * The version before is over, canceled where it runs still.  Its initiator
 * says no more of it: it came to what it came to here.
 */
static int
end_older(struct db *db, const struct party_command *c, const struct db_task *t)
{
	enum state end = state_is_interrupt(t->party_status) ? t->party_status
							     : STATE_CANCELED;
	int r = 0;

	if (!state_is_end(t->party_status))
		r = db_task_want_end(db, &t->key, STATE_CANCELED, NEWER, NULL);
	if (r != 0 || c->job->is_initiator || state_is_end(t->status))
		return r;
	return db_task_move(db, &t->key,
	    &(struct db_task_move){
		.status = end, .party_status = STATE_NONE, .reason = NEWER },
	    NULL);
}

/*
 * *exists when this version is there.  Numbers may be left out: the initiator
 * made a version that never reached this member.
 */
static int
check_version(struct db *db, struct party_command *c, bool *exists)
{
	const struct db_task_new *t = c->task;
	struct db_task *newest;
	int r;

	*exists = false;
	r = db_task_get_newest(db, c->arena, c->job->job_id, t->component,
	    t->role, t->party_id, &newest);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return t->version == 0
			   ? 0
			   : err_set(ERR_CONFLICT,
				 "task %.100s has no version before %lld here",
				 t->component, (long long)t->version);
	}
	if (r != 0)
		return r;
	*exists = t->version == newest->key.version;
	if (t->version < newest->key.version)
		return err_set(ERR_CONFLICT,
		    "task %.100s has version %lld "
		    "here, %lld is older",
		    t->component, (long long)newest->key.version,
		    (long long)t->version);
	return *exists ? 0 : end_older(db, c, newest);
}

static struct permit_ask
ask_of(const struct db_job *job, const struct db_task_key *k,
    const struct permit_task *task, const char *command)
{
	return (struct permit_ask){ .job_id = job->job_id,
		.party = job->initiator_party,
		.src_role = job->initiator_role,
		.role = k->role,
		.party_id = k->party_id,
		.command = command,
		.tasks = task,
		.ntasks = 1 };
}

static int
check_rerun(struct db *db, struct party_command *c)
{
	const struct db_task_new *t = c->task;
	struct permit_task task = { t->component, t->module, t->parameters };
	struct permit_ask ask = ask_of(c->job, c->key, &task, PERMIT_RERUN);

	return c->job->is_initiator ? 0 : permit_check(db, &ask, &c->refused);
}

int
party_may_run(struct db *db, const struct db_task_key *k)
{
	struct arena *a = arena_new();
	struct permit_task task;
	struct permit_ask ask;
	struct db_task_wish *w;
	int r;

	if ((r = db_task_get_wish(db, a, k, &w)) != 0 || w->is_initiator)
		goto out;
	task = (struct permit_task){ k->component, w->module, w->parameters };
	ask = ask_of(&(struct db_job){ .job_id = k->job_id,
			 .initiator_role = w->initiator_role,
			 .initiator_party = w->initiator_party },
	    k, &task, PERMIT_CREATE);
	r = permit_check(db, &ask, NULL);
out:
	arena_free(a);
	return r;
}

int
party_task_wishes(struct db *db, struct arena *a, const struct party_member *m,
    const struct db_task_new *t, struct permit_ask *ask,
    struct permit_decision **out, size_t *n)
{
	struct permit_task task = { t->component, t->module, t->parameters };
	struct db_task_key key = { .job_id = m->job_id,
		.component = t->component,
		.version = t->version,
		.role = m->role,
		.party_id = m->party_id };
	struct db_job *job;
	int r;

	*n = 0;
	if ((r = db_job_get_brief(db, a, m->job_id, &job)) != 0 ||
	    job->is_initiator)
		return r;
	*ask = ask_of(job, &key, &task, PERMIT_RERUN);
	ask->role = m->role;
	ask->party_id = m->party_id;
	r = party_wishes(db, a, ask, out, n);
	ask->tasks = NULL;
	ask->ntasks = 0;
	return r;
}

static int
create(struct db *db, struct party_command *c)
{
	bool exists;
	int r;

	if ((r = check_version(db, c, &exists)) != 0 || exists)
		return r;
	if ((r = check_rerun(db, c)) != 0)
		return r;
	/* Overtaken by the job's end: another run begins with reopen. */
	if (state_is_end(c->job->status))
		return err_set(ERR_CONFLICT, "job %s has ended here: %s",
		    c->job->job_id, state_name(c->job->status));
	if ((r = db_task_insert(db, c->job->job_id, c->task, 1)) != 0)
		return r;
	if (!c->job->is_initiator &&
	    (r = db_quota_store(
		 db, c->job->initiator_party, party_task_bytes(c->task))) != 0)
		return r;
	c->effective = true;
	return 0;
}

int
party_task_create(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct db_task_new *t,
    enum permit_kind *refused, bool *effective)
{
	struct db_task_key key = { .job_id = m->job_id,
		.component = t->component,
		.version = t->version,
		.role = m->role,
		.party_id = m->party_id };
	struct party_command c = { .caller = caller, .key = &key, .task = t };

	int r;

	if (effective != NULL)
		*effective = false;
	if (refused != NULL)
		*refused = PERMIT_NONE;
	if (!str_eq(t->role, m->role) || !str_eq(t->party_id, m->party_id) ||
	    !t->run_here)
		return err_set(ERR_INVALID, "task %.100s is of another member",
		    t->component);
	r = run_task(db, &c, create, effective);
	if (refused != NULL)
		*refused = c.refused;
	return r;
}

/* --- start, status, stop, collect --- */

/* What the versions before told is kept until then. */
static int
start(struct db *db, struct party_command *c)
{
	int r = db_task_want_launch(db, c->key, &c->effective);

	return r == 0 && c->effective && c->key->version > 0
		   ? db_metric_delete_older(db, c->key)
		   : r;
}

int
party_task_start(struct db *db, const struct party_caller *caller,
    const struct db_task_key *k, bool *effective)
{
	struct party_command c = { .caller = caller, .key = k };

	return run_task(db, &c, start, effective);
}

int
party_task_start_held(
    struct db *db, const struct db_task_key *k, bool *effective)
{
	struct party_command c = { .key = k };
	int r = start(db, &c);

	*effective = r == 0 && c.effective;
	return r;
}

int
party_task_begin_held(struct db *db, struct arena *a,
    const struct db_claim *claim, const struct db_task_key *k,
    struct db_attempt **row)
{
	int r = db_attempt_begin_task(db, a, claim, k, row);

	return r == 0 && *row != NULL && k->version > 0
		   ? db_metric_delete_older(db, k)
		   : r;
}

static int
status(struct db *db, struct party_command *c)
{
	unsigned moved;
	int r;

	r = db_task_move(db, c->key,
	    &(struct db_task_move){ .status = c->state,
		.party_status = STATE_NONE,
		.error_default =
		    state_is_interrupt(c->state) ? c->reason : NULL,
		.reason = c->reason },
	    &moved);
	c->effective = r == 0 && moved != 0;
	return r;
}

int
party_task_status(struct db *db, const struct party_caller *caller,
    const struct db_task_key *k, enum state s, const char *reason,
    bool *effective)
{
	struct party_command c = {
		.caller = caller, .key = k, .state = s, .reason = reason
	};

	if ((state_kinds(s) & STATE_OF_TASK) == 0)
		return err_set(
		    ERR_INVALID, "a task cannot be \"%s\"", state_name(s));
	return run_task(db, &c, status, effective);
}

static int
stop(struct db *db, struct party_command *c)
{
	return db_task_want_end(db, c->key, c->state, c->reason, &c->effective);
}

int
party_task_stop(struct db *db, const struct party_caller *caller,
    const struct db_task_key *k, enum state s, const char *reason,
    bool *effective)
{
	struct party_command c = {
		.caller = caller, .key = k, .state = s, .reason = reason
	};

	if (!state_is_interrupt(s))
		return err_set(ERR_INVALID,
		    "a task cannot be stopped as "
		    "\"%s\"",
		    state_name(s));
	return run_task(db, &c, stop, effective);
}

int
party_task_collect(struct db *db, struct arena *a,
    const struct party_caller *caller, const struct db_task_key *k,
    struct db_task **out)
{
	struct party_member m = party_of_task(k);
	struct db_party *party;
	struct db_job *job;
	int r;

	*out = NULL;
	if ((r = party_check(db, a, caller, &m, false, &job, &party)) != 0)
		return r;
	return db_task_get(db, a, k, out);
}
