/*
 * Log files of one task, appended to with one write per line.
 */
#include "supervisor/shepherd/tasklog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define MAX_BYTES (64u << 20) /* of lines, per task */
#define MAX_PRINTED (4u << 20)
#define TAIL_SIZE 2048
#define FILE_MODE 0640

static const char *const names[TASKLOG_LEVELS] = { "DEBUG", "INFO", "WARNING",
	"ERROR" };

struct tasklog {
	char *job_id;
	char *component;
	char *dir;		/* of the component's files */
	int fd[TASKLOG_LEVELS]; /* those; see file_of() */
	int party_fd[TASKLOG_LEVELS];
	int printed_fd;
	size_t bytes;
	size_t printed;
	char tail[TAIL_SIZE + 1]; /* of what was printed */
	size_t tail_len;
};

/* -1, with errno. */
static int
try_file(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s.log", dir, name);
	int fd, e;

	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
	    FILE_MODE);
	e = errno;
	free(path);
	errno = e;
	return fd;
}

static int
open_file(const char *dir, const char *name, int *out)
{
	*out = try_file(dir, name);
	return *out < 0 ? err_set_errno(ERR_IO, "open %s/%s.log", dir, name)
			: 0;
}

int
tasklog_open(const struct site_conf *conf, const struct db_task_key *key,
    struct tasklog **out)
{
	struct tasklog *l = xcalloc(1, sizeof(*l));
	char *party = site_path(conf, "%s/%s/%s/%s", SITE_LOGS, key->job_id,
	    key->role, key->party_id);
	char *dir = xasprintf("%s/%s", party, key->component);
	int i, r;

	*out = NULL;
	l->job_id = xstrdup(key->job_id);
	l->component = xstrdup(key->component);
	l->dir = dir;
	l->printed_fd = -1;
	for (i = 0; i < TASKLOG_LEVELS; i++)
		l->fd[i] = l->party_fd[i] = -1;
	r = fd_mkdirs(dir, 0750);
	for (i = 0; r == 0 && i < TASKLOG_LEVELS; i++)
		r = open_file(party, names[i], &l->party_fd[i]);
	for (i = 0; r == 0 && i <= TASKLOG_INFO; i++)
		r = open_file(dir, names[i], &l->fd[i]);
	free(party);
	if (r != 0) {
		tasklog_close(l);
		return r;
	}
	*out = l;
	return 0;
}

void
tasklog_close(struct tasklog *l)
{
	int i;

	if (l == NULL)
		return;
	for (i = 0; i < TASKLOG_LEVELS; i++) {
		fd_close(&l->fd[i]);
		fd_close(&l->party_fd[i]);
	}
	fd_close(&l->printed_fd);
	free(l->dir);
	free(l->job_id);
	free(l->component);
	free(l);
}

/* Length of the UTF-8 sequence at s, 0 when there is none. */
static size_t
sequence(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	return strnlen(s, n) == n && str_is_utf8(s, n) ? n : 0;
}

/* Nothing that moves a terminal's cursor or starts a line of its own. */
static void
append_clean(struct buf *b, const char *s)
{
	size_t n;

	for (; *s != '\0'; s += n) {
		n = sequence(s);
		if (*s == '\n' && s[1] != '\0')
			buf_puts(b, "\n    ");
		else if (n == 0 || ((unsigned char)*s < 0x20 && *s != '\t') ||
			 *s == 0x7f)
			buf_putc(b, *s == '\n' ? ' ' : '?');
		else
			buf_append(b, s, n);
		if (n == 0)
			n = 1;
	}
}

/*
 * Most tasks never warn, fail or print: such a file is made when it gets its
 * first line, for files cost more than lines.
 */
static int
file_of(const struct tasklog *l, const char *name, int *fd)
{
	if (*fd < 0)
		*fd = try_file(l->dir, name);
	return *fd;
}

static void
write_line(int fd, const struct buf *b)
{
	/* A full disk must not end the task; the line is lost. */
	(void)!write(fd, b->data, b->len);
}

void
tasklog_line(struct tasklog *l, enum tasklog_level level, const char *text)
{
	int64_t now = clock_wall_ms();
	char date[CLOCK_DATE_SIZE];
	struct buf b = BUF_INIT;
	int i;

	if (l->bytes > MAX_BYTES)
		return;
	clock_date(now, date);
	buf_printf(&b, "[%s] [%s,%03d] [%s] [%s] - ", names[level], date,
	    (int)(now % 1000), l->job_id, l->component);
	if (l->bytes + strlen(text) > MAX_BYTES) {
		text = "the log of this task is full";
		l->bytes = MAX_BYTES;
	}
	append_clean(&b, text);
	buf_putc(&b, '\n');
	l->bytes += b.len;
	for (i = 0; i <= (int)level; i++) {
		write_line(file_of(l, names[i], &l->fd[i]), &b);
		write_line(l->party_fd[i], &b);
	}
	buf_fini(&b);
}

void
tasklog_printf(
    struct tasklog *l, enum tasklog_level level, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	tasklog_line(l, level, text);
	free(text);
}

void
tasklog_printed(struct tasklog *l, const char *data, size_t len)
{
	size_t keep;

	if (l->printed < MAX_PRINTED) {
		(void)!write(file_of(l, "std", &l->printed_fd), data, len);
		l->printed += len;
	}
	if (len > TAIL_SIZE) {
		data += len - TAIL_SIZE;
		len = TAIL_SIZE;
	}
	keep = l->tail_len < TAIL_SIZE - len ? l->tail_len : TAIL_SIZE - len;
	memmove(l->tail, l->tail + l->tail_len - keep, keep);
	memcpy(l->tail + keep, data, len);
	l->tail_len = keep + len;
	l->tail[l->tail_len] = '\0';
}

const char *
tasklog_tail(struct tasklog *l)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < l->tail_len; i++)
		if (l->tail[i] == '\0')
			l->tail[i] = '?';
	append_clean(&b, l->tail);
	l->tail_len = b.len < TAIL_SIZE ? b.len : TAIL_SIZE;
	memcpy(l->tail, buf_str(&b), l->tail_len);
	l->tail[l->tail_len] = '\0';
	buf_fini(&b);
	return l->tail;
}
