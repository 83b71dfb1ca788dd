/*
 * The audit chain: what its hashes cover, what a checker finds, how rows of
 * many writers become one chain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/audit/chain.h"
#include "lib/audit/compare.h"
#include "lib/audit/head.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_audit_chain.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_tx.h"
#include "lib/party/audit_head.h"
#include "supervisor/finding.h"
#include "supervisor/sealer.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define N 8
#define J1 "202601010000000000001"
#define J2 "202601010000000000002"

static void
make_chain(struct audit_record *recs, int n)
{
	static const char *const words[] = { "one", "two", "three" };

	memset(recs, 0, (size_t)n * sizeof(*recs));
	for (int i = 0; i < n; i++) {
		recs[i].seq = i + 1;
		recs[i].at = "2026-01-31T23:59:59.123456Z";
		recs[i].actor = "party 10000";
		recs[i].action = "request";
		recs[i].subject = words[i % 3];
		recs[i].outcome = "refused";
		recs[i].detail = i == 0 ? NULL : "caf\xc3\xa9 \"x\"\n";
		if (i > 0)
			memcpy(recs[i].prev, recs[i - 1].hash, DIGEST_SIZE);
		assert_int_equal(audit_record_hash(&recs[i], recs[i].hash), 0);
	}
}

/* The seq of the first fault, 0 for none; recs are given in this order. */
static int64_t
fault_of(const struct audit_record *recs, int n, const char *word)
{
	struct chain c = { .seq = 0 };
	int64_t seq;

	for (int i = 0; i < n; i++)
		(void)chain_add(&c, &recs[i]);
	seq = c.fault_seq;
	if (word != NULL) {
		assert_non_null(c.fault);
		if (strstr(c.fault, word) == NULL)
			fail_msg("'%s' in '%s'", word, c.fault);
	}
	chain_fini(&c);
	return seq;
}

/* Worked out by another program from the header's words. */
static void
hashes_are_those_of_the_published_construction(void **state)
{
	struct audit_record recs[2];
	char hex[65];

	(void)state;
	make_chain(recs, 2);
	str_to_hex(recs[0].hash, 32, hex);
	assert_string_equal(hex,
	    "5af38095ed984f6ca6a71b77213e251e24f0d7a910e8ffdef803ec149a39288c");
	str_to_hex(recs[1].hash, 32, hex);
	assert_string_equal(hex,
	    "61be0cabbd56413260ae72b330501af7acf6226614a9b502f56b5d2e89e2c02e");
}

static void
a_record_survives_its_line(void **state)
{
	struct audit_record recs[N], back;
	struct json_object *o;
	struct buf b = BUF_INIT;

	(void)state;
	make_chain(recs, N);
	for (int i = 0; i < N; i++) {
		buf_clear(&b);
		assert_int_equal(audit_record_line(&recs[i], &b), 0);
		assert_int_equal(json_parse_text(buf_str(&b), &o), 0);
		assert_int_equal(audit_record_parse(o, &back), 0);
		assert_int_equal(back.seq, recs[i].seq);
		assert_memory_equal(back.hash, recs[i].hash, 32);
		assert_int_equal(audit_record_hash(&back, back.prev), 0);
		assert_memory_equal(back.prev, recs[i].hash, 32);
		/* What no hash covers is no part of a record. */
		json_add_str(o, "note", "x");
		assert_int_equal(audit_record_parse(o, &back), ERR_FORMAT);
		json_object_put(o);
	}
	buf_fini(&b);
}

static void
each_altered_field_names_its_record(void **state)
{
	struct audit_record recs[N];

	(void)state;
	make_chain(recs, N);
	assert_int_equal(fault_of(recs, N, NULL), 0);
#define ALTERED(change)                                                        \
	do {                                                                   \
		make_chain(recs, N);                                           \
		change;                                                        \
		assert_int_equal(fault_of(recs, N, "was altered"), 5);         \
	} while (0)
	ALTERED(recs[4].at = "2026-01-31T23:59:59.123457Z");
	ALTERED(recs[4].actor = "party 10001");
	ALTERED(recs[4].action = "requests");
	ALTERED(recs[4].subject = "twp");
	ALTERED(recs[4].outcome = "ok");
	ALTERED(recs[4].detail = "");
	ALTERED(recs[4].detail = NULL);
	ALTERED(recs[4].prev[31] ^= 1);
	ALTERED(recs[4].hash[0] ^= 1);
	/* By somebody who knows how to make a hash. */
	ALTERED(recs[4].outcome = "ok";
		(void)audit_record_hash(&recs[4], recs[4].hash));
#undef ALTERED
}

