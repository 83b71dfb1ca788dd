/*
 * What becomes of what members answer: an end that one does not take, a
 * reservation with a signature.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/db/db_event.h"
#include "lib/db/db_partner.h"
#include "lib/json/json.h"
#include "lib/party/signatures.h"
#include "lib/sign/contract_sign.h"
#include "lib/sign/keys.h"
#include "supervisor/answer.h"
#include "supervisor/finding.h"
#include "supervisor/job.h"
#include "supervisor/partners.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define MINUTE_MS (60 * INT64_C(1000))

static const struct answer busy = { .code = ERR_BUSY, .text = "not now" };

struct fixture {
	struct supervisor super;
	struct site_conf conf;
	struct job *job;
	struct arena *arena;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	mariadb_fresh();
	/* What is said about jobs goes into files. */
	f->conf = *mariadb_conf();
	f->conf.home = xasprintf("%s/site", mariadb_folder());
	f->super.conf = &f->conf;
	f->super.db = mariadb_connect();
	f->super.metrics = metrics_new();
	f->super.findings = findings_new();
	f->arena = arena_new();
	f->job = job_new(J1);
	f->job->nmembers = 1;
	f->job->members = xcalloc(1, sizeof(*f->job->members));
	assert_int_equal(rows_initiated(f->super.db, J1), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	job_free(f->job);
	arena_free(f->arena);
	findings_free(f->super.findings);
	metrics_free(f->super.metrics);
	db_close(f->super.db);
	free(f->conf.home);
	free(f);
	return 0;
}

/* The host is told so long after the end. */
static void
refuses(struct fixture *f, int64_t over_ms)
{
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_END,
		.status = STATE_FAILED,
		.to = { J1, "host", ROWS_HOST },
		.over_ms = over_ms,
		.arena = f->arena };

	assert_int_equal(answer_take(&c, &busy, false), 0);
	answer_tell_late_end(&c, &busy);
}

static int64_t
rests_for(struct fixture *f)
{
	int64_t until = f->job->members[0].rest_until_ms;

	f->job->members[0].rest_until_ms = 0;
	return until == 0 ? 0 : until - clock_mono_ms();
}

static struct db_party *
host(struct fixture *f)
{
	struct db_party *p;

	assert_int_equal(
	    db_party_get(f->super.db, f->arena, J1, "host", ROWS_HOST, &p), 0);
	return p;
}

static size_t
findings(struct fixture *f)
{
	struct db_event *rows;
	size_t n, found = 0;

	assert_int_equal(
	    db_event_list(f->super.db, f->arena, J1, 0, 100, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		found += strcmp(rows[i].kind, "detector") == 0 &&
			 strstr(rows[i].reason, "host " ROWS_HOST) != NULL &&
			 strstr(rows[i].reason, "not now") != NULL;
	return found;
}

static void
an_end_that_is_not_taken_is_told_again_less_and_less_often(void **state)
{
	struct fixture *f = *state;

	refuses(f, 1);
	assert_in_range(rests_for(f), 1, JOB_REST_MS);
	refuses(f, 20000);
	assert_in_range(rests_for(f), JOB_REST_MS + 1, 5000);
	assert_int_equal(findings(f), 0);
	refuses(f, 30 * MINUTE_MS);
	assert_in_range(rests_for(f), 5001, ANSWER_END_REST_MAX_MS);
	assert_false(host(f)->ended);
}

/* Nothing is sent: the client of the network is none. */
static void
a_partner_of_an_older_version_is_started_without_tasks(void **state)
{
	static const struct answer refusal = { .code = ERR_INVALID,
		.text = "body: /tasks is not known" };
	struct fixture *f = *state;
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_START,
		.nstarts = 1,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };
	struct db_job *j;

	f->super.partners = partners_open(&f->super, NULL);
	assert_false(partners_wants_plain_starts(f->super.partners, ROWS_HOST));
	assert_int_equal(answer_take(&c, &refusal, false), 0);
	assert_true(partners_wants_plain_starts(f->super.partners, ROWS_HOST));
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_NONE);
	/* Nor does it know an application that begins. */
	c.verb = PLAN_APPLY;
	c.begins = true;
	assert_int_equal(answer_take(&c, &refusal, false), 0);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_NONE);
	c.verb = PLAN_START;
	c.begins = false;
	/* What it does not take without them either is a refusal. */
	c.nstarts = 0;
	assert_int_equal(answer_take(&c, &refusal, false), 0);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_FAILED);
	partners_close(f->super.partners);
}

