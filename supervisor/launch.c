/*
 * Starting shepherds and noticing their ends.  Owned by main.c.
 */
#include "supervisor/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_recover.h"
#include "lib/party/party.h"
#include "supervisor/changes.h"
#include "supervisor/finding.h"
#include "supervisor/hosts.h"
#include "supervisor/joblog.h"
#include "supervisor/leftovers.h"
#include "supervisor/nursery.h"
#include "supervisor/peers.h"
#include "supervisor/processes.h"
#include "supervisor/resources.h"
#include "supervisor/steady.h"

/* Tasks claimed in one transaction. */
#define LAUNCH_BATCH 16
/* Attempts looked at in one sweep. */
#define SWEEP_BATCH 256

/* A shepherd that is watched. */
struct watched {
	struct launcher *launcher;
	char attempt_id[ID_RANDOM_SIZE];
	char job_id[ID_JOB_SIZE];
	struct watched *next;
};

struct launcher {
	struct supervisor *super;
	struct watched *list;
	struct steady steady;
};

/* --- the end of a shepherd ------------------------------------------------ */

static char *
end_text(int status)
{
	if (status < 0)
		return xstrdup("shepherd is gone");
	if (WIFSIGNALED(status))
		return xasprintf(
		    "shepherd was killed by signal %d", WTERMSIG(status));
	return xasprintf("shepherd ended with status %d without a result",
	    WEXITSTATUS(status));
}

/* The task ends with its shepherd unless the shepherd has said how. */
static void
mourn(
    struct launcher *l, const char *attempt_id, const char *job_id, int status)
{
	char *why = end_text(status);
	int r;

	r = db_attempt_abandon(
	    l->super->db, attempt_id, STATE_FAILED, FAULT_HOST, why);
	if (r == 0) {
		log_warn("job=%s attempt=%s %s", job_id, attempt_id, why);
		joblog_error(
		    l->super->conf, job_id, "attempt %s: %s", attempt_id, why);
		leftovers_remove(l->super, attempt_id);
	} else if (r != ERR_CONFLICT && r != ERR_NOT_FOUND)
		/* The detector comes back to it when the lease ran out. */
		log_err("job=%s attempt=%s end", job_id, attempt_id);
	free(why);
}

