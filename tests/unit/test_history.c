/*
 * Histories: exported chains with signed heads, alone and two sites' against
 * each other.  Here the one who changes something may write the whole chain
 * anew, so only what others hold can tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/audit/history.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/contract_sign.h"

#define GUEST "9999"
#define HOST "10000"
#define JOB "202601010000000000001"
#define N 6

/* A site that has taken part in one job. */
struct told {
	const char *party, *peer;
	struct keys *keys;
	struct audit_record recs[N];
	int n;
	char out[100], in[100], end[200];
};

static struct keys *guest_keys, *host_keys;

static int
set_up(void **state)
{
	uint8_t a[32] = { 1 }, b[32] = { 2 };

	(void)state;
	assert_int_equal(keys_from_seed(a, &guest_keys), 0);
	return keys_from_seed(b, &host_keys);
}

static int
tear_down(void **state)
{
	(void)state;
	keys_free(guest_keys);
	keys_free(host_keys);
	return 0;
}

/* Hashes of records as they are now, from the first on. */
static void
chain(struct told *t)
{
	for (int i = 0; i < t->n; i++) {
		t->recs[i].seq = i + 1;
		if (i > 0)
			memcpy(
			    t->recs[i].prev, t->recs[i - 1].hash, DIGEST_SIZE);
		assert_int_equal(
		    audit_record_hash(&t->recs[i], t->recs[i].hash), 0);
	}
}

static void
tell(struct told *t, const char *party, int sent, int got)
{
	bool guest = strcmp(party, GUEST) == 0;
	static const char *const actions[N] = { "job create", "job start",
		"egress", "ingress", "job end", "log in" };

	memset(t, 0, sizeof(*t));
	t->party = party;
	t->peer = guest ? HOST : GUEST;
	t->keys = guest ? guest_keys : host_keys;
	t->n = N;
	(void)snprintf(
	    t->end, sizeof(t->end), "{\"contract\": \"%064d\", \"run\": 0}", 7);
	(void)snprintf(t->out, sizeof(t->out),
	    "{\"party\": \"%s\", \"run\": 0, \"objects\": 3, \"bytes\": %d}",
	    t->peer, sent);
	(void)snprintf(t->in, sizeof(t->in),
	    "{\"party\": \"%s\", \"run\": 0, \"objects\": 3, \"bytes\": %d}",
	    t->peer, got);
	for (int i = 0; i < N; i++) {
		t->recs[i].at = "2026-01-31T23:59:59.000000Z";
		t->recs[i].actor = party;
		t->recs[i].action = actions[i];
		t->recs[i].subject = JOB;
		t->recs[i].outcome = "success";
		t->recs[i].detail = i == 2   ? t->out
				    : i == 3 ? t->in
				    : i == 5 ? NULL
					     : t->end;
	}
	chain(t);
}

static void
line(struct history *h, struct json_object *o)
{
	const char *text = json_text(o);

	assert_int_equal(history_line(h, text, strlen(text)), 0);
	json_object_put(o);
}

static void
key_line(struct history *h, const char *kind, const char *party,
    const struct keys *k)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	char text[KEYS_TEXT_SIZE];

	keys_public_text(keys_public(k), text);
	json_object_array_add(list, json_object_new_string(text));
	json_add_str(o, "kind", kind);
	json_add_str(o, "form", HISTORY_FORM);
	json_add_str(o, "party", party);
	json_add(o, "keys", list);
	line(h, o);
}

static void
add_hex(struct json_object *o, const char *key, const uint8_t *p, size_t n)
{
	char hex[129];

	str_to_hex(p, n, hex);
	json_add_str(o, key, hex);
}

/* A history of its lines, before anything is checked. */
static struct history *
read_chain(const struct told *t)
{
	struct history *h = history_new();
	struct buf b = BUF_INIT;

	key_line(h, "site", t->party, t->keys);
	key_line(h, "partner", t->peer,
	    t->keys == guest_keys ? host_keys : guest_keys);
	for (int i = 0; i < t->n; i++) {
		buf_clear(&b);
		assert_int_equal(audit_record_line(&t->recs[i], &b), 0);
		assert_int_equal(history_line(h, b.data, b.len), 0);
	}
	buf_fini(&b);
	return h;
}

