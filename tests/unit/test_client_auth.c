/*
 * Users' signatures: vectors that the classic platform's own clients made,
 * the sealing of secrets, failures that are counted, and which role may call
 * which route.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fcgi-app/auth_client.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/route.h"
#include "fcgi-app/throttle.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/client_sign.h"
#include "lib/sign/client_vault.h"

#define SECRET "s3cr3t-0123456789"
#define NOW INT64_C(1760000000123)

static struct client_request
request(const char *target, const char *body, const char *form)
{
	return (struct client_request){ .timestamp = "1760000000123",
		.nonce = "5f0c8a3e-a4d6-11f0-8de9-0242ac120002",
		.app_key = "K4bf1",
		.target = target,
		.body = body,
		.body_len = strlen(body),
		.form = form };
}

/* --- vectors ------------------------------------------------------------------ */

/* Made by flow_sdk and flow_client 1.11.3 with time and nonce held fixed. */
static const struct {
	const char *target;
	const char *body;
	const char *form;
	const char *signature;
} vectors[] = {
	{ "/v1/job/query",
	    "{\"job_id\": \"2025\", \"role\": \"guest\", \"name\": "
	    "\"a\\u00e9\"}",
	    "", "+j8b4pJBi8X9RxWOgnQ6aWNKlWk=" },
	/* The SDK signs nothing for {}, the command line signs {}. */
	{ "/v1/server/version/get", "{}", "", "uGtpvVqXKdd+Q6cOSxBykHm088U=" },
	{ "/v1/server/version/get", "{}", "", "77Y2tCHEA6btK5E97ryp//p4lrU=" },
	{ "/v1/queue/clean", "", "", "yt/gs6FsqvAFVMNZO4hzNG0pRPA=" },
	{ "/v1/data/upload?%7B%22file%22:%20%22x.csv%22,%20%22n%22:1%7D&+=%20",
	    "", "", "1xoI3mFWpPNopLa87FhbfFOVXSE=" },
	{ "/v1/model/import", "",
	    "a=%C3%A9%26%3D&b=x%20y%2F~&file=%2Ftmp%2Fm.zip",
	    "Q2t61ewWsR8z0Yf08QQCFNqDTOE=" },
};
#define N_VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static void
signatures_of_the_classic_clients_hold(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_VECTORS; i++) {
		struct client_request q = request(
		    vectors[i].target, vectors[i].body, vectors[i].form);

		if (client_verify(SECRET, &q, vectors[i].signature) != 0)
			fail_msg("%zu: %s", i, err_text());
	}
}

static void
our_signature_is_the_same(void **state)
{
	struct client_request q =
	    request(vectors[0].target, vectors[0].body, "");
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(client_sign(SECRET, &q, &b), 0);
	assert_string_equal(buf_str(&b), vectors[0].signature);
	buf_fini(&b);
}

static void
any_change_breaks_a_signature(void **state)
{
	struct client_request base = request(
				  vectors[0].target, vectors[0].body, ""),
			      q;
	const char *good = vectors[0].signature;
	char bad[64];

	(void)state;
#define BROKEN(change)                                                         \
	do {                                                                   \
		q = base;                                                      \
		change;                                                        \
		assert_int_equal(client_verify(SECRET, &q, good), ERR_AUTH);   \
	} while (0)
	BROKEN(q.timestamp = "1760000000124");
	BROKEN(q.nonce = "5f0c8a3e-a4d6-11f0-8de9-0242ac120003");
	BROKEN(q.app_key = "K4bf2");
	BROKEN(q.target = "/v1/job/query?");
	BROKEN(q.body_len--);
	BROKEN(q.body_len = 0);
	BROKEN(q.form = "a=b");
#undef BROKEN
	assert_int_equal(client_verify("s3cr3t", &base, good), ERR_AUTH);
	(void)snprintf(bad, sizeof(bad), "%s", good);
	bad[0] = bad[0] == 'A' ? 'B' : 'A';
	assert_int_equal(client_verify(SECRET, &base, bad), ERR_AUTH);
	assert_int_equal(client_verify(SECRET, &base, ""), ERR_AUTH);
	assert_int_equal(client_verify(SECRET, &base, "!"), ERR_AUTH);
	assert_int_equal(client_verify(SECRET, &base, "AAAA"), ERR_AUTH);
}

