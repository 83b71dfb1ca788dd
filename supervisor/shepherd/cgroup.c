/*
 * Control groups for one executor: version 1 hierarchies of memory, pids and
 * cpu, or one version 2 folder, whichever this process may write.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "supervisor/shepherd/limits.h"

#define MOUNT "/sys/fs/cgroup"
#define PERIOD_US 20000 /* of the CPU quota: stalls stay short */
#define REMOVE_TRIES 50 /* 2 ms apart */
#define MAX_FILE 65536
#define OLD_S 60 /* a group is entered within milliseconds */

enum controller { MEMORY, PIDS, CPU, CONTROLLERS };

static const char *const names[CONTROLLERS] = { "memory", "pids", "cpu" };

struct cgroup {
	bool v2;
	char *dir[CONTROLLERS]; /* v2: the same in [0] only */
	bool limited[CONTROLLERS];
};

static bool
set_value(const char *dir, const char *file, int64_t value)
{
	char *path = xasprintf("%s/%s", dir, file);
	char text[24];
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	done = fd >= 0 && write(fd, text, strlen(text)) > 0;
	fd_close(&fd);
	free(path);
	return done;
}

static bool
set_text(const char *dir, const char *file, const char *text)
{
	char *path = xasprintf("%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	fd_close(&fd);
	free(path);
	return done;
}

/* Lines "4:memory,cpu:/path" of where this process is; the caller's. */
static char *
own_places(void)
{
	struct buf b = BUF_INIT;

	if (buf_read_file(&b, "/proc/self/cgroup", MAX_FILE) != 0) {
		buf_fini(&b);
		return xstrdup("");
	}
	return buf_steal(&b);
}

/*
 * The place in the hierarchy of a controller ("" for version 2) among these
 * lines; the caller's, NULL when there is none.
 */
static char *
own_path(const char *places, const char *controller)
{
	const char *line, *end, *path, *word;
	size_t k;

	for (line = places; *line != '\0'; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		word = memchr(line, ':', (size_t)(end - line));
		path = word == NULL
			   ? NULL
			   : memchr(word + 1, ':', (size_t)(end - word - 1));
		while (path != NULL && word < path) {
			k = strcspn(++word, ",:");
			if (strlen(controller) == k &&
			    memcmp(word, controller, k) == 0)
				return xstrndup(
				    path + 1, (size_t)(end - path - 1));
			word += k;
		}
	}
	return NULL;
}

/* The folder of this process in a hierarchy below MOUNT; NULL: none. */
static char *
own_folder(const char *places, const char *controller, const char *below)
{
	char *own = own_path(places, controller), *dir;

	if (own == NULL)
		return NULL;
	dir = xasprintf(MOUNT "%s%s", below, str_eq(own, "/") ? "" : own);
	free(own);
	return dir;
}

static char *
own_v1(const char *places, enum controller c)
{
	static const char *const below[CONTROLLERS] = { "/memory", "/pids",
		"/cpu" };

	return own_folder(places, names[c], below[c]);
}

static char *
own_v2(const char *places)
{
	return own_folder(places, "", "");
}

/* A folder of our own below it; NULL when refused. */
static char *
make_v1(const char *places, enum controller c, const char *name)
{
	char *own = own_v1(places, c), *dir;

	if (own == NULL)
		return NULL;
	dir = xasprintf("%s/%s", own, name);
	free(own);
	if (mkdir(dir, 0755) == 0 || errno == EEXIST)
		return dir;
	free(dir);
	return NULL;
}

static bool
limit_v1(enum controller c, const char *dir, const struct limits *l)
{
	switch (c) {
	case MEMORY:
		return set_value(dir, "memory.limit_in_bytes", l->memory_bytes);
	case PIDS:
		/* Two processes of bwrap are in the group, too. */
		return set_value(dir, "pids.max", l->threads + 3);
	default:
		return set_value(dir, "cpu.cfs_period_us", PERIOD_US) &&
		       set_value(dir, "cpu.cfs_quota_us",
			   (int64_t)PERIOD_US * l->cores);
	}
}

static bool
new_v1(struct cgroup *g, const char *places, const char *name,
    const struct limits *l)
{
	bool any = false;
	int c;

	for (c = 0; c < CONTROLLERS; c++) {
		if ((g->dir[c] = make_v1(places, (enum controller)c, name)) ==
		    NULL)
			continue;
		g->limited[c] = limit_v1((enum controller)c, g->dir[c], l);
		any = true;
	}
	return any;
}

static bool
new_v2(struct cgroup *g, const char *parent, const char *name,
    const struct limits *l)
{
	char *dir = xasprintf("%s/%s", parent, name);
	char quota[48];

	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		free(dir);
		return false;
	}
	g->v2 = true;
	g->dir[0] = dir;
	(void)snprintf(quota, sizeof(quota), "%lld %d",
	    (long long)PERIOD_US * l->cores, PERIOD_US);
	g->limited[MEMORY] = set_value(dir, "memory.max", l->memory_bytes);
	(void)set_value(dir, "memory.swap.max", 0);
	(void)set_value(dir, "memory.oom.group", 1);
	g->limited[PIDS] = set_value(dir, "pids.max", l->threads + 3);
	g->limited[CPU] = set_text(dir, "cpu.max", quota);
	if (g->limited[MEMORY] || g->limited[PIDS] || g->limited[CPU])
		return true;
	(void)rmdir(dir);
	free(dir);
	g->dir[0] = NULL;
	return false;
}

