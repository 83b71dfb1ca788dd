/*
 * Commands to members: by which function of lib/party to this site's own, by
 * which request to partners (command_body.c), and what an answer does.
 */
#include "supervisor/command.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/resources_freed.h"
#include "lib/party/withdraw.h"
#include "supervisor/answer.h"
#include "supervisor/changes.h"
#include "supervisor/command_body.h"
#include "supervisor/joblog.h"
#include "supervisor/kill.h"
#include "supervisor/launch.h"
#include "supervisor/partners.h"
#include "supervisor/queue.h"
#include "supervisor/refence.h"

static struct db_task_key
key_of(struct command *c, const struct db_task *t)
{
	return (struct db_task_key){
		.job_id = c->to.job_id,
		.component = arena_strdup(c->arena, t->key.component),
		.version = t->key.version,
		.role = c->to.role,
		.party_id = c->to.party_id,
	};
}

/* The member's tasks of some components: *numbers are those of the plan. */
static struct db_task_key *
keys_of(struct command *c, const struct snapshot *sn, const size_t *components,
    size_t n, size_t **numbers)
{
	struct db_task_key *keys =
	    arena_alloc(c->arena, (n + 1) * sizeof(*keys));

	*numbers = arena_alloc(c->arena, (n + 1) * sizeof(**numbers));
	for (size_t i = 0; i < n; i++) {
		(*numbers)[i] = components[i];
		keys[i] =
		    key_of(c, snapshot_task(sn, components[i], c->member));
	}
	return keys;
}

static struct command *
command_new(struct supervisor *s, struct job *j, const struct snapshot *sn,
    const struct plan_action *a, command_done_fn *done, void *ctx)
{
	struct arena *arena = arena_new();
	struct command *c = arena_alloc(arena, sizeof(*c));
	const struct db_party *p = &sn->parties[a->member];
	bool takes_tasks = p->is_local || !partners_wants_plain_starts(
					      s->partners, p->party_id);
	const struct db_task *t;

	c->arena = arena;
	c->super = s;
	c->job = j;
	c->verb = a->verb;
	c->fence = j->fence;
	c->member = a->member;
	c->component = a->component;
	c->status = a->status;
	c->reason = a->reason == NULL ? NULL : arena_strdup(arena, a->reason);
	c->to.job_id = arena_strdup(arena, j->job_id);
	c->to.role = arena_strdup(arena, p->role);
	c->to.party_id = arena_strdup(arena, p->party_id);
	c->run = sn->row->run;
	c->revision = sn->row->revision;
	memcpy(
	    c->contract_hash, sn->row->contract_hash, sizeof(c->contract_hash));
	c->done = done;
	c->ctx = ctx;
	c->undo = c->verb == PLAN_END && sn->plan.undone;
	c->over_ms = c->verb == PLAN_END ? sn->plan.over_ms : 0;
	/* The success of a job that makes a model names all manifests. */
	if (c->verb == PLAN_END && c->status == STATE_SUCCESS && !c->undo)
		c->models = snapshot_models(sn, arena, &c->nmodels);
	c->begins = a->begins && takes_tasks;
	c->ntold = a->ntold;
	c->told = keys_of(c, sn, a->told, a->ntold, &c->told_components);
	c->nstarts = takes_tasks ? a->nstarts : 0;
	c->starts = keys_of(c, sn, a->starts, c->nstarts, &c->start_components);
	if (!plan_is_task_command(a->verb))
		return c;
	t = snapshot_task(sn, a->component, a->member);
	c->task = key_of(c, t);
	c->auto_retries = t->auto_retries;
	c->retry_delay_s = t->retry_delay_s;
	return c;
}

static void
command_free(struct command *c)
{
	/* The command itself lives in its arena. */
	arena_free(c->arena);
}

static void
set_busy(struct command *c, bool busy)
{
	if (plan_is_task_command(c->verb))
		job_task(c->job, c->component, c->member)->busy = busy;
	else
		c->job->members[c->member].busy = busy;
	for (size_t i = 0; i < c->ntold; i++)
		job_task(c->job, c->told_components[i], c->member)->busy = busy;
	for (size_t i = 0; i < c->nstarts; i++)
		job_task(c->job, c->start_components[i], c->member)->busy =
		    busy;
	if (busy)
		c->job->under_way++;
	else
		c->job->under_way--;
}

static void
audit(const struct command *c, const struct answer *a)
{
	const char *task =
	    plan_is_task_command(c->verb) ? c->task.component : "";

	joblog_audit(c->super->conf, c->to.job_id, "%s %s %s %s -> %s %s: %s",
	    plan_verb_name(c->verb), task, state_name(c->status),
	    c->super->conf->party_id, c->to.role, c->to.party_id,
	    a->code == 0 ? "done" : a->text);
}

