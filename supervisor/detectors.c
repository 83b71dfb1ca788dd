/*
 * The detectors' table and functions.  Owned by main.c.
 */
#include "supervisor/detectors.h"

#include <signal.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_client_nonce.h"
#include "lib/db/db_errand.h"
#include "lib/db/db_event.h"
#include "lib/db/db_job.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_recover.h"
#include "lib/db/db_resource.h"
#include "lib/sign/client_sign.h"
#include "supervisor/launch.h"
#include "supervisor/leftovers.h"
#include "supervisor/models.h"
#include "supervisor/processes.h"
#include "supervisor/sealer.h"

/* A running job with nothing running for so long is looked into. */
#define STUCK_MS 60000
/* A partner's job that never started is given up after this long; its
 * initiator gives up earlier (snapshot.c). */
#define STALE_MS (7 * 3600 * INT64_C(1000))
/* Reports that no initiator took for so long are a backlog. */
#define BACKLOG_MS 60000
/* A deployment or an import that was staged so long ago was given up. */
#define MODEL_ABANDONED_MS (15 * 60 * INT64_C(1000))
/* Rows of a file that was written lately may be on their way. */
#define MODEL_FILE_AGE_S 3600
/* Ended errands are kept for so long, for people to look at. */
#define ERRAND_KEPT_MS (3600 * INT64_C(1000))
/* A task of a day may read its cache until its end. */
#define CACHE_GRACE_S (24 * 3600)
#define BATCH 100
#define NONCE_BATCH 10000
#define NONCE_BITES 10

static void
finding(struct supervisor *s, const char *job_id, const char *detector,
    const char *text)
{
	struct db_event e = {
		.job_id = job_id,
		.kind = "detector",
		.to_state = detector,
		.reason = text,
	};

	log_warn("job=%s detector=%s %s", job_id, detector, text);
	if (db_event_add(s->db, &e) != 0)
		log_err("detector %s", detector);
}

/* Attempts whose shepherds stopped renewing. */
static int
attempt_leases(struct supervisor *s)
{
	return launch_reap_expired(s->launcher);
}

