/*
 * What fcgi-app reads from strangers, without a server: targets, bodies,
 * forms, upload configurations, certificate subjects; and what it writes.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "fcgi-app/app.h"
#include "fcgi-app/archive.h"
#include "fcgi-app/auth_partner.h"
#include "fcgi-app/form.h"
#include "lib/wire/pbjson.h"
#include "fcgi-app/reply.h"
#include "fcgi-app/route.h"
#include "fcgi-app/turns.h"
#include "fcgi-app/upload.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/json.h"
#include "proto/executor.pb-c.h"

/* --- a request without a front end -------------------------------------------- */

struct fake {
	struct site_conf conf;
	struct app app;
	char *env[16];
	const char *body;
	size_t at;
	struct request_source source;
	struct request req;
};

static int
fake_read(void *ctx, char *data, int size)
{
	struct fake *f = ctx;
	size_t left = strlen(f->body) - f->at;
	/* Small pieces, as a socket may give them. */
	size_t n = left < 7 ? left : 7;

	if (n > (size_t)size)
		n = (size_t)size;
	memcpy(data, f->body + f->at, n);
	f->at += n;
	return (int)n;
}

static int
fake_begin(struct fake *f, const char *method, const char *target,
    const char *type, const char *body, const char *file)
{
	int n = 0;

	memset(f, 0, sizeof(*f));
	f->conf.home = xstrdup("/srv/site");
	f->conf.fcgi_max_body = 1000;
	f->app.conf = &f->conf;
	f->body = body;
	f->env[n++] = xasprintf("REQUEST_METHOD=%s", method);
	f->env[n++] = xasprintf("REQUEST_URI=%s", target);
	f->env[n++] = xstrdup("LISTENER=client-loopback");
	f->env[n++] = xasprintf("CONTENT_TYPE=%s", type);
	f->env[n++] = xasprintf("CONTENT_LENGTH=%zu", strlen(body));
	f->env[n++] = xasprintf("BODY_FILE=%s", file);
	f->env[n++] = xstrdup("HTTP_BODY_FILE=/etc/passwd");
	f->source = (struct request_source){
		.envp = f->env, .read = fake_read, .ctx = f
	};
	return request_init(&f->req, &f->app, &f->source);
}

static void
fake_end(struct fake *f)
{
	int i;

	request_fini(&f->req);
	for (i = 0; f->env[i] != NULL; i++)
		free(f->env[i]);
	free(f->conf.home);
}

/* Up to the decoded body. */
static int
fake_post(
    struct fake *f, const char *target, const char *type, const char *body)
{
	int r;

	if ((r = fake_begin(f, "POST", target, type, body, "")) != 0)
		return r;
	f->req.route = route_find(&f->req);
	assert_non_null(f->req.route);
	if ((r = request_read_body(&f->req)) != 0)
		return r;
	return request_decode_body(&f->req);
}

/* --- targets and routes ------------------------------------------------------------ */

static const struct route *
route_of(struct fake *f, const char *method, const char *target)
{
	assert_int_equal(fake_begin(f, method, target, "", "", ""), 0);
	return route_find(&f->req);
}

static void
a_path_finds_its_route_and_parameters(void **state)
{
	struct fake f;
	const struct route *r;

	(void)state;
	r = route_of(&f, "POST",
	    "/v1/party/20260101000000/guest/9999/"
	    "status/running?x=1");
	assert_non_null(r);
	f.req.route = r;
	assert_int_equal(r->audience, AUDIENCE_PARTNER);
	assert_string_equal(request_param(&f.req, "job"), "20260101000000");
	assert_string_equal(request_param(&f.req, "role"), "guest");
	assert_string_equal(request_param(&f.req, "party"), "9999");
	assert_string_equal(request_param(&f.req, "status"), "running");
	assert_string_equal(request_param(&f.req, "par"), "");
	assert_string_equal(f.req.query, "x=1");
	fake_end(&f);
}

static void
a_trailing_slash_makes_no_difference(void **state)
{
	struct fake f;

	(void)state;
	assert_non_null(route_of(&f, "POST", "/v1/job/query/"));
	fake_end(&f);
}

