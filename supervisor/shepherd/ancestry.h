/*
 * Which tables a task was given, and that its outputs come from them.
 */
#ifndef SUPERVISOR_SHEPHERD_ANCESTRY_H
#define SUPERVISOR_SHEPHERD_ANCESTRY_H

#include "lib/db/db.h"
#include "supervisor/shepherd/inputs.h"
#include "supervisor/shepherd/subject.h"

/* Names in the arena given to ancestry_begin(). */
struct ancestry {
	struct parent {
		const char *table_namespace;
		const char *name;
	} * parents;
	size_t n;
};

/* Write down what the task is given.  ERR_DB. */
int ancestry_begin(struct db *, const struct subject *, const struct inputs *,
    struct arena *, struct ancestry *out);
/* In the transaction of the task's end, for each table it leaves. */
int ancestry_write(struct db *, const struct ancestry *, const char *job_id,
    const char *table_namespace, const char *name);

#endif
