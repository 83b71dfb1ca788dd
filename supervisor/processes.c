/*
 * A sweep over /proc.  Process ids are reused, so a shepherd is known by the
 * attempt in its command line, never by a number in a row.
 */
#include "supervisor/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "supervisor/nursery.h"

/* A shepherd's command line is two paths and a few words. */
#define CMDLINE_MAX 9000

/* The argument behind p inside the NUL-separated text, or NULL. */
static const char *
next_arg(const char *p, const char *end)
{
	p += strlen(p) + 1;
	return p < end ? p : NULL;
}

/* Arguments as the launcher gives them, in that order. */
static const char *
attempt_of(
    const char *text, size_t len, const char *program, const char *config)
{
	const char *want[] = { program, "--config", config, "--attempt" };
	const char *p = text, *end = text + len;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (p == NULL || strcmp(p, want[i]) != 0)
			return NULL;
		p = next_arg(p, end);
	}
	return p != NULL && strlen(p) == ID_RANDOM_SIZE - 1 ? p : NULL;
}

/* Of a file of /proc; -1 when it cannot be read. */
static ssize_t
read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return -1;
	n = read(fd, text, size);
	fd_close(&fd);
	return n;
}

static bool
may_be_nursery(pid_t pid)
{
	static const char name[] = NURSERY_NAME "\n";
	char comm[sizeof(name)];

	return read_proc(pid, "comm", comm, sizeof(comm)) == sizeof(name) - 1 &&
	       memcmp(comm, name, sizeof(name) - 1) == 0;
}

/* Processes come and go: what cannot be read is no shepherd. */
static void
look_at(
    struct processes *ps, pid_t pid, const char *program, const char *config)
{
	char text[CMDLINE_MAX + 1];
	const char *attempt;
	struct process *p;
	ssize_t n;

	if ((n = read_proc(pid, "cmdline", text, CMDLINE_MAX)) <= 0)
		return;
	text[n] = '\0';
	if ((attempt = attempt_of(text, (size_t)n, program, config)) == NULL)
		return;
	/* A container's, whose paths are called as ours are. */
	if (!proc_is_here(pid))
		return;
	ps->items = xrealloc(ps->items, (ps->n + 1) * sizeof(*ps->items));
	p = &ps->items[ps->n++];
	p->pid = pid;
	p->may_be_nursery = may_be_nursery(pid);
	memcpy(p->attempt_id, attempt, sizeof(p->attempt_id));
}

int
processes_list(const char *program, const char *config, struct processes **out)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int64_t pid;

	*out = NULL;
	if (dir == NULL)
		return err_set_errno(ERR_IO, "open /proc");
	*out = xcalloc(1, sizeof(**out));
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		if (str_to_int64(e->d_name, 1, INT32_MAX, &pid) == 0)
			look_at(*out, (pid_t)pid, program, config);
	}
	(void)closedir(dir);
	return 0;
}

void
processes_free(struct processes *ps)
{
	if (ps == NULL)
		return;
	free(ps->items);
	free(ps);
}

static pid_t
find(const struct processes *ps, const char *attempt_id, bool any)
{
	for (size_t i = 0; ps != NULL && i < ps->n; i++)
		if (strcmp(ps->items[i].attempt_id, attempt_id) == 0 &&
		    (any || !ps->items[i].may_be_nursery))
			return ps->items[i].pid;
	return 0;
}

pid_t
processes_find(const struct processes *ps, const char *attempt_id)
{
	return find(ps, attempt_id, false);
}

pid_t
processes_find_any(const struct processes *ps, const char *attempt_id)
{
	return find(ps, attempt_id, true);
}
