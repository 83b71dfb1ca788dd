/*
 * Rules about partners' jobs: what they decide, how often they may be used,
 * and that it does not matter how many there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_table.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/explain.h"
#include "lib/party/permit.h"
#include "lib/party/permit_command.h"
#include "tests/lib/mariadb.h"

static struct db *db;
static struct arena *arena;

static const struct permit_task tasks[] = {
	{ "reader_0", "Reader",
	    "{\"table\":{\"namespace\":\"bank.eu\",\"name\":\"loans\"}}" },
	{ "lr_0", "HeteroLR",
	    "{\"max_iter\":10,\"penalty\":\"L2\",\"sizes\":[1,2],"
	    "\"encrypt_param\":{\"key_length\":1024},\"none\":null}" },
};
static const struct permit_ask ask = { .job_id = "202601010000000000001",
	.party = "9999",
	.src_role = "guest",
	.role = "host",
	.party_id = "10000",
	.command = PERMIT_CREATE,
	.tasks = tasks,
	.ntasks = 2,
	.admits = true };

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

static void
put(const char *party, const char *as, const char *kind, const char *subject,
    const char *detail)
{
	assert_int_equal(db_permission_put(db,
			     &(struct db_permission){ .leaf = { party, as, kind,
							  subject, detail } }),
	    0);
}

static void
put_bound(const char *module, const char *path, const char *bound)
{
	assert_int_equal(
	    db_permission_put(db,
		&(struct db_permission){
		    .leaf = { "9999", "*", "parameter", module, path },
		    .bound = bound }),
	    0);
}

/* All that the ask needs, named one by one. */
static void
put_exact(const char *party, const char *as)
{
	put(party, as, "role", "host", "");
	put(party, as, "command", "create", "");
	put(party, as, "component", "reader", "");
	put(party, as, "component", "heterolr", "");
	put(party, as, "dataset", "bank.eu", "loans");
}

static int
check_tx(struct db *d, void *ctx)
{
	return permit_check(d, &ask, ctx);
}

static void
wants(int code, enum permit_kind kind)
{
	enum permit_kind refused = PERMIT_NONE;
	int r = db_tx(db, check_tx, &refused);

	if (r != code || refused != kind)
		fail_msg("%d, kind %d: %s", r, refused, err_text());
}

/* --- decisions -------------------------------------------------------------------- */

static void
nothing_is_allowed_without_rules(void **state)
{
	struct permit_decision *d;
	size_t i, n;

	(void)state;
	assert_int_equal(permit_decide(db, arena, &ask, &d, &n), 0);
	assert_int_equal(n, 5);
	for (i = 0; i < n; i++) {
		assert_false(d[i].allowed);
		assert_int_equal(d[i].rule, 0);
		assert_true(str_starts(d[i].grant, "sluice grant 9999 --"));
	}
	wants(ERR_DENIED, PERMIT_ROLE);
}

/* Whoever is refused need not ask once for each. */
static void
a_refusal_names_every_rule_that_is_missing(void **state)
{
	(void)state;
	put("9999", "*", "command", "create", "");
	wants(ERR_DENIED, PERMIT_ROLE);
	if (strstr(err_text(),
		"may not have the role host at party 10000: no rule allows "
		"it; 3 more are missing; the operator of party 10000 allows "
		"it by: sluice grant 9999 --roles host --components "
		"reader,heterolr --datasets bank.eu/loans") == NULL)
		fail_msg("%s", err_text());
	put("9999", "*", "role", "host", "");
	put("9999", "*", "component", "reader", "");
	put("9999", "*", "component", "heterolr", "");
	wants(ERR_DENIED, PERMIT_DATASET);
	assert_null(strstr(err_text(), "missing"));
}

