/*
 * The course of an attempt, and its end.  Parts report here; what follows is
 * decided in step(), from the loop, never inside a part's own callback.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "supervisor/shepherd/courier.h"
#include "supervisor/shepherd/delivery.h"
#include "supervisor/shepherd/finish.h"
#include "supervisor/shepherd/relay.h"
#include "supervisor/shepherd/session.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

/* After its Finish an executor has so long to exit. */
#define EXIT_PATIENCE_MS 10000
#define RETRY_MS 100
#define RETRY_MAX_MS 1000
/* error_report is read by people. */
#define ERROR_MAX 8000

static void
kill_child(struct shepherd *s)
{
	if (s->has_child)
		launcher_kill(&s->child);
}

void
control_poke(struct shepherd *s)
{
	if (s->phase != PHASE_OVER)
		loop_timer_set(s->step, 0, 0);
}

char *
control_words(
    const struct shepherd *s, enum fault_kind fault, const char *error)
{
	char *text, *cut;

	if (error == NULL)
		error = "";
	/* Other parties read it as well: whose disk is it? */
	text = fault == FAULT_DISK ? xasprintf("a disk of party %s is full: %s",
					 s->conf->party_id, error)
				   : xstrdup(error);
	cut = xstrndup(text, ERROR_MAX);
	free(text);
	return cut;
}

void
control_end(struct shepherd *s, enum state verdict, enum fault_kind fault,
    const char *error)
{
	/* A success that still waits for its sends may be stopped. */
	bool overrule = s->phase == PHASE_ENDING &&
			state_is_success(s->verdict) &&
			!state_is_success(verdict);

	if (s->phase >= PHASE_ENDING && !overrule)
		return;
	s->phase = PHASE_ENDING;
	s->verdict = verdict;
	s->fault = fault;
	free(s->error);
	s->error = control_words(s, fault, error);
	log_info("ends: %s %.300s", state_name(verdict), s->error);
	if (state_is_success(verdict))
		loop_timer_set(s->patience, EXIT_PATIENCE_MS, 0);
	else
		kill_child(s);
	control_poke(s);
}

void
control_fail(struct shepherd *s, const char *context)
{
	if (context != NULL)
		(void)err_wrap("%s", context);
	log_err("task fails");
	control_end(s, STATE_FAILED, fault_of_error(err_code()), err_text());
}

void
control_lost(struct shepherd *s)
{
	s->is_lost = true;
	s->phase = PHASE_ENDING;
	kill_child(s);
	control_poke(s);
}

/* --- the executor's end ------------------------------------------------------------ */

/* bwrap exits with 128 + n when the program was ended by signal n. */
static int
signal_of(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	return WEXITSTATUS(status) > 128 ? WEXITSTATUS(status) - 128 : 0;
}

static bool
had_no_sandbox(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == INSIDE_EXIT;
}

/* Somebody ended it, or it ended itself, and would again. */
static enum fault_kind
fault_of_status(int status)
{
	int sig = signal_of(status);

	return sig == SIGKILL || sig == SIGTERM || sig == SIGHUP ||
		       sig == SIGINT || had_no_sandbox(status)
		   ? FAULT_HOST
		   : FAULT_COMPONENT;
}

static void
describe_status(struct buf *b, int status)
{
	int sig = signal_of(status);

	if (sig == SIGSYS)
		buf_puts(b, "a system call that tasks may not make");
	else if (sig != 0)
		buf_printf(b, "signal %d (%s)", sig, strsignal(sig));
	else
		buf_printf(b, "exit status %d", WEXITSTATUS(status));
}

static void
ended_without_a_word(struct shepherd *s)
{
	struct buf b = BUF_INIT;
	const char *tail = tasklog_tail(s->log);
	enum fault_kind fault = fault_of_status(s->child_status);

	buf_puts(&b, "the executor ended without a result: ");
	if (cgroup_was_oom(s->child.cgroup)) {
		fault = FAULT_MEMORY;
		buf_printf(&b, "more memory than the %lld MB of a task; ",
		    (long long)s->conf->executor_memory_mb);
	}
	describe_status(&b, s->child_status);
	if (tail[0] != '\0')
		buf_printf(&b, "\n%s", tail);
	control_end(s, STATE_FAILED, fault, b.data);
	buf_fini(&b);
}

void
control_child(void *ctx, pid_t pid, int status)
{
	struct shepherd *s = ctx;

	(void)pid;
	s->has_child = false;
	s->child_status = status;
	if (s->session != NULL)
		session_drain(s->session);
	if (s->phase == PHASE_RUNNING)
		ended_without_a_word(s);
	control_poke(s);
}

static void
out_of_patience(void *ctx)
{
	struct shepherd *s = ctx;

	log_warn("the executor stays after its end, killed");
	kill_child(s);
}

/* --- what is next -------------------------------------------------------------------- */

static void
over(struct shepherd *s)
{
	s->phase = PHASE_OVER;
	loop_stop(s->loop);
}

static void
write_end(struct shepherd *s)
{
	int r;

	s->phase = PHASE_WRITING;
	if ((r = finish_write(s)) == 0) {
		finish_tell(s, true);
		over(s);
	} else if (r == ERR_CONFLICT) {
		log_err("the end is not ours to write");
		control_lost(s);
	} else {
		log_err("end not written");
		loop_timer_set(s->step, s->retry_ms, 0);
		s->retry_ms = s->retry_ms * 2 < RETRY_MAX_MS ? s->retry_ms * 2
							     : RETRY_MAX_MS;
	}
}

static void
step(void *ctx)
{
	struct shepherd *s = ctx;

	if (s->phase < PHASE_ENDING || s->phase == PHASE_OVER || s->has_child)
		return;
	if (s->is_lost) {
		over(s);
		return;
	}
	/* Nothing may change outside once the end is written. */
	if (s->delivery != NULL &&
	    (state_is_success(s->verdict) ? !delivery_is_done(s->delivery)
					  : !delivery_is_stopped(s->delivery)))
		return;
	if (s->relay != NULL && !relay_is_idle(s->relay))
		return;
	if (state_is_success(s->verdict) && s->courier != NULL &&
	    !courier_is_idle(s->courier))
		return;
	write_end(s);
}

int
control_open(struct shepherd *s)
{
	s->error = xstrdup("");
	s->verdict = STATE_NONE;
	s->retry_ms = RETRY_MS;
	s->step = loop_timer_new(s->loop, step, s);
	s->patience = loop_timer_new(s->loop, out_of_patience, s);
	return 0;
}

void
control_close(struct shepherd *s)
{
	loop_timer_free(s->step);
	loop_timer_free(s->patience);
	free(s->error);
}
