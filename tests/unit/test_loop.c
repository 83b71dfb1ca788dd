/*
 * The event loop: descriptors, timers, signals, processes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/event/loop.h"

struct seen {
	struct loop *loop;
	struct loop_fd *watch, *other;
	struct loop_timer *timer, *timers[64];
	int fd[2];
	int n;
	int events;
	int order[64];
	int status;
	pid_t pid;
};

static int
setup(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));

	assert_int_equal(loop_new(&s->loop), 0);
	assert_int_equal(pipe2(s->fd, O_CLOEXEC | O_NONBLOCK), 0);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct seen *s = *state;

	loop_free(s->loop);
	fd_close(&s->fd[0]);
	fd_close(&s->fd[1]);
	free(s);
	return 0;
}

static void
on_readable(void *ctx, int fd, int events)
{
	struct seen *s = ctx;
	char byte;

	s->events = events;
	s->n++;
	(void)!read(fd, &byte, 1);
}

static void
readable_descriptor_is_reported_until_it_is_read(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_fd_add(s->loop, s->fd[0], LOOP_READ, on_readable,
			     s, &s->watch),
	    0);
	assert_int_equal(write(s->fd[1], "ab", 2), 2);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->events, LOOP_READ);
	assert_int_equal(loop_once(s->loop, 0), 0);
	assert_int_equal(s->n, 2);
}

static void
paused_descriptor_is_not_reported_even_after_hang_up(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_fd_add(s->loop, s->fd[0], LOOP_READ, on_readable,
			     s, &s->watch),
	    0);
	assert_int_equal(loop_fd_set(s->watch, 0), 0);
	fd_close(&s->fd[1]);
	assert_int_equal(loop_once(s->loop, 20), 0);
	assert_int_equal(s->n, 0);
	assert_int_equal(loop_fd_set(s->watch, LOOP_READ), 0);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(s->n, 1);
}

static void
remove_both(void *ctx, int fd, int events)
{
	struct seen *s = ctx;

	(void)fd, (void)events;
	s->n++;
	loop_fd_del(s->watch);
	loop_fd_del(s->other);
}

static void
callback_may_remove_itself_and_others_of_the_same_batch(void **state)
{
	struct seen *s = *state;

	/* Both ends are ready at once: one batch holds two events. */
	assert_int_equal(write(s->fd[1], "x", 1), 1);
	assert_int_equal(loop_fd_add(s->loop, s->fd[0], LOOP_READ, remove_both,
			     s, &s->watch),
	    0);
	assert_int_equal(loop_fd_add(s->loop, s->fd[1], LOOP_WRITE, remove_both,
			     s, &s->other),
	    0);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(s->n, 1);
	assert_int_equal(loop_once(s->loop, 10), 0);
	assert_int_equal(s->n, 1);
}

static void
watching_a_closed_descriptor_fails(void **state)
{
	struct seen *s = *state;
	int fd = dup(s->fd[0]);

	assert_int_equal(close(fd), 0);
	assert_int_equal(
	    loop_fd_add(s->loop, fd, LOOP_READ, on_readable, s, &s->watch),
	    ERR_IO);
	assert_null(s->watch);
}

/* --- timers ------------------------------------------------------------------ */

struct numbered {
	struct seen *seen;
	int number;
};

static void
note_order(void *ctx)
{
	struct numbered *t = ctx;

	t->seen->order[t->seen->n++] = t->number;
}

static void
timers_fire_in_the_order_of_their_times(void **state)
{
	struct seen *s = *state;
	struct numbered t[50];
	int i;

	for (i = 0; i < 50; i++) {
		t[i] = (struct numbered){ s, (i * 37) % 50 };
		s->timers[i] = loop_timer_new(s->loop, note_order, &t[i]);
		loop_timer_set(s->timers[i], 5 + 2 * t[i].number, 0);
	}
	/* Some from the middle go again. */
	for (i = 0; i < 50; i += 5)
		loop_timer_cancel(s->timers[i]);
	while (s->n < 40)
		assert_int_equal(loop_once(s->loop, 1000), 0);
	for (i = 1; i < 40; i++)
		assert_true(s->order[i - 1] < s->order[i]);
	assert_int_equal(loop_once(s->loop, 0), 0);
	assert_int_equal(s->n, 40);
	for (i = 0; i < 50; i++)
		loop_timer_free(s->timers[i]);
}

static void
stop_at_five(void *ctx)
{
	struct seen *s = ctx;

	if (++s->n == 5) {
		loop_timer_cancel(s->timer);
		loop_stop(s->loop);
	}
}

static void
repeating_timer_repeats_until_canceled(void **state)
{
	struct seen *s = *state;
	int64_t before = clock_mono_ms();

	s->timer = loop_timer_new(s->loop, stop_at_five, s);
	loop_timer_set(s->timer, 10, 10);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->n, 5);
	assert_true(clock_mono_ms() - before >= 50);
	assert_int_equal(loop_once(s->loop, 30), 0);
	assert_int_equal(s->n, 5);
	loop_timer_free(s->timer);
}

static void
arm_again(void *ctx)
{
	struct seen *s = ctx;

	s->n++;
	loop_timer_set(s->timer, 0, 0);
}

