/*
 * Tidying up after shepherds that were killed.  launch.c calls this once the
 * attempt's end is in the database, so nobody writes there any more.
 */
#include "supervisor/leftovers.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_attempt.h"
#include "lib/mailbox/mailbox.h"

static void
remove_mailbox(const struct site_conf *conf, const struct db_task_key *key)
{
	struct mailbox_task t = {
		.job_id = key->job_id,
		.component = key->component,
		.version = (int)key->version,
		.role = key->role,
		.party_id = key->party_id,
	};
	char *socket;

	if (mailbox_remove(conf, &t) != 0)
		log_err("mailbox stays");
	if (mailbox_wake_path(conf, &t, &socket) != 0)
		return;
	(void)unlink(socket);
	free(socket);
}

void
leftovers_remove(struct supervisor *s, const char *attempt_id)
{
	const struct db_task_key *key;
	struct db_attempt *a;
	struct arena *arena = arena_new();
	char *dir;

	if (db_attempt_get(s->db, arena, attempt_id, &a) != 0) {
		log_err("attempt=%s leftovers", attempt_id);
		goto out;
	}
	key = &a->key;
	dir = site_path(s->conf, "%s/%s/%s/%s/%s/%d/%d", SITE_JOBS, key->job_id,
	    key->role, key->party_id, key->component, (int)key->version,
	    (int)a->fence);
	if (fd_remove_tree(dir) != 0)
		log_err("attempt=%s work folder stays", attempt_id);
	free(dir);
	remove_mailbox(s->conf, key);
out:
	arena_free(arena);
}
