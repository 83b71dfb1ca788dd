/*
 * Keys of partners.  Written by the CLI, read by fcgi-app for every signed
 * request and by whoever checks signatures.
 */
#include "lib/db/db_partner_key.h"

#include <sodium.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_often.h"
#include "lib/db/db_rows.h"

#define KEY_COLS(X)                                                            \
	X(STR, party_id, "k.party_id")                                         \
	X(STR, kind, "k.kind")                                                 \
	X(BIN, digest, "k.digest")                                             \
	X(STR, material, "k.material")                                         \
	X(MS, valid_from_ms, "k.valid_from")                                   \
	X(MS, valid_until_ms, "k.valid_until")                                 \
	X(MS, revoked_ms, "k.revoked_at")                                      \
	X(STR, reason, "k.reason")                                             \
	X(BOOL, is_valid, "(" DB_KEY_VALID("k.") ")")                          \
	X(BOOL, is_partners,                                                   \
	    "(SELECT e.enabled FROM partner e WHERE e.party_id = k.party_id)")

static const struct db_col key_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_partner_key, field) },
	KEY_COLS(COL)
#undef COL
};
static const struct db_shape key_shape =
    DB_SHAPE(struct db_partner_key, key_cols);

#define EPOCH "TIMESTAMP'1970-01-01 00:00:00'"

static const struct db_stmt add = { "partner_key.add", "ssbs",
	"INSERT INTO partner_key (party_id, kind, digest, material)"
	" VALUES (?, ?, ?, ?)" };
static const struct db_stmt get_revoked = { "partner_key.revoked", "ssb",
	"SELECT revoked_at IS NOT NULL FROM partner_key"
	" WHERE party_id = ? AND kind = ? AND digest = ?" };
static const struct db_stmt of_party = { "partner_key.of_party", "s",
	"SELECT 1" KEY_COLS(DB_SQL) " FROM partner_key k WHERE k.party_id = ?"
				    " ORDER BY k.valid_from DESC, k.digest" };
static const struct db_stmt of_all = { "partner_key.of_all", "",
	"SELECT 1" KEY_COLS(
	    DB_SQL) " FROM partner_key k"
		    " ORDER BY k.party_id, k.valid_from DESC, k.digest" };
static const struct db_stmt usable_of_party = { "partner_key.usable", "s",
	"SELECT 1" KEY_COLS(
	    DB_SQL) " FROM partner p JOIN partner_key k USING (party_id)"
		    " WHERE p.party_id = ? AND p.enabled = 1 AND " DB_KEY_VALID(
			"k.") " ORDER BY k.valid_from DESC, k.digest" };
static const struct db_stmt usable_of_all = { "partner_key.usable_of_all", "",
	"SELECT 1" KEY_COLS(
	    DB_SQL) " FROM partner p JOIN partner_key k USING (party_id)"
		    " WHERE p.enabled = 1 AND " DB_KEY_VALID(
			"k.") " ORDER BY"
			      " k.party_id,"
			      " k.valid_from DESC,"
			      " k.digest" };
static const struct db_stmt end_others = { "partner_key.end_others", "issbi",
	"UPDATE partner_key SET valid_until = " EPOCH " + INTERVAL ? SECOND"
	" WHERE party_id = ? AND kind = ? AND digest <> ?"
	" AND revoked_at IS NULL AND (valid_until IS NULL OR valid_until > " EPOCH
	" + INTERVAL ? SECOND)" };
static const struct db_stmt revoke = { "partner_key.revoke", "sssb",
	"UPDATE partner_key SET revoked_at = NOW(6), reason = ?"
	" WHERE party_id = ? AND kind = ? AND digest = ?"
	" AND revoked_at IS NULL" };
static const struct db_stmt end_all = { "partner_key.end_all", "s",
	"UPDATE partner_key SET valid_until = NOW(6)"
	" WHERE party_id = ? AND revoked_at IS NULL"
	" AND (valid_until IS NULL OR valid_until > NOW(6))" };
