/*
 * Called by cli/grant.c and fcgi-app/api_permission.c.
 */
#include "lib/party/permit_still.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/party/permit.h"

static bool
parts_meet(const char *a, const char *b)
{
	return str_eq(a, b) || str_eq(a, DB_PERMISSION_ANY) ||
	       str_eq(b, DB_PERMISSION_ANY);
}

static bool
leaves_meet(const struct db_leaf *a, const struct db_leaf *b)
{
	return str_eq(a->kind, b->kind) &&
	       parts_meet(a->party_id, b->party_id) &&
	       parts_meet(a->src_role, b->src_role) &&
	       parts_meet(a->subject, b->subject) &&
	       parts_meet(a->detail, b->detail);
}

static bool
allows(const struct db_permission *p)
{
	return !p->is_late && (!p->has_uses || p->uses_left > 0) &&
	       !str_eq(p->leaf.kind, permit_kind_name(PERMIT_PARAMETER));
}

int
permit_still(struct db *db, struct arena *a, const struct db_leaf *gone,
    size_t n_gone, struct db_permission **rows, size_t *n)
{
	size_t i, j, all;
	int r;

	*n = 0;
	if ((r = db_permission_list(db, a, NULL, rows, &all)) != 0)
		return r;
	for (i = 0; i < all; i++) {
		const struct db_permission *p = &(*rows)[i];

		for (j = 0; allows(p) && j < n_gone; j++)
			if (leaves_meet(&p->leaf, &gone[j])) {
				(*rows)[(*n)++] = *p;
				break;
			}
	}
	return 0;
}
