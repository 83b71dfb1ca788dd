/*
 * A hostile program in the real sandbox: launcher, bubblewrap, filter, limits
 * and the checks of its frames, without a database.  What it tries is written
 * in tests/hostile/hostile.c.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
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
#define MOMENTS 50 /* half a millisecond apart */

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

static char *provider_dir, *program, *work_dir, *maker, *guard;
static bool by_bwrap; /* the second time */
static bool can_run, can_mount, has_memory_group, has_pids_limit;
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
		.maker = maker,
		.guard = guard,
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
	while (waitpid(child.pid, &v->status, 0) < 0 && errno == EINTR)
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
	guard = xasprintf("%s/bin/sluice-sandbox", exe);
	maker =
	    by_bwrap ? xstrdup("") : xasprintf("%s/bin/sluice-sandbox", exe);
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
	free(maker);
	free(guard);
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
		.maker = maker,
		.guard = guard,
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
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	launcher_close(&child);
	assert_true(seen >= 64 * MEGABYTE);
	free(out);
}

static void
a_program_that_hangs_is_killed_with_its_sandbox(void **state)
{
	char *out = xasprintf("%s/out", work_dir);
	struct sandbox s = {
		.maker = maker,
		.guard = guard,
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
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	/* The other end of the socket is gone with the last process. */
	pfd.fd = child.inner_fd;
	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	launcher_close(&child);
	free(out);
}

/* --- from outside ------------------------------------------------------------ */

/* A program that hangs, and the process that it is. */
struct hanging {
	char *out, *in;
	struct launched child;
	pid_t pid;
};

static bool
proc_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	n = fread(text, 1, size - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	return true;
}

static void
start_hanging(struct hanging *h)
{
	struct sandbox_bind bind = { .inside = "/in/0" };
	struct sandbox s = { .maker = maker,
		.guard = guard,
		.bwrap = "/usr/bin/bwrap",
		.program = program,
		.provider_dir = provider_dir,
		.binds = &bind,
		.n_binds = 1 };
	struct limits l = { .memory_bytes = 128 * MEGABYTE,
		.file_bytes = MEGABYTE,
		.cores = 1,
		.threads = 16 };
	int64_t end = clock_mono_ms() + PATIENCE_MS;
	char text[64] = "";

	h->out = xasprintf("%s/out", work_dir);
	h->in = xasprintf("%s/in", work_dir);
	s.output_dir = h->out;
	bind.outside = h->in;
	assert_int_equal(fd_mkdirs(h->out, 0700), 0);
	assert_int_equal(launcher_start(&s, &l, "off", "x", &h->child), 0);
	assert_int_equal(send_start(h->child.socket, "hang"), 0);
	/* The name is the program's from its execve() on. */
	while (strcmp(text, "executor\n") != 0) {
		assert_true(clock_mono_ms() < end);
		(void)poll(NULL, 0, 1);
		h->pid = h->child.inner;
		if (h->pid <= 0 ||
		    !proc_text(h->pid, "comm", text, sizeof(text)))
			text[0] = '\0';
	}
}

static void
stop_hanging(struct hanging *h)
{
	int status;

	launcher_kill(&h->child);
	assert_int_equal(waitpid(h->child.pid, &status, 0), h->child.pid);
	launcher_close(&h->child);
	free(h->out);
	free(h->in);
}

static void
no_namespace_is_shared_with_the_host(void **state)
{
	static const char *const names[] = { "user", "mnt", "pid", "net", "ipc",
		"uts", "cgroup" };
	struct hanging h;
	char path[64], ours[64], its[64];
	ssize_t n, m;
	size_t i;

	(void)state;
	NEED_SANDBOX();
	start_hanging(&h);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(
		    path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, ours, sizeof(ours));
		(void)snprintf(
		    path, sizeof(path), "/proc/%d/ns/%s", (int)h.pid, names[i]);
		m = readlink(path, its, sizeof(its));
		assert_true(n > 0 && m > 0);
		if (n == m && memcmp(ours, its, (size_t)n) == 0)
			fail_msg("%s namespace is the host's", names[i]);
	}
	stop_hanging(&h);
}

static void
no_privilege_is_left(void **state)
{
	static const char *const lines[] = { "CapInh:\t0000000000000000\n",
		"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n",
		"NoNewPrivs:\t1\n", "Seccomp:\t2\n" };
	struct hanging h;
	char text[4096];
	size_t i;

	(void)state;
	NEED_SANDBOX();
	start_hanging(&h);
	assert_true(proc_text(h.pid, "status", text, sizeof(text)));
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(text, lines[i]) == NULL)
			fail_msg("no %s in %s", lines[i], text);
	/* No process outside is its relative, and it has no environment. */
	assert_true(proc_text(h.pid, "environ", text, sizeof(text)));
	if (!by_bwrap)
		assert_string_equal(text, "");
	stop_hanging(&h);
}