/* Jobs over their limit are planned again at once. */
static int
job_timeouts(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **ids;
	size_t n = 0;
	int r;

	r = db_job_overdue(s->db, arena, BATCH, &ids, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if ((r = db_job_wake(s->db, ids[i])) == 0)
			supervisor_changed(s, ids[i]);
	arena_free(arena);
	return r;
}

/* Reserved and never started, or held by jobs that ended. */
static int
reservations(struct supervisor *s)
{
	int64_t expired = 0, leftover = 0;
	int r;

	if ((r = db_resource_expire(s->db, &expired)) != 0 ||
	    (r = db_resource_return_ended(s->db, &leftover)) != 0)
		return r;
	if (expired > 0)
		log_info("%lld reservations ran out", (long long)expired);
	if (leftover > 0)
		log_warn(
		    "%lld grants of ended jobs were open", (long long)leftover);
	return 0;
}

static int
stuck_jobs(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **ids;
	size_t n = 0;
	int r;

	r = db_job_stuck(s->db, arena, STUCK_MS, BATCH, &ids, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		finding(s, ids[i], "stuck job",
		    "runs, but none of its tasks "
		    "did or changed for a minute");
		if ((r = db_job_wake(s->db, ids[i])) == 0)
			supervisor_changed(s, ids[i]);
	}
	arena_free(arena);
	return r;
}

/* Partners' jobs that never started and that nobody ended. */
static int
stale_jobs(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **ids;
	size_t n = 0;
	int r;

	r = db_job_stale(s->db, arena, STALE_MS, BATCH, &ids, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = db_job_move(s->db, ids[i], STATE_TIMEOUT, 0,
		    "its initiator never started it and was not heard of",
		    NULL);
	arena_free(arena);
	return r;
}

static int
report_backlog(struct supervisor *s)
{
	int64_t n;
	int r;

	if ((r = db_report_backlog(s->db, BACKLOG_MS, &n)) == 0 && n > 0)
		log_warn("%lld reports wait for initiators that do not answer",
		    (long long)n);
	return r;
}

static int
nonces(struct supervisor *s)
{
	int64_t n;
	int r, i = 0;

	r = db_client_nonce_purge(s->db, CLIENT_WINDOW_MS, NULL);
	/* As many as came, whatever their rate; in bites, for others wait. */
	do {
		if (r == 0)
			r = db_nonce_purge(s->db, NONCE_BATCH, &n);
	} while (r == 0 && n == NONCE_BATCH && ++i < NONCE_BITES);
	return r;
}

/*
 * Shepherds without an open attempt: they were told by their lease and should
 * be gone; what still runs after that is ended.
 */
static int
orphans(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct processes *running;
	struct db_attempt *a;
	int r;

	r = processes_list(s->conf->shepherd_program, s->conf->path, &running);
	for (size_t i = 0; r == 0 && i < running->n; i++) {
		const struct process *p = &running->items[i];

		r = db_attempt_get(s->db, arena, p->attempt_id, &a);
		if (r != 0 && r != ERR_NOT_FOUND)
			break;
		/* Its last seconds are spent tidying up. */
		if (r == 0 &&
		    (!a->ended || a->lease_left_ms > -10 * s->conf->lease_ms)) {
			continue;
		}
		log_warn("shepherd %d of ended attempt %s is still there",
		    (int)p->pid, p->attempt_id);
		(void)kill(p->pid, SIGKILL);
		r = 0;
	}
	processes_free(running);
	arena_free(arena);
	return r;
}

/* Open grants never exceed the capacity, unless it was made smaller. */
static int
ledger(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **texts;
	size_t n = 0;
	int r;

	r = db_resource_overdrawn(s->db, arena, &texts, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		finding(s, "", "ledger", texts[i]);
	arena_free(arena);
	return r;
}

/* Uploaded files that outlived their jobs. */
static int
uploads(struct supervisor *s)
{
	return leftovers_sweep_uploads(s);
}

/* Versions staged and never sealed. */
static int
models(struct supervisor *s)
{
	return models_drop_abandoned(s, MODEL_ABANDONED_MS);
}

/* Files that no version has. */
static int
model_files(struct supervisor *s)
{
	return models_sweep_files(s, MODEL_FILE_AGE_S);
}

/* Errands that nobody began in time, and those that are over. */
static int
errands(struct supervisor *s)
{
	int64_t expired = 0;
	int r = db_errand_collect(s->db, ERRAND_KEPT_MS, &expired, NULL);

	if (r == 0 && expired > 0)
		log_warn(
		    "%lld errands were not done in time", (long long)expired);
	return r;
}

/* Caches over their time; a task may have begun with one just before. */
static int
caches(struct supervisor *s)
{
	return leftovers_sweep_caches(s, CACHE_GRACE_S);
}

/* Audit rows that nobody linked. */
static int
audit(struct supervisor *s)
{
	return sealer_check(s->sealer);
}

static const struct detector {
	const char *name;
	int64_t period_ms;
	int (*run)(struct supervisor *);
} table[] = {
	{ "attempt leases", 500, attempt_leases },
	{ "job timeouts", 1000, job_timeouts },
	{ "reservations", 1000, reservations },
	{ "stuck jobs", 30000, stuck_jobs },
	{ "stale jobs", 60000, stale_jobs },
	{ "report backlog", 60000, report_backlog },
	{ "nonces", 10000, nonces },
	{ "orphans", 30000, orphans },
	{ "ledger", 30000, ledger },
	{ "uploads", 60000, uploads },
	{ "models", 60000, models },
	{ "model files", MODEL_FILE_AGE_S * 1000, model_files },
	{ "errands", 10000, errands },
	{ "caches", 60000, caches },
	{ "audit", 30000, audit },
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

static int
run(struct supervisor *s, const struct detector *d)
{
	int r = d->run(s);

	if (r != 0)
		log_err("detector %s", d->name);
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

		w->super = s;
		w->detector = &table[i];
		w->timer = loop_timer_new(s->loop, on_time, w);
		loop_timer_set(
		    w->timer, table[i].period_ms, table[i].period_ms);
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
