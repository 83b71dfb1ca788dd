/*
 * What it takes to trust a partner's keys, old and new.  Used by the commands
 * in partner.c, partner_keys.c and rotate.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nginx_reload.h"
#include "cli/partner.h"
#include "cli/site_files.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_tx.h"
#include "lib/http/tls_cert.h"
#include "lib/party/withdraw.h"

int
partner_update_tls(struct site *s)
{
	struct db_partner_key *rows;
	const char **certs;
	size_t i, n, n_certs = 0;
	int r;

	if ((r = db_partner_key_list(s->db, s->arena, NULL, true, &rows, &n)) !=
	    0)
		return r;
	certs = xcalloc(n + 1, sizeof(*certs));
	/* The site's own certificate is put in from its file. */
	for (i = 0; i < n; i++)
		if (str_eq(rows[i].kind, DB_KEY_TLS) &&
		    !str_eq(rows[i].party_id, s->conf->party_id))
			certs[n_certs++] = rows[i].material;
	r = site_files_partners(s->conf, certs, n_certs);
	free(certs);
	return r != 0 ? r : nginx_reload(s->conf);
}

static int
follow(struct site *s, const char *party)
{
	int r = partner_update_tls(s);

	return r != 0 ? r : withdraw_rest(s->db, party);
}

int
partner_settle(struct site *s, const char *party, int r)
{
	char *said;
	int after;

	if (r == 0)
		return follow(s, party);
	if (r != ERR_EXISTS && r != ERR_NOT_FOUND)
		return r;
	said = xstrdup(err_text());
	if ((after = follow(s, party)) == 0)
		(void)err_set(r, "%s", said);
	free(said);
	return after != 0 ? after : r;
}

int
partner_prints(const uint8_t sign_key[KEYS_PUBLIC_SIZE], const char *tls_cert,
    struct partner_prints *out)
{
	uint8_t sum[32];
	int r;

	keys_fingerprint(sign_key, out->sign);
	if ((r = tls_cert_digest(tls_cert, sum)) == 0)
		keys_spoken(sum, out->tls);
	return r;
}

/* --- taking a bundle ------------------------------------------------------ */

struct taking {
	struct site *site;
	const struct bundle *b;
	bool replace;
};

static bool
counts(const struct db_partner_key *rows, size_t n, const char *kind,
    const char *material)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].is_valid && str_eq(rows[i].kind, kind) &&
		    str_eq(rows[i].material, material))
			return true;
	return false;
}

/*
 * A party that is not known, or whose keys all are over, is trusted for what
 * its operator was told by phone; one that is known, by its own keys, also
 * while it is disabled.
 */
static int
check_vouched(struct taking *t, bool *known)
{
	const struct bundle *b = t->b;
	struct db_partner_key *rows;
	char key[KEYS_TEXT_SIZE];
	size_t i, n;
	int r;

	if ((r = db_partner_key_list(t->site->db, t->site->arena, b->party_id,
		 false, &rows, &n)) != 0)
		return r;
	*known = false;
	for (i = 0; i < n; i++)
		*known |= rows[i].is_valid;
	keys_public_text(b->sign_key, key);
	if (!*known || t->replace ||
	    (counts(rows, n, DB_KEY_SIGN, key) &&
		(b->next.tls_cert != NULL ||
		    counts(rows, n, DB_KEY_TLS, b->tls_cert))))
		return 0;
	return err_set(ERR_DENIED,
	    "party %s is known with other keys, and none of them signed these; "
	    "compare fingerprints by phone, then use --replace: those before "
	    "end at once",
	    b->party_id);
}

static int
end_others(struct taking *t, const uint8_t sign_key[KEYS_PUBLIC_SIZE],
    const char *tls_cert, int64_t until_s)
{
	struct db *db = t->site->db;
	const char *party = t->b->party_id;
	char key[KEYS_TEXT_SIZE];
	int r;

	keys_public_text(sign_key, key);
	if ((r = db_partner_key_end_others(
		 db, party, DB_KEY_SIGN, key, until_s)) == 0)
		r = db_partner_key_end_others(
		    db, party, DB_KEY_TLS, tls_cert, until_s);
	return r;
}

static int
put(struct taking *t, const uint8_t sign_key[KEYS_PUBLIC_SIZE],
    const char *tls_cert)
{
	const struct bundle *b = t->b;
	struct db_partner row = {
		.party_id = b->party_id,
		.name = b->name,
		.url = b->url,
		.tls_cert = tls_cert,
		.enabled = true,
	};

	memcpy(row.sign_key, sign_key, sizeof(row.sign_key));
	return db_partner_put(t->site->db, &row);
}

static int
take_tx(struct db *db, void *ctx)
{
	struct taking *t = ctx;
	const struct bundle *b = t->b;
	bool known;
	int r;

	(void)db;
	if ((r = check_vouched(t, &known)) != 0 ||
	    (r = put(t, b->sign_key, b->tls_cert)) != 0)
		return r;
	if (b->next.tls_cert != NULL) {
		if ((r = put(t, b->next.sign_key, b->next.tls_cert)) == 0)
			r = end_others(t, b->next.sign_key, b->next.tls_cert,
			    b->next.old_until_s);
	} else if (known && t->replace) {
		r = end_others(
		    t, b->sign_key, b->tls_cert, clock_wall_ms() / 1000);
	}
	return r;
}

int
partner_take(struct site *s, const struct bundle *b, bool replace)
{
	struct taking t = { s, b, replace };
	int r;

	if ((r = withdraw_rest(s->db, b->party_id)) != 0)
		return r;
	r = site_do(s, take_tx, &t,
	    &(struct site_deed){ "partner", b->party_id,
		b->next.tls_cert != NULL ? "new keys, signed by the ones before"
		: replace		 ? "keys, in the place of those before"
					 : "keys" });
	return partner_settle(s, b->party_id, r);
}
