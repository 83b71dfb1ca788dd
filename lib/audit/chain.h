/*
 * Following a chain, record by record, and naming the first fault.
 */
#ifndef LIB_AUDIT_CHAIN_H
#define LIB_AUDIT_CHAIN_H

#include <stdbool.h>

#include "lib/audit/record.h"

/*
 * What was found: kept sound until the first fault.  Begin with zeros, or at
 * a checkpoint: seq and hash of the last record that was pruned.
 */
struct chain {
	int64_t seq; /* of the last record that was right */
	uint8_t hash[DIGEST_SIZE];
	int64_t n;	   /* records that were right */
	int64_t fault_seq; /* 0: none */
	char *fault;	   /* owned; what is wrong, beginning with the seq */
};

/*
 * The next record, in the order of the file or table.  After a fault the rest
 * is passed over.  True as long as all is right.
 */
bool chain_add(struct chain *, const struct audit_record *);
/* Record that should come next is not there, or cannot be read. */
void chain_fault(struct chain *, int64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void chain_fini(struct chain *);

#endif
