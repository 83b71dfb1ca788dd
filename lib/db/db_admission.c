/*
 * Called by fcgi-app for every request of a partner; the supervisor forgets.
 */
#include "lib/db/db_admission.h"

#include <sodium.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/db/db_nonce_memory.h"
#include "lib/db/db_partner_key.h"
#include "lib/sign/sign.h"

/*
 * By the clock of who verified the signature, which follows the database's:
 * created at most SIGN_SKEW_S from now, expired at most so long ago.
 */
static const struct nonce_span span = {
	.ahead_ms = SIGN_SKEW_S * INT64_C(1000),
	.behind_ms = (SIGN_LIFETIME_MAX_S + SIGN_SKEW_S) * INT64_C(1000),
};

/* One row while partner and keys count. */
#define USABLE_PARAMS "bbs"
#define USABLE                                                                        \
	" JOIN partner_key k ON k.party_id = p.party_id AND k.kind = 'sign'"          \
	" AND k.digest = ? AND " DB_KEY_VALID(                                        \
	    "k.") " JOIN partner_key t ON t.party_id = p.party_id AND t.kind = 'tls'" \
		  " AND t.digest = ? AND " DB_KEY_VALID(                              \
		      "t.") " WHERE p.party_id = ? AND p.enabled = 1"
#define USABLE_ARGS(ad)                                                        \
	(const void *)(ad)->sign_digest, (size_t)DB_KEY_DIGEST_SIZE,           \
	    (const void *)(ad)->tls_digest, (size_t)DB_KEY_DIGEST_SIZE,        \
	    (ad)->party_id

/*
 * One statement each, so that a withdrawal is either before it or after it,
 * and no round trip more than remembering the nonce takes.
 */
static const struct db_stmt admit_common = { "admission.common",
	"bi" USABLE_PARAMS NONCE_COMMON_PARAMS,
	"INSERT INTO partner_nonce (hash, time_ms) SELECT ?, ?"
	" FROM partner_nonce_since n JOIN partner p" USABLE
	" AND n.id = 1 AND" NONCE_IS_COMMON };
static const struct db_stmt admit_durably = { "admission.durable",
	"si" USABLE_PARAMS,
	"INSERT INTO nonce (party_id, nonce, expires_at)"
	" SELECT p.party_id, ?,"
	" TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? SECOND"
	" FROM partner p" USABLE };

NONCE_MEMORY(memory, "partner_nonce", "created");

static void
hash_of(const struct db_admission *ad, uint8_t out[NONCE_HASH])
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s\n%s", ad->party_id, ad->nonce);
	(void)crypto_generichash(out, NONCE_HASH,
	    (const unsigned char *)text.data, text.len, NULL, 0);
	buf_fini(&text);
}

/* Durable first: what the memory lost is then found there. */
static int
take_durably(struct db *db, const struct db_admission *ad, const uint8_t *hash)
{
	int64_t time_ms = ad->created_s * 1000, n;
	int r;

	if ((r = nonce_memory_judge(db, &memory, &span, time_ms)) != 0 ||
	    (r = db_exec(db, &admit_durably, &n, ad->nonce, ad->expires_s,
		 USABLE_ARGS(ad))) != 0)
		return r;
	if (n == 0)
		return err_set(ERR_DENIED,
		    "party %.10s, its key or its certificate was withdrawn",
		    ad->party_id);
	return nonce_memory_keep(db, &memory, hash, time_ms);
}

int
db_partner_admit(struct db *db, const struct db_admission *ad)
{
	int64_t time_ms = ad->created_s * 1000, n;
	uint8_t hash[NONCE_HASH];
	int r;

	hash_of(ad, hash);
	r = db_exec(db, &admit_common, &n, (const void *)hash, sizeof(hash),
	    time_ms, USABLE_ARGS(ad), NONCE_COMMON_ARGS(time_ms, &span));
	if (r != 0)
		r = nonce_memory_explain(db, r);
	else if (n == 0)
		r = take_durably(db, ad, hash);
	return r == ERR_EXISTS ? err_set(r,
				     "nonce of party %.10s was used "
				     "before",
				     ad->party_id)
			       : r;
}

int
db_admission_purge(struct db *db, int64_t *n)
{
	return nonce_memory_purge(db, &memory, &span, n);
}
