/*
 * What sites wrote down of what they did: each one's chain is whole, and what
 * two sites hold of each other's is the same.
 */
#include <stdio.h>
#include <string.h>

#include "lib/audit/chain.h"
#include "lib/base/err.h"
#include "lib/db/db_audit_chain.h"
#include "tests/sim/world.h"

#define BATCH 500

static void
check_chain(struct site *s)
{
	struct db *db = site_db(s);
	struct arena *a = arena_new();
	struct chain chain = { .seq = 0 };
	struct db_audit_row *rows;
	size_t n = BATCH;
	int r = 0;

	while (r == 0 && n == BATCH) {
		r = db_audit_walk(db, a, chain.seq, BATCH, &rows, &n);
		for (size_t i = 0; r == 0 && i < n; i++) {
			if (!rows[i].is_there)
				chain_fault(&chain, rows[i].rec.seq,
				    "a link without its row");
			memcpy(rows[i].rec.prev, chain.hash,
			    sizeof(rows[i].rec.prev));
			if (!chain_add(&chain, &rows[i].rec))
				n = 0;
		}
	}
	if (r != 0)
		world_fail("s%d: its chain: %s", s->number, err_text());
	if (chain.fault != NULL)
		world_fail("s%d: its chain: %s", s->number, chain.fault);
	chain_fini(&chain);
	arena_free(a);
	site_db_back(s, db);
}

/* job, run, peer, our head: seq, hash, theirs over it; whether it is open */
static void
same_head(struct site *s, char **row, void *ctx)
{
	struct site *there = site_of_party(row[2]);
	char sql[500];

	(void)ctx;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT COUNT(*) FROM audit_link WHERE seq = %s AND hash = x'%s'",
	    row[3], row[4]);
	if (site_count(s, sql) != 1)
		world_fail("s%d told s%d of a head that its chain has not",
		    s->number, there == NULL ? -1 : there->number);
	if (there == NULL || row[5] == NULL)
		return;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT COUNT(*) FROM audit_exchange WHERE job_id = '%s'"
	    " AND run = %s AND peer_id = '%s' AND peer_seq = %s"
	    " AND peer_hash = x'%s'",
	    row[0], row[1], s->party, row[3], row[4]);
	if (site_count(there, sql) != 1)
		world_fail("s%d countersigned a head of s%d for job %s run %s "
			   "and holds another",
		    there->number, s->number, row[0], row[1]);
}

void
check_audit(void)
{
	for (int i = 0; i < nsites; i++) {
		check_chain(&sites[i]);
		site_rows(&sites[i],
		    "SELECT job_id, run, peer_id, own_seq, HEX(own_hash),"
		    " HEX(own_seen) FROM audit_exchange"
		    " WHERE own_hash IS NOT NULL ORDER BY job_id, run, peer_id",
		    same_head, NULL);
	}
}