static void
other_methods_and_unknown_paths_find_nothing(void **state)
{
	static const char *const paths[] = { "/", "/v1", "/v1/job",
		"/v1/job/query/x", "/v1//job/query", "/v2/job/query",
		"/v1/party/1//9999/create" };
	struct fake f;
	size_t i;

	(void)state;
	assert_null(route_of(&f, "GET", "/v1/job/query"));
	fake_end(&f);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_null(route_of(&f, "POST", paths[i]));
		fake_end(&f);
	}
}

static void
every_route_has_an_audience_and_one_meaning(void **state)
{
	const struct route *t;
	size_t i, k, n;

	(void)state;
	t = route_table(&n);
	assert_true(n > 40);
	for (i = 0; i < n; i++) {
		assert_in_range(
		    t[i].audience, AUDIENCE_PUBLIC, AUDIENCE_PARTNER);
		assert_true(str_starts(t[i].pattern, "/v1/"));
		/* Only these prefixes are for partners, and all of them. */
		assert_int_equal(t[i].audience == AUDIENCE_PARTNER,
		    str_starts(t[i].pattern, "/v1/party/") ||
			str_starts(t[i].pattern, "/v1/initiator/") ||
			str_starts(t[i].pattern, "/v1/mailbox/"));
		for (k = i + 1; k < n; k++)
			assert_false(str_eq(t[i].pattern, t[k].pattern) &&
				     str_eq(t[i].method, t[k].method));
	}
}

static void
hidden_slashes_dots_and_nuls_are_refused(void **state)
{
	static const char *const bad[] = { "", "v1/x", "/v1/..", "/v1/../x",
		"/v1/%2e%2e/x", "/v1/%2e./x", "/v1/./x", "/v1/a%2fb",
		"/v1/a%00b", "*", "http://x/v1" };
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    fake_begin(&f, "POST", bad[i], "", "", ""), ERR_INVALID);
		fake_end(&f);
	}
}

/* --- bodies ------------------------------------------------------------------------------ */

static void
json_is_read_whatever_the_content_type_says(void **state)
{
	struct fake f;
	int64_t n;

	(void)state;
	assert_int_equal(
	    fake_post(&f, "/v1/job/query", "text/plain",
		"{\"job_id\":\"1\",\"party_id\":9999,\"limit\":\"5\","
		"\"none\":null}"),
	    0);
	assert_true(f.req.has_body);
	assert_string_equal(request_text(&f.req, "party_id"), "9999");
	assert_int_equal(request_int(&f.req, "limit", 0, 10, 0, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(request_require(&f.req, "job_id,none"), 0);
	assert_int_equal(request_require(&f.req, "job_id,role,x"), ERR_INVALID);
	assert_non_null(
	    strstr(err_text(), "required argument are missing: role,x; "));
	fake_end(&f);
}

static void
what_never_was_json_counts_as_absent(void **state)
{
	static const char *const bad[] = { "", "a=1", "--x", "<a/>",
		"\xff\xfe" };
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    fake_post(&f, "/v1/job/query", "text/plain", bad[i]), 0);
		assert_false(f.req.has_body);
		assert_null(request_field(&f.req, "a"));
		assert_int_equal(f.req.body_fault != NULL, bad[i][0] != 0);
		fake_end(&f);
	}
}

static void
broken_json_is_refused_with_its_place(void **state)
{
	static const char form[] = "application/x-www-form-urlencoded";
	static const char json[] = "application/json";
	static const struct {
		const char *type;
		const char *body;
		int code;
		const char *text;
	} bad[] = {
		{ form, "{\"job_id\":", ERR_FORMAT, "line 1" },
		{ "", " \n{\"a\":1,}", ERR_FORMAT, "line 2" },
		{ form, "{\"a\":1}x", ERR_FORMAT, "column" },
		{ "", "[1", ERR_FORMAT, "line 1" },
		{ json, "a=1", ERR_FORMAT, "line 1" },
		{ form, "[]", ERR_INVALID, "must be an object" },
		{ json, "7", ERR_INVALID, "must be an object" },
		{ "", "null", ERR_INVALID, "must be an object" },
	};
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    fake_post(&f, "/v1/job/query", bad[i].type, bad[i].body),
		    bad[i].code);
		if (strstr(err_text(), bad[i].text) == NULL)
			fail_msg("%s: %s", bad[i].body, err_text());
		fake_end(&f);
	}
}

