/*
 * A hostile program in the real sandbox: launcher, bubblewrap, filter, limits
 * and the checks of its frames, without a database.  What it tries is written
 * in tests/hostile/hostile.c.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/wire/check.h"
#include "lib/wire/frame.h"
#include "supervisor/shepherd/launcher.h"
#include "supervisor/shepherd/memwatch.h"

#define MEGABYTE (1ll << 20)
#define PATIENCE_MS 5000

/* How an attack ended. */
struct verdict {
	bool through; /* Finish said so */
	bool refused; /* Finish said so */
	bool breach;  /* a frame was refused by the checks */
	bool closed;  /* no Finish at all */
	int status;   /* of bwrap, as from waitpid */
	char detail[400];
	char printed[400];
	int frames; /* that passed the checks */
};

static char *provider_dir, *program, *work_dir;
static bool can_run, has_memory_group, has_pids_limit;
static char why_not[300];

static int
send_start(int sock, const char *attack)
{
	Sluice__Executor__Frame f = SLUICE__EXECUTOR__FRAME__INIT;
	Sluice__Executor__Start s = SLUICE__EXECUTOR__START__INIT;
	char *json = xasprintf("{\"attack\":\"%s\"}", attack);
	int r;

	s.protocol = FRAME_PROTOCOL;
	s.parameters_json = json;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_START;
	f.start = &s;
	r = frame_send(sock, &f, NULL, 0);
	free(json);
	return r;
}

/* One frame of the program; false when there is no point in another. */
static bool
judge(const frame_msg *m, size_t n_fds, struct verdict *v)
{
	if (wire_check_executor(m, n_fds) != 0) {
		v->breach = true;
		(void)snprintf(v->detail, sizeof(v->detail), "%s", err_text());
		return false;
	}
	v->frames++;
	if (m->kind_case != SLUICE__EXECUTOR__FRAME__KIND_FINISH)
		return true;
	v->through = strcmp(m->finish->status, "success") == 0;
	v->refused = !v->through;
	(void)snprintf(v->detail, sizeof(v->detail), "%s", m->finish->error);
	return false;
}

static void
listen_to(int sock, struct verdict *v)
{
	struct frame_reader r;
	struct frame_fds fds;
	frame_msg *m;
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int e;

	frame_reader_init(&r);
	for (;;) {
		e = frame_read(&r, sock, &m, &fds);
		if (e == ERR_BUSY && poll(&pfd, 1, PATIENCE_MS) > 0)
			continue;
		if (e != 0) {
			v->closed = e == ERR_CLOSED;
			v->breach = e == ERR_FORMAT;
			(void)snprintf(
			    v->detail, sizeof(v->detail), "%s", err_text());
			break;
		}
		e = judge(m, fds.n, v);
		frame_free(m);
		frame_fds_close(&fds);
		if (!e)
			break;
	}
	frame_reader_fini(&r);
}

static int
run_attack(const char *attack, struct verdict *v)
{
	char *out = xasprintf("%s/out", work_dir);
	char *in = xasprintf("%s/in", work_dir);
	struct sandbox_bind bind = { in, "/in/0" };
	struct sandbox s = {
		.bwrap = "/usr/bin/bwrap",
		.program = program,
		.provider_dir = provider_dir,
		.output_dir = out,
		.binds = &bind,
		.n_binds = 1,
	};
	struct limits l = { .memory_bytes = 128 * MEGABYTE,
		.file_bytes = 64 * MEGABYTE,
		.cores = 1,
		.threads = 16 };
	struct launched child;
	char name[64];
	int r;

	memset(v, 0, sizeof(*v));
	(void)snprintf(name, sizeof(name), "sluice-test-%d", (int)getpid());
	(void)fd_remove_tree(out);
	assert_int_equal(fd_mkdirs(out, 0700), 0);
	if ((r = launcher_start(&s, &l, "", name, &child)) != 0)
		goto out;
	has_memory_group = cgroup_limits_memory(child.cgroup);
	if ((r = send_start(child.socket, attack)) == 0)
		listen_to(child.socket, v);
	launcher_kill(&child);
	while (waitpid(child.bwrap, &v->status, 0) < 0 && errno == EINTR)
		;
	(void)!read(child.output, v->printed, sizeof(v->printed) - 1);
	launcher_close(&child);
out:
	free(out);
	free(in);
	return r;
}

