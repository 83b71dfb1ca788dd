#include "tests/lib/api_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "tests/lib/fcgi_call.h"

#define ENV_MAX 10

static void
parse(struct buf *all, struct api_answer *out)
{
	size_t len = all->len;
	struct buf whole = BUF_INIT;

	buf_append(&whole, all->data, len);
	out->status = fcgi_take_head(all);
	assert_true(all->len < len);
	buf_append(&out->head, whole.data, len - all->len);
	buf_append(&out->body, all->data, all->len);
	buf_fini(&whole);
	out->retcode = -1;
	if (json_parse(out->body.data, out->body.len, 1 << 24, &out->json) == 0)
		out->retcode = json_get_int(out->json, "retcode", -1);
}

static void
call(struct app *app, char *env[], const char *body, size_t len,
    struct api_answer *out)
{
	struct buf all = BUF_INIT;

	memset(out, 0, sizeof(*out));
	fcgi_call(app, env, body, len, &all);
	parse(&all, out);
	buf_fini(&all);
	for (int i = 0; env[i] != NULL; i++)
		free(env[i]);
}

static int
common(char *env[], const char *method, const char *target, const char *type)
{
	int n = 0;

	env[n++] = xasprintf("REQUEST_METHOD=%s", method);
	env[n++] = xasprintf("REQUEST_URI=%s", target);
	env[n++] = xasprintf("CONTENT_TYPE=%s", type);
	env[n++] = xstrdup("LISTENER=client-loopback");
	env[n++] = xstrdup("REMOTE_ADDR=127.0.0.1");
	env[n++] = xstrdup("HTTP_HOST=127.0.0.1");
	return n;
}

void
api_call(struct app *app, const char *method, const char *target,
    const char *json, struct api_answer *out)
{
	char *env[ENV_MAX] = { NULL };
	int n = common(env, method, target, "application/json");

	env[n] = xasprintf("CONTENT_LENGTH=%zu", strlen(json));
	call(app, env, json, strlen(json), out);
}

void
api_call_file(struct app *app, const char *target, const char *content_type,
    const char *path, struct api_answer *out)
{
	char *env[ENV_MAX] = { NULL };
	int n = common(env, "POST", target, content_type);
	struct buf body = BUF_INIT;

	assert_int_equal(buf_read_file(&body, path, (size_t)1 << 30), 0);
	env[n] = xasprintf("CONTENT_LENGTH=%zu", body.len);
	call(app, env, buf_str(&body), body.len, out);
	buf_fini(&body);
}

void
api_answer_fini(struct api_answer *a)
{
	json_object_put(a->json);
	buf_fini(&a->head);
	buf_fini(&a->body);
}

void
api_want(struct app *app, long retcode, const char *target, const char *json,
    struct api_answer *out)
{
	api_call(app, "POST", target, json, out);
	if (out->retcode != retcode)
		fail_msg("%s %s: wanted %ld, got %ld %s", target, json, retcode,
		    out->status, buf_str(&out->body));
}
