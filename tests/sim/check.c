/*
 * What must hold: at any time, and once all has come to rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/sim/world.h"

/* --- who holds which job ----------------------------------------------------------- */

#define LEASES_MAX 32

/* Of a job: who claimed it last, also when it was given back since. */
struct lease {
	const struct site *site;
	char job_id[ID_JOB_SIZE];
	char holder[24]; /* host; "": nobody since it began anew */
	int64_t fence;
};

static struct lease leases[LEASES_MAX];
static size_t nleases;

/* --- executors: never two of one task ------------------------------------------------- */

struct running {
	char *key;
	int64_t version;
	int n;
	struct running *next;
};

static struct running *runs;

/* --- when there is something new to look at -------------------------------------------- */

/* Writes of all sites when step and rest were looked at last, and what was. */
static int64_t step_seen, rest_seen;
static bool was_at_rest;

static bool
is_news(int64_t *seen)
{
	int64_t writes = 0;

	for (int i = 0; i < nsites; i++)
		writes += sites[i].writes;
	if (writes == *seen)
		return false;
	*seen = writes;
	return true;
}

void
check_reset(void)
{
	struct running *r;

	nleases = 0;
	step_seen = rest_seen = -1;
	while ((r = runs) != NULL) {
		runs = r->next;
		free(r->key);
		free(r);
	}
}

/* An executor of a task (job, component, member) starts or ends. */
void
check_executors(const char *what, const char *key, int64_t version, int change)
{
	struct running *r;
	int all = 0;

	for (r = runs; r != NULL; r = r->next)
		if (str_eq(r->key, key) && r->version == version)
			break;
	if (r == NULL) {
		r = xcalloc(1, sizeof(*r));
		r->key = xstrdup(key);
		r->version = version;
		r->next = runs;
		runs = r;
	}
	r->n += change;
	trace("executor of %s version %lld %s", key, (long long)version, what);
	for (r = runs; r != NULL; r = r->next)
		if (str_eq(r->key, key))
			all += r->n;
	if (all > 1)
		world_fail("task %s runs %d times at once", key, all);
}

/* --- leases -------------------------------------------------------------------- */

static struct lease *
lease_of(const struct site *s, const char *job_id)
{
	for (size_t i = 0; i < nleases; i++)
		if (leases[i].site == s && str_eq(leases[i].job_id, job_id))
			return &leases[i];
	if (nleases == LEASES_MAX)
		abort();
	leases[nleases] = (struct lease){ .site = s };
	(void)snprintf(leases[nleases].job_id, sizeof(leases[nleases].job_id),
	    "%s", job_id);
	return &leases[nleases++];
}

/* job, event id: written by the supervisor that has just committed */
static void
by_its_holder(struct site *s, char **row, void *ctx)
{
	const char *host = ctx;
	const struct lease *l = lease_of(s, row[0]);

	if (!str_eq(l->holder, host))
		world_fail("%s moves job %s that %s has leased since", host,
		    row[0], l->holder[0] == '\0' ? "nobody" : l->holder);
}

/* job, fence, owner */
static void
note_holder(struct site *s, char **row, void *ctx)
{
	struct lease *l = lease_of(s, row[0]);
	int64_t fence = strtoll(row[1], NULL, 10);

	(void)ctx;
	if (fence < l->fence)
		world_fail("the fence of job %s went back", row[0]);
	/* Given back, it is still its last holder's: nobody has read since. */
	if (row[2] != NULL)
		(void)snprintf(l->holder, sizeof(l->holder), "%.*s",
		    (int)strcspn(row[2], ":"), row[2]);
	else if (fence > l->fence)
		l->holder[0] = '\0';
	l->fence = fence;
}

void
check_fence(struct actor *a)
{
	struct site *s = a->site;
	char *host = a->instance->host->name, sql[300];
	int64_t last;

	if (s->writes == s->fence_seen)
		return;
	s->fence_seen = s->writes;
	last = site_count(s, "SELECT COALESCE(MAX(id), 0) FROM event");
	(void)snprintf(sql, sizeof(sql),
	    "SELECT e.job_id FROM event e JOIN job j USING (job_id)"
	    " WHERE e.id > %lld AND e.kind IN ('job', 'task')"
	    " AND e.actor = 'supervisor %s' AND j.is_initiator = 1",
	    (long long)s->events_seen, host);
	if (last > s->events_seen)
		site_rows(s, sql, by_its_holder, host);
	site_rows(s,
	    "SELECT job_id, lease_fence, lease_owner FROM job"
	    " WHERE is_initiator = 1 AND lease_fence > 0",
	    note_holder, NULL);
	s->events_seen = last;
}

