/*
 * The end of what is shared with a partner that is not heard any more.
 */
#include "lib/party/withdraw.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_withdrawal.h"
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

/* What is one transaction: no lock is held for longer than these take. */
#define BATCH 50
/* Others end the same jobs, or it would be without end. */
#define IDLE_MAX 3

static const char *const kinds[] = {
	[WITHDRAW_DISABLED] = "disabled",
	[WITHDRAW_REMOVED] = "removed",
	[WITHDRAW_SIGN_KEY] = "sign",
	[WITHDRAW_TLS_CERT] = "tls",
};

/* A kind of a newer program: the last one's words are about certificates. */
static enum withdrawal
kind_of(const char *name)
{
	size_t i = 0;

	while (i < WITHDRAW_TLS_CERT && !str_eq(kinds[i], name))
		i++;
	return (enum withdrawal)i;
}

/* Of one party; how far it came is set anew each time it is run. */
struct batch {
	const char *party;
	bool is_left;	/* perhaps */
	bool effective; /* it ended something */
};

/* Theirs: the command that the partner cannot give any more. */
static int
cancel_theirs(struct db *db, struct arena *a, struct batch *b, const char *why)
{
	const struct party_caller as = { .party_id = b->party };
	struct db_withdrawn *rows;
	size_t i, n = 0;
	bool ended = false;
	int r;

	r = db_withdrawn_theirs(db, a, b->party, BATCH, &rows, &n);
	b->is_left |= n > 0;
	for (i = 0; r == 0 && i < n; i++) {
		r = party_job_stop(db, &as,
		    &(struct party_member){ .job_id = rows[i].job_id,
			.role = rows[i].role,
			.party_id = rows[i].party_id },
		    STATE_CANCELED, why, &ended);
		b->effective |= ended;
	}
	return r;
}

static int
fail_ours(struct db *db, struct arena *a, struct batch *b, const char *why)
{
	struct db_withdrawn *rows;
	size_t i, n = 0;
	bool ended = false;
	int r;

	r = db_withdrawn_ours(db, a, b->party, BATCH, &rows, &n);
	b->is_left |= n > 0;
	for (i = 0; r == 0 && i < n; i++) {
		r = db_job_cancel(db, rows[i].job_id, STATE_FAILED,
		    arena_printf(a, "%s %s: %s", rows[i].role, b->party, why),
		    &ended);
		b->effective |= ended;
	}
	return r;
}

/* Under the row's lock: of two that come to it, one comes second. */
static int
batch_tx(struct db *db, void *ctx)
{
	struct batch *b = ctx;
	struct arena *a = arena_new();
	struct db_withdrawal *w;
	const char *why;
	int r;

	b->is_left = b->effective = false;
	if ((r = db_withdrawal_lock(db, a, b->party, &w)) == 0) {
		why = withdraw_words(a, b->party, kind_of(w->kind));
		if ((r = cancel_theirs(db, a, b, why)) == 0)
			r = fail_ours(db, a, b, why);
		if (r == 0 && !b->is_left)
			r = db_withdrawal_done(db, b->party);
	} else if (r == ERR_NOT_FOUND) {
		err_clear();
		r = 0;
	}
	arena_free(a);
	return r;
}

int
withdraw_jobs(struct db *db, const char *party, enum withdrawal what)
{
	struct batch b = { .party = party };
	int r;

	r = db_withdrawal_put(
	    db, &(struct db_withdrawal){ party, kinds[what] });
	return r != 0 ? r : db_tx(db, batch_tx, &b);
}

int
withdraw_more(struct db *db, const char *party, bool *effective)
{
	struct batch b = { .party = party };
	int r = db_tx(db, batch_tx, &b);

	*effective = b.effective;
	return r;
}

int
withdraw_rest(struct db *db, const char *party)
{
	struct batch b = { .party = party };
	int idle = 0, r;

	do {
		r = db_tx(db, batch_tx, &b);
		idle = b.effective ? 0 : idle + 1;
	} while (r == 0 && b.is_left && idle < IDLE_MAX);
	return r;
}
