/*
 * Approvals.  Called by party_job.c (asking), party_contract.c (waiting),
 * fcgi-app (deciding) and the supervisor (deadlines).
 */
#include "lib/party/approval.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_client_key.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_user.h"
#include "lib/sign/contract_sign.h"

#define BATCH 200

/* Enabled or not: who is disabled today comes back tomorrow, or an admin. */
static int
known_names(struct db *db, struct arena *a, const char ***names, size_t *n)
{
	struct db_client_key *keys;
	struct db_user *users;
	size_t n_keys, n_users;
	int r;

	if ((r = db_user_list(db, a, &users, &n_users)) != 0 ||
	    (r = db_client_key_list(db, a, &keys, &n_keys)) != 0)
		return r;
	*names = arena_alloc(a, (n_users + n_keys + 1) * sizeof(**names));
	*n = 0;
	while (n_users > 0)
		(*names)[(*n)++] = users[--n_users].name;
	while (n_keys > 0)
		(*names)[(*n)++] = keys[--n_keys].name;
	return 0;
}

int
approval_name(struct db *db, struct arena *a, const struct site_conf *conf,
    const char *name)
{
	const char **names, *near;
	size_t i, n;
	int r;

	if (*name == '\0' || strlen(name) > 200)
		return err_set(ERR_INVALID,
		    "the name of a user or key, or " APPROVAL_ADMIN);
	if (str_eq(name, APPROVAL_ADMIN) || conf->hook_client_alone)
		return 0;
	if ((r = known_names(db, a, &names, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return 0;
	near = str_nearest(name, names, n);
	return err_set(ERR_INVALID,
	    "nobody here is called %s%s%s%s; \"sluice user list\" and \"sluice "
	    "key list\" tell who is, and " APPROVAL_ADMIN " is any admin",
	    name, near != NULL ? ", did you mean " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
}

int
approval_within(const char *text, int64_t *seconds)
{
	static const char units[] = "smhd";
	static const int64_t factors[] = { 1, 60, 3600, 86400 };
	size_t len = strlen(text);
	const char *unit;
	int64_t n = 0;
	char *digits;
	int r = ERR_INVALID;

	unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
	if (unit != NULL && len < 20) {
		digits = xstrndup(text, len - 1);
		r = str_to_int64(digits, 1, APPROVAL_WITHIN_MAX_S, &n);
		free(digits);
	}
	if (r == 0)
		n *= factors[unit - units];
	if (r != 0 || n > APPROVAL_WITHIN_MAX_S)
		return err_set(ERR_INVALID,
		    "'%.20s' is no time to decide within: a number and s, m, h "
		    "or d, at most 366d",
		    text);
	*seconds = n;
	return 0;
}

/* --- words -------------------------------------------------------------------- */

static const char *
whose(const char *by)
{
	return str_eq(by, APPROVAL_ADMIN) ? "an admin" : by;
}

static const char *
waits_text(struct arena *arena, const struct db_approval *a)
{
	char until[CLOCK_UTC_SIZE];

	clock_utc(a->deadline_ms, until);
	return arena_printf(arena,
	    "waits until %s for %s of party %s to approve %s", until,
	    whose(a->approval_by), a->party_id, a->subject);
}

static const char *
refused_text(struct arena *arena, const struct db_approval *a)
{
	char until[CLOCK_UTC_SIZE];

	if (str_eq(a->decision, DB_EXPIRED)) {
		clock_utc(a->deadline_ms, until);
		return arena_printf(arena,
		    "%s of party %s had until %s to approve %s and did "
		    "not; a job that is submitted again asks again",
		    whose(a->approval_by), a->party_id, until, a->subject);
	}
	return arena_printf(arena, "%s of party %s rejected %s%s%s",
	    a->decided_by, a->party_id, a->subject,
	    a->note != NULL && *a->note != '\0' ? ": " : "",
	    a->note != NULL ? a->note : "");
}

/* --- asking -------------------------------------------------------------------- */

/* What the job waits for at this site: the first that is undecided. */
static int
tell_job(struct db *db, struct arena *arena, const struct db_approval *rows,
    size_t n)
{
	struct wait w = wait_of(WAIT_APPROVAL);
	size_t i;

	for (i = 0; i < n && *rows[i].decision != '\0'; i++)
		continue;
	if (i == n)
		return 0;
	w.role = rows[i].role;
	w.party = rows[i].party_id;
	w.text = waits_text(arena, &rows[i]);
	return db_wait_set_job(db, rows[i].job_id, &w, 0, NULL);
}

int
approval_ask(struct db *db, const struct db_job_new *j, const char *role,
    const char *party_id, const struct permit_demands *d)
{
	struct arena *arena = arena_new();
	struct db_approval *rows;
	size_t i, n;
	int r = 0;

	for (i = 0; i < d->n && r == 0; i++) {
		const struct permit_demand *p = &d->list[i];
		struct db_approval a = { .job_id = j->job_id,
			.revision = j->revision,
			.role = role,
			.party_id = party_id,
			.permission_id = p->rule,
			.subject = p->subject,
			.approval_by = p->by };

		r = db_approval_ask(db, &a, p->within_s);
	}
	if (r == 0 &&
	    (r = db_sign_due_set(
		 db, j->job_id, role, party_id, DB_SIGN_WAITS)) == 0 &&
	    (r = db_approval_of_member(db, arena, j->job_id, j->revision, role,
		 party_id, &rows, &n)) == 0)
		r = tell_job(db, arena, rows, n);
	arena_free(arena);
	return r;
}

int
approval_check(struct db *db, const char *job_id, int64_t revision,
    const char *role, const char *party_id)
{
	struct arena *arena = arena_new();
	struct db_approval *rows;
	size_t i, n;
	int r;

	r = db_approval_of_member(
	    db, arena, job_id, revision, role, party_id, &rows, &n);
	for (i = 0; r == 0 && i < n; i++) {
		if (str_eq(rows[i].decision, DB_APPROVED))
			continue;
		if (*rows[i].decision == '\0')
			r = err_set(
			    ERR_PENDING, "%s", waits_text(arena, &rows[i]));
		else
			r = err_set(
			    ERR_DENIED, "%s", refused_text(arena, &rows[i]));
	}
	arena_free(arena);
	return r;
}

/* --- deciding ------------------------------------------------------------------- */

struct deciding {
	const struct approval_decision *d;
	struct arena *arena;
	size_t decided;
	const struct db_approval *other; /* that somebody else has to decide */
};

/* The rules as they are now, over what the member's rows would run. */
static int
count_uses(struct db *db, struct arena *arena, const struct db_approval *a)
{
	struct permit_task *wanted;
	struct db_task *rows, *full;
	struct permit_ask ask;
	struct db_job *job;
	size_t i, n, used = 0;
	int r;

	if ((r = db_job_get_brief(db, arena, a->job_id, &job)) != 0 ||
	    (r = db_task_list(db, arena, a->job_id, true, &rows, &n)) != 0)
		return r;
	wanted = arena_alloc(arena, (n + 1) * sizeof(*wanted));
	for (i = 0; i < n; i++) {
		if (!str_eq(rows[i].key.role, a->role) ||
		    !str_eq(rows[i].key.party_id, a->party_id))
			continue;
		if ((r = db_task_get(db, arena, &rows[i].key, &full)) != 0)
			return r;
		wanted[used++] = (struct permit_task){ full->key.component,
			full->module, full->parameters };
	}
	ask = (struct permit_ask){ .job_id = a->job_id,
		.party = job->initiator_party,
		.src_role = job->initiator_role,
		.role = a->role,
		.party_id = a->party_id,
		.command = PERMIT_CREATE,
		.tasks = wanted,
		.ntasks = used,
		.admits = true,
		.again = a->revision > 0 };
	return permit_check(db, &ask, NULL);
}

/* Nothing is left to be decided: it goes on, or ends. */
static int
follow(struct db *db, struct deciding *c, const struct db_approval *any)
{
	struct db_approval *rows;
	size_t i, n;
	bool moved;
	int r;

	if ((r = db_approval_of_member(db, c->arena, any->job_id, any->revision,
		 any->role, any->party_id, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if (*rows[i].decision != '\0' &&
		    !str_eq(rows[i].decision, DB_APPROVED))
			return db_sign_refuse(db, any->job_id, any->role,
			    any->party_id, refused_text(c->arena, &rows[i]));
	for (i = 0; i < n; i++)
		if (*rows[i].decision == '\0')
			return tell_job(db, c->arena, rows, n);
	if ((r = count_uses(db, c->arena, any)) != 0 ||
	    (r = db_sign_due_move(db, any->job_id, any->role, any->party_id,
		 DB_SIGN_WAITS, DB_SIGN_ASKED, &moved)) != 0)
		return r;
	return db_wait_set_job(db, any->job_id,
	    &(struct wait){ .code = WAIT_INITIATOR,
		.role = "",
		.party = any->initiator_party,
		.on = "",
		.text = "approved; the initiator goes on when all members are "
			"ready" },
	    0, NULL);
}

static int
write_decision(struct db *db, struct db_approval *a,
    const struct approval_decision *d, const char *decision)
{
	int r;

	a->decision = decision;
	a->decided_by = d->by;
	a->note = d->note;
	a->decided_s = clock_wall_ms() / 1000;
	if ((r = db_approval_decide(db, a)) != 0 ||
	    (r = db_audit_add(db, &(struct db_audit){ .actor = db_actor(db),
				      .action = "approval",
				      .subject = a->job_id,
				      .outcome = decision,
				      .detail = a->subject })) != 0 ||
	    *d->note == '\0')
		return r;
	return db_audit_add(db, &(struct db_audit){ .actor = db_actor(db),
				    .action = "approval note",
				    .subject = a->job_id,
				    .outcome = decision,
				    .detail = d->note });
}

/* A user may be called admin and be none. */
static bool
may_decide(const struct approval_decision *d, const struct db_approval *a)
{
	return d->is_admin || (!str_eq(a->approval_by, APPROVAL_ADMIN) &&
				  str_eq(d->by, a->approval_by));
}

/* Admins may decide everything, and are always named. */
static int
not_yours(const struct approval_decision *d, const struct db_approval *a)
{
	bool is_admins = str_eq(a->approval_by, APPROVAL_ADMIN);

	return err_set(ERR_DENIED,
	    "job %s waits for %s%s to approve %s: it is not for %s to decide",
	    d->job_id, whose(a->approval_by), is_admins ? "" : " (or an admin)",
	    a->subject, d->by);
}

static int
decide_tx(struct db *db, void *ctx)
{
	struct deciding *c = ctx;
	const struct approval_decision *d = c->d;
	struct db_approval *rows;
	size_t i, n;
	int r;

	c->decided = 0;
	c->other = NULL;
	/* Locks the row: members of one job are decided about in turn. */
	if ((r = db_job_wake(db, d->job_id)) != 0 ||
	    (r = db_approval_list(
		 db, c->arena, d->job_id, true, BATCH, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if (d->role != NULL && !str_eq(d->role, rows[i].role))
			continue;
		if (d->party_id != NULL &&
		    !str_eq(d->party_id, rows[i].party_id))
			continue;
		if (!may_decide(d, &rows[i])) {
			c->other = &rows[i];
			continue;
		}
		if ((r = write_decision(db, &rows[i], d,
			 d->approve ? DB_APPROVED : DB_REJECTED)) != 0 ||
		    (r = follow(db, c, &rows[i])) != 0)
			return r;
		c->decided++;
	}
	if (c->decided > 0)
		return 0;
	return c->other != NULL
		   ? not_yours(d, c->other)
		   : err_set(ERR_NOT_FOUND,
			 "nothing of job %s waits for a decision here",
			 d->job_id);
}

int
approval_decide(struct db *db, const struct approval_decision *d, size_t *n)
{
	struct deciding c = { .d = d, .arena = arena_new() };
	int r = db_tx(db, decide_tx, &c);

	*n = r == 0 ? c.decided : 0;
	arena_free(c.arena);
	return r;
}

/* --- signing -------------------------------------------------------------------- */

static int
sign_one(struct db *db, struct arena *arena, const struct keys *keys,
    const struct db_job *job, struct db_approval *a)
{
	const struct decision_statement s = { .contract = { .job_id = a->job_id,
						  .revision = a->revision,
						  .role = a->role,
						  .party_id = a->party_id,
						  .signed_s = a->decided_s,
						  .hash = job->contract_hash },
		.rule = a->permission_id,
		.subject = a->subject,
		.decision = a->decision,
		.decided_by = a->decided_by,
		.note = a->note != NULL ? a->note : "" };
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	char *hex = arena_alloc(arena, DB_SIGNATURE_HEX_SIZE);
	char *id = arena_alloc(arena, KEYS_ID_SIZE);

	decision_sign(keys, &s, signature);
	str_to_hex(signature, sizeof(signature), hex);
	keys_id(keys_public(keys), id);
	a->signature = hex;
	a->key_id = id;
	return db_approval_sign(db, a);
}

int
approval_sign(struct db *db, struct arena *arena, const struct keys *keys,
    const struct db_job *job, const char *role, const char *party_id)
{
	struct db_approval *rows;
	size_t i, n;
	int r;

	if ((r = db_approval_of_member(db, arena, job->job_id, job->revision,
		 role, party_id, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n && r == 0; i++)
		if (*rows[i].decision != '\0' && *rows[i].signature == '\0')
			r = sign_one(db, arena, keys, job, &rows[i]);
	return r;
}

/* --- deadlines -------------------------------------------------------------------- */

static int
expire_tx(struct db *db, void *ctx)
{
	struct deciding *c = ctx;
	const struct approval_decision nobody = { .by = "", .note = "" };
	struct db_approval *rows;
	size_t i, n;
	int r;

	if ((r = db_approval_overdue(db, c->arena, BATCH, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n && r == 0; i++) {
		r = write_decision(db, &rows[i], &nobody, DB_EXPIRED);
		if (r == ERR_CONFLICT) {
			err_clear();
			r = 0;
		} else if (r == 0 && rows[i].is_open)
			r = follow(db, c, &rows[i]);
	}
	return r;
}

int
approval_expire(struct db *db)
{
	struct deciding c = { .arena = arena_new() };
	int r = db_tx(db, expire_tx, &c);

	arena_free(c.arena);
	return r;
}
