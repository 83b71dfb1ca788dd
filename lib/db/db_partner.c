/*
 * Partner sites, written by the CLI, and the end of old nonces.
 */
#include "lib/db/db_partner.h"

#include <stdio.h>

#include "lib/base/err.h"
#include "lib/db/db_often.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"
#include "lib/sign/keys.h"

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
	" enabled = enabled AND VALUES(enabled)" };
static const struct db_stmt get = { "partner.get", "s",
	"SELECT 1" PARTNER_COLS(DB_SQL) " FROM partner WHERE party_id = ?" };
static const struct db_stmt list = { "partner.list", "",
	"SELECT 1" PARTNER_COLS(DB_SQL) " FROM partner ORDER BY party_id" };
static const struct db_stmt delete = { "partner.delete", "s",
	"DELETE FROM partner WHERE party_id = ?" };
static const struct db_stmt use_nonce = { "nonce.use", "ssi",
	"INSERT INTO nonce (party_id, nonce, expires_at)"
	" VALUES (?, ?, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? SECOND)" };
static const struct db_stmt enable = { "partner.enable", "is",
	"UPDATE partner SET enabled = ? WHERE party_id = ?" };
static const struct db_stmt lock = { "partner.lock", "s",
	"SELECT enabled FROM partner WHERE party_id = ? FOR UPDATE" };
static const struct db_stmt hold = { "partner.hold", "s",
	"SELECT enabled FROM partner WHERE party_id = ? LOCK IN SHARE MODE" };
/* Behind hold: a statement sees what was committed before it began. */
static const struct db_stmt kinds = { "partner.kinds", "s",
	"SELECT COUNT(DISTINCT kind) FROM partner_key WHERE party_id = ?"
	" AND " DB_KEY_VALID("") };
/*
 * Whether a request is expired is judged by the clock of who receives it, in
 * whole seconds: a nonce is kept until no clock that is anywhere near right
 * would take its request again.
 */
static const struct db_stmt purge_nonces = { "nonce.purge", "i",
	"DELETE FROM nonce WHERE expires_at < NOW(6) - INTERVAL 10 MINUTE"
	" ORDER BY expires_at LIMIT ?" };

static int
put_tx(struct db *db, void *ctx)
{
	const struct db_partner *p = ctx;
	char key[KEYS_TEXT_SIZE];
	int r;

	keys_public_text(p->sign_key, key);
	if ((r = db_partner_key_add(db, p->party_id, DB_KEY_SIGN, key)) != 0 ||
	    (r = db_partner_key_add(
		 db, p->party_id, DB_KEY_TLS, p->tls_cert)) != 0)
		return r;
	return db_exec(db, &put, NULL, p->party_id,
	    p->name != NULL ? p->name : "", p->url, (const void *)p->sign_key,
	    sizeof(p->sign_key), p->tls_cert, (int64_t)p->enabled);
}

int
db_partner_put(struct db *db, const struct db_partner *p)
{
	struct db_partner row = *p;

	return db_tx(db, put_tx, &row);
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

static int
changed_one(const char *party_id, int64_t n, int r)
{
	if (r == 0 && n != 1)
		r = err_set(
		    ERR_NOT_FOUND, "party %.10s is not known", party_id);
	return r;
}

static int
delete_tx(struct db *db, void *ctx)
{
	const char *party_id = ctx;
	int64_t n = 0;
	int r;

	r = db_exec(db, &delete, &n, party_id);
	if ((r = changed_one(party_id, n, r)) != 0)
		return r;
	return db_partner_key_end_all(db, party_id);
}

int
db_partner_delete(struct db *db, const char *party_id)
{
	char id[16];

	(void)snprintf(id, sizeof(id), "%s", party_id);
	return db_tx(db, delete_tx, id);
}

int
db_partner_enable(struct db *db, const char *party_id, bool enabled)
{
	int64_t n = 0;
	int r;

	r = db_exec(db, &enable, &n, (int64_t)enabled, party_id);
	return changed_one(party_id, n, r);
}

int
db_partner_lock(struct db *db, const char *party_id)
{
	int64_t enabled;
	int r = db_query_int(db, &lock, &enabled, party_id);

	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return 0;
}

int
db_partner_hold(struct db *db, const char *party_id)
{
	int64_t enabled = 0, n = 0;
	int r = db_query_int(db, &hold, &enabled, party_id);

	if (r == ERR_NOT_FOUND)
		err_clear();
	else if (r != 0 || (enabled != 0 && (r = db_query_int(db, &kinds, &n,
						 party_id)) != 0))
		return r;
	return n == DB_KEY_KINDS
		   ? 0
		   : err_set(ERR_DENIED,
			 "party %.10s is no partner of this site now, "
			 "or its key or certificate is revoked or has "
			 "ended",
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

const struct db_stmt *const db_partner_often[] = { &get, NULL };