/* --- this site's own members ---------------------------------------------- */

static int
end_here(struct command *c, const struct party_caller *caller)
{
	struct db *db = c->super->db;

	if (c->undo)
		return party_job_undo(
		    db, caller, &c->to, c->status, c->reason, NULL);
	if (c->nmodels > 0)
		return party_job_success(
		    db, caller, &c->to, c->models, c->nmodels, NULL);
	if (c->status == STATE_SUCCESS)
		return party_job_status(
		    db, caller, &c->to, c->status, c->reason, NULL);
	return party_job_stop(db, caller, &c->to, c->status, c->reason, NULL);
}

static int
apply_here(
    struct command *c, const struct party_caller *caller, struct wait *why)
{
	const struct site_conf *conf = c->super->conf;
	int r;

	if ((r = party_site_ready(conf, why)) != 0)
		return r;
	if (c->begins)
		return party_resource_take(
		    c->super->db, caller, &c->to, why, NULL);
	return party_resource_apply(
	    c->super->db, caller, &c->to, conf->reservation_ms, why, NULL);
}

/* Does its own transaction lock the job, and look at the lease? */
static bool
holds_itself(enum plan_verb verb)
{
	switch (verb) {
	case PLAN_APPLY:
	case PLAN_RETURN:
	case PLAN_START:
	case PLAN_END:
	case PLAN_TASK_START:
	case PLAN_TASK_STATUS:
	case PLAN_TASK_STOP:
		return true;
	default:
		return false;
	}
}

/*
 * manifest_hash is filled by PLAN_MODEL, why by a refusal for now; *is_lost is
 * set when the lease is another's.
 */
static int
call_party(struct command *c, unsigned char manifest_hash[DB_HASH_SIZE],
    struct wait *why, bool *is_lost)
{
	struct db *db = c->super->db;
	struct party_caller caller = {
		.party_id = c->super->conf->party_id,
		.is_site = true,
		.run = plan_is_task_command(c->verb) ? NULL : &c->run,
		.lease = holds_itself(c->verb) ? c->fence : 0,
		.lease_lost = is_lost,
	};

	switch (c->verb) {
	case PLAN_CREATE: /* the rows are here, we are reading them */
	case PLAN_REOPEN:
	case PLAN_TASK_CREATE:
	case PLAN_TASK_COLLECT:
		return 0;
	case PLAN_APPLY:
		return apply_here(c, &caller, why);
	case PLAN_RETURN:
		return party_resource_return(db, &caller, &c->to, NULL);
	case PLAN_START:
		return party_job_start(db, &caller, &c->to, NULL);
	case PLAN_END:
		return end_here(c, &caller);
	case PLAN_MODEL:
		return party_job_model(
		    db, c->super->conf, &caller, &c->to, manifest_hash, NULL);
	case PLAN_TASK_START:
		return party_task_start(db, &caller, &c->task, NULL);
	case PLAN_TASK_STATUS:
		return party_task_status(
		    db, &caller, &c->task, c->status, c->reason, NULL);
	case PLAN_TASK_STOP:
		return party_task_stop(
		    db, &caller, &c->task, c->status, c->reason, NULL);
	default:
		return err_set(
		    ERR_INTERNAL, "%s is no command", plan_verb_name(c->verb));
	}
}

/* All members do it before anything follows. */
static bool
is_of_beginning(enum plan_verb verb)
{
	return verb == PLAN_CREATE || verb == PLAN_APPLY || verb == PLAN_START;
}

/*
 * A task that was started calls for nothing until it ends, and that a member
 * knows of a success for nothing before the job ends.  A member that has
 * created, reserved or started calls for nothing while others have not said.
 */
static bool
is_news(const struct command *c, const struct answer *a)
{
	if (a->code != 0)
		return true;
	if (is_of_beginning(c->verb) && c->job->under_way > 0)
		return false;
	if (c->verb == PLAN_TASK_STATUS && c->status == STATE_SUCCESS)
		return c->job->has_ended;
	return c->verb != PLAN_TASK_START;
}

/*
 * The fence is held while something is done under it: a scheduler that stood
 * still for so long that another has the job does nothing more about it.
 */
struct fenced {
	struct command *command;
	struct answer *answer;
	bool is_local, is_lost, is_taken;
	unsigned char *manifest_hash;
	struct db_attempt *claimed; /* of an own task that starts; NULL: none */
};

static int
hold(struct db *db, struct fenced *f)
{
	int r = db_job_hold(db, f->command->to.job_id, f->command->fence);

	f->is_lost = r == ERR_CONFLICT;
	return r;
}

/*
 * What an own member has done and that it has: together, or neither.  A task
 * that is to start here is claimed with it.
 */