/* "ID PARENT DEV ROOT PLACE OPTIONS ...": the options of a place, or NULL. */
static const char *
mounted(const char *table, const char *place, char *options, size_t size)
{
	char at[64], how[128];
	const char *line;

	for (line = table; *line != '\0'; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "%*s %*s %*s %*s %63s %127s", at, how) == 2 &&
		    strcmp(at, place) == 0) {
			(void)snprintf(options, size, "%s", how);
			return options;
		}
		if (strchr(line, '\n') == NULL)
			break;
	}
	return NULL;
}

static void
nothing_is_mounted_but_what_the_task_may_see(void **state)
{
	static const struct {
		const char *place, *options, *maker_s;
	} want[] = { { "/", "ro,nosuid,nodev", ",noexec" },
		{ "/provider", "ro,nosuid,nodev", "" },
		{ "/in/0", "ro,nosuid,nodev", ",noexec" },
		{ "/out", "rw,nosuid,nodev", ",noexec" } };
	struct hanging h;
	char text[4096], options[128], wanted[64];
	size_t i, lines = 0;

	(void)state;
	NEED_SANDBOX();
	start_hanging(&h);
	assert_true(proc_text(h.pid, "mountinfo", text, sizeof(text)));
	for (i = 0; text[i] != '\0'; i++)
		lines += text[i] == '\n';
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		(void)snprintf(wanted, sizeof(wanted), "%s%s", want[i].options,
		    by_bwrap ? "" : want[i].maker_s);
		if (mounted(text, want[i].place, options, sizeof(options)) ==
			NULL ||
		    strncmp(options, wanted, strlen(wanted)) != 0)
			fail_msg(
			    "%s is not %s:\n%s", want[i].place, wanted, text);
	}
	/* Bubblewrap's has the guard as well. */
	assert_int_equal(
	    lines, sizeof(want) / sizeof(want[0]) + (by_bwrap ? 1 : 0));
	stop_hanging(&h);
}

/*
 * What systemd makes of a machine, in a namespace of this program's: what is
 * mounted in one namespace is seen in those that were made of it.
 */
static void
share_mounts(void)
{
	can_mount = unshare(CLONE_NEWNS) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0;
}

static void
nothing_that_is_mounted_outside_later_comes_in(void **state)
{
	struct hanging h;
	char text[4096], *later;
	bool is_mounted;

	(void)state;
	NEED_SANDBOX();
	if (by_bwrap)
		skip(); /* its trees follow the host's */
	start_hanging(&h);
	assert_true(proc_text(h.pid, "mountinfo", text, sizeof(text)));
	if (strstr(text, "master:") != NULL || strstr(text, "shared:") != NULL)
		fail_msg("the host's mounts are followed:\n%s", text);
	if (can_mount) {
		later = xasprintf("%s/later", h.in);
		assert_int_equal(fd_mkdirs(later, 0700), 0);
		is_mounted = mount("tmpfs", later, "tmpfs", 0, NULL) == 0;
		assert_true(proc_text(h.pid, "mountinfo", text, sizeof(text)));
		(void)umount2(later, MNT_DETACH);
		free(later);
		assert_true(is_mounted);
		assert_null(strstr(text, "/in/0/later"));
	}
	stop_hanging(&h);
}

static void
an_executor_dies_with_the_process_that_launched_it(void **state)
{
	struct pollfd pfd = { .events = POLLIN };
	struct hanging h;
	pid_t launcher, pid = 0;
	int told[2], status;

	(void)state;
	NEED_SANDBOX();
	assert_int_equal(pipe(told), 0);
	launcher = fork();
	assert_true(launcher >= 0);
	if (launcher == 0) {
		start_hanging(&h);
		(void)!write(told[1], &h.pid, sizeof(h.pid));
		for (;;)
			(void)pause();
	}
	(void)close(told[1]);
	assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	(void)close(told[0]);
	pfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pfd.fd >= 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	(void)kill(launcher, SIGKILL);
	assert_int_equal(waitpid(launcher, &status, 0), launcher);
	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	(void)close(pfd.fd);
}

/* A process of whose file in /proc this is a part, or 0. */
static pid_t
process_with(const char *file, const char *text, size_t len)
{
	struct buf b = BUF_INIT;
	struct dirent *e;
	pid_t found = 0;
	char path[300];
	DIR *d = opendir("/proc");

	assert_non_null(d);
	while (found == 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		(void)snprintf(
		    path, sizeof(path), "/proc/%s/%s", e->d_name, file);
		buf_clear(&b);
		if (buf_read_file(&b, path, 1 << 20) == 0 && b.len > 0 &&
		    memmem(b.data, b.len, text, len) != NULL)
			found = (pid_t)strtol(e->d_name, NULL, 10);
	}
	(void)closedir(d);
	buf_fini(&b);
	err_clear();
	return found;
}

