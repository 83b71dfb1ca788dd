/*
 * One site's egress ledger against what another site's nginx wrote down of
 * its partner listener: two records of the same bytes, made by programs that
 * know nothing of each other, on machines of different owners.
 *
 * A request of the log belongs to the row with the same sender, receiver,
 * task, name and tag.  A row is right when it has a request with its bytes and
 * digest, and a request when it has such a row.  Requests that were not
 * answered with 200, or more than one that were, are repeats, told by their
 * answers: 429 (the mailbox was full), 404 (the receiver did not run yet), 200
 * (the answer was lost), or trouble.  What no request brought to a 200 has
 * left and was not taken, as when the job ended in an outage: it is counted,
 * for both sides say the same of it.
 */
#ifndef LIB_AUDIT_COMPARE_H
#define LIB_AUDIT_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

struct compare;

/* A row of the ledger; texts borrowed for the call. */
struct compare_row {
	const char *job_id;
	const char *component;
	int64_t version;
	const char *role; /* the sender's */
	const char *party_id;
	const char *to_role;
	const char *to_party;
	const char *name;
	const char *tag; /* with " [N/M]" for part N of M */
	int64_t bytes;
	const uint8_t *sha256;
};

struct compare_result {
	int64_t rows;	  /* of the ledger, for that receiver */
	int64_t bytes;	  /* of those */
	int64_t requests; /* of the log, for objects */
	int64_t repeats_full, repeats_early, repeats_lost, repeats_trouble;
	int64_t not_taken;	/* objects that arrived, and none was a 200 */
	int64_t other_requests; /* commands, reports … of the same sender */
	int64_t other_bytes;
	int64_t lines;		  /* of the log that can be read */
	int64_t unreadable;	  /* lines of it that cannot */
	const char **differences; /* in words; in the compare's memory */
	size_t n;
};

/*
 * What party `from` sent to party `to`; job_id NULL: of all jobs.  Texts are
 * copied.
 */
struct compare *compare_new(
    const char *from, const char *to, const char *job_id);
void compare_free(struct compare *); /* NULL is fine */

/* Rows of others, and words that left in a report, are passed over. */
void compare_add_row(struct compare *, const struct compare_row *);
/*
 * A line of the log as nginx/site.conf.in writes it.  One that is none is
 * counted and passed over: the last may be cut off.
 */
void compare_add_line(struct compare *, const char *line, size_t len);
void compare_finish(struct compare *, struct compare_result *out);

#endif
