/*
 * The course of one attempt: its parts are made in order, the executor is
 * started, and the loop runs until its end is written.  Called by main.c, or
 * in a process that the nursery forked.
 */
#include "supervisor/shepherd/attempt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "supervisor/launch.h"
#include "supervisor/shepherd/agreement.h"
#include "supervisor/shepherd/courier.h"
#include "supervisor/shepherd/delivery.h"
#include "supervisor/shepherd/finish.h"
#include "supervisor/shepherd/inbox.h"
#include "supervisor/shepherd/inputs.h"
#include "supervisor/shepherd/lease.h"
#include "supervisor/shepherd/outputs.h"
#include "supervisor/shepherd/pulse.h"
#include "supervisor/shepherd/relay.h"
#include "supervisor/shepherd/session.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/source.h"
#include "supervisor/shepherd/tasklog.h"

enum { EXIT_LOST = 3 };

#define BUILT_IN "sluice" /* the provider that comes with the site */

/* Threads of an executor for each core, and those of its runtime. */
#define THREADS_PER_CORE 2
#define THREADS_MORE 8

static void
on_signal(void *ctx, int signo)
{
	(void)signo;
	control_end(ctx, STATE_FAILED, FAULT_HOST,
	    "the programs of this site were stopped while the task ran");
}

/*
 * Others begin and would have our connection.  While the executor runs little
 * is asked of the database, and one of our own will do; at the end it goes
 * back anyway.
 */
static void
on_asked(void *ctx, int fd, int events)
{
	struct shepherd *s = ctx;

	(void)fd;
	(void)events;
	loop_fd_del(s->asked);
	s->asked = NULL;
	if (s->phase == PHASE_RUNNING)
		(void)loan_give(s->loan);
}

/* Connection, rows, lease: without them there is nothing to end. */
static int
open_attempt(struct shepherd *s, const char *attempt_id)
{
	const struct db_task_key *key;
	int r;

	s->db = s->loan->db;
	if (s->db == NULL && (r = db_open(s->conf, &s->db)) != 0)
		return r;
	db_set_actor(s->db, "shepherd");
	if ((r = subject_load(s->db, attempt_id, &s->subject)) != 0)
		return r;
	key = subject_key(s->subject);
	log_context(key->job_id, key->component, key->party_id);
	s->mailbox = (struct mailbox_task){ .job_id = key->job_id,
		.component = key->component,
		.version = (int)key->version,
		.role = key->role,
		.party_id = key->party_id };
	if ((r = loop_new(&s->loop)) != 0 || (r = control_open(s)) != 0 ||
	    (r = loop_signal(s->loop, SIGTERM, on_signal, s)) != 0 ||
	    (s->loan->db != NULL &&
		(r = loop_fd_add(s->loop, s->loan->back, LOOP_READ, on_asked, s,
		     &s->asked)) != 0))
		return r;
	return lease_open(s, &s->lease);
}

static int
make_folders(struct shepherd *s)
{
	const struct db_task_key *key = subject_key(s->subject);

	s->work_dir = site_path(s->conf, SITE_WORK_DIR, key->job_id,
	    key->component, (int)key->version, key->role, key->party_id,
	    (int)s->subject->attempt->fence);
	return fd_mkdirs(s->work_dir, 0750);
}

static int
open_parts(struct shepherd *s)
{
	int r;

	if ((r = tasklog_open(s->conf, subject_key(s->subject), &s->log)) !=
		0 ||
	    (r = subject_complete(s->subject, s->conf, s->providers)) != 0 ||
	    (r = make_folders(s)) != 0 || (r = inbox_open(s, &s->inbox)) != 0)
		return r;
	s->pulse = pulse_new(s);
	s->relay = relay_new(s);
	s->outputs = outputs_new(s->conf, s->subject, s->work_dir);
	s->delivery = delivery_new(s);
	return courier_open(s, &s->courier);
}

/*
 * Models go to the store and back by a program of the site: a task has no
 * network.  It is this site's own program whatever the provider's folder
 * holds, and it is told by its module, of the built-in provider, in jobs
 * that no other site has a part in.
 */
static bool
is_own(const struct subject *t)
{
	return t->is_local && t->job->is_initiator &&
	       str_eq(t->provider->name, BUILT_IN) &&
	       (str_eq(t->module->name, "ModelStore") ||
		   str_eq(t->module->name, "ModelRestore"));
}

static int
launch_own(struct shepherd *s)
{
	char *argv[] = { s->conf->model_store_program,
		(char *)(uintptr_t) "--config", s->conf->path, NULL };
	int r;

	if ((r = launcher_start_own(argv, &s->child)) != 0)
		return r;
	s->has_child = true;
	return loop_child(s->loop, s->child.pid, control_child, s);
}

