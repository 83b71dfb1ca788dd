/*
 * Fuzz target: what others answer to our requests.  The first line is the
 * status; the rest is the body of a partner's answer, and then that of a
 * service's that is asked for permission.
 *
 * Beside crashes it looks for broken promises: nothing is allowed that does
 * not say so, texts end within their arrays, and a partner's words are there
 * whatever it said.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/hook/answer.h"
#include "lib/http/partner.h"

static void
promise(int kept)
{
	if (!kept)
		abort();
}

static void
ask_partner(const struct http_reply *reply)
{
	struct partner_reply out;
	json_object *root = NULL;
	int r = partner_parse(reply, &out, &root);

	promise(r == out.error);
	promise(out.retmsg != NULL);
	promise(r != 0 || out.retcode == 0);
	promise(out.data == NULL || root != NULL);
	json_object_put(root);
}

static void
ask_service(const struct http_reply *reply)
{
	struct hook_answer out = { .remembered = false };
	int r = hook_answer_read(reply, &out);

	promise(memchr(out.message, '\0', sizeof(out.message)) != NULL);
	promise(memchr(out.name, '\0', sizeof(out.name)) != NULL);
	promise(memchr(out.role, '\0', sizeof(out.role)) != NULL);
	promise(r != 0 || (reply->status == 200 &&
			      memmem(reply->body.data, reply->body.len, "code",
				  4) != NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reply reply = { .status = 200 };

	if (size > 0)
		reply.status = data[0] == '-' ? 0 : 100 + 4 * (data[0] % 100);
	if (size > 1)
		buf_append(&reply.body, data + 1, size - 1);
	ask_partner(&reply);
	ask_service(&reply);
	buf_fini(&reply.body);
	err_clear();
	return 0;
}