static void
missing_inserted_and_moved_records_are_named(void **state)
{
	struct audit_record recs[N + 1], one;

	(void)state;
	make_chain(recs, N);
	memmove(&recs[3], &recs[4], (N - 4) * sizeof(recs[0]));
	assert_int_equal(fault_of(recs, N - 1, "is missing"), 4);
	make_chain(recs, N);
	assert_int_equal(fault_of(recs + 1, N - 1, "is missing"), 1);
	make_chain(recs, N);
	one = recs[3];
	recs[3] = recs[4];
	recs[4] = one;
	assert_int_equal(fault_of(recs, N, "is missing: 5"), 4);
	/* A record that fits, before the one whose place it took. */
	make_chain(recs, N);
	memmove(&recs[4], &recs[3], (N - 3) * sizeof(recs[0]));
	recs[3].subject = "never happened";
	assert_int_equal(audit_record_hash(&recs[3], recs[3].hash), 0);
	assert_int_equal(fault_of(recs, N + 1, "put in"), 4);
	/* The whole tail: only a head that was signed tells. */
	make_chain(recs, N);
	assert_int_equal(fault_of(recs, 3, NULL), 0);
}

static void
heads_are_signed_for_one_use(void **state)
{
	struct audit_head h = {
		.job_id = J1, .party_id = "9999", .peer_id = "10000", .seq = 7
	};
	uint8_t seed[32] = { 1 }, own[64], seen[64];
	struct keys *k;

	(void)state;
	assert_int_equal(keys_from_seed(seed, &k), 0);
	assert_int_equal(audit_head_sign(&h, HEAD_OWN, k, own), 0);
	assert_int_equal(audit_head_sign(&h, HEAD_SEEN, k, seen), 0);
	assert_int_equal(
	    audit_head_verify(&h, HEAD_OWN, keys_public(k), own), 0);
	assert_int_equal(
	    audit_head_verify(&h, HEAD_SEEN, keys_public(k), own), ERR_AUTH);
	h.seq++;
	assert_int_equal(
	    audit_head_verify(&h, HEAD_OWN, keys_public(k), own), ERR_AUTH);
	h.seq--;
	h.peer_id = "10001";
	assert_int_equal(
	    audit_head_verify(&h, HEAD_OWN, keys_public(k), own), ERR_AUTH);
	keys_free(k);
}

/* --- a ledger and a log --------------------------------------------------- */

#define ZEROS_SHA "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
#define OTHER_SHA "sha-256=:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"

static void
row_of(struct compare *c, const char *tag, int64_t bytes, uint8_t first)
{
	const uint8_t digest[DIGEST_SIZE] = { first };

	compare_add_row(c, &(struct compare_row){ .job_id = J1,
			       .component = "lr_0",
			       .role = "guest",
			       .party_id = "9999",
			       .to_role = "host",
			       .to_party = "10000",
			       .name = "gradient",
			       .tag = tag,
			       .bytes = bytes,
			       .sha256 = digest });
}

static void
row(struct compare *c, const char *tag, int64_t bytes)
{
	row_of(c, tag, bytes, 0);
}

static void
line(struct compare *c, const char *query, int status, int bytes,
    const char *sha, const char *cn)
{
	char *text = xasprintf("{\"at\":\"x\",\"uri\":\"/v1/mailbox/small/" J1
			       "/lr_0/0/host/10000?name=gradient&%s\","
			       "\"status\":%d,\"bytes\":\"%d\",\"digest\":"
			       "\"%s\",\"party\":\"9999\",\"dn\":\"CN=%s\"}",
	    query, status, bytes, sha, cn);

	compare_add_line(c, text, strlen(text));
	free(text);
}

