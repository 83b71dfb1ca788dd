/*
 * One record of a site's audit chain: what it says, and the hash by which the
 * next one holds on to it.
 *
 *   hash = SHA-256("sluice-audit-1\n" || R)
 *
 * where R is the RFC 8785 text of the object with the members seq, at, actor,
 * action, subject, outcome, detail (a text or null) and prev (64 hex digits:
 * the hash of record seq - 1, zeros for the first).  A line of an exported
 * file is that object with one member more, hash.
 *
 * The construction is the linear hash chain of Haber and Stornetta 1991,
 * linking by SHA-256: a record cannot be changed, taken out, put in or moved
 * without changing the hash of every later one.
 */
#ifndef LIB_AUDIT_RECORD_H
#define LIB_AUDIT_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/json/json.h"
#include "lib/sign/digest.h"

#define AUDIT_SEQ_MAX (INT64_C(1) << 53) /* what a JSON number holds exactly */

/* All texts borrowed; NULL is the empty text, but for detail. */
struct audit_record {
	int64_t seq;	/* from 1 */
	const char *at; /* UTC, "2026-01-31T23:59:59.123456Z" */
	const char *actor;
	const char *action;
	const char *subject;
	const char *outcome;
	const char *detail; /* NULL: null */
	uint8_t prev[DIGEST_SIZE];
	uint8_t hash[DIGEST_SIZE];
};

/* What hash should be; the record's own is not read.  ERR_FORMAT: no UTF-8. */
int audit_record_hash(const struct audit_record *, uint8_t out[DIGEST_SIZE]);
/* Append the canonical text with its hash, without a newline. */
int audit_record_line(const struct audit_record *, struct buf *out);
/*
 * A record from a line's object, whose texts it borrows.  Nothing is compared
 * here.  ERR_FORMAT names the member that is missing, unknown or ill-formed.
 */
int audit_record_parse(struct json_object *, struct audit_record *out);

#endif
