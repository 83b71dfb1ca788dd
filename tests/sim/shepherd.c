/*
 * Shepherds: processes that do to the database what the real ones do, in the
 * order of supervisor/shepherd (lease.c, finish.c), around an executor that
 * is only a span of time and a way to end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_tx.h"
#include "lib/mailbox/mailbox.h"
#include "supervisor/launch.h"
#include "tests/sim/world.h"

#define FIRST_PID 5000000 /* above what a kernel gives */
#define RETRY (100 * MS)
#define EXIT_LOST 3

enum fate {
	FATE_SUCCESS,
	FATE_FAILED,
	FATE_HANGS,	/* until somebody ends it */
	FATE_CRASH,	/* the shepherd, at some time */
	FATE_STILLBORN, /* the shepherd, before it said a word */
	FATE_MUTE	/* it runs and renews nothing */
};

struct proc {
	struct actor actor;
	struct proc *next;
	pid_t pid;
	struct host *host;
	char attempt[ID_RANDOM_SIZE];
	bool is_alive, is_child;
	int status; /* as from waitpid */
	struct instance *watcher;
	loop_child_fn *fn;
	void *ctx;
	/* of its task */
	struct db *db;
	struct arena *arena;
	struct db_attempt *row;
	char *key, *socket;
	enum fate fate;
	int64_t ends_at, renewed_us;
	bool executes;
};

static struct proc *all;
static pid_t next_pid;

static struct proc *
find(pid_t pid)
{
	struct proc *p;

	for (p = all; p != NULL && p->pid != pid; p = p->next)
		continue;
	return p;
}

/* --- its life --------------------------------------------------------------------- */

/* What happens to a task is the same whoever asks first. */
static void
draw_fate(struct proc *p)
{
	char *text =
	    xasprintf("%s fence %lld", p->key, (long long)p->row->fence);
	uint64_t h = sim_hash(text);

	free(text);
	p->ends_at =
	    sim_now() + (int64_t)(h >> 20) % (world.executor_ms * MS) + MS;
	p->fate = FATE_SUCCESS;
	if ((int64_t)(h % 1000000) < world.faults.shepherd) {
		p->fate = (enum fate)(1 + (h >> 40) % 5);
		world.may_fail = true;
	}
}

static void set_executes(struct proc *, bool);

/*
 * The executors of shepherds that stand still run on, in truth, until these
 * notice; what counts is that nothing of theirs is kept.  (Only freezing can
 * do this to a shepherd: it ends its executor with its lease otherwise.)
 */
static void
forget_lapsed(const struct proc *by)
{
	for (struct proc *p = all; p != NULL; p = p->next)
		if (p != by && p->executes && str_eq(p->key, by->key) &&
		    p->renewed_us + p->host->conf->lease_ms * MS <= sim_now())
			set_executes(p, false);
}

static void
set_executes(struct proc *p, bool executes)
{
	if (p->executes == executes)
		return;
	p->executes = executes;
	if (executes)
		forget_lapsed(p);
	check_executors(executes ? "starts" : "ends", p->key,
	    p->row->key.version, executes ? 1 : -1);
}

static int
open_task(struct proc *p)
{
	const struct db_task_key *k;
	struct mailbox_task box;
	int r;

	if ((r = db_attempt_get(p->db, p->arena, p->attempt, &p->row)) != 0)
		return r;
	k = &p->row->key;
	box = (struct mailbox_task){ .job_id = k->job_id,
		.component = k->component,
		.version = (int)k->version,
		.role = k->role,
		.party_id = k->party_id };
	p->key = xasprintf(
	    "%s %s %s %s", k->job_id, k->component, k->role, k->party_id);
	if ((r = mailbox_wake_path(p->host->conf, &box, &p->socket)) != 0)
		return r;
	/* A lease that ran out while its claimer stood still is renewed. */
	if (p->row->ended)
		return err_set(ERR_CONFLICT, "ended before");
	p->renewed_us =
	    sim_now() - (p->host->conf->lease_ms - p->row->lease_left_ms) * MS;
	draw_fate(p);
	return 0;
}

