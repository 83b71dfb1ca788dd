/*
 * Ends wanted, passed on to shepherds.  Called after a datagram, after a stop
 * of an own member, and by the poll.
 */
#include "supervisor/kill.h"

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_task.h"
#include "lib/mailbox/mailbox.h"

#define KILL_BATCH 256

static void
tell(struct supervisor *s, const struct db_kill *k)
{
	struct mailbox_task task = {
		.job_id = k->key.job_id,
		.component = k->key.component,
		.version = (int)k->key.version,
		.role = k->key.role,
		.party_id = k->key.party_id,
	};
	int r = mailbox_wake(s->conf, &task, "kill");

	/* Not there yet, or not any more: its lease tells. */
	if (r != 0 && r != ERR_CLOSED && r != ERR_BUSY)
		log_err("job=%s task=%s tell the shepherd", k->key.job_id,
		    k->key.component);
}

void
kill_look(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct db_kill *rows;
	size_t n;

	if (db_task_kills_wanted(s->db, arena, KILL_BATCH, &rows, &n) != 0)
		log_err("look for tasks to end");
	else
		for (size_t i = 0; i < n; i++)
			tell(s, &rows[i]);
	arena_free(arena);
}
