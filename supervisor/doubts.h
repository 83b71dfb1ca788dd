/*
 * Partners' jobs that are open here and have not moved for a minute: their
 * initiators are asked whether they are still wanted.  One that has refused to
 * hear this site for partner_outage_s will end none: its jobs fail here.
 * Nothing is kept but what is under way; a question that is lost is asked again.
 */
#ifndef SUPERVISOR_DOUBTS_H
#define SUPERVISOR_DOUBTS_H

#include "supervisor/supervisor.h"

struct doubts;

struct doubts *doubts_new(struct supervisor *);
/* The calls of the HTTP client must have been dropped before. */
void doubts_free(struct doubts *); /* NULL is fine */

/*
 * Ask about those that have not moved for age_ms, at most a hundred, others
 * each time when there are more.  Errors: ERR_DB.
 */
int doubts_look(struct doubts *, int64_t age_ms);

#endif