/* The group this process is in, when its controllers reach children. */
static bool
new_v2_own(struct cgroup *g, const char *places, const char *name,
    const struct limits *l)
{
	char *parent = own_v2(places);
	bool done = parent != NULL && new_v2(g, parent, name, l);

	free(parent);
	return done;
}

void
cgroup_new(const char *dir, const char *name, const struct limits *l,
    struct cgroup **out)
{
	struct cgroup *g;
	char *places;
	bool done;
	int c;

	*out = NULL;
	if (str_eq(dir, "off"))
		return;
	g = xcalloc(1, sizeof(*g));
	places = own_places();
	if (dir != NULL && *dir != '\0')
		done = new_v2(g, dir, name, l);
	else
		done = new_v1(g, places, name, l) ||
		       new_v2_own(g, places, name, l);
	free(places);
	if (!done) {
		log_info("no control group may be made here");
		free(g);
		return;
	}
	for (c = 0; c < CONTROLLERS; c++)
		if (!g->limited[c])
			log_info("no control group limits %s", names[c]);
	*out = g;
}

int
cgroup_enter(const struct cgroup *g)
{
	int c;

	for (c = 0; g != NULL && c < CONTROLLERS; c++)
		if (g->dir[c] != NULL &&
		    !set_text(g->dir[c], "cgroup.procs", "0"))
			return err_set_errno(ERR_IO, "enter %s", g->dir[c]);
	return 0;
}

bool
cgroup_limits_memory(const struct cgroup *g)
{
	return g != NULL && g->limited[MEMORY];
}

bool
cgroup_limits_cpu(const struct cgroup *g)
{
	return g != NULL && g->limited[CPU];
}

/* Lines "oom_kill 1" (version 1: memory.oom_control, 2: memory.events). */
bool
cgroup_was_oom(const struct cgroup *g)
{
	struct buf b = BUF_INIT;
	const char *line;
	char *path;
	bool found = false;

	if (g == NULL || g->dir[MEMORY] == NULL)
		return false;
	path = xasprintf("%s/%s", g->dir[MEMORY],
	    g->v2 ? "memory.events" : "memory.oom_control");
	if (buf_read_file(&b, path, MAX_FILE) == 0 &&
	    (line = strstr(buf_str(&b), "oom_kill ")) != NULL)
		found = strtol(line + strlen("oom_kill "), NULL, 10) > 0;
	free(path);
	buf_fini(&b);
	return found;
}

/* Version 1 has no way to kill a group at once. */
static void
kill_members(const char *dir)
{
	struct buf b = BUF_INIT;
	char *path = xasprintf("%s/cgroup.procs", dir), *s, *end;
	long pid;

	if (buf_read_file(&b, path, MAX_FILE) == 0) {
		for (s = b.data; s != NULL && *s != '\0'; s = end + 1) {
			pid = strtol(s, &end, 10);
			if (pid <= 1 || *end != '\n')
				break;
			(void)kill((pid_t)pid, SIGKILL);
		}
	}
	free(path);
	buf_fini(&b);
}

static void
remove_dir(const char *dir)
{
	int i;

	for (i = 0; i < REMOVE_TRIES; i++) {
		if (rmdir(dir) == 0 || errno == ENOENT)
			return;
		if (errno != EBUSY)
			break;
		/* Killed processes leave the group when they are gone. */
		kill_members(dir);
		(void)poll(NULL, 0, 2);
	}
	log_warn("control group %s stays: %s", dir, strerror(errno));
}

/* Those that are empty, and too old to be one that is about to be entered. */
static void
sweep(const char *parent)
{
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(parent);

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (str_starts(e->d_name, CGROUP_PREFIX) &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    time(NULL) - st.st_mtime > OLD_S)
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d != NULL)
		(void)closedir(d);
}

void
cgroup_sweep(const char *dir)
{
	char *places, *parent;
	int c;

	if (str_eq(dir, "off"))
		return;
	if (dir != NULL && *dir != '\0') {
		sweep(dir);
		return;
	}
	places = own_places();
	for (c = 0; c < CONTROLLERS; c++) {
		if ((parent = own_v1(places, (enum controller)c)) != NULL)
			sweep(parent);
		free(parent);
	}
	if ((parent = own_v2(places)) != NULL)
		sweep(parent);
	free(parent);
	free(places);
}

void
cgroup_free(struct cgroup *g)
{
	int c;

	if (g == NULL)
		return;
	for (c = 0; c < CONTROLLERS; c++) {
		if (g->dir[c] != NULL) {
			if (g->v2)
				(void)set_value(g->dir[c], "cgroup.kill", 1);
			remove_dir(g->dir[c]);
		}
		free(g->dir[c]);
	}
	free(g);
}