/* However long its list is, each name in it is looked for. */
static void
a_member_has_lost_no_more_than_the_job_has(void **state)
{
	struct fixture *f = *state;
	struct answer a = { .code = 0, .text = "success" };
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_REOPEN,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };
	struct db_job *j;

	assert_int_equal(
	    graph_from_dsl("{\"components\":{\"reader_0\":{\"module\":"
			   "\"Reader\"},\"lr_0\":{\"module\":\"HeteroLR\"}}}",
		&f->job->graph),
	    0);
	assert_int_equal(
	    json_parse_text("{\"gone\":[\"reader_0\",\"lr_0\"]}", &a.data), 0);
	assert_int_equal(answer_take(&c, &a, false), 0);
	assert_true(host(f)->created);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_NONE);
	json_object_put(a.data);
	assert_int_equal(
	    json_parse_text("{\"gone\":[\"lr_0\",\"lr_0\",\"lr_0\"]}", &a.data),
	    0);
	assert_int_equal(answer_take(&c, &a, false), 0);
	json_object_put(a.data);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_FAILED);
	assert_non_null(strstr(j->reason, "host " ROWS_HOST ": it answered"));
}

/* --- a reservation ------------------------------------------------------- */

static struct keys *
keys_of_host(struct fixture *f)
{
	struct db_partner partner = { .party_id = ROWS_HOST,
		.name = "",
		.url = "https://127.0.0.1:1",
		.tls_cert = "x",
		.enabled = true };
	struct keys *keys;

	assert_int_equal(keys_generate(&keys), 0);
	memcpy(partner.sign_key, keys_public(keys), sizeof(partner.sign_key));
	assert_int_equal(db_partner_put(f->super.db, &partner), 0);
	return keys;
}

/* {"signature": that of a member at the host's site} over the hash. */
static struct json_object *
signed_by(const struct keys *keys, const char *role,
    const unsigned char hash[DB_HASH_SIZE])
{
	struct contract_statement st = { .job_id = J1,
		.role = role,
		.party_id = ROWS_HOST,
		.signed_s = 1700000000,
		.hash = hash };
	uint8_t bytes[KEYS_SIGNATURE_SIZE];
	char hex[DB_SIGNATURE_HEX_SIZE], id[KEYS_ID_SIZE];
	struct db_signature s = { role, ROWS_HOST, id, st.signed_s, hex };
	struct json_object *o = json_object_new_object();

	contract_sign(keys, &st, bytes);
	str_to_hex(bytes, sizeof(bytes), hex);
	keys_id(keys_public(keys), id);
	json_add(o, "signature", signature_json(&s));
	return o;
}

static int
keep(struct fixture *f, struct json_object *data)
{
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_APPLY,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };
	struct answer a = { .text = "success", .data = data };
	int r;

	memset(c.contract_hash, 7, sizeof(c.contract_hash));
	assert_true(answer_is_kept(&c, &a));
	r = answer_keep(&c, &a);
	json_object_put(data);
	return r;
}

static bool
has_reserved(struct fixture *f)
{
	return acks_has_member(
	    &f->job->acks, "host", ROWS_HOST, DB_PARTY_RESERVED);
}

static void
a_reservation_is_known_at_once_and_a_row_with_what_follows(void **state)
{
	struct fixture *f = *state;
	struct keys *keys = keys_of_host(f);
	unsigned char hash[DB_HASH_SIZE];
	struct db_signature *row;

	memset(hash, 7, sizeof(hash));
	assert_int_equal(keep(f, signed_by(keys, "host", hash)), 0);
	assert_true(has_reserved(f));
	assert_true(acks_has_signature(&f->job->acks, "host", ROWS_HOST, 0));
	assert_false(acks_has_signature(&f->job->acks, "host", ROWS_HOST, 1));
	assert_false(host(f)->reserved);
	assert_int_equal(acks_write(&f->job->acks, f->super.db), 0);
	assert_true(host(f)->reserved);
	assert_int_equal(host(f)->signed_revision, 0);
	assert_int_equal(db_signature_get(f->super.db, f->arena, J1, "host",
			     ROWS_HOST, &row),
	    0);
	keys_free(keys);
}

static void
a_reservation_with_a_signature_that_is_none_is_not_kept(void **state)
{
	struct fixture *f = *state;
	struct keys *keys = keys_of_host(f);
	unsigned char hash[DB_HASH_SIZE];
	struct json_object *o;

	memset(hash, 8, sizeof(hash));
	assert_int_equal(keep(f, signed_by(keys, "host", hash)), ERR_DENIED);
	assert_non_null(strstr(err_text(), "not over this contract"));
	memset(hash, 7, sizeof(hash));
	/* Good, but another member's. */
	assert_int_equal(keep(f, signed_by(keys, "arbiter", hash)), ERR_DENIED);
	assert_non_null(strstr(err_text(), "a signature of arbiter"));
	o = json_object_new_object();
	json_add_str(o, "signature", "none");
	assert_int_equal(keep(f, o), ERR_DENIED);
	assert_false(has_reserved(f));
	/* One that is not made yet comes by itself. */
	assert_int_equal(keep(f, NULL), 0);
	assert_true(has_reserved(f));
	assert_false(acks_has_signature(&f->job->acks, "host", ROWS_HOST, 0));
	assert_true(f->job->members[0].sign_until_ms > clock_mono_ms());
	keys_free(keys);
}

