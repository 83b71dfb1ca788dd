/*
 * Called by fcgi-app for every signed request of a user; the supervisor
 * forgets.
 */
#include "lib/db/db_client_nonce.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_nonce_memory.h"
#include "lib/db/db_partner.h"

_Static_assert(CLIENT_NONCE_HASH == NONCE_HASH, "one width of hashes");

/* Nothing is inserted when it is not of the common kind. */
static const struct db_stmt remember_common = { "client_nonce.common",
	"bi" NONCE_COMMON_PARAMS,
	"INSERT INTO client_nonce (hash, time_ms)"
	" SELECT ?, ? FROM client_nonce_since"
	" WHERE id = 1 AND" NONCE_IS_COMMON };
NONCE_MEMORY(memory, "client_nonce", "TIMESTAMP");

/* Durable first: what the memory lost is then found there. */
static int
use_durably(struct db *db, const struct db_client_nonce *c,
    const struct nonce_span *span)
{
	char hex[2 * CLIENT_NONCE_HASH + 1];
	int r;

	if ((r = nonce_memory_judge(db, &memory, span, c->time_ms)) != 0)
		return r;
	str_to_hex(c->hash, sizeof(c->hash), hex);
	r = db_nonce_use(
	    db, "client", hex, (c->time_ms + c->window_ms) / 1000 + 1);
	return r != 0 ? r : nonce_memory_keep(db, &memory, c->hash, c->time_ms);
}

int
db_client_nonce_use(struct db *db, const struct db_client_nonce *c)
{
	const struct nonce_span span = { .ahead_ms = c->window_ms,
		.behind_ms = c->window_ms };
	int64_t n;
	int r;

	r = db_exec(db, &remember_common, &n, (const void *)c->hash,
	    sizeof(c->hash), c->time_ms, NONCE_COMMON_ARGS(c->time_ms, &span));
	if (r != 0)
		return nonce_memory_explain(db, r);
	return n == 1 ? 0 : use_durably(db, c, &span);
}

int
db_client_nonce_purge(struct db *db, int64_t window_ms, int64_t *n)
{
	const struct nonce_span span = { .ahead_ms = window_ms,
		.behind_ms = window_ms };

	return nonce_memory_purge(db, &memory, &span, n);
}
