#include "tests/lib/api_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/dispatch.h"
#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

#define ENV_MAX 10

struct sent {
	const char *data;
	size_t left;
};

static int
read_sent(void *ctx, char *data, int size)
{
	struct sent *s = ctx;
	size_t n = s->left < (size_t)size ? s->left : (size_t)size;

	memcpy(data, s->data, n);
	s->data += n;
	s->left -= n;
	return (int)n;
}

static int
write_answer(void *ctx, const void *data, size_t len)
{
	buf_append(ctx, data, len);
	return 0;
}

static void
parse(struct buf *all, struct api_answer *out)
{
	const char *end = strstr(buf_str(all), "\r\n\r\n");
	const char *status = strstr(buf_str(all), "Status: ");
	size_t head;

	assert_non_null(end);
	head = (size_t)(end - all->data) + 4;
	buf_append(&out->head, all->data, head);
	buf_append(&out->body, all->data + head, all->len - head);
	out->status = status != NULL ? strtol(status + 8, NULL, 10) : 200;
	out->retcode = -1;
	if (json_parse(out->body.data, out->body.len, 1 << 24, &out->json) == 0)
		out->retcode = json_get_int(out->json, "retcode", -1);
}

static void
call(struct app *app, char *env[], const char *body, size_t len,
    struct api_answer *out)
{
	struct buf all = BUF_INIT;
	struct sent sent = { body, len };
	struct request_source source = {
		.envp = env, .read = read_sent, .ctx = &sent
	};
	struct reply_sink sink = { write_answer, &all, NULL };

	memset(out, 0, sizeof(*out));
	dispatch(app, &source, &sink);
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
