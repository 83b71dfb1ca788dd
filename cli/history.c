/*
 * The lines of an export.  Called by "sluice audit export", and by "sluice
 * verify" for a live site, so that both see the same.
 */
#include "cli/history.h"

#include <string.h>

#include "cli/bundle.h"
#include "lib/audit/history.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_approval.h"
#include "lib/db/db_audit_chain.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_exchange.h"
#include "lib/db/db_partner_key.h"

#define PAGE 1000
/* Rows get their link within a poll; after so long that is a finding. */
#define UNCHAINED_MS 10000
#define ANY_AGE_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)

struct lines {
	line_fn *fn;
	void *ctx;
};

/* The object is put. */
static int
print(const struct lines *out, struct json_object *o)
{
	const char *text = json_text(o);
	int r = out->fn(out->ctx, text, strlen(text));

	json_object_put(o);
	return r;
}

static void
add_hex(struct json_object *o, const char *key, const void *data, size_t len)
{
	struct buf hex = BUF_INIT;

	str_to_hex(data, len, buf_reserve(&hex, 2 * len + 1));
	json_add_str(o, key, hex.data);
	buf_fini(&hex);
}

/*
 * All signing keys that a party ever had here: what was signed with one that
 * has ended stays signed.
 */
static int
keys_of(struct site *s, const char *kind, const char *party,
    struct json_object **out)
{
	struct json_object *list = json_object_new_array();
	struct db_partner_key *rows;
	size_t n = 0;
	int r = db_partner_key_list(s->db, s->arena, party, false, &rows, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].kind, DB_KEY_SIGN))
			json_object_array_add(
			    list, json_object_new_string(rows[i].material));
	*out = json_object_new_object();
	json_add_str(*out, "kind", kind);
	json_add_str(*out, "party", party);
	json_add(*out, "keys", list);
	return r;
}

static void
add_key(struct json_object *o, const uint8_t *key)
{
	char text[KEYS_TEXT_SIZE];

	keys_public_text(key, text);
	json_object_array_add(
	    json_get(o, "keys"), json_object_new_string(text));
}

static int
print_site(struct site *s, const struct lines *out)
{
	struct db_audit_checkpoint c;
	struct json_object *o, *at = NULL;
	struct bundle own;
	int64_t n = 0, first;
	int r;

	if ((r = db_audit_checkpoint(s->db, &c)) != 0 ||
	    (r = db_audit_overdue(
		 s->db, UNCHAINED_MS, ANY_AGE_MS, &n, &first)) != 0 ||
	    (r = bundle_of_site(s->conf, &own)) != 0)
		return r;
	r = keys_of(s, "site", s->conf->party_id, &o);
	add_key(o, own.sign_key);
	bundle_fini(&own);
	if (r != 0) {
		json_object_put(o);
		return r;
	}
	json_add_str(o, "form", HISTORY_FORM);
	json_add_int(o, "unchained", n);
	json_add_int(o, "unchained_id", first);
	if (c.seq > 0) {
		at = json_object_new_object();
		json_add_int(at, "seq", c.seq);
		add_hex(at, "hash", c.hash, sizeof(c.hash));
		add_hex(at, "signature", c.signature, sizeof(c.signature));
	}
	json_add(o, "checkpoint", at);
	return print(out, o);
}

/* Those who are no partners any more, too: what they signed is there. */
static int
print_partners(struct site *s, const struct lines *out)
{
	struct db_partner_key *rows;
	const char *last = "";
	struct json_object *o;
	size_t n;
	int r = db_partner_key_list(s->db, s->arena, NULL, false, &rows, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (str_eq(rows[i].party_id, last) ||
		    str_eq(rows[i].party_id, s->conf->party_id))
			continue;
		last = rows[i].party_id;
		r = keys_of(s, "partner", last, &o);
		if (r == 0)
			r = print(out, o);
		else
			json_object_put(o);
	}
	return r;
}

/* --- records -------------------------------------------------------------- */

static int
print_missing(const struct lines *out, int64_t seq)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "kind", "missing");
	json_add_int(o, "seq", seq);
	return print(out, o);
}

static int
print_record(const struct lines *out, const struct audit_record *rec)
{
	struct buf line = BUF_INIT;
	int r = audit_record_line(rec, &line);

	if (r == 0)
		r = out->fn(out->ctx, line.data, line.len);
	buf_fini(&line);
	return r;
}

static int
print_records(struct site *s, const struct lines *out)
{
	struct db_audit_checkpoint c;
	struct db_audit_row *rows;
	uint8_t prev[DIGEST_SIZE];
	struct arena *arena;
	int64_t seq;
	size_t i, n = PAGE;
	int r;

	if ((r = db_audit_checkpoint(s->db, &c)) != 0)
		return r;
	seq = c.seq;
	memcpy(prev, c.hash, sizeof(prev));
	while (r == 0 && n == PAGE) {
		arena = arena_new();
		r = db_audit_walk(s->db, arena, seq, PAGE, &rows, &n);
		for (i = 0; r == 0 && i < n; i++) {
			struct audit_record *rec = &rows[i].rec;

			memcpy(rec->prev, prev, sizeof(prev));
			memcpy(prev, rec->hash, sizeof(prev));
			seq = rec->seq;
			r = rows[i].is_there ? print_record(out, rec)
					     : print_missing(out, seq);
		}
		arena_free(arena);
	}
	return r;
}

