/*
 * Datagrams.  Called by handlers after the database has the change.
 */
#include "fcgi-app/wake.h"

#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/conf/site_conf.h"
#include "lib/mailbox/mailbox.h"

void
wake_supervisor(struct request *req, const char *job_id)
{
	char *path = site_path(req->app->conf, "%s", SITE_SUPERVISOR_SOCKET);

	if (fd_dgram_send(path, job_id, strlen(job_id)) != 0) {
		log_debug("supervisor not woken: %s", err_text());
		err_clear();
	}
	free(path);
}

void
wake_shepherd(struct request *req, const struct db_task_key *key)
{
	struct mailbox_task t = { .job_id = key->job_id,
		.component = key->component,
		.version = (int)key->version,
		.role = key->role,
		.party_id = key->party_id };

	if (mailbox_wake(req->app->conf, &t, "kill") != 0)
		err_clear(); /* none runs, or it looks by itself */
}
