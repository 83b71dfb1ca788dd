/*
 * Retention.  Owned by supervisor.c.
 */
#include "supervisor/janitor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_retention.h"
#include "lib/party/model_migrate.h"
#include "supervisor/haste.h"
#include "supervisor/refused_log.h"

#define FIRST_MS 60000
#define PERIOD_MS (3600 * INT64_C(1000))
#define AGAIN_MS 2000 /* between bites */
#define FOLDERS 20
#define ROWS 500
#define SERIES 50
#define DAY_S 86400
/* nginx removes its bodies itself; what it left when it was killed is old. */
#define BODY_S DAY_S
#define SUPERVISOR_GONE_MS (DAY_S * INT64_C(1000))
#define DATE_DIGITS 8 /* job ids begin with YYYYMMDD */
#define COPY_BYTES 65536

struct janitor {
	struct supervisor *super;
	struct loop_timer *timer;
};

static void
removed(struct supervisor *s, const char *kind, int64_t n)
{
	if (n == 0)
		return;
	log_info("janitor: %lld %s removed", (long long)n, kind);
	metrics_add(s->metrics, METRIC_janitor_removed_total, (double)n, "kind",
	    kind, NULL);
}

/* --- logs of jobs ---------------------------------------------------------------- */

/* Ids are dates: most need not be looked up. */
static bool
may_be_old(const char *job_id, int64_t days)
{
	time_t cutoff = time(NULL) - (time_t)(days - 1) * DAY_S;
	char date[DATE_DIGITS + 1];
	struct tm tm;

	(void)gmtime_r(&cutoff, &tm);
	(void)strftime(date, sizeof(date), "%Y%m%d", &tm);
	return strlen(job_id) > DATE_DIGITS &&
	       job_id[strspn(job_id, "0123456789")] == '\0' &&
	       strncmp(job_id, date, DATE_DIGITS) < 0;
}

static int
job_logs(struct supervisor *s, int64_t days, int64_t *n)
{
	char *dir = site_job_logs(s->conf), *path;
	DIR *d = opendir(dir);
	struct dirent *e;
	bool old;
	int r = 0;

	while (
	    d != NULL && r == 0 && *n < FOLDERS && (e = readdir(d)) != NULL) {
		if (!may_be_old(e->d_name, days))
			continue;
		r = db_job_is_old(s->db, e->d_name, days, &old);
		if (r != 0 || !old)
			continue;
		path = xasprintf("%s/%s", dir, e->d_name);
		if (fd_remove_tree(path) == 0)
			++*n;
		else
			log_err("%s stays", path);
		free(path);
	}
	if (d != NULL)
		(void)closedir(d);
	free(dir);
	return r;
}

/* --- files by their age ------------------------------------------------------------ */

/* Regular files directly below a folder whose names begin and go on so. */
static int64_t
old_files(const char *dir, int64_t age_s, const char *begin, const char *part)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	int64_t n = 0;

	while (d != NULL && n < ROWS && (e = readdir(d)) != NULL)
		if (str_starts(e->d_name, begin) &&
		    strstr(e->d_name, part) != NULL &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > age_s &&
		    unlinkat(dirfd(d), e->d_name, 0) == 0)
			n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static int
bodies(struct supervisor *s, int64_t days, int64_t *n)
{
	static const char *const folders[] = { "mailbox", "front", "answers",
		"unused" };
	size_t i;
	char *path;

	(void)days;
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		path = site_path(s->conf, SITE_SPOOL "/%s", folders[i]);
		*n += old_files(path, BODY_S, "", "");
		free(path);
	}
	return 0;
}

/* Of migrated models whose archive was not finished. */
static int
unfinished_archives(struct supervisor *s, int64_t days, int64_t *n)
{
	char *path = site_path(s->conf, "%s", SITE_MIGRATED);

	*n = old_files(path, days * DAY_S, MODEL_MIGRATED_MADE, "");
	free(path);
	return 0;
}

static int
rotated_logs(struct supervisor *s, int64_t days, int64_t *n)
{
	char *path = site_path(s->conf, "%s", SITE_LOGS);

	*n = old_files(path, days * DAY_S, "", ".log.");
	free(path);
	return 0;
}

/* --- rotation ------------------------------------------------------------------------ */

/* nginx opens its logs anew. */
static void
tell_nginx(struct supervisor *s)
{
	char *path = site_path(s->conf, SITE_RUN "/nginx.pid"), *proc;
	struct buf b = BUF_INIT, name = BUF_INIT;
	int64_t pid;

	if (buf_read_file(&b, path, 32) == 0 && b.len > 0) {
		b.data[strcspn(b.data, "\n")] = '\0';
		if (str_to_int64(b.data, 2, INT32_MAX, &pid) == 0) {
			proc = xasprintf("/proc/%d/comm", (int)pid);
			/* The number may be another's by now. */
			if (buf_read_file(&name, proc, 64) == 0 &&
			    str_starts(buf_str(&name), "nginx"))
				(void)kill((pid_t)pid, SIGUSR1);
			free(proc);
		}
	}
	err_clear();
	buf_fini(&name);
	buf_fini(&b);
	free(path);
}

/*
 * Who writes it has it as its standard error and cannot open it anew: copied
 * and emptied.  It is written at its end (O_APPEND), wherever that is.
 */
