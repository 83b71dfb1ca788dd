/*
 * Opening what a stranger named, inside a folder that the site's owner set
 * aside: the kernel resolves the path and refuses every step out of it, by
 * "..", by an absolute path or by a link (openat2(2), RESOLVE_BENEATH).
 * Links that stay inside are followed.
 */
#ifndef LIB_BASE_BENEATH_H
#define LIB_BASE_BENEATH_H

#include <stddef.h>

/*
 * Open root/path; path is relative and not empty.  flags as for open(2), the
 * descriptor is close-on-exec.  Ownership: *out is the caller's.
 * Errors: ERR_NOT_FOUND (root or path), ERR_DENIED for a path that leads
 * out, ERR_UNSUPPORTED on a kernel without openat2, ERR_IO.
 */
int beneath_open(
    const char *root, const char *path, int flags, unsigned int mode, int *out);
/* The same below an open folder. */
int beneath_open_at(
    int root, const char *path, int flags, unsigned int mode, int *out);

/*
 * What follows root in an absolute path ("/root/a/b" gives "a/b"), or a
 * relative path itself; NULL when it is absolute and not below root.  Only
 * text is looked at: beneath_open() decides.
 */
const char *beneath_rest(const char *root, const char *path);

#endif
