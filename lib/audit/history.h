/*
 * What one site can show of its past: its chain, the heads of it that it gave
 * to others with their countersignatures, and the heads of others that it was
 * given.  Read from the lines of "sluice audit export", checked by itself
 * and against another site's.  No database, no files, no clock.
 *
 * Lines are JSON objects, one each.  Records have no member "kind"
 * (lib/audit/record.h).  The others:
 *
 *   {"kind":"site","form":"sluice-audit-1","party":P,"keys":[KEY, ...],
 *    "checkpoint":{"seq","hash","signature"} or null,
 *    "unchained":N,"unchained_id":ID}				first
 *   {"kind":"partner","party":P,"keys":[KEY, ...]}
 *   {"kind":"missing","seq":N}	a link whose record is gone
 *   {"kind":"head","job","party","peer","seq","hash","signature",
 *    "seen": signature or null}
 *   {"kind":"contract","job","revision","role","party","key_id","at",
 *    "hash","text","signature"}	a member signed the job's contract
 *   {"kind":"decision", the same members, and "rule","subject","decision",
 *    "by","note"}		what a person decided, signed by the site
 *
 * KEY is "ed25519:BASE64"; signatures are hex.  "hash" is the contract's as
 * the job's row has it, "text" that of its text; null when the job has a later
 * revision, of which the records tell.
 */
#ifndef LIB_AUDIT_HISTORY_H
#define LIB_AUDIT_HISTORY_H

#include "lib/audit/chain.h"
#include "lib/audit/head.h"

#define HISTORY_FORM "sluice-audit-1"
/* Records up to seq were removed: the site's key over this (head.h). */
#define HISTORY_CHECKPOINT_JOB "checkpoint"

struct history;

struct history_finding {
	int64_t seq; /* of the record; 0: of none in particular */
	const char *text;
};

struct history *history_new(void);
void history_free(struct history *); /* NULL is fine */

/* Keys that the caller knows to be a party's; then no others count for it. */
int history_trust(struct history *, const char *party, const char *key);
/*
 * A line.  What is wrong with records becomes a finding.  Errors: ERR_FORMAT
 * when this is no export.
 */
int history_line(struct history *, const char *line, size_t len);
/*
 * All lines were given: the chain against the heads in this history, heads of
 * others that it keeps against their keys, and signatures against keys and
 * records.  Of each kind of what is wrong the first is named.
 */
void history_check(struct history *);
/*
 * Two sites' histories against each other, after history_check() of both:
 * each one's chain against its heads that the other holds, and what both say
 * about the jobs they shared: contracts, starts, ends, bytes that left and
 * came.  Findings are one's or other's, by whose record is in question.
 */
void history_compare(struct history *one, struct history *other);

const char *history_party(const struct history *);
int64_t history_records(const struct history *); /* that were right */
int64_t history_last(const struct history *);	 /* seq of the last */
/* When that was made, as the record says; "": there is none. */
const char *history_last_at(const struct history *);
/* How many heads of this chain were countersigned, and by others' files. */
int64_t history_heads(const struct history *);
/* Heads of others' chains in this history that they have signed. */
int64_t history_kept(const struct history *);
/*
 * The first record that is missing, was altered or written anew; 0: none.
 * Records behind it are not missed.
 */
int64_t history_altered(const struct history *);
/* Signatures under contracts and decisions that were right. */
int64_t history_signatures(const struct history *);
int64_t history_jobs_compared(const struct history *);
const struct history_finding *history_findings(
    const struct history *, size_t *n);

#endif