/* Only a body that is just {} has two readings. */
static void
other_bodies_are_not_read_as_nothing(void **state)
{
	struct client_request empty = request("/v1/x", "", ""), q;
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(client_sign(SECRET, &empty, &b), 0);
	q = request("/v1/x", "{}", "");
	assert_int_equal(client_verify(SECRET, &q, buf_str(&b)), 0);
	q = request("/v1/x", "{} ", "");
	assert_int_equal(client_verify(SECRET, &q, buf_str(&b)), ERR_AUTH);
	q = request("/v1/x", "[]", "");
	assert_int_equal(client_verify(SECRET, &q, buf_str(&b)), ERR_AUTH);
	buf_fini(&b);
}

static void
a_clock_may_be_a_minute_off_and_no_more(void **state)
{
	static const char *const bad[] = { "", "1760000060124", "1759999940122",
		"1.76e12", "-1", "x", "1760000000123 ",
		"99999999999999999999" };
	int64_t ms;
	size_t i;

	(void)state;
	assert_int_equal(client_check_time("1760000000123", NOW, &ms), 0);
	assert_int_equal(ms, NOW);
	assert_int_equal(client_check_time("1760000060123", NOW, &ms), 0);
	assert_int_equal(client_check_time("1759999940123", NOW, &ms), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(client_check_time(bad[i], NOW, &ms), ERR_AUTH);
}

/* --- secrets at rest ------------------------------------------------------------ */

static void
a_sealed_secret_opens_only_here_and_only_as_what_it_is(void **state)
{
	char dir[] = "/tmp/vaultXXXXXX", out[CLIENT_SECRET_MAX + 1];
	struct client_vault *v, *other;
	struct buf sealed = BUF_INIT;
	char *a, *b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	a = xasprintf("%s/a", dir);
	b = xasprintf("%s/b", dir);
	assert_int_equal(client_vault_load(a, &v), ERR_NOT_FOUND);
	assert_int_equal(client_vault_make(a), 0);
	assert_int_equal(client_vault_make(a), ERR_EXISTS);
	assert_int_equal(client_vault_make(b), 0);
	assert_int_equal(client_vault_load(a, &v), 0);
	assert_int_equal(client_vault_load(b, &other), 0);

	assert_int_equal(client_vault_seal(v, "key1", SECRET, &sealed), 0);
	assert_null(strstr(buf_str(&sealed), SECRET));
	assert_int_equal(
	    client_vault_open(v, "key1", buf_str(&sealed), out), 0);
	assert_string_equal(out, SECRET);
	assert_int_equal(
	    client_vault_open(v, "key2", buf_str(&sealed), out), ERR_CRYPTO);
	assert_int_equal(
	    client_vault_open(other, "key1", buf_str(&sealed), out),
	    ERR_CRYPTO);
	sealed.data[10] ^= 1;
	assert_true(client_vault_open(v, "key1", buf_str(&sealed), out) < 0);
	assert_int_equal(client_vault_open(v, "key1", "AAAA", out), ERR_FORMAT);

	client_vault_free(v);
	assert_int_equal(chmod(a, 0640), 0);
	assert_int_equal(client_vault_load(a, &v), ERR_DENIED);
	client_vault_free(other);
	buf_fini(&sealed);
	(void)unlink(a);
	(void)unlink(b);
	(void)rmdir(dir);
	free(a);
	free(b);
}

/* --- failures --------------------------------------------------------------------- */

static void
failures_are_counted_across_processes_and_by_who(void **state)
{
	struct throttle *t;
	int i, status;
	pid_t pid;

	(void)state;
	assert_int_equal(throttle_new(&t), 0);
	assert_int_equal(throttle_wait_s(t, "1.2.3.4 K"), 0);
	/* Half of them in another process; a minute may end meanwhile. */
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < THROTTLE_MAX; i++)
			(void)throttle_failed(t, "1.2.3.4 K");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (i = 0; i < THROTTLE_MAX; i++)
		(void)throttle_failed(t, "1.2.3.4 K");
	assert_in_range(throttle_wait_s(t, "1.2.3.4 K"), 1, THROTTLE_WINDOW_S);
	assert_int_equal(throttle_wait_s(t, "1.2.3.4 L"), 0);
	throttle_free(t);
}