static int
set_up(void **state)
{
	char exe[400], dir[] = "/tmp/sluice-sandbox-XXXXXX";
	struct verdict v;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash, *in, *file;

	(void)state;
	assert_true(n > 0);
	exe[n] = '\0';
	/* build/tests/test_sandbox; the provider is in build/hostile. */
	slash = strrchr(exe, '/');
	*slash = '\0';
	slash = strrchr(exe, '/');
	*slash = '\0';
	provider_dir = xasprintf("%s/hostile/hostile/1.0.0", exe);
	program = xasprintf("%s/executor", provider_dir);
	assert_non_null(mkdtemp(dir));
	work_dir = xstrdup(dir);
	in = xasprintf("%s/in", work_dir);
	assert_int_equal(fd_mkdirs(in, 0700), 0);
	file = xasprintf("%s/data.mdb", in);
	assert_int_equal(fd_replace_file(file, "x", 1, 0600), 0);
	free(in);
	free(file);
	can_run = run_attack("none", &v) == 0;
	has_pids_limit = geteuid() != 0 || has_memory_group;
	if (!can_run)
		(void)snprintf(why_not, sizeof(why_not), "%s", err_text());
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)fd_remove_tree(work_dir);
	free(provider_dir);
	free(program);
	free(work_dir);
	return 0;
}

#define NEED_SANDBOX()                                                         \
	do {                                                                   \
		if (!can_run) {                                                \
			print_message("skip: %s\n", why_not);                  \
			skip();                                                \
		}                                                              \
	} while (0)

/* Refused with a word, or killed: but never through. */
static void
assert_refused(const char *attack)
{
	struct verdict v;

	assert_int_equal(run_attack(attack, &v), 0);
	if (v.through || !(v.refused || v.closed))
		fail_msg("%s: %s (%s), status %#x", attack, v.detail, v.printed,
		    v.status);
	assert_false(v.breach);
	/* Silence is a refusal only when the program was killed for it. */
	if (v.closed &&
	    !(WIFSIGNALED(v.status) ||
		(WIFEXITED(v.status) && WEXITSTATUS(v.status) > 128)))
		fail_msg("%s: ended with status %#x: %s", attack, v.status,
		    v.printed);
}

static void
assert_all_refused(const char *const *attacks)
{
	for (; *attacks != NULL; attacks++)
		assert_refused(*attacks);
}

static void
a_program_that_does_nothing_gets_through(void **state)
{
	struct verdict v;

	(void)state;
	NEED_SANDBOX();
	assert_int_equal(run_attack("none", &v), 0);
	assert_true(v.through);
	assert_int_equal(v.frames, 2);
}

static void
no_socket_of_any_kind_can_be_made(void **state)
{
	static const char *const attacks[] = { "dns", "tcp", "udp6", "unix",
		"netlink", "socketpair", "io_uring", NULL };

	(void)state;
	NEED_SANDBOX();
	assert_all_refused(attacks);
}

static void
no_file_outside_the_task_can_be_read(void **state)
{
	static const char *const attacks[] = { "other_files", "other_job",
		"proc", "descriptors", NULL };

	(void)state;
	NEED_SANDBOX();
	assert_all_refused(attacks);
}

static void
nothing_outside_out_can_be_written(void **state)
{
	static const char *const attacks[] = { "write_outside", "symlink",
		"hardlink", "device", "chmod", NULL };

	(void)state;
	NEED_SANDBOX();
	assert_all_refused(attacks);
}

static void
the_kernel_s_sharp_edges_are_out_of_reach(void **state)
{
	static const char *const attacks[] = { "ptrace", "vm_read", "mount",
		"unshare", "clone_namespace", "setns", "bpf", "keyctl",
		"userfaultfd", "perf", "int80", "x32", NULL };

	(void)state;
	NEED_SANDBOX();
	assert_all_refused(attacks);
}

static void
other_processes_and_cores_are_out_of_reach(void **state)
{
	static const char *const attacks[] = { "fork", "exec", "kill",
		"affinity", NULL };

	(void)state;
	NEED_SANDBOX();
	assert_all_refused(attacks);
}

static void
threads_are_limited(void **state)
{
	(void)state;
	NEED_SANDBOX();
	if (!has_pids_limit) {
		print_message("skip: root, and no control group for pids\n");
		skip();
	}
	assert_refused("threads");
}

static void
memory_and_files_are_limited(void **state)
{
	static const char *const attacks[] = { "memory", "big_file", NULL };

	(void)state;
	NEED_SANDBOX();
	assert_all_refused(attacks);
}

static void
shared_memory_is_limited_by_the_control_group(void **state)
{
	static const char *const attacks[] = { "shared_memory", "memfd", NULL };

	(void)state;
	NEED_SANDBOX();
	if (!has_memory_group) {
		print_message("skip: no control group limits memory here\n");
		skip();
	}
	assert_all_refused(attacks);
}