static int
renew(struct proc *p, struct db *db, enum state *kill)
{
	int64_t lease_ms = p->host->conf->lease_ms, now = sim_now();
	int r;

	*kill = STATE_NONE;
	r = db_attempt_renew(
	    db, p->attempt, lease_ms, p->pid, p->pid, sim_now() / SECOND, kill);
	if (r == 0)
		p->renewed_us = now;
	else if (r != ERR_CONFLICT &&
		 sim_now() - p->renewed_us >= lease_ms * MS)
		r = err_set(ERR_CONFLICT, "not renewed for too long");
	return r;
}

struct said {
	struct proc *proc;
	enum state state;
};

static int
say_running(struct db *db, void *ctx)
{
	struct said *s = ctx;
	struct db_task_move move = { .status = STATE_NONE,
		.party_status = STATE_RUNNING };
	int r;

	if ((r = db_task_move(db, &s->proc->row->key, &move, NULL)) != 0)
		return r;
	return renew(s->proc, db, &s->state);
}

static int
say_end(struct db *db, void *ctx)
{
	struct said *s = ctx;
	const struct proc *p = s->proc;
	struct db_task_move move = { .status = STATE_NONE,
		.party_status = s->state,
		.error_report =
		    s->state == STATE_SUCCESS ? NULL : "it was to be so",
		.attempt = p->row };
	int r;

	if ((r = db_task_move(db, &p->row->key, &move, NULL)) != 0)
		return r;
	return db_attempt_end(db, p->attempt, state_name(s->state));
}

static void
tell(const struct proc *p, unsigned what)
{
	site_wake(p->host->conf, p->row->key.job_id, what);
}

/* Until the executor is through, somebody wants its end, or all is lost. */
static int
run_executor(struct proc *p, enum state *end)
{
	int64_t beat = p->host->conf->heartbeat_ms * MS, next, wake;
	struct said said = { p, STATE_NONE };
	int r;

	set_executes(p, true);
	r = db_tx(p->db, say_running, &said);
	if (r == ERR_CONFLICT || p->actor.dead)
		return ERR_CONFLICT;
	if (r == 0)
		tell(p, WAKE_RUNNING);
	*end = said.state;
	next = sim_now() + beat;
	while (*end == STATE_NONE) {
		wake = p->fate == FATE_HANGS || next < p->ends_at ? next
								  : p->ends_at;
		if (p->fate == FATE_MUTE)
			wake = p->renewed_us + p->host->conf->lease_ms * MS;
		routine_sleep(wake, p->fate != FATE_MUTE);
		if (p->actor.dead || p->fate == FATE_MUTE)
			return ERR_CONFLICT;
		if (p->fate != FATE_HANGS && sim_now() >= p->ends_at) {
			*end = p->fate == FATE_FAILED ? STATE_FAILED
						      : STATE_SUCCESS;
			break;
		}
		if ((r = renew(p, p->db, end)) == ERR_CONFLICT)
			return r;
		next = sim_now() + (r == 0 ? beat : RETRY);
	}
	return p->fate == FATE_CRASH ? ERR_INTERNAL : 0;
}

/* The exit status. */
static int
live(struct proc *p)
{
	struct said said = { p, STATE_NONE };
	int r;

	routine_sleep(sim_now() + sim_between(MS, 60 * MS), false);
	if (p->actor.dead)
		return 9;
	if ((r = open_task(p)) == ERR_CONFLICT)
		return SHEPHERD_AGAIN << 8;
	if (r != 0 || p->fate == FATE_STILLBORN)
		return 1;
	r = run_executor(p, &said.state);
	set_executes(p, false);
	if (p->actor.dead)
		return 9;
	if (r == ERR_CONFLICT)
		return EXIT_LOST << 8;
	if (r != 0)
		return 6; /* as by a signal */
	while ((r = db_tx(p->db, say_end, &said)) != 0 && r != ERR_CONFLICT &&
	       !p->actor.dead)
		routine_sleep(sim_now() + RETRY, false);
	if (p->actor.dead)
		return 9;
	if (r != 0)
		return EXIT_LOST << 8;
	trace("%s ends %s", p->key, state_name(said.state));
	tell(p, WAKE_ASK);
	return 0;
}

