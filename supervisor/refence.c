/*
 * Called by command.c.
 */
#include "supervisor/refence.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_event.h"
#include "lib/db/db_job.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"

/* A member that claims so again and again costs little. */
#define PAUSE_MS 1000

struct refencing {
	struct supervisor *super;
	const char *job_id;
	int64_t fence;
	int64_t heard;
	const char *words;
};

static int
refence_tx(struct db *db, void *ctx)
{
	struct refencing *x = ctx;
	int r;

	if ((r = db_job_raise_fence(
		 db, x->job_id, x->fence, x->heard, PAUSE_MS)) != 0 ||
	    (r = db_event_add(db, &(struct db_event){ .job_id = x->job_id,
				      .kind = "fence",
				      .to_state = "raised",
				      .reason = x->words })) != 0)
		return r;
	return db_audit_add(db, &(struct db_audit){ .actor = x->super->instance,
				    .action = "job fence",
				    .subject = x->job_id,
				    .outcome = "ok",
				    .detail = x->words });
}

static int
refence(struct supervisor *s, const char *job_id, const char *party,
    int64_t fence, int64_t heard)
{
	char *words = xasprintf("party %s has heard fence %lld, this site's "
				"database had %lld: it is older than what was "
				"said (a backup?)",
	    party, (long long)heard, (long long)fence);
	struct refencing x = { s, job_id, fence, heard, words };
	int r = db_tx(s->db, refence_tx, &x);

	if (r == 0)
		log_warn("job=%s %s; taken anew above that", job_id, words);
	free(words);
	return r;
}

bool
refence_on(struct supervisor *s, const char *job_id, const char *party,
    int64_t fence, const struct partner_reply *reply)
{
	int64_t heard = json_get_int(reply->data, "fence", 0);
	int r;

	if (reply->error == 0 || fence == 0 || heard <= fence)
		return false;
	r = refence(s, job_id, party, fence, heard);
	if (r == ERR_CONFLICT)
		err_clear();
	else if (r != 0)
		log_err("job=%s fence heard by party %s", job_id, party);
	return r == 0 || r == ERR_CONFLICT;
}
