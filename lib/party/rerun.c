/*
 * Running again what did not succeed, and what depends on it.  Called by
 * fcgi-app for the initiator's users and by its supervisor.
 *
 * A rerun is one transaction: the choice of components, their new versions,
 * and the job's way back to waiting.  Whoever reads afterwards sees all of
 * it or nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_table.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/model/contract.h"
#include "lib/party/contract_check.h"
#include "lib/party/party_private.h"

/* Everything but the rows; what a repeated transaction starts from. */
struct rerun {
	const struct party_caller *caller;
	const char *job_id;
	const struct graph *graph; /* NULL: a retry */
	const char *const *components;
	size_t ncomp;
	bool all;   /* no components named: all */
	bool force; /* also those that succeeded */
	bool named_are_gone;
	bool is_retry;
	int64_t auto_retries; /* -1: as before */
	int64_t retry_delay_s;
	int64_t n;
};

/* A component: its rows at the newest version, one a member. */
struct place {
	const struct db_task *rows;
	size_t nrows;
	bool success;
	bool waits;   /* not begun, and the job goes on: runs as it is */
	bool goes_on; /* begun and not ended, the job neither */
	bool in;      /* gets a new version */
	bool gone;    /* left tables that are not there any more */
};

/* One transaction's view. */
struct view {
	struct arena *arena;
	bool was_ended;
	struct place *places; /* one a node of the graph, or one */
	size_t n;
	struct db_task *rows;
	size_t nrows;
};

static bool
is_named(const struct rerun *rr, const char *component)
{
	if (rr->all)
		return true;
	for (size_t i = 0; i < rr->ncomp; i++)
		if (strcmp(rr->components[i], component) == 0)
			return true;
	return false;
}

/* --- the rows ------------------------------------------------------------- */

static void
fill_place(
    const struct view *v, struct place *p, const struct db_task *rows, size_t n)
{
	bool fresh = true;

	p->rows = rows;
	p->nrows = n;
	p->success = true;
	for (size_t i = 0; i < n; i++) {
		fresh &= rows[i].party_status == STATE_WAITING &&
			 rows[i].status == STATE_WAITING &&
			 !rows[i].start_acked;
		p->success &= state_is_success(rows[i].status);
	}
	/* In a job that ended, a member may have ended what waits here. */
	p->waits = fresh && !v->was_ended;
	p->goes_on = !fresh && !v->was_ended && !state_is_end(rows[0].status);
}

/* Rows of one component stand together in the list. */
static int
load(struct db *db, const struct rerun *rr, struct view *v)
{
	size_t from, to, c;
	int r;

	if ((r = db_task_list(
		 db, v->arena, rr->job_id, true, &v->rows, &v->nrows)) != 0)
		return r;
	v->n = rr->graph != NULL ? rr->graph->n : 1;
	v->places = arena_alloc(v->arena, (v->n + 1) * sizeof(*v->places));
	for (from = 0; from < v->nrows; from = to) {
		const struct db_task *t = &v->rows[from];

		for (to = from;
		     to < v->nrows &&
		     strcmp(v->rows[to].key.component, t->key.component) == 0;
		     to++)
			continue;
		if (rr->graph == NULL)
			c = is_named(rr, t->key.component) ? 0 : (size_t)-1;
		else if ((c = graph_find(rr->graph, t->key.component,
			      (size_t)t->seq)) == (size_t)-1)
			return err_set(ERR_INVALID,
			    "task %s is none of the job's", t->key.component);
		if (c != (size_t)-1)
			fill_place(v, &v->places[c], t, to - from);
	}
	return 0;
}

/* --- the choice ----------------------------------------------------------- */

static void
mark_gone(
    const struct rerun *rr, struct view *v, const char *const *names, size_t n)
{
	size_t c;

	for (size_t i = 0; i < n; i++)
		if ((c = graph_find(rr->graph, names[i], 0)) != (size_t)-1)
			v->places[c].gone = true;
}

static int
load_gone(struct db *db, const struct rerun *rr, struct view *v)
{
	const char **names;
	size_t n;
	int r;

	if (rr->named_are_gone)
		mark_gone(rr, v, rr->components, rr->ncomp);
	if ((r = db_output_gone(db, v->arena, rr->job_id, &names, &n)) == 0)
		mark_gone(rr, v, names, n);
	return r;
}

static void
choose_named(const struct rerun *rr, struct view *v)
{
	for (size_t c = 0; c < v->n; c++) {
		struct place *p = &v->places[c];

		if (p->nrows == 0 || rr->named_are_gone ||
		    !is_named(rr, rr->graph->nodes[c].name) || p->waits)
			continue;
		p->in = rr->force || (!p->success && !p->goes_on);
	}
}