static void
exact_rules_are_enough_and_each_is_needed(void **state)
{
	static const struct {
		const char *kind, *subject, *detail;
		enum permit_kind code;
	} leaves[] = {
		{ "role", "host", "", PERMIT_ROLE },
		{ "command", "create", "", PERMIT_COMMAND },
		{ "component", "reader", "", PERMIT_COMPONENT },
		{ "component", "heterolr", "", PERMIT_COMPONENT },
		{ "dataset", "bank.eu", "loans", PERMIT_DATASET },
	};
	size_t i;

	(void)state;
	put_exact("9999", "guest");
	wants(0, PERMIT_NONE);
	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct db_leaf l = { "9999", "guest", leaves[i].kind,
			leaves[i].subject, leaves[i].detail };
		int64_t n;

		assert_int_equal(db_permission_delete(db, &l, &n), 0);
		assert_int_equal(n, 1);
		wants(ERR_DENIED, leaves[i].code);
		put("9999", "guest", leaves[i].kind, leaves[i].subject,
		    leaves[i].detail);
	}
	wants(0, PERMIT_NONE);
}

static void
wildcards_stand_for_any(void **state)
{
	static const char *const parties[] = { "9999", "*" };
	static const char *const roles[] = { "guest", "*" };
	size_t i, k;

	(void)state;
	for (i = 0; i < 2; i++)
		for (k = 0; k < 2; k++) {
			mariadb_fresh();
			put(parties[i], roles[k], "role", "*", "");
			put(parties[i], roles[k], "command", "*", "");
			put(parties[i], roles[k], "component", "*", "");
			put(parties[i], roles[k], "dataset", "bank.eu", "*");
			wants(0, PERMIT_NONE);
		}
	mariadb_fresh();
	put("*", "*", "role", "*", "");
	put("*", "*", "command", "*", "");
	put("*", "*", "component", "*", "");
	put("*", "*", "dataset", "*", "*");
	wants(0, PERMIT_NONE);
}

static void
a_permission_tells_its_rule_in_words(void **state)
{
	static const char *const words[] = { "guest may have any role",
		"any role may create jobs", "guest may use any component",
		"guest may read any dataset of bank.eu" };
	struct permit_decision *d;
	size_t i, k, n;

	(void)state;
	put("9999", "guest", "role", "*", "");
	put("9999", "*", "command", "create", "");
	put("9999", "guest", "component", "*", "");
	put("9999", "guest", "dataset", "bank.eu", "*");
	assert_int_equal(permit_decide(db, arena, &ask, &d, &n), 0);
	for (k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
		for (i = 0; i < n && strstr(d[i].why, words[k]) == NULL; i++)
			assert_non_null(strstr(d[i].why, ": 9999 as "));
		if (i == n)
			fail_msg("nowhere: %s", words[k]);
	}
}

/* Neither a part of a name nor another's rule nor another case counts. */
static void
what_only_looks_alike_does_not_count(void **state)
{
	(void)state;
	put_exact("999", "guest");
	put_exact("9999", "host");
	put_exact("10000", "*");
	wants(ERR_DENIED, PERMIT_ROLE);
	put("9999", "*", "role", "*", "");
	put("9999", "*", "command", "*", "");
	put("9999", "*", "component", "*", "");
	put("9999", "*", "dataset", "bank", "*");
	put("9999", "*", "dataset", "bank.eu", "loan");
	put("9999", "*", "dataset", "bank.EU", "loans");
	put("9999", "*", "dataset", "bank.eu", "loans ");
	wants(ERR_DENIED, PERMIT_DATASET);
}

static void
a_reader_that_names_an_output_needs_a_rule_as_well(void **state)
{
	static const struct permit_task odd = { "reader_0", "Reader",
		"{\"table\":{\"job_id\":\"1\",\"component_name\":\"x\"}}" };
	static const struct permit_task none = { "reader_0", "Reader", NULL };
	struct permit_ask a = ask;
	enum permit_kind refused;

	(void)state;
	put_exact("9999", "guest");
	a.ntasks = 1;
	a.admits = false;
	a.tasks = &odd;
	assert_int_equal(permit_check(db, &a, &refused), ERR_DENIED);
	assert_int_equal(refused, PERMIT_DATASET);
	a.tasks = &none;
	assert_int_equal(permit_check(db, &a, &refused), ERR_DENIED);
	assert_int_equal(refused, PERMIT_DATASET);
}