/* A shepherd that has written its task's end says so. */
static bool
says_ended(int status)
{
	return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
has_ended(struct launcher *l, const char *attempt_id)
{
	struct arena *arena = arena_new();
	struct db_attempt *a;
	int r = db_attempt_get(l->super->db, arena, attempt_id, &a);
	bool ended = r == 0 && a->ended;

	arena_free(arena);
	return ended;
}

static void
unlink_watched(struct launcher *l, struct watched *w)
{
	for (struct watched **at = &l->list; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return;
		}
}

/*
 * A shepherd that began nothing: the database was away, as a rule.  What
 * cannot be written now is done by the detector when the lease ran out.
 */
static bool
begins_again(struct launcher *l, const struct watched *w, int status)
{
	if (status < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != SHEPHERD_AGAIN)
		return false;
	if (db_attempt_relaunch(l->super->db, w->attempt_id) != 0) {
		log_err("attempt=%s launch anew", w->attempt_id);
		return err_code() != ERR_CONFLICT;
	}
	log_info("job=%s attempt=%s began nothing, launched anew", w->job_id,
	    w->attempt_id);
	return true;
}

static void
on_end(void *ctx, pid_t pid, int status)
{
	struct watched *w = ctx;
	struct launcher *l = w->launcher;

	(void)pid;
	unlink_watched(l, w);
	/* One that lied has a lease that runs out. */
	if (says_ended(status)) {
		free(w);
		return;
	}
	if (!has_ended(l, w->attempt_id)) {
		if (!begins_again(l, w, status))
			mourn(l, w->attempt_id, w->job_id, status);
		changes_add(l->super->changes, w->job_id,
		    WAKE_LAUNCHES | WAKE_REPORTS | WAKE_JOBS);
	} else if (status != 0)
		/* Ended between its last word and its tidying up, perhaps. */
		leftovers_remove(l->super, w->attempt_id);
	free(w);
}

static int
watch(struct launcher *l, const struct db_attempt *a, pid_t pid, bool is_child)
{
	struct watched *w = xcalloc(1, sizeof(*w));
	int r;

	w->launcher = l;
	(void)snprintf(
	    w->attempt_id, sizeof(w->attempt_id), "%s", a->attempt_id);
	(void)snprintf(w->job_id, sizeof(w->job_id), "%s", a->key.job_id);
	r = is_child ? loop_child(l->super->loop, pid, on_end, w)
		     : loop_process(l->super->loop, pid, on_end, w);
	if (r != 0) {
		free(w);
		return r;
	}
	w->next = l->list;
	l->list = w;
	return 0;
}

bool
launch_is_watched(const struct launcher *l, const char *attempt_id)
{
	for (const struct watched *w = l->list; w != NULL; w = w->next)
		if (strcmp(w->attempt_id, attempt_id) == 0)
			return true;
	return false;
}

/* --- the start of a shepherd ------------------------------------------------ */

static void
fail(struct launcher *l, const struct db_attempt *a)
{
	struct supervisor *s = l->super;
	char *why = xstrdup(err_text());
	enum fault_kind fault = fault_of_error(err_code());

	log_err("job=%s task=%s", a->key.job_id, a->key.component);
	if (db_attempt_abandon(
		s->db, a->attempt_id, STATE_FAILED, fault, why) != 0)
		log_err("attempt=%s end", a->attempt_id);
	joblog_error(
	    s->conf, a->key.job_id, "task %s: %s", a->key.component, why);
	free(why);
	supervisor_changed(s, a->key.job_id);
}

/*
 * A partner's right may have been revoked since its job was taken in.  When
 * that cannot be found out the attempt stays as it is: its lease runs out and
 * it is launched anew.
 */
static bool
is_allowed(struct launcher *l, const struct db_attempt *a)
{
	int r = a->is_initiator ? 0 : party_may_run(l->super->db, &a->key);
	char *detail;

	if (r == 0)
		return true;
	if (r != ERR_DENIED) {
		log_err("job=%s task=%s not launched", a->key.job_id,
		    a->key.component);
		return false;
	}
	detail = xasprintf("%s: %s", a->key.component, err_text());
	fail(l, a);
	if (db_audit_add(
		l->super->db, &(struct db_audit){ .actor = l->super->instance,
				  .action = "task start",
				  .subject = a->key.job_id,
				  .outcome = "refused",
				  .detail = detail }) != 0)
		log_err("refusal not recorded");
	free(detail);
	return false;
}

static void
start(struct launcher *l, const struct db_attempt *a)
{
	struct supervisor *s = l->super;
	pid_t pid;

	if (!is_allowed(l, a))
		return;
	if (nursery_start(s->nursery, s->conf, a->attempt_id, &pid) == 0) {
		metrics_add(s->metrics, METRIC_task_starts_total, 1, NULL);
		joblog_info(s->conf, a->key.job_id,
		    "task %s version %lld "
		    "starts at %s %s, attempt %lld",
		    a->key.component, (long long)a->key.version, a->key.role,
		    a->key.party_id, (long long)a->fence);
		/* Unwatched, its lease still tells of its end. */
		if (watch(l, a, pid, true) != 0)
			log_err("attempt=%s watch shepherd", a->attempt_id);
		return;
	}
	fail(l, a);
}

/* Cores of this host that no task has; one that is alone takes all there is. */
static int
room_here(const struct supervisor *s, int64_t *room)
{
	int64_t cores, used;
	int r;

	*room = DB_CLAIM_ALL;
	if (!hosts_has_others(s->hosts))
		return 0;
	if ((r = resources_cores_here(&cores)) == 0 &&
	    (r = db_attempt_cores_on(s->db, s->host, &used)) == 0)
		*room = cores > used ? cores - used : 0;
	return r;
}

static int
claim_of(const struct supervisor *s, struct db_claim *c)
{
	*c = (struct db_claim){ .launcher = s->instance,
		.host = s->host,
		.lease_ms = s->conf->lease_ms,
		.limit = LAUNCH_BATCH,
		.counts_memory = resources_counts_host_memory(s) };
	return room_here(s, &c->room);
}

static int
claim(struct supervisor *s, struct arena *arena, struct db_attempt **rows,
    size_t *n)
{
	struct db_claim c;
	size_t left;
	int r;

	if ((r = claim_of(s, &c)) != 0 ||
	    (r = db_attempt_claim(s->db, arena, &c, rows, n, &left)) != 0)
		return r;
	if (left > 0)
		hosts_tell_work(s->hosts);
	return 0;
}

void
launch_look(struct launcher *l)
{
	struct supervisor *s = l->super;
	struct db_attempt *rows;
	size_t n;

	do {
		struct arena *arena = arena_new();

		if (claim(s, arena, &rows, &n) != 0) {
			log_err("claim tasks to launch");
			n = 0;
		}
		for (size_t i = 0; i < n; i++)
			start(l, &rows[i]);
		arena_free(arena);
	} while (n == LAUNCH_BATCH);
}

int
launch_claim(struct launcher *l, struct arena *arena,
    const struct db_task_key *k, struct db_attempt **out)
{
	struct db_claim c;
	int r;

	*out = NULL;
	if ((r = claim_of(l->super, &c)) != 0)
		return r;
	return db_attempt_claim_task(l->super->db, arena, &c, k, out);
}

int
launch_begin(struct launcher *l, struct arena *arena,
    const struct db_task_key *k, struct db_attempt **out)
{
	struct db_claim c;
	int r;

	*out = NULL;
	if ((r = claim_of(l->super, &c)) != 0)
		return r;
	return party_task_begin_held(l->super->db, arena, &c, k, out);
}

void
launch_claimed(struct launcher *l, const struct db_attempt *a)
{
	start(l, a);
}

/* --- what a predecessor left -------------------------------------------- */

/*
 * An open attempt of this home that we do not watch: its shepherd runs and
 * is watched from now on, or it never got one and is launched anew, or its
 * shepherd is gone and the task ends.  is_dead: whoever claimed it has ended.
 */
static void
take_up(struct launcher *l, const struct db_attempt *a,
    const struct processes *running, bool is_dead)
{
	pid_t pid = processes_find(running, a->attempt_id);
	int r;

	if (pid > 0) {
		if ((r = watch(l, a, pid, false)) == 0)
			log_info("job=%s attempt=%s goes on, shepherd %d",
			    a->key.job_id, a->attempt_id, (int)pid);
		else
			log_err("attempt=%s watch shepherd", a->attempt_id);
		return;
	}
	if (a->shepherd_pid != 0)
		mourn(l, a->attempt_id, a->key.job_id, -1);
	/* Its claimer may be about to start it; the lease tells otherwise. */
	else if (!is_dead)
		return;
	else if (db_attempt_relaunch(l->super->db, a->attempt_id) == 0)
		log_info("job=%s attempt=%s had no shepherd, launched anew",
		    a->key.job_id, a->attempt_id);
	else if (err_code() != ERR_CONFLICT)
		log_err("attempt=%s launch anew", a->attempt_id);
}

/* Other homes' shepherds are not among the processes we look for. */
static bool
is_unwatched(const struct launcher *l, const struct db_attempt *a)
{
	return peers_is_of_home(l->super->conf, l->super->host, a->launcher) &&
	       !launch_is_watched(l, a->attempt_id);
}

int
launch_adopt(struct launcher *l, const char *dead_prefix)
{
	struct supervisor *s = l->super;
	struct arena *arena = arena_new();
	struct processes *running = NULL;
	struct db_attempt *rows;
	size_t n, kept = 0;
	int r;

	/* Rows first: one that ends meanwhile is ended by its row. */
	r = db_attempt_open_on(s->db, arena, s->host, &rows, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (is_unwatched(l, &rows[i]))
			rows[kept++] = rows[i];
	if (r == 0 && kept > 0)
		r = processes_list(
		    s->conf->shepherd_program, s->conf->path, &running);
	for (size_t i = 0; r == 0 && i < kept; i++)
		take_up(l, &rows[i], running,
		    dead_prefix != NULL &&
			str_starts(rows[i].launcher, dead_prefix));
	processes_free(running);
	arena_free(arena);
	return r;
}

/* A predecessor's are those that begin as ours do. */
static int
recover(struct launcher *l)
{
	char *prefix = xstrndup(l->super->instance, l->super->instance_prefix);
	int r = launch_adopt(l, prefix);

	free(prefix);
	return r;
}

static void
tell_expired(struct launcher *l, const struct db_attempt *a, const char *words)
{
	(void)finding(l->super, "attempt leases", a->key.job_id,
	    "%s at %s %s, attempt %lld: %s", a->key.component, a->key.role,
	    a->key.party_id, (long long)a->fence, words);
}

/*
 * A lease ran out: the shepherd is gone, hangs, or was never there.  One that
 * hangs loses its attempt all the same and ends when it notices.
 */
static void
expire(struct launcher *l, const struct db_attempt *a)
{
	int r;

	if (a->shepherd_pid == 0 && !launch_is_watched(l, a->attempt_id) &&
	    db_attempt_relaunch(l->super->db, a->attempt_id) == 0) {
		tell_expired(l, a, "had no shepherd, launched anew");
		return;
	}
	r = db_attempt_expire(l->super->db, a->attempt_id, STATE_FAILED,
	    "the shepherd gave no sign of life");
	if (r == 0) {
		tell_expired(l, a, "the shepherd gave no sign of life");
		joblog_error(l->super->conf, a->key.job_id,
		    "task %s at %s %s"
		    ": the shepherd gave no sign of life",
		    a->key.component, a->key.role, a->key.party_id);
		leftovers_remove(l->super, a->attempt_id);
		supervisor_changed(l->super, a->key.job_id);
	} else if (r != ERR_CONFLICT)
		log_err("attempt=%s expire", a->attempt_id);
}

int
launch_reap_expired(struct launcher *l)
{
	struct arena *arena = arena_new();
	struct db_attempt *rows;
	size_t n = 0;
	int r = 0;

	if (steady_look(&l->steady, l->super->db, l->super->conf->lease_ms))
		r = db_attempt_expired(
		    l->super->db, arena, SWEEP_BATCH, &rows, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		expire(l, &rows[i]);
	if (r == 0 && n > 0)
		launch_look(l);
	arena_free(arena);
	return r;
}

int
launcher_new(struct supervisor *s, struct launcher **out)
{
	struct launcher *l = xcalloc(1, sizeof(*l));
	int r;

	*out = NULL;
	l->super = s;
	if ((r = recover(l)) != 0) {
		launcher_free(l);
		return r;
	}
	launch_look(l);
	*out = l;
	return 0;
}

void
launcher_free(struct launcher *l)
{
	struct watched *w;

	if (l == NULL)
		return;
	while ((w = l->list) != NULL) {
		l->list = w->next;
		free(w);
	}
	free(l);
}