static int
call_tx(struct db *db, void *ctx)
{
	struct fenced *f = ctx;
	struct command *c = f->command;
	int r;

	f->is_taken = f->is_lost = false;
	f->claimed = NULL;
	if (!holds_itself(c->verb) && (r = hold(db, f)) != 0)
		return r;
	if ((r = call_party(
		 c, f->manifest_hash, &f->answer->why, &f->is_lost)) != 0)
		return r;
	f->is_taken = true;
	if ((r = answer_take(c, f->answer, true)) == 0 &&
	    c->verb == PLAN_TASK_START)
		r = launch_claim(
		    c->super->launcher, c->arena, &c->task, &f->claimed);
	return r;
}

/* Local tasks that were just wanted, or wanted to end, need not be polled. */
static void
hand_on(const struct fenced *f)
{
	const struct command *c = f->command;

	if (f->claimed != NULL)
		launch_claimed(c->super->launcher, f->claimed);
	else if (c->verb == PLAN_TASK_START)
		launch_look(c->super->launcher);
	else if (c->verb == PLAN_TASK_STOP || c->verb == PLAN_END)
		kill_look(c->super);
	else if (c->verb == PLAN_RETURN)
		changes_add(c->super->changes, "", WAKE_FREED);
}

static int
take_tx(struct db *db, void *ctx)
{
	struct fenced *f = ctx;
	int r = hold(db, f);

	return r != 0 ? r : answer_take(f->command, f->answer, f->is_local);
}

static int
send_here(struct command *c, struct sent *out)
{
	unsigned char manifest_hash[DB_HASH_SIZE];
	struct answer a = { .manifest_hash = manifest_hash };
	struct fenced f = { .command = c,
		.answer = &a,
		.is_local = true,
		.manifest_hash = manifest_hash };
	char *text = NULL;
	int r;

	a.why = wait_of(WAIT_NONE);
	/* Staging reads files, for as long as that takes, and binds nobody. */
	a.code = c->verb == PLAN_MODEL
		     ? call_party(c, manifest_hash, &a.why, &f.is_lost)
		     : db_tx(c->super->db, call_tx, &f);
	/* Our own database's trouble is not the member's answer. */
	if (a.code == ERR_DB || a.code == ERR_DB_RETRY || f.is_lost ||
	    (a.code != 0 && f.is_taken))
		return a.code;
	if (a.code != 0)
		a.text = text = xstrdup(err_text());
	*out = (struct sent){ .news = is_news(c, &a), .done = a.code == 0 };
	(void)resources_refused(c->super->db, &c->to, &a.why, a.code);
	r = f.is_taken ? 0 : db_tx(c->super->db, take_tx, &f);
	free(text);
	if (r == 0)
		hand_on(&f);
	return r;
}

/* --- partners --------------------------------------------------------------- */

/* The platform's codes in our own terms. */
static int
code_of(const struct partner_reply *reply)
{
	if (reply->error == 0 || reply->retcode == 10)
		return 0;
	/* Its own trouble (its database, say), no word on the command. */
	if (reply->status >= 500 && reply->retcode != 103)
		return ERR_REMOTE;
	switch (reply->retcode) {
	case 102:
		return ERR_NOT_FOUND;
	case 103:
		return ERR_BUSY;
	case 106:
		return ERR_PENDING;
	case 101:
		return ERR_INVALID;
	default:
		return ERR_DENIED;
	}
}

/* What the job held is free now, here and there. */
static void
given_back(struct command *c)
{
	struct supervisor *s = c->super;

	const char *parties[] = { c->to.party_id, s->conf->party_id };

	queue_moved(s->queue, parties, 2);
	changes_add(s->changes, c->to.job_id, WAKE_FREED);
}

/* What it was asked may have been done; only its word ends the doubt. */
static void
note_doubt(const struct command *c, int code, bool sent)
{
	struct job_member *m = &c->job->members[c->member];

	if (c->verb != PLAN_APPLY)
		return;
	if (code != ERR_NET && code != ERR_REMOTE)
		m->in_doubt = false;
	else if (c->begins && sent)
		m->in_doubt = true;
}

/* A good word with a signature that is none is a refusal. */
static int
keep(struct command *c, struct fenced *f)
{
	int r = answer_keep(c, f->answer);

	if (r != ERR_DENIED)
		return r;
	f->answer->code = r;
	f->answer->text = arena_strdup(c->arena, err_text());
	err_clear();
	return db_tx(c->super->db, take_tx, f);
}

