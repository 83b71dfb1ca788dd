/*
 * What starting an executor in its sandbox costs, by each of the two programs
 * that make sandboxes: from the launch until a task that does nothing has
 * ended and all is tidied up.  The floor is the same program started without
 * a sandbox and a task.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/wire/frame.h"
#include "supervisor/shepherd/launcher.h"
#include "tests/lib/measure.h"

#define ROUNDS 200
#define PATIENCE_MS 10000
#define BUDGET_MS 5

static char *build, *provider, *out;

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, err_text());
	exit(1);
}

static void
send_start(int sock)
{
	Sluice__Executor__Frame f = SLUICE__EXECUTOR__FRAME__INIT;
	Sluice__Executor__Start s = SLUICE__EXECUTOR__START__INIT;
	Sluice__Executor__Party us = SLUICE__EXECUTOR__PARTY__INIT;
	Sluice__Executor__Party *parties[] = { &us };
	static char role[] = "guest", party[] = "9999", job[] = "bench",
		    component[] = "empty_0", module[] = "TestEmpty",
		    json[] = "{}", place[] = SANDBOX_OUT;

	us.role = role;
	us.party_id = party;
	s.protocol = FRAME_PROTOCOL;
	s.job_id = job;
	s.component = component;
	s.module = module;
	s.local = &us;
	s.parties = parties;
	s.n_parties = 1;
	s.parameters_json = s.job_parameters_json = json;
	s.cores = 1;
	s.output_dir = place;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_START;
	f.start = &s;
	if (frame_send(sock, &f, NULL, 0) != 0)
		give_up("start");
}

static void
wait_for_finish(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	struct frame_reader reader;
	struct frame_fds fds;
	frame_msg *m;
	bool done = false;
	int r;

	frame_reader_init(&reader);
	while (!done) {
		r = frame_read(&reader, sock, &m, &fds);
		if (r == ERR_BUSY && poll(&pfd, 1, PATIENCE_MS) > 0)
			continue;
		if (r != 0)
			give_up("the executor says nothing");
		done = m->kind_case == SLUICE__EXECUTOR__FRAME__KIND_FINISH;
		if (done && strcmp(m->finish->status, "success") != 0)
			give_up(m->finish->error);
		frame_free(m);
		frame_fds_close(&fds);
	}
	frame_reader_fini(&reader);
}

static void
launch(const char *maker)
{
	char *program = xasprintf("%s/executor", provider);
	struct sandbox s = { .maker = maker,
		.bwrap = "/usr/bin/bwrap",
		.program = program,
		.provider_dir = provider,
		.output_dir = out };
	struct limits l = { .memory_bytes = 1ll << 30,
		.file_bytes = 1ll << 30,
		.cores = 1,
		.threads = 16 };
	struct launched child;
	char name[32];
	int status;

	(void)snprintf(
	    name, sizeof(name), CGROUP_PREFIX "bench-%d", (int)getpid());
	if (launcher_start(&s, &l, "", name, &child) != 0)
		give_up("launch");
	send_start(child.socket);
	wait_for_finish(child.socket);
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	launcher_close(&child);
	free(program);
}

static void
spawn(const char *unused)
{
	static char list[] = "--list", *none[] = { NULL };
	char *program = xasprintf("%s/executor", provider);
	char *argv[] = { program, list, NULL };
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status;

	(void)unused;
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_addopen(
	    &files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, program, &files, NULL, argv, none) != 0)
		give_up("spawn");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)posix_spawn_file_actions_destroy(&files);
	free(program);
}

/* Milliseconds, the median. */
static double
time_of(void (*fn)(const char *), const char *maker)
{
	double v[ROUNDS], start;

	for (int i = 0; i < ROUNDS; i++) {
		start = measure_seconds();
		fn(maker);
		v[i] = (measure_seconds() - start) * 1e3;
	}
	return measure_median(v, ROUNDS);
}

/* Processor time of all processes that are waited for, and of this one. */
static double
cpu_ms(void)
{
	struct rusage r[2];
	double ms = 0;

	(void)getrusage(RUSAGE_SELF, &r[0]);
	(void)getrusage(RUSAGE_CHILDREN, &r[1]);
	for (int i = 0; i < 2; i++)
		ms += (double)(r[i].ru_utime.tv_sec + r[i].ru_stime.tv_sec) *
			  1e3 +
		      (double)(r[i].ru_utime.tv_usec + r[i].ru_stime.tv_usec) /
			  1e3;
	return ms;
}

int
main(void)
{
	struct measure *m = measure_new("launch");
	char *maker, folder[] = "/tmp/sluice-launch-XXXXXX";
	double floor, ms, cpu;

	log_init("bench", LOG_ERROR_);
	build = getenv("B");
	if (build == NULL || build[0] != '/')
		build = xasprintf(
		    "%s/%s", getenv("PWD"), build != NULL ? build : "build");
	provider = xasprintf("%s/providers/sluice_test/1.0.0", build);
	maker = xasprintf("%s/bin/sluice-sandbox", build);
	if ((out = mkdtemp(folder)) == NULL)
		give_up(folder);
	floor = time_of(spawn, NULL);
	cpu = cpu_ms();
	ms = time_of(launch, maker);
	cpu = (cpu_ms() - cpu) / ROUNDS;
	measure_add(m, "a task that does nothing, in its sandbox", ms, "ms",
	    floor, BUDGET_MS, "lower");
	measure_add(
	    m, "processor time of that", cpu, "ms", floor, BUDGET_MS, "lower");
	measure_add(m, "the same by bubblewrap", time_of(launch, ""), "ms",
	    floor, 2 * BUDGET_MS, "lower");
	(void)fd_remove_tree(out);
	free(provider);
	free(maker);
	return measure_end(m) == 0 ? 0 : 1;
}
