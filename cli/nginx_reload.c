/*
 * By SIGHUP the master starts workers with the new files, then has those
 * before shut down: they say so in their titles, when they stop listening.
 */
#include "cli/nginx_reload.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/daemon.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define LONGEST_MS 10000
#define LOOK_MS 5
#define PROC_FILE_MAX 4096
#define WORKERS_MAX 1024
#define LEAVING "is shutting down"

static bool
read_proc(pid_t pid, const char *file, struct buf *out)
{
	char path[64];
	bool ok;

	buf_clear(out);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	ok = buf_read_file(out, path, PROC_FILE_MAX) == 0 && out->len != 0;
	err_clear();
	return ok;
}

/* A worker of this master that takes connections. */
static bool
listens(pid_t pid, pid_t master, struct buf *text)
{
	const char *behind;
	int parent = 0;

	/* The name, in brackets, may hold anything. */
	if (!read_proc(pid, "stat", text) ||
	    (behind = strrchr(buf_str(text), ')')) == NULL ||
	    sscanf(behind, ") %*c %d", &parent) != 1 || parent != master)
		return false;
	return read_proc(pid, "cmdline", text) &&
	       strstr(buf_str(text), LEAVING) == NULL;
}

static int
find_workers(pid_t master, pid_t *out, size_t *n)
{
	struct buf text = BUF_INIT;
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int64_t pid;

	*n = 0;
	if (proc == NULL)
		return err_set_errno(ERR_IO, "/proc");
	while (*n < WORKERS_MAX && (e = readdir(proc)) != NULL) {
		if (str_to_int64(e->d_name, 2, INT32_MAX, &pid) == 0 &&
		    listens((pid_t)pid, master, &text))
			out[(*n)++] = (pid_t)pid;
		err_clear();
	}
	(void)closedir(proc);
	buf_fini(&text);
	return 0;
}

static bool
any_listens(const pid_t *pids, size_t n, pid_t master)
{
	struct buf text = BUF_INIT;
	bool any = false;

	for (size_t i = 0; i < n && !any; i++)
		any = listens(pids[i], master, &text);
	buf_fini(&text);
	return any;
}

int
nginx_reload(const struct site_conf *conf)
{
	const struct timespec pause = { 0, LOOK_MS * INT64_C(1000000) };
	int64_t until = clock_mono_ms() + LONGEST_MS;
	pid_t master = daemon_pid(&daemon_nginx, conf);
	pid_t *before;
	size_t n;
	int r;

	if (master == 0)
		return 0;
	before = xcalloc(WORKERS_MAX, sizeof(*before));
	r = find_workers(master, before, &n);
	if (r == 0 && kill(master, SIGHUP) != 0)
		r = err_set_errno(ERR_IO, "tell nginx about it");
	while (r == 0 && any_listens(before, n, master)) {
		if (clock_mono_ms() > until)
			r = err_set(ERR_TIMEOUT,
			    "nginx goes on with what it had; "
			    "%s/logs/nginx-error.log says why",
			    conf->home);
		(void)nanosleep(&pause, NULL);
	}
	free(before);
	return r;
}