static void
repeats_are_explained_and_differences_are_not(void **state)
{
	struct compare *c = compare_new("9999", "10000", J1);
	struct compare_result r;

	(void)state;
	row(c, "0 1", 5); /* blank in the tag, full mailbox, lost answer */
	line(c, "tag=0%201&from=guest&part=0&parts=1", 429, 5, ZEROS_SHA,
	    "9999");
	line(c, "tag=0%201&from=guest&part=0&parts=1", 200, 5, ZEROS_SHA,
	    "9999");
	line(c, "tag=0%201&from=guest&part=0&parts=1", 200, 5, ZEROS_SHA,
	    "9999");
	row(c, "big [2/3]", 7);
	line(c, "tag=big&from=guest&part=1&parts=3", 404, 7, ZEROS_SHA, "9999");
	line(c, "tag=big&from=guest&part=1&parts=3", 502, 7, ZEROS_SHA, "9999");
	line(c, "tag=big&from=guest&part=1&parts=3", 200, 7, ZEROS_SHA, "9999");
	/* Somebody else's, and another job's sender of like name. */
	line(c, "tag=x&from=guest", 200, 1, ZEROS_SHA, "99990");
	line(c, "tag=x&from=guest", 200, 1, ZEROS_SHA, "10000");
	compare_add_line(c, "{\"at\":\"cut of", 14);
	compare_finish(c, &r);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.rows, 2);
	assert_int_equal(r.bytes, 12);
	assert_int_equal(r.requests, 6);
	assert_int_equal(r.repeats_full, 1);
	assert_int_equal(r.repeats_lost, 1);
	assert_int_equal(r.repeats_early, 1);
	assert_int_equal(r.repeats_trouble, 1);
	assert_int_equal(r.unreadable, 1);
	compare_free(c);
}

/* The one difference that these two make. */
static void
differs(int64_t bytes, const char *query, int status, const char *sha,
    const char *words)
{
	struct compare *c = compare_new("9999", "10000", NULL);
	struct compare_result r;

	row(c, "0", bytes);
	if (query != NULL)
		line(c, query, status, 5, sha, "9999");
	compare_finish(c, &r);
	assert_int_equal(r.n, 1);
	if (strstr(r.differences[0], words) == NULL)
		fail_msg("'%s' in '%s'", words, r.differences[0]);
	assert_non_null(strstr(r.differences[0], "gradient '0'"));
	compare_free(c);
}

static void
each_kind_of_difference_is_named(void **state)
{
	const char *query = "tag=0&from=guest&part=0&parts=1";

	(void)state;
	differs(6, query, 200, ZEROS_SHA, "6 bytes, 5 arrived");
	differs(5, query, 200, OTHER_SHA, "other content");
	differs(5, query, 200, "", "other content");
	differs(5, NULL, 0, NULL, "did not arrive");
}

static void
what_an_outage_leaves_is_explained(void **state)
{
	const char *one = "tag=1&from=guest&part=0&parts=1";
	const char *two = "tag=2&from=guest&part=0&parts=1";
	struct compare *c = compare_new("9999", "10000", NULL);
	struct compare_result r;

	(void)state;
	/* Sent again and again, until the job was over. */
	row(c, "1", 5);
	line(c, one, 502, 5, ZEROS_SHA, "9999");
	line(c, one, 499, 5, ZEROS_SHA, "9999");
	/* The task began anew and sends something else under that name. */
	row(c, "2", 5);
	row_of(c, "2", 5, 1);
	line(c, two, 499, 5, ZEROS_SHA, "9999");
	line(c, two, 200, 5, OTHER_SHA, "9999");
	compare_finish(c, &r);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.rows, 3);
	assert_int_equal(r.not_taken, 2);
	assert_int_equal(r.repeats_trouble, 3);
	compare_free(c);

	/* One that did not come at all is one, whatever came beside it. */
	c = compare_new("9999", "10000", NULL);
	row(c, "2", 5);
	row_of(c, "2", 5, 1);
	line(c, two, 200, 5, OTHER_SHA, "9999");
	row(c, "1", 5);
	row(c, "1", 5);
	line(c, one, 200, 5, ZEROS_SHA, "9999");
	compare_finish(c, &r);
	assert_int_equal(r.n, 2);
	assert_non_null(strstr(r.differences[0], "arrived 1 times, and stands "
						 "in the ledger 2 times"));
	assert_non_null(strstr(r.differences[1], "did not arrive"));
	compare_free(c);
}

