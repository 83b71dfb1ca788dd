/*
 * The smaller stores: tables, outputs, metrics, summaries, partners,
 * nonces, egress, audit; and that the accounts of grants.sql suffice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_admission.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_audit_chain.h"
#include "lib/db/db_connector.h"
#include "lib/db/db_exchange.h"
#include "lib/db/db_lineage.h"
#include "lib/db/db_client_nonce.h"
#include "lib/db/db_metric.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_table.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_user.h"
#include "lib/db/migrate.h"
#include "lib/party/party.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define J2 "202601010000000000002"

static struct db *db;
static struct arena *arena;
static const struct db_task_key v0 = { J1, "lr_0", 0, "guest", ROWS_GUEST };
static const struct db_task_key v1 = { J1, "lr_0", 1, "guest", ROWS_GUEST };

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

/* --- sessions --- */

static bool
is_over(const unsigned char hash[DB_SESSION_HASH])
{
	struct db_session *row;

	assert_int_equal(db_session_get(db, arena, hash, 3600, &row), 0);
	return row->is_over;
}

/* By a log-out, or by another password. */
static void
a_session_that_was_ended_does_not_begin_again_with_the_clock(void **state)
{
	static const struct db_stmt back = { "test.back", "",
		"SET timestamp = UNIX_TIMESTAMP() - 7200" };
	struct db_session_begin b = {
		.name = "mia", .password = "old", .max_s = 36000
	};

	(void)state;
	assert_int_equal(db_user_add(db, &(struct db_user){ .name = "mia",
					     .role = "viewer",
					     .password = "old" }),
	    0);
	for (b.hash[0] = 0; b.hash[0] < 2; b.hash[0]++)
		assert_int_equal(db_session_begin(db, &b), 0);
	b.hash[0] = 0;
	assert_false(is_over(b.hash));
	assert_int_equal(db_session_end(db, b.hash), 0);
	assert_int_equal(db_user_password(db, "mia", "old", "new", NULL), 0);
	for (int again = 0; again < 2; again++) {
		for (b.hash[0] = 0; b.hash[0] < 2; b.hash[0]++) {
			assert_true(is_over(b.hash));
			assert_int_equal(db_session_seen(db, b.hash), 0);
		}
		assert_int_equal(db_exec(db, &back, NULL), 0);
	}
}

/* --- tables --- */

static const struct db_table table = { .table_namespace = "exp",
	.name = "breast",
	.engine = "STANDALONE",
	.address = "{}",
	.folder = "ab/abcd",
	.partitions = 4,
	.row_count = 569,
	.id_delimiter = ",",
	.have_head = true,
	.schema_json = "{\"sid\":\"id\"}",
	.preview = "[[1]]",
	.origin = "upload",
	.job_id = J1 };

