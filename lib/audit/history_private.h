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

/* Which contract a revision of a job has. */
struct history_contract {
	int64_t revision;
	const char *hash; /* hex */
	int64_t seq;	  /* of the record that said so first */
	struct history_contract *next;
};

/* Somebody decided about a member's part, by a record. */
struct history_decided {
	const char *subject;
	const char *outcome;
	int64_t seq;
	bool is_shown; /* with a signature over it */
	struct history_decided *next;
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
	struct history_contract *contracts;
	struct history_decided *decided; /* the newest first */
};

/* A member's signature under a contract, or its site's under a decision. */
struct history_signature {
	const char *job_id;
	int64_t revision;
	const char *role;
	const char *party;
	const char *key_id;
	int64_t at_s;
	const char *hash; /* the contract's, hex; NULL: the job has another */
	const char *text; /* the same of its text as it is now */
	const char *signature; /* hex; "": none */
	const char *decision;  /* NULL: under the contract */
	int64_t rule;
	const char *subject, *by, *note;
	struct history_signature *next;
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

#define HISTORY_SAYS 280

struct history {
	struct arena *arena;
	const char *party; /* NULL until the first line */
	int64_t first;	   /* records up to here were removed */
	int64_t unchained, unchained_id;
	struct chain chain;
	int64_t n_lines;
	char last_at[32]; /* of the last record that was right */
	/* When, what and about what that was; and the record at fault. */
	char last_says[HISTORY_SAYS], fault_says[HISTORY_SAYS];
	uint8_t (*hashes)[DIGEST_SIZE]; /* of record first + 1, ... */
	size_t n_hashes, cap_hashes;
	struct history_key *keys;
	struct history_head *heads;
	struct history_signature *signatures, **last_signature;
	void *jobs; /* tsearch tree of struct history_job */
	struct history_finding *findings;
	size_t n_findings, cap_findings;
	int64_t n_heads, n_kept, n_compared, n_signed;
	int64_t altered; /* the first record that is not what it was; 0: none */
};

void history_find(struct history *, int64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What is wrong in one way: the first of it is told, and how many there are. */
struct history_kind {
	int64_t seq;
	const char *text; /* NULL: nothing is */
	int64_t n;
};

/* One more; of several the one about the lowest record is told. */
void history_note(struct history *, struct history_kind *, int64_t seq,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same; the text begins with whose signature it is. */
void history_note_of(struct history *, struct history_kind *, int64_t seq,
    const struct history_signature *, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* As a finding; what: "heads that …". */
void history_tell(
    struct history *, const struct history_kind *, const char *what);
/* Are all records there, as they were?  Else none may be missed. */
bool history_is_whole(const struct history *);
/* NULL when nothing is said about it. */
struct history_job *history_job(const struct history *, const char *job_id);
/* The same; made when nothing is said about it yet. */
struct history_job *history_job_of(struct history *, const char *job_id);
/* The next key that counts for a party; before NULL: the first. */
const struct history_key *history_next_key(const struct history *,
    const char *party, const struct history_key *before);
/* A line of kind "contract" or "decision". */
int history_take_signature(struct history *, struct json_object *);
/* A record about a decision. */
void history_take_decided(struct history *, const struct audit_record *);
/* Lines against keys and records, once all were given. */
void history_check_signatures(struct history *);
/* Is it the signature of a party by a key known to h? */
bool history_signed(const struct history *h, const struct audit_head *,
    enum head_kind, const char *signer, const uint8_t *signature);

#endif