static void
form_fields_stand_in_for_json(void **state)
{
	struct fake f;

	(void)state;
	assert_int_equal(fake_post(&f, "/v1/job/query",
			     "application/x-www-form-urlencoded; charset=utf-8",
			     "job_id=1%202&role=a+b&=x&nothing"),
	    0);
	assert_string_equal(request_text(&f.req, "job_id"), "1 2");
	assert_string_equal(request_text(&f.req, "role"), "a b");
	fake_end(&f);
}

static void
a_body_larger_than_allowed_is_refused(void **state)
{
	struct fake f;
	char *big = xcalloc(1, 1002);

	(void)state;
	memset(big, 'x', 1001);
	assert_int_equal(fake_post(&f, "/v1/job/query", "", big), ERR_LIMIT);
	fake_end(&f);
	free(big);
}

static void
a_body_shorter_than_it_says_is_refused(void **state)
{
	struct fake f;

	(void)state;
	assert_int_equal(
	    fake_begin(&f, "POST", "/v1/job/query", "", "12345", ""), 0);
	f.body = "123";
	f.req.route = route_find(&f.req);
	assert_int_equal(request_read_body(&f.req), ERR_INVALID);
	fake_end(&f);
}

static void
a_spooled_file_is_taken_only_below_the_spool(void **state)
{
	static const char *const files[] = { "/etc/passwd",
		"/srv/site/spool/../site.conf", "/srv/site/spoolx/1",
		"spool/upload/1" };
	struct fake f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(
		    fake_begin(&f, "PUT",
			"/v1/mailbox/large/1/reader_0/0/guest/9999", "", "",
			files[i]),
		    0);
		f.req.route = route_find(&f.req);
		assert_int_equal(request_read_body(&f.req), ERR_INVALID);
		fake_end(&f);
	}
	/* A route that takes no file is not given one. */
	assert_int_equal(fake_begin(&f, "POST", "/v1/job/query", "", "",
			     "/srv/site/spool/upload/1"),
	    0);
	f.req.route = route_find(&f.req);
	assert_int_equal(request_read_body(&f.req), ERR_INVALID);
	fake_end(&f);
}

static void
a_client_cannot_name_the_spooled_file(void **state)
{
	struct fake f;

	(void)state;
	/* fake_begin() sends the header; it arrives as HTTP_BODY_FILE. */
	assert_int_equal(
	    fake_begin(&f, "POST", "/v1/data/upload", "", "", ""), 0);
	f.req.route = route_find(&f.req);
	assert_int_equal(request_read_body(&f.req), 0);
	assert_null(f.req.body_file);
	fake_end(&f);
}

/* --- upload configurations --------------------------------------------------------------------- */

static int
config_of(const char *target, struct json_object **config)
{
	struct fake f;
	int r;

	assert_int_equal(fake_post(&f, target, "", ""), 0);
	r = upload_config(&f.req, NULL, config);
	fake_end(&f);
	return r;
}

static void
the_query_is_one_json_text_with_odd_characters(void **state)
{
	struct json_object *c;
	struct upload up;

	(void)state;
	assert_int_equal(
	    config_of(
		"/v1/data/upload?{%22file%22:%20%22/p/x"
		".csv%22,%20%22head%22:%201,%20%22namespace%22:%20%22a=b&c+d%"
		"%22,%20%22table_name%22:%20%22t%22,%20%22id_delimiter%22:%20"
		"%22&%22,%22partition%22:%20%228%22,%22drop%22:%201}",
		&c),
	    0);
	assert_int_equal(upload_decode(c, &up), 0);
	assert_string_equal(up.table_namespace, "a=b&c+d%");
	assert_string_equal(up.id_delimiter, "&");
	assert_int_equal(up.partition, 8);
	assert_true(up.drop);
	json_object_put(c);
}

