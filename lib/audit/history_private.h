/* Inside lib/audit only: what history.c reads and history_check.c judges. */
#ifndef LIB_AUDIT_HISTORY_PRIVATE_H
#define LIB_AUDIT_HISTORY_PRIVATE_H

#include <stdbool.h>

#include "lib/audit/history.h"
#include "lib/base/mem.h"

/* Bytes between this site and one other in a job. */
struct history_flow {
	const char *peer;
	int64_t run;
	bool has_out, has_in;
	int64_t out_objects, out_bytes, out_seq;
	int64_t in_objects, in_bytes, in_seq;
	struct history_flow *next;
};

/* A job as the last records about it say. */
struct history_job {
	const char *job_id;
	const char *contract; /* hex; NULL: none was said */
	const char *end;      /* state; NULL: it has not ended */
	bool started;
	int64_t run;
	int64_t seq; /* of the record that said the contract last */
	int64_t end_seq;
	struct history_flow *flows;
};

struct history_key {
	const char *party;
	uint8_t key[KEYS_PUBLIC_SIZE];
	bool trusted; /* said by the caller */
	struct history_key *next;
};

struct history_head {
	struct audit_head head; /* texts in the arena */
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	uint8_t seen[KEYS_SIGNATURE_SIZE];
	bool has_seen;
	struct history_head *next;
};

struct history {
	struct arena *arena;
	const char *party; /* NULL until the first line */
	int64_t first;	   /* records up to here were removed */
	int64_t unchained;
	struct chain chain;
	uint8_t (*hashes)[DIGEST_SIZE]; /* of record first + 1, ... */
	size_t n_hashes, cap_hashes;
	struct history_key *keys;
	struct history_head *heads;
	void *jobs; /* tsearch tree of struct history_job */
	struct history_finding *findings;
	size_t n_findings, cap_findings;
	int64_t n_heads, n_compared;
};

void history_find(struct history *, int64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL when nothing is said about it. */
struct history_job *history_job(const struct history *, const char *job_id);
/* Is it the signature of a party by a key known to h? */
bool history_signed(const struct history *h, const struct audit_head *,
    enum head_kind, const char *signer, const uint8_t *signature);

#endif