static int
copy_and_empty(int in, const char *path, const char *to)
{
	struct buf b = BUF_INIT;
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	ssize_t n = 1;
	int r = 0;

	if (out < 0)
		r = err_set_errno(ERR_IO, "%s", to);
	while (r == 0 && n > 0) {
		n = read(in, buf_reserve(&b, COPY_BYTES), COPY_BYTES);
		if (n < 0)
			r = err_set_errno(ERR_IO, "%s", path);
		else
			r = fd_write_all(out, b.data, (size_t)n);
	}
	if (r == 0 && ftruncate(in, 0) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	fd_close(&out);
	buf_fini(&b);
	return r;
}

static bool
is_nginx(const char *name)
{
	return str_starts(name, "nginx-") || str_eq(name, "partner-in.log") ||
	       str_eq(name, REFUSED_LOG);
}

/* fd: the file itself, for what copies it. */
static int
rotate(struct supervisor *s, const char *dir, const char *name, int fd)
{
	char *path = xasprintf("%s/%s", dir, name), *to, stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int r = 0;

	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	to = xasprintf("%s.%s", path, stamp);
	if (!is_nginx(name) && !str_eq(name, "supervisor.log"))
		r = copy_and_empty(fd, path, to);
	else if (rename(path, to) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else if (is_nginx(name))
		tell_nginx(s);
	else
		log_reopen();
	free(to);
	free(path);
	return r;
}

/*
 * The folder is shared with the program that hears strangers.  What is looked
 * at is what is opened, so that no link put in its place can bring a file of
 * the supervisor's, its key say, into a log.
 */
static int
open_large(int dir, const char *name, int64_t max_mb)
{
	int fd = openat(
	    dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
			   st.st_nlink != 1 || st.st_size >> 20 < max_mb))
		fd_close(&fd);
	return fd;
}

/*
 * Where each program has a user of its own, this one can neither write the
 * others' logs nor signal them: logrotate does it (conf/logrotate).
 */
static bool
is_ours(const struct site_conf *conf, const char *name)
{
	return !conf->separate_users || str_eq(name, "supervisor.log");
}

static int
large_logs(struct supervisor *s, int64_t max_mb, int64_t *n)
{
	char *dir = site_path(s->conf, "%s", SITE_LOGS);
	DIR *d = opendir(dir);
	struct dirent *e;
	int fd, first = 0, r;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!str_ends(e->d_name, ".log") ||
		    !is_ours(s->conf, e->d_name) ||
		    (fd = open_large(dirfd(d), e->d_name, max_mb)) < 0)
			continue;
		if ((r = rotate(s, dir, e->d_name, fd)) == 0)
			++*n;
		else if (first == 0)
			first = r;
		fd_close(&fd);
	}
	if (d != NULL)
		(void)closedir(d);
	free(dir);
	return first;
}

/* --- rows ------------------------------------------------------------------------------ */

static int
events(struct supervisor *s, int64_t days, int64_t *n)
{
	return db_event_prune(s->db, days, ROWS, n);
}

/* Each with all its points, which may be many. */
static int
metrics(struct supervisor *s, int64_t days, int64_t *n)
{
	return db_metric_prune(s->db, days, SERIES, n);
}

static int
gone_supervisors(struct supervisor *s, int64_t days, int64_t *n)
{
	(void)days;
	(void)n;
	return db_supervisor_purge(s->db, SUPERVISOR_GONE_MS);
}

/* --- the table --------------------------------------------------------------------------- */

#define KEY(field) offsetof(struct site_conf, field)
#define ALWAYS SIZE_MAX

static const struct kind {
	const char *name;
	size_t key;   /* days (or MB) in the configuration; 0 there: kept */
	int64_t full; /* as many in one bite: there may be more */
	int (*run)(struct supervisor *, int64_t days, int64_t *n);
} kinds[] = {
	{ "job logs", KEY(log_days), FOLDERS, job_logs },
	{ "rotated logs", KEY(log_days), ROWS, rotated_logs },
	{ "logs rotated", KEY(log_max_mb), INT64_MAX, large_logs },
	{ "events", KEY(event_days), ROWS, events },
	{ "metrics", KEY(metric_days), SERIES, metrics },
	{ "bodies", ALWAYS, ROWS, bodies },
	{ "unfinished archives", ALWAYS, ROWS, unfinished_archives },
	{ "gone supervisors", ALWAYS, INT64_MAX, gone_supervisors },
};

static int64_t
days_of(const struct site_conf *conf, const struct kind *k)
{
	return k->key == ALWAYS
		   ? 1
		   : *(const int64_t *)(const void *)((const char *)conf +
						      k->key);
}

int
janitor_bite(struct supervisor *s, bool *more)
{
	int64_t n, days;
	int r, first = 0;
	size_t i;

	*more = false;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n = 0;
		if ((days = days_of(s->conf, &kinds[i])) == 0)
			continue;
		r = kinds[i].run(s, days, &n);
		removed(s, kinds[i].name, n);
		*more = *more || n >= kinds[i].full;
		if (r != 0)
			log_err("janitor: %s", kinds[i].name);
		if (first == 0)
			first = r;
	}
	return first;
}

static void
on_timer(void *ctx)
{
	struct janitor *j = ctx;
	bool more;

	if (janitor_bite(j->super, &more) != 0)
		more = false;
	loop_timer_set(j->timer, more ? AGAIN_MS : haste_ms(PERIOD_MS), 0);
}

struct janitor *
janitor_new(struct supervisor *s)
{
	struct janitor *j = xcalloc(1, sizeof(*j));

	j->super = s;
	j->timer = loop_timer_new(s->loop, on_timer, j);
	loop_timer_set(j->timer, haste_ms(FIRST_MS), 0);
	return j;
}

void
janitor_free(struct janitor *j)
{
	if (j == NULL)
		return;
	loop_timer_free(j->timer);
	free(j);
}
