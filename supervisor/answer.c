/*
 * What members answer, made into rows.  Called by command.c, for this site's
 * own members as for partners.
 */
#include "supervisor/answer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/signatures.h"
#include "supervisor/finding.h"
#include "supervisor/joblog.h"
#include "supervisor/partners.h"
#include "supervisor/queue.h"

static int64_t
rest_ms(const struct command *c)
{
	int64_t ms = c->verb == PLAN_END ? c->over_ms / 4 : 0;

	return ms < JOB_REST_MS		     ? JOB_REST_MS
	       : ms > ANSWER_END_REST_MAX_MS ? ANSWER_END_REST_MAX_MS
					     : ms;
}

void
answer_rest(struct command *c)
{
	int64_t until = clock_mono_ms() + rest_ms(c);

	if (plan_is_task_command(c->verb))
		job_task(c->job, c->component, c->member)->rest_until_ms =
		    until;
	else
		c->job->members[c->member].rest_until_ms = until;
}

static int
mark(struct command *c, enum db_party_flag flag, bool value, const char *error)
{
	if (!value)
		acks_drop_member(&c->job->acks, &c->to, flag);
	return db_party_mark(c->super->db, c->to.job_id, c->to.role,
	    c->to.party_id, flag, value, error, c->fence);
}

static bool
is_not_now(int code)
{
	return code == ERR_BUSY || code == ERR_CONFLICT || code == ERR_PENDING;
}

/* What a member said last, and why it cannot now. */
static void
note_refusal(struct command *c, const struct answer *a)
{
	job_set_error(c->job, c->member, a->text);
	c->job->members[c->member].refusal = a->why;
}

/* The member refuses for good: the job cannot go on without it. */
static int
fail_job(struct command *c, const struct answer *a)
{
	char *why = xasprintf("%s %s: %s", c->to.role, c->to.party_id, a->text);
	int r =
	    db_job_cancel(c->super->db, c->to.job_id, STATE_FAILED, why, NULL);

	free(why);
	return r;
}

/* The member cannot run its task: that is the end of the task there. */
static int
fail_task(struct command *c, const char *text)
{
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = STATE_FAILED,
		.error_report = text,
		.fault = FAULT_REFUSED,
		.reason = text,
	};

	return db_task_move(c->super->db, &c->task, &move, NULL);
}

/*
 * {"gone": [component, …]}: outputs the member does not have any more.  What
 * is to be worked out from them needs them made again.
 */
static int
renew_gone(struct command *c, const struct answer *a)
{
	struct json_object *gone = json_get(a->data, "gone");
	struct party_caller self = {
		.party_id = c->super->conf->party_id,
		.is_site = true,
	};
	size_t i, n = 0, count;
	const char **names;

	if (!json_is_array(gone) ||
	    (count = json_object_array_length(gone)) == 0)
		return 0;
	/* Each is looked for while the job is locked. */
	if (count > c->job->graph->n)
		return fail_job(
		    c, &(struct answer){ .text = "it answered that it has lost "
						 "outputs of more components "
						 "than the job has" });
	names = arena_alloc(c->arena, count * sizeof(*names));
	for (i = 0; i < count; i++) {
		struct json_object *o = json_object_array_get_idx(gone, i);

		if (json_is_string(o))
			names[n++] = json_object_get_string(o);
	}
	return initiator_renew_gone(
	    c->super->db, &self, c->to.job_id, c->job->graph, names, n, NULL);
}

static int
answer_create(struct command *c, const struct answer *a)
{
	struct job_member *m = &c->job->members[c->member];
	int r;

	if (a->code == 0 && (r = renew_gone(c, a)) != 0)
		return r;
	if (a->code == 0)
		return mark(c, DB_PARTY_CREATED, true, "");
	if (is_not_now(a->code)) {
		note_refusal(c, a);
		return 0;
	}
	if (c->verb == PLAN_REOPEN && a->code == ERR_NOT_FOUND) {
		m->unknown = true;
		return 0;
	}
	return fail_job(c, a);
}

/* Not understood with what begins in it: the same again without. */
static int
wants_plain_starts(struct command *c)
{
	partners_note_plain_starts(c->super->partners, c->to.party_id);
	return 0;
}

