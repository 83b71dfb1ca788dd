/*
 * From the rows of a job to what the plan is made of.
 */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "supervisor/job.h"
#include "supervisor/partners.h"
#include "supervisor/queue.h"

/* How long a job may wait for its start: what the platform allows. */
#define QUEUE_TIMEOUT_MS (6 * 3600 * INT64_C(1000))
/* A running task without news for so long is asked after. */
#define SILENT_MS 10000

/*
 * A waiting job that is woken asks again whoever refused.  Answers that are
 * under way may be about what was before the wake, so it is not over yet: the
 * look after them sees it.
 */
static void
see_wake(struct job *j, const struct db_job_plan *row)
{
	if (row->is_woken && row->status == STATE_WAITING &&
	    row->look_us != j->seen_us) {
		if (j->under_way > 0)
			return;
		job_forget(j);
	}
	j->seen_us = row->look_us;
}

static int
load_rows(struct supervisor *s, struct job *j, struct snapshot *sn,
    struct db_task **tasks, size_t *ntasks)
{
	const char *dsl;
	int r;

	/* The document is read once, for the graph. */
	if (j->graph == NULL &&
	    ((r = db_job_get_dsl(s->db, sn->arena, j->job_id, &dsl)) != 0 ||
		(r = graph_from_dsl(dsl, &j->graph)) != 0))
		return r;
	/* First of the rows: a wake since then is another one. */
	if ((r = db_job_get_plan(s->db, sn->arena, j->job_id, &sn->row,
		 &sn->parties, &sn->nparties)) != 0)
		return r;
	if (sn->row->lease_fence != j->fence)
		return err_set(ERR_CONFLICT, "lease %lld on job %s was lost",
		    (long long)j->fence, j->job_id);
	see_wake(j, sn->row);
	return db_task_list_plan(s->db, sn->arena, j->job_id, tasks, ntasks);
}

static bool
is_resting(struct snapshot *sn, int64_t until_ms)
{
	int64_t left = until_ms - clock_mono_ms();

	if (until_ms == 0 || left <= 0)
		return false;
	if (!sn->resting || left < sn->rest_ms)
		sn->rest_ms = left;
	sn->resting = true;
	return true;
}

static bool
has_said(const struct job *j, const struct db_party *p, enum db_party_flag flag)
{
	return acks_has_member(&j->acks, p->role, p->party_id, flag);
}

static bool
has_signed(const struct job *j, const struct db_party *p, int64_t revision)
{
	return p->signed_revision == revision ||
	       acks_has_signature(&j->acks, p->role, p->party_id, revision);
}

/*
 * Own members that have started, of a job that does not run: whoever had it
 * before was asking a partner to begin, or was about to.
 */
static void
make_members(struct job *j, const struct snapshot *sn)
{
	bool doubt = false;

	j->nmembers = sn->nparties;
	j->members = xcalloc(sn->nparties + 1, sizeof(*j->members));
	j->tasks = xcalloc(sn->nparties * j->graph->n + 1, sizeof(*j->tasks));
	for (size_t m = 0; m < sn->nparties; m++)
		doubt |= sn->parties[m].is_local && sn->parties[m].started;
	for (size_t m = 0; m < sn->nparties; m++)
		j->members[m].in_doubt = doubt && !sn->parties[m].is_local &&
					 !sn->parties[m].started;
}

