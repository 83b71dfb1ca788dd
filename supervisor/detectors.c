/*
 * The detectors' table, and its clock.  Owned by supervisor.c.
 */
#include "supervisor/detectors.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "supervisor/detect.h"
#include "supervisor/finding.h"
#include "supervisor/haste.h"

#define MINUTE 60000

static const struct detector table[] = {
	{ "attempt leases", 500, "a shepherd stopped renewing its lease",
	    "the task ends as failed, or is launched anew when none ever ran",
	    detect_attempt_leases },
	{ "job timeouts", 1000, "a job runs longer than its limit",
	    "it is planned at once, and ends", detect_job_timeouts },
	{ "reservations", 1000,
	    "reserved and never started, or held by a job that has ended",
	    "given back; who waits for what is free is told",
	    detect_reservations },
	{ "queue", 5000, "jobs wait for resources",
	    "where is kept, so that what becomes free wakes them",
	    detect_queue },
	{ "ledger", 30000,
	    "granted and free are not the total, grants of nobody, jobs that "
	    "run without",
	    "told; what is nobody's is given back", detect_ledger },
	{ "stuck jobs", 30000, "a job runs, and nothing of it did for a minute",
	    "told, and planned at once", detect_stuck_jobs },
	{ "stale jobs", MINUTE,
	    "a partner's job waits for 7 hours without a word of its initiator",
	    "its tasks and it end as timeout", detect_stale_jobs },
	{ "doubtful jobs", MINUTE,
	    "a partner's job is open, and nothing of it moved for a minute",
	    "its initiator is asked, and it ends if that has ended it, never "
	    "had it, or has refused this site for partner_outage_s",
	    detect_doubtful_jobs },
	{ "forgotten jobs", MINUTE,
	    "a partner's job runs an hour beyond its limit",
	    "its tasks and it end as timeout", detect_forgotten_jobs },
	{ "lost tasks", 10000,
	    "a task runs here for 30 s without anybody who runs it",
	    "ends as failed; launched anew when it never began",
	    detect_lost_tasks },
	{ "late launches", 30000, "a start is a minute old and nobody took it",
	    "told, and taken", detect_late_launches },
	{ "late ends", 30000, "an end is wanted for a minute",
	    "told, and wanted again", detect_late_ends },
	{ "engine sessions", 5000,
	    "a task holds its engines for longer than session_hours, or a "
	    "minute after its job's end",
	    "it ends as timeout", detect_sessions },
	{ "report backlog", MINUTE,
	    "ends of tasks that an initiator has not heard of for a minute",
	    "told; they are sent until it has", detect_report_backlog },
	{ "withdrawals", 5000,
	    "a partner was withdrawn, and jobs with it go on ten seconds later",
	    "told; they end, fifty at a time", detect_withdrawals },
	{ "orphans", 30000, "a shepherd runs whose attempt has ended", "killed",
	    detect_orphans },
	{ "partners", 30000, "a partner was not spoken to for a minute",
	    "asked; whether each answers, and since when, is kept",
	    detect_partners },
	{ "needed partners", 2000,
	    "a partner of a running job was not spoken to for two seconds",
	    "asked; while it does not answer its jobs show it",
	    detect_needed_partners },
	{ "disks", 10000, "less is free than upload_keep_free_mb",
	    "told; uploads, submits and creates are refused with 503",
	    detect_disks },
	{ "work folders", 5 * MINUTE,
	    "folders and mailboxes of attempts that have ended, and tables "
	    "that they left without a row",
	    "removed after ten minutes, tables after a day",
	    detect_work_folders },
	{ "uploads", MINUTE, "uploaded files whose jobs have ended", "removed",
	    detect_uploads },
	{ "caches", MINUTE, "caches over their time", "removed",
	    detect_caches },
	{ "models", MINUTE, "versions staged and never sealed", "dropped",
	    detect_models },
	{ "model files", 60 * MINUTE, "files that no version has", "removed",
	    detect_model_files },
	{ "errands", 10000, "errands that nobody began in time, or long over",
	    "ended, removed", detect_errands },
	{ "audit", 30000, "audit rows that were not linked for too long",
	    "told, and linked", detect_audit },
	{ "heads", 60 * MINUTE, "a site that said nothing of a head for a week",
	    "told, and given up", detect_heads },
	{ "nonces", 10000, "nonces that cannot come again", "forgotten",
	    detect_nonces },
};
#define DETECTORS (sizeof(table) / sizeof(table[0]))

/* One detector and when it runs. */
struct watch {
	struct supervisor *super;
	const struct detector *detector;
	struct loop_timer *timer;
};

struct detectors {
	struct watch watches[DETECTORS];
};

const struct detector *
detectors_table(size_t *n)
{
	*n = DETECTORS;
	return table;
}

void
detect_note(int *first, int r, const char *job_id)
{
	if (r == 0)
		return;
	log_err("job=%s", job_id);
	if (*first == 0)
		*first = r;
}

static int
run(struct supervisor *s, const struct detector *d)
{
	int r = d->run(s);

	if (r != 0) {
		log_err("detector=\"%s\"", d->name);
		metrics_add(s->metrics, METRIC_detector_errors_total, 1,
		    "detector", d->name, NULL);
	}
	return r;
}

static void
on_time(void *ctx)
{
	struct watch *w = ctx;

	(void)run(w->super, w->detector);
}

struct detectors *
detectors_new(struct supervisor *s)
{
	struct detectors *ds = xcalloc(1, sizeof(*ds));

	for (size_t i = 0; i < DETECTORS; i++) {
		struct watch *w = &ds->watches[i];
		int64_t ms = haste_ms(table[i].period_ms);

		w->super = s;
		w->detector = &table[i];
		/* A number that is there from the start can be seen to grow. */
		finding_count(s, table[i].name, 0);
		w->timer = loop_timer_new(s->loop, on_time, w);
		loop_timer_set(w->timer, ms, ms);
	}
	return ds;
}

void
detectors_free(struct detectors *ds)
{
	if (ds == NULL)
		return;
	for (size_t i = 0; i < DETECTORS; i++)
		loop_timer_free(ds->watches[i].timer);
	free(ds);
}

int
detectors_run_all(struct supervisor *s)
{
	int failed = 0;

	for (size_t i = 0; i < DETECTORS; i++)
		if (run(s, &table[i]) != 0)
			failed++;
	return failed;
}
