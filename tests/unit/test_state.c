/*
 * The state tables and verdicts, over every combination up to four members
 * or tasks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "lib/model/fault.h"
#include "lib/model/state.h"
#include "lib/model/wait.h"

#define MOST 4

/* The tables of the platform, written down a second time and by hand. */
static const char *job_moves[][2] = {
	{ "ready", "waiting" },
	{ "ready", "canceled" },
	{ "ready", "timeout" },
	{ "ready", "failed" },
	{ "waiting", "running" },
	{ "waiting", "canceled" },
	{ "waiting", "timeout" },
	{ "waiting", "failed" },
	{ "waiting", "success" },
	{ "running", "canceled" },
	{ "running", "timeout" },
	{ "running", "failed" },
	{ "running", "success" },
	{ "canceled", "waiting" },
	{ "timeout", "waiting" },
	{ "timeout", "failed" },
	{ "timeout", "success" },
	{ "failed", "waiting" },
	{ "success", "waiting" },
};
static const char *task_moves[][2] = {
	{ "waiting", "running" },
	{ "waiting", "pass" },
	{ "waiting", "success" },
	/* these three the platform lacks */
	{ "waiting", "canceled" },
	{ "waiting", "timeout" },
	{ "waiting", "failed" },
	{ "running", "canceled" },
	{ "running", "timeout" },
	{ "running", "failed" },
	{ "running", "pass" },
	{ "running", "success" },
	{ "canceled", "waiting" },
	{ "timeout", "failed" },
	{ "timeout", "success" },
};

static const enum state task_states[] = { STATE_WAITING, STATE_RUNNING,
	STATE_CANCELED, STATE_TIMEOUT, STATE_FAILED, STATE_PASS,
	STATE_SUCCESS };
#define NTASK (sizeof(task_states) / sizeof(task_states[0]))

static bool
listed(const char *(*moves)[2], size_t n, enum state from, enum state to)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(moves[i][0], state_name(from)) == 0 &&
		    strcmp(moves[i][1], state_name(to)) == 0)
			return true;
	}
	return false;
}

static bool
in_list(const char *list, const char *name)
{
	char padded[128], part[32];

	(void)snprintf(padded, sizeof(padded), ",%s,", list);
	(void)snprintf(part, sizeof(part), ",%s,", name);
	return strstr(padded, part) != NULL;
}

static void
moves_are_those_of_the_tables(void **state)
{
	(void)state;
	for (int f = STATE_NONE; f <= STATE_COUNT; f++) {
		for (int t = STATE_NONE; t <= STATE_COUNT; t++) {
			enum state from = (enum state)f, to = (enum state)t;

			assert_int_equal(state_job_may(from, to),
			    listed(job_moves,
				sizeof(job_moves) / sizeof(job_moves[0]), from,
				to));
			assert_int_equal(state_task_may(from, to),
			    listed(task_moves,
				sizeof(task_moves) / sizeof(task_moves[0]),
				from, to));
		}
	}
}

static void
predecessors_are_the_moves_backwards(void **state)
{
	(void)state;
	for (int f = 0; f < STATE_COUNT; f++) {
		for (int t = 0; t < STATE_COUNT; t++) {
			enum state from = (enum state)f, to = (enum state)t;

			assert_int_equal(
			    in_list(state_task_from(to), state_name(from)),
			    state_task_may(from, to));
		}
	}
	assert_string_equal(state_task_from(STATE_NONE), "");
}

static void
names_are_parsed_back(void **state)
{
	enum state s;

	(void)state;
	for (int i = 0; i < STATE_COUNT; i++) {
		assert_int_equal(state_parse(state_name((enum state)i), &s), 0);
		assert_int_equal(s, i);
	}
	assert_int_equal(state_parse("", &s), 0);
	assert_int_equal(s, STATE_NONE);
	assert_int_equal(state_parse("Success", &s), ERR_INVALID);
	assert_int_equal(s, STATE_NONE);
	assert_string_equal(state_name(STATE_NONE), "");
	assert_string_equal(state_name((enum state)99), "");
}