/* --- roles -------------------------------------------------------------------------- */

static void
every_route_for_users_has_a_least_role(void **state)
{
	/* What changes something is not for viewers. */
	static const char *const changing[] = { "/submit", "/upload", "/stop",
		"/delete", "/rerun", "/deploy", "/grant", "/register",
		"/reload", "/clean", "/return", "/save", "/disable",
		"/enable" };
	const struct route *t;
	size_t i, k, n;

	(void)state;
	t = route_table(&n);
	for (i = 0; i < n; i++) {
		bool users = t[i].audience != AUDIENCE_PUBLIC &&
			     t[i].audience != AUDIENCE_LOGIN &&
			     t[i].audience != AUDIENCE_PARTNER;

		assert_int_equal(users, route_role(&t[i]) != CLIENT_NOBODY);
		for (k = 0; users && k < sizeof(changing) / sizeof(changing[0]);
		     k++)
			if (str_ends(t[i].pattern, changing[k]) &&
			    route_role(&t[i]) < CLIENT_MODELER)
				fail_msg("%s is for viewers", t[i].pattern);
	}
}

/* Every role against every route. */
static void
a_role_may_do_what_lesser_ones_may(void **state)
{
	const struct route *t;
	struct request req = { .path = "/v1/x" };
	enum client_role role;
	size_t i, n, allowed[CLIENT_ADMIN + 1] = { 0 };

	(void)state;
	t = route_table(&n);
	for (role = CLIENT_VIEWER; role <= CLIENT_ADMIN; role++) {
		req.caller.role = role;
		req.caller.name = "client x";
		for (i = 0; i < n; i++) {
			req.route = &t[i];
			if (auth_role(&req) == 0) {
				allowed[role]++;
				assert_true(role >= route_role(&t[i]));
			} else {
				assert_int_equal(err_code(), ERR_DENIED);
				assert_true(role < route_role(&t[i]));
			}
		}
	}
	assert_true(allowed[CLIENT_VIEWER] < allowed[CLIENT_MODELER]);
	assert_int_equal(allowed[CLIENT_ADMIN], n);
	assert_int_equal(client_role_parse("modeler"), CLIENT_MODELER);
	assert_int_equal(client_role_parse("Admin"), CLIENT_NOBODY);
	assert_int_equal(client_role_parse(""), CLIENT_NOBODY);
}

/* The library escapes "%XX" again when a "%" in the query escapes nothing;
 * what is signed is the target before that. */
static void
a_query_that_was_escaped_after_signing_fits(void **state)
{
	static const char *const others[] = {
		"/v1/data/upload?%257B%2522n%2522:%25201%2525%257D",
		"/v1/data/upload?%257B%2522n%2522:%25201%257D",
		"/v1/data/upload?%7B%22n%22:%201%25%7D",
		"/v1/data/download?%257B%2522n%2522:%25201%25%257D",
		"/v1/data/upload?%257B%2522n%2522:%25201%25%7D",
	};
	struct client_request q = { .timestamp = "1700000000000",
		.nonce = "n",
		.app_key = "k",
		.target = "/v1/data/upload?%7B%22n%22:%201%%7D" };
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_int_equal(client_sign(SECRET, &q, &b), 0);
	q.target = "/v1/data/upload?%257B%2522n%2522:%25201%25%257D";
	assert_int_equal(client_verify(SECRET, &q, buf_str(&b)), 0);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		q.target = others[i];
		assert_int_equal(
		    client_verify(SECRET, &q, buf_str(&b)), ERR_AUTH);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_that_was_escaped_after_signing_fits),
		cmocka_unit_test(signatures_of_the_classic_clients_hold),
		cmocka_unit_test(our_signature_is_the_same),
		cmocka_unit_test(any_change_breaks_a_signature),
		cmocka_unit_test(other_bodies_are_not_read_as_nothing),
		cmocka_unit_test(a_clock_may_be_a_minute_off_and_no_more),
		cmocka_unit_test(
		    a_sealed_secret_opens_only_here_and_only_as_what_it_is),
		cmocka_unit_test(
		    failures_are_counted_across_processes_and_by_who),
		cmocka_unit_test(every_route_for_users_has_a_least_role),
		cmocka_unit_test(a_role_may_do_what_lesser_ones_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