static void
whoever_names_a_table_needs_a_rule_about_it(void **state)
{
	static const struct permit_task tasks_of[] = {
		{ "writer_0", "Writer",
		    "{\"namespace\":\"bank.eu\",\"name\":\"salaries\"}" },
		{ "download_0", "Download",
		    "{\"namespace\":\"bank.eu\",\"name\":\"salaries\"}" },
	};
	static const struct permit_task of_input = { "writer_0", "Writer",
		"{\"namespace\":null,\"name\":null,\"output_name\":\"x\"}" };
	struct permit_ask a = ask;
	enum permit_kind refused;
	size_t i;

	(void)state;
	put_exact("9999", "guest");
	put("9999", "guest", "component", "writer", "");
	put("9999", "guest", "component", "download", "");
	a.ntasks = 1;
	a.admits = false;
	for (i = 0; i < 2; i++) {
		a.tasks = &tasks_of[i];
		assert_int_equal(permit_check(db, &a, &refused), ERR_DENIED);
		assert_int_equal(refused, PERMIT_DATASET);
		assert_non_null(strstr(err_text(), "bank.eu salaries"));
	}
	a.tasks = &of_input;
	assert_int_equal(permit_check(db, &a, &refused), 0);
	put("9999", "guest", "dataset", "bank.eu", "salaries");
	a.tasks = &tasks_of[0];
	assert_int_equal(permit_check(db, &a, &refused), 0);
}

static void
no_rule_lets_a_partner_have_the_role_of_a_sites_own_jobs(void **state)
{
	struct permit_ask a = ask;
	enum permit_kind refused;

	(void)state;
	put("9999", "*", "role", "*", "");
	put("9999", "*", "role", "local", "");
	put("9999", "*", "command", "*", "");
	put("9999", "*", "component", "*", "");
	put("9999", "*", "dataset", "*", "*");
	a.admits = false;
	assert_int_equal(permit_check(db, &a, &refused), 0);
	a.role = "local";
	assert_int_equal(permit_check(db, &a, &refused), ERR_DENIED);
	assert_int_equal(refused, PERMIT_ROLE);
	assert_null(strstr(err_text(), "sluice grant"));
}

static const char *
grant_of(const struct permit_ask *a, enum permit_kind kind)
{
	struct permit_decision *d;
	size_t i, n;

	assert_int_equal(permit_decide(db, arena, a, &d, &n), 0);
	for (i = 0; i < n; i++)
		if (d[i].kind == kind)
			return d[i].grant;
	fail_msg("nothing of kind %d was decided", kind);
	return NULL;
}

static void
what_a_partner_names_is_a_word_of_the_command_and_no_command(void **state)
{
	static const struct {
		const char *parameters, *grant;
	} tables[] = {
		{ "{\"table\":{\"namespace\":\"a\",\"name\":\"b\"}}",
		    "sluice grant 9999 --datasets a/b" },
		{ "{\"table\":{\"namespace\":\"a\",\"name\":\"$(id)\"}}",
		    "sluice grant 9999 --datasets 'a/$(id)'" },
		{ "{\"table\":{\"namespace\":\"a\",\"name\":\"b;id\"}}",
		    "sluice grant 9999 --datasets 'a/b;id'" },
		{ "{\"table\":{\"namespace\":\"a\",\"name\":\"';id;'\"}}",
		    "sluice grant 9999 --datasets '[{\"namespace\":\"a\","
		    "\"name\":\"'\\'';id;'\\''\"}]'" },
		/* Nor more than that table. */
		{ "{\"table\":{\"namespace\":\"a\",\"name\":\"*\"}}", "" },
		{ "{\"table\":{\"namespace\":\"*\",\"name\":\"b\"}}", "" },
	};
	struct permit_task task = { "reader_0", "Reader", NULL };
	struct permit_ask a = ask;
	size_t i;

	(void)state;
	a.tasks = &task;
	a.ntasks = 1;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		task.parameters = tables[i].parameters;
		assert_string_equal(
		    grant_of(&a, PERMIT_DATASET), tables[i].grant);
	}
	put_bound("heterolr", "penalty", "[\"L1\"]");
	task = (struct permit_task){ "lr_0", "HeteroLR",
		"{\"penalty\":\"';id;'\"}" };
	assert_string_equal(grant_of(&a, PERMIT_PARAMETER),
	    "sluice grant 9999 --parameter 'heterolr.penalty=[\"'\\'';id;"
	    "'\\''\"]'");
}