static int
answer_apply(struct command *c, const struct answer *a, bool is_local)
{
	int r;

	/* Who has started with it has said so already. */
	if (a->code == 0)
		return c->begins ? 0 : mark(c, DB_PARTY_RESERVED, true, "");
	if (a->code == ERR_NOT_FOUND) {
		answer_rest(c);
		return mark(c, DB_PARTY_CREATED, false, a->text);
	}
	if (a->code == ERR_INVALID && c->begins && !is_local)
		return wants_plain_starts(c);
	if (!is_not_now(a->code))
		return fail_job(c, a);
	c->job->members[c->member].refused = true;
	note_refusal(c, a);
	/* What waits for a person stands in nobody's way. */
	if (a->code == ERR_PENDING)
		return mark(c, DB_PARTY_RESERVED, false, NULL);
	if ((r = mark(c, DB_PARTY_RESERVED, false, a->text)) == 0)
		queue_refused(c->super->queue, c->to.party_id);
	return r;
}

/* Of an own member also what it began with: nothing but its grant. */
static int
answer_return(struct command *c, const struct answer *a, bool is_local)
{
	int r;

	/* What could not be given back runs out by itself. */
	if (a->code != 0 && a->code != ERR_NOT_FOUND)
		log_warn("job=%s %s %s keeps its reservation: %s", c->to.job_id,
		    c->to.role, c->to.party_id, a->text);
	if (is_local && (r = mark(c, DB_PARTY_STARTED, false, NULL)) != 0)
		return r;
	return mark(c, DB_PARTY_RESERVED, false, NULL);
}

static int
answer_start(struct command *c, const struct answer *a, bool is_local)
{
	int r;

	/* In a row of our own the start itself has noted it. */
	if (a->code == 0)
		return is_local ? 0 : mark(c, DB_PARTY_STARTED, true, "");
	if (a->code == ERR_INVALID && c->nstarts > 0)
		return wants_plain_starts(c);
	if (!is_not_now(a->code) && a->code != ERR_NOT_FOUND)
		return fail_job(c, a);
	/* Its reservation ran out, or it lost the job: begin again there. */
	answer_rest(c);
	if (is_not_now(a->code))
		return mark(c, DB_PARTY_RESERVED, false, a->text);
	if ((r = mark(c, DB_PARTY_RESERVED, false, a->text)) == 0)
		r = mark(c, DB_PARTY_CREATED, false, a->text);
	return r;
}

/*
 * The member's manifest goes into the root.  Who cannot stage its half keeps
 * all others from the model too.
 */
static int
answer_model(struct command *c, const struct answer *a)
{
	unsigned char hash[DB_HASH_SIZE];
	int r;

	if (is_not_now(a->code)) {
		job_set_error(c->job, c->member, a->text);
		answer_rest(c);
		return 0;
	}
	if (a->code != 0)
		return fail_job(c, a);
	if (a->manifest_hash != NULL)
		memcpy(hash, a->manifest_hash, sizeof(hash));
	else if ((r = str_from_hex(json_get_str(a->data, "manifest_hash", ""),
		      hash, sizeof(hash))) != 0)
		return fail_job(
		    c, &(struct answer){ .text = "it answered without the hash "
						 "of its half of the model" });
	return db_party_set_manifest(c->super->db, c->to.job_id, c->to.role,
	    c->to.party_id, hash, c->job->fence);
}

void
answer_tell_late_end(struct command *c, const struct answer *a)
{
	bool is_left = c->over_ms > ANSWER_END_MAX_MS;

	if (c->over_ms <= ANSWER_END_LATE_MS)
		return;
	if (finding(c->super, "partners", c->to.job_id,
		"%s %s does not take the end of the job (%s)%s: %s", c->to.role,
		c->to.party_id, state_name(c->status),
		is_left ? ", and is not told any more" : "", a->text))
		joblog_error(c->super->conf, c->to.job_id,
		    "%s %s does not take the job's end: %s", c->to.role,
		    c->to.party_id, a->text);
}

/*
 * "Not now" for an hour: it is held to have left the job, whose other members
 * and whose rows here need no more of it.  That its site ends the job is its
 * own matter then: it asks when it hears no more (job_doubt.h).
 */
static int
end_refused(struct command *c, const struct answer *a, bool is_local)
{
	if (c->over_ms > ANSWER_END_MAX_MS && !is_local)
		return mark(c, DB_PARTY_ENDED, true,
		    arena_printf(
			c->arena, "it did not take the end: %s", a->text));
	answer_rest(c);
	return 0;
}

