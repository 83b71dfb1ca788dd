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
#include "lib/conf/site_wake.h"
#include "lib/db/db_work.h"
#include "lib/party/approval.h"
#include "supervisor/errands.h"
#include "supervisor/freed.h"
#include "supervisor/heads.h"
#include "supervisor/kill.h"
#include "supervisor/launch.h"
#include "supervisor/report.h"
#include "supervisor/scheduler.h"
#include "supervisor/sign.h"
#include "supervisor/sealer.h"

struct change {
	char job_id[ID_JOB_SIZE];
	bool asks; /* it is not known what it makes due */
	unsigned what;
	struct change *next;
};

struct changes {
	struct supervisor *super;
	struct change *list;
	struct loop_timer *soon;
};

/*
 * What there is to do: what was said (returned as well), and what the
 * database says if asked.
 */
static unsigned
find_work(struct supervisor *s, const struct change *list, struct db_work *work)
{
	unsigned what = 0;
	bool asks = false;

	for (const struct change *c = list; c != NULL; c = c->next) {
		asks |= c->asks;
		what |= c->what;
		/* What was noticed about a job may be that it is to end. */
		if (c->asks && *c->job_id != '\0')
			what |= WAKE_KILLS;
	}
	*work = (struct db_work){ .launches = false };
	if (asks && db_work_waiting(s->db, sealer_low(s->sealer), work) != 0)
		log_err("look for work");
	work->launches |= (what & WAKE_LAUNCHES) != 0;
	work->reports |= (what & WAKE_REPORTS) != 0;
	work->signatures |= (what & WAKE_SIGNATURES) != 0;
	return what;
}

/* Jobs that are leased are looked at for themselves, others when due. */
static void
wake_jobs(struct supervisor *s, struct change *list, bool due)
{
	struct change *c;
	bool asks = false;

	for (c = list; c != NULL; c = c->next) {
		asks |= c->asks;
		if ((c->what & WAKE_JOBS) != 0)
			due |= !scheduler_has(s->scheduler, c->job_id);
	}
	if (due)
		scheduler_look(s->scheduler);
	if (asks)
		scheduler_look_at_woken(s->scheduler);
	while ((c = list) != NULL) {
		list = c->next;
		if (c->asks || (c->what & WAKE_JOBS) != 0)
			scheduler_wake(s->scheduler, c->job_id);
		free(c);
	}
}

static void
pass_on(void *ctx)
{
	struct changes *cs = ctx;
	struct supervisor *s = cs->super;
	struct change *list = cs->list;
	struct db_work work;
	unsigned what;

	cs->list = NULL;
	what = find_work(s, list, &work);
	/* Launching first: it is what somebody waits for. */
	if (work.launches)
		launch_look(s->launcher);
	if (work.approvals && approval_expire(s->db) != 0)
		log_err("approvals in time");
	if (work.signatures || work.approvals)
		sign_look(s->signer);
	if ((what & WAKE_KILLS) != 0)
		kill_look(s);
	if (work.errands)
		errands_look(s->errands);
	if (work.reports)
		report_look(s->reporter);
	else if ((what & WAKE_RUNNING) != 0)
		report_soon(s->reporter);
	wake_jobs(s, list, work.jobs);
	if ((what & WAKE_FREED) != 0 && freed_look(s) != 0)
		log_err("who waits for what is free");
	/* Last: nobody waits for it. */
	work.heads = work.heads && heads_may_look(s->heads);
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
changes_add(struct changes *cs, const char *job_id, unsigned what)
{
	struct change *c;

	for (c = cs->list; c != NULL; c = c->next)
		if (strcmp(c->job_id, job_id) == 0)
			break;
	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		(void)snprintf(c->job_id, sizeof(c->job_id), "%s", job_id);
		c->next = cs->list;
		cs->list = c;
		loop_timer_set(cs->soon, 0, 0);
	}
	c->asks |= what == WAKE_ASK;
	c->what |= what;
}

void
supervisor_changed(struct supervisor *s, const char *job_id)
{
	changes_add(s->changes, job_id, WAKE_ASK);
}
