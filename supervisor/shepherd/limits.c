/*
 * Resource limits of one executor.  launcher.c calls this around fork().
 */
#include "supervisor/shepherd/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

/* Objects received at once have up to 250 descriptors, tables a few. */
#define MAX_FILES 1024
/* bwrap's own process in the sandbox and the executor's main thread. */
#define EXTRA_PROCESSES 2
/* For locks on cores: every user of the machine may write there. */
#define LOCK_DIR "/run/lock"

static int
set_limit(int which, rlim_t value, const char *name)
{
	struct rlimit rl = { value, value };

	if (setrlimit((__rlimit_resource_t)which, &rl) != 0)
		return err_set_errno(ERR_IO, "limit %s", name);
	return 0;
}

int
limits_apply_self(const struct limits *l)
{
	int r;

#ifndef __SANITIZE_ADDRESS__
	/* A sanitized executor maps terabytes of shadow memory. */
	if ((r = set_limit(RLIMIT_DATA, (rlim_t)l->memory_bytes, "memory")) !=
	    0)
		return r;
#endif
	if ((r = set_limit(RLIMIT_FSIZE, (rlim_t)l->file_bytes, "file size")) !=
		0 ||
	    (r = set_limit(RLIMIT_NOFILE, MAX_FILES, "files")) != 0 ||
	    (r = set_limit(RLIMIT_MEMLOCK, 0, "locked memory")) != 0 ||
	    (r = set_limit(RLIMIT_CORE, 0, "core file")) != 0)
		return r;
	return 0;
}

int
limits_apply_inner(const struct limits *l, pid_t pid)
{
	rlim_t max = (rlim_t)(l->threads + EXTRA_PROCESSES);
	struct rlimit rl = { max, max };

	if (prlimit(pid, RLIMIT_NPROC, &rl, NULL) != 0)
		return err_set_errno(
		    ERR_IO, "limit threads of process %d", (int)pid);
	return 0;
}

/* --- cores ---------------------------------------------------------------- */

static cpu_set_t cores_mine;
static bool cores_taken;

/* A lock on one core, or -1 when somebody has it. */
static int
core_lock(int core)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/sluice-core-%d", LOCK_DIR, core);
	/* First without O_CREAT, which the kernel refuses for others' files. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		fd = open(
		    path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
		fd_close(&fd);
	return fd;
}

void
cores_take(int n)
{
	cpu_set_t all;
	int held[CPU_SETSIZE], k = 0, core;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	CPU_ZERO(&cores_mine);
	for (core = 0; core < CPU_SETSIZE && k < n; core++) {
		if (!CPU_ISSET(core, &all))
			continue;
		if ((held[k] = core_lock(core)) >= 0) {
			CPU_SET(core, &cores_mine);
			k++;
		}
	}
	/* The descriptors stay open: the locks end with this process. */
	cores_taken = k == n;
	while (!cores_taken && k > 0)
		fd_close(&held[--k]);
	if (!cores_taken)
		log_info("no %d free cores to run on alone", n);
}

void
cores_apply(void)
{
	if (cores_taken)
		(void)sched_setaffinity(0, sizeof(cores_mine), &cores_mine);
}