static void
kinds_and_levels_are_the_platforms(void **state)
{
	static const char *order[] = { "waiting", "ready", "running",
		"canceled", "timeout", "failed", "pass", "success" };

	(void)state;
	assert_int_equal(STATE_COUNT, 8);
	for (int i = 0; i < STATE_COUNT; i++) {
		enum state s = (enum state)i;

		assert_string_equal(state_name(s), order[i]);
		assert_int_equal(state_is_end(s), i >= 3);
		assert_int_equal(state_is_interrupt(s), i >= 3 && i <= 5);
		assert_int_equal(state_is_success(s), i >= 6);
		assert_int_equal((state_kinds(s) & STATE_OF_TASK) != 0, i != 1);
		assert_int_equal((state_kinds(s) & STATE_OF_JOB) != 0, i != 6);
	}
	assert_false(state_is_end(STATE_NONE));
}

/* The rules of the platform in its own order, as a slow reference. */
static bool
has(const enum state *s, size_t n, enum state what)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == what)
			return true;
	}
	return false;
}

static bool
all_are(const enum state *s, size_t n, enum state what)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] != what)
			return false;
	}
	return n > 0;
}

static enum state
reference_task(const enum state *s, size_t n)
{
	if (all_are(s, n, s[0]))
		return s[0];
	if (has(s, n, STATE_FAILED))
		return STATE_FAILED;
	if (has(s, n, STATE_TIMEOUT))
		return STATE_TIMEOUT;
	if (has(s, n, STATE_CANCELED))
		return STATE_CANCELED;
	return STATE_RUNNING;
}

static enum state
reference_job(const enum state *s, size_t n, enum state_next next, bool cancel)
{
	if (all_are(s, n, s[0]))
		return s[0] == STATE_WAITING && cancel ? STATE_CANCELED : s[0];
	if (has(s, n, STATE_RUNNING))
		return STATE_RUNNING;
	if (has(s, n, STATE_WAITING) && next == STATE_HAVE_NEXT)
		return STATE_RUNNING;
	if (has(s, n, STATE_FAILED))
		return STATE_FAILED;
	if (has(s, n, STATE_TIMEOUT))
		return STATE_TIMEOUT;
	if (has(s, n, STATE_CANCELED))
		return STATE_CANCELED;
	return next == STATE_START_FAILED ? STATE_FAILED : STATE_CANCELED;
}

/* The k-th combination of n states; pass as itself and as success. */
static void
combination(size_t k, size_t n, enum state *as_given, enum state *plain)
{
	for (size_t i = 0; i < n; i++, k /= NTASK) {
		as_given[i] = task_states[k % NTASK];
		plain[i] =
		    as_given[i] == STATE_PASS ? STATE_SUCCESS : as_given[i];
	}
}

static size_t
combinations(size_t n)
{
	size_t all = 1;

	while (n-- > 0)
		all *= NTASK;
	return all;
}

static void
task_verdict_follows_the_rules_for_all_combinations(void **state)
{
	enum state s[MOST], plain[MOST], v;
	struct state_member m[MOST];

	(void)state;
	for (size_t n = 1; n <= MOST; n++) {
		for (size_t k = 0; k < combinations(n); k++) {
			combination(k, n, s, plain);
			for (size_t i = 0; i < n; i++)
				m[i] = (struct state_member){ s[i], false };
			v = state_task_verdict(m, n);
			assert_int_equal(v, reference_task(plain, n));
			assert_true((state_kinds(v) & STATE_OF_TASK) != 0);
		}
	}
}

/* Members that map ids are left out once all others succeeded. */
static enum state
reference_mapped(const enum state *s, size_t n, unsigned mapping)
{
	enum state others[MOST];
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		if ((mapping & 1u << i) == 0)
			others[left++] = s[i];
	}
	if (all_are(others, left, STATE_SUCCESS))
		return STATE_SUCCESS;
	return reference_task(s, n);
}

static void
task_verdict_follows_the_rules_whoever_maps_ids(void **state)
{
	enum state s[MOST], plain[MOST];
	struct state_member m[MOST];

	(void)state;
	for (size_t n = 1; n <= MOST; n++) {
		for (size_t k = 0; k < combinations(n) << n; k++) {
			combination(k >> n, n, s, plain);
			for (size_t i = 0; i < n; i++)
				m[i] = (struct state_member){ s[i],
					(k & (size_t)1 << i) != 0 };
			assert_int_equal(state_task_verdict(m, n),
			    reference_mapped(
				plain, n, (unsigned)(k & ((1u << n) - 1))));
		}
	}
}

