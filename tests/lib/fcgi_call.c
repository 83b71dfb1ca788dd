#include "tests/lib/fcgi_call.h"

#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/dispatch.h"
#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"

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

void
fcgi_call(
    struct app *app, char *env[], const char *body, size_t len, struct buf *out)
{
	struct sent sent = { body, len };
	struct request_source source = {
		.envp = env, .read = read_sent, .ctx = &sent
	};
	struct reply_sink sink = { write_answer, out, NULL };

	dispatch(app, &source, &sink);
}

int
fcgi_take_head(struct buf *answer)
{
	const char *end = strstr(buf_str(answer), "\r\n\r\n");
	const char *status = strstr(buf_str(answer), "Status: ");
	int n = 200;

	if (end == NULL)
		return 502;
	if (status != NULL && status < end)
		n = (int)strtol(status + 8, NULL, 10);
	buf_consume(answer, (size_t)(end - answer->data) + 4);
	return n;
}