/*
 * When bubblewrap dies between its two processes the one inside waits for
 * ever: no program begins in it, and nothing is mounted yet.
 */
static void
end_who_waits(void)
{
	pid_t pid;

	while (
	    (pid = process_with("cmdline", work_dir, strlen(work_dir))) != 0) {
		(void)kill(pid, SIGKILL);
		(void)poll(NULL, 0, 1);
	}
}

static void
nothing_is_left_of_it_at_whatever_moment_that_ends(void **state)
{
	const struct timespec step = { .tv_nsec = 500000 };
	char *out = xasprintf("%s/out ", strrchr(work_dir, '/'));
	struct hanging h;
	pid_t launcher;
	int i, k, status;

	(void)state;
	NEED_SANDBOX();
	for (i = 0; i < MOMENTS; i++) {
		int64_t end = clock_mono_ms() + PATIENCE_MS;

		launcher = fork();
		assert_true(launcher >= 0);
		if (launcher == 0) {
			start_hanging(&h);
			for (;;)
				(void)pause();
		}
		for (k = 0; k < i; k++)
			(void)nanosleep(&step, NULL);
		(void)kill(launcher, SIGKILL);
		assert_int_equal(waitpid(launcher, &status, 0), launcher);
		while (process_with("mountinfo", out, strlen(out)) != 0) {
			if (clock_mono_ms() > end)
				fail_msg("after %d half milliseconds", i);
			(void)poll(NULL, 0, 1);
		}
	}
	end_who_waits();
	free(out);
}

/* What cannot be bound, or made: said in words, and nothing runs. */
static void
a_sandbox_that_cannot_be_made_says_why(void **state)
{
	struct sandbox s = { .maker = maker,
		.guard = guard,
		.bwrap = "/usr/bin/bwrap",
		.program = program,
		.provider_dir = provider_dir,
		.output_dir = "/nowhere/out" };
	struct limits l = { .memory_bytes = 128 * MEGABYTE,
		.file_bytes = MEGABYTE,
		.cores = 1,
		.threads = 16 };
	struct launched child;
	char text[400] = "";
	int status;

	(void)state;
	NEED_SANDBOX();
	if (by_bwrap)
		skip(); /* it has words of its own */
	assert_int_equal(launcher_start(&s, &l, "off", "x", &child), 0);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	assert_true(read(child.output, text, sizeof(text) - 1) > 0);
	assert_string_equal(text,
	    "cannot make the sandbox: bind /nowhere/out: No such file or "
	    "directory\n");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), INSIDE_EXIT);
	launcher_close(&child);
	s.maker = "/nowhere/sluice-sandbox";
	assert_int_equal(
	    launcher_start(&s, &l, "off", "x", &child), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(), "cannot execute"));
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
}

static void
a_program_outside_its_provider_is_refused(void **state)
{
	struct sandbox s = {
		.maker = maker,
		.guard = guard,
		.bwrap = "/usr/bin/bwrap",
		.program = "/usr/bin/true",
		.provider_dir = provider_dir,
		.output_dir = "/tmp",
	};
	char **argv;
	bool in_box;

	(void)state;
	assert_int_equal(sandbox_argv(&s, &argv, &in_box), ERR_INVALID);
	s.program = "/usr/bin/../bin/true";
	s.provider_dir = "/usr/bin";
	assert_int_equal(sandbox_argv(&s, &argv, &in_box), ERR_INVALID);
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
		cmocka_unit_test(no_namespace_is_shared_with_the_host),
		cmocka_unit_test(no_privilege_is_left),
		cmocka_unit_test(nothing_is_mounted_but_what_the_task_may_see),
		cmocka_unit_test(
		    nothing_that_is_mounted_outside_later_comes_in),
		cmocka_unit_test(
		    an_executor_dies_with_the_process_that_launched_it),
		cmocka_unit_test(
		    nothing_is_left_of_it_at_whatever_moment_that_ends),
		cmocka_unit_test(a_sandbox_that_cannot_be_made_says_why),
		cmocka_unit_test(a_program_outside_its_provider_is_refused),
	};

	int failed;

	share_mounts();
	/* Both programs that make sandboxes have to make the same. */
	failed = cmocka_run_group_tests_name(
	    "sluice-sandbox", tests, set_up, tear_down);
	by_bwrap = true;
	return failed + cmocka_run_group_tests_name(
			    "bubblewrap", tests, set_up, tear_down);
}