static void
answered(void *ctx, const struct partner_reply *reply)
{
	struct command *c = ctx;
	struct answer a = { .text = reply->retmsg, .data = reply->data };
	struct fenced f = { .command = c, .answer = &a };
	struct job *j = c->job;
	int r = 0;

	a.why = wait_answer_read(json_get(a.data, "wait"));
	if (reply->retcode == 106 && a.why.code == WAIT_NONE)
		a.why = wait_of(WAIT_APPROVAL);
	set_busy(c, false);
	/* Nobody was asked: partners.c knows, the same command comes again. */
	a.code = partners_is_silence(reply) ? ERR_NET : code_of(reply);
	note_doubt(c, a.code, reply->sent);
	if (reply->error == ERR_CONFLICT ||
	    refence_on(
		c->super, c->to.job_id, c->to.party_id, c->fence, reply)) {
		/* Another has the job: there is nothing to plan any more. */
		if (j->fence == c->fence)
			j->fence = 0;
	} else if (a.code == ERR_REMOTE && c->verb != PLAN_END) {
		job_set_error(j, c->member, a.text);
		j->members[c->member].refusal = wait_of(WAIT_NONE);
		answer_rest(c);
	} else if (answer_is_kept(c, &a)) {
		if (j->fence == c->fence)
			r = keep(c, &f);
	} else if (a.code != ERR_NET)
		r = db_tx(c->super->db, take_tx, &f);
	audit(c, &a);
	if (c->verb == PLAN_END && a.code == 0)
		given_back(c);
	else if (c->verb == PLAN_END && a.code != ERR_NET)
		answer_tell_late_end(c, &a);
	if (r == ERR_CONFLICT) {
		/* The job is another's by now, or begins another run. */
		err_clear();
		r = 0;
		j->again = true;
	}
	if (r != 0) {
		log_err("job=%s answer of %s %s to %s", j->job_id, c->to.role,
		    c->to.party_id, plan_verb_name(c->verb));
		answer_rest(c);
	}
	c->done(c->ctx, j, r != 0 || is_news(c, &a));
	command_free(c);
}

/* On success the command is freed by its answer. */
static int
send_away(struct command *c)
{
	struct partners_job of = { .job_id = c->to.job_id,
		.fence = c->fence,
		.is_new = c->verb == PLAN_CREATE || c->verb == PLAN_REOPEN,
		.asks = c->verb == PLAN_APPLY,
		.queue_us = c->job->queue_us,
		.priority = c->job->priority };
	char *path = command_path(c), *body = NULL;
	int r;

	if ((r = command_body_make(c, &body)) == 0 &&
	    (r = partners_post_job(c->super->partners, &of, c->to.party_id,
		 path, body, answered, c)) == 0)
		set_busy(c, true);
	if (r == ERR_BUSY)
		c->job->delay_ms = of.rest_ms;
	free(body);
	free(path);
	return r;
}

void
command_ask_after_refusal(struct command *c, const char *refusal)
{
	struct arena *arena = arena_new();
	struct command *ask = arena_alloc(arena, sizeof(*ask));

	*ask = *c;
	ask->arena = arena;
	ask->verb = PLAN_TASK_COLLECT;
	ask->refusal = arena_strdup(arena, refusal);
	ask->to.job_id = ask->task.job_id = arena_strdup(arena, c->to.job_id);
	ask->to.role = ask->task.role = arena_strdup(arena, c->to.role);
	ask->to.party_id = ask->task.party_id =
	    arena_strdup(arena, c->to.party_id);
	ask->task.component = arena_strdup(arena, c->task.component);
	ask->reason = NULL;
	ask->ntold = ask->nstarts = 0;
	if (send_away(ask) != 0) {
		log_err("job=%s collect", c->to.job_id);
		command_free(ask);
		answer_rest(c);
	}
}

int
command_send(struct supervisor *s, struct job *j, const struct snapshot *sn,
    const struct plan_action *a, command_done_fn *done, void *ctx,
    struct sent *out)
{
	struct command *c = command_new(s, j, sn, a, done, ctx);
	struct answer refusal = { 0 };
	int r;

	*out = (struct sent){ .news = false };
	if (sn->parties[a->member].is_local) {
		r = send_here(c, out);
		command_free(c);
		return r;
	}
	if ((r = send_away(c)) == 0)
		return 0;
	if (r == ERR_DENIED && j->has_ended && sn->parties[a->member].created) {
		/* The look after this one sees that it cannot be told now. */
		err_clear();
		answer_rest(c);
		r = 0;
	} else if (r == ERR_NOT_FOUND || r == ERR_DENIED) {
		/* No partner (any more): as if it had refused. */
		out->news = true;
		refusal.code = ERR_DENIED;
		refusal.text = arena_strdup(c->arena, err_text());
		r = db_tx(s->db, take_tx,
		    &(struct fenced){ .command = c, .answer = &refusal });
		audit(c, &refusal);
	}
	command_free(c);
	return r;
}
