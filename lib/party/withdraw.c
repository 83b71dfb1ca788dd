/*
 * The end of what is shared with a partner that is not heard any more.
 */
#include "lib/party/withdraw.h"

#include <string.h>

#include "lib/model/fault.h"
#include "lib/party/party.h"

const char *
withdraw_words(struct arena *a, const char *party, enum withdrawal what)
{
	switch (what) {
	case WITHDRAW_DISABLED:
		return arena_printf(a,
		    "party %s is disabled" FAULT_INWARD "enable %s)", party,
		    party);
	case WITHDRAW_REMOVED:
		return arena_printf(a,
		    "party %s is no partner any more" FAULT_INWARD "import)",
		    party);
	case WITHDRAW_SIGN_KEY:
		return arena_printf(a,
		    "no signing key of party %s counts" FAULT_INWARD
		    "keys --party %s)",
		    party, party);
	default:
		return arena_printf(a,
		    "no certificate of party %s counts" FAULT_INWARD
		    "keys --party %s)",
		    party, party);
	}
}

const char *
withdraw_outward(const char *text)
{
	return text != NULL && strstr(text, FAULT_INWARD) != NULL
		   ? "a member takes no part in the job any more"
		   : text;
}

/* Theirs: the command that the partner cannot give any more. */
static int
cancel_theirs(
    struct db *db, struct arena *a, const char *party, const char *why)
{
	const struct party_caller as = { .party_id = party };
	struct db_party *rows;
	size_t i, n = 0;
	int r;

	r = db_party_list_for(db, a, party, &rows, &n);
	for (i = 0; r == 0 && i < n; i++)
		r = party_job_stop(db, &as,
		    &(struct party_member){ .job_id = rows[i].job_id,
			.role = rows[i].role,
			.party_id = rows[i].party_id },
		    STATE_CANCELED, why, NULL);
	return r;
}

static int
fail_ours(struct db *db, struct arena *a, const char *party, const char *why)
{
	struct db_party *rows;
	size_t i, n = 0;
	int r;

	r = db_party_list_with(db, a, party, &rows, &n);
	for (i = 0; r == 0 && i < n; i++)
		r = db_job_cancel(db, rows[i].job_id, STATE_FAILED,
		    arena_printf(a, "%s %s: %s", rows[i].role, party, why),
		    NULL);
	return r;
}

int
withdraw_jobs(struct db *db, const char *party, enum withdrawal what)
{
	struct arena *a = arena_new();
	const char *why = withdraw_words(a, party, what);
	int r;

	if ((r = cancel_theirs(db, a, party, why)) == 0)
		r = fail_ours(db, a, party, why);
	arena_free(a);
	return r;
}
