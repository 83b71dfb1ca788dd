/*
 * Heads of audit chains between sites.  Called by fcgi-app (errand) and by
 * the supervisor's heads.c for the answers to its own.
 */
#include "lib/party/audit_head.h"

#include "lib/audit/head.h"
#include "lib/audit/record.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_tx.h"
#include "lib/json/decode.h"

#define RUN_MAX 1000000000
#define HEX(n) (2 * (n))

struct head_body {
	const char *job_id;
	int64_t run;
	struct json_object *head;
	const char *seen;
};

struct head_part {
	int64_t seq;
	const char *hash;
	const char *signature;
};

static const struct json_field body_fields[] = {
	JSON_STR(struct head_body, job_id, 14, 25, JSON_REQUIRED),
	JSON_INT(struct head_body, run, 0, RUN_MAX, JSON_REQUIRED),
	JSON_OBJ(struct head_body, head, JSON_NULLABLE),
	JSON_STR(struct head_body, seen, HEX(KEYS_SIGNATURE_SIZE),
	    HEX(KEYS_SIGNATURE_SIZE), JSON_NULLABLE),
};
static const struct json_field head_fields[] = {
	JSON_INT(struct head_part, seq, 1, AUDIT_SEQ_MAX, JSON_REQUIRED),
	JSON_STR(struct head_part, hash, HEX(DIGEST_SIZE), HEX(DIGEST_SIZE),
	    JSON_REQUIRED),
	JSON_STR(struct head_part, signature, HEX(KEYS_SIGNATURE_SIZE),
	    HEX(KEYS_SIGNATURE_SIZE), JSON_REQUIRED),
};

struct json_object *
audit_head_tell(const struct db_exchange *x)
{
	struct json_object *o = json_object_new_object(), *head;

	json_add_str(o, "job_id", x->job_id);
	json_add_int(o, "run", x->run);
	if (x->own.seq != 0) {
		head = json_object_new_object();
		json_add_int(head, "seq", x->own.seq);
		json_add_str(head, "hash", x->own.hash);
		json_add_str(head, "signature", x->own.sign);
		json_add(o, "head", head);
	}
	if (x->peer.seen != NULL)
		json_add_str(o, "seen", x->peer.seen);
	return o;
}

/* --- what the other site says --------------------------------------------- */

static int
decode(struct json_object *said, struct head_body *body, struct head_part *part)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	*body = (struct head_body){ .seen = NULL };
	*part = (struct head_part){ .seq = 0 };
	if (json_decode(said, JSON_FIELDS(body_fields), JSON_IGNORE_UNKNOWN,
		NULL, &faults, body) != 0 ||
	    (body->head != NULL &&
		json_decode(body->head, JSON_FIELDS(head_fields),
		    JSON_IGNORE_UNKNOWN, NULL, &faults, part) != 0))
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	return r;
}

struct signer {
	const char *party_id;
	const struct db_partner_key *keys; /* that count now */
	size_t n;
};

/* The job's other site must have signed it, with one of its keys. */
static int
check(const struct signer *p, struct audit_head *h, enum head_kind kind,
    const char *hash, const char *signature)
{
	uint8_t bytes[KEYS_SIGNATURE_SIZE], key[KEYS_PUBLIC_SIZE];
	int r;

	if ((r = str_from_hex(hash, h->hash, sizeof(h->hash))) != 0 ||
	    (r = str_from_hex(signature, bytes, sizeof(bytes))) != 0)
		return err_set(ERR_FORMAT, "hash or signature is not hex");
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->keys[i].kind, DB_KEY_SIGN) &&
		    keys_public_parse(p->keys[i].material, key) == 0 &&
		    audit_head_verify(h, kind, key, bytes) == 0)
			return 0;
	return err_set(ERR_AUTH,
	    "%s of job %s is not signed by a key of party %s",
	    kind == HEAD_OWN ? "the head" : "the countersignature", h->job_id,
	    p->party_id);
}

struct taking {
	struct arena *arena;
	const struct db_exchange *row; /* before */
	struct db_exchange news;
};

