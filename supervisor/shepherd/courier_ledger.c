/*
 * What leaves the site is written down before it does.  Called by the courier.
 */
#include "supervisor/shepherd/courier_private.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/db/db_audit.h"
#include "supervisor/shepherd/shepherd.h"

/* Rows in one transaction. */
#define LEDGER_BATCH 64

/*
 * A large object leaves in parts, and each has its own line: what left is
 * what was sent, not what was meant to be.  Its tag gets " [N/M]".
 */
static int
fill_egress(struct arena *a, const struct shipment *sh, uint32_t part,
    struct db_egress *row)
{
	struct parcel *p = sh->parcel;
	const unsigned char *sum;
	uint64_t offset, len;
	int r;

	if ((r = parcel_digest(p, part, &sum)) != 0)
		return r;
	parcel_part(p, part, &offset, &len);
	memset(row, 0, sizeof(*row));
	row->key = *subject_key(sh->courier->shepherd->subject);
	row->fence = sh->courier->shepherd->subject->attempt->fence;
	row->seq = sh->seq + part;
	row->to_role = sh->role;
	row->to_party = sh->party_id;
	row->name = p->name;
	row->tag = p->parts == 1 ? p->tag
				 : arena_printf(a, "%s [%u/%u]", p->tag,
				       part + 1, p->parts);
	row->bytes = (int64_t)len;
	memcpy(row->sha256, sum, sizeof(row->sha256));
	return 0;
}

/* Parts of large objects, one by one as they are sent. */
int
courier_record_part(struct shipment *sh, uint32_t part)
{
	struct arena *a = arena_new();
	struct db_egress row;
	int r;

	if ((r = fill_egress(a, sh, part, &row)) == 0 &&
	    (r = db_egress_add(sh->courier->shepherd->db, &row, 1)) == 0)
		sh->parts[part] = PART_WAITS;
	arena_free(a);
	return r;
}

/*
 * Small objects in batches, for a commit costs more than an object.  *more
 * tells whether some are left.
 */
static int
record_some(struct courier *c, bool *more)
{
	struct shipment *batch[LEDGER_BATCH];
	struct shipment *sh;
	struct db_egress rows[LEDGER_BATCH];
	size_t n = 0, i;
	int r;

	*more = false;
	for (sh = TAILQ_FIRST(&c->queue); sh != NULL;
	     sh = TAILQ_NEXT(sh, link)) {
		if (sh->is_here || sh->parcel->parts != 1 ||
		    sh->parts[0] != PART_NEW)
			continue;
		if (n == LEDGER_BATCH) {
			*more = true;
			break;
		}
		if ((r = fill_egress(NULL, sh, 0, &rows[n])) != 0)
			return r;
		batch[n++] = sh;
	}
	if (n == 0)
		return 0;
	if ((r = db_egress_add(c->shepherd->db, rows, n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		batch[i]->parts[0] = PART_WAITS;
	return 0;
}

int
courier_record(struct courier *c)
{
	bool more;
	int r;

	do {
		if ((r = record_some(c, &more)) != 0)
			return r;
	} while (more);
	return 0;
}
