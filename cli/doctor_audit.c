/*
 * The newest part of this site's audit chain.  Called by doctor.c; "sluice
 * verify" checks all of it, and the heads that were signed.
 */
#include <string.h>

#include "cli/doctor.h"
#include "lib/audit/chain.h"
#include "lib/base/err.h"
#include "lib/db/db_audit_chain.h"

#define NEWEST 10000
#define PAGE 1000

/* The link that the part begins behind is taken for right. */
static int
begin(struct doctor *d, struct chain *c, int64_t *last)
{
	struct db_audit_checkpoint cut;
	struct db_audit_row *rows;
	uint8_t hash[DIGEST_SIZE];
	size_t n;
	int r;

	if ((r = db_audit_head(d->db, last, hash)) != 0 ||
	    (r = db_audit_checkpoint(d->db, &cut)) != 0)
		return r;
	c->seq = cut.seq;
	memcpy(c->hash, cut.hash, sizeof(c->hash));
	if (*last - NEWEST <= cut.seq)
		return 0;
	if ((r = db_audit_walk(
		 d->db, d->arena, *last - NEWEST - 1, 1, &rows, &n)) == 0 &&
	    n > 0) {
		c->seq = rows[0].rec.seq;
		memcpy(c->hash, rows[0].rec.hash, sizeof(c->hash));
	}
	return r;
}

static void
add(struct chain *c, struct db_audit_row *row, uint8_t prev[DIGEST_SIZE])
{
	memcpy(row->rec.prev, prev, DIGEST_SIZE);
	memcpy(prev, row->rec.hash, DIGEST_SIZE);
	if (row->is_there)
		(void)chain_add(c, &row->rec);
	else
		chain_fault(
		    c, row->rec.seq, "is missing: only its link is left");
}

static int
follow(struct doctor *d, struct chain *c)
{
	uint8_t prev[DIGEST_SIZE];
	struct db_audit_row *rows;
	int64_t seq = c->seq;
	size_t i, n = PAGE;
	int r = 0;

	memcpy(prev, c->hash, sizeof(prev));
	while (r == 0 && n == PAGE && c->fault == NULL) {
		struct arena *page = arena_new();

		r = db_audit_walk(d->db, page, seq, PAGE, &rows, &n);
		for (i = 0; r == 0 && i < n; i++) {
			seq = rows[i].rec.seq;
			add(c, &rows[i], prev);
		}
		arena_free(page);
	}
	return r;
}

void
doctor_audit(struct doctor *d)
{
	static const char what[] = "audit chain";
	struct chain c = { .seq = 0 };
	int64_t last;
	int r;

	if (d->db == NULL)
		return;
	if ((r = begin(d, &c, &last)) != 0 || (r = follow(d, &c)) != 0)
		doctor_result(d, r, what, NULL);
	else if (c.fault != NULL)
		doctor_say(d, HEALTH_FAIL, what,
		    doctor_command(d,
			"sluice verify --config %s tells more; nothing mends "
			"it: find out who could change the database, keep "
			"what sluice audit export --output FILE --config %s "
			"writes, and compare with a backup",
			d->conf->path, d->conf->path),
		    "%s", c.fault);
	else
		doctor_say(d, HEALTH_OK, what, NULL,
		    "the newest %lld records are as they were", (long long)c.n);
	chain_fini(&c);
}