static void
tell_watcher(void *ctx)
{
	struct proc *p = ctx;

	p->fn(p->ctx, p->pid, p->is_child ? p->status : -1);
}

static void
run(void *ctx)
{
	struct proc *p = ctx;
	struct instance *w = p->watcher;

	p->db = site_db(p->host->site);
	p->arena = arena_new();
	db_set_actor(p->db, "shepherd");
	p->status = live(p);
	if (p->row != NULL)
		set_executes(p, false);
	site_db_back(p->host->site, p->db);
	arena_free(p->arena);
	p->row = NULL;
	p->is_alive = false;
	trace("exits %d", p->status);
	w = p->watcher;
	if (w != NULL && !w->actor.dead && w->host->instance == w)
		instance_post(w, tell_watcher, p);
}

/* --- as others see it ------------------------------------------------------------------ */

int
proc_spawn(const char *attempt_id, pid_t *pid)
{
	struct proc *p;

	if (world_is_rough() && sim_chance(world.faults.spawn)) {
		world.may_fail = true;
		return EAGAIN;
	}
	p = xcalloc(1, sizeof(*p));
	*pid = p->pid = next_pid++;
	p->host = self->instance->host;
	p->is_alive = true;
	p->actor =
	    (struct actor){ .kind = KIND_SHEPHERD, .site = p->host->site };
	(void)snprintf(p->attempt, sizeof(p->attempt), "%s", attempt_id);
	(void)snprintf(p->actor.name, sizeof(p->actor.name), "s%d shepherd %d",
	    p->host->site->number, (int)(p->pid - FIRST_PID));
	p->next = all;
	all = p;
	tally->shepherds++;
	routine_start(&p->actor, run, p);
	return 0;
}

int
proc_watch(pid_t pid, bool is_child, loop_child_fn *fn, void *ctx)
{
	struct proc *p = find(pid);

	if (p == NULL || !p->is_alive)
		return -1;
	p->watcher = self->instance;
	p->is_child = is_child;
	p->fn = fn;
	p->ctx = ctx;
	return 0;
}

void
proc_each(void (*fn)(void *ctx, pid_t pid, const char *attempt), void *ctx)
{
	for (struct proc *p = all; p != NULL; p = p->next)
		if (p->is_alive && p->host == self->instance->host)
			fn(ctx, p->pid, p->attempt);
}

void
proc_check_adoption(void)
{
	const struct instance *in = self->instance;
	char sql[160];

	for (struct proc *p = all; p != NULL; p = p->next) {
		if (!p->is_alive || p->host != in->host || p->watcher == in)
			continue;
		(void)snprintf(sql, sizeof(sql),
		    "SELECT COUNT(*) FROM attempt WHERE attempt_id = '%s'"
		    " AND ended_at IS NULL",
		    p->attempt);
		if (site_count(in->host->site, sql) > 0)
			world_fail("%s is up and does not watch %s",
			    in->actor.name, p->actor.name);
	}
}

int
proc_kill(pid_t pid)
{
	struct proc *p = find(pid);

	if (p != NULL && p->is_alive)
		actor_kill(&p->actor, "its process");
	return 0;
}

void
proc_poke(const char *socket_path)
{
	for (struct proc *p = all; p != NULL; p = p->next)
		if (p->is_alive && p->socket != NULL &&
		    str_eq(p->socket, socket_path))
			routine_wake(&p->actor);
}

size_t
procs_alive(void)
{
	size_t n = 0;

	for (struct proc *p = all; p != NULL; p = p->next)
		n += p->is_alive;
	return n;
}

void
procs_kill(void)
{
	for (struct proc *p = all; p != NULL; p = p->next)
		p->actor.dead = true;
}

void
procs_reset(void)
{
	struct proc *p;

	next_pid = FIRST_PID;
	while ((p = all) != NULL) {
		all = p->next;
		free(p->key);
		free(p->socket);
		free(p);
	}
}