static void
load_members(struct supervisor *s, struct job *j, struct snapshot *sn)
{
	struct plan_job *p = &sn->plan;

	if (j->members == NULL)
		make_members(j, sn);
	p->nmembers = sn->nparties;
	p->members =
	    arena_alloc(sn->arena, p->nmembers * sizeof(*p->members) + 1);
	for (size_t m = 0; m < sn->nparties; m++) {
		const struct db_party *row = &sn->parties[m];
		const struct job_member *known = &j->members[m];
		struct plan_member *pm = &p->members[m];
		bool erred =
		    row->last_error != NULL && *row->last_error != '\0';
		const char *why = NULL;

		*pm = (struct plan_member){
			.role = row->role,
			.party = row->party_id,
			.is_local = row->is_local,
			.created = row->created,
			.reserved = row->reserved ||
				    has_said(j, row, DB_PARTY_RESERVED),
			.started =
			    row->started || has_said(j, row, DB_PARTY_STARTED),
			.ended = row->ended || has_said(j, row, DB_PARTY_ENDED),
			.staged = row->staged,
			.is_signed = has_signed(j, row, sn->row->revision),
			/* answer_end() */
			.has_left = row->ended && erred,
			.busy =
			    known->busy || is_resting(sn, known->rest_until_ms),
			.refused = known->refused,
			.in_doubt = known->in_doubt,
			.is_signing = is_resting(sn, known->sign_until_ms),
			.unknown = known->unknown,
			.error = known->error,
			.refusal = known->refusal,
		};
		/* A refusal of an earlier round: ask in order this time. */
		p->apply_in_order |= erred;
		/* What it said last is of no account once it may be asked. */
		if (!row->is_local && partners_away(s->partners, row->party_id,
					  &pm->away_ms, &why)) {
			pm->away = true;
			pm->error = why;
		}
		/* An end is owed, and is told when it can be. */
		if (!row->is_local && row->created &&
		    state_is_end(sn->row->status) &&
		    partners_is_shut(s->partners, row->party_id, &why)) {
			pm->away = true;
			pm->error = arena_strdup(sn->arena, why);
		}
	}
}

static size_t
member_of(const struct snapshot *sn, const struct db_task *t)
{
	for (size_t m = 0; m < sn->nparties; m++)
		if (strcmp(sn->parties[m].role, t->key.role) == 0 &&
		    strcmp(sn->parties[m].party_id, t->key.party_id) == 0)
			return m;
	return (size_t)-1;
}

static struct plan_row
row_of(const struct site_conf *conf, struct job *j, struct snapshot *sn,
    size_t c, size_t m, const struct db_task *t)
{
	struct job_task *known = job_task(j, c, m);
	int64_t now = clock_mono_ms();
	struct plan_row row = {
		.member = m,
		.party_status = t->party_status,
		.acked = t->status_acked,
		.start_acked = t->start_acked,
		.auto_retries = (int)t->auto_retries,
		.retry_delay_ms = t->retry_delay_s * 1000,
		.ended_ms = t->ended_ago_ms,
		.error = t->error_report,
		.fault = fault_parse(t->fault),
		.busy = known->busy || is_resting(sn, known->rest_until_ms),
	};

	if (sn->parties[m].is_local) {
		/* The other members are told what the plan says. */
		row.error = fault_outward(
		    conf->error_detail, row.fault, t->error_report);
		/* The row is the member's own: it knows the verdict unless
		 * it still has to be told to stop. */
		row.acked = state_is_end(t->party_status) ||
				    t->kill_wanted != STATE_NONE
				? t->status
				: STATE_NONE;
		return row;
	}
	acks_apply(&j->acks, &t->key, &row.start_acked, &row.acked);
	if (known->heard_ms == 0)
		known->heard_ms = now;
	row.silent = now - known->heard_ms > SILENT_MS;
	return row;
}

static int
load_components(const struct site_conf *conf, struct job *j,
    struct snapshot *sn, struct db_task *tasks, size_t ntasks)
{
	struct plan_job *p = &sn->plan;
	const size_t n = j->graph->n;

	p->ncomponents = n;
	p->components = arena_alloc(sn->arena, n * sizeof(*p->components) + 1);
	sn->tasks = arena_alloc(sn->arena, n * sizeof(*sn->tasks) + 1);
	for (size_t c = 0; c < n; c++) {
		p->components[c].name = j->graph->nodes[c].name;
		p->components[c].upstream = j->graph->nodes[c].ups;
		p->components[c].nupstream = j->graph->nodes[c].nups;
		/* Nobody runs it: nothing to wait for. */
		p->components[c].status = STATE_SUCCESS;
		p->components[c].rows = arena_alloc(
		    sn->arena, sn->nparties * sizeof(struct plan_row) + 1);
		sn->tasks[c] = arena_alloc(
		    sn->arena, sn->nparties * sizeof(**sn->tasks) + 1);
	}
	for (size_t i = 0; i < ntasks; i++) {
		struct db_task *t = &tasks[i];
		size_t m = member_of(sn, t), c;
		struct plan_component *comp;

		c = graph_find(j->graph, t->key.component, (size_t)t->seq);
		if (c == (size_t)-1 || m == (size_t)-1)
			return err_set(ERR_INVALID,
			    "task %s of %s %s is none "
			    "of the job's",
			    t->key.component, t->key.role, t->key.party_id);
		comp = &p->components[c];
		if (comp->nrows == sn->nparties)
			return err_set(ERR_INVALID,
			    "task %s has more rows "
			    "than the job has members",
			    t->key.component);
		comp->version = (int)t->key.version;
		comp->status = t->status;
		comp->rows[comp->nrows] = row_of(conf, j, sn, c, m, t);
		sn->tasks[c][comp->nrows++] = t;
	}
	return 0;
}

