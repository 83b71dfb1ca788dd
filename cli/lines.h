/*
 * The lines of a text file, one after the other.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stddef.h>

/* Without its newline; anything but 0 ends it. */
typedef int line_fn(void *ctx, const char *line, size_t len);

/* Errors: ERR_IO with the path, fn's. */
int lines_each(const char *path, line_fn *fn, void *ctx);

#endif
