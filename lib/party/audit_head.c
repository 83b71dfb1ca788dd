/*
 * Heads of audit chains between sites.  Called by fcgi-app (errand) and by
 * the supervisor's heads.c for the answers to its own.
 */
#include "lib/party/audit_head.h"

#include "lib/audit/head.h"
#include "lib/audit/record.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_tx.h"
#include "lib/json/decode.h"

#define RUN_MAX 1000000000
#define ERROR_MAX 8192 /* as long as words of ours */
#define HEX(n) (2 * (n))

struct heads_body {
	struct json_object *heads;
};

struct head_body {
	const char *job_id;
	int64_t run;
	struct json_object *head;
	const char *seen;
	const char *error;
};

struct head_part {
	int64_t seq;
	const char *hash;
	const char *signature;
};

static const struct json_field heads_fields[] = {
	JSON_ARR(struct heads_body, heads, 1, AUDIT_HEADS_MAX, JSON_REQUIRED),
};
static const struct json_field body_fields[] = {
	JSON_STR(struct head_body, job_id, 14, 25, JSON_REQUIRED),
	JSON_INT(struct head_body, run, 0, RUN_MAX, JSON_REQUIRED),
	JSON_OBJ(struct head_body, head, JSON_NULLABLE),
	JSON_STR(struct head_body, seen, HEX(KEYS_SIGNATURE_SIZE),
	    HEX(KEYS_SIGNATURE_SIZE), JSON_NULLABLE),
	JSON_STR(struct head_body, error, 0, ERROR_MAX, JSON_NULLABLE),
};
static const struct json_field head_fields[] = {
	JSON_INT(struct head_part, seq, 1, AUDIT_SEQ_MAX, JSON_REQUIRED),
	JSON_STR(struct head_part, hash, HEX(DIGEST_SIZE), HEX(DIGEST_SIZE),
	    JSON_REQUIRED),
	JSON_STR(struct head_part, signature, HEX(KEYS_SIGNATURE_SIZE),
	    HEX(KEYS_SIGNATURE_SIZE), JSON_REQUIRED),
};

static struct json_object *
tell_one(const struct db_exchange *x)
{
	struct json_object *o = json_object_new_object(), *head;

	json_add_str(o, "job_id", x->job_id);
	json_add_int(o, "run", x->run);
	if (x->error != NULL) {
		json_add_str(o, "error", x->error);
		return o;
	}
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

struct json_object *
audit_heads_tell(const struct db_exchange *rows, size_t n)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, tell_one(&rows[i]));
	json_add(o, "heads", list);
	return o;
}

/* --- what the other site says --------------------------------------------- */

/* What it says about one job. */
struct saying {
	struct head_body body;
	struct head_part part;
};

static int
decode_one(struct json_object *o, struct faults *faults, struct saying *s)
{
	int r;

	*s = (struct saying){ .body = { .seen = NULL } };
	r = json_decode(o, JSON_FIELDS(body_fields), JSON_IGNORE_UNKNOWN, NULL,
	    faults, &s->body);
	if (r == 0 && !str_is_job_id(s->body.job_id)) {
		faults_add(faults, JSON_PATH_KEY(NULL, "job_id"),
		    "'%.40s' is no job id", s->body.job_id);
		return ERR_INVALID;
	}
	if (r != 0 || s->body.head == NULL)
		return r;
	return json_decode(s->body.head, JSON_FIELDS(head_fields),
	    JSON_IGNORE_UNKNOWN, NULL, faults, &s->part);
}

static int
decode(
    struct json_object *said, struct arena *a, struct saying **out, size_t *n)
{
	struct faults faults = FAULTS_INIT;
	struct heads_body body = { .heads = NULL };
	size_t count = 0;
	int r;

	*n = 0;
	if ((r = json_decode(said, JSON_FIELDS(heads_fields),
		 JSON_IGNORE_UNKNOWN, NULL, &faults, &body)) == 0)
		count = json_object_array_length(body.heads);
	*out = arena_alloc(a, (count + 1) * sizeof(**out));
	for (; r == 0 && *n < count; (*n)++)
		r = decode_one(json_object_array_get_idx(body.heads, *n),
		    &faults, &(*out)[*n]);
	if (r != 0)
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
	const char *own_party;
	struct signer peer;
	struct db_exchange *news; /* what is to be kept */
	size_t n;
};

static const struct db_exchange *
find(const struct db_exchange *rows, size_t n, const char *job_id, int64_t run)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].run == run && str_eq(rows[i].job_id, job_id))
			return &rows[i];
	return NULL;
}

static int
record(struct db *db, const struct taking *t, const struct db_exchange *x)
{
	return db_audit_add(
	    db, &(struct db_audit){ .actor = db_actor(db),
		    .action = "head",
		    .subject = x->job_id,
		    .outcome = "ok",
		    .detail = arena_printf(t->arena,
			"{\"party\":\"%s\",\"seq\":%lld,\"hash\":\"%s\","
			"\"signature\":\"%s\"}",
			t->peer.party_id, (long long)x->peer.seq, x->peer.hash,
			x->peer.sign) });
}

static int
keep_tx(struct db *db, void *ctx)
{
	struct taking *t = ctx;
	struct db_exchange *rows;
	size_t n;
	int r;

	if ((r = db_exchange_some(db, t->arena, t->peer.party_id, t->news, t->n,
		 true, &rows, &n)) != 0 ||
	    (r = db_exchange_put_peer(db, t->peer.party_id, t->news, t->n)) !=
		0)
		return r;
	for (size_t i = 0; r == 0 && i < t->n; i++) {
		const struct db_exchange *h = &t->news[i];
		const struct db_exchange *before =
		    find(rows, n, h->job_id, h->run);

		/* It may have come by the other way since it was read. */
		if (h->peer.seq != 0 && before != NULL && before->peer.seq == 0)
			r = record(db, t, h);
	}
	return r;
}

