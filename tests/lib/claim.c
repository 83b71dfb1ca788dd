#include "tests/lib/claim.h"

int
claim_any(struct db *db, struct arena *a, const char *launcher,
    const char *host, int64_t lease_ms, int64_t limit, struct db_attempt **rows,
    size_t *n)
{
	const struct db_claim c = { launcher, host, lease_ms, limit,
		DB_CLAIM_ALL, false };
	size_t left;

	return db_attempt_claim(db, a, &c, rows, n, &left);
}
