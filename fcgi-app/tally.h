/*
 * How many requests of each route came and how long they took, counted in
 * memory that all workers share.
 */
#ifndef FCGI_APP_TALLY_H
#define FCGI_APP_TALLY_H

#include <stdint.h>

#include "lib/base/metrics.h"

struct route;
struct tally;

/* Before the workers are forked.  Errors: ERR_NOMEM. */
int tally_new(struct tally **out);
void tally_free(struct tally *); /* NULL is fine */

/* One request; route NULL for a path that is none.  NULL tally is fine. */
void tally_count(
    struct tally *, const struct route *, int http_status, int64_t us);
/* All of it, as series of the two http families. */
void tally_metrics(const struct tally *, struct metrics *);

#endif
