/*
 * A gzip-compressed tar written into a reply while it is made: nothing is
 * kept but a block.
 */
#ifndef FCGI_APP_ARCHIVE_H
#define FCGI_APP_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "fcgi-app/reply.h"

struct archive_out;

/* Begins the reply; name ends in .tar.gz.  ERR_INVALID, ERR_CLOSED. */
int archive_begin(struct reply *, const char *name, struct archive_out **out);

/*
 * A member of exactly size bytes, given in pieces afterwards; what is
 * missing at the end is filled with NULs, what is too much is refused.
 * Names are relative and do not climb (ERR_INVALID).
 */
int archive_member(struct archive_out *, const char *name, uint64_t size);
int archive_write(struct archive_out *, const void *data, size_t len);

/* A file as it is now: bytes appended meanwhile are left out. */
int archive_file(struct archive_out *, const char *name, int fd);
/*
 * All regular files below a folder, under names relative to it, in order of
 * names; links are left out.  ERR_NOT_FOUND when there is no such folder.
 */
int archive_tree(struct archive_out *, const char *folder);

/* Writes the end.  The archive is freed whatever happens. */
int archive_end(struct archive_out *);
void archive_abort(struct archive_out *); /* NULL is fine */

#endif
