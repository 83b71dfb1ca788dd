/*
 * So many at a time of all workers, for work that holds a worker long.
 */
#ifndef FCGI_APP_TURNS_H
#define FCGI_APP_TURNS_H

#include <stdbool.h>

struct turns;

/*
 * Made before the workers are, which share it.  what is the work, for the
 * refusal ("downloads").  Ownership: *out is the caller's.  ERR_INTERNAL.
 */
int turns_new(int max, const char *what, struct turns **out);
void turns_free(struct turns *); /* NULL is fine */

/*
 * Take a turn, at most one for each process: who has one keeps it.  ERR_BUSY
 * when all are taken.
 * The turn of a process that ends, however it ends, is free again.
 */
int turns_take(struct turns *);
void turns_give(struct turns *);
bool turns_has(const struct turns *); /* this process has one */

#endif
