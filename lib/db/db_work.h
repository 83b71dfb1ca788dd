/*
 * Is there anything to do?  One question for all parts of a supervisor, asked
 * at each wake-up and a few times a second.  Ends that are wanted are not in
 * it: to find them all that runs would be read, and whoever runs it asks with
 * each heartbeat.
 */
#ifndef LIB_DB_DB_WORK_H
#define LIB_DB_DB_WORK_H

#include "lib/db/db.h"

struct db_work {
	bool launches;	 /* local tasks want a launch */
	bool reports;	 /* initiators elsewhere are to be told */
	bool jobs;	 /* jobs initiated here are due and not leased */
	bool errands;	 /* users' requests want answers of members */
	bool audit;	 /* rows of audit behind the one that was said */
	bool heads;	 /* of audit chains, to be exchanged */
	bool approvals;	 /* nobody decided in time */
	bool signatures; /* own members', to be made or told */
};

int db_work_waiting(struct db *, int64_t audit_id, struct db_work *out);

#endif
