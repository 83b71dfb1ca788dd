/*
 * Disk space of an executor, once per heartbeat; called by lease.c.
 */
#include "supervisor/shepherd/diskwatch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

#define MAX_DEPTH 8
#define MAX_ENTRIES 20000
#define MAX_CHILDREN 4096 /* bytes of their numbers */

struct count {
	int64_t bytes;
	int entries;
};

static void
too_much(struct count *c)
{
	c->bytes = INT64_MAX;
	c->entries = MAX_ENTRIES;
}

static void count_folder(struct count *, int dir, int depth);

static void
count_entry(struct count *c, int dir, const char *name, int depth)
{
	struct stat st;
	int fd;

	/* What is gone meanwhile takes no space. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	c->bytes += (int64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode))
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		count_folder(c, fd, depth + 1);
	else if (errno == EACCES) /* its maker can write there unseen */
		too_much(c);
}

/* Closes dir. */
static void
count_folder(struct count *c, int dir, int depth)
{
	struct dirent *e;
	DIR *d;

	if (depth > MAX_DEPTH || (d = fdopendir(dir)) == NULL) {
		(void)close(dir);
		too_much(c);
		return;
	}
	while (c->bytes != INT64_MAX && (e = readdir(d)) != NULL) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (++c->entries > MAX_ENTRIES)
			too_much(c);
		else
			count_entry(c, dirfd(d), e->d_name, depth);
	}
	(void)closedir(d);
}

/* Files that were unlinked while they are open. */
static void
count_nameless(struct count *c, pid_t pid)
{
	char path[64], target[16];
	struct dirent *e;
	struct stat st;
	ssize_t n;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if ((d = opendir(path)) == NULL)
		return;
	while (c->bytes != INT64_MAX && (e = readdir(d)) != NULL) {
		n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		/* Memory files have no name either, and are counted there. */
		if (!str_starts(target, "/memfd:") &&
		    fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode) && st.st_nlink == 0)
			c->bytes += (int64_t)st.st_blocks * 512;
	}
	(void)closedir(d);
}

static void
count_processes(struct count *c, pid_t pid)
{
	struct buf b = BUF_INIT;
	char path[96], *s, *end;
	long child;

	count_nameless(c, pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)pid, (int)pid);
	if (buf_read_file(&b, path, MAX_CHILDREN) != 0)
		buf_clear(&b);
	for (s = b.data; s != NULL && *s != '\0'; s = end) {
		child = strtol(s, &end, 10);
		if (end == s)
			break;
		count_nameless(c, (pid_t)child);
	}
	buf_fini(&b);
}

int64_t
diskwatch_bytes(const char *dir, pid_t pid)
{
	struct count c = { 0, 0 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		count_folder(&c, fd, 0);
	if (pid > 0 && c.bytes != INT64_MAX)
		count_processes(&c, pid);
	return c.bytes;
}
