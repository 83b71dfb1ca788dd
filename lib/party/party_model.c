/*
 * The version that a training job leaves behind: each member stages its half
 * when all tasks have succeeded, and seals it with the verdict success.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_model.h"
#include "lib/db/db_tx.h"
#include "lib/model/model_version.h"
#include "lib/party/model_stage.h"
#include "lib/party/party_private.h"

/* --- stage --- */

struct staging {
	struct db *db;
	struct arena *arena;
	const struct party_member *member;
	struct db_job *job;
	struct db_model_key key;
};

static int
check_may_stage(const struct staging *s)
{
	const struct db_job *j = s->job;

	if (!str_eq(j->job_type, "train") || str_eq(s->member->role, "local"))
		return err_set(ERR_INVALID,
		    "a %.10s job of a %.20s member leaves no model",
		    j->job_type, s->member->role);
	if (j->status != STATE_RUNNING)
		return err_set(ERR_CONFLICT, "job %s does not run here: %s",
		    j->job_id, state_name(j->status));
	return 0;
}

static bool
is_members(const struct staging *s, const struct db_task *t)
{
	return t->run_here && str_eq(t->key.role, s->member->role) &&
	       str_eq(t->key.party_id, s->member->party_id);
}

/* Is p from the version of its task that counts? */
static bool
is_current(const struct staging *s, const struct db_model_part *p,
    const struct db_task *tasks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_members(s, &tasks[i]) &&
		    str_eq(tasks[i].key.component, p->component))
			return tasks[i].key.version == p->version;
	return false;
}