static void
task_verdict_does_not_depend_on_the_order_of_members(void **state)
{
	enum state s[MOST], plain[MOST];
	struct state_member m[MOST], turned[MOST];

	(void)state;
	for (size_t k = 0; k < combinations(MOST); k++) {
		combination(k, MOST, s, plain);
		for (size_t i = 0; i < MOST; i++) {
			m[i] = (struct state_member){ s[i], i == 0 };
			turned[(i + 1) % MOST] = m[i];
		}
		assert_int_equal(state_task_verdict(m, MOST),
		    state_task_verdict(turned, MOST));
	}
}

/* A member's progress never takes a verdict back from an end to waiting. */
static void
members_going_on_never_unend_a_verdict(void **state)
{
	enum state s[MOST], plain[MOST], before, after;
	struct state_member m[MOST];

	(void)state;
	for (size_t k = 0; k < combinations(3); k++) {
		combination(k, 3, s, plain);
		for (size_t i = 0; i < 3; i++)
			m[i] = (struct state_member){ s[i], false };
		before = state_task_verdict(m, 3);
		if (!state_is_interrupt(before))
			continue;
		for (size_t t = 0; t < NTASK; t++) {
			if (task_states[t] == STATE_WAITING ||
			    s[0] == STATE_TIMEOUT ||
			    !state_task_may(s[0], task_states[t]))
				continue;
			m[0].state = task_states[t];
			after = state_task_verdict(m, 3);
			assert_true(state_is_interrupt(after));
			assert_true(after >= before);
		}
	}
}

static void
id_mapping_members_do_not_hold_up_a_success(void **state)
{
	struct state_member m[3] = { { STATE_SUCCESS, false },
		{ STATE_PASS, false }, { STATE_RUNNING, true } };

	(void)state;
	assert_int_equal(state_task_verdict(m, 3), STATE_SUCCESS);
	m[2].state = STATE_FAILED;
	assert_int_equal(state_task_verdict(m, 3), STATE_SUCCESS);
	m[1].state = STATE_RUNNING;
	assert_int_equal(state_task_verdict(m, 3), STATE_FAILED);
	m[2].state = STATE_WAITING;
	assert_int_equal(state_task_verdict(m, 3), STATE_RUNNING);
	/* Alone they count. */
	m[2].state = STATE_SUCCESS;
	assert_int_equal(state_task_verdict(&m[2], 1), STATE_SUCCESS);
	m[2].state = STATE_FAILED;
	assert_int_equal(state_task_verdict(&m[2], 1), STATE_FAILED);
	assert_int_equal(state_task_verdict(NULL, 0), STATE_WAITING);
}

static void
job_verdict_follows_the_rules_for_all_combinations(void **state)
{
	static const enum state_next nexts[] = { STATE_NO_NEXT, STATE_HAVE_NEXT,
		STATE_START_FAILED };
	enum state s[MOST], plain[MOST], v;

	(void)state;
	for (size_t n = 1; n <= MOST; n++) {
		for (size_t k = 0; k < combinations(n); k++) {
			combination(k, n, s, plain);
			for (size_t x = 0; x < 6; x++) {
				v = state_job_verdict(
				    s, n, nexts[x / 2], x % 2 == 1);
				assert_int_equal(
				    v, reference_job(
					   plain, n, nexts[x / 2], x % 2 == 1));
				assert_true(
				    (state_kinds(v) & STATE_OF_JOB) != 0);
			}
		}
	}
	assert_int_equal(
	    state_job_verdict(NULL, 0, STATE_NO_NEXT, false), STATE_SUCCESS);
}

static void
progress_counts_ended_tasks_and_reaches_100_with_the_last(void **state)
{
	enum state s[MOST], plain[MOST];
	int p, ended;

	(void)state;
	for (size_t n = 1; n <= MOST; n++) {
		for (size_t k = 0; k < combinations(n); k++) {
			combination(k, n, s, plain);
			ended = 0;
			for (size_t i = 0; i < n; i++)
				ended += state_is_end(s[i]);
			p = state_progress(s, n);
			assert_int_equal(p, 100 * ended / (int)n);
			assert_int_equal(p == 100, ended == (int)n);
		}
	}
	assert_int_equal(state_progress(NULL, 0), 100);
}