/* The head that t gave its peer after record seq, as h keeps it. */
static void
keep_head(struct history *h, const struct told *t, int seq, bool seen)
{
	struct audit_head head = { .job_id = JOB,
		.party_id = t->party,
		.peer_id = t->peer,
		.seq = seq };
	struct json_object *o = json_object_new_object();
	uint8_t sig[64];

	memcpy(head.hash, t->recs[seq - 1].hash, DIGEST_SIZE);
	json_add_str(o, "kind", "head");
	json_add_str(o, "job", JOB);
	json_add_str(o, "party", t->party);
	json_add_str(o, "peer", t->peer);
	json_add_int(o, "seq", seq);
	add_hex(o, "hash", head.hash, DIGEST_SIZE);
	assert_int_equal(audit_head_sign(&head, HEAD_OWN, t->keys, sig), 0);
	add_hex(o, "signature", sig, 64);
	assert_int_equal(
	    audit_head_sign(&head, HEAD_SEEN,
		t->keys == guest_keys ? host_keys : guest_keys, sig),
	    0);
	if (seen)
		add_hex(o, "seen", sig, 64);
	else
		json_add_str(o, "seen", NULL);
	line(h, o);
}

/* The one finding, about that record. */
static void
found(struct history *h, int64_t seq, const char *words)
{
	const struct history_finding *f;
	size_t n;

	f = history_findings(h, &n);
	if (n != 1)
		fail_msg("%zu findings: %s", n, n > 0 ? f[0].text : "");
	assert_int_equal(f[0].seq, seq);
	if (strstr(f[0].text, words) == NULL)
		fail_msg("'%s' in '%s'", words, f[0].text);
}

static void
nothing_found(struct history *h)
{
	const struct history_finding *f;
	size_t n;

	f = history_findings(h, &n);
	if (n != 0)
		fail_msg("%s", f[0].text);
}

/* --- alone ---------------------------------------------------------------- */

static void
a_sound_history_matches_its_heads(void **state)
{
	struct told t;
	struct history *h;

	(void)state;
	tell(&t, GUEST, 10, 20);
	h = read_chain(&t);
	keep_head(h, &t, 5, true);
	history_check(h);
	nothing_found(h);
	assert_int_equal(history_records(h), N);
	assert_int_equal(history_heads(h), 1);
	history_free(h);
}

static void
a_cut_tail_shows_against_a_head_that_was_signed(void **state)
{
	struct told t;
	struct history *h;

	(void)state;
	tell(&t, GUEST, 10, 20);
	t.n = 3;
	h = read_chain(&t);
	history_check(h);
	nothing_found(h); /* alone it looks sound */
	keep_head(h, &t, 5, true);
	history_check(h);
	found(h, 4, "record 4 is missing: the chain ends at 3");
	assert_int_equal(history_altered(h), 4);
	history_free(h);
	/* However many heads say so, and whatever stood behind it. */
	tell(&t, GUEST, 10, 20);
	t.n = 1;
	h = read_chain(&t);
	t.n = N;
	keep_head(h, &t, 6, true);
	keep_head(h, &t, 4, true);
	keep_head(h, &t, 5, true);
	history_check(h);
	found(h, 2, "(the first of 3 heads that it signed behind its end)");
	assert_int_equal(history_altered(h), 2);
	history_free(h);
}

static void
heads_of_others_are_held_against_their_keys(void **state)
{
	struct told t, peer;
	struct history *h;

	(void)state;
	tell(&t, GUEST, 10, 20);
	tell(&peer, HOST, 20, 10);
	h = read_chain(&t);
	keep_head(h, &peer, 5, true);
	history_check(h);
	nothing_found(h);
	assert_int_equal(history_kept(h), 1);
	history_free(h);
	h = read_chain(&t);
	keep_head(h, &peer, 5, true);
	peer.keys = guest_keys; /* this site's own, in the partner's name */
	keep_head(h, &peer, 6, false);
	keep_head(h, &peer, 4, false);
	history_check(h);
	found(h, 0,
	    "kept by party " GUEST
	    ", is not signed by a known key of party " HOST
	    " (the first of 2 heads that are not signed)");
	assert_int_equal(history_kept(h), 1);
	assert_int_equal(history_altered(h), 0);
	history_free(h);
}