/* As the client sends it when a name has a percent sign that escapes nothing:
 * what was escaped is escaped again. */
static void
a_percent_sign_in_a_name_may_have_the_query_escaped_twice(void **state)
{
	struct json_object *c;
	struct upload up;

	(void)state;
	assert_int_equal(
	    config_of(
		"/v1/data/upload?%257B%2522file%2522:%2520%2522/p/x"
		".csv%2522,%2520%2522head%2522:%25201,%2520%2522partition"
		"%2522:%25204,%2520%2522namespace%2522:%2520%2522a&b=%255C"
		"u00e9%2522,%2520%2522table_name%2522:%2520%2522100%25%2520"
		"real%2522%257D",
		&c),
	    0);
	assert_int_equal(upload_decode(c, &up), 0);
	assert_string_equal(up.table_name, "100% real");
	assert_string_equal(up.table_namespace, "a&b=\xc3\xa9");
	json_object_put(c);
}

static void
pairs_are_taken_from_older_clients(void **state)
{
	struct json_object *c;
	struct upload up;

	(void)state;
	assert_int_equal(config_of("/v1/data/upload?namespace=n%20s&"
				   "table_name=t&head=0&partition=4&file=x",
			     &c),
	    0);
	assert_int_equal(upload_decode(c, &up), 0);
	assert_string_equal(up.table_namespace, "n s");
	assert_int_equal(up.head, 0);
	json_object_put(c);
}

static void
truth_may_be_written_as_people_write_it(void **state)
{
	static const struct {
		const char *text;
		int64_t head;
	} cases[] = { { "true", 1 }, { "false", 0 }, { "\"true\"", 1 },
		{ "\"False\"", 0 }, { "\"1\"", 1 }, { "0", 0 }, { "2", 2 } };
	struct json_object *c;
	struct upload up;
	char *target;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		target = xasprintf("/v1/data/upload?{\"file\":\"f\","
				   "\"namespace\":\"n\",\"table_name\":\"t\","
				   "\"partition\":4,\"extend_sid\":\"false\","
				   "\"head\":%s}",
		    cases[i].text);
		assert_int_equal(config_of(target, &c), 0);
		assert_int_equal(upload_decode(c, &up), 0);
		assert_int_equal(up.head, cases[i].head);
		assert_false(up.extend_sid);
		json_object_put(c);
		free(target);
	}
}

static void
engines_that_take_no_uploads_are_refused_by_name(void **state)
{
	struct json_object *c;
	struct upload up;

	(void)state;
	assert_int_equal(config_of("/v1/data/upload?namespace=n&table_name=t&"
				   "head=0&partition=4&file=x&storage_engine="
				   "EGGROLL",
			     &c),
	    0);
	assert_int_equal(upload_decode(c, &up), ERR_INVALID);
	assert_non_null(strstr(err_text(), "EGGROLL"));
	assert_non_null(strstr(err_text(), "STANDALONE"));
	json_add_str(c, "storage_engine", "standalone");
	assert_int_equal(upload_decode(c, &up), 0);
	json_object_put(c);
}

static void
missing_and_wrong_fields_of_an_upload_are_named(void **state)
{
	struct json_object *c;
	struct upload up;

	(void)state;
	assert_int_equal(config_of("/v1/data/upload?{%22head%22:1}", &c), 0);
	assert_int_equal(upload_decode(c, &up), ERR_INVALID);
	assert_string_equal(err_text(),
	    "the following arguments are "
	    "required: file,namespace,table_name,partition");
	json_object_put(c);
	assert_int_equal(
	    config_of(
		"/v1/data/upload?{\"file\":\"f\","
		"\"namespace\":\"n\",\"table_name\":\"t\",\"head\":\"yes\","
		"\"partition\":[]}",
		&c),
	    0);
	assert_int_equal(upload_decode(c, &up), ERR_INVALID);
	assert_non_null(strstr(err_text(), "/head"));
	assert_non_null(strstr(err_text(), "/partition"));
	json_object_put(c);
	assert_int_equal(config_of("/v1/data/upload?{%22head", &c), ERR_FORMAT);
}