/* Only what is new and right comes into news. */
static int
judge(const struct taking *t, const struct db_exchange *x,
    const struct saying *s, struct db_exchange *news)
{
	struct audit_head theirs = { .job_id = x->job_id,
		.party_id = x->peer_id,
		.peer_id = t->own_party,
		.seq = s->part.seq };
	struct audit_head ours = { .job_id = x->job_id,
		.party_id = t->own_party,
		.peer_id = x->peer_id,
		.seq = x->own.seq };
	int r;

	*news = (struct db_exchange){ .job_id = x->job_id, .run = x->run };
	if (s->body.head != NULL) {
		if ((r = check(&t->peer, &theirs, HEAD_OWN, s->part.hash,
			 s->part.signature)) != 0)
			return r;
		if (x->peer.seq == 0)
			news->peer = (struct db_exchange_head){ s->part.seq,
				s->part.hash, s->part.signature, NULL };
		else if (x->peer.seq != s->part.seq ||
			 !str_eq(x->peer.hash, s->part.hash))
			return err_set(ERR_CONFLICT,
			    "party %s told another head at the end of job %s",
			    x->peer_id, x->job_id);
	}
	if (s->body.seen != NULL && x->own.seq != 0 && x->own.seen == NULL) {
		if ((r = check(&t->peer, &ours, HEAD_SEEN, x->own.hash,
			 s->body.seen)) != 0)
			return r;
		news->own.seen = s->body.seen;
	}
	return 0;
}

static const struct saying *
said_of(const struct saying *list, size_t n, const struct db_exchange *x)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].body.run == x->run &&
		    str_eq(list[i].body.job_id, x->job_id))
			return &list[i];
	return NULL;
}

/* One that is wrong keeps no other from being kept. */
static void
judge_one(struct taking *t, struct db_exchange *x, const struct saying *s)
{
	struct db_exchange *news = &t->news[t->n];

	if (s == NULL)
		x->error = "it says nothing of this job";
	else if (s->body.error != NULL)
		x->error = arena_strdup(t->arena, s->body.error);
	if (x->error != NULL) {
		x->told = 0;
		return;
	}
	if (judge(t, x, s, news) != 0) {
		log_err("job=%s head of party %s", x->job_id, x->peer_id);
		x->error = arena_strdup(t->arena, err_text());
		err_clear();
	} else if (news->peer.seq != 0 || news->own.seen != NULL)
		t->n++;
}

static int
take(struct db *db, struct taking *t, struct db_exchange *rows, size_t n,
    const struct saying *list, size_t nlist)
{
	struct db_partner_key *keys;
	int r;

	if ((r = db_partner_key_list(
		 db, t->arena, t->peer.party_id, true, &keys, &t->peer.n)) != 0)
		return r;
	t->peer.keys = keys;
	t->news = arena_alloc(t->arena, (n + 1) * sizeof(*t->news));
	for (size_t i = 0; i < n; i++)
		judge_one(t, &rows[i], said_of(list, nlist, &rows[i]));
	return t->n == 0 ? 0 : db_tx(db, keep_tx, t);
}

int
audit_heads_take(struct db *db, struct arena *a, const char *own_party,
    const char *peer_id, struct db_exchange *rows, size_t n,
    struct json_object *said)
{
	struct taking t = { .arena = a,
		.own_party = own_party,
		.peer = { .party_id = peer_id } };
	struct saying *list;
	size_t nlist;
	int r;

	if ((r = decode(said, a, &list, &nlist)) != 0)
		return r;
	return take(db, &t, rows, n, list, nlist);
}

/* Each once, whatever was sent: of two the first counts. */
static size_t
keys_of(const struct saying *list, size_t nlist, struct db_exchange *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < nlist; i++) {
		const struct head_body *b = &list[i].body;

		if (find(keys, n, b->job_id, b->run) == NULL)
			keys[n++] = (struct db_exchange){ .job_id = b->job_id,
				.run = b->run };
	}
	return n;
}

/* All that was asked about is answered, in the same order. */
static struct json_object *
answer_of(const struct db_exchange *asked, size_t nasked,
    const struct db_exchange *rows, size_t n, struct arena *a)
{
	struct db_exchange *all = arena_alloc(a, (nasked + 1) * sizeof(*all));
	const struct db_exchange *x;

	for (size_t i = 0; i < nasked; i++) {
		all[i] = asked[i];
		x = find(rows, n, asked[i].job_id, asked[i].run);
		if (x != NULL)
			all[i] = *x;
		else
			all[i].error = arena_printf(
			    a, "job %.30s has not ended here", asked[i].job_id);
	}
	return audit_heads_tell(all, nasked);
}

int
audit_heads_errand(const struct errand_ask *ask)
{
	struct taking t = { .arena = ask->arena,
		.own_party = ask->conf->party_id,
		.peer = { .party_id = ask->caller->party_id } };
	struct db_exchange *asked, *rows;
	struct saying *list;
	size_t n, nlist, nrows;
	int r;

	if ((r = decode(ask->body, ask->arena, &list, &nlist)) != 0)
		return r;
	asked = arena_alloc(ask->arena, (nlist + 1) * sizeof(*asked));
	n = keys_of(list, nlist, asked);
	if ((r = db_exchange_some(ask->db, ask->arena, t.peer.party_id, asked,
		 n, false, &rows, &nrows)) != 0 ||
	    (r = take(ask->db, &t, rows, nrows, list, nlist)) != 0)
		return r;
	*ask->data = answer_of(asked, n, rows, nrows, ask->arena);
	return 0;
}
