/*
 * From "something changed" to a look by every part: once for each job,
 * however often it was said, and from the loop, so that one part's look does
 * not run inside another's.
 */
#ifndef SUPERVISOR_CHANGES_H
#define SUPERVISOR_CHANGES_H

#include "supervisor/supervisor.h"

struct changes;

struct changes *changes_new(struct supervisor *);
void changes_free(struct changes *); /* NULL is fine */

/*
 * As supervisor_changed(), of whom only the parts look that what names (enum
 * site_wake, several).
 */
void changes_add(struct changes *, const char *job_id, unsigned what);

#endif