/* --- certificate subjects --------------------------------------------------------------------------- */

static void
the_subject_names_exactly_one_party(void **state)
{
	static const char *const bad[] = { "", "O=Sluice", "CN=", "CN=abc",
		"CN=9999,CN=10000", "CN=9999+CN=9999", "CN=99999999999",
		"O=x\\,CN=9999", "CN=9999\\,O=x", "CN=09", "CN=9999 ",
		"XCN=9999", "O=CN=9999" };
	char cn[AUTH_PARTY_SIZE];
	size_t i;

	(void)state;
	assert_int_equal(auth_subject_party("CN=9999", cn), 0);
	assert_string_equal(cn, "9999");
	assert_int_equal(
	    auth_subject_party("O=a\\,b\\\\,CN=10000,C=DE", cn), 0);
	assert_string_equal(cn, "10000");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(auth_subject_party(bad[i], cn), ERR_AUTH);
}

/* --- replies --------------------------------------------------------------------------------------------- */

static int
keep(void *ctx, const void *data, size_t len)
{
	buf_append(ctx, data, len);
	return 0;
}

static void
the_envelope_leaves_out_what_is_not_there(void **state)
{
	struct buf out = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct reply rp;

	(void)state;
	reply_init(&rp, &sink);
	assert_int_equal(reply_send(&rp), 0);
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":0,\"retmsg\":\"success\"}");
	reply_fini(&rp);
	buf_clear(&out);

	reply_init(&rp, &sink);
	rp.job_id = xstrdup("7");
	reply_data(&rp, json_object_new_array());
	reply_fault(&rp, 103, "%s", "a \"b\"\n/");
	assert_int_equal(reply_send(&rp), 0);
	assert_true(str_starts(out.data, "Status: 200 OK\r\n"));
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":103,\"retmsg\":\"a \\\"b\\\"\\n/\",\"jobId\":\"7\","
	    "\"data\":[]}");
	reply_fini(&rp);
	buf_fini(&out);
}

static void
an_answer_is_ascii(void **state)
{
	struct buf out = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct reply rp;

	(void)state;
	reply_init(&rp, &sink);
	reply_message(&rp, "%s", "\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	reply_data(&rp, json_object_new_string("plain"));
	assert_int_equal(reply_send(&rp), 0);
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":0,\"retmsg\":\"\x7f \\u00e9 \\u20ac "
	    "\\ud83d\\ude00\",\"data\":\"plain\"}");
	reply_fini(&rp);
	buf_clear(&out);

	reply_init(&rp, &sink);
	reply_data(&rp, json_object_new_string("a\xff\xc3"));
	assert_int_equal(reply_send(&rp), 0);
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":0,\"retmsg\":\"success\",\"data\":\"a??\"}");
	reply_fini(&rp);
	buf_fini(&out);
}

static void
data_that_is_text_already_is_sent_in_the_same_envelope(void **state)
{
	struct buf out = BUF_INIT, text = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct reply rp;

	(void)state;
	reply_init(&rp, &sink);
	reply_data(&rp, json_object_new_string("in its place"));
	buf_puts(&text, "{\"jobs\":[\"0123456789 \xc3\xa9\"]}");
	reply_data_text(&rp, &text);
	assert_null(text.data);
	assert_int_equal(reply_send(&rp), 0);
	assert_non_null(strstr(out.data, "Content-Length: 70\r\n"));
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":0,\"retmsg\":\"success\","
	    "\"data\":{\"jobs\":[\"0123456789 \\u00e9\"]}}");
	reply_fini(&rp);
	buf_clear(&out);

	/* A fault later on takes it away, as any data. */
	reply_init(&rp, &sink);
	buf_puts(&text, "[]");
	reply_data_text(&rp, &text);
	reply_status(&rp, 404, "gone");
	assert_int_equal(reply_send(&rp), 0);
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":404,\"retmsg\":\"gone\"}");
	reply_fini(&rp);
	buf_fini(&out);
}

