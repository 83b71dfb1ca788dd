/*
 * Who may say what: every command passes here first.
 */
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_tx.h"
#include "lib/model/model_version.h"
#include "lib/party/party_private.h"

/*
 * Who is no member is told what he would be told of a job that is not here:
 * not even whether there is one.
 */
static int
no_member(const char *job_id)
{
	return err_set(ERR_NOT_FOUND, "no job %.30s", job_id);
}

static bool
has_party(const struct db_party *rows, size_t n, const char *party_id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].party_id, party_id))
			return true;
	return false;
}

static int
no_initiator(struct db *db, struct arena *a, const struct party_caller *c,
    const char *job_id)
{
	struct db_party *rows;
	size_t n;
	int r;

	if ((r = db_party_list(db, a, job_id, &rows, &n)) != 0)
		return r;
	if (!has_party(rows, n, c->party_id))
		return no_member(job_id);
	return err_set(ERR_DENIED, "party %.10s did not initiate job %s",
	    c->party_id, job_id);
}

int
party_check(struct db *db, struct arena *a, const struct party_caller *c,
    const struct party_member *m, bool lock, struct db_job **job,
    struct db_party **party)
{
	int r;

	if ((r = db_job_get_member(db, a, m->job_id, m->role, m->party_id, lock,
		 job, party)) != 0)
		return r;
	/* Before anything about members: strangers learn nothing of them. */
	if (!str_eq(c->party_id, (*job)->initiator_party) &&
	    !(c->is_site && (*job)->is_initiator))
		return no_initiator(db, a, c, m->job_id);
	if (*party == NULL)
		return err_set(ERR_NOT_FOUND, "%.20s %.10s is not in job %.30s",
		    m->role, m->party_id, m->job_id);
	if (!(*party)->is_local)
		return err_set(ERR_NOT_FOUND, "%s %s of job %s is not here",
		    m->role, m->party_id, m->job_id);
	return 0;
}

int
party_may_command(
    struct db *db, const struct party_caller *c, const struct party_member *m)
{
	struct arena *a = arena_new();
	struct db_party *party;
	struct db_job *job;
	int r = party_check(db, a, c, m, false, &job, &party);

	arena_free(a);
	return r;
}

static int
check_run(struct db *db, struct party_command *c)
{
	const char *job_id = c->member.job_id;
	const int64_t *run = c->caller->run;

	c->is_later_run = false;
	if (run == NULL || *run == c->job->run)
		return 0;
	if (*run < c->job->run)
		return err_set(ERR_CONFLICT,
		    "job %s is in its run %lld here, %lld is over", job_id,
		    (long long)c->job->run, (long long)*run);
	if (!state_is_interrupt(c->state) && !c->is_undo)
		return err_set(ERR_NOT_FOUND,
		    "job %s is in its run %lld here, %lld has not begun",
		    job_id, (long long)c->job->run, (long long)*run);
	c->is_later_run = true;
	return db_job_set_run(db, job_id, *run);
}

/* The row is locked: nobody claims the job while its scheduler acts. */
static int
check_lease(const struct party_command *c)
{
	int64_t lease = c->caller->lease;

	if (lease == 0 || lease == c->job->lease_fence)
		return 0;
	*c->caller->lease_lost = true;
	return err_set(ERR_CONFLICT, "lease %lld on job %s was lost",
	    (long long)lease, c->job->job_id);
}

/*
 * A partner's job has no lease here, so its row keeps the highest fence that
 * its initiator spoke under.
 */
static int
check_fence(struct db *db, const struct party_command *c)
{
	const struct db_job *job = c->job;
	int64_t fence = c->caller->fence;

	if (fence == 0 || job->is_initiator || fence == job->lease_fence)
		return 0;
	if (fence < job->lease_fence && c->caller->heard != NULL)
		*c->caller->heard = job->lease_fence;
	if (fence < job->lease_fence)
		return err_set(ERR_CONFLICT,
		    "job %s: another scheduler of party %s has it by now "
		    "(fence %lld, %lld was heard)",
		    job->job_id, job->initiator_party, (long long)fence,
		    (long long)job->lease_fence);
	return db_job_set_fence(db, job->job_id, fence);
}

