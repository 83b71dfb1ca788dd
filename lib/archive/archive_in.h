/*
 * Reading an archive that somebody sent: zip, or tar with or without gzip.
 *
 * Nothing is unpacked; members are handed out one by one with names that are
 * safe to compare and to show.  Refused, with the member's name: names that
 * are absolute, climb, are not printable ASCII or stand twice; links, devices
 * and encrypted members; and archives that have too many members, are too
 * large when unpacked, or grow by more than a model can (zip bombs).
 */
#ifndef LIB_ARCHIVE_ARCHIVE_IN_H
#define LIB_ARCHIVE_ARCHIVE_IN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define ARCHIVE_IN_MEMBERS 100000
#define ARCHIVE_IN_BYTES ((uint64_t)16 << 30) /* unpacked */
/* Beyond so many bytes unpacked data may be this many times the archive. */
#define ARCHIVE_IN_FREE_BYTES ((uint64_t)64 << 20)
#define ARCHIVE_IN_RATIO 100
#define ARCHIVE_IN_NAME 1000 /* bytes of a name */

struct archive_in;

/*
 * Read len bytes of fd from offset on (by pread: its position stays).
 * fd is borrowed.  Errors: ERR_FORMAT when it is no archive, ERR_NOMEM.
 */
int archive_in_open(
    int fd, uint64_t offset, uint64_t len, struct archive_in **out);
void archive_in_close(struct archive_in *); /* NULL is fine */

/*
 * The next regular file; folders are passed over.  *name is valid until the
 * next call.  Returns 1, or 0 at the end.
 * Errors: ERR_FORMAT (damaged, or refused as said above), ERR_LIMIT, ERR_IO.
 */
int archive_in_next(struct archive_in *, const char **name);

/*
 * Some of the member's content: *len is 0 at its end, where its checksum was
 * found right.  *data is valid until the next call.
 * Errors: ERR_FORMAT, ERR_LIMIT, ERR_IO.
 */
int archive_in_data(struct archive_in *, const void **data, size_t *len);
/* All of it, appended; ERR_LIMIT above max bytes. */
int archive_in_read(struct archive_in *, size_t max, struct buf *out);

#endif