static int
answer_end(struct command *c, const struct answer *a, bool is_local)
{
	/* Who does not have the job, or lets us say nothing about it, has
	 * nothing to end. */
	if (a->code == 0 || a->code == ERR_NOT_FOUND || a->code == ERR_DENIED)
		return mark(
		    c, DB_PARTY_ENDED, true, a->code == 0 ? "" : a->text);
	return end_refused(c, a, is_local);
}

static int
answer_task_create(struct command *c, const struct answer *a)
{
	if (a->code == 0)
		return db_task_ack(
		    c->super->db, &c->task, false, STATE_WAITING);
	/* A run that has not begun is refused by it. */
	if (!is_not_now(a->code))
		return c->job->runs ? fail_task(c, a->text) : fail_job(c, a);
	answer_rest(c);
	return 0;
}

static int
answer_task_start(struct command *c, const struct answer *a, bool is_local)
{
	/* In a row of our own the start itself has noted it. */
	if (a->code == 0)
		return 0;
	/*
	 * It may have been started by a command whose answer was lost, and
	 * be over by now: its state decides, not the refusal.  A local row
	 * keeps an end that it has.
	 */
	if (is_not_now(a->code) && !is_local) {
		command_ask_after_refusal(c, a->text);
		return 0;
	}
	return fail_task(c, a->text);
}

static int
answer_task_end(struct command *c, const struct answer *a)
{
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = c->status,
		.reason = c->reason,
	};
	int r;

	if (is_not_now(a->code)) {
		answer_rest(c);
		return 0;
	}
	if (a->code != 0 && c->verb == PLAN_TASK_STOP &&
	    (r = db_task_move(c->super->db, &c->task, &move, NULL)) != 0)
		return r;
	job_task(c->job, c->component, c->member)->heard_ms = clock_mono_ms();
	return db_task_ack(c->super->db, &c->task, false, c->status);
}

bool
answer_is_kept(const struct command *c, const struct answer *a)
{
	return a->code == 0 &&
	       (c->verb == PLAN_TASK_START || c->verb == PLAN_TASK_STATUS ||
		   c->verb == PLAN_APPLY || c->verb == PLAN_START ||
		   c->verb == PLAN_END);
}

/* Asked to begin with its reservation, it says that it has. */
static bool
has_begun(const struct command *c, const struct answer *a)
{
	return c->begins && json_get_bool(a->data, "started", false);
}

/*
 * The member's signature comes with its reservation when it has been made by
 * then.  Without one it comes by itself: no need to ask again at once.  Who
 * has begun has made it: the job would run without it.
 */
static int
keep_signature(struct command *c, const struct answer *a)
{
	struct json_object *o = json_get(a->data, "signature");
	struct db_job job = { .job_id = c->to.job_id, .revision = c->revision };
	const struct db_party member = { .role = c->to.role,
		.party_id = c->to.party_id };
	struct db_signature s;
	int r;

	if (o == NULL && has_begun(c, a))
		return err_set(ERR_DENIED,
		    "it answered that it has started, without its signature");
	if (o == NULL) {
		c->job->members[c->member].sign_until_ms =
		    clock_mono_ms() + JOB_REST_MS;
		return 0;
	}
	memcpy(job.contract_hash, c->contract_hash, sizeof(job.contract_hash));
	if ((r = signature_read(o, c->arena, &s)) != 0)
		return r;
	if (!str_eq(s.role, member.role) ||
	    !str_eq(s.party_id, member.party_id))
		return err_set(ERR_DENIED,
		    "it answered with a signature of %.20s %.10s", s.role,
		    s.party_id);
	if ((r = signature_verify(c->super->db, &job, &member, &s, NULL)) == 0)
		acks_add_signature(
		    &c->job->acks, c->to.job_id, c->revision, &s);
	return r;
}

static void
keep_start(struct command *c)
{
	for (size_t i = 0; i < c->nstarts; i++) {
		acks_add(&c->job->acks, &c->starts[i], STATE_NONE);
		job_task(c->job, c->start_components[i], c->member)->heard_ms =
		    clock_mono_ms();
	}
	acks_add_member(&c->job->acks, &c->to, DB_PARTY_STARTED);
}