static int
keep_tx(struct db *db, void *ctx)
{
	struct taking *t = ctx;
	const struct db_exchange_head *h = &t->news.peer;
	struct db_exchange *before;
	int r;

	if ((r = db_exchange_get(db, t->arena, t->news.job_id, t->news.run,
		 t->news.peer_id, &before)) != 0 ||
	    (r = db_exchange_put_peer(db, &t->news)) != 0 ||
	    (r = db_exchange_put_own(db, &t->news)) != 0)
		return r;
	/* It may have come by the other way since the row was read. */
	if (h->seq == 0 || before->peer.seq != 0)
		return 0;
	return db_audit_add(db,
	    &(struct db_audit){ .actor = db_actor(db),
		.action = "head",
		.subject = t->news.job_id,
		.outcome = "ok",
		.detail = arena_printf(t->arena,
		    "{\"party\":\"%s\",\"seq\":%lld,\"hash\":\"%s\","
		    "\"signature\":\"%s\"}",
		    t->news.peer_id, (long long)h->seq, h->hash, h->sign) });
}

/* Only what is new and right comes into news. */
static int
judge(struct taking *t, const char *own_party, const struct signer *p,
    const struct head_body *body, const struct head_part *part)
{
	const struct db_exchange *x = t->row;
	struct audit_head theirs = { .job_id = x->job_id,
		.party_id = x->peer_id,
		.peer_id = own_party,
		.seq = part->seq };
	struct audit_head ours = { .job_id = x->job_id,
		.party_id = own_party,
		.peer_id = x->peer_id,
		.seq = x->own.seq };
	int r;

	if (body->head != NULL) {
		if ((r = check(p, &theirs, HEAD_OWN, part->hash,
			 part->signature)) != 0)
			return r;
		if (x->peer.seq == 0)
			t->news.peer = (struct db_exchange_head){ part->seq,
				part->hash, part->signature, NULL };
		else if (x->peer.seq != part->seq ||
			 !str_eq(x->peer.hash, part->hash))
			return err_set(ERR_CONFLICT,
			    "party %s told another head at the end of job %s",
			    x->peer_id, x->job_id);
	}
	if (body->seen != NULL && x->own.seq != 0 && x->own.seen == NULL) {
		if ((r = check(p, &ours, HEAD_SEEN, x->own.hash, body->seen)) !=
		    0)
			return r;
		t->news.own.seen = body->seen;
	}
	return 0;
}

int
audit_head_take(struct db *db, struct arena *a, const char *own_party,
    const struct db_exchange *x, struct json_object *said)
{
	struct taking t = { .arena = a, .row = x };
	struct head_body body;
	struct head_part part;
	struct signer p = { .party_id = x->peer_id };
	struct db_partner_key *keys;
	int r;

	if ((r = decode(said, &body, &part)) != 0 ||
	    (r = db_partner_key_list(db, a, x->peer_id, true, &keys, &p.n)) !=
		0)
		return r;
	p.keys = keys;
	if (!str_eq(body.job_id, x->job_id) || body.run != x->run)
		return err_set(ERR_INVALID, "it speaks of another job or run");
	t.news = (struct db_exchange){
		.job_id = x->job_id, .run = x->run, .peer_id = x->peer_id
	};
	if ((r = judge(&t, own_party, &p, &body, &part)) != 0)
		return r;
	if (t.news.peer.seq == 0 && t.news.own.seen == NULL)
		return 0;
	return db_tx(db, keep_tx, &t);
}

int
audit_head_errand(const struct errand_ask *ask)
{
	struct head_body body;
	struct head_part part;
	struct db_exchange *x;
	int r;

	if ((r = decode(ask->body, &body, &part)) != 0)
		return r;
	r = db_exchange_get(ask->db, ask->arena, body.job_id, body.run,
	    ask->caller->party_id, &x);
	if (r == ERR_NOT_FOUND)
		return err_set(ERR_BUSY, "%s", err_text());
	if (r != 0 || (r = audit_head_take(ask->db, ask->arena,
			   ask->conf->party_id, x, ask->body)) != 0)
		return r;
	*ask->data = audit_head_tell(x);
	return 0;
}