/* Nodes stand upstream first: one pass reaches everything downstream. */
static void
close_downstream(const struct rerun *rr, struct view *v)
{
	for (size_t c = 0; c < v->n; c++) {
		const struct graph_node *node = &rr->graph->nodes[c];

		for (size_t u = 0; u < node->nups; u++)
			if (v->places[node->ups[u]].in &&
			    v->places[c].nrows > 0)
				v->places[c].in |= !v->places[c].waits;
	}
}

/* What is still to run and reads something that is gone; true: chosen anew. */
static bool
choose_gone(const struct rerun *rr, struct view *v)
{
	bool found = false;

	for (size_t c = 0; c < v->n; c++) {
		const struct graph_node *node = &rr->graph->nodes[c];

		if (!v->places[c].in && !v->places[c].waits &&
		    !(rr->named_are_gone && !v->places[c].success))
			continue;
		for (size_t u = 0; u < node->nups; u++) {
			struct place *up = &v->places[node->ups[u]];

			if (up->gone && !up->in && !up->waits) {
				up->in = found = true;
			}
		}
	}
	return found;
}

static int
choose(struct db *db, const struct rerun *rr, struct view *v)
{
	int r;

	if (rr->graph == NULL) {
		v->places[0].in = v->places[0].nrows > 0 &&
				  !v->places[0].success &&
				  v->places[0].rows[0].auto_retries > 0;
		return 0;
	}
	if ((r = load_gone(db, rr, v)) != 0)
		return r;
	choose_named(rr, v);
	do
		close_downstream(rr, v);
	while (choose_gone(rr, v));
	return 0;
}

/* --- new versions --------------------------------------------------------- */

/* need_run stands among the complete parameters. */
static int
next_need_run(const struct db_task *t, bool *out)
{
	struct json_object *o = NULL;
	int r;

	*out = t->need_run;
	if (t->next_parameters == NULL)
		return 0;
	if ((r = json_parse_text(t->next_parameters, &o)) == 0)
		*out = json_get_bool(o, "need_run", true);
	json_object_put(o);
	return r;
}

int
party_next_version(const struct db_task *t, struct db_task_new *out)
{
	bool need_run;
	int r;

	if ((r = next_need_run(t, &need_run)) != 0)
		return r;
	*out = (struct db_task_new){
		.component = t->key.component,
		.version = t->key.version + 1,
		.role = t->key.role,
		.party_id = t->key.party_id,
		.seq = t->seq,
		.module = t->module,
		.run_here = t->run_here,
		.need_run = need_run,
		.auto_retries = t->auto_retries,
		.retry_delay_s = t->retry_delay_s,
		.provider = t->provider,
		.parameters = t->next_parameters != NULL ? t->next_parameters
							 : t->parameters,
	};
	return 0;
}

static int
renew_row(struct db *db, struct arena *a, const struct rerun *rr,
    const struct db_task_key *key)
{
	struct db_task_new next;
	struct db_task *full;
	int r;

	if ((r = db_task_get(db, a, key, &full)) != 0 ||
	    (r = party_next_version(full, &next)) != 0)
		return r;
	if (rr->is_retry)
		next.auto_retries--;
	else if (rr->auto_retries >= 0) {
		next.auto_retries = rr->auto_retries;
		next.retry_delay_s = rr->retry_delay_s;
	}
	if (full->run_here && !state_is_end(full->party_status) &&
	    (r = db_task_want_end(
		 db, &full->key, STATE_CANCELED, "rerun", NULL)) != 0)
		return r;
	/* Nobody asks a partner how an older version ended. */
	if (!full->run_here && !state_is_end(full->party_status) &&
	    (r = db_task_move(db, &full->key,
		 &(struct db_task_move){ .status = STATE_NONE,
		     .party_status = STATE_CANCELED,
		     .reason = "rerun" },
		 NULL)) != 0)
		return r;
	return db_task_insert(db, rr->job_id, &next, 1);
}

/* End what is left of the old version, then make each row's next. */
static int
renew_component(struct db *db, const struct view *v, const struct rerun *rr,
    const struct place *p)
{
	const struct db_task *first = &p->rows[0];
	int r;

	for (size_t i = 0; i < p->nrows; i++)
		if ((r = renew_row(db, v->arena, rr, &p->rows[i].key)) != 0)
			return r;
	if (state_is_end(first->status))
		return 0;
	/* Its verdict must not be found from members that go on later. */
	return db_task_move_all(db, rr->job_id, first->key.component,
	    first->key.version, first->status, STATE_CANCELED, "rerun", NULL);
}

/* --- the transaction ------------------------------------------------------ */

/* First of all: it locks the job, so that two reruns follow each other. */
static int
lock_job(struct db *db, const struct rerun *rr, struct view *v)
{
	/* Within a run the scheduler asks, under its own lease. */
	if (rr->is_retry || rr->named_are_gone)
		return db_job_wake(db, rr->job_id);
	return db_job_rerun(db, rr->job_id, "rerun asked for", &v->was_ended);
}