static void
a_chain_written_anew_shows_from_the_last_head_that_is_right(void **state)
{
	struct told before, after;
	struct history *h;

	(void)state;
	tell(&before, GUEST, 10, 20);
	tell(&after, GUEST, 10, 20);
	after.recs[3].outcome = "failed";
	chain(&after);
	h = read_chain(&after);
	keep_head(h, &before, 2, true);
	keep_head(h, &before, 5, true);
	history_check(h);
	found(h, 3, "records 3 to 5 were written anew");
	assert_int_equal(history_altered(h), 3);
	history_free(h);
}

static void
a_head_with_a_wrong_signature_counts_for_nothing(void **state)
{
	struct told t, forged;
	struct history *h;
	char other[KEYS_TEXT_SIZE];

	(void)state;
	tell(&t, GUEST, 10, 20);
	h = read_chain(&t);
	forged = t;
	forged.keys = host_keys; /* signs, and countersigns, as somebody else */
	keep_head(h, &forged, 5, false);
	history_check(h);
	found(h, 0, "not signed by a known key");
	history_free(h);
	/* A key from elsewhere takes the place of what the file says. */
	h = history_new();
	keys_public_text(keys_public(host_keys), other);
	assert_int_equal(history_trust(h, GUEST, other), 0);
	key_line(h, "site", GUEST, guest_keys);
	keep_head(h, &t, 5, false);
	history_check(h);
	found(h, 0, "not signed by a known key");
	history_free(h);
}

static void
pruned_records_are_stood_for_by_a_signed_checkpoint(void **state)
{
	struct audit_head head = { .job_id = HISTORY_CHECKPOINT_JOB,
		.party_id = GUEST,
		.peer_id = GUEST,
		.seq = 3 };
	struct json_object *o, *c, *keys;
	struct buf b = BUF_INIT;
	char key[KEYS_TEXT_SIZE];
	struct history *h;
	struct told t;
	uint8_t sig[64];

	(void)state;
	tell(&t, GUEST, 10, 20);
	memcpy(head.hash, t.recs[2].hash, DIGEST_SIZE);
	keys_public_text(keys_public(guest_keys), key);
	for (int good = 1; good >= 0; good--) {
		h = history_new();
		o = json_object_new_object();
		c = json_object_new_object();
		keys = json_object_new_array();
		json_object_array_add(keys, json_object_new_string(key));
		json_add_str(o, "kind", "site");
		json_add_str(o, "form", HISTORY_FORM);
		json_add_str(o, "party", GUEST);
		json_add(o, "keys", keys);
		assert_int_equal(audit_head_sign(&head, HEAD_OWN,
				     good ? guest_keys : host_keys, sig),
		    0);
		json_add_int(c, "seq", 3);
		add_hex(c, "hash", head.hash, DIGEST_SIZE);
		add_hex(c, "signature", sig, 64);
		json_add(o, "checkpoint", c);
		line(h, o);
		key_line(h, "partner", HOST, host_keys);
		for (int i = 3; i < N; i++) {
			buf_clear(&b);
			assert_int_equal(audit_record_line(&t.recs[i], &b), 0);
			assert_int_equal(history_line(h, b.data, b.len), 0);
		}
		keep_head(h, &t, 2, true); /* of what was removed */
		keep_head(h, &t, 5, true);
		history_check(h);
		if (good)
			nothing_found(h);
		else
			found(h, 3, "without a checkpoint that the site");
		history_free(h);
	}
	buf_fini(&b);
}

static void
rubbish_is_no_export(void **state)
{
#define SITE                                                                   \
	"{\"kind\":\"site\",\"form\":\"" HISTORY_FORM "\",\"party\":\"9999\","
	static const char *const sites[] = {
		SITE "\"keys\":[null]}",
		SITE "\"keys\":[1]}",
		SITE
		"\"keys\":[],\"checkpoint\":{\"seq\":9223372036854775807}}",
		SITE "\"keys\":[],\"checkpoint\":{\"seq\":-5}}",
	};
#undef SITE
	struct history *h = history_new();

	(void)state;
	assert_int_equal(history_line(h, "{}", 2), ERR_FORMAT);
	assert_int_equal(history_line(h, "x", 1), ERR_FORMAT);
	assert_int_equal(history_line(h, "[1]", 3), ERR_FORMAT);
	for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++)
		assert_int_equal(
		    history_line(h, sites[i], strlen(sites[i])), ERR_FORMAT);
	history_free(h);
	h = history_new();
	key_line(h, "site", GUEST, guest_keys);
	assert_int_equal(history_line(h, "{\"kind\":\"x\"}", 12), ERR_FORMAT);
	/* A broken line inside the chain is a broken record. */
	assert_int_equal(history_line(h, "{\"seq\":1,", 9), 0);
	history_check(h);
	found(h, 1, "line 3 is no JSON");
	history_free(h);
}

