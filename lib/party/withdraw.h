/*
 * A partner is not heard any more: it was disabled or removed here, or the
 * last of its keys was revoked.  What becomes of the jobs that it shares with
 * this site, and the words for it.  Called by the CLI; the words by whoever
 * finds out later.
 */
#ifndef LIB_PARTY_WITHDRAW_H
#define LIB_PARTY_WITHDRAW_H

#include <stdbool.h>

#include "lib/base/mem.h"
#include "lib/db/db.h"

enum withdrawal {
	WITHDRAW_DISABLED,
	WITHDRAW_REMOVED,
	WITHDRAW_SIGN_KEY, /* none is left that counts */
	WITHDRAW_TLS_CERT
};

/*
 * What happened and which command is about it, for this site's own people:
 * whom it trusts is no other site's matter, see withdraw_outward().
 */
const char *withdraw_words(struct arena *, const char *party, enum withdrawal);

/*
 * The reason of an end as other sites are told of it: text itself, unless it
 * has withdraw_words() in it.
 */
const char *withdraw_outward(const char *text);

/*
 * The jobs that the partner initiated are canceled here, as if it had asked
 * for that, for it can end none of them; those of this site that it is a
 * member of fail, with the words as the reason.  What it is owed of these
 * ends is sent once it counts as a partner again.
 *
 * Belongs into the transaction that withdraws, so that the jobs end for that
 * and not for what follows from it.  That holds for the first of them; of
 * thousands the others end in transactions of their own, for which
 * withdraw_rest() is due, and which the supervisor makes when that was cut off.
 * Errors: ERR_DB.
 */
int withdraw_jobs(struct db *, const char *party, enum withdrawal);
/* Until nothing is left; due as well before the party counts again. */
int withdraw_rest(struct db *, const char *party);
/* One transaction of it; *effective: it ended something. */
int withdraw_more(struct db *, const char *party, bool *effective);

#endif
