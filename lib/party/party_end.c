/*
 * The end of a job at a member's site: what its initiator says, and what
 * happened here.
 */
#include "lib/base/err.h"
#include "lib/party/party_private.h"

int
party_own_end(struct db *db, struct party_command *c)
{
	int r;

	c->own = NULL;
	if ((r = db_task_left_here(db, c->arena, c->job->job_id, &c->own)) != 0)
		return r;
	if (c->own == NULL || state_is_end(c->own->party_status))
		return 0;
	return err_set(ERR_CONFLICT, "task %s of job %s goes on here",
	    c->own->component, c->job->job_id);
}

/* A verdict of success needs every member's, and this one's is another. */
static int
keep_own_end(struct db *db, struct party_command *c, bool *moved)
{
	struct db_job *j = c->job;
	const char *own = arena_printf(c->arena, "%s is %s at this site",
	    c->own->component, state_name(c->own->party_status));
	const char *word = arena_printf(c->arena,
	    "party %s, which initiated it, says that it succeeded",
	    j->initiator_party);
	int r;

	if (!state_is_end(j->status) &&
	    ((r = db_job_move_locked(
		  db, j, c->own->party_status, own, moved)) != 0 ||
		!*moved))
		return r;
	return db_job_note_word(db, j, STATE_SUCCESS, word, moved);
}

int
party_end_job(struct db *db, struct party_command *c, bool *moved)
{
	const struct db_job *j = c->job;
	int r;

	if (!j->is_initiator && c->state == STATE_SUCCESS) {
		if ((r = party_own_end(db, c)) != 0)
			return r;
		if (c->own != NULL && j->status != STATE_SUCCESS)
			return keep_own_end(db, c, moved);
	}
	if (j->is_initiator || !state_is_interrupt(j->status) ||
	    !state_is_end(c->state) || j->status == c->state)
		return db_job_move_locked(
		    db, c->job, c->state, c->reason, moved);
	*moved = true;
	return db_job_end_otherwise(db, c->job, c->state, c->reason);
}