static void
status_errors_carry_their_number_twice(void **state)
{
	struct buf out = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct reply rp;

	(void)state;
	reply_init(&rp, &sink);
	reply_data(&rp, json_object_new_object());
	reply_status(&rp, 210, "no output");
	assert_int_equal(reply_send(&rp), 0);
	assert_true(str_starts(out.data, "Status: 210 "));
	assert_string_equal(strstr(out.data, "\r\n\r\n") + 4,
	    "{\"retcode\":210,\"retmsg\":\"no output\"}");
	reply_fini(&rp);
	buf_fini(&out);
}

static void
a_file_name_cannot_break_the_header(void **state)
{
	struct buf out = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct reply rp;

	(void)state;
	reply_init(&rp, &sink);
	assert_int_equal(reply_file_begin(&rp, "a\r\nX: y", -1), ERR_INVALID);
	assert_int_equal(reply_file_begin(&rp, "", -1), ERR_INVALID);
	assert_int_equal(out.len, 0);
	assert_int_equal(reply_file_begin(&rp, "a#b.tar.gz", 5), 0);
	assert_non_null(strstr(out.data,
	    "Content-Disposition: attachment; filename=a#b.tar.gz\r\n"));
	reply_fini(&rp);
	buf_fini(&out);
}

static void
an_archive_reads_back_as_it_was_written(void **state)
{
	struct buf out = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct archive_entry *e;
	struct archive_out *a;
	struct archive *in = archive_read_new();
	struct reply rp;
	char text[16], *body;

	(void)state;
	reply_init(&rp, &sink);
	assert_int_equal(archive_begin(&rp, "x.tar.gz", &a), 0);
	assert_int_equal(archive_member(a, "../x", 1), ERR_INVALID);
	assert_int_equal(archive_member(a, "/x", 1), ERR_INVALID);
	assert_int_equal(archive_member(a, "a/b.csv", 5), 0);
	assert_int_equal(archive_write(a, "12345", 5), 0);
	assert_int_equal(archive_write(a, "6", 1), ERR_INTERNAL);
	assert_int_equal(archive_end(a), 0);
	body = strstr(out.data, "\r\n\r\n") + 4;
	archive_read_support_filter_gzip(in);
	archive_read_support_format_tar(in);
	assert_int_equal(archive_read_open_memory(
			     in, body, out.len - (size_t)(body - out.data)),
	    ARCHIVE_OK);
	assert_int_equal(archive_read_next_header(in, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), "a/b.csv");
	assert_int_equal(archive_read_data(in, text, sizeof(text)), 5);
	assert_memory_equal(text, "12345", 5);
	assert_int_equal(archive_read_next_header(in, &e), ARCHIVE_EOF);
	archive_read_free(in);
	reply_fini(&rp);
	buf_fini(&out);
}

/* --- turns ---------------------------------------------------------------------- */

/* A process that takes a turn, says so, and waits for its end. */
static pid_t
start_taker(struct turns *t)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = turns_take(t) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void
the_turn_of_a_process_that_is_killed_is_free_again(void **state)
{
	struct turns *t;
	pid_t first, second;
	int status;

	(void)state;
	assert_int_equal(turns_new(2, "downloads", &t), 0);
	first = start_taker(t);
	second = start_taker(t);
	assert_int_equal(turns_take(t), ERR_BUSY);
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_int_equal(waitpid(first, &status, 0), first);
	assert_int_equal(turns_take(t), 0);
	turns_give(t);
	assert_int_equal(kill(second, SIGKILL), 0);
	assert_int_equal(waitpid(second, &status, 0), second);
	turns_free(t);
}

static bool
has_left(void *ctx)
{
	(void)ctx;
	return true;
}

