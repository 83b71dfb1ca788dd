/*
 * What people log in with, and services that are left alone: without a
 * server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fcgi-app/app.h"
#include "fcgi-app/session.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/hook/gate.h"
#include "lib/sign/password.h"

static const struct password_cost cheap = { 2, 64 }, dear = { 3, 64 };

/* --- passwords ---------------------------------------------------------------- */

static void
a_password_fits_its_hash_and_no_other(void **state)
{
	char a[PASSWORD_HASH_SIZE], b[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_hash("by the sea by the sea", &cheap, a), 0);
	assert_int_equal(password_hash("by the sea by the sea", &cheap, b), 0);
	assert_string_not_equal(a, b); /* salted */
	assert_ptr_equal(strstr(a, "$argon2id$v=19$m=65536,t=2,p=1$"), a);
	assert_int_equal(password_verify(a, "by the sea by the sea"), 0);
	assert_int_equal(password_verify(a, "by the sea by the se"), ERR_AUTH);
	assert_int_equal(password_verify(a, ""), ERR_AUTH);
	assert_int_equal(password_verify("", "x"), ERR_AUTH);
	assert_int_equal(password_verify("$argon2id$", "x"), ERR_AUTH);
	assert_false(password_is_outdated(a, &cheap));
	assert_true(password_is_outdated(a, &dear));
}

/* It is read as any hash is, at the same cost, and nothing fits it. */
static void
nobody_has_a_hash_that_costs_as_much(void **state)
{
	char a[PASSWORD_HASH_SIZE], b[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_dummy(&cheap, a), 0);
	assert_int_equal(password_dummy(&cheap, b), 0);
	assert_string_not_equal(a, b);
	assert_false(password_is_outdated(a, &cheap));
	assert_true(password_is_outdated(a, &dear));
	assert_int_equal(password_verify(a, ""), ERR_AUTH);
}

static void
easy_passwords_are_refused_and_not_shown(void **state)
{
	static const char *const bad[] = { "", "short", "aaaaaaaaaaaaaaaa",
		"my-name-is-roberta", "my-name-is-ROBERTA",
		"tab\tin the middle", "not UTF-8 \xff at all" };
	char longest[PASSWORD_MAX + 2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    password_acceptable(bad[i], "roberta"), ERR_INVALID);
		if (*bad[i] != '\0')
			assert_null(strstr(err_text(), bad[i]));
	}
	assert_int_equal(password_acceptable("my-name-is-bob", "bob"), 0);
	memset(longest, 'x', sizeof(longest));
	longest[0] = 'y';
	longest[PASSWORD_MAX] = '\0';
	assert_int_equal(password_acceptable(longest, "bob"), 0);
	longest[PASSWORD_MAX] = 'x';
	longest[PASSWORD_MAX + 1] = '\0';
	assert_int_equal(password_acceptable(longest, "bob"), ERR_INVALID);
}

/* --- cookies ------------------------------------------------------------------- */

#define GOOD "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static int
take(enum listener listener, const char *cookie, struct session *out)
{
	static char party[] = "9999";
	struct site_conf conf = { .party_id = party };
	struct app app = { .conf = &conf };
	char *env[2] = { xasprintf("HTTP_COOKIE=%s", cookie), NULL };
	struct request_source source = { .envp = env };
	struct request req = { .app = &app,
		.source = &source,
		.listener = listener,
		.arena = arena_new() };
	int r = session_take_cookie(&req, out);

	arena_free(req.arena);
	free(env[0]);
	return r;
}

static void
a_session_is_taken_from_its_one_cookie(void **state)
{
	static const char *const bad[] = { "", ";", "=", "sluice-9999",
		"sluice-9999=", "sluice-9999=short", "sluice-9999=" GOOD "A",
		"sluice-9999=" GOOD "; sluice-9999=" GOOD, "xsluice-9999=" GOOD,
		"sluice-99990=" GOOD, "SLUICE-9999=" GOOD, "sluice-9999=+" GOOD,
		"__Host-sluice-9999=" GOOD,
		/* bits beyond the last byte */
		"sluice-9999=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB" };
	struct session a, b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (take(LISTENER_CLIENT_LOOPBACK, bad[i], &a) != ERR_AUTH)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(
	    take(LISTENER_CLIENT_LOOPBACK, "sluice-9999=" GOOD, &a), 0);
	assert_int_equal(take(LISTENER_CLIENT_LOOPBACK,
			     "a=b;  sluice-9999=" GOOD "; c=d", &b),
	    0);
	assert_memory_equal(a.hash, b.hash, sizeof(a.hash));
	assert_string_equal(a.token, b.token);
	assert_int_equal(
	    take(LISTENER_CLIENT_TLS, "sluice-9999=" GOOD, &b), ERR_AUTH);
	assert_int_equal(
	    take(LISTENER_CLIENT_TLS, "__Host-sluice-9999=" GOOD, &b), 0);
	assert_int_equal(take(LISTENER_CLIENT_LOOPBACK,
			     "sluice-9999=BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			     "AAAAAA",
			     &b),
	    0);
	assert_string_not_equal(a.token, b.token);
	assert_memory_not_equal(a.hash, b.hash, sizeof(a.hash));
}

/* --- services ------------------------------------------------------------------- */

static void
a_service_is_left_alone_after_failures_in_any_process(void **state)
{
	struct hook_gate *g;
	int i, status;
	pid_t pid;

	(void)state;
	assert_int_equal(hook_gate_new(&g), 0);
	for (i = 0; i < HOOK_TRIES - 1; i++) {
		assert_int_equal(hook_gate_enter(g, HOOK_SITE), 0);
		hook_gate_leave(g, HOOK_SITE, false);
	}
	/* One answer, and the count begins anew. */
	hook_gate_leave(g, HOOK_SITE, true);
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < HOOK_TRIES; i++)
			hook_gate_leave(g, HOOK_SITE, false);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(hook_gate_enter(g, HOOK_SITE), ERR_BUSY);
	assert_int_equal(hook_gate_enter(g, HOOK_CLIENT), 0);
	hook_gate_leave(g, HOOK_SITE, true);
	assert_int_equal(hook_gate_enter(g, HOOK_SITE), 0);
	hook_gate_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_fits_its_hash_and_no_other),
		cmocka_unit_test(nobody_has_a_hash_that_costs_as_much),
		cmocka_unit_test(easy_passwords_are_refused_and_not_shown),
		cmocka_unit_test(a_session_is_taken_from_its_one_cookie),
		cmocka_unit_test(
		    a_service_is_left_alone_after_failures_in_any_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
