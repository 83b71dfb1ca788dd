/*
 * Archives that sites answer with.
 */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stddef.h>

/*
 * Unpack a compressed tar into folder, made if needed.  Only folders and
 * regular files below it are accepted.
 * Errors: ERR_FORMAT, ERR_DENIED (a name that leaves the folder, a link),
 * ERR_IO.
 */
int archive_extract(
    const void *data, size_t len, const char *folder, size_t *files);

#endif