/* A task that is not here, or has its end, is no matter of the command. */
static int
take_successes(struct db *db, const struct party_command *c)
{
	const struct party_caller *who = c->caller;
	int r = 0;

	for (size_t i = 0; r == 0 && i < who->n_succeeded; i++) {
		r = db_task_move(db, &who->succeeded[i],
		    &(struct db_task_move){
			.status = STATE_SUCCESS, .party_status = STATE_NONE },
		    NULL);
		if (r == ERR_NOT_FOUND) {
			err_clear();
			r = 0;
		}
	}
	return r;
}

struct command_call {
	struct party_command *command;
	party_command_fn *fn;
};

static int
command_tx(struct db *db, void *ctx)
{
	struct command_call *call = ctx;
	struct party_command *c = call->command;
	int r;

	c->effective = false;
	c->refused = PERMIT_NONE;
	if (c->caller->heard != NULL)
		*c->caller->heard = 0;
	c->arena = arena_new();
	/* Nobody begins another run, or speaks under a later fence, while the
	 * command is carried out. */
	if ((r = party_check(db, c->arena, c->caller, &c->member, true, &c->job,
		 &c->party)) == 0 &&
	    (r = check_lease(c)) == 0 && (r = check_fence(db, c)) == 0 &&
	    (r = check_run(db, c)) == 0 && (r = take_successes(db, c)) == 0)
		r = call->fn(db, c);
	arena_free(c->arena);
	return r;
}

int
party_run(struct db *db, struct party_command *c, party_command_fn *fn,
    bool *effective)
{
	struct command_call call = { c, fn };
	int r;

	r = db_tx(db, command_tx, &call);
	if (effective != NULL)
		*effective = r == 0 && c->effective;
	return r;
}

struct party_member
party_of_task(const struct db_task_key *k)
{
	return (struct party_member){
		.job_id = k->job_id, .role = k->role, .party_id = k->party_id
	};
}

int
party_check_place(const char *job_id, bool is_initiator, bool takes_part)
{
	if (!takes_part)
		return no_member(job_id);
	return is_initiator ? 0
			    : err_set(ERR_NOT_FOUND,
				  "job %s was not initiated here", job_id);
}

int
party_check_initiated(struct db *db, struct arena *a,
    const struct party_caller *c, const char *job_id, struct db_job **job)
{
	struct db_party *rows;
	size_t n;
	int r;

	if ((r = db_job_get_brief(db, a, job_id, job)) != 0)
		return r;
	if (c->is_site && (*job)->is_initiator)
		return 0;
	if ((r = db_party_list(db, a, job_id, &rows, &n)) != 0)
		return r;
	return party_check_place(
	    job_id, (*job)->is_initiator, has_party(rows, n, c->party_id));
}

/* As of jobs: the words are those of db_model_get(). */
int
party_check_model(const struct party_caller *c, const struct db_model *m)
{
	return c->is_site || model_has_party(m, c->party_id)
		   ? 0
		   : err_set(ERR_NOT_FOUND,
			 "no sealed version %.100s of model %.255s for %.20s "
			 "%.10s here",
			 m->model_version, m->model_id, m->role, m->party_id);
}

int
party_check_root(const struct db_model *m, const char *root)
{
	char own[MODEL_HEX_SIZE];

	str_to_hex(m->root_hash, sizeof(m->root_hash), own);
	if (str_eq(own, root))
		return 0;
	return err_set(ERR_DENIED,
	    "version %s has the root %s here, not %s: these halves do not "
	    "belong together",
	    m->model_version, own, root);
}

/* All wishes when the rules allow them all, else none. */
int
party_wishes(struct db *db, struct arena *a, const struct permit_ask *ask,
    struct permit_decision **out, size_t *n)
{
	size_t i;
	int r;

	if ((r = permit_decide(db, a, ask, out, n)) != 0)
		return r;
	for (i = 0; i < *n; i++)
		if (!(*out)[i].allowed)
			*n = 0;
	return 0;
}
