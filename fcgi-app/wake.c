/*
 * Datagrams.  Called by handlers after the database has the change.
 */
#include "fcgi-app/wake.h"

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/conf/site_conf.h"
#include "lib/mailbox/mailbox.h"

void
wake_supervisor(struct request *req, const char *job_id, unsigned what)
{
	site_wake(req->app->conf, job_id, what);
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
