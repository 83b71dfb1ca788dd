/*
 * The rules of a chain.  What can be done to a file by somebody who knows how
 * hashes are made is told apart as far as the file itself shows it; what he
 * could make good again (writing all later records anew) shows against a head
 * that was signed before (head.h).
 */
#include "lib/audit/chain.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

void
chain_fault(struct chain *c, int64_t seq, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	if (c->fault != NULL)
		return;
	c->fault_seq = seq;
	buf_printf(&b, "record %lld ", (long long)seq);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	c->fault = buf_steal(&b);
}

static void
judge(struct chain *c, const struct audit_record *rec)
{
	int64_t next = c->seq + 1;
	uint8_t hash[DIGEST_SIZE];

	if (rec->seq > next)
		chain_fault(c, next, "is missing: %lld stands in its place",
		    (long long)rec->seq);
	else if (rec->seq < next)
		chain_fault(c, rec->seq,
		    "was put in or moved: it stands behind %lld",
		    (long long)c->seq);
	else if (audit_record_hash(rec, hash) != 0)
		chain_fault(c, next, "was altered: it is not UTF-8");
	else if (memcmp(hash, rec->hash, sizeof(hash)) != 0)
		chain_fault(
		    c, next, "was altered: its content has another hash");
	else if (memcmp(rec->prev, c->hash, sizeof(c->hash)) == 0)
		return;
	else if (c->seq == 0)
		chain_fault(
		    c, next, "was put in: the first record follows no other");
	else
		chain_fault(c, c->seq,
		    "was altered and given a new hash: the next one follows "
		    "another");
}

bool
chain_add(struct chain *c, const struct audit_record *rec)
{
	if (c->fault != NULL)
		return false;
	judge(c, rec);
	if (c->fault != NULL)
		return false;
	c->seq = rec->seq;
	memcpy(c->hash, rec->hash, sizeof(c->hash));
	c->n++;
	return true;
}

void
chain_fini(struct chain *c)
{
	free(c->fault);
	c->fault = NULL;
}