static void
faults_leave_with_their_words_or_as_their_kind(void **state)
{
	(void)state;
	for (int i = 0; i < FAULT_KINDS; i++)
		assert_int_equal(
		    fault_parse(fault_name((enum fault_kind)i)), i);
	assert_int_equal(fault_parse("of a later version"), FAULT_NONE);
	assert_string_equal(
	    fault_outward("full", FAULT_COMPONENT, "row 7 of x"), "row 7 of x");
	assert_string_equal(
	    fault_outward("class", FAULT_COMPONENT, "row 7 of x"),
	    "the component ended with an error of its own");
	assert_string_equal(
	    fault_outward("full", FAULT_STOPPED,
		"party 9999 is disabled" FAULT_INWARD "enable 9999)"),
	    "the task was told to end");
	assert_string_equal(fault_outward("class", FAULT_NONE, ""), "");
	assert_null(fault_outward("class", FAULT_NONE, NULL));
}

/* "this site" is another one to whoever reads a partner's words. */
static void
words_of_a_partner_name_its_site(void **state)
{
	static const struct {
		const char *text, *want;
	} all[] = {
		{ "this site's folder, at this site",
		    "party 10000's folder, at party 10000" },
		{ "hits this sites, xthis site",
		    "hits this sites, xthis site" },
		{ "nothing", "nothing" },
		{ "", "" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_string_equal(
		    fault_named(a, all[i].text, "10000"), all[i].want);
	assert_null(fault_named(a, NULL, "10000"));
	arena_free(a);
	assert_int_equal(fault_of_error(ERR_DB), FAULT_HOST);
	assert_int_equal(fault_of_error(ERR_FULL), FAULT_DISK);
	assert_int_equal(fault_remedy(FAULT_DISK), FAULT_MENDABLE);
	assert_int_equal(fault_of_error(ERR_NOT_FOUND), FAULT_COMPONENT);
	assert_int_equal(fault_of_error(ERR_DENIED), FAULT_REFUSED);
}

/* What a member says travels; what it may not say, or nobody knows, does not. */
static void
reasons_to_wait_are_read_back_and_no_others(void **state)
{
	struct wait w = wait_of(WAIT_QUOTA), back;
	struct json_object *o, *odd;

	(void)state;
	for (int i = 1; i < WAIT_CODES; i++) {
		enum wait_code code = (enum wait_code)i;

		assert_int_equal(wait_parse(wait_name(code)), code);
		assert_string_not_equal(wait_words(code), "");
		assert_string_not_equal(wait_clears(code), "");
	}
	wait_set(&w, WAIT_N_USED, 3);
	wait_set(&w, WAIT_N_LIMIT, INT64_C(1) << 40);
	o = wait_answer_json(&w);
	odd = json_get(o, "numbers");
	json_add_int(odd, "made_up", 5);
	json_add_str(odd, "cores_free", "many");
	back = wait_answer_read(o);
	assert_int_equal(back.code, WAIT_QUOTA);
	assert_int_equal(back.have, w.have);
	assert_true(back.n[WAIT_N_LIMIT] == INT64_C(1) << 40);
	json_add_str(o, "code", "ending");
	assert_int_equal(wait_answer_read(o).code, WAIT_NONE);
	json_object_put(o);
	assert_int_equal(wait_answer_read(NULL).code, WAIT_NONE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_a_partner_name_its_site),
		cmocka_unit_test(moves_are_those_of_the_tables),
		cmocka_unit_test(predecessors_are_the_moves_backwards),
		cmocka_unit_test(names_are_parsed_back),
		cmocka_unit_test(kinds_and_levels_are_the_platforms),
		cmocka_unit_test(
		    task_verdict_follows_the_rules_for_all_combinations),
		cmocka_unit_test(
		    task_verdict_follows_the_rules_whoever_maps_ids),
		cmocka_unit_test(
		    task_verdict_does_not_depend_on_the_order_of_members),
		cmocka_unit_test(members_going_on_never_unend_a_verdict),
		cmocka_unit_test(id_mapping_members_do_not_hold_up_a_success),
		cmocka_unit_test(
		    job_verdict_follows_the_rules_for_all_combinations),
		cmocka_unit_test(
		    faults_leave_with_their_words_or_as_their_kind),
		cmocka_unit_test(reasons_to_wait_are_read_back_and_no_others),
		cmocka_unit_test(
		    progress_counts_ended_tasks_and_reaches_100_with_the_last),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
