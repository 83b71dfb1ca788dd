/*
 * So many at a time of all workers, for work that holds a worker long.
 */
#ifndef FCGI_APP_TURNS_H
#define FCGI_APP_TURNS_H

struct turns;

/*
 * Made before the workers are, which share it.  Ownership: *out is the
 * caller's.  ERR_INTERNAL.
 */
int turns_new(int max, struct turns **out);
void turns_free(struct turns *); /* NULL is fine */

/*
 * Take a turn, at most one for each process.  ERR_BUSY when all are taken.
 * The turn of a process that ends, however it ends, is free again.
 */
int turns_take(struct turns *);
void turns_give(struct turns *);

#endif
