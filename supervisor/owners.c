/*
 * The table of owners.h.
 */
#include "supervisor/owners.h"

static const struct owner table[] = {
	{ OWNED_JOB, STATE_READY, "", "scheduler, at its next look",
	    "job timeouts" },
	{ OWNED_JOB, STATE_WAITING, "",
	    "scheduler: create, apply, start; ends it when it waited too long",
	    "reservations" },
	{ OWNED_JOB, STATE_RUNNING, "",
	    "scheduler, whenever a task changes and every few seconds",
	    "stuck jobs" },
	{ OWNED_JOB, STATE_RUNNING, "over its time limit", "scheduler",
	    "job timeouts" },
	{ OWNED_JOB, STATE_SUCCESS, "not settled",
	    "scheduler: every member is told until it has heard, for an hour "
	    "if it answers otherwise",
	    "reservations" },
	{ OWNED_PARTNER_JOB, STATE_READY, "", "its initiator", "stale jobs" },
	{ OWNED_PARTNER_JOB, STATE_WAITING, "", "its initiator", "stale jobs" },
	{ OWNED_PARTNER_JOB, STATE_RUNNING, "", "its initiator",
	    "forgotten jobs" },
	{ OWNED_TASK, STATE_WAITING, "start not given", "the job's owner",
	    "stuck jobs" },
	{ OWNED_TASK, STATE_WAITING, "launch_wanted", "launcher",
	    "late launches" },
	{ OWNED_TASK, STATE_WAITING, "an open attempt", "its shepherd's lease",
	    "attempt leases" },
	{ OWNED_TASK, STATE_WAITING, "only ended attempts", "nobody",
	    "lost tasks" },
	{ OWNED_TASK, STATE_RUNNING, "an open attempt",
	    "its shepherd, which ends an executor that hangs",
	    "attempt leases" },
	{ OWNED_TASK, STATE_RUNNING, "no open attempt", "nobody",
	    "lost tasks" },
	{ OWNED_TASK, STATE_RUNNING, "kill_wanted", "its shepherd",
	    "late ends" },
	{ OWNED_TASK, STATE_SUCCESS, "report_due", "reporter",
	    "report backlog" },
};

const struct owner *
owners_table(size_t *n)
{
	*n = sizeof(table) / sizeof(table[0]);
	return table;
}
