/*
 * Answers.  Handlers fill a struct reply; dispatch.c sends it.
 */
#include "fcgi-app/reply.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define RETRY_AFTER_S 5 /* a download takes about so long */

void
reply_init(struct reply *rp, const struct reply_sink *sink)
{
	memset(rp, 0, sizeof(*rp));
	rp->sink = sink;
	rp->http_status = 200;
}

void
reply_fini(struct reply *rp)
{
	free(rp->retmsg);
	free(rp->job_id);
	reply_cookie(rp, NULL);
	json_object_put(rp->data);
	buf_fini(&rp->text);
	json_object_put(rp->meta);
	json_object_put(rp->errors);
	memset(rp, 0, sizeof(*rp));
}

int
reply_data(struct reply *rp, struct json_object *data)
{
	json_object_put(rp->data);
	rp->data = data;
	buf_fini(&rp->text);
	return 0;
}

int
reply_data_text(struct reply *rp, struct buf *text)
{
	(void)reply_data(rp, NULL);
	rp->text = *text;
	*text = (struct buf)BUF_INIT;
	return 0;
}

static void
set_message(struct reply *rp, const char *fmt, va_list ap)
{
	char *text = xvasprintf(fmt, ap), *p;

	/* It may show what the caller sent. */
	if (!str_is_utf8(text, strlen(text))) {
		for (p = text; *p != '\0'; p++) {
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		}
	}
	free(rp->retmsg);
	rp->retmsg = text;
}

int
reply_message(struct reply *rp, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_message(rp, fmt, ap);
	va_end(ap);
	return 0;
}

int
reply_fault(struct reply *rp, int retcode, const char *fmt, ...)
{
	va_list ap;

	rp->retcode = retcode;
	va_start(ap, fmt);
	set_message(rp, fmt, ap);
	va_end(ap);
	return 0;
}

int
reply_status(struct reply *rp, int status, const char *fmt, ...)
{
	va_list ap;

	rp->retcode = rp->http_status = status;
	(void)reply_data(rp, NULL);
	va_start(ap, fmt);
	set_message(rp, fmt, ap);
	va_end(ap);
	return 0;
}

/* It may be a key to the site. */
void
reply_cookie(struct reply *rp, char *owned)
{
	if (rp->cookie != NULL)
		sodium_memzero(rp->cookie, strlen(rp->cookie));
	free(rp->cookie);
	rp->cookie = owned;
}

int
reply_busy(struct reply *rp)
{
	rp->retry_after_s = RETRY_AFTER_S;
	return reply_status(rp, 503, "%s", err_text());
}

static int
put(struct reply *rp, const void *data, size_t len)
{
	if (!rp->broken && rp->sink->write(rp->sink->ctx, data, len) < 0)
		rp->broken = true;
	return rp->broken ? err_set(ERR_CLOSED, "the front end has gone") : 0;
}

static const char *
reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 210:
		return "No Result";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 408:
		return "Request Timeout";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 429:
		return "Too Many Requests";
	case 503:
		return "Service Unavailable";
	case 507:
		return "Insufficient Storage";
	default:
		return status < 500 ? "Refused" : "Server Error";
	}
}

/* An owned member moves into the envelope. */
static void
move(struct json_object *env, const char *key, struct json_object **member)
{
	if (*member != NULL)
		json_object_object_add(env, key, *member);
	*member = NULL;
}

/* Eight bytes at a time: a page of jobs has 90 000. */
static bool
is_ascii(const char *s, size_t len)
{
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t all = 0, eight;
	size_t i;

	for (i = 0; i + sizeof(eight) <= len; i += sizeof(eight)) {
		memcpy(&eight, s + i, sizeof(eight));
		all |= eight;
	}
	for (; i < len; i++)
		all |= (unsigned char)s[i];
	return (all & high) == 0;
}

/* One character of valid UTF-8, at *s, which moves behind it. */
static uint32_t
next_character(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	size_t i, more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
	uint32_t c = p[0] & (0x3fu >> more);

	for (i = 1; i <= more; i++)
		c = c << 6 | (p[i] & 0x3f);
	*s += more + 1;
	return c;
}

/*
 * JSON in ASCII, as the classic platform answers: right whatever charset a
 * reader takes it for.  Outside of strings JSON is ASCII anyway.
 */
static void
put_ascii(struct buf *out, const char *s, size_t len)
{
	bool valid = str_is_utf8(s, len);
	const char *end = s + len;
	uint32_t c;

	while (s < end) {
		if ((unsigned char)*s < 0x80) {
			buf_putc(out, *s++);
		} else if (!valid) {
			buf_putc(out, '?');
			s++;
		} else if ((c = next_character(&s)) < 0x10000) {
			buf_printf(out, "\\u%04x", c);
		} else {
			c -= 0x10000;
			buf_printf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10),
			    0xdc00 + (c & 0x3ff));
		}
	}
}

