/*
 * Log files of a task for people:
 *   logs/JOB/ROLE/PARTY/COMPONENT/{DEBUG,INFO,WARNING,ERROR}.log
 *   logs/JOB/ROLE/PARTY/{DEBUG,INFO,WARNING,ERROR}.log, all components
 *   logs/JOB/ROLE/PARTY/COMPONENT/std.log, what the program printed
 * A file has the lines of its level and those above it.
 */
#ifndef SUPERVISOR_SHEPHERD_TASKLOG_H
#define SUPERVISOR_SHEPHERD_TASKLOG_H

#include <stddef.h>

#include "lib/conf/site_conf.h"
#include "lib/db/db_task.h"

struct tasklog;

enum tasklog_level {
	TASKLOG_DEBUG,
	TASKLOG_INFO,
	TASKLOG_WARNING,
	TASKLOG_ERROR,
	TASKLOG_LEVELS
};

/* Errors: ERR_IO. */
int tasklog_open(
    const struct site_conf *, const struct db_task_key *, struct tasklog **out);
void tasklog_close(struct tasklog *); /* NULL is fine */

/*
 * A line; control characters and broken UTF-8 are replaced.  After 64 MB of
 * lines the log of the task is full and says so; the rest is dropped.
 */
void tasklog_line(struct tasklog *, enum tasklog_level, const char *text);
void tasklog_printf(struct tasklog *, enum tasklog_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Bytes of the program's standard output and error. */
void tasklog_printed(struct tasklog *, const char *data, size_t len);
/* The end of what was printed, cleaned; "" for nothing. */
const char *tasklog_tail(struct tasklog *);

#endif