/* --- signatures ----------------------------------------------------------- */

#define CONTRACT                                                               \
	"00000000000000000000000000000000000000000000000000000000000000"       \
	"07" /* tell()'s */
#define OTHER_CONTRACT                                                         \
	"00000000000000000000000000000000000000000000000000000000000000"       \
	"08"
#define AT_S INT64_C(1767225600) /* a month before the records */

/* What a member signs, and what then stands there instead. */
struct signing {
	const char *party;
	bool by_other; /* with the other's key */
	const char *over;
	const char *note; /* NULL: a contract */
	const char *hash, *text, *other_note;
	bool is_unsigned;
};

static void
sign_line(struct history *h, const struct signing *w)
{
	struct json_object *o = json_object_new_object();
	bool host = str_eq(w->party, HOST);
	const struct keys *k = host != w->by_other ? host_keys : guest_keys;
	uint8_t hash[32], sig[64];
	char id[KEYS_ID_SIZE];
	struct decision_statement d = { .contract = { .job_id = JOB,
					    .role = host ? "host" : "guest",
					    .party_id = w->party,
					    .signed_s = AT_S,
					    .hash = hash },
		.rule = 7,
		.subject = "dataset loans",
		.decision = "approved",
		.decided_by = "mia",
		.note = w->note };

	assert_int_equal(str_from_hex(w->over, hash, 32), 0);
	if (w->note != NULL)
		decision_sign(k, &d, sig);
	else
		contract_sign(k, &d.contract, sig);
	keys_id(keys_public(k), id);
	json_add_str(o, "kind", w->note != NULL ? "decision" : "contract");
	json_add_str(o, "job", JOB);
	json_add_int(o, "revision", 0);
	json_add_str(o, "role", d.contract.role);
	json_add_str(o, "party", w->party);
	json_add_str(o, "key_id", id);
	json_add_int(o, "at", AT_S);
	json_add_str(o, "hash", w->hash);
	json_add_str(o, "text", w->text);
	if (w->is_unsigned)
		json_add_str(o, "signature", "");
	else
		add_hex(o, "signature", sig, 64);
	if (w->note != NULL) {
		json_add_int(o, "rule", 7);
		json_add_str(o, "subject", d.subject);
		json_add_str(o, "decision", d.decision);
		json_add_str(o, "by", d.decided_by);
		json_add_str(
		    o, "note", w->other_note != NULL ? w->other_note : w->note);
	}
	line(h, o);
}

/* The history of a job, in which a person approved if wanted. */
static struct history *
read_job(struct told *t, bool approved)
{
	tell(t, GUEST, 10, 20);
	if (approved) {
		t->recs[5].action = "approval";
		t->recs[5].outcome = "approved";
		t->recs[5].detail = "dataset loans";
		chain(t);
	}
	return read_chain(t);
}

static const struct signing contract_of_guest = {
	.party = GUEST, .over = CONTRACT, .hash = CONTRACT, .text = CONTRACT
};
static const struct signing approval = { .party = GUEST,
	.over = CONTRACT,
	.note = "fine",
	.hash = CONTRACT,
	.text = CONTRACT };

static void
signatures_of_all_members_and_decisions_are_right(void **state)
{
	/* Of a job that has a later contract by now; and of an upload. */
	const struct signing host = { .party = HOST, .over = CONTRACT };
	const struct signing local = { .party = "0", .over = CONTRACT };
	struct told t;
	struct history *h = read_job(&t, true);

	(void)state;
	sign_line(h, &contract_of_guest);
	sign_line(h, &host);
	sign_line(h, &local);
	sign_line(h, &approval);
	history_check(h);
	nothing_found(h);
	assert_int_equal(history_signatures(h), 4);
	history_free(h);
}

