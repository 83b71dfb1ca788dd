/*
 * What fcgi-app takes apart before it knows who calls, and the forms and
 * configurations of uploads.  Input: target, content type (which is a cookie,
 * too) and certificate subject, each ended by a newline, then the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_partner.h"
#include "fcgi-app/multipart.h"
#include "fcgi-app/route.h"
#include "fcgi-app/session.h"
#include "fcgi-app/session.h"
#include "fcgi-app/upload.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *data;
	size_t len;
};

static char *
take_line(struct input *in, const char *prefix)
{
	const char *end = memchr(in->data, '\n', in->len);
	size_t n = end != NULL ? (size_t)(end - in->data) : in->len;
	char *text = xstrndup(in->data, n), *line;

	line = xasprintf("%s%s", prefix, text);
	free(text);
	n += end != NULL;
	in->data += n;
	in->len -= n;
	return line;
}

static int
read_input(void *ctx, char *data, int size)
{
	struct input *in = ctx;
	size_t n = in->len < (size_t)size ? in->len : (size_t)size;

	memcpy(data, in->data, n);
	in->data += n;
	in->len -= n;
	return (int)n;
}

/* Small pieces, for boundaries lie anywhere in them. */
static int
read_piece(void *ctx, char *data, size_t size, size_t *got)
{
	struct input *in = ctx;
	size_t piece = 1 + in->len % 61;

	*got = (size_t)read_input(in, data, (int)(size < piece ? size : piece));
	return 0;
}

static int
begin_file(void *ctx)
{
	(void)ctx;
	return 0;
}

static int
count_bytes(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	(void)data;
	if (len == 0)
		abort();
	return 0;
}

static void
fuzz_form(const struct input *in, const char *type)
{
	struct input copy = *in;
	const struct multipart_io io = { read_piece, begin_file, count_bytes,
		&copy };
	struct multipart m = { .closed = false };

	if (multipart_read(&io, type, &m) == 0 && m.len > in->len)
		abort();
	multipart_fini(&m);
}

static void
fuzz_upload(const struct request *req)
{
	struct json_object *config;
	struct upload up;

	if (upload_config(req, NULL, &config) != 0)
		return;
	if (upload_decode(config, &up) == 0)
		json_object_put(upload_parameters(&up, "/x"));
	json_object_put(config);
}

static void
fuzz_request(struct app *app, const struct request_source *source)
{
	struct session session = { .token = "" };
	struct request req;
	int64_t n;
	const char *s;

	if (request_init(&req, app, source) == 0 &&
	    (req.route = route_find(&req)) != NULL &&
	    request_read_body(&req) == 0 && request_decode_body(&req) == 0) {
		(void)request_int(&req, "limit", 0, 10, 0, &n);
		(void)request_query(&req, "name", &s);
		(void)request_text(&req, "job_id");
		(void)session_has_cookie(&req);
		fuzz_upload(&req);
	}
	if (req.arena != NULL && session_take_cookie(&req, &session) == 0 &&
	    strlen(session.token) != SESSION_TOKEN_SIZE - 1)
		abort();
	request_fini(&req);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char home[] = "/srv/site", party[] = "9";
	struct site_conf conf = {
		.home = home, .party_id = party, .fcgi_max_body = 1 << 20
	};
	struct app app = { .conf = &conf };
	struct input in = { (const char *)data, size };
	char cn[AUTH_PARTY_SIZE], *env[7], *subject;
	struct request_source source = {
		.envp = env, .read = read_input, .ctx = &in
	};
	int i;

	env[0] = xstrdup("REQUEST_METHOD=POST");
	env[1] = take_line(&in, "REQUEST_URI=");
	env[2] = take_line(&in, "CONTENT_TYPE=");
	subject = take_line(&in, "");
	env[3] = xasprintf("CONTENT_LENGTH=%zu", in.len);
	env[4] = xstrdup("LISTENER=partner");
	env[5] = xasprintf("HTTP_COOKIE=%s", env[2] + strlen("CONTENT_TYPE="));
	env[6] = NULL;
	(void)auth_subject_party(subject, cn);
	fuzz_form(&in, env[2]);
	fuzz_request(&app, &source);
	for (i = 0; env[i] != NULL; i++)
		free(env[i]);
	free(subject);
	return 0;
}
