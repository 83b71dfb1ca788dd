/*
 * Ids of a table in the making, sorted on disk: each batch comes sorted and
 * becomes a run, and all runs are merged in the end.  An index that is built
 * in order is written once; one that grows in the order of the rows is
 * written over and over.
 */
#ifndef LIB_ENGINE_ID_RUNS_H
#define LIB_ENGINE_ID_RUNS_H

#include "lib/engine/engine.h"

struct id_runs;

/* The runs' file lies in the folder, without a name, from the second on. */
struct id_runs *id_runs_new(const char *folder);
void id_runs_free(struct id_runs *); /* NULL is fine */

/* Bytes of all ids so far, with ID_RUNS_HEAD for each. */
enum { ID_RUNS_HEAD = 10 };
uint64_t id_runs_bytes(const struct id_runs *);

/* ERR_IO. */
int id_runs_add(struct id_runs *, const struct storage_batch *);

/*
 * Call fn with every id, in the order of their bytes, until it gives an
 * error.  ERR_EXISTS when an id is there twice, *old and *new being the
 * numbers of its rows; ERR_IO.  Once only.
 */
int id_runs_merge(struct id_runs *,
    int (*fn)(void *ctx, struct span id, uint64_t number), void *ctx,
    uint64_t *old, uint64_t *new);

#endif