/* --- at any time ---------------------------------------------------------------------------- */

/* job, component, version, role, party, initiator's party */
static void
was_heard(struct site *s, char **row, void *ctx)
{
	struct site *there = site_of_party(row[5]);
	char sql[400];

	(void)ctx;
	if (there == NULL || there == s)
		return;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT COUNT(*) FROM task WHERE job_id = '%s'"
	    " AND component = '%s' AND version = %s AND role = '%s'"
	    " AND party_id = '%s' AND party_status IN ('waiting', 'running')",
	    row[0], row[1], row[2], row[3], row[4]);
	if (site_count(there, sql) > 0)
		world_fail("s%d holds the end of task %s version %s of %s %s "
			   "for reported; s%d has not heard of it",
		    s->number, row[1], row[2], row[3], row[4], there->number);
}

/* What is not due any more has arrived. */
static void
check_reports(struct site *s)
{
	site_rows(s,
	    "SELECT t.job_id, component, version, role, party_id,"
	    " j.initiator_party FROM task t JOIN job j USING (job_id)"
	    " WHERE run_here = 1 AND j.is_initiator = 0 AND report_due = 0"
	    " AND party_status NOT IN ('waiting', 'running')",
	    was_heard, NULL);
}

void
check_step(void)
{
	if (!is_news(&step_seen))
		return;
	for (int i = 0; i < nsites && !world.failed; i++)
		check_reports(&sites[i]);
	for (int i = 0; i < nsites && !world.failed; i++) {
		struct site *s = &sites[i];

		if (site_count(s,
			"SELECT EXISTS (SELECT 1 FROM resource r WHERE"
			" r.cores < (SELECT COALESCE(SUM(g.cores), 0)"
			" FROM resource_grant g WHERE g.engine = r.engine"
			" AND g.returned_at IS NULL))") != 0)
			world_fail("s%d has granted more cores than it has",
			    s->number);
		if (site_count(s,
			"SELECT EXISTS (SELECT 1 FROM (SELECT SUM(g.cores)"
			" AS cores, COUNT(DISTINCT g.job_id) AS jobs FROM"
			" resource_grant g JOIN job j USING (job_id) WHERE"
			" g.returned_at IS NULL AND g.cores > 0 AND"
			" j.is_initiator = 0 GROUP BY j.initiator_party) u"
			" JOIN quota q ON q.party_id = '*' WHERE (q.cores > 0"
			" AND u.cores > q.cores) OR (q.running_jobs > 0"
			" AND u.jobs > q.running_jobs))") != 0)
			world_fail("s%d gives a partner more than its quota",
			    s->number);
		if (site_count(s,
			"SELECT EXISTS (SELECT 1 FROM attempt a JOIN job j"
			" USING (job_id) WHERE a.ended_at IS NULL"
			" AND j.status = 'running' AND NOT EXISTS (SELECT 1"
			" FROM resource_grant g WHERE g.job_id = a.job_id"
			" AND g.role = a.role AND g.party_id = a.party_id"
			" AND g.returned_at IS NULL))") != 0)
			world_fail(
			    "s%d runs what nothing was granted for", s->number);
		if (site_count(s,
			"SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*)"
			" AS n FROM attempt WHERE ended_at IS NULL GROUP"
			" BY job_id, component, role, party_id) a") > 1)
			world_fail(
			    "s%d has two open attempts of a task", s->number);
		if (site_count(s, "SELECT (SELECT COUNT(*) FROM job WHERE"
				  " status IN ('ready', 'waiting')"
				  " AND wait_code = '') + (SELECT COUNT(*)"
				  " FROM task WHERE party_status = 'waiting'"
				  " AND wait_code = '')") > 0)
			world_fail("s%d has something that waits for no reason",
			    s->number);
	}
}

/* --- at rest ------------------------------------------------------------------------------------ */

