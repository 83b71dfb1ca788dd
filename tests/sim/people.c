/*
 * People: at some sites somebody has to approve of what partners' jobs do.
 * Most do so within a few seconds, some refuse, some never look.
 */
#include <stdio.h>

#include "lib/base/mem.h"
#include "tests/sim/world.h"

#define PERIOD 3 /* seconds; who was not heard says it again */

enum mood { NEVER_LOOKS, REFUSES, MOODS = 8 };

/* job, role, party */
static void
decide(struct site *s, char **row, void *ctx)
{
	int64_t mood = sim_pick(row[0], s->number, MOODS);
	struct sim_job *j = story_job(row[0]);

	(void)ctx;
	if (j != NULL && mood <= REFUSES)
		j->ends_well = false;
	if (mood == NEVER_LOOKS)
		return;
	story_ask(j, s->number,
	    mood == REFUSES ? "/v1/approval/reject" : "/v1/approval/approve",
	    xasprintf("{\"job_id\":\"%s\",\"role\":\"%s\",\"party_id\":\"%s\","
		      "\"note\":\"it was to be so\"}",
		row[0], row[1], row[2]));
}

void
people_decide(void)
{
	if (sim_now() / SECOND % PERIOD != 0)
		return;
	for (int i = 0; i < nsites; i++)
		if (sites[i].has_approvals)
			site_rows(&sites[i],
			    "SELECT DISTINCT a.job_id, a.role, a.party_id"
			    " FROM approval a JOIN job j USING (job_id)"
			    " WHERE a.decision = ''"
			    " AND j.status IN ('ready', 'waiting')"
			    " ORDER BY a.job_id, a.role, a.party_id",
			    decide, NULL);
}