/* Parts of the newest version of each task, all of which must have ended well. */
static int
collect_parts(struct staging *s, struct db_model_part **parts, size_t *count)
{
	struct db_model_part *all;
	struct db_task *tasks;
	size_t n, nall;
	int r;

	if ((r = db_task_list(
		 s->db, s->arena, s->key.model_version, true, &tasks, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (is_members(s, &tasks[i]) &&
		    !state_is_success(tasks[i].party_status))
			return err_set(ERR_CONFLICT,
			    "task %.100s version %lld is %s",
			    tasks[i].key.component,
			    (long long)tasks[i].key.version,
			    state_name(tasks[i].party_status));
	if ((r = db_model_part_all(s->db, s->arena, &s->key, &all, &nall)) != 0)
		return r;
	*parts = arena_alloc(s->arena, (nall + 1) * sizeof(**parts));
	*count = 0;
	for (size_t i = 0; i < nall; i++)
		if (is_current(s, &all[i], tasks, n))
			(*parts)[(*count)++] = all[i];
	return 0;
}

static int
stage(struct staging *s, const struct site_conf *conf,
    const struct db_party *party, uint8_t manifest_hash[])
{
	const struct db_job *j = s->job;
	struct db_model_part *parts = NULL;
	struct model_stage st = {
		.m = { .model_id = s->key.model_id,
		    .model_version = s->key.model_version,
		    .role = s->key.role,
		    .party_id = s->key.party_id,
		    .job_id = j->job_id,
		    .is_parent = true,
		    .roles = j->roles,
		    .initiator_role = j->initiator_role,
		    .initiator_party = j->initiator_party,
		    .train_dsl = j->dsl,
		    .inference_dsl = j->dsl,
		    .train_runtime_conf = j->runtime_conf,
		    .runtime_conf_on_party =
			party->party_conf != NULL ? party->party_conf : "{}" },
		.contract_hash = j->contract_hash,
	};
	int r;

	if ((r = collect_parts(s, &parts, &st.n)) != 0)
		return r;
	st.parts = parts;
	r = model_stage(s->db, conf, s->arena, &st);
	if (r == ERR_IO) {
		/* Where and why is for this site's log alone. */
		log_err("job=%s stage the model", j->job_id);
		r = err_set(ERR_INVALID, "the model cannot be written to disk");
	}
	if (r == 0)
		memcpy(manifest_hash, st.m.manifest_hash, DB_HASH_SIZE);
	return r;
}

/* The command came twice: the first time it led to a success. */
static int
sealed_before(struct staging *s, uint8_t manifest_hash[])
{
	struct db_model *m;
	int r;

	if ((r = db_model_get(s->db, s->arena, &s->key, &m)) != 0)
		return r == ERR_NOT_FOUND
			   ? err_set(ERR_CONFLICT, "job %s has ended",
				 s->key.model_version)
			   : r;
	memcpy(manifest_hash, m->manifest_hash, DB_HASH_SIZE);
	return 0;
}

int
party_job_model(struct db *db, const struct site_conf *conf,
    const struct party_caller *caller, const struct party_member *m,
    uint8_t manifest_hash[DB_HASH_SIZE], bool *effective)
{
	struct staging s = { .db = db, .arena = arena_new(), .member = m };
	struct db_party *party;
	struct db_job *brief;
	int r;

	if (effective != NULL)
		*effective = false;
	if ((r = party_check(db, s.arena, caller, m, false, &brief, &party)) !=
		0 ||
	    (r = db_job_get(db, s.arena, m->job_id, &s.job)) != 0 ||
	    (r = db_party_get(
		 db, s.arena, m->job_id, m->role, m->party_id, &party)) != 0)
		goto out;
	s.key = (struct db_model_key){ s.job->model_id, s.job->model_version,
		m->role, m->party_id };
	if (s.job->status == STATE_SUCCESS) {
		r = sealed_before(&s, manifest_hash);
		goto out;
	}
	if ((r = check_may_stage(&s)) == 0)
		r = stage(&s, conf, party, manifest_hash);
	if (effective != NULL)
		*effective = r == 0;
out:
	arena_free(s.arena);
	return r;
}

/* --- seal --- */

struct sealing {
	struct party_command command;
	const struct model_member *members;
	size_t n;
};

/* All members of the job that have a model, and no others, are named. */
static int
check_members(struct db *db, struct sealing *s)
{
	struct db_party *rows;
	size_t n, wanted = 0, named = 0;
	int r;

	if ((r = db_party_list(db, s->command.arena, s->command.member.job_id,
		 &rows, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		wanted += !str_eq(rows[i].role, "local");
		named += model_members_find(s->members, s->n, rows[i].role,
			     rows[i].party_id) != NULL;
	}
	if (named != wanted || s->n != wanted)
		return err_set(ERR_INVALID,
		    "%zu manifests name %zu of the job's %zu members", s->n,
		    named, wanted);
	return 0;
}

static int
success(struct db *db, struct party_command *c)
{
	struct sealing *s = (struct sealing *)c;
	const struct db_job *j = c->job;
	const struct db_model_key key = { j->model_id, j->model_version,
		c->member.role, c->member.party_id };
	bool sealed, moved;
	int r;

	if ((r = check_members(db, s)) != 0 ||
	    (r = party_end_job(db, c, &moved)) != 0)
		return r;
	c->effective = moved;
	/* What a failed job staged is not the model that its name promises. */
	if (c->own != NULL)
		return db_model_drop_staged(db, &key);
	r = model_seal(db, c->arena, &key, s->members, s->n, &sealed);
	/* Waiting does not help: what was staged is gone. */
	if (r == ERR_CONFLICT)
		r = err_set(ERR_DENIED, "%s", err_text());
	c->effective |= r == 0 && sealed;
	return r;
}

int
party_job_success(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct model_member *members, size_t n,
    bool *effective)
{
	struct sealing s = { .command = { .caller = caller,
				 .member = *m,
				 .state = STATE_SUCCESS },
		.members = members,
		.n = n };

	return party_run(db, &s.command, success, effective);
}

/* --- neither --- */

int
party_model_end(struct db *db, struct party_command *c)
{
	const struct db_model_key key = { c->job->model_id,
		c->job->model_version, c->member.role, c->member.party_id };
	struct db_model *m;
	int r;

	if (!str_eq(c->job->job_type, "train"))
		return 0;
	if (state_is_interrupt(c->state))
		return db_model_drop_staged(db, &key);
	if (c->state != STATE_SUCCESS)
		return 0;
	r = db_model_get_staged(db, c->arena, &key, &m);
	if (r == 0)
		return err_set(ERR_INVALID,
		    "the success of job %s must name the manifests of its "
		    "members: a model is staged here",
		    c->job->job_id);
	return r == ERR_NOT_FOUND ? 0 : r;
}