/* --- bounds ------------------------------------------------------------------------- */

static bool
in_bound(const char *bound, const char *value)
{
	struct json_object *b = NULL, *v = NULL;
	bool r;

	assert_int_equal(json_parse_text(bound, &b), 0);
	assert_int_equal(json_parse_text(value, &v), 0);
	assert_int_equal(permit_bound_check(b), 0);
	r = permit_in_bound(b, v);
	json_object_put(b);
	json_object_put(v);
	return r;
}

static void
values_are_compared_as_what_they_are(void **state)
{
	(void)state;
	assert_true(in_bound("{\"min\":1,\"max\":2}", "1"));
	assert_true(in_bound("{\"min\":1,\"max\":2}", "2.0"));
	assert_false(in_bound("{\"min\":1,\"max\":2}", "2.0001"));
	assert_true(in_bound("{\"max\":2}", "-5"));
	assert_false(in_bound("{\"max\":2}", "\"1\""));
	assert_false(in_bound("{\"max\":2}", "null"));
	assert_false(in_bound("{\"max\":2}", "true"));
	assert_true(in_bound("[1,\"a\",null,false]", "1.0"));
	assert_true(in_bound("[1,\"a\",null,false]", "null"));
	assert_true(in_bound("[1,\"a\",null,false]", "false"));
	assert_false(in_bound("[1,\"a\"]", "\"1\""));
	assert_false(in_bound("[1,\"a\"]", "null"));
	assert_false(in_bound("[0]", "false"));
	assert_true(in_bound("[1,2]", "[2,1]"));
	assert_false(in_bound("[1,2]", "[2,3]"));
}

static void
bounds_that_say_nothing_are_refused(void **state)
{
	static const char *const bad[] = { "[]", "{}", "5", "\"x\"", "null",
		"{\"min\":\"1\"}", "{\"min\":2,\"max\":1}", "{\"low\":1}" };
	struct json_object *b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		b = NULL;
		assert_int_equal(json_parse_text(bad[i], &b), 0);
		if (permit_bound_check(b) != ERR_INVALID)
			fail_msg("%s", bad[i]);
		json_object_put(b);
	}
}

static void
a_bounded_parameter_must_be_within_one_of_its_bounds(void **state)
{
	(void)state;
	put_exact("9999", "guest");
	put_bound("heterolr", "max_iter", "{\"max\":10}");
	wants(0, PERMIT_NONE);
	put_bound("heterolr", "max_iter", "{\"max\":9}");
	wants(ERR_DENIED, PERMIT_PARAMETER);
	assert_non_null(strstr(err_text(), "heterolr.max_iter"));
	/* Rules of another level of the tree add to it. */
	assert_int_equal(
	    db_permission_put(db,
		&(struct db_permission){ .leaf = { "*", "guest", "parameter",
					     "heterolr", "max_iter" },
		    .bound = "[10]" }),
	    0);
	wants(0, PERMIT_NONE);
	put_bound("heterolr", "encrypt_param.key_length", "{\"min\":2048}");
	wants(ERR_DENIED, PERMIT_PARAMETER);
	put_bound("heterolr", "encrypt_param.key_length", "[1024]");
	wants(0, PERMIT_NONE);
	/* Of another component, another party, another role: no matter. */
	put_bound("homolr", "max_iter", "[1]");
	wants(0, PERMIT_NONE);
	/* What is bounded must be there. */
	put_bound("heterolr", "encrypt_param.nothing", "[1]");
	wants(ERR_DENIED, PERMIT_PARAMETER);
	put_bound("heterolr", "encrypt_param.nothing", "rubbish");
	wants(ERR_DENIED, PERMIT_PARAMETER);
}