static void
the_first_wrong_signature_under_a_contract_is_named(void **state)
{
	static const struct {
		struct signing s;
		int64_t seq;
		const char *words;
	} cases[] = {
		{ { .party = HOST, .by_other = true, .over = CONTRACT }, 0,
		    "host 10000: the signature is none of key" },
		/* another contract than the records say */
		{ { .party = HOST, .over = OTHER_CONTRACT }, 0,
		    "the signature is none of key" },
		{ { .party = HOST,
		      .over = OTHER_CONTRACT,
		      .hash = OTHER_CONTRACT,
		      .text = OTHER_CONTRACT },
		    1, "record 1 says 0000" },
		{ { .party = HOST,
		      .over = CONTRACT,
		      .hash = CONTRACT,
		      .text = OTHER_CONTRACT },
		    0, "the contract's text was changed" },
		{ { .party = HOST, .over = CONTRACT, .is_unsigned = true }, 0,
		    "the signature is none of key" },
	};
	struct told t;
	struct history *h;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h = read_job(&t, false);
		sign_line(h, &contract_of_guest);
		sign_line(h, &cases[i].s);
		history_check(h);
		found(h, cases[i].seq, cases[i].words);
		assert_int_equal(history_signatures(h), 1);
		history_free(h);
	}
	h = read_job(&t, false);
	sign_line(h, &cases[0].s);
	sign_line(h, &cases[1].s);
	history_check(h);
	found(h, 0, "the first of 2 signatures under contracts");
	history_free(h);
}

static void
a_decision_that_was_altered_forged_or_taken_away_is_named(void **state)
{
	struct signing altered = approval, forged = approval, bare = approval;
	struct {
		bool approved; /* by the chain */
		const struct signing *first, *second;
		int64_t seq;
		const char *words;
	} cases[] = {
		{ true, &altered, NULL, 0,
		    "(approved by mia: fine, and for good) is not what key" },
		{ true, &forged, NULL, 0, "is not what key" },
		/* One that nobody made, even if it is well signed. */
		{ false, &approval, NULL, 0, "of which no record knows" },
		{ true, &approval, &approval, 0, "of which no record knows" },
		{ true, &contract_of_guest, NULL, 6,
		    "'dataset loans' was approved, and that decision is" },
		{ true, &contract_of_guest, &bare, 0,
		    "is not signed, and the contract is" },
	};

	(void)state;
	altered.other_note = "fine, and for good";
	forged.by_other = true;
	bare.is_unsigned = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct told t;
		struct history *h = read_job(&t, cases[i].approved);

		sign_line(h, cases[i].first);
		if (cases[i].second != NULL)
			sign_line(h, cases[i].second);
		history_check(h);
		found(h, cases[i].seq, cases[i].words);
		history_free(h);
	}
}

static void
rows_without_a_link_are_named(void **state)
{
	struct history *h = history_new();
	static const char site[] =
	    "{\"kind\":\"site\",\"form\":\"" HISTORY_FORM
	    "\",\"party\":\"9999\",\"keys\":[],\"unchained\":2,"
	    "\"unchained_id\":31}";

	(void)state;
	assert_int_equal(history_line(h, site, strlen(site)), 0);
	history_check(h);
	found(h, 0,
	    "2 rows were not chained within the seconds that this "
	    "takes; the first is audit row 31");
	history_free(h);
}

/* --- two ------------------------------------------------------------------ */

/* The findings about one and other, after both were checked alone. */
static void
compare(struct told *a, struct told *b, struct history **one,
    struct history **other)
{
	*one = read_chain(a);
	*other = read_chain(b);
	history_check(*one);
	history_check(*other);
	history_compare(*one, *other);
}

static void
two_sites_that_say_the_same_agree(void **state)
{
	struct told a, b;
	struct history *one, *other;

	(void)state;
	tell(&a, GUEST, 10, 20);
	tell(&b, HOST, 20, 10);
	compare(&a, &b, &one, &other);
	nothing_found(one);
	nothing_found(other);
	assert_int_equal(history_jobs_compared(one), 1);
	history_free(one);
	history_free(other);
}