/* --- rows ----------------------------------------------------------------- */

static struct db *db;
static struct supervisor super;
static struct sealer *sealer;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	super.db = db = mariadb_connect();
	super.metrics = metrics_new();
	super.findings = findings_new();
	sealer = sealer_new(&super);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	sealer_free(sealer);
	findings_free(super.findings);
	metrics_free(super.metrics);
	db_close(db);
	return 0;
}

static int
add(struct db *d, const char *subject)
{
	return db_audit_add(d, &(struct db_audit){ .actor = "test",
				   .action = "try",
				   .subject = subject,
				   .outcome = "ok" });
}

/* Follows the chain in the database; the number of records when it is right. */
static int64_t
chained(void)
{
	struct chain c = { .seq = 0 };
	struct arena *a = arena_new();
	struct db_audit_row *rows;
	int64_t n;
	size_t count;

	assert_int_equal(db_audit_walk(db, a, 0, 10000, &rows, &count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(rows[i].is_there);
		memcpy(rows[i].rec.prev, c.hash, sizeof(c.hash));
		if (!chain_add(&c, &rows[i].rec))
			fail_msg("%s", c.fault);
	}
	n = c.n;
	chain_fini(&c);
	arena_free(a);
	return n;
}

static void
rows_are_chained_in_the_order_of_their_commits(void **state)
{
	int64_t n, first;

	(void)state;
	sealer_look(sealer);
	assert_int_equal(chained(), 0);
	assert_int_equal(add(db, "a"), 0);
	assert_int_equal(add(db, "b \xff"), 0);
	assert_int_equal(chained(), 0);
	sealer_look(sealer);
	assert_int_equal(chained(), 2);
	assert_int_equal(sealer_low(sealer), 2);
	for (int i = 0; i < 450; i++) /* more than a batch */
		assert_int_equal(add(db, "c"), 0);
	sealer_look(sealer);
	assert_int_equal(chained(), 452);
	assert_int_equal(db_audit_overdue(db, 0, 3600000, &n, &first), 0);
	assert_int_equal(n, 0);
}

static void
what_a_link_costs_does_not_grow_with_the_chain(void **state)
{
	static const struct db_stmt status = { "status", "",
		"SELECT CAST(SUM(variable_value) AS SIGNED)"
		" FROM information_schema.session_status"
		" WHERE variable_name LIKE 'HANDLER_READ_%NEXT'" };
	struct db_audit_row *rows;
	struct arena *a = arena_new();
	int64_t idle, before, after;
	size_t n;

	(void)state;
	for (int i = 0; i < 450; i++)
		assert_int_equal(add(db, "c"), 0);
	sealer_look(sealer);
	assert_int_equal(add(db, "new"), 0);
	/* The status is rows, too. */
	assert_int_equal(db_query_int(db, &status, &idle), 0);
	assert_int_equal(db_query_int(db, &status, &before), 0);
	idle = before - idle;
	assert_int_equal(db_audit_unlinked(db, a, 449, 200, &rows, &n), 0);
	assert_int_equal(db_query_int(db, &status, &after), 0);
	assert_int_equal(n, 1);
	assert_in_range(after - before - idle, 0, 50);
	arena_free(a);
}

static int
slow_tx(struct db *d, void *ctx)
{
	int r = add(d, "begun first");

	(void)ctx;
	if (r != 0 || (r = add(db, "committed first")) != 0)
		return r;
	sealer_look(sealer);
	assert_int_equal(chained(), 1);
	return 0;
}

static int
undone_tx(struct db *d, void *ctx)
{
	(void)ctx;
	(void)add(d, "undone");
	return err_set(ERR_INVALID, "undone");
}

static void
a_row_that_is_committed_late_is_not_forgotten(void **state)
{
	struct db *other = mariadb_connect();

	(void)state;
	assert_int_equal(db_tx(other, slow_tx, NULL), 0);
	/* Its id is lower than what was chained already. */
	assert_true(sealer_low(sealer) < 1);
	sealer_look(sealer);
	assert_int_equal(chained(), 2);
	sealer_look(sealer);
	assert_int_equal(sealer_low(sealer), 2);
	/* An id that nobody will ever see holds up nothing. */
	assert_int_equal(db_tx(other, undone_tx, NULL), ERR_INVALID);
	assert_int_equal(add(db, "after"), 0);
	sealer_look(sealer);
	assert_int_equal(chained(), 3);
	db_close(other);
}

static void
two_sealers_make_one_chain(void **state)
{
	struct supervisor second = { .db = mariadb_connect() };
	struct sealer *other = sealer_new(&second);

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(add(db, "x"), 0);
		sealer_look(i % 2 == 0 ? sealer : other);
	}
	sealer_look(other);
	sealer_look(sealer);
	assert_int_equal(chained(), 50);
	sealer_free(other);
	db_close(second.db);
}