/* --- times and uses -------------------------------------------------------------------- */

static void
put_limited(int64_t from_ms, int64_t until_ms, const int64_t *uses)
{
	assert_int_equal(
	    db_permission_put(db,
		&(struct db_permission){
		    .leaf = { "9999", "guest", "dataset", "bank.eu", "loans" },
		    .valid_from_ms = from_ms,
		    .valid_until_ms = until_ms,
		    .has_uses = uses != NULL,
		    .uses_left = uses != NULL ? *uses : 0 }),
	    0);
}

static void
a_rule_holds_in_its_time_only(void **state)
{
	const int64_t past = INT64_C(1000000000000);
	const int64_t future = INT64_C(32000000000000);

	(void)state;
	put_exact("9999", "guest");
	put_limited(past, future, NULL);
	wants(0, PERMIT_NONE);
	put_limited(future, 0, NULL);
	wants(ERR_DENIED, PERMIT_DATASET);
	assert_non_null(strstr(err_text(), "is valid from"));
	put_limited(0, past, NULL);
	wants(ERR_DENIED, PERMIT_DATASET);
	assert_non_null(strstr(err_text(), "was valid until 2001-09-09"));
	put_limited(past, 0, NULL);
	wants(0, PERMIT_NONE);
}

static int64_t
uses_left(void)
{
	struct db_permission *rows;
	size_t i, n;

	assert_int_equal(db_permission_list(db, arena, "9999", &rows, &n), 0);
	for (i = 0; i < n; i++)
		if (rows[i].has_uses)
			return rows[i].uses_left;
	return -1;
}

static int
admit(const char *job_id, const char *role)
{
	struct permit_ask a = ask;

	a.job_id = job_id;
	a.role = role;
	return permit_check(db, &a, NULL);
}

static void
each_member_of_each_job_uses_once(void **state)
{
	const int64_t two = 2;
	struct permit_ask later = ask;

	(void)state;
	put_exact("9999", "guest");
	put_limited(0, 0, &two);
	assert_int_equal(admit("202601010000000000001", "host"), 0);
	assert_int_equal(uses_left(), 1);
	assert_int_equal(admit("202601010000000000001", "host"), 0);
	assert_int_equal(uses_left(), 1);
	assert_int_equal(admit("202601010000000000002", "host"), 0);
	assert_int_equal(uses_left(), 0);
	assert_int_equal(admit("202601010000000000003", "host"), ERR_DENIED);
	assert_non_null(strstr(err_text(), "used up"));
	assert_int_equal(uses_left(), 0);
	/* Who was taken in may still start its tasks. */
	later.admits = false;
	assert_int_equal(permit_check(db, &later, NULL), 0);
	/* A rule without a number is taken rather than one with. */
	put("9999", "*", "dataset", "bank.eu", "*");
	put_limited(0, 0, &two);
	assert_int_equal(admit("202601010000000000004", "host"), 0);
	assert_int_equal(uses_left(), 2);
}

static int
fail_after_use(struct db *d, void *ctx)
{
	(void)ctx;
	assert_int_equal(permit_check(d, &ask, NULL), 0);
	return err_set(ERR_CONFLICT, "the job was not inserted");
}

static void
a_use_is_given_back_when_the_job_is_not_taken_in(void **state)
{
	const int64_t two = 2;

	(void)state;
	put_exact("9999", "guest");
	put_limited(0, 0, &two);
	assert_int_equal(db_tx(db, fail_after_use, NULL), ERR_CONFLICT);
	assert_int_equal(uses_left(), 2);
}

/* --- many tasks --- */