static void
bytes_that_do_not_add_up_are_named_with_their_record(void **state)
{
	struct told a, b;
	struct history *one, *other;

	(void)state;
	tell(&a, GUEST, 9, 20);
	tell(&b, HOST, 20, 10);
	compare(&a, &b, &one, &other);
	found(one, 3, "9 bytes left for party " HOST);
	nothing_found(other);
	history_free(one);
	history_free(other);
	/* One that keeps silent about what came from it. */
	tell(&a, GUEST, 10, 20);
	tell(&b, HOST, 20, 10);
	a.recs[2].action = "nothing";
	chain(&a);
	compare(&a, &b, &one, &other);
	nothing_found(one);
	found(other, 4, "whose chain says nothing of them");
	history_free(one);
	history_free(other);
}

static void
another_contract_another_end_and_no_start_are_named(void **state)
{
	struct told a, b;
	struct history *one, *other;

	(void)state;
	tell(&a, GUEST, 10, 20);
	tell(&b, HOST, 20, 10);
	a.recs[4].detail = "{\"contract\": \"00\", \"run\": 0}";
	chain(&a);
	compare(&a, &b, &one, &other);
	found(one, 5, "has contract 00");
	history_free(one);
	history_free(other);
	tell(&a, GUEST, 10, 20);
	b.recs[4].outcome = "failed";
	chain(&b);
	compare(&a, &b, &one, &other);
	found(one, 5, "ended with success by record 5, with failed by");
	history_free(one);
	history_free(other);
	tell(&b, HOST, 20, 10);
	b.recs[1].action = "nothing";
	chain(&b);
	compare(&a, &b, &one, &other);
	found(one, 5, "its start is missing from the chain of party " HOST);
	history_free(one);
	history_free(other);
}

static void
a_chain_without_the_job_or_with_another_past_is_named(void **state)
{
	struct told a, b, anew;
	struct history *one, *other;

	(void)state;
	tell(&a, GUEST, 10, 20);
	tell(&b, HOST, 20, 10);
	for (int i = 0; i < N; i++)
		b.recs[i].subject = "something else";
	chain(&b);
	compare(&a, &b, &one, &other);
	found(other, 0, "whose chain knows no such job");
	history_free(one);
	history_free(other);
	/* In one that was cut off nothing is missed behind the cut. */
	one = read_chain(&a);
	keep_head(one, &b, 6, true);
	b.n = 1;
	other = read_chain(&b);
	history_check(one);
	history_check(other);
	history_compare(one, other);
	found(other, 2, "record 2 is missing: the chain ends at 1");
	history_free(one);
	history_free(other);
	/* The other one holds the head of what was there before. */
	tell(&b, HOST, 20, 10);
	tell(&anew, HOST, 20, 10);
	anew.recs[5].action = "log out";
	chain(&anew);
	one = read_chain(&a);
	keep_head(one, &b, 6, true);
	other = read_chain(&anew);
	history_check(one);
	history_check(other);
	nothing_found(other);
	history_compare(one, other);
	found(other, 1, "records 1 to 6 were written anew");
	history_free(one);
	history_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_history_matches_its_heads),
		cmocka_unit_test(
		    a_cut_tail_shows_against_a_head_that_was_signed),
		cmocka_unit_test(
		    a_chain_written_anew_shows_from_the_last_head_that_is_right),
		cmocka_unit_test(heads_of_others_are_held_against_their_keys),
		cmocka_unit_test(
		    a_head_with_a_wrong_signature_counts_for_nothing),
		cmocka_unit_test(
		    pruned_records_are_stood_for_by_a_signed_checkpoint),
		cmocka_unit_test(rubbish_is_no_export),
		cmocka_unit_test(
		    signatures_of_all_members_and_decisions_are_right),
		cmocka_unit_test(
		    the_first_wrong_signature_under_a_contract_is_named),
		cmocka_unit_test(
		    a_decision_that_was_altered_forged_or_taken_away_is_named),
		cmocka_unit_test(rows_without_a_link_are_named),
		cmocka_unit_test(two_sites_that_say_the_same_agree),
		cmocka_unit_test(
		    bytes_that_do_not_add_up_are_named_with_their_record),
		cmocka_unit_test(
		    another_contract_another_end_and_no_start_are_named),
		cmocka_unit_test(
		    a_chain_without_the_job_or_with_another_past_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
