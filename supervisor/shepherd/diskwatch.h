/*
 * How much an executor has put on disk.  A limit on files bounds each of
 * them, not their number: without this a task could fill the site's disk.
 */
#ifndef SUPERVISOR_SHEPHERD_DISKWATCH_H
#define SUPERVISOR_SHEPHERD_DISKWATCH_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Bytes on disk below dir, and of files that have no name any more but which
 * process pid (0: none) or its children hold open.  Links are not followed.  INT64_MAX for
 * a tree deeper or with more entries than any task's output.
 */
int64_t diskwatch_bytes(const char *dir, pid_t pid);

#endif