static void
breaches_of_the_protocol_are_seen(void **state)
{
	static const char *const attacks[] = { "oversized", "garbage",
		"truncated", "descriptor", "start", "escaping_folder",
		"absolute_folder", NULL };
	struct verdict v;
	size_t i;

	(void)state;
	NEED_SANDBOX();
	for (i = 0; attacks[i] != NULL; i++) {
		assert_int_equal(run_attack(attacks[i], &v), 0);
		if (!v.breach)
			fail_msg("%s: taken (%s)", attacks[i], v.detail);
	}
}

static void
an_exit_without_a_word_shows_its_status(void **state)
{
	struct verdict v;

	(void)state;
	NEED_SANDBOX();
	assert_int_equal(run_attack("exit", &v), 0);
	assert_true(v.closed);
	assert_int_equal(run_attack("crash", &v), 0);
	assert_true(v.closed);
}

/* The shepherd's own look, once per heartbeat, where no group counts. */
static void
memory_files_are_seen_without_a_control_group(void **state)
{
	char *out = xasprintf("%s/out", work_dir);
	struct sandbox s = {
		.bwrap = "/usr/bin/bwrap",
		.program = program,
		.provider_dir = provider_dir,
		.output_dir = out,
	};
	struct limits l = { .memory_bytes = 128 * MEGABYTE,
		.file_bytes = 64 * MEGABYTE,
		.cores = 1,
		.threads = 16 };
	int64_t end = clock_mono_ms() + PATIENCE_MS, seen = 0;
	struct launched child;
	int status;

	(void)state;
	NEED_SANDBOX();
	assert_int_equal(fd_mkdirs(out, 0700), 0);
	assert_int_equal(launcher_start(&s, &l, "off", "x", &child), 0);
	assert_int_equal(send_start(child.socket, "memfd"), 0);
	while (seen < 64 * MEGABYTE && clock_mono_ms() < end) {
		(void)poll(NULL, 0, 1);
		seen = memwatch_bytes(child.inner);
	}
	launcher_kill(&child);
	assert_int_equal(waitpid(child.bwrap, &status, 0), child.bwrap);
	launcher_close(&child);
	assert_true(seen >= 64 * MEGABYTE);
	free(out);
}

static void
a_program_that_hangs_is_killed_with_its_sandbox(void **state)
{
	char *out = xasprintf("%s/out", work_dir);
	struct sandbox s = {
		.bwrap = "/usr/bin/bwrap",
		.program = program,
		.provider_dir = provider_dir,
		.output_dir = out,
	};
	struct limits l = { .memory_bytes = 128 * MEGABYTE,
		.file_bytes = MEGABYTE,
		.cores = 1,
		.threads = 16 };
	struct launched child;
	struct pollfd pfd = { .events = POLLIN };
	int status;

	(void)state;
	NEED_SANDBOX();
	assert_int_equal(fd_mkdirs(out, 0700), 0);
	assert_int_equal(launcher_start(&s, &l, "off", "x", &child), 0);
	assert_int_equal(send_start(child.socket, "hang"), 0);
	launcher_kill(&child);
	assert_int_equal(waitpid(child.bwrap, &status, 0), child.bwrap);
	/* The other end of the socket is gone with the last process. */
	pfd.fd = child.inner_fd;
	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	launcher_close(&child);
	free(out);
}

static void
a_program_outside_its_provider_is_refused(void **state)
{
	struct sandbox s = {
		.bwrap = "/usr/bin/bwrap",
		.program = "/usr/bin/true",
		.provider_dir = provider_dir,
		.output_dir = "/tmp",
	};
	char **argv;

	(void)state;
	assert_int_equal(sandbox_argv(&s, &argv), ERR_INVALID);
	s.program = "/usr/bin/../bin/true";
	s.provider_dir = "/usr/bin";
	assert_int_equal(sandbox_argv(&s, &argv), ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_that_does_nothing_gets_through),
		cmocka_unit_test(no_socket_of_any_kind_can_be_made),
		cmocka_unit_test(no_file_outside_the_task_can_be_read),
		cmocka_unit_test(nothing_outside_out_can_be_written),
		cmocka_unit_test(the_kernel_s_sharp_edges_are_out_of_reach),
		cmocka_unit_test(other_processes_and_cores_are_out_of_reach),
		cmocka_unit_test(threads_are_limited),
		cmocka_unit_test(memory_and_files_are_limited),
		cmocka_unit_test(shared_memory_is_limited_by_the_control_group),
		cmocka_unit_test(breaches_of_the_protocol_are_seen),
		cmocka_unit_test(an_exit_without_a_word_shows_its_status),
		cmocka_unit_test(memory_files_are_seen_without_a_control_group),
		cmocka_unit_test(
		    a_program_that_hangs_is_killed_with_its_sandbox),
		cmocka_unit_test(a_program_outside_its_provider_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