/* --- heads ---------------------------------------------------------------- */

static int
print_head(const struct lines *out, const char *job_id, const char *party,
    const char *peer, const struct db_exchange_head *h)
{
	struct json_object *o;

	if (h->seq == 0)
		return 0;
	o = json_object_new_object();
	json_add_str(o, "kind", "head");
	json_add_str(o, "job", job_id);
	json_add_str(o, "party", party);
	json_add_str(o, "peer", peer);
	json_add_int(o, "seq", h->seq);
	json_add_str(o, "hash", h->hash);
	json_add_str(o, "signature", h->sign);
	json_add_str(o, "seen", h->seen);
	return print(out, o);
}

/* Before the records: one that is signed meanwhile is of a longer chain. */
static int
print_heads(struct site *s, const struct lines *out)
{
	const char *own = s->conf->party_id;
	struct db_exchange *x;
	size_t n;
	int r = db_exchange_list(s->db, s->arena, &x, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if ((r = print_head(
			 out, x[i].job_id, own, x[i].peer_id, &x[i].own)) == 0)
			r = print_head(
			    out, x[i].job_id, x[i].peer_id, own, &x[i].peer);
	return r;
}

/* --- signatures ----------------------------------------------------------- */

/* The members that both kinds have. */
static struct json_object *
signature_line(const char *kind, const char *job_id, int64_t revision,
    const struct db_signature *by, const char *hash, const char *text_hash)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "kind", kind);
	json_add_str(o, "job", job_id);
	json_add_int(o, "revision", revision);
	json_add_str(o, "role", by->role);
	json_add_str(o, "party", by->party_id);
	json_add_str(o, "key_id", by->key_id);
	json_add_int(o, "at", by->signed_s);
	json_add_str(o, "hash", hash);
	json_add_str(o, "text", text_hash);
	json_add_str(o, "signature", by->signature);
	return o;
}

static int
print_contracts(struct site *s, const struct lines *out)
{
	struct arena *arena = arena_new(), *last;
	struct db_signed *rows = NULL;
	size_t i, n = PAGE;
	int r = 0;

	while (r == 0 && n == PAGE) {
		last = arena;
		arena = arena_new();
		r = db_signature_walk(s->db, arena,
		    rows != NULL ? &rows[n - 1] : NULL, PAGE, &rows, &n);
		arena_free(last);
		for (i = 0; r == 0 && i < n; i++)
			r = print(
			    out, signature_line("contract", rows[i].job_id,
				     rows[i].revision, &rows[i].by,
				     rows[i].hash, rows[i].text_hash));
	}
	arena_free(arena);
	return r;
}

static int
print_decision(const struct lines *out, const struct db_decided *d)
{
	const struct db_approval *a = &d->a;
	const struct db_signature by = { .role = a->role,
		.party_id = a->party_id,
		.key_id = a->key_id,
		.signed_s = a->decided_s,
		.signature = a->signature };
	struct json_object *o = signature_line(
	    "decision", a->job_id, a->revision, &by, d->hash, d->text_hash);

	json_add_int(o, "rule", a->permission_id);
	json_add_str(o, "subject", a->subject);
	json_add_str(o, "decision", a->decision);
	json_add_str(o, "by", a->decided_by);
	json_add_str(o, "note", a->note != NULL ? a->note : "");
	return print(out, o);
}

static int
print_decisions(struct site *s, const struct lines *out)
{
	struct arena *arena = arena_new(), *last;
	struct db_decided *rows = NULL;
	size_t i, n = PAGE;
	int r = 0;

	while (r == 0 && n == PAGE) {
		last = arena;
		arena = arena_new();
		r = db_approval_walk(s->db, arena,
		    rows != NULL ? &rows[n - 1] : NULL, PAGE, &rows, &n);
		arena_free(last);
		for (i = 0; r == 0 && i < n; i++)
			r = print_decision(out, &rows[i]);
	}
	arena_free(arena);
	return r;
}

/* Behind the records: what these speak of is there then. */
static int
print_signatures(struct site *s, const struct lines *out)
{
	int r = print_contracts(s, out);

	return r != 0 ? r : print_decisions(s, out);
}

int
history_lines(struct site *s, line_fn *fn, void *ctx)
{
	struct lines out = { fn, ctx };
	int r;

	if ((r = print_site(s, &out)) != 0 ||
	    (r = print_partners(s, &out)) != 0 ||
	    (r = print_heads(s, &out)) != 0)
		return r;
	if ((r = print_records(s, &out)) != 0)
		return r;
	return print_signatures(s, &out);
}