/* Within a run the members go on by what they signed for it. */
static int
check_contract(struct db *db, const struct rerun *rr, const struct view *v)
{
	struct json_object *contract = NULL;
	struct db_job *job;
	int64_t from, until;
	int r;

	if (rr->is_retry || rr->named_are_gone || !v->was_ended)
		return 0;
	if ((r = db_job_get(db, v->arena, rr->job_id, &job)) != 0 ||
	    (r = json_parse_text(job->contract, &contract)) != 0)
		return r;
	/* Of an older form nobody can start anything, and says so. */
	if (contract_validity(contract, &from, &until))
		r = contract_check_run(
		    contract, job->run, job->created_ms + job->age_ms);
	json_object_put(contract);
	return r;
}

static int
rerun_tx(struct db *db, void *ctx)
{
	struct rerun *rr = ctx;
	struct view v = { .arena = arena_new() };
	struct db_job *job;
	int r;

	rr->n = 0;
	if ((r = party_check_initiated(
		 db, v.arena, rr->caller, rr->job_id, &job)) != 0 ||
	    (r = lock_job(db, rr, &v)) != 0 ||
	    (r = check_contract(db, rr, &v)) != 0 ||
	    (r = load(db, rr, &v)) != 0 || (r = choose(db, rr, &v)) != 0)
		goto out;
	for (size_t c = 0; c < v.n; c++) {
		if (!v.places[c].in)
			continue;
		if ((r = renew_component(db, &v, rr, &v.places[c])) != 0)
			goto out;
		rr->n++;
	}
	/* The job stays as it was. */
	if (rr->n == 0)
		r = err_set(ERR_CANCELED, "nothing to rerun");
out:
	arena_free(v.arena);
	return r;
}

static int
run_again(struct db *db, struct rerun *rr, int64_t *n)
{
	int r = db_tx(db, rerun_tx, rr);

	if (r == ERR_CANCELED) {
		err_clear();
		r = 0;
		rr->n = 0;
	}
	if (n != NULL)
		*n = r == 0 ? rr->n : 0;
	return r;
}

int
initiator_rerun(struct db *db, const struct party_caller *c,
    const struct party_rerun *p, int64_t *n)
{
	struct rerun rr = { .caller = c,
		.job_id = p->job_id,
		.graph = p->graph,
		.components = p->components,
		.ncomp = p->ncomp,
		.all = p->ncomp == 0,
		.force = p->force,
		.auto_retries = p->auto_retries,
		.retry_delay_s = p->retry_delay_s };

	return run_again(db, &rr, n);
}

int
initiator_renew_gone(struct db *db, const struct party_caller *c,
    const char *job_id, const struct graph *graph,
    const char *const *components, size_t ncomp, int64_t *n)
{
	struct rerun rr = { .caller = c,
		.job_id = job_id,
		.graph = graph,
		.components = components,
		.ncomp = ncomp,
		.named_are_gone = true,
		.auto_retries = -1 };

	return run_again(db, &rr, n);
}

int
initiator_retry(struct db *db, const struct party_caller *c, const char *job_id,
    const char *component, int64_t *n)
{
	struct rerun rr = { .caller = c,
		.job_id = job_id,
		.components = &component,
		.ncomp = 1,
		.is_retry = true,
		.auto_retries = -1 };

	return run_again(db, &rr, n);
}

/* --- other parameters ----------------------------------------------------- */

struct revision {
	const struct party_caller *caller;
	const struct db_job_new *j;
};

static int
revise_tx(struct db *db, void *ctx)
{
	const struct revision *rev = ctx;
	struct arena *a = arena_new();
	struct db_job *job;
	int r;

	/* Locks the row: what is read afterwards stays so. */
	if ((r = db_job_wake(db, rev->j->job_id)) != 0 ||
	    (r = party_check_initiated(
		 db, a, rev->caller, rev->j->job_id, &job)) != 0)
		goto out;
	if (!state_is_end(job->status))
		r = err_set(ERR_BUSY,
		    "job %s is %s; its parameters can be changed once it has "
		    "ended: stop it first, or wait",
		    job->job_id, state_name(job->status));
	else if (job->revision + 1 != rev->j->revision)
		r = err_set(ERR_CONFLICT,
		    "job %s got other parameters meanwhile", job->job_id);
	else
		r = db_job_revise(db, rev->j);
out:
	arena_free(a);
	return r;
}

int
initiator_revise(
    struct db *db, const struct party_caller *c, const struct db_job_new *j)
{
	struct revision rev = { c, j };

	return db_tx(db, revise_tx, &rev);
}
