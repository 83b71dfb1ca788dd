/*
 * The timeline: what changed a state, when, who did it and why.
 */
#ifndef LIB_DB_DB_EVENT_H
#define LIB_DB_DB_EVENT_H

#include "lib/db/db.h"

/* Zeroed fields are stored as "". */
struct db_event {
	int64_t id;
	int64_t at_ms;
	const char *job_id;
	const char *component;
	int64_t version;
	const char *role;
	const char *party_id;
	const char *kind; /* job, task, party_task, resource … */
	const char *from_state;
	const char *to_state;
	const char *actor;
	const char *reason; /* may be NULL */
	bool elsewhere;	    /* when added: of another site's task */
};

/*
 * id, at_ms and actor are the database's and the connection's.  Inside a
 * transaction the rows are written together at its end.  Starts and
 * ends of jobs and of this site's tasks, and other contracts of a job, become
 * rows of audit by it as well ("job start", "task end" and so on).
 */
int db_event_add(struct db *, const struct db_event *);
/* Events of a job after an id, oldest first. */
int db_event_list(struct db *, struct arena *, const char *job_id,
    int64_t after_id, int64_t limit, struct db_event **rows, size_t *n);

#endif
