/*
 * Archives that sites answer with.
 */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Unpack a compressed tar into folder, made if needed (0750, files 0640, less
 * the umask).  Only folders and regular files below it are accepted, and no
 * link below it is followed.  A file that is there already stays, unless
 * replace: then its name has the old content or all of the new.
 * *files is how many were written, on errors too.
 * Errors: ERR_FORMAT, ERR_DENIED (a name that leaves the folder, a link),
 * ERR_EXISTS, ERR_IO.
 */
int archive_extract(const void *data, size_t len, const char *folder,
    bool replace, size_t *files);

#endif