static const struct rest {
	const char *what, *sql;
} rests[] = {
	{ "jobs that have not ended",
	    "SELECT COUNT(*) FROM job WHERE ended_at IS NULL" },
	{ "jobs that are not settled",
	    "SELECT COUNT(*) FROM job WHERE is_initiator = 1 AND settled = 0" },
	{ "attempts that are open",
	    "SELECT COUNT(*) FROM attempt WHERE ended_at IS NULL" },
	{ "reports that are due",
	    "SELECT COUNT(*) FROM task WHERE report_due = 1" },
	{ "grants that are open",
	    "SELECT COUNT(*) FROM resource_grant WHERE returned_at IS NULL" },
	{ "tasks that have not ended",
	    "SELECT COUNT(*) FROM task WHERE run_here = 1"
	    " AND party_status IN ('waiting', 'running')" },
	{ "successes without an attempt that made them",
	    "SELECT COUNT(*) FROM task t WHERE run_here = 1"
	    " AND party_status = 'success' AND (SELECT COUNT(*) FROM attempt a"
	    " WHERE a.job_id = t.job_id AND a.component = t.component"
	    " AND a.version = t.version AND a.role = t.role"
	    " AND a.party_id = t.party_id AND a.outcome = 'success') <> 1" },
	{ "attempts that were given up while their shepherds renewed",
	    "SELECT COUNT(*) FROM attempt WHERE lease_until > ended_at"
	    " AND outcome = 'the shepherd gave no sign of life'" },
	{ "attempts that went on after their end",
	    "SELECT COUNT(*) FROM attempt WHERE heartbeat_at > ended_at" },
	/* Each would be a second start of what somebody had started. */
	{ "attempts that were claimed while another was open",
	    "SELECT COUNT(*) FROM attempt WHERE outcome = 'superseded'" },
	{ "attempts that say success of tasks that had none",
	    "SELECT COUNT(*) FROM attempt a JOIN task t USING (job_id,"
	    " component, version, role, party_id)"
	    " WHERE a.outcome = 'success' AND t.party_status <> 'success'" },
	{ "tasks without an end, of jobs that have ended",
	    "SELECT COUNT(*) FROM task t JOIN job j USING (job_id)"
	    " WHERE j.ended_at IS NOT NULL AND (t.status IN ('waiting',"
	    " 'running') OR t.party_status IN ('waiting', 'running'))" },
	{ "launches that are wanted",
	    "SELECT COUNT(*) FROM task WHERE launch_wanted = 1" },
	/* The last: nobody is told, for nobody waits for it. */
	{ "heads of chains that were not exchanged",
	    "SELECT COUNT(*) FROM audit_exchange x JOIN job j USING (job_id)"
	    " WHERE x.open = 1 AND x.run = j.run AND j.status = 'success'" },
};

static size_t
rests_now(void)
{
	return sizeof(rests) / sizeof(rests[0]) - (world.is_told ? 1 : 0);
}

static bool
rows_are_at_rest(void)
{
	for (int i = 0; i < nsites; i++)
		for (size_t k = 0; k < rests_now(); k++)
			if (site_count(&sites[i], rests[k].sql) != 0)
				return false;
	return true;
}

bool
check_at_rest(void)
{
	if (procs_alive() > 0)
		return false;
	if (is_news(&rest_seen))
		was_at_rest = rows_are_at_rest();
	return was_at_rest;
}

static void
show_row(struct site *s, char **row, void *ctx)
{
	(void)ctx;
	trace("s%d: %s", s->number, row[0]);
}

/* For whoever reads the trace. */
static void
show_unrest(struct site *s)
{
	site_rows(s,
	    "SELECT CONCAT_WS(' ', 'job', job_id, status, is_initiator,"
	    " cancel_signal, settled, run, reason) FROM job"
	    " WHERE ended_at IS NULL OR settled = 0 AND is_initiator = 1",
	    show_row, NULL);
	site_rows(s,
	    "SELECT CONCAT_WS(' ', 'member', p.job_id, p.role, p.party_id,"
	    " 'created', p.created, 'reserved', p.reserved, 'started',"
	    " p.started, 'ended', p.ended, p.last_error) FROM job_party p"
	    " JOIN job j USING (job_id) WHERE j.ended_at IS NULL"
	    " OR j.settled = 0 AND j.is_initiator = 1",
	    show_row, NULL);
	site_rows(s,
	    "SELECT CONCAT_WS(' ', 'task', t.job_id, component, version, role,"
	    " party_id, t.status, party_status, 'acked', status_acked,"
	    " start_acked, 'launch', launch_wanted, 'kill', kill_wanted,"
	    " 'report', report_due) FROM task t JOIN job j USING (job_id)"
	    " WHERE j.ended_at IS NULL OR j.settled = 0 AND j.is_initiator = 1"
	    " OR report_due = 1 OR launch_wanted = 1",
	    show_row, NULL);
}