static void
table_is_put_read_replaced_and_deleted(void **state)
{
	struct db_table t = table, *got;
	const char *folder;
	bool used;
	size_t n;

	(void)state;
	assert_int_equal(db_table_put(db, arena, &t, false, &folder), 0);
	assert_null(folder);
	assert_int_equal(db_table_get(db, arena, "exp", "breast", &got), 0);
	assert_int_equal(got->row_count, 569);
	assert_int_equal(got->partitions, 4);
	assert_true(got->have_head);
	assert_false(got->extend_sid || got->disabled);
	assert_string_equal(got->schema_json, "{\"sid\":\"id\"}");
	assert_string_equal(got->preview, "[[1]]");
	assert_true(got->created_ms > 0);
	t.folder = "cd/cdef";
	assert_int_equal(
	    db_table_put(db, arena, &t, false, &folder), ERR_EXISTS);
	assert_int_equal(db_table_folder_used(db, "cd/cdef", &used), 0);
	assert_false(used);
	assert_int_equal(db_table_put(db, arena, &t, true, &folder), 0);
	assert_string_equal(folder, "ab/abcd");
	assert_int_equal(
	    db_table_list(db, arena, "exp", NULL, false, &got, &n), 0);
	assert_int_equal(n, 1);
	assert_null(got->preview);
	assert_null(got->schema_json);
	assert_int_equal(
	    db_table_page(db, arena, "exp", false, 1, 0, &got, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(got->name, "breast");
	assert_null(got->schema_json);
	assert_int_equal(
	    db_table_page(db, arena, "exp", false, 1, 1, &got, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    db_table_delete(db, arena, "exp", "breast", &folder), 0);
	assert_string_equal(folder, "cd/cdef");
	assert_int_equal(db_table_delete(db, arena, "exp", "breast", &folder),
	    ERR_NOT_FOUND);
	assert_int_equal(
	    db_table_get(db, arena, "exp", "breast", &got), ERR_NOT_FOUND);
}

/* A rule about a table says nothing about a name with blanks behind it. */
static void
a_table_is_found_by_its_name_to_the_letter(void **state)
{
	static const char *const names[][2] = { { "exp", "breast " },
		{ "exp ", "breast" }, { "exp", "breast    " } };
	struct db_table t = table, *got;
	const char *folder;

	(void)state;
	assert_int_equal(db_table_put(db, arena, &t, false, NULL), 0);
	t.folder = "cd/cdef";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		t.table_namespace = names[i][0];
		t.name = names[i][1];
		assert_int_equal(
		    db_table_get(db, arena, t.table_namespace, t.name, &got),
		    ERR_NOT_FOUND);
		assert_int_equal(
		    db_table_put(db, arena, &t, true, &folder), ERR_EXISTS);
		assert_int_equal(db_table_delete(db, arena, t.table_namespace,
				     t.name, &folder),
		    ERR_NOT_FOUND);
	}
	assert_int_equal(db_table_get(db, arena, "exp", "breast", &got), 0);
	assert_string_equal(got->folder, "ab/abcd");
}

static void
tables_are_disabled_by_namespace_or_name(void **state)
{
	struct db_table t = table, *rows;
	int64_t count;
	size_t n;

	(void)state;
	assert_int_equal(db_table_put(db, arena, &t, false, NULL), 0);
	t.name = "other";
	assert_int_equal(db_table_put(db, arena, &t, false, NULL), 0);
	assert_int_equal(
	    db_table_set_disabled(db, "exp", "other", true, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(
	    db_table_list(db, arena, NULL, NULL, true, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows->name, "other");
	assert_int_equal(
	    db_table_set_disabled(db, "exp", NULL, false, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(
	    db_table_list(db, arena, NULL, NULL, true, &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_table_set_schema(db, "exp", "other", "{}"), 0);
	assert_int_equal(
	    db_table_set_schema(db, "exp", "none", "{}"), ERR_NOT_FOUND);
}

static void
run_sql(const char *sql)
{
	if (db_run_script_statement(db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

/* An upload's job for each tenth of n tables, the newest has number 1. */
static void
make_many(void)
{
	run_sql("INSERT INTO data_table (namespace, name, engine, address,"
		" table_schema_json, origin, job_id, created_at)"
		" SELECT 'exp', CONCAT('t', seq), 'STANDALONE', '{}', '{}',"
		" IF(seq % 10 = 1, 'upload', 'output'), CONCAT('job', seq),"
		" '2026-01-01' - INTERVAL seq SECOND FROM seq_1_to_20000");
	run_sql("INSERT INTO job (job_id, status, description, is_initiator,"
		" initiator_role, initiator_party, dsl, runtime_conf, roles,"
		" contract, contract_hash, timeout_s)"
		" SELECT job_id, IF(name = 't11', 'failed', 'success'), name,"
		" 1, 'local', '0', '{}', '{}', '{}', '{}', '', 1"
		" FROM data_table WHERE origin = 'upload'");
	run_sql("INSERT INTO job_party (job_id, role, party_id, position,"
		" is_local) SELECT job_id, 'local', '0', 0, 1 FROM job");
	run_sql("UPDATE job_party SET role = 'guest' WHERE job_id = 'job21'");
}

/* Rows that the session's statements read or sorted since it was asked. */
static int64_t
rows_read(void)
{
	static const struct db_stmt sum = { "test.read", "",
		"SELECT CAST(SUM(VARIABLE_VALUE) AS INT)"
		" FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME"
		" LIKE 'HANDLER\\_READ\\_%' OR VARIABLE_NAME = 'SORT_ROWS'" };
	int64_t n;

	assert_int_equal(db_query_int(db, &sum, &n), 0);
	run_sql("FLUSH STATUS");
	return n;
}

#define FEW 3000 /* with those that the question itself reads */

static void
the_newest_tables_cost_no_look_at_all_there_are(void **state)
{
	struct db_table *t;
	size_t n;

	(void)state;
	make_many();
	(void)rows_read();
	assert_int_equal(
	    db_table_page(db, arena, NULL, false, 100, 0, &t, &n), 0);
	assert_int_equal(n, 100);
	assert_string_equal(t[0].name, "t1");
	assert_string_equal(t[99].name, "t991");
	assert_in_range(rows_read(), 1, FEW);
	assert_int_equal(
	    db_table_page(db, arena, "exp", true, 100, 100, &t, &n), 0);
	assert_int_equal(n, 100);
	assert_string_equal(t[0].name, "t101");
	assert_in_range(rows_read(), 1, FEW);
	/* Executed again, without a namespace. */
	assert_int_equal(
	    db_table_page(db, arena, NULL, true, 100, 0, &t, &n), 0);
	assert_int_equal(n, 100);
	assert_in_range(rows_read(), 1, FEW);
}

/* Of jobs that are uploads and succeeded. */
static void
the_newest_uploads_cost_no_look_at_all_jobs(void **state)
{
	struct db_upload *u;
	size_t n;

	(void)state;
	make_many();
	(void)rows_read();
	assert_int_equal(db_upload_list(db, arena, NULL, 100, &u, &n), 0);
	assert_int_equal(n, 100);
	assert_string_equal(u[0].job_id, "job1");
	assert_string_equal(u[0].notes, "t1");
	assert_string_equal(u[1].name, "t31");
	assert_string_equal(u[1].schema_json, "{}");
	assert_in_range(rows_read(), 1, FEW);
	assert_int_equal(db_upload_list(db, arena, "job41", 100, &u, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(u->name, "t41");
	assert_in_range(rows_read(), 1, FEW);
	assert_int_equal(db_upload_list(db, arena, "job11", 100, &u, &n), 0);
	assert_int_equal(n, 0);
}

static void
newest_output_is_of_the_last_version_that_made_one(void **state)
{
	struct db_output o = { .key = v0,
		.data_name = "train",
		.position = 0,
		.table_namespace = "out",
		.name = "first" };
	struct db_output *rows;
	size_t n;

	(void)state;
	assert_int_equal(db_output_put(db, &o), 0);
	assert_int_equal(db_output_put(db, &o), 0);
	o.data_name = "valid";
	o.position = 1;
	o.name = "second";
	assert_int_equal(db_output_put(db, &o), 0);
	assert_int_equal(db_output_newest(db, arena, J1, "lr_0", "guest",
			     ROWS_GUEST, NULL, &rows, &n),
	    0);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].data_name, "train");
	o = (struct db_output){ .key = v1,
		.data_name = "train",
		.table_namespace = "out",
		.name = "third" };
	assert_int_equal(db_output_put(db, &o), 0);
	assert_int_equal(db_output_newest(db, arena, J1, "lr_0", "guest",
			     ROWS_GUEST, "train", &rows, &n),
	    0);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].name, "third");
	/* Nor is it known by a name that no rule is about. */
	assert_int_equal(db_output_newest(db, arena, J1, "lr_0 ", "guest",
			     ROWS_GUEST, "train", &rows, &n),
	    0);
	assert_int_equal(n, 0);
	assert_int_equal(db_output_newest(db, arena, J1 " ", "lr_0", "guest",
			     ROWS_GUEST, "train", &rows, &n),
	    0);
	assert_int_equal(n, 0);
	assert_int_equal(db_output_list(db, arena, &v0, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(
	    db_output_of_job(db, arena, J1, NULL, NULL, NULL, &rows, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].key.version, 1);
}

/* --- metrics --- */

static void
points_come_back_sorted_by_number_then_text(void **state)
{
	struct db_series s = { .key = v0,
		.metric_namespace = "train",
		.name = "loss",
		.meta = "{\"metric_type\":\"LOSS\"}" };
	struct db_point p[23], *rows;
	struct db_series *series;
	char keys[23][8];
	size_t n;

	(void)state;
	for (int i = 0; i < 21; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "%d", 20 - i);
		p[i] = (struct db_point){ .point_key = keys[i],
			.sort_key = 20 - i,
			.point_value = "0.5" };
	}
	p[21] = (struct db_point){
		.point_key = "\"b\"", .sort_key = NAN, .point_value = "1"
	};
	p[22] = (struct db_point){
		.point_key = "\"a\"", .sort_key = NAN, .point_value = "2"
	};
	assert_int_equal(db_metric_add(db, &s, p, 23), 0);
	/* The same again, as after a lost answer; one value is new. */
	p[0].point_value = "0.25";
	s.meta = NULL;
	assert_int_equal(db_metric_add(db, &s, p, 23), 0);
	assert_int_equal(db_metric_points(db, arena, J1, "lr_0", -1, "guest",
			     ROWS_GUEST, NULL, NULL, &rows, &n),
	    0);
	assert_int_equal(n, 23);
	for (int i = 0; i < 21; i++)
		assert_true(rows[i].sort_key == i);
	assert_string_equal(rows[20].point_value, "0.25");
	assert_string_equal(rows[21].point_key, "\"a\"");
	assert_true(isnan(rows[22].sort_key));
	assert_int_equal(db_metric_series(db, arena, J1, "lr_0", 0, "guest",
			     ROWS_GUEST, "train", "loss", &series, &n),
	    0);
	assert_int_equal(n, 1);
	assert_string_equal(series->meta, "{\"metric_type\":\"LOSS\"}");
	assert_int_equal(series->id, rows[0].series_id);
}

static void
metrics_of_older_versions_hide_and_are_deleted(void **state)
{
	struct db_series s = {
		.key = v0, .metric_namespace = "train", .name = "loss"
	};
	struct db_point p = {
		.point_key = "1", .sort_key = 1, .point_value = "1"
	};
	struct db_series *rows;
	int64_t gone;
	size_t n;

	(void)state;
	assert_int_equal(db_metric_add(db, &s, &p, 1), 0);
	s.name = "auc";
	assert_int_equal(db_metric_add(db, &s, &p, 1), 0);
	s.key = v1;
	assert_int_equal(db_metric_add(db, &s, &p, 1), 0);
	assert_int_equal(db_metric_series(db, arena, J1, "lr_0", -1, "guest",
			     ROWS_GUEST, NULL, NULL, &rows, &n),
	    0);
	assert_int_equal(n, 1);
	assert_int_equal(rows->key.version, 1);
	assert_int_equal(db_metric_delete_older(db, &v1), 0);
	assert_int_equal(db_metric_series(db, arena, J1, "lr_0", 0, "guest",
			     ROWS_GUEST, NULL, NULL, &rows, &n),
	    0);
	assert_int_equal(n, 0);
	assert_int_equal(db_metric_delete_job(db, J1, &gone), 0);
	assert_int_equal(gone, 1);
}

static void
metric_key_that_is_too_long_is_refused_whole(void **state)
{
	struct db_series s = {
		.key = v0, .metric_namespace = "n", .name = "m"
	};
	char longer[300];
	struct db_point p[2] = { { .point_key = "1", .point_value = "1" },
		{ .point_key = longer, .point_value = "1" } };
	struct db_series *rows;
	size_t n;

	(void)state;
	memset(longer, '1', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(db_metric_add(db, &s, p, 2), ERR_LIMIT);
	assert_int_equal(db_metric_series(db, arena, J1, "lr_0", -1, "guest",
			     ROWS_GUEST, NULL, NULL, &rows, &n),
	    0);
	assert_int_equal(n, 0);
}

static void
summary_of_the_newest_version_is_found(void **state)
{
	const char *s;

	(void)state;
	assert_int_equal(
	    db_summary_get(db, arena, J1, "lr_0", -1, "guest", ROWS_GUEST, &s),
	    ERR_NOT_FOUND);
	assert_int_equal(db_summary_put(db, &v0, "{\"a\":1}"), 0);
	assert_int_equal(db_summary_put(db, &v0, "{\"a\":2}"), 0);
	assert_int_equal(db_summary_put(db, &v1, "{\"a\":3}"), 0);
	assert_int_equal(
	    db_summary_get(db, arena, J1, "lr_0", -1, "guest", ROWS_GUEST, &s),
	    0);
	assert_string_equal(s, "{\"a\":3}");
	assert_int_equal(
	    db_summary_get(db, arena, J1, "lr_0", 0, "guest", ROWS_GUEST, &s),
	    0);
	assert_string_equal(s, "{\"a\":2}");
}

/* --- partners --- */

static void
partner_is_kept_and_replaced(void **state)
{
	struct db_partner p = { .party_id = ROWS_HOST,
		.name = "host",
		.url = "https://127.0.0.1:1",
		.tls_cert = "PEM",
		.enabled = true };
	struct db_partner *got;
	size_t n;

	(void)state;
	memset(p.sign_key, 0, sizeof(p.sign_key));
	assert_int_equal(db_partner_put(db, &p), 0);
	p.url = "https://127.0.0.1:2";
	p.sign_key[31] = 9;
	assert_int_equal(db_partner_put(db, &p), 0);
	assert_int_equal(db_partner_get(db, arena, ROWS_HOST, &got), 0);
	assert_string_equal(got->url, "https://127.0.0.1:2");
	assert_memory_equal(got->sign_key, p.sign_key, sizeof(p.sign_key));
	assert_int_equal(db_partner_list(db, arena, &got, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_partner_delete(db, ROWS_HOST), 0);
	assert_int_equal(db_partner_delete(db, ROWS_HOST), ERR_NOT_FOUND);
	assert_int_equal(
	    db_partner_get(db, arena, ROWS_HOST, &got), ERR_NOT_FOUND);
}

static void
since_when_a_partner_refuses_is_kept_until_it_hears(void **state)
{
	const struct timespec moment = { .tv_nsec = 5000000 };
	int64_t ms, more;

	(void)state;
	assert_int_equal(db_partner_refused_ms(db, "777", &ms), 0);
	assert_int_equal(ms, 0);
	assert_int_equal(db_partner_refuses(db, "777", false), 0);
	(void)nanosleep(&moment, NULL);
	assert_int_equal(db_partner_refused_ms(db, "777", &ms), 0);
	assert_true(ms >= 5);
	/* Seen by another, who does not know that it heard in between. */
	assert_int_equal(db_partner_refuses(db, "777", false), 0);
	assert_int_equal(db_partner_refused_ms(db, "777", &more), 0);
	assert_true(more >= ms);
	/* By who knows, it begins anew; what is known of silence stays. */
	assert_int_equal(db_partner_state_put(db, "777", false, "gone"), 0);
	(void)nanosleep(&moment, NULL);
	assert_int_equal(db_partner_refuses(db, "777", true), 0);
	assert_int_equal(db_partner_state_put(db, "777", true, NULL), 0);
	assert_int_equal(db_partner_hears(db, "777"), 0);
	assert_int_equal(db_partner_refused_ms(db, "777", &ms), 0);
	assert_int_equal(ms, 0);
	assert_int_equal(db_partner_hears(db, "778"), 0);
}

static void
nonce_is_good_once_until_it_is_forgotten(void **state)
{
	int64_t now = (int64_t)time(NULL), n;

	(void)state;
	assert_int_equal(db_nonce_use(db, "1", "abc", now + 600), 0);
	assert_int_equal(db_nonce_use(db, "1", "abc", now + 600), ERR_EXISTS);
	assert_int_equal(db_nonce_use(db, "2", "abc", now + 600), 0);
	assert_int_equal(db_nonce_use(db, "1", "ABC", now - 700), 0);
	assert_int_equal(db_nonce_use(db, "1", "old", now - 700), 0);
	/* Expired here, but perhaps not by the clock of who checks. */
	assert_int_equal(db_nonce_use(db, "1", "late", now - 60), 0);
	assert_int_equal(db_nonce_purge(db, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_nonce_purge(db, 100, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_nonce_use(db, "1", "abc", now + 600), ERR_EXISTS);
	assert_int_equal(db_nonce_use(db, "1", "late", now - 60), ERR_EXISTS);
}

static void
keys_of_a_partner_count_until_they_end_or_are_revoked(void **state)
{
	struct db_partner p = { .party_id = "77",
		.url = "https://127.0.0.1:1",
		.tls_cert = "cert",
		.enabled = true };
	struct db_admission ad = { .party_id = "77",
		.nonce = "n1",
		.created_s = (int64_t)time(NULL),
		.expires_s = (int64_t)time(NULL) + 60 };
	struct db_partner_key *rows;
	unsigned char tls[DB_KEY_DIGEST_SIZE], other[DB_KEY_DIGEST_SIZE];
	size_t n;

	(void)state;
	memset(p.sign_key, 7, sizeof(p.sign_key));
	assert_int_equal(db_partner_put(db, &p), 0);
	assert_int_equal(db_partner_put(db, &p), 0);
	assert_int_equal(
	    db_partner_key_list(db, arena, "77", true, &rows, &n), 0);
	assert_int_equal(n, 2);
	ad.sign_digest = strcmp(rows[0].kind, DB_KEY_SIGN) == 0
			     ? rows[0].digest
			     : rows[1].digest;
	db_partner_key_digest("cert", tls);
	db_partner_key_digest("other", other);
	ad.tls_digest = tls;
	assert_int_equal(db_partner_admit(db, &ad), 0);
	assert_int_equal(db_partner_admit(db, &ad), ERR_EXISTS);
	ad.nonce = "n2";
	ad.tls_digest = other;
	assert_int_equal(db_partner_admit(db, &ad), ERR_DENIED);
	ad.tls_digest = tls;
	assert_int_equal(db_partner_enable(db, "77", false), 0);
	assert_int_equal(db_partner_admit(db, &ad), ERR_DENIED);
	assert_int_equal(db_partner_enable(db, "77", true), 0);
	assert_int_equal(db_partner_key_add(db, "77", DB_KEY_TLS, "other"), 0);
	assert_int_equal(db_partner_key_end_others(db, "77", DB_KEY_TLS,
			     "other", (int64_t)time(NULL) + 60),
	    0);
	assert_int_equal(db_partner_admit(db, &ad), 0);
	ad.nonce = "n3";
	assert_int_equal(
	    db_partner_key_end_others(db, "77", DB_KEY_TLS, "other", 1000), 0);
	assert_int_equal(db_partner_admit(db, &ad), ERR_DENIED);
	ad.tls_digest = other;
	assert_int_equal(db_partner_admit(db, &ad), 0);
	/* What was removed stays, to check what it signed. */
	assert_int_equal(db_partner_delete(db, "77"), 0);
	assert_int_equal(
	    db_partner_key_list(db, arena, "77", false, &rows, &n), 0);
	assert_int_equal(n, 3);
	ad.nonce = "n4";
	assert_int_equal(db_partner_put(db, &p), 0);
	ad.tls_digest = tls;
	assert_int_equal(db_partner_admit(db, &ad), 0);
	assert_int_equal(db_partner_key_revoke(db, &rows[0], "stolen"), 0);
	assert_int_equal(db_partner_delete(db, "77"), 0);
	assert_int_equal(
	    db_partner_key_add(db, "77", rows[0].kind, rows[0].material),
	    ERR_DENIED);
}

/* --- signed requests of users ------------------------------------------------ */

#define WINDOW 60000

static int64_t
now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
use(struct db *d, int64_t time_ms, uint8_t n)
{
	struct db_client_nonce c = {
		.hash = { n }, .time_ms = time_ms, .window_ms = WINDOW
	};

	return db_client_nonce_use(d, &c);
}

/* As if the memory had begun so long ago. */
static void
remember_since(int64_t ago_ms)
{
	static const struct db_stmt set = { "test.since", "i",
		"REPLACE INTO client_nonce_since VALUES (1, ?)" };

	assert_int_equal(db_exec(db, &set, NULL, now_ms() - ago_ms), 0);
}

static int64_t
count(const char *what)
{
	static const struct db_stmt memory = { "test.memory", "",
		"SELECT COUNT(*) FROM client_nonce" };
	static const struct db_stmt durable = { "test.durable", "",
		"SELECT COUNT(*) FROM nonce" };
	static const struct db_stmt partners = { "test.partners", "",
		"SELECT COUNT(*) FROM partner_nonce" };
	const struct db_stmt *stmt = strcmp(what, "memory") == 0     ? &memory
				     : strcmp(what, "partners") == 0 ? &partners
								     : &durable;
	int64_t n;

	assert_int_equal(db_query_int(db, stmt, &n), 0);
	return n;
}

static void
a_request_of_a_user_is_answered_once_on_every_connection(void **state)
{
	struct db *other = mariadb_connect();
	int64_t now = now_ms();

	(void)state;
	remember_since(10 * WINDOW);
	assert_int_equal(use(db, now, 1), 0);
	assert_int_equal(use(db, now, 1), ERR_EXISTS);
	assert_int_equal(use(other, now, 1), ERR_EXISTS);
	assert_int_equal(use(other, now, 2), 0);
	/* Nothing durable for clocks that are right or late. */
	assert_int_equal(use(db, now - WINDOW + 1000, 3), 0);
	assert_int_equal(count("durable"), 0);
	assert_int_equal(count("memory"), 3);
	/* One that is ahead outlives the server, whenever it comes again. */
	assert_int_equal(use(db, now + WINDOW, 4), 0);
	assert_int_equal(use(other, now + WINDOW, 4), ERR_EXISTS);
	assert_int_equal(count("durable"), 1);
	db_close(other);
}

static void
what_was_answered_before_a_restart_is_not_answered_after_it(void **state)
{
	int64_t now = now_ms();

	(void)state;
	remember_since(10 * WINDOW);
	assert_int_equal(use(db, now, 1), 0);
	assert_int_equal(use(db, now + WINDOW, 2), 0);
	mariadb_restart();
	/* The first statement finds out that the link is gone. */
	(void)db_ping(db);
	assert_int_equal(count("memory"), 0);
	assert_int_equal(use(db, now, 1), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "sign it anew"));
	assert_int_equal(use(db, now + WINDOW, 2), ERR_EXISTS);
	/* One that is signed now is taken, once, and survives the next. */
	now = now_ms() + 1;
	assert_int_equal(use(db, now, 3), 0);
	assert_int_equal(use(db, now, 3), ERR_EXISTS);
	mariadb_restart();
	(void)db_ping(db);
	assert_true(use(db, now, 3) != 0);
	/* The supervisor begins the memory as well. */
	mariadb_restart();
	(void)db_ping(db);
	assert_int_equal(db_client_nonce_purge(db, WINDOW, NULL), 0);
	assert_int_equal(use(db, now_ms() + 1, 4), 0);
}

/* --- signed requests of partners ---------------------------------------------- */

static unsigned char sign_digest[DB_KEY_DIGEST_SIZE];
static unsigned char tls_digest[DB_KEY_DIGEST_SIZE];

static void
make_partner(void)
{
	struct db_partner p = { .party_id = "77",
		.url = "https://127.0.0.1:1",
		.tls_cert = "cert",
		.enabled = true };
	struct db_partner_key *rows;
	size_t n;

	assert_int_equal(db_partner_put(db, &p), 0);
	assert_int_equal(
	    db_partner_key_list(db, arena, "77", true, &rows, &n), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		memcpy(strcmp(rows[i].kind, DB_KEY_SIGN) == 0 ? sign_digest
							      : tls_digest,
		    rows[i].digest, DB_KEY_DIGEST_SIZE);
}

/* Between a request that was taken and its effect. */
static void
what_was_withdrawn_by_now_is_not_held(void **state)
{
	struct db_partner_key *rows;
	struct db_partner *p;
	size_t n;

	(void)state;
	make_partner();
	assert_int_equal(db_partner_hold(db, "77"), 0);
	assert_int_equal(db_partner_enable(db, "77", false), 0);
	assert_int_equal(db_partner_hold(db, "77"), ERR_DENIED);
	/* Its keys that come again do not enable it. */
	assert_int_equal(db_partner_get(db, arena, "77", &p), 0);
	p->enabled = true;
	assert_int_equal(db_partner_put(db, p), 0);
	assert_int_equal(db_partner_hold(db, "77"), ERR_DENIED);
	assert_int_equal(db_partner_enable(db, "77", true), 0);
	assert_int_equal(db_partner_hold(db, "77"), 0);
	assert_int_equal(
	    db_partner_key_list(db, arena, "77", true, &rows, &n), 0);
	assert_int_equal(db_partner_key_revoke(db, &rows[0], ""), 0);
	assert_int_equal(db_partner_hold(db, "77"), ERR_DENIED);
	assert_int_equal(db_partner_hold(db, "78"), ERR_DENIED);
	assert_int_equal(db_partner_lock(db, "78"), 0);
}

static int
withdraw_tx(struct db *d, void *other)
{
	assert_int_equal(db_partner_lock(d, "77"), 0);
	assert_true(db_partner_hold(other, "77") < 0);
	return 0;
}

static void
what_is_being_withdrawn_is_waited_for(void **state)
{
	static const char at_once[] =
	    "SET SESSION innodb_lock_wait_timeout = 0";
	struct db *other = mariadb_connect();

	(void)state;
	make_partner();
	assert_int_equal(
	    db_run_script_statement(other, at_once, sizeof(at_once) - 1), 0);
	assert_int_equal(db_tx(db, withdraw_tx, other), 0);
	assert_int_equal(db_partner_hold(other, "77"), 0);
	db_close(other);
}

static int
admit(struct db *d, int64_t created_s, const char *nonce)
{
	return db_partner_admit(d, &(struct db_admission){ .party_id = "77",
				       .nonce = nonce,
				       .created_s = created_s,
				       .expires_s = created_s + 90,
				       .sign_digest = sign_digest,
				       .tls_digest = tls_digest });
}

static void
a_request_of_a_partner_is_answered_once_and_makes_nothing_durable(void **state)
{
	struct db *other = mariadb_connect();
	int64_t now = (int64_t)time(NULL);

	(void)state;
	make_partner();
	/* From the first on, at a site that has never answered any. */
	assert_int_equal(admit(db, now, "a"), 0);
	assert_int_equal(admit(db, now, "a"), ERR_EXISTS);
	assert_int_equal(admit(other, now, "a"), ERR_EXISTS);
	/* Another time signed over the same nonce is none the fresher. */
	assert_int_equal(admit(other, now - 1, "a"), ERR_EXISTS);
	assert_int_equal(admit(other, now, "b"), 0);
	assert_int_equal(admit(db, now - 89, "c"), 0);
	assert_int_equal(count("durable"), 0);
	assert_int_equal(count("partners"), 3);
	/* One that is ahead outlives the server, whenever it comes again. */
	assert_int_equal(admit(db, now + 30, "d"), 0);
	assert_int_equal(admit(other, now + 30, "d"), ERR_EXISTS);
	assert_int_equal(count("durable"), 1);
	/* What may be forgotten is what is not taken any more. */
	assert_int_equal(admit(db, now - 96, "e"), ERR_CONFLICT);
	assert_int_equal(db_admission_purge(db, NULL), 0);
	assert_int_equal(count("partners"), 4);
	assert_int_equal(admit(db, now - 89, "c"), ERR_EXISTS);
	db_close(other);
}

/* The second that a request says it was made in has passed the begin. */
static int64_t
a_second_later(void)
{
	static const struct db_stmt left = { "test.left", "",
		"SELECT CAST(since_ms DIV 1000 AS SIGNED) + 1"
		" FROM partner_nonce_since" };
	int64_t s;

	assert_int_equal(db_query_int(db, &left, &s), 0);
	return s;
}

static void
what_a_partner_asked_before_a_restart_is_not_answered_after_it(void **state)
{
	int64_t now = (int64_t)time(NULL);

	(void)state;
	make_partner();
	assert_int_equal(admit(db, now, "a"), 0);
	assert_int_equal(admit(db, now + 30, "b"), 0);
	mariadb_restart();
	(void)db_ping(db);
	assert_int_equal(count("partners"), 0);
	assert_int_equal(admit(db, now, "a"), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "sign it anew"));
	assert_int_equal(admit(db, now + 30, "b"), ERR_EXISTS);
	/* One that is signed now is taken, once, and survives the next. */
	now = a_second_later();
	assert_int_equal(admit(db, now, "c"), 0);
	assert_int_equal(admit(db, now, "c"), ERR_EXISTS);
	assert_int_equal(count("durable"), 2);
	mariadb_restart();
	(void)db_ping(db);
	assert_true(admit(db, now, "c") != 0);
	/* Withdrawn is withdrawn, whichever way is taken. */
	assert_int_equal(db_partner_enable(db, "77", false), 0);
	assert_int_equal(admit(db, a_second_later(), "d"), ERR_DENIED);
	assert_int_equal(admit(db, a_second_later() + 20, "d"), ERR_DENIED);
	/* The supervisor begins the memory as well. */
	assert_int_equal(db_partner_enable(db, "77", true), 0);
	mariadb_restart();
	(void)db_ping(db);
	assert_int_equal(db_admission_purge(db, NULL), 0);
	assert_int_equal(admit(db, a_second_later(), "e"), 0);
}

static void
a_full_memory_refuses_and_has_room_again_when_time_has_passed(void **state)
{
	static const struct db_stmt small = { "test.small", "",
		"SET SESSION max_heap_table_size = 16384" };
	static const struct db_stmt remake = { "test.remake", "",
		"ALTER TABLE client_nonce ENGINE = MEMORY" };
	struct db_client_nonce c = { .window_ms = WINDOW };
	int64_t now = now_ms(), n;
	int r = 0, i;

	(void)state;
	remember_since(10 * WINDOW);
	assert_int_equal(db_exec(db, &small, NULL), 0);
	assert_int_equal(db_exec(db, &remake, NULL), 0);
	for (i = 0; r == 0 && i < 5000; i++) {
		c.hash[0] = (uint8_t)i;
		c.hash[1] = (uint8_t)(i >> 8);
		/* The first ones will be forgotten first. */
		c.time_ms = i < 50 ? now - WINDOW + 2000 : now;
		r = db_client_nonce_use(db, &c);
	}
	assert_int_equal(r, ERR_BUSY);
	assert_non_null(strstr(err_text(), "max_heap_table_size"));
	assert_int_equal(count("durable"), 0);
	assert_int_equal(db_client_nonce_purge(db, WINDOW, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_client_nonce_use(db, &c), ERR_BUSY);
	assert_int_equal(db_client_nonce_purge(db, WINDOW - 8000, &n), 0);
	assert_int_equal(n, 50);
	assert_int_equal(db_client_nonce_use(db, &c), 0);
	assert_int_equal(db_client_nonce_use(db, &c), ERR_EXISTS);
	/* What may be forgotten is what is not taken any more. */
	assert_int_equal(use(db, now - WINDOW - 6000, 4), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "old by the database's clock"));
}

static void
egress_and_audit_are_appended(void **state)
{
	struct db_egress e[2] = { { .key = v0,
	    .to_role = "host",
	    .to_party = ROWS_HOST,
	    .name = "gradient",
	    .tag = "0.1",
	    .bytes = 12 } };
	struct db_egress *rows;
	struct db_audit *audits;
	size_t n;

	(void)state;
	e[1] = e[0];
	e[1].tag = "0.2";
	e[1].seq = 1;
	assert_int_equal(db_egress_add(db, e, 1), 0);
	/* Nobody heard that: it is added again, and what came to it as well. */
	assert_int_equal(db_egress_add(db, e, 2), 0);
	assert_int_equal(db_egress_add(db, e, 2), 0);
	/* But nothing leaves under another's number. */
	e[0].sha256[31] = 1;
	assert_int_equal(db_egress_add(db, e, 1), ERR_CONFLICT);
	assert_int_equal(
	    db_egress_list(db, arena, J1, NULL, 0, 10, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(rows[1].tag, "0.2");
	assert_int_equal(
	    db_egress_list(db, arena, J1, "lr_0", rows[0].id, 10, &rows, &n),
	    0);
	assert_int_equal(n, 1);
	/* Whatever bytes a stranger sent. */
	assert_int_equal(
	    db_audit_add(db, &(struct db_audit){ .actor = "party \xff\xfe",
				 .action = "job/create",
				 .subject = "\xc3(",
				 .outcome = "refused",
				 .detail = "bad signature" }),
	    0);
	assert_int_equal(
	    db_audit_find(db, arena, &(struct db_audit_filter){ .limit = 10 },
		&audits, &n),
	    0);
	assert_int_equal(n, 1);
	assert_string_equal(audits->actor, "party ??");
}

/* --- accounts --- */

static void
run_grants(void)
{
	struct buf sql = BUF_INIT;
	const char *text, *start;
	size_t len;
	int r;

	assert_int_equal(buf_read_file(&sql, "sql/grants.sql", 1 << 20), 0);
	text = buf_str(&sql);
	while ((r = sql_next_statement(&text, &start, &len)) == 1) {
		r = db_run_script_statement(db, start, len);
		if (r != 0)
			print_error("%.*s: %s\n", (int)len, start, err_text());
		assert_int_equal(r, 0);
	}
	assert_int_equal(r, 0);
	buf_fini(&sql);
}

static struct db *
as_account(const char *name)
{
	static struct site_conf c;
	char *sql = xasprintf("ALTER USER '%s'@'localhost' IDENTIFIED BY ''"
			      " ACCOUNT UNLOCK",
	    name);
	struct db *d;

	assert_int_equal(db_run_script_statement(db, sql, strlen(sql)), 0);
	free(sql);
	c = *mariadb_conf();
	c.db_user = arena_strdup(arena, name);
	assert_int_equal(db_open(&c, &d), 0);
	return d;
}

static const struct db_stmt make_table = { "make", "",
	"CREATE TABLE intruder (a INT)" };
static const struct db_stmt change_event = { "change", "",
	"UPDATE event SET reason = 'nothing happened'" };
static const struct db_stmt change_partner = { "partner", "",
	"UPDATE partner SET enabled = 1" };
static const struct db_stmt change_capacity = { "capacity", "",
	"UPDATE resource SET cores = 1000" };

/* What was recorded stays as it is, for every program. */
static void
changes_no_record(struct db *d)
{
	static const struct db_stmt change[] = {
		{ "a", "", "UPDATE audit SET outcome = 'ok'" },
		{ "b", "", "DELETE FROM audit" },
		{ "c", "", "UPDATE audit_link SET hash = ''" },
		{ "d", "", "DELETE FROM audit_link" },
		{ "e", "", "DELETE FROM audit_checkpoint" },
		{ "f", "", "UPDATE egress SET bytes = 0" },
		{ "g", "", "DELETE FROM egress" },
	};

	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++)
		assert_int_equal(db_exec(d, &change[i], NULL), ERR_DB);
}

/* What a partner says of its chain; of ours only the supervisor speaks. */
static void
keeps_a_head(struct db *d)
{
	struct db_exchange x = { .job_id = J1 }, *rows;
	struct arena *a = arena_new();
	size_t n;

	x.peer.seq = 7;
	x.peer.hash = x.peer.sign = "aa";
	x.own.seen = "bb";
	if (db_exchange_some(d, a, ROWS_GUEST, &x, 1, true, &rows, &n) != 0 ||
	    db_exchange_put_peer(d, ROWS_GUEST, &x, 1) != 0)
		fail_msg("%s", err_text());
	arena_free(a);
	assert_int_equal(db_exchange_put_own(d, ROWS_GUEST, &x, 1), ERR_DB);
	assert_int_equal(db_exchange_told(d, ROWS_GUEST, &x, 1), ERR_DB);
}

/* The whole of a partner's request cycle, with fcgi-app's rights alone. */
static void
fcgi_account_serves_partners_and_can_do_no_more(void **state)
{
	struct party_caller guest = { .party_id = ROWS_GUEST };
	struct party_member host = { J1, "host", ROWS_HOST };
	struct db_task_key k = { J1, "reader_0", 0, "host", ROWS_HOST };
	struct db_connector c = { "c", "MYSQL", "{}" };
	struct rows_partner p;
	struct db *d;

	(void)state;
	run_grants();
	run_grants();
	assert_int_equal(db_resource_set(db, DB_ENGINE_DEFAULT, 8, 1000), 0);
	assert_int_equal(rows_allow(db, ROWS_GUEST), 0);
	d = as_account("sluice_fcgi");
	assert_int_equal(db_schema_check(d), 0);
	rows_partner_init(&p, J1, "host");
	if (party_job_create(d, &guest, &host, &p.job, NULL, NULL) != 0)
		fail_msg("%s", err_text());
	assert_int_equal(
	    party_resource_apply(d, &guest, &host, 60000, NULL, NULL), 0);
	assert_int_equal(party_job_start(d, &guest, &host, NULL), 0);
	assert_int_equal(party_task_start(d, &guest, &k, NULL), 0);
	assert_int_equal(
	    party_task_stop(d, &guest, &k, STATE_CANCELED, "x", NULL), 0);
	p.tasks[0].version = 1;
	if (party_task_create(d, &guest, &host, &p.tasks[0], NULL, NULL) != 0)
		fail_msg("%s", err_text());
	if (party_job_stop(d, &guest, &host, STATE_FAILED, "x", NULL) != 0)
		fail_msg("%s", err_text());
	keeps_a_head(d);
	assert_int_equal(db_connector_put(d, &c), 0);
	assert_int_equal(db_table_put(d, arena, &table, true, NULL), 0);
	assert_int_equal(
	    db_table_delete(d, arena, table.table_namespace, table.name, NULL),
	    0);
	assert_int_equal(db_nonce_use(d, "1", "n", (int64_t)time(NULL) + 9), 0);
	assert_int_equal(db_partner_hold(d, "1"), ERR_DENIED);
	assert_int_equal(
	    db_partner_admit(
		d, &(struct db_admission){ .party_id = "1",
		       .nonce = "m",
		       .created_s = (int64_t)time(NULL),
		       .expires_s = (int64_t)time(NULL) + 9,
		       .sign_digest = (const unsigned char[32]){ 1 },
		       .tls_digest = (const unsigned char[32]){ 1 } }),
	    ERR_DENIED);
	assert_int_equal(use(d, now_ms() + 1000, 1), 0);
	remember_since(10 * WINDOW);
	assert_int_equal(use(d, now_ms(), 2), 0);
	assert_int_equal(db_exec(d, &make_table, NULL), ERR_DB);
	assert_int_equal(db_exec(d, &change_event, NULL), ERR_DB);
	assert_int_equal(db_exec(d, &change_partner, NULL), ERR_DB);
	assert_int_equal(db_exec(d, &change_capacity, NULL), ERR_DB);
	changes_no_record(d);
	db_close(d);
}

/* As the sealer does. */
static void
link_records(struct db *d)
{
	struct db_audit_row *rows;
	uint8_t hash[DIGEST_SIZE];
	int64_t seq;
	size_t n;

	assert_int_equal(db_audit_unlinked(d, arena, 0, 100, &rows, &n), 0);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		rows[i].rec.seq = (int64_t)i + 1;
	assert_int_equal(db_audit_link(d, rows, n), 0);
	assert_int_equal(db_audit_link(d, rows, 1), ERR_EXISTS);
	assert_int_equal(db_audit_head(d, &seq, hash), 0);
	assert_int_equal(seq, n);
}

static void
supervisor_account_runs_tasks_and_can_do_no_more(void **state)
{
	struct db_series s = {
		.key = v0, .metric_namespace = "n", .name = "m"
	};
	struct db_table_use use = { .key = v0,
		.data_key = "data",
		.table_namespace = "n",
		.name = "a" };
	struct party_caller guest = { .party_id = ROWS_GUEST };
	struct party_member host = { J2, "host", ROWS_HOST };
	struct db_task_key theirs = { J2, "reader_0", 0, "host", ROWS_HOST };
	struct rows_partner p;
	struct db_job_claim *claims;
	struct db *d;
	size_t n;

	(void)state;
	run_grants();
	assert_int_equal(rows_initiated(db, J1), 0);
	assert_int_equal(rows_allow(db, ROWS_GUEST), 0);
	rows_partner_init(&p, J2, "host");
	assert_int_equal(
	    party_job_create(db, &guest, &host, &p.job, NULL, NULL), 0);
	d = as_account("sluice_supervisor");
	assert_int_equal(party_may_run(d, &theirs), 0);
	assert_int_equal(db_schema_check(d), 0);
	assert_int_equal(db_client_nonce_purge(d, WINDOW, NULL), 0);
	assert_int_equal(db_admission_purge(d, NULL), 0);
	assert_int_equal(db_resource_set(d, DB_ENGINE_DEFAULT, 8, 1000), 0);
	assert_int_equal(db_job_claim(d, arena, "s", 1000, 10, &claims, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    db_job_move(d, J1, STATE_RUNNING, claims->fence, "", NULL), 0);
	assert_int_equal(db_metric_add(d, &s, NULL, 0), 0);
	assert_int_equal(db_table_put(d, arena, &table, true, NULL), 0);
	assert_int_equal(db_table_use_put(d, &use), 0);
	assert_int_equal(db_lineage_put(d, "n", "b", "n", "a", J1), 0);
	link_records(d);
	changes_no_record(d);
	assert_int_equal(db_exec(d, &make_table, NULL), ERR_DB);
	assert_int_equal(db_exec(d, &change_event, NULL), ERR_DB);
	assert_int_equal(db_exec(d, &change_partner, NULL), ERR_DB);
	db_close(d);
}

static void
cli_account_migrates(void **state)
{
	struct db *d;
	int applied;

	(void)state;
	run_grants();
	d = as_account("sluice_cli");
	assert_int_equal(db_migrate(d, "sql", &applied), 0);
	assert_int_equal(applied, 0);
	assert_int_equal(db_exec(d, &make_table, NULL), 0);
	db_close(d);
}

/* --- connectors, ancestry --- */

static void
connector_is_kept_and_replaced(void **state)
{
	struct db_connector c = { "c", "MYSQL", "{\"host\":\"a\"}" }, *got;

	(void)state;
	assert_int_equal(db_connector_get(db, arena, "c", &got), ERR_NOT_FOUND);
	assert_int_equal(db_connector_put(db, &c), 0);
	c.info = "{}";
	assert_int_equal(db_connector_put(db, &c), 0);
	assert_int_equal(db_connector_get(db, arena, "c", &got), 0);
	assert_string_equal(got->engine, "MYSQL");
	assert_string_equal(got->info, "{}");
}

static void
lineage_goes_back_to_the_tables_from_outside(void **state)
{
	struct db_table t = table;
	struct db_lineage *rows;
	int i;
	size_t n;

	(void)state;
	/* a and b make c, c makes d; told twice as after a lost answer. */
	for (i = 0; i < 2; i++) {
		assert_int_equal(db_lineage_put(db, "n", "c", "n", "a", J1), 0);
		assert_int_equal(db_lineage_put(db, "n", "c", "n", "b", J1), 0);
		assert_int_equal(db_lineage_put(db, "n", "d", "n", "c", J1), 0);
	}
	assert_int_equal(db_lineage_list(db, arena, "n", "c", &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].parent_name, "a");
	assert_string_equal(rows[0].source_name, "a");
	assert_int_equal(db_lineage_list(db, arena, "n", "d", &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].parent_name, "c");
	assert_string_equal(rows[0].source_name, "a");
	assert_string_equal(rows[1].source_name, "b");
	assert_int_equal(db_lineage_list(db, arena, "n", "a", &rows, &n), 0);
	assert_int_equal(n, 0);

	/* Dropped, or replaced by an upload: no ancestors any more. */
	t.table_namespace = "n";
	t.name = "c";
	assert_int_equal(db_table_put(db, arena, &t, true, NULL), 0);
	assert_int_equal(db_lineage_list(db, arena, "n", "c", &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_lineage_put(db, "n", "c", "n", "a", J1), 0);
	assert_int_equal(db_table_delete(db, arena, "n", "c", NULL), 0);
	assert_int_equal(db_lineage_list(db, arena, "n", "c", &rows, &n), 0);
	assert_int_equal(n, 0);
}

static void
jobs_that_were_given_a_table_are_listed_once(void **state)
{
	struct db_table_use u = { .key = v0,
		.data_key = "data",
		.table_namespace = "n",
		.name = "a" },
			    *uses;
	struct db_table_job *jobs;
	size_t n;

	(void)state;
	assert_int_equal(db_table_use_put(db, &u), 0);
	assert_int_equal(db_table_use_put(db, &u), 0);
	u.key = v1;
	assert_int_equal(db_table_use_put(db, &u), 0);
	assert_int_equal(db_table_jobs(db, arena, "n", "a", &jobs, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(jobs[0].job_id, J1);
	assert_int_equal(db_table_jobs(db, arena, "n", "b", &jobs, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    db_table_use_of_job(db, arena, J1, "guest", ROWS_GUEST, &uses, &n),
	    0);
	assert_int_equal(n, 2);
	assert_int_equal(uses[0].key.version, 1);
	assert_int_equal(
	    db_table_use_of_job(db, arena, J1, "host", NULL, &uses, &n), 0);
	assert_int_equal(n, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(table_is_put_read_replaced_and_deleted),
		T(a_session_that_was_ended_does_not_begin_again_with_the_clock),
		T(a_table_is_found_by_its_name_to_the_letter),
		T(tables_are_disabled_by_namespace_or_name),
		T(the_newest_tables_cost_no_look_at_all_there_are),
		T(the_newest_uploads_cost_no_look_at_all_jobs),
		T(newest_output_is_of_the_last_version_that_made_one),
		T(points_come_back_sorted_by_number_then_text),
		T(metrics_of_older_versions_hide_and_are_deleted),
		T(metric_key_that_is_too_long_is_refused_whole),
		T(summary_of_the_newest_version_is_found),
		T(partner_is_kept_and_replaced),
		T(since_when_a_partner_refuses_is_kept_until_it_hears),
		T(nonce_is_good_once_until_it_is_forgotten),
		T(what_was_withdrawn_by_now_is_not_held),
		T(what_is_being_withdrawn_is_waited_for),
		T(keys_of_a_partner_count_until_they_end_or_are_revoked),
		T(a_request_of_a_user_is_answered_once_on_every_connection),
		T(a_request_of_a_partner_is_answered_once_and_makes_nothing_durable),
		T(what_a_partner_asked_before_a_restart_is_not_answered_after_it),
		T(what_was_answered_before_a_restart_is_not_answered_after_it),
		T(a_full_memory_refuses_and_has_room_again_when_time_has_passed),
		T(egress_and_audit_are_appended),
		T(connector_is_kept_and_replaced),
		T(lineage_goes_back_to_the_tables_from_outside),
		T(jobs_that_were_given_a_table_are_listed_once),
		T(fcgi_account_serves_partners_and_can_do_no_more),
		T(supervisor_account_runs_tasks_and_can_do_no_more),
		T(cli_account_migrates),
	};
#undef T

	log_init("test_db_store", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_store", tests, NULL, NULL);
}