static struct json_object *
envelope(struct reply *rp)
{
	struct json_object *env = json_object_new_object();

	json_object_object_add(
	    env, "retcode", json_object_new_int(rp->retcode));
	json_object_object_add(env, "retmsg",
	    json_object_new_string(
		rp->retmsg != NULL ? rp->retmsg : "success"));
	if (rp->job_id != NULL)
		json_object_object_add(
		    env, "jobId", json_object_new_string(rp->job_id));
	move(env, "data", &rp->data);
	move(env, "meta", &rp->meta);
	move(env, "errors", &rp->errors);
	return env;
}

static void
put_head(const struct reply *rp, size_t len, struct buf *head)
{
	buf_printf(head,
	    "Status: %d %s\r\nContent-Type: application/json"
	    "\r\nContent-Length: %zu\r\n",
	    rp->http_status, reason(rp->http_status), len);
	if (rp->retry_after_s > 0)
		buf_printf(head, "Retry-After: %d\r\n", rp->retry_after_s);
	if (rp->cookie != NULL)
		buf_printf(head, "Set-Cookie: %s\r\n", rp->cookie);
	buf_puts(head, "\r\n");
}

/* In ASCII, where it was not; the text's own buffer is used when it was. */
static void
as_ascii(const char **text, size_t *len, struct buf *ascii)
{
	if (is_ascii(*text, *len))
		return;
	put_ascii(ascii, *text, *len);
	*text = ascii->data;
	*len = ascii->len;
}

int
reply_send(struct reply *rp)
{
	static const char data[] = ",\"data\":";
	struct json_object *env;
	struct buf head = BUF_INIT, ascii = BUF_INIT, body_ascii = BUF_INIT;
	const char *text, *body = rp->text.data;
	size_t len, nbody = rp->text.len, all;
	int r;

	if (rp->begun)
		return rp->broken ? ERR_CLOSED : 0;
	env = envelope(rp);
	text = json_object_to_json_string_length(
	    env, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	as_ascii(&text, &len, &ascii);
	if (nbody == 0) {
		put_head(rp, len, &head);
		if ((r = put(rp, head.data, head.len)) == 0)
			r = put(rp, text, len);
	} else {
		as_ascii(&body, &nbody, &body_ascii);
		all = len + sizeof(data) - 1 + nbody;
		put_head(rp, all, &head);
		/* The text goes in before the envelope's last brace. */
		buf_append(&head, text, len - 1);
		buf_puts(&head, data);
		if ((r = put(rp, head.data, head.len)) == 0 &&
		    (r = put(rp, body, nbody)) == 0)
			r = put(rp, "}", 1);
	}
	buf_fini(&body_ascii);
	buf_fini(&ascii);
	buf_fini(&head);
	json_object_put(env);
	return r;
}

static const char *
type_of(const char *name)
{
	if (str_ends(name, ".tar.gz"))
		return "application/x-tar";
	if (str_ends(name, ".zip"))
		return "application/zip";
	if (str_ends(name, ".json"))
		return "application/json";
	return "application/octet-stream";
}

/* Names are made of ids and names we checked; this is the second look. */
static bool
safe_name(const char *name)
{
	return *name != '\0' &&
	       name[strspn(name,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "abcdefghijklmnopqrstuvwxyz0123456789._-#~")] == '\0';
}

int
reply_file_begin(struct reply *rp, const char *name, int64_t length)
{
	struct buf head = BUF_INIT;
	int r;

	if (!safe_name(name))
		return err_set(ERR_INVALID, "'%s' is no file name", name);
	buf_printf(&head,
	    "Status: 200 OK\r\nContent-Type: %s\r\n"
	    "Content-Disposition: attachment; filename=%s\r\n",
	    type_of(name), name);
	if (length >= 0)
		buf_printf(
		    &head, "Content-Length: %lld\r\n", (long long)length);
	buf_puts(&head, "\r\n");
	rp->begun = true;
	r = put(rp, head.data, head.len);
	buf_fini(&head);
	return r;
}

int
reply_file_write(struct reply *rp, const void *data, size_t len)
{
	return put(rp, data, len);
}

int
reply_text(struct reply *rp, const char *type, const struct buf *text)
{
	struct buf head = BUF_INIT;
	int r;

	buf_printf(&head,
	    "Status: 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
	    type, text->len);
	rp->begun = true;
	if ((r = put(rp, head.data, head.len)) == 0 && text->len > 0)
		r = put(rp, text->data, text->len);
	buf_fini(&head);
	return r;
}

int
reply_file_json(struct reply *rp, const char *name, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	int r;

	if ((r = reply_file_begin(rp, name, (int64_t)strlen(text))) != 0)
		return r;
	return reply_file_write(rp, text, strlen(text));
}

int
reply_check(struct reply *rp)
{
	if (!rp->broken && rp->sink->gone != NULL &&
	    rp->sink->gone(rp->sink->ctx))
		rp->broken = true;
	return rp->broken ? err_set(ERR_CLOSED, "the front end has gone") : 0;
}