static void
keep_job_command(struct command *c, const struct answer *a)
{
	if (c->verb == PLAN_END)
		acks_add_member(&c->job->acks, &c->to, DB_PARTY_ENDED);
	if (c->verb == PLAN_APPLY)
		acks_add_member(&c->job->acks, &c->to, DB_PARTY_RESERVED);
	if (c->verb == PLAN_START || has_begun(c, a))
		keep_start(c);
}

int
answer_keep(struct command *c, const struct answer *a)
{
	int r;

	if (c->verb == PLAN_APPLY && (r = keep_signature(c, a)) != 0)
		return r == ERR_AUTH || r == ERR_INVALID
			   ? err_set(ERR_DENIED, "%s", err_text())
			   : r;
	for (size_t i = 0; i < c->ntold; i++)
		acks_add(&c->job->acks, &c->told[i], STATE_SUCCESS);
	if (!plan_is_task_command(c->verb)) {
		keep_job_command(c, a);
		return 0;
	}
	job_task(c->job, c->component, c->member)->heard_ms = clock_mono_ms();
	acks_add(&c->job->acks, &c->task,
	    c->verb == PLAN_TASK_START ? STATE_NONE : c->status);
	return 0;
}

/*
 * The member lets us ask nothing: its site has disabled this one, say, and
 * has ended the task.  While keys change that may pass.
 */
static int
denied(struct command *c, const struct answer *a)
{
	struct job_task *t = job_task(c->job, c->component, c->member);
	int64_t now = clock_mono_ms();

	if (t->denied_ms == 0)
		t->denied_ms = now;
	return now - t->denied_ms < JOB_DENIED_MS ? 0 : fail_task(c, a->text);
}

static int
answer_collect(struct command *c, const struct answer *a)
{
	struct party_caller caller = { .party_id = c->to.party_id };
	struct party_report report = { .party_status = STATE_NONE };

	job_task(c->job, c->component, c->member)->heard_ms = clock_mono_ms();
	if (a->code == ERR_NOT_FOUND)
		return fail_task(c, "the task is not known there any more");
	if (a->code == ERR_DENIED)
		return denied(c, a);
	if (a->code != 0)
		return 0;
	job_task(c->job, c->component, c->member)->denied_ms = 0;
	if (state_parse(json_get_str(a->data, "party_status", ""),
		&report.party_status) != 0 ||
	    report.party_status == STATE_NONE)
		return err_set(ERR_FORMAT, "collect: no state of the task");
	if (c->refusal != NULL && !state_is_end(report.party_status) &&
	    report.party_status != STATE_RUNNING)
		return fail_task(c, c->refusal);
	report.started_ms = json_get_int(a->data, "start_time", 0);
	report.ended_ms = json_get_int(a->data, "end_time", 0);
	report.progress = json_get_int(a->data, "progress", 0);
	report.error_report = json_get_str(a->data, "error_report", NULL);
	report.fault = fault_parse(json_get_str(a->data, "fault", ""));
	/* It knows of the start if it runs or ran. */
	(void)db_task_ack_start(c->super->db, &c->task,
	    report.party_status != STATE_WAITING || c->refusal == NULL);
	return initiator_task_report(
	    c->super->db, &caller, &c->task, &report, NULL);
}

int
answer_take(struct command *c, const struct answer *a, bool is_local)
{
	switch (c->verb) {
	case PLAN_CREATE:
	case PLAN_REOPEN:
		return answer_create(c, a);
	case PLAN_APPLY:
		return answer_apply(c, a, is_local);
	case PLAN_RETURN:
		return answer_return(c, a, is_local);
	case PLAN_START:
		return answer_start(c, a, is_local);
	case PLAN_MODEL:
		return answer_model(c, a);
	case PLAN_END:
		return answer_end(c, a, is_local);
	case PLAN_TASK_CREATE:
		return answer_task_create(c, a);
	case PLAN_TASK_START:
		return answer_task_start(c, a, is_local);
	case PLAN_TASK_STATUS:
	case PLAN_TASK_STOP:
		return answer_task_end(c, a);
	case PLAN_TASK_COLLECT:
		return answer_collect(c, a);
	default:
		return err_set(
		    ERR_INTERNAL, "%s is no command", plan_verb_name(c->verb));
	}
}