static double
seconds(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A job with many tasks, each of which breaks a bound in a way of its own. */
#define MANY ((size_t)50000)

static void
what_would_allow_many_refusals_is_found_in_one_pass(void **state)
{
	struct permit_decision *d = arena_alloc(arena, MANY * sizeof(*d));
	const struct db_leaf l = { "9999", "guest", "parameter", "lr", "max" };
	const char **grants, *value;
	double before;
	size_t i, n;

	(void)state;
	for (i = 0; i < MANY; i++) {
		value = arena_printf(arena, "%zu", i / 2); /* each twice */
		d[i] = (struct permit_decision){ .kind = PERMIT_PARAMETER,
			.subject = "lr",
			.detail = "max",
			.grant = permit_bound_command(arena, &l, value) };
	}
	before = seconds();
	grants = permit_grants(arena, "9999", d, MANY, &n);
	assert_int_equal(n, MANY / 2);
	assert_string_equal(
	    grants[1], "sluice grant 9999 --parameter 'lr.max=[1]'");
	/* Compared with each other they would take ten times as long. */
	assert_true(seconds() - before < 1);
}

/* --- many rules ---------------------------------------------------------------------------- */

static const struct db_stmt fill = { "fill", "",
	"INSERT INTO permission (party_id, src_role, kind, subject, detail)"
	" SELECT 20000 + seq DIV 10, '*', 'dataset', 'ns', CONCAT('t', seq)"
	" FROM seq_1_to_10000" };
static const struct db_stmt fill_one = { "fill_one", "",
	"INSERT INTO permission (party_id, src_role, kind, subject, detail)"
	" SELECT '9999', '*', 'dataset', 'bank.eu', CONCAT('t', seq)"
	" FROM seq_1_to_10000" };
static const struct db_stmt reads = {
	"reads", "",
	"SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS"
	" WHERE VARIABLE_NAME IN ('Handler_read_key', 'Handler_read_next',"
	" 'Handler_read_first', 'Handler_read_prev', 'Handler_read_rnd_next')"
};

static int64_t
rows_read(void)
{
	int64_t before, after;

	assert_int_equal(db_query_int(db, &reads, &before), 0);
	wants(0, PERMIT_NONE);
	assert_int_equal(db_query_int(db, &reads, &after), 0);
	return after - before;
}

/* By what the database reads, not by a clock. */
static void
the_number_of_rules_does_not_matter(void **state)
{
	int64_t few, many;

	(void)state;
	put_exact("9999", "guest");
	(void)rows_read(); /* statements are prepared */
	few = rows_read();
	assert_int_equal(db_exec(db, &fill, NULL), 0);
	assert_int_equal(db_exec(db, &fill_one, NULL), 0);
	many = rows_read();
	/* Against 20000 rules: a lookup for each wish, at most. */
	if (many > few + 200)
		fail_msg("%lld rows read, %lld with few rules", (long long)many,
		    (long long)few);
}

/* --- a partner that asks ---------------------------------------------------- */

static int
partner_asks(const char *party, const char *text, struct json_object **data)
{
	const struct party_caller who = { .party_id = party };
	struct json_object *body = NULL;
	struct errand_ask e = { .db = db,
		.arena = arena,
		.caller = &who,
		.role = "host",
		.party_id = "10000",
		.data = data };
	int r;

	*data = NULL;
	assert_int_equal(json_parse_text(text, &body), 0);
	e.body = body;
	r = explain_errand(&e);
	json_object_put(body);
	return r;
}

#define ASK(parameters)                                                        \
	"{\"src_role\":\"guest\",\"tasks\":[{\"component\":\"reader_0\","      \
	"\"module\":\"Reader\",\"parameters\":" parameters "}]}"

#define ASK_TABLE                                                              \
	ASK("\"{\\\"table\\\":{\\\"namespace\\\":"                             \
	    "\\\"a\\\",\\\"name\\\":\\\"b\\\"}}\"")

static void
who_asks_hears_what_is_decided_about_its_own_job(void **state)
{
	const struct db_table table = { .table_namespace = "a",
		.name = "b",
		.engine = "STANDALONE",
		.address = "{}",
		.folder = "ab/abcd",
		.partitions = 1,
		.id_delimiter = ",",
		.schema_json = "{}",
		.origin = "upload" };
	struct json_object *data;

	(void)state;
	put("9999", "*", "role", "*", "");
	put("9999", "*", "command", "*", "");
	put("9999", "*", "component", "*", "");
	put("9999", "*", "dataset", "*", "*");
	assert_int_equal(partner_asks("9999", ASK_TABLE, &data), 0);
	assert_false(json_get_bool(data, "allowed", true));
	assert_non_null(
	    strstr(json_object_to_json_string(data), "there is no such table"));
	json_object_put(data);
	assert_int_equal(db_table_put(db, arena, &table, false, NULL), 0);
	assert_int_equal(partner_asks("9999", ASK_TABLE, &data), 0);
	assert_true(json_get_bool(data, "allowed", false));
	json_object_put(data);
	/* The rules are about whose signature it is, whatever the body says. */
	assert_int_equal(partner_asks("10001", ASK("\"{}\""), &data), 0);
	assert_false(json_get_bool(data, "allowed", true));
	json_object_put(data);
}

/* All the rest is told as well. */
static void
who_asks_hears_which_table_cannot_be_read(void **state)
{
	const struct db_table table = { .table_namespace = "a",
		.name = "b",
		.engine = "STANDALONE",
		.address = "{",
		.partitions = 1,
		.origin = "table_bind" };
	struct json_object *data;
	const char *said;

	(void)state;
	put("9999", "*", "role", "*", "");
	put("9999", "*", "command", "*", "");
	put("9999", "*", "component", "*", "");
	put("9999", "*", "dataset", "*", "*");
	assert_int_equal(db_table_put(db, arena, &table, false, NULL), 0);
	assert_int_equal(partner_asks("9999", ASK_TABLE, &data), 0);
	assert_false(json_get_bool(data, "allowed", true));
	said = json_object_to_json_string(data);
	assert_non_null(strstr(said, "the table cannot be read"));
	assert_non_null(strstr(said, "\"component\""));
	json_object_put(data);
}

static void
what_is_no_question_is_refused(void **state)
{
	static const char *const bodies[] = { "{}", "[]",
		"{\"src_role\":\"guest\",\"tasks\":[]}",
		"{\"src_role\":\"guest\",\"tasks\":[1]}",
		"{\"src_role\":\"\",\"tasks\":[{}]}", ASK("{}"), ASK("\"{\""),
		"{\"src_role\":\"guest\",\"party_id\":\"9999\",\"tasks\":[]}" };
	struct json_object *data;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		assert_int_equal(
		    partner_asks("9999", bodies[i], &data), ERR_INVALID);
		assert_null(data);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_allowed_without_rules),
		TEST(a_refusal_names_every_rule_that_is_missing),
		TEST(exact_rules_are_enough_and_each_is_needed),
		TEST(wildcards_stand_for_any),
		TEST(a_permission_tells_its_rule_in_words),
		TEST(what_only_looks_alike_does_not_count),
		TEST(a_reader_that_names_an_output_needs_a_rule_as_well),
		TEST(whoever_names_a_table_needs_a_rule_about_it),
		TEST(no_rule_lets_a_partner_have_the_role_of_a_sites_own_jobs),
		TEST(
		    what_a_partner_names_is_a_word_of_the_command_and_no_command),
		cmocka_unit_test(values_are_compared_as_what_they_are),
		cmocka_unit_test(bounds_that_say_nothing_are_refused),
		TEST(a_bounded_parameter_must_be_within_one_of_its_bounds),
		TEST(a_rule_holds_in_its_time_only),
		TEST(each_member_of_each_job_uses_once),
		TEST(a_use_is_given_back_when_the_job_is_not_taken_in),
		TEST(the_number_of_rules_does_not_matter),
		TEST(what_would_allow_many_refusals_is_found_in_one_pass),
		TEST(who_asks_hears_what_is_decided_about_its_own_job),
		TEST(who_asks_hears_which_table_cannot_be_read),
		TEST(what_is_no_question_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
