/*
 * Lines for the log archive of a job.  Files are opened for each line: jobs
 * come and go, and a line is rare compared with what it reports.
 */
#include "supervisor/joblog.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static int
append(const char *folder, const char *name, const struct buf *line)
{
	struct buf path = BUF_INIT;
	int fd, r;

	buf_printf(&path, "%s/%s", folder, name);
	fd = open(
	    buf_str(&path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		r = err_set_errno(ERR_IO, "open %s", buf_str(&path));
	else
		r = fd_write_all(fd, line->data, line->len);
	fd_close(&fd);
	buf_fini(&path);
	return r;
}

/* below: a folder of the job's, NULL for its own */
static void
story(const struct site_conf *conf, const char *job_id, const char *below,
    const char *level, const char *name, const char *also, const char *fmt,
    va_list ap)
{
	struct buf line = BUF_INIT;
	char date[CLOCK_DATE_SIZE];
	int64_t now = clock_wall_ms();
	char *folder;
	int r;

	/* The id becomes a path. */
	if (!str_is_job_id(job_id))
		return;
	folder = site_path(conf, "%s/%s%s%s", SITE_LOGS, job_id,
	    below != NULL ? "/" : "", below != NULL ? below : "");
	clock_date(now, date);
	buf_printf(&line, "[%s] [%s,%03d] [%s] ", level, date,
	    (int)(now % 1000), job_id);
	buf_vprintf(&line, fmt, ap);
	/* One event is one line, whatever an executor put into its error. */
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.data[i] < ' ')
			line.data[i] = ' ';
	buf_putc(&line, '\n');
	if ((r = append(folder, name, &line)) != 0 &&
	    (r = fd_mkdirs(folder, 0750)) == 0)
		r = append(folder, name, &line);
	if (r == 0 && also != NULL)
		r = append(folder, also, &line);
	if (r != 0)
		log_err("log of job %s", job_id);
	buf_fini(&line);
	free(folder);
}

void
joblog_info(
    const struct site_conf *conf, const char *job_id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	story(conf, job_id, NULL, "INFO", "fate_flow_schedule.log", NULL, fmt,
	    ap);
	va_end(ap);
}

void
joblog_error(
    const struct site_conf *conf, const char *job_id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	story(conf, job_id, NULL, "ERROR", "fate_flow_schedule.log",
	    "fate_flow_schedule_error.log", fmt, ap);
	va_end(ap);
}

void
joblog_audit(
    const struct site_conf *conf, const char *job_id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	story(conf, job_id, NULL, "INFO", "fate_flow_audit.log", NULL, fmt, ap);
	va_end(ap);
}

void
joblog_member_error(const struct site_conf *conf, const char *job_id,
    const char *role, const char *party, const char *fmt, ...)
{
	char *below;
	va_list ap;

	if (!str_is_name(role, 100) || !str_is_party_id(party))
		return;
	below = xasprintf("%s/%s", role, party);
	va_start(ap, fmt);
	story(conf, job_id, below, "ERROR", "ERROR.log", NULL, fmt, ap);
	va_end(ap);
	free(below);
}
