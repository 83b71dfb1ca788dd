/*
 * Memory of an executor from /proc, once per heartbeat; called by lease.c.
 */
#include "supervisor/shepherd/memwatch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

#define MAX_FILE 65536

/* Text of /proc/PID/name; empty when the process is gone. */
static void
read_proc(struct buf *b, pid_t pid, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (buf_read_file(b, path, MAX_FILE) != 0)
		buf_clear(b);
}

/* The value of a line "Name:  123 kB" in bytes. */
static int64_t
field(const char *status, const char *name)
{
	const char *s = strstr(status, name);

	return s == NULL ? 0 : strtoll(s + strlen(name), NULL, 10) * 1024;
}

static int64_t
memory_files(pid_t pid)
{
	char path[64], target[64];
	struct dirent *e;
	struct stat st;
	int64_t bytes = 0;
	ssize_t n;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		/* Following the link stats the file without opening it. */
		if (str_starts(target, "/memfd:") &&
		    fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			bytes += (int64_t)st.st_blocks * 512;
	}
	(void)closedir(d);
	return bytes;
}

static int64_t
process_bytes(pid_t pid)
{
	struct buf b = BUF_INIT;
	int64_t private_bytes, shared, files;

	read_proc(&b, pid, "status");
	private_bytes = field(buf_str(&b), "RssAnon:");
	shared = field(buf_str(&b), "RssShmem:");
	buf_fini(&b);
	/* Mapped memory files count in both. */
	files = memory_files(pid);
	return private_bytes + (shared > files ? shared : files);
}

int64_t
memwatch_bytes(pid_t inner)
{
	struct buf b = BUF_INIT;
	char name[64], *s, *end;
	int64_t bytes = process_bytes(inner);
	long pid;

	(void)snprintf(name, sizeof(name), "task/%d/children", (int)inner);
	read_proc(&b, inner, name);
	for (s = b.data; s != NULL && *s != '\0'; s = end) {
		pid = strtol(s, &end, 10);
		if (end == s)
			break;
		bytes += process_bytes((pid_t)pid);
	}
	buf_fini(&b);
	return bytes;
}