static void
load_job(struct job *j, struct snapshot *sn)
{
	const struct db_job_plan *row = sn->row;
	struct plan_job *p = &sn->plan;

	p->job_id = j->job_id;
	p->status = row->status;
	p->makes_model =
	    j->graph->makes_model && strcmp(row->job_type, "train") == 0;
	p->cancel_signal = row->cancel_signal;
	p->cancel_status = row->cancel_status;
	p->reason = row->reason;
	p->task_parallelism =
	    row->task_parallelism < 1 ? 1 : (int)row->task_parallelism;
	p->progress = (int)row->progress;
	p->waiting_ms = row->queued_ms;
	/* A person has the time that the rule gives. */
	if (str_eq(row->wait.code, wait_name(WAIT_APPROVAL)))
		p->waiting_ms = 0;
	p->undo_to = row->status == STATE_WAITING ? row->before : STATE_NONE;
	p->undone = row->undone && state_is_end(row->status);
	p->running_ms = row->running_ms;
	p->over_ms = row->over_ms;
	p->timeout_ms = row->timeout_s * 1000;
	p->queue_timeout_ms = QUEUE_TIMEOUT_MS;
}

/*
 * Who is about to ask for resources may have to let another go first; not any
 * more when it holds some.
 */
static int
load_queue(struct supervisor *s, struct snapshot *sn)
{
	struct plan_job *p = &sn->plan;
	const char **parties =
	    arena_alloc(sn->arena, (p->nmembers + 1) * sizeof(*parties));
	bool asks = false;

	for (size_t m = 0; m < p->nmembers; m++) {
		if (!p->members[m].created || p->members[m].reserved)
			return 0;
		asks |= !p->members[m].started;
		parties[m] = p->members[m].party;
	}
	if (!asks || p->status != STATE_WAITING)
		return 0;
	return queue_ahead(s->queue, sn->arena, p->job_id, parties, p->nmembers,
	    &p->yield_to, &p->yield_at);
}

int
snapshot_load(struct supervisor *s, struct job *j, struct snapshot *sn)
{
	struct db_task *tasks = NULL;
	size_t ntasks = 0;
	int r;

	memset(sn, 0, sizeof(*sn));
	sn->arena = arena_new();
	if ((r = load_rows(s, j, sn, &tasks, &ntasks)) != 0)
		return r;
	if (j->members != NULL && j->nmembers != sn->nparties)
		return err_set(
		    ERR_INVALID, "job %s changed its members", j->job_id);
	load_members(s, j, sn);
	if ((r = load_components(s->conf, j, sn, tasks, ntasks)) != 0)
		return r;
	load_job(j, sn);
	sn->plan.lost_partner_ms = s->conf->partner_outage_s * 1000;
	return load_queue(s, sn);
}

void
snapshot_fini(struct snapshot *sn)
{
	arena_free(sn->arena);
	memset(sn, 0, sizeof(*sn));
}

struct model_member *
snapshot_models(const struct snapshot *sn, struct arena *arena, size_t *n)
{
	struct model_member *list =
	    arena_alloc(arena, (sn->nparties + 1) * sizeof(*list));

	*n = 0;
	for (size_t i = 0; sn->plan.makes_model && i < sn->nparties; i++) {
		const struct db_party *p = &sn->parties[i];
		struct model_member *m = &list[*n];

		if (!p->staged)
			continue;
		m->role = arena_strdup(arena, p->role);
		m->party_id = arena_strdup(arena, p->party_id);
		memcpy(m->manifest_hash, p->manifest_hash,
		    sizeof(m->manifest_hash));
		(*n)++;
	}
	return list;
}

const struct db_task *
snapshot_task(const struct snapshot *sn, size_t component, size_t member)
{
	const struct plan_component *c = &sn->plan.components[component];

	for (size_t i = 0; i < c->nrows; i++)
		if (c->rows[i].member == member)
			return sn->tasks[component][i];
	return NULL;
}
