/*
 * Partners that refuse to hear this site, and since when.  Owned by doubts.c.
 */
#ifndef SUPERVISOR_DEAF_H
#define SUPERVISOR_DEAF_H

#include <stdint.h>

/* Refusals that are so far apart are two matters. */
#define DEAF_APART_MS (15 * 60 * INT64_C(1000))

struct deaf;

/*
 * The party refused us at now_ms (monotonic).  Returns for how long it has
 * done so without an answer between.  *list is NULL when there is none.
 */
int64_t deaf_refused(struct deaf **list, const char *party, int64_t now_ms);
/* It has answered. */
void deaf_heard(struct deaf **list, const char *party);
void deaf_free(struct deaf **list);

#endif
