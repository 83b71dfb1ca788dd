/*
 * Partner sites and nonces.  Partners are written by the CLI; nonces by
 * fcgi-app for every signed request.
 */
#include "lib/db/db_partner.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define PARTNER_COLS(X)                                                        \
	X(STR, party_id, "party_id")                                           \
	X(STR, name, "name")                                                   \
	X(STR, url, "url")                                                     \
	X(BIN, sign_key, "sign_key")                                           \
	X(STR, tls_cert, "tls_cert")                                           \
	X(BOOL, enabled, "enabled")                                            \
	X(MS, created_ms, "created_at")

static const struct db_col partner_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_partner, field) },
	PARTNER_COLS(COL)
#undef COL
};
static const struct db_shape partner_shape =
    DB_SHAPE(struct db_partner, partner_cols);

static const struct db_stmt put = { "partner.put", "sssbsi",
	"INSERT INTO partner (party_id, name, url, sign_key, tls_cert,"
	" enabled) VALUES (?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE name = VALUES(name), url = VALUES(url),"
	" sign_key = VALUES(sign_key), tls_cert = VALUES(tls_cert),"
	" enabled = VALUES(enabled)" };
static const struct db_stmt get = { "partner.get", "s",
	"SELECT 1" PARTNER_COLS(DB_SQL) " FROM partner WHERE party_id = ?" };
static const struct db_stmt list = { "partner.list", "",
	"SELECT 1" PARTNER_COLS(DB_SQL) " FROM partner ORDER BY party_id" };
static const struct db_stmt delete = { "partner.delete", "s",
	"DELETE FROM partner WHERE party_id = ?" };
static const struct db_stmt use_nonce = { "nonce.use", "ssi",
	"INSERT INTO nonce (party_id, nonce, expires_at)"
	" VALUES (?, ?, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? SECOND)" };
/*
 * Whether a request is expired is judged by the clock of who receives it, in
 * whole seconds: a nonce is kept until no clock that is anywhere near right
 * would take its request again.
 */
static const struct db_stmt purge_nonces = { "nonce.purge", "i",
	"DELETE FROM nonce WHERE expires_at < NOW(6) - INTERVAL 10 MINUTE"
	" ORDER BY expires_at LIMIT ?" };

int
db_partner_put(struct db *db, const struct db_partner *p)
{
	return db_exec(db, &put, NULL, p->party_id,
	    p->name != NULL ? p->name : "", p->url, (const void *)p->sign_key,
	    sizeof(p->sign_key), p->tls_cert, (int64_t)p->enabled);
}

int
db_partner_get(struct db *db, struct arena *a, const char *party_id,
    struct db_partner **out)
{
	int r;

	r = db_select_one(db, &get, &partner_shape, a, out, party_id);
	return r == ERR_NOT_FOUND
		   ? err_set(r, "party %.10s is not known", party_id)
		   : r;
}

int
db_partner_list(
    struct db *db, struct arena *a, struct db_partner **rows, size_t *n)
{
	return db_select(db, &list, &partner_shape, a, rows, n);
}

int
db_partner_delete(struct db *db, const char *party_id)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &delete, &n, party_id)) != 0)
		return r;
	return n == 1 ? 0
		      : err_set(ERR_NOT_FOUND, "party %.10s is not known",
			    party_id);
}

int
db_nonce_use(
    struct db *db, const char *party_id, const char *nonce, int64_t expires_s)
{
	int r;

	r = db_exec(db, &use_nonce, NULL, party_id, nonce, expires_s);
	return r == ERR_EXISTS ? err_set(r,
				     "nonce of party %.10s was used "
				     "before",
				     party_id)
			       : r;
}

int
db_nonce_purge(struct db *db, int64_t limit, int64_t *n)
{
	return db_exec(db, &purge_nonces, n, limit);
}