static const struct db_stmt revive = { "partner_key.revive", "ssb",
	"UPDATE partner_key SET valid_until = NULL"
	" WHERE party_id = ? AND kind = ? AND digest = ?"
	" AND valid_until <= NOW(6)" };
const char *
db_partner_key_state(const struct db_partner_key *k)
{
	if (k->revoked_ms != 0)
		return "revoked";
	if (!k->is_valid)
		return "ended";
	return k->valid_until_ms != 0 ? "ending" : "active";
}

void
db_partner_key_digest(
    const char *material, unsigned char out[DB_KEY_DIGEST_SIZE])
{
	(void)crypto_hash_sha256(
	    out, (const unsigned char *)material, strlen(material));
}

int
db_partner_key_add(
    struct db *db, const char *party_id, const char *kind, const char *material)
{
	unsigned char digest[DB_KEY_DIGEST_SIZE];
	int64_t revoked;
	int r;

	db_partner_key_digest(material, digest);
	/* Looked up first: an error would end a transaction around it. */
	r = db_query_int(db, &get_revoked, &revoked, party_id, kind,
	    (const void *)digest, sizeof(digest));
	if (r == ERR_NOT_FOUND)
		return db_exec(db, &add, NULL, party_id, kind,
		    (const void *)digest, sizeof(digest), material);
	if (r == 0 && revoked != 0)
		r = err_set(ERR_DENIED,
		    "this %s of party %.10s was revoked and cannot come back",
		    strcmp(kind, DB_KEY_TLS) == 0 ? "certificate" : "key",
		    party_id);
	if (r == 0)
		r = db_exec(db, &revive, NULL, party_id, kind,
		    (const void *)digest, sizeof(digest));
	return r;
}

int
db_partner_key_list(struct db *db, struct arena *a, const char *party_id,
    bool usable_only, struct db_partner_key **rows, size_t *n)
{
	if (party_id == NULL)
		return db_select(db, usable_only ? &usable_of_all : &of_all,
		    &key_shape, a, rows, n);
	return db_select(db, usable_only ? &usable_of_party : &of_party,
	    &key_shape, a, rows, n, party_id);
}

int
db_partner_key_lack(
    struct db *db, struct arena *a, const char *party_id, const char **why)
{
	static const struct {
		const char *kind, *text;
	} kinds[] = { { DB_KEY_SIGN, "signing key" },
		{ DB_KEY_TLS, "certificate" } };
	struct db_partner_key *rows;
	size_t i, k, n;
	int r;

	*why = "";
	r = db_partner_key_list(db, a, party_id, false, &rows, &n);
	for (k = 0; r == 0 && n > 0 && k < 2; k++) {
		bool revoked = false, valid = false;

		for (i = 0; i < n; i++) {
			if (strcmp(rows[i].kind, kinds[k].kind) != 0)
				continue;
			valid |= rows[i].is_valid;
			revoked |= rows[i].revoked_ms != 0;
		}
		if (valid)
			continue;
		*why = arena_printf(a,
		    "no %s of party %.10s counts here (%s): what it sends is "
		    "refused",
		    kinds[k].text, party_id,
		    revoked ? "revoked" : "all have ended");
		break;
	}
	return r;
}

int
db_partner_key_end_others(struct db *db, const char *party_id, const char *kind,
    const char *material, int64_t until_s)
{
	unsigned char digest[DB_KEY_DIGEST_SIZE];

	db_partner_key_digest(material, digest);
	return db_exec(db, &end_others, NULL, until_s, party_id, kind,
	    (const void *)digest, sizeof(digest), until_s);
}

int
db_partner_key_revoke(
    struct db *db, const struct db_partner_key *k, const char *reason)
{
	int64_t n;
	int r;

	r = db_exec(db, &revoke, &n, reason, k->party_id, k->kind,
	    (const void *)k->digest, sizeof(k->digest));
	if (r == 0 && n == 0)
		r = err_set(ERR_EXISTS, "it is revoked already");
	return r;
}

int
db_partner_key_end_all(struct db *db, const char *party_id)
{
	return db_exec(db, &end_all, NULL, party_id);
}

const struct db_stmt *const db_partner_key_often[] = { &of_party, NULL };