static void
complain_of_unrest(void)
{
	for (int i = 0; i < nsites; i++)
		show_unrest(&sites[i]);
	if (procs_alive() > 0)
		world_fail("%zu shepherds run still", procs_alive());
	for (int i = 0; i < nsites; i++)
		for (size_t k = 0; k < rests_now(); k++)
			if (site_count(&sites[i], rests[k].sql) != 0)
				world_fail("s%d has %s", i, rests[k].what);
}

/* --- one truth ------------------------------------------------------------------------------------ */

struct other {
	struct site *site;
	const char *job_id, *status;
};

static void
same_status(struct site *s, char **row, void *ctx)
{
	const struct other *o = ctx;

	if (!str_eq(row[0], o->status))
		world_fail("job %s is %s at its initiator s%d, %s at s%d",
		    o->job_id, o->status, o->site->number, row[0], s->number);
}

/* component, version, role, party, status, party_status of the initiator */
static void
same_task(struct site *s, char **row, void *ctx)
{
	const char *job_id = ctx;
	struct site *there = site_of_party(row[3]);
	char sql[400];

	if (there == NULL || there == s)
		return;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT COUNT(*) FROM task WHERE job_id = '%s'"
	    " AND component = '%s' AND version = %s AND role = '%s'"
	    " AND party_id = '%s' AND status = '%s' AND party_status = '%s'",
	    job_id, row[0], row[1], row[2], row[3], row[4], row[5]);
	if (site_count(there, sql) != 1)
		world_fail("task %s version %s of %s %s is %s, %s at the "
			   "initiator s%d and something else at s%d",
		    row[0], row[1], row[2], row[3], row[4], row[5], s->number,
		    there->number);
}

static bool
is_excused(const struct sim_job *j)
{
	return world.may_fail || !j->ends_well;
}

/* Known: whoever has started holds on to nothing for others' sake. */
static bool
is_lost_race(const char *reason)
{
	return strstr(reason, "had started when") != NULL;
}

static void
as_expected(
    struct site *s, const char *id, const char *status, const char *reason)
{
	for (int i = 0; i < world.njobs; i++) {
		const struct sim_job *j = &world.jobs[i];

		if (!str_eq(j->id, id))
			continue;
		if (j->cancel_taken && !str_eq(status, "canceled"))
			world_fail("job %s was canceled and is %s", id, status);
		if (!str_eq(status, "success") && !is_excused(j) &&
		    !is_lost_race(reason))
			world_fail("job %s of s%d could have gone on and is "
				   "%s: %s",
			    id, s->number, status, reason);
	}
}

static void
judge_job(struct site *s, char **row, void *ctx)
{
	const char *id = row[0], *status = row[1];
	struct other o = { s, id, status };
	char sql[400];

	(void)ctx;
	trace("job %s of s%d is %s: %s", id, s->number, status,
	    row[2] == NULL ? "" : row[2]);
	as_expected(s, id, status, row[2] == NULL ? "" : row[2]);
	(void)snprintf(
	    sql, sizeof(sql), "SELECT status FROM job WHERE job_id = '%s'", id);
	for (int i = 0; i < nsites; i++)
		if (&sites[i] != s)
			site_rows(&sites[i], sql, same_status, &o);
	/* Of a job that ended badly, halves ended one way or another. */
	if (!str_eq(status, "success"))
		return;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT component, version, role, party_id, status, party_status"
	    " FROM task t WHERE job_id = '%s' AND version = (SELECT"
	    " MAX(version) FROM task n WHERE n.job_id = t.job_id"
	    " AND n.component = t.component) ORDER BY component, role,"
	    " party_id",
	    id);
	site_rows(s, sql, same_task, (void *)(uintptr_t)id);
}

void
check_end(void)
{
	if (!check_at_rest()) {
		complain_of_unrest();
		return;
	}
	check_step();
	for (int i = 0; i < nsites; i++)
		site_rows(&sites[i],
		    "SELECT job_id, status, reason FROM job"
		    " WHERE is_initiator = 1 ORDER BY job_id",
		    judge_job, NULL);
	if (!world.is_told)
		check_audit();
}
