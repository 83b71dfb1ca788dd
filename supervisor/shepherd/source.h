/*
 * The text of a table that is kept outside, for a Reader: the descriptor of
 * a file, or the reading end of a pipe that a thread fills from a server.
 */
#ifndef SUPERVISOR_SHEPHERD_SOURCE_H
#define SUPERVISOR_SHEPHERD_SOURCE_H

#include "lib/db/db_table.h"

struct shepherd;
struct source;

/*
 * Open the table's text.  *fd is the caller's; a pipe has a line of names,
 * and is closed at its writing end only when all rows are in it: when the
 * server fails the task fails before its reader sees an end.
 * Ownership: *out is the caller's, NULL for a file.
 * Errors: ERR_UNSUPPORTED, those of outside_open() and data_file_open().
 */
int source_open(
    struct shepherd *, const struct db_table *, int *fd, struct source **out);
/*
 * When nobody of ours holds the reading end any more, so that the thread
 * does not wait for room in the pipe.  NULL is fine.
 */
void source_close(struct source *);

#endif