static void
timer_that_arms_itself_at_once_does_not_starve_descriptors(void **state)
{
	struct seen *s = *state;

	s->timer = loop_timer_new(s->loop, arm_again, s);
	loop_timer_set(s->timer, 0, 0);
	assert_int_equal(loop_fd_add(s->loop, s->fd[0], LOOP_READ, on_readable,
			     s, &s->watch),
	    0);
	assert_int_equal(write(s->fd[1], "x", 1), 1);
	s->events = 0;
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(s->events, LOOP_READ);
	loop_timer_free(s->timer);
}

static void
free_own_timer(void *ctx)
{
	struct seen *s = ctx;

	s->n++;
	loop_timer_free(s->timer);
	s->timer = NULL;
}

static void
timer_may_free_itself(void **state)
{
	struct seen *s = *state;

	s->timer = loop_timer_new(s->loop, free_own_timer, s);
	loop_timer_set(s->timer, 0, 10);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(loop_once(s->loop, 30), 0);
	assert_int_equal(s->n, 1);
}

static void
timer_may_be_freed_after_its_loop(void **state)
{
	struct seen *s = *state;
	struct loop *loop;
	struct loop_timer *timer;

	assert_int_equal(loop_new(&loop), 0);
	timer = loop_timer_new(loop, stop_at_five, s);
	loop_timer_set(timer, 1000, 0);
	loop_free(loop);
	loop_timer_free(timer);
}

/* --- signals and processes ------------------------------------------------------- */

static void
on_signal(void *ctx, int signo)
{
	struct seen *s = ctx;

	s->n++;
	s->events = signo;
}

static void
signals_come_through_the_loop(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_signal(s->loop, SIGUSR1, on_signal, s), 0);
	assert_int_equal(loop_signal(s->loop, SIGUSR2, on_signal, s), 0);
	assert_int_equal(loop_signal(s->loop, 0, on_signal, s), ERR_INVALID);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	assert_int_equal(s->n, 0);
	assert_int_equal(loop_once(s->loop, 1000), 0);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->events, SIGUSR2);
}

static void
on_child(void *ctx, pid_t pid, int status)
{
	struct seen *s = ctx;

	s->n++;
	s->pid = pid;
	s->status = status;
}

static void
exit_of_a_child_is_told_with_its_status(void **state)
{
	struct seen *s = *state;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	assert_int_equal(loop_child(s->loop, pid, on_child, s), 0);
	assert_int_equal(loop_once(s->loop, 5000), 0);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->pid, pid);
	assert_true(WIFEXITED(s->status));
	assert_int_equal(WEXITSTATUS(s->status), 7);
	/* It was reaped. */
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static void
killed_child_is_told_with_its_signal(void **state)
{
	struct seen *s = *state;
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_int_equal(loop_child(s->loop, pid, on_child, s), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(loop_once(s->loop, 5000), 0);
	assert_true(WIFSIGNALED(s->status));
	assert_int_equal(WTERMSIG(s->status), SIGKILL);
}

static void
end_of_any_process_is_told(void **state)
{
	struct seen *s = *state;
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_int_equal(loop_process(s->loop, pid, on_child, s), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(loop_once(s->loop, 5000), 0);
	assert_int_equal(s->pid, pid);
	assert_int_equal(s->status, -1);
	/* Not reaped: it was somebody else's to reap. */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(
	    loop_process(s->loop, pid, on_child, s), ERR_NOT_FOUND);
}

static void
child_of_a_loop_gets_its_signals_back(void **state)
{
	struct seen *s = *state;
	pid_t pid;
	sigset_t blocked;

	assert_int_equal(loop_signal(s->loop, SIGTERM, on_signal, s), 0);
	if ((pid = fork()) == 0) {
		loop_child_reset();
		(void)sigprocmask(SIG_BLOCK, NULL, &blocked);
		_exit(sigismember(&blocked, SIGTERM));
	}
	assert_int_equal(loop_child(s->loop, pid, on_child, s), 0);
	assert_int_equal(loop_once(s->loop, 5000), 0);
	assert_int_equal(WEXITSTATUS(s->status), 0);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(readable_descriptor_is_reported_until_it_is_read),
		WITH_LOOP(paused_descriptor_is_not_reported_even_after_hang_up),
		WITH_LOOP(
		    callback_may_remove_itself_and_others_of_the_same_batch),
		WITH_LOOP(watching_a_closed_descriptor_fails),
		WITH_LOOP(timers_fire_in_the_order_of_their_times),
		WITH_LOOP(repeating_timer_repeats_until_canceled),
		WITH_LOOP(
		    timer_that_arms_itself_at_once_does_not_starve_descriptors),
		WITH_LOOP(timer_may_free_itself),
		WITH_LOOP(timer_may_be_freed_after_its_loop),
		WITH_LOOP(signals_come_through_the_loop),
		WITH_LOOP(exit_of_a_child_is_told_with_its_status),
		WITH_LOOP(killed_child_is_told_with_its_signal),
		WITH_LOOP(end_of_any_process_is_told),
		WITH_LOOP(child_of_a_loop_gets_its_signals_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