static const struct db_stmt older = { "test.older", "",
	"UPDATE audit SET at = at - INTERVAL 1 MINUTE" };

static void
a_row_that_nobody_chained_is_found(void **state)
{
	int64_t n, first;

	(void)state;
	sealer_look(sealer);
	assert_int_equal(add(db, "x"), 0);
	assert_int_equal(db_exec(db, &older, NULL), 0);
	assert_int_equal(db_audit_overdue(db, 10000, 3600000, &n, &first), 0);
	assert_int_equal(n, 1);
	assert_int_equal(sealer_check(sealer), 0);
	assert_int_equal(chained(), 1);
	assert_int_equal(db_audit_overdue(db, 10000, 3600000, &n, &first), 0);
	assert_int_equal(n, 0);
}

static void
pruning_leaves_a_chain_that_goes_on(void **state)
{
	struct arena *a = arena_new();
	struct db_audit_checkpoint c, kept;
	struct chain rest = { .seq = 0 };
	struct db_audit_row *rows;
	int64_t seq;
	uint8_t hash[DIGEST_SIZE];
	size_t n;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(add(db, "x"), 0);
	sealer_look(sealer);
	assert_int_equal(db_audit_prunable(db, 1000, 100, &c), 0);
	assert_int_equal(c.seq, 0); /* nothing is that old */
	assert_int_equal(
	    db_audit_prunable(db, INT64_C(4000000000000), 3, &c), 0);
	assert_int_equal(c.seq, 3);
	c.hash[0] ^= 1;
	assert_int_equal(db_audit_prune(db, &c), ERR_CONFLICT);
	assert_int_equal(chained(), 5);
	c.hash[0] ^= 1;
	memset(c.signature, 7, sizeof(c.signature));
	assert_int_equal(db_audit_prune(db, &c), 0);
	assert_int_equal(db_audit_checkpoint(db, &kept), 0);
	assert_int_equal(kept.seq, 3);
	assert_memory_equal(kept.signature, c.signature, 64);
	assert_int_equal(add(db, "after"), 0);
	sealer_look(sealer);
	rest.seq = kept.seq;
	memcpy(rest.hash, kept.hash, DIGEST_SIZE);
	assert_int_equal(db_audit_walk(db, a, 0, 10, &rows, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		memcpy(rows[i].rec.prev, rest.hash, DIGEST_SIZE);
		if (!chain_add(&rest, &rows[i].rec))
			fail_msg("%s", rest.fault);
	}
	/* All of it: the next record still follows. */
	assert_int_equal(
	    db_audit_prunable(db, INT64_C(4000000000000), 100, &c), 0);
	assert_int_equal(c.seq, 6);
	assert_int_equal(db_audit_prune(db, &c), 0);
	assert_int_equal(db_audit_head(db, &seq, hash), 0);
	assert_int_equal(seq, 6);
	assert_int_equal(add(db, "after all"), 0);
	sealer_look(sealer);
	assert_int_equal(db_audit_walk(db, a, 0, 10, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].rec.seq, 7);
	chain_fini(&rest);
	arena_free(a);
}

static void
jobs_and_their_tasks_are_recorded_as_they_move(void **state)
{
	struct db_task_key k = { J1, "reader_0", 0, "guest", ROWS_GUEST };
	struct db_task_move m = { .status = STATE_NONE,
		.party_status = STATE_RUNNING };
	struct arena *a = arena_new();
	struct db_audit *rows;
	struct json_object *o;
	size_t n;

	(void)state;
	assert_int_equal(rows_initiated(db, J1), 0);
	assert_int_equal(db_job_move(db, J1, STATE_RUNNING, 0, "go", NULL), 0);
	assert_int_equal(db_task_move(db, &k, &m, NULL), 0);
	assert_int_equal(
	    db_job_move(db, J1, STATE_FAILED, 0, "\"quoted\"", NULL), 0);
	assert_int_equal(
	    db_audit_find(
		db, a, &(struct db_audit_filter){ .limit = 10 }, &rows, &n),
	    0);
	assert_int_equal(n, 4);
	assert_string_equal(rows[0].action, "job create");
	assert_string_equal(rows[1].action, "job start");
	assert_string_equal(rows[2].action, "task start");
	assert_string_equal(
	    rows[2].subject, J1 " reader_0 0 guest " ROWS_GUEST);
	assert_string_equal(rows[3].action, "job end");
	assert_string_equal(rows[3].outcome, "failed");
	assert_int_equal(json_parse_text(rows[3].detail, &o), 0);
	assert_string_equal(json_get_str(o, "reason", ""), "\"quoted\"");
	assert_int_equal(strlen(json_get_str(o, "contract", "")), 64);
	json_object_put(o);
	arena_free(a);
}

/* --- heads of a partner --------------------------------------------------- */

static struct keys *partner_keys;

static int
exchange_of(struct arena *a, struct db_exchange **x, size_t *n)
{
	struct db_exchange key = { .job_id = J1 };

	return db_exchange_some(db, a, ROWS_HOST, &key, 1, false, x, n);
}

static struct db_exchange *
the_exchange(struct arena *a)
{
	struct db_exchange *x;
	size_t n;

	assert_int_equal(exchange_of(a, &x, &n), 0);
	assert_int_equal(n, 1);
	return x;
}

/* A job that has ended here, whose host is a partner with that key. */
static void
ended_job(struct db_exchange **x, struct arena *a)
{
	struct db_partner p = { .party_id = ROWS_HOST,
		.name = "",
		.url = "https://h:1",
		.tls_cert = "",
		.enabled = true };
	uint8_t seed[32] = { 9 };
	size_t n;

	assert_int_equal(keys_from_seed(seed, &partner_keys), 0);
	memcpy(p.sign_key, keys_public(partner_keys), 32);
	assert_int_equal(db_partner_put(db, &p), 0);
	assert_int_equal(rows_initiated(db, J1), 0);
	assert_int_equal(exchange_of(a, x, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_job_move(db, J1, STATE_FAILED, 0, "x", NULL), 0);
	*x = the_exchange(a);
}

static struct json_object *
said(int64_t seq, uint8_t first, enum head_kind kind)
{
	struct audit_head h = { .job_id = J1,
		.party_id = ROWS_HOST,
		.peer_id = ROWS_GUEST,
		.seq = seq,
		.hash = { first } };
	struct json_object *o = json_object_new_object();
	struct json_object *head = json_object_new_object();
	uint8_t sig[64];
	char hex[129];

	assert_int_equal(audit_head_sign(&h, kind, partner_keys, sig), 0);
	json_add_str(o, "job_id", J1);
	json_add_int(o, "run", 0);
	json_add_int(head, "seq", seq);
	str_to_hex(h.hash, 32, hex);
	json_add_str(head, "hash", hex);
	str_to_hex(sig, 64, hex);
	json_add_str(head, "signature", hex);
	json_add(o, "head", head);
	return o;
}

/* With the answer about that one job; what was wrong with it, or NULL. */
static const char *
take(struct arena *a, const struct db_exchange *row, struct json_object *o)
{
	struct json_object *body = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct db_exchange x = *row;

	json_object_array_add(list, o);
	json_add(body, "heads", list);
	x.told = 1;
	assert_int_equal(
	    audit_heads_take(db, a, ROWS_GUEST, ROWS_HOST, &x, 1, body), 0);
	json_object_put(body);
	return x.error;
}

static void
assert_refused(const char *why, const char *word)
{
	assert_non_null(why);
	assert_non_null(strstr(why, word));
}

static void
a_head_is_kept_once_and_only_when_its_site_signed_it(void **state)
{
	struct arena *a = arena_new();
	struct db_exchange *x, *due;
	struct db_audit_filter f = { .action = "head", .limit = 10 };
	struct json_object *nothing;
	struct db_audit *rows;
	size_t n;

	(void)state;
	ended_job(&x, a);
	/* Before the job's end is chained there is no head to tell. */
	assert_int_equal(db_exchange_due(db, a, 10, &due, &n), 0);
	assert_int_equal(n, 0);
	sealer_look(sealer);
	assert_int_equal(db_exchange_due(db, a, 10, &due, &n), 0);
	assert_int_equal(n, 1);
	nothing = json_object_new_array();
	assert_int_equal(
	    audit_heads_take(db, a, ROWS_GUEST, ROWS_HOST, x, 1, nothing),
	    ERR_INVALID);
	json_object_put(nothing);
	assert_refused(take(a, x, said(7, 1, HEAD_SEEN)), "is not signed by");
	assert_null(take(a, x, said(7, 1, HEAD_OWN)));
	assert_null(take(a, x, said(7, 1, HEAD_OWN)));
	x = the_exchange(a);
	assert_int_equal(x->peer.seq, 7);
	/* It cannot tell another one later. */
	assert_refused(take(a, x, said(8, 1, HEAD_OWN)), "told another head");
	assert_refused(take(a, x, said(7, 2, HEAD_OWN)), "told another head");
	assert_int_equal(db_audit_find(db, a, &f, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_non_null(strstr(rows[0].detail, "\"seq\":7"));
	keys_free(partner_keys);
	arena_free(a);
}

static void
a_countersignature_must_be_over_our_head(void **state)
{
	struct arena *a = arena_new();
	struct audit_head ours = { .job_id = J1,
		.party_id = ROWS_GUEST,
		.peer_id = ROWS_HOST,
		.seq = 3 };
	struct db_exchange *x;
	struct json_object *o;
	uint8_t sig[64];
	char hex[129];

	(void)state;
	ended_job(&x, a);
	x->own.seq = 3;
	x->own.hash = "00000000000000000000000000000000000000000000000000000000"
		      "00000000";
	x->own.sign = "aa";
	x->pause_ms = 3600000;
	assert_int_equal(db_exchange_put_own(db, ROWS_HOST, x, 1), 0);
	for (int wrong = 1; wrong >= 0; wrong--) {
		ours.seq = 3 + wrong;
		assert_int_equal(
		    audit_head_sign(&ours, HEAD_SEEN, partner_keys, sig), 0);
		str_to_hex(sig, 64, hex);
		o = json_object_new_object();
		json_add_str(o, "job_id", J1);
		json_add_int(o, "run", 0);
		json_add_str(o, "seen", hex);
		if (wrong)
			assert_refused(take(a, x, o), "is not signed by");
		else
			assert_null(take(a, x, o));
	}
	x = the_exchange(a);
	assert_string_equal(x->own.seen, hex);
	assert_true(x->is_open);
	x->peer.seq = 1;
	x->peer.hash = x->peer.sign = x->peer.seen = "aa";
	assert_int_equal(db_exchange_put_peer(db, ROWS_HOST, x, 1), 0);
	assert_int_equal(db_exchange_put_own(db, ROWS_HOST, x, 1), 0);
	x->told = 1;
	assert_int_equal(db_exchange_told(db, ROWS_HOST, x, 1), 0);
	x = the_exchange(a);
	assert_true(x->is_open);
	assert_int_equal(x->tries, 2);
	x->told = 2;
	assert_int_equal(db_exchange_told(db, ROWS_HOST, x, 1), 0);
	assert_false(the_exchange(a)->is_open);
	keys_free(partner_keys);
	arena_free(a);
}

/* What a partner asks with what it has to say, and what it hears. */
static struct json_object *
errand(struct arena *a, struct json_object *heads, int *r)
{
	static const struct site_conf conf = { .party_id = (char *)ROWS_GUEST };
	const struct party_caller host = { .party_id = ROWS_HOST };
	struct json_object *body = json_object_new_object(), *data = NULL;
	const struct errand_ask ask = { .db = db,
		.conf = &conf,
		.arena = a,
		.caller = &host,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.body = body,
		.data = &data };

	json_add(body, "heads", heads);
	*r = audit_heads_errand(&ask);
	json_object_put(body);
	return data;
}

static void
one_errand_tells_of_several_jobs_and_a_wrong_one_stops_no_other(void **state)
{
	static const char *const jobs[] = { "202601010000000000005", J2, J1 };
	struct arena *a = arena_new();
	struct json_object *list = json_object_new_array(), *o, *data;
	struct db_audit_filter f = { .action = "head", .limit = 10 };
	struct db_exchange *x;
	struct db_audit *rows;
	size_t n;
	int r;

	(void)state;
	ended_job(&x, a);
	assert_int_equal(rows_initiated(db, J2), 0);
	assert_int_equal(db_job_move(db, J2, STATE_FAILED, 0, "x", NULL), 0);
	/* All are signed for the last one. */
	for (size_t i = 0; i < 3; i++) {
		o = said(7, 1, HEAD_OWN);
		json_add_str(o, "job_id", jobs[i]);
		json_object_array_add(list, o);
	}
	/* The same once more counts once. */
	json_object_array_add(list, said(7, 1, HEAD_OWN));
	data = errand(a, list, &r);
	assert_int_equal(r, 0);
	list = json_get(data, "heads");
	assert_int_equal(json_object_array_length(list), 3);
	for (size_t i = 0; i < 3; i++) {
		o = json_object_array_get_idx(list, i);
		assert_string_equal(json_get_str(o, "job_id", ""), jobs[i]);
		assert_int_equal(json_has(o, "error"), i < 2);
	}
	assert_refused(
	    json_get_str(json_object_array_get_idx(list, 0), "error", ""),
	    "has not ended here");
	assert_refused(
	    json_get_str(json_object_array_get_idx(list, 1), "error", ""),
	    "is not signed by");
	json_object_put(data);
	assert_int_equal(the_exchange(a)->peer.seq, 7);
	assert_int_equal(db_audit_find(db, a, &f, &rows, &n), 0);
	assert_int_equal(n, 1);
	/* No list, an empty one, and one without end. */
	list = json_object_new_array();
	for (size_t i = 0; i <= AUDIT_HEADS_MAX; i++)
		json_object_array_add(list, said(7, 1, HEAD_OWN));
	assert_null(errand(a, list, &r));
	assert_int_equal(r, ERR_INVALID);
	assert_null(errand(a, json_object_new_array(), &r));
	assert_int_equal(r, ERR_INVALID);
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string("head"));
	assert_null(errand(a, list, &r));
	assert_int_equal(r, ERR_INVALID);
	/* To the database it is the job's id. */
	list = json_object_new_array();
	o = said(7, 1, HEAD_OWN);
	json_add_str(o, "job_id", J1 " ");
	json_object_array_add(list, o);
	assert_null(errand(a, list, &r));
	assert_int_equal(r, ERR_INVALID);
	assert_refused(err_text(), "is no job id");
	keys_free(partner_keys);
	arena_free(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    hashes_are_those_of_the_published_construction),
		cmocka_unit_test(a_record_survives_its_line),
		cmocka_unit_test(each_altered_field_names_its_record),
		cmocka_unit_test(missing_inserted_and_moved_records_are_named),
		cmocka_unit_test(heads_are_signed_for_one_use),
		cmocka_unit_test(repeats_are_explained_and_differences_are_not),
		cmocka_unit_test(each_kind_of_difference_is_named),
		cmocka_unit_test(what_an_outage_leaves_is_explained),
		T(rows_are_chained_in_the_order_of_their_commits),
		T(what_a_link_costs_does_not_grow_with_the_chain),
		T(a_row_that_is_committed_late_is_not_forgotten),
		T(two_sealers_make_one_chain),
		T(a_row_that_nobody_chained_is_found),
		T(a_head_is_kept_once_and_only_when_its_site_signed_it),
		T(a_countersignature_must_be_over_our_head),
		T(one_errand_tells_of_several_jobs_and_a_wrong_one_stops_no_other),
		T(pruning_leaves_a_chain_that_goes_on),
		T(jobs_and_their_tasks_are_recorded_as_they_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