static int
launch(struct shepherd *s, const struct inputs *in)
{
	const struct subject *t = s->subject;
	char name[64];
	int cores = (int)t->attempt->cores;
	struct sandbox box = {
		.maker = s->conf->sandbox_program,
		.guard = s->conf->sandbox_program,
		.bwrap = s->conf->bwrap_program,
		.program = t->provider->program,
		.provider_dir = t->provider->folder,
		.output_dir = s->work_dir,
		.binds = in->binds,
		.n_binds = in->n_binds,
	};
	struct limits limits = {
		.memory_bytes = s->conf->executor_memory_mb << 20,
		.file_bytes = s->conf->executor_file_mb << 20,
		.cores = cores > 0 ? cores : 1,
	};
	int r;

	limits.threads = limits.cores * THREADS_PER_CORE + THREADS_MORE;
	(void)snprintf(
	    name, sizeof(name), CGROUP_PREFIX "%s", t->attempt->attempt_id);
	if ((r = launcher_start(
		 &box, &limits, s->conf->cgroup_dir, name, &s->child)) != 0)
		return r;
	s->has_child = true;
	return loop_child(s->loop, s->child.pid, control_child, s);
}

/* When this cannot be written now, the end will say it all. */
static void
say_running(struct shepherd *s)
{
	int r = lease_running(s->lease);

	if (r == ERR_CONFLICT)
		control_lost(s);
	else if (r != 0)
		log_err("state running not written");
	else
		finish_tell(s, false);
}

static int
start(struct shepherd *s)
{
	struct arena *arena = arena_new();
	struct inputs in;
	int text_fd = -1, r;

	if ((r = open_parts(s)) != 0 || (r = agreement_check(s)) != 0 ||
	    (r = inputs_resolve(arena, s->db, s->conf, s->subject, &in)) != 0 ||
	    (r = ancestry_begin(s->db, s->subject, &in, s->subject->arena,
		 &s->ancestry)) != 0 ||
	    (in.outside != NULL &&
		(r = source_open(s, in.outside, &text_fd, &s->source)) != 0))
		goto out;
	tasklog_printf(s->log, TASKLOG_INFO,
	    "task %s version %d of %s %s "
	    "starts: %s by %s %s",
	    s->mailbox.component, s->mailbox.version, s->mailbox.role,
	    s->mailbox.party_id, s->subject->module->name,
	    s->subject->provider->name, s->subject->provider->version);
	r = is_own(s->subject) ? launch_own(s) : launch(s, &in);
	if (r != 0)
		goto out;
	r = session_open(s, &in, text_fd, &s->session);
	text_fd = -1; /* the session's, or closed */
	if (r != 0)
		goto out;
	s->phase = PHASE_RUNNING;
	say_running(s);
out:
	fd_close(&text_fd);
	arena_free(arena);
	return r;
}

static void
close_all(struct shepherd *s)
{
	session_close(s->session);
	pulse_free(s->pulse);
	source_close(s->source);
	delivery_free(s->delivery);
	courier_free(s->courier);
	relay_free(s->relay);
	inbox_close(s->inbox);
	if (s->subject != NULL)
		finish_clean(s);
	launcher_close(&s->child);
	outputs_free(s->outputs);
	tasklog_close(s->log);
	lease_close(s->lease);
	if (s->loop != NULL)
		control_close(s);
	loop_fd_del(s->asked);
	loop_free(s->loop);
	subject_free(s->subject);
	if (s->loan->db != NULL)
		loan_return(s->loan);
	else
		db_close(s->db);
	free(s->work_dir);
}

static int
run(struct shepherd *s, const char *attempt_id)
{
	int r;

	if ((r = open_attempt(s, attempt_id)) != 0)
		return r;
	/* From here on a failure is the task's, and is written as its end. */
	if (s->phase == PHASE_SETUP && start(s) != 0) {
		if (!s->has_child && db_ping(s->db) != 0)
			return ERR_DB_RETRY;
		control_fail(s, NULL);
	}
	return loop_run(s->loop);
}

/*
 * The database went away, or the attempt was ended before we were there:
 * neither is a failure of the task.
 */
static bool
began_nothing(int r)
{
	return r == ERR_DB || r == ERR_DB_RETRY || r == ERR_CONFLICT;
}

int
attempt_run(struct ready *ready, const char *attempt_id)
{
	struct shepherd s;
	int status = EXIT_SUCCESS, r;

	memset(&s, 0, sizeof(s));
	s.child = (struct launched)LAUNCHED_INIT;
	s.conf = ready->conf;
	s.providers = ready->providers;
	s.loan = &ready->loan;
	if ((r = run(&s, attempt_id)) != 0) {
		log_err("attempt %s", attempt_id);
		status = began_nothing(r) ? SHEPHERD_AGAIN : EXIT_FAILURE;
	} else if (s.is_lost) {
		status = EXIT_LOST;
	}
	close_all(&s);
	return status;
}