static void
work_for_a_client_that_left_is_not_gone_on_with(void **state)
{
	struct buf out = BUF_INIT;
	struct reply_sink sink = { .write = keep, .ctx = &out };
	struct reply rp;

	(void)state;
	reply_init(&rp, &sink);
	assert_int_equal(reply_check(&rp), 0);
	sink.gone = has_left;
	assert_int_equal(reply_check(&rp), ERR_CLOSED);
	assert_int_equal(reply_file_write(&rp, "x", 1), ERR_CLOSED);
	assert_int_equal(out.len, 0);
	reply_fini(&rp);
	buf_fini(&out);
}

/* --- protobuf ----------------------------------------------------------------------------------------------- */

static void
bytes_that_are_no_message_are_refused(void **state)
{
	struct json_object *o;

	(void)state;
	assert_int_equal(pbjson_unpack(&sluice__executor__party__descriptor,
			     "\xff\xff\xff", 3, &o),
	    ERR_FORMAT);
	assert_null(o);
}

/* A few megabytes of it would take gigabytes as JSON. */
static void
messages_of_very_many_small_parts_are_refused(void **state)
{
	/* start { parties: {} parties: {} ... } */
	const size_t n = 500000;
	unsigned char *bytes = xmalloc(2 * n);
	struct json_object *o;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		bytes[2 * i] = 7 << 3 | 2; /* parties */
		bytes[2 * i + 1] = 0;
	}
	assert_int_equal(pbjson_unpack(&sluice__executor__start__descriptor,
			     bytes, 2 * 1000, &o),
	    0);
	assert_int_equal(
	    json_object_array_length(json_get(o, "parties")), 1000);
	json_object_put(o);
	assert_int_equal(pbjson_unpack(&sluice__executor__start__descriptor,
			     bytes, 2 * n, &o),
	    ERR_LIMIT);
	assert_null(o);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_finds_its_route_and_parameters),
		cmocka_unit_test(a_trailing_slash_makes_no_difference),
		cmocka_unit_test(other_methods_and_unknown_paths_find_nothing),
		cmocka_unit_test(every_route_has_an_audience_and_one_meaning),
		cmocka_unit_test(hidden_slashes_dots_and_nuls_are_refused),
		cmocka_unit_test(json_is_read_whatever_the_content_type_says),
		cmocka_unit_test(what_never_was_json_counts_as_absent),
		cmocka_unit_test(broken_json_is_refused_with_its_place),
		cmocka_unit_test(form_fields_stand_in_for_json),
		cmocka_unit_test(a_body_larger_than_allowed_is_refused),
		cmocka_unit_test(a_body_shorter_than_it_says_is_refused),
		cmocka_unit_test(a_spooled_file_is_taken_only_below_the_spool),
		cmocka_unit_test(a_client_cannot_name_the_spooled_file),
		cmocka_unit_test(messages_of_very_many_small_parts_are_refused),
		cmocka_unit_test(
		    the_query_is_one_json_text_with_odd_characters),
		cmocka_unit_test(
		    a_percent_sign_in_a_name_may_have_the_query_escaped_twice),
		cmocka_unit_test(pairs_are_taken_from_older_clients),
		cmocka_unit_test(truth_may_be_written_as_people_write_it),
		cmocka_unit_test(
		    engines_that_take_no_uploads_are_refused_by_name),
		cmocka_unit_test(
		    missing_and_wrong_fields_of_an_upload_are_named),
		cmocka_unit_test(the_subject_names_exactly_one_party),
		cmocka_unit_test(the_envelope_leaves_out_what_is_not_there),
		cmocka_unit_test(an_answer_is_ascii),
		cmocka_unit_test(
		    data_that_is_text_already_is_sent_in_the_same_envelope),
		cmocka_unit_test(status_errors_carry_their_number_twice),
		cmocka_unit_test(a_file_name_cannot_break_the_header),
		cmocka_unit_test(an_archive_reads_back_as_it_was_written),
		cmocka_unit_test(
		    the_turn_of_a_process_that_is_killed_is_free_again),
		cmocka_unit_test(
		    work_for_a_client_that_left_is_not_gone_on_with),
		cmocka_unit_test(bytes_that_are_no_message_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