/* With {"started": …}: what is said of an application that begins. */
static int
answers(struct fixture *f, struct json_object *data, bool started)
{
	static struct db_task_key reader = { J1, "reader_0", 0, "host",
		ROWS_HOST };
	size_t first = 0;
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_APPLY,
		.begins = true,
		.starts = &reader,
		.start_components = &first,
		.nstarts = 1,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };
	struct answer a = { .text = "success", .data = data };
	int r;

	memset(c.contract_hash, 7, sizeof(c.contract_hash));
	json_add_bool(a.data, "started", started);
	r = answer_keep(&c, &a);
	json_object_put(a.data);
	return r;
}

static void
who_begins_says_so(void **state)
{
	struct fixture *f = *state;
	struct acks *as = &f->job->acks;
	const struct db_task_key reader = { J1, "reader_0", 0, "host",
		ROWS_HOST };
	struct keys *keys = keys_of_host(f);
	unsigned char hash[DB_HASH_SIZE];
	enum state s = STATE_NONE;
	bool start = false;

	memset(hash, 7, sizeof(hash));
	f->job->tasks = xcalloc(1, sizeof(*f->job->tasks));
	assert_int_equal(answers(f, json_object_new_object(), false), 0);
	assert_true(has_reserved(f));
	assert_false(acks_has_member(as, "host", ROWS_HOST, DB_PARTY_STARTED));
	acks_apply(as, &reader, &start, &s);
	assert_false(start);
	assert_int_equal(answers(f, signed_by(keys, "host", hash), true), 0);
	assert_true(acks_has_member(as, "host", ROWS_HOST, DB_PARTY_STARTED));
	acks_apply(as, &reader, &start, &s);
	assert_true(start);
	keys_free(keys);
}

/* All others may hold theirs and have started: the job would run. */
static void
who_has_not_signed_has_not_begun(void **state)
{
	struct fixture *f = *state;

	f->job->tasks = xcalloc(1, sizeof(*f->job->tasks));
	assert_int_equal(
	    answers(f, json_object_new_object(), true), ERR_DENIED);
	assert_non_null(strstr(err_text(), "without its signature"));
	assert_false(has_reserved(f));
	assert_false(acks_has_member(
	    &f->job->acks, "host", ROWS_HOST, DB_PARTY_STARTED));
}

/* Nothing but its grant made it one that has started. */
static void
an_own_member_that_gives_back_has_not_started(void **state)
{
	struct fixture *f = *state;
	struct answer done = { .text = "success" };
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_RETURN,
		.to = { J1, "guest", ROWS_GUEST },
		.arena = f->arena };
	struct db_party *p;

	assert_int_equal(db_party_mark(f->super.db, J1, "guest", ROWS_GUEST,
			     DB_PARTY_STARTED, true, "", 0),
	    0);
	assert_int_equal(answer_take(&c, &done, true), 0);
	assert_int_equal(
	    db_party_get(f->super.db, f->arena, J1, "guest", ROWS_GUEST, &p),
	    0);
	assert_false(p->started);
	assert_false(p->reserved);
}

static void
what_was_given_back_is_not_reserved_any_more(void **state)
{
	struct fixture *f = *state;
	struct answer done = { .text = "success" };
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_RETURN,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };

	assert_int_equal(keep(f, NULL), 0);
	assert_int_equal(answer_take(&c, &done, false), 0);
	assert_false(has_reserved(f));
	/* Nor when its reservation ran out before it could start. */
	assert_int_equal(keep(f, NULL), 0);
	c.verb = PLAN_START;
	assert_int_equal(answer_take(&c, &busy, false), 0);
	assert_false(has_reserved(f));
	assert_int_equal(f->job->acks.n, 0);
}

static void
a_late_end_is_found_once(void **state)
{
	struct fixture *f = *state;

	refuses(f, 2 * MINUTE_MS);
	refuses(f, 3 * MINUTE_MS);
	assert_int_equal(findings(f), 1);
	assert_false(host(f)->ended);
}

static void
who_takes_no_end_for_an_hour_has_left_the_job(void **state)
{
	struct fixture *f = *state;

	refuses(f, 61 * MINUTE_MS);
	assert_int_equal(rests_for(f), 0);
	assert_true(host(f)->ended);
	assert_string_equal(
	    host(f)->last_error, "it did not take the end: not now");
	assert_int_equal(findings(f), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(an_end_that_is_not_taken_is_told_again_less_and_less_often),
		T(a_partner_of_an_older_version_is_started_without_tasks),
		T(a_member_has_lost_no_more_than_the_job_has),
		T(a_reservation_is_known_at_once_and_a_row_with_what_follows),
		T(a_reservation_with_a_signature_that_is_none_is_not_kept),
		T(what_was_given_back_is_not_reserved_any_more),
		T(who_begins_says_so),
		T(who_has_not_signed_has_not_begun),
		T(an_own_member_that_gives_back_has_not_started),
		T(a_late_end_is_found_once),
		T(who_takes_no_end_for_an_hour_has_left_the_job),
	};
#undef T

	log_init("test_answer", LOG_ERROR_);
	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
