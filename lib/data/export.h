/*
 * The folder for exports ([data] export_root): where Download and Writer put
 * files, and nowhere else.
 */
#ifndef LIB_DATA_EXPORT_H
#define LIB_DATA_EXPORT_H

#include <stddef.h>

#include "lib/conf/site_conf.h"

#define EXPORT_BLOCK ((size_t)256 * 1024)

/*
 * The place of a file below the folder, of a path that is relative to it or
 * absolute and below it; the caller's.  Errors: ERR_DENIED for an absolute
 * path elsewhere and for "..", ERR_INVALID for one that names no file.
 */
int export_path(const struct site_conf *, const char *path, char **out);

/*
 * The same for a path that a client made absolute on its own machine: when it
 * is not below the folder its last part alone counts.  ERR_INVALID.
 */
int export_path_of_client(
    const struct site_conf *, const char *path, char **out);

struct export_file;

/*
 * Begin a file under another name in its place; folders on the way are made.
 * path is one of export_path().  Errors: ERR_DENIED for a link that leads out
 * of the folder, ERR_IO.
 */
int export_begin(
    const struct site_conf *, const char *path, struct export_file **out);
int export_write(struct export_file *, const void *data, size_t len);
/* Synced and renamed: the new content or the old.  Frees, also on error. */
int export_end(struct export_file *);
void export_abort(struct export_file *); /* NULL is fine */

#endif
