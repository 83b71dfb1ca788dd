/*
 * Notices that resources became free: whom they go to, and what they do.
 */
#include "lib/party/resources_freed.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_queue.h"
#include "lib/db/db_waiter.h"

int
resources_freed_errand(const struct errand_ask *ask)
{
	int64_t n = 0;
	int r;

	if ((r = db_queue_wake(
		 ask->db, ask->caller->party_id, DB_QUEUE_WOKEN, &n)) != 0)
		return r;
	if (n > 0)
		site_wake(ask->conf, "", WAKE_ASK);
	*ask->data = json_object_new_object();
	json_add_int(*ask->data, "woken", n);
	return 0;
}

/* What a partner's job waits for here is this site's to say. */
static void
show(struct db *db, const struct party_member *m, const struct wait *why,
    const char *text)
{
	struct wait w = *why;

	w.role = m->role;
	w.party = m->party_id;
	w.text = text;
	if (db_wait_set_here(db, m->job_id, &w) != 0)
		log_err("job=%s why it waits", m->job_id);
}

int
resources_refused(
    struct db *db, const struct party_member *m, const struct wait *why, int r)
{
	char *said;

	if ((r != ERR_BUSY && r != ERR_PENDING) || why->code == WAIT_NONE)
		return r;
	said = xstrdup(err_text());
	if (r == ERR_BUSY && db_waiter_has(why->code) &&
	    db_waiter_add(db, m->job_id, m->role, m->party_id, why->code) != 0)
		log_err("job=%s it waits for resources", m->job_id);
	show(db, m, why, said);
	err_clear();
	r = err_set(r, "%s", said);
	free(said);
	return r;
}
