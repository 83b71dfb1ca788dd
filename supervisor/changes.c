/*
 * Changes noticed, passed on.  Owned by main.c; supervisor_changed() is
 * called by whoever notices something.
 */
#include "supervisor/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_work.h"
#include "lib/party/approval.h"
#include "supervisor/errands.h"
#include "supervisor/heads.h"
#include "supervisor/kill.h"
#include "supervisor/launch.h"
#include "supervisor/report.h"
#include "supervisor/scheduler.h"
#include "supervisor/sign.h"
#include "supervisor/sealer.h"

struct change {
	char job_id[ID_JOB_SIZE];
	struct change *next;
};

struct changes {
	struct supervisor *super;
	struct change *list;
	struct loop_timer *soon;
};

static void
pass_on(void *ctx)
{
	struct changes *cs = ctx;
	struct supervisor *s = cs->super;
	struct change *list = cs->list, *c;
	struct db_work work;

	cs->list = NULL;
	if (db_work_waiting(s->db, sealer_low(s->sealer), &work) != 0)
		log_err("look for work");
	/* Launching first: it is what somebody waits for. */
	if (work.launches)
		launch_look(s->launcher);
	if (work.approvals && approval_expire(s->db) != 0)
		log_err("approvals in time");
	if (work.signatures || work.approvals)
		sign_look(s->signer);
	if (work.kills)
		kill_look(s);
	if (work.errands)
		errands_look(s->errands);
	if (work.reports)
		report_look(s->reporter);
	if (work.jobs)
		scheduler_look(s->scheduler);
	while ((c = list) != NULL) {
		list = c->next;
		scheduler_wake(s->scheduler, c->job_id);
		free(c);
	}
	/* Last: nobody waits for it. */
	if (work.audit && work.heads)
		sealer_look(s->sealer);
	else if (work.audit)
		sealer_soon(s->sealer);
	if (work.heads)
		heads_look(s->heads);
}

struct changes *
changes_new(struct supervisor *s)
{
	struct changes *cs = xcalloc(1, sizeof(*cs));

	cs->super = s;
	cs->soon = loop_timer_new(s->loop, pass_on, cs);
	return cs;
}

void
changes_free(struct changes *cs)
{
	struct change *c;

	if (cs == NULL)
		return;
	loop_timer_free(cs->soon);
	while ((c = cs->list) != NULL) {
		cs->list = c->next;
		free(c);
	}
	free(cs);
}

void
supervisor_changed(struct supervisor *s, const char *job_id)
{
	struct changes *cs = s->changes;
	struct change *c;

	for (c = cs->list; c != NULL; c = c->next)
		if (strcmp(c->job_id, job_id) == 0)
			return;
	c = xcalloc(1, sizeof(*c));
	(void)snprintf(c->job_id, sizeof(c->job_id), "%s", job_id);
	c->next = cs->list;
	cs->list = c;
	loop_timer_set(cs->soon, 0, 0);
}
