/*
 * A log of nginx, followed: whole lines behind a position that the caller
 * keeps.  The file may be renamed (to NAME.STAMP, beside it) and begun anew,
 * or copied and emptied, at any time; it is read to its end before the next
 * one is.  What is lost: lines that somebody removed unread, and, where a file
 * is emptied in place, those that came between its copy and that.
 */
#ifndef SUPERVISOR_REFUSED_LOG_H
#define SUPERVISOR_REFUSED_LOG_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/db/db_refusal.h"

#define REFUSED_LOG "refused.log"
#define REFUSED_TLS_LOG "nginx-tls.log"

struct refused_log;

/* folder: where it is or will be; name: a constant. */
struct refused_log *refused_log_new(const char *folder, const char *name);
void refused_log_free(struct refused_log *); /* NULL is fine */

/*
 * Append whole lines behind from (0, 0: all that the file has), some hundred
 * kilobytes at most; *to is where they end.  *more: there may be more now.
 * Without a file nothing is read and *to is *from.  Errors: ERR_IO.
 */
int refused_log_read(struct refused_log *, const struct db_front_at *from,
    struct buf *lines, struct db_front_at *to, bool *more);

/*
 * All before it is done with: its room on the disk is given back, so that a
 * flood does not fill it, in the file that stays as long as it is.  Where the
 * file system or the file's mode does not let that be it stays until the file
 * is rotated away.
 */
void refused_log_done(struct refused_log *, const struct db_front_at *);

#endif
