/*
 * The store in Redis.  An archive is slices under names of their own,
 *
 *	sluice:model:ROLE#PARTY#MODEL_ID:VERSION:UPLOAD:0, …:1, …
 *
 * and sluice:model:ROLE#PARTY#MODEL_ID:VERSION, which says in JSON which
 * UPLOAD counts.  Slices expire until that is written, in the same
 * transaction that keeps them: an upload that was broken off goes by itself,
 * and readers see the old archive or the new one.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/store/store.h"

#define SLICE ((size_t)4 << 20)
#define SLICES_MAX 100000
#define EXPIRE_S "3600"
#define CONNECT_S 30
#define TRIES 5
#define PASSWORD_MAX 1024

int64_t store_redis_patience_ms = 30000;

struct redis_store {
	redisContext *c; /* NULL: it fell silent */
};

/* --- commands --- */

static int
broken(struct redis_store *s)
{
	return err_set(ERR_NET, "redis does not answer: %s",
	    s->c != NULL && s->c->errstr[0] != '\0' ? s->c->errstr
						    : "no connection");
}

/* What it answers now would be taken for the answer to something else. */
static int
give_up(struct redis_store *s)
{
	redisFree(s->c);
	s->c = NULL;
	return err_set(ERR_NET, "redis does not answer: silent for %lld s",
	    (long long)store_redis_patience_ms / 1000);
}

/*
 * The library waits anew after each signal, also when it was stopped and goes
 * on: so we wait ourselves until *end, which each step forward moves.
 */
static int
wait_until(struct redis_store *s, short events, int64_t end_ms)
{
	struct pollfd p = { .fd = s->c->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = end_ms - clock_mono_ms();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : give_up(s);
}

static int64_t
patience_ends(void)
{
	return clock_mono_ms() + store_redis_patience_ms;
}

static int
send_all(struct redis_store *s)
{
	int64_t end = patience_ends();
	size_t left = sdslen(s->c->obuf);
	int r, done = 0;

	while (!done) {
		if ((r = wait_until(s, POLLOUT, end)) != 0)
			return r;
		if (redisBufferWrite(s->c, &done) != REDIS_OK)
			return broken(s);
		if (sdslen(s->c->obuf) != left)
			end = patience_ends();
		left = sdslen(s->c->obuf);
	}
	return 0;
}

static int
receive(struct redis_store *s, redisReply **out)
{
	void *reply = NULL;
	int r;

	for (;;) {
		if (redisGetReplyFromReader(s->c, &reply) != REDIS_OK)
			return broken(s);
		if ((*out = reply) != NULL)
			return 0;
		if ((r = wait_until(s, POLLIN, patience_ends())) != 0)
			return r;
		if (redisBufferRead(s->c) != REDIS_OK)
			return broken(s);
	}
}

/* *out is freed by the caller; an error of the server is one of ours. */
static int
ask(struct redis_store *s, redisReply **out, const char *fmt, ...)
{
	va_list ap;
	int r;

	*out = NULL;
	if (s->c == NULL)
		return broken(s);
	va_start(ap, fmt);
	r = redisvAppendCommand(s->c, fmt, ap);
	va_end(ap);
	if (r != REDIS_OK)
		return broken(s);
	if ((r = send_all(s)) != 0 || (r = receive(s, out)) != 0)
		return r;
	if ((*out)->type != REDIS_REPLY_ERROR)
		return 0;
	r = err_set(ERR_REMOTE, "redis: %.200s", (*out)->str);
	freeReplyObject(*out);
	*out = NULL;
	return r;
}

/* A command whose answer does not matter as long as it is none of failure. */
#define tell(s, ...)                                                           \
	({                                                                     \
		redisReply *reply_;                                            \
		int r_ = ask(s, &reply_, __VA_ARGS__);                         \
		if (r_ == 0)                                                   \
			freeReplyObject(reply_);                               \
		r_;                                                            \
	})

/* --- opening --- */

static void
redis_close(void *ctx)
{
	struct redis_store *s = ctx;

	if (s == NULL)
		return;
	if (s->c != NULL)
		redisFree(s->c);
	free(s);
}

static int
log_in(struct redis_store *s, const struct site_conf *conf)
{
	struct buf password = BUF_INIT;
	int r = 0;

	if (conf->store_password_file[0] != '\0') {
		r = buf_read_file(
		    &password, conf->store_password_file, PASSWORD_MAX);
		if (r == 0 && password.len > 0) {
			password.data[strcspn(password.data, "\r\n")] = '\0';
			r = conf->store_user[0] != '\0'
				? tell(s, "AUTH %s %s", conf->store_user,
				      password.data)
				: tell(s, "AUTH %s", password.data);
		}
	}
	buf_fini(&password);
	if (r == 0 && conf->store_name[0] != '\0')
		r = tell(s, "select %s", conf->store_name);
	return r;
}

static int
redis_open(const struct site_conf *conf, void **ctx)
{
	const struct timeval timeout = { .tv_sec = CONNECT_S };
	struct redis_store *s = xcalloc(1, sizeof(*s));
	int r = 0;

	*ctx = NULL;
	s->c = conf->store_socket[0] != '\0'
		   ? redisConnectUnixWithTimeout(conf->store_socket, timeout)
		   : redisConnectWithTimeout(
			 conf->store_host, (int)conf->store_port, timeout);
	if (s->c == NULL || s->c->err != 0)
		r = broken(s);
	else if (redisSetTimeout(s->c, timeout) != REDIS_OK)
		r = broken(s);
	else
		r = log_in(s, conf);
	if (r != 0) {
		redis_close(s);
		return r;
	}
	*ctx = s;
	return 0;
}

/* --- heads --- */

struct head {
	char *upload; /* owned */
	int64_t slices;
	int64_t bytes;
	unsigned char sha256[DIGEST_SIZE];
};

static char *
head_key(const struct store_item *item)
{
	return xasprintf(
	    "sluice:model:%s:%s", item->model_id, item->model_version);
}

static int
parse_head(const redisReply *reply, struct head *h)
{
	struct json_object *o = NULL;
	int r;

	if ((r = json_parse(reply->str, reply->len, 4096, &o)) != 0)
		return err_wrap("head of the stored archive");
	h->upload = xstrdup(json_get_str(o, "upload", ""));
	h->slices = json_get_int(o, "slices", -1);
	h->bytes = json_get_int(o, "bytes", -1);
	if (!str_is_name(h->upload, ID_RANDOM_SIZE) || h->slices < 0 ||
	    h->slices > SLICES_MAX || h->bytes < 0 ||
	    str_from_hex(json_get_str(o, "sha256", ""), h->sha256,
		sizeof(h->sha256)) != 0) {
		free(h->upload);
		h->upload = NULL;
		r = err_set(
		    ERR_FORMAT, "the head of the stored archive is damaged");
	}
	json_object_put(o);
	return r;
}

/* ERR_NOT_FOUND when there is none. */
static int
get_head(struct redis_store *s, const char *key, struct head *h)
{
	redisReply *reply;
	int r;

	memset(h, 0, sizeof(*h));
	if ((r = ask(s, &reply, "GET %s", key)) != 0)
		return r;
	r = reply->type == REDIS_REPLY_STRING
		? parse_head(reply, h)
		: err_set(ERR_NOT_FOUND, "%s is not in the store", key);
	freeReplyObject(reply);
	return r;
}

/* --- put --- */

static void
drop_slices(
    struct redis_store *s, const char *key, const char *upload, int64_t slices)
{
	/* From a server that fell silent they go by themselves (EX). */
	for (int64_t i = 0; i < slices && s->c != NULL; i++)
		(void)tell(s, "UNLINK %s:%s:%lld", key, upload, (long long)i);
}

static int
send_slices(struct redis_store *s, const char *key,
    const struct store_item *item, int fd, struct head *h)
{
	char *block = xmalloc(SLICE);
	int64_t at = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && at < item->bytes) {
		n = pread(fd, block, SLICE, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = err_set(ERR_IO, "the archive ends early");
			break;
		}
		r = tell(s, "SET %s:%s:%lld %b EX " EXPIRE_S, key, h->upload,
		    (long long)h->slices, block, (size_t)n);
		h->slices++;
		at += n;
	}
	free(block);
	return r;
}

static char *
head_text(const struct head *h, const struct store_item *item)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * DIGEST_SIZE + 1], *text;

	str_to_hex(item->sha256, DIGEST_SIZE, hex);
	json_add_str(o, "upload", h->upload);
	json_add_int(o, "slices", h->slices);
	json_add_int(o, "bytes", item->bytes);
	json_add_str(o, "sha256", hex);
	text = xstrdup(json_text(o));
	json_object_put(o);
	return text;
}

/* ERR_BUSY: somebody else changed the head meanwhile. */
static int
commit(struct redis_store *s, const char *key, const struct head *h,
    const char *text)
{
	redisReply *reply;
	int r;

	if ((r = tell(s, "MULTI")) != 0)
		return r;
	for (int64_t i = 0; r == 0 && i < h->slices; i++)
		r = tell(s, "PERSIST %s:%s:%lld", key, h->upload, (long long)i);
	if (r == 0)
		r = tell(s, "SET %s %s", key, text);
	if (r != 0 || (r = ask(s, &reply, "EXEC")) != 0)
		return r;
	if (reply->type == REDIS_REPLY_NIL)
		r = err_set(ERR_BUSY, "somebody else stores this version");
	freeReplyObject(reply);
	return r;
}

static int
publish(struct redis_store *s, const char *key, const struct head *h,
    const struct store_item *item, bool force)
{
	char *text = head_text(h, item);
	struct head old;
	int r = ERR_BUSY;

	for (int i = 0; r == ERR_BUSY && i < TRIES; i++) {
		if ((r = tell(s, "WATCH %s", key)) != 0)
			break;
		r = get_head(s, key, &old);
		if (r == 0 && !force)
			r = err_set(ERR_EXISTS,
			    "version %s of %s is in the store already; "
			    "force_update replaces it",
			    item->model_version, item->model_id);
		/* A damaged one may be replaced, its slices are not known. */
		else if (r == 0 || r == ERR_NOT_FOUND ||
			 (r == ERR_FORMAT && force))
			r = commit(s, key, h, text);
		if (r == 0 && old.upload != NULL)
			drop_slices(s, key, old.upload, old.slices);
		free(old.upload);
	}
	free(text);
	return r;
}

static int
redis_put(void *ctx, const struct store_item *item, int fd, bool force)
{
	struct redis_store *s = ctx;
	char *key = head_key(item), upload[ID_RANDOM_SIZE];
	struct head h = { .upload = upload };
	struct head old;
	int r;

	id_random(upload);
	/* Before much is sent; publish() looks again. */
	r = get_head(s, key, &old);
	free(old.upload);
	if (r == 0 && !force)
		r = err_set(ERR_EXISTS,
		    "version %s of %s is in the store already; force_update "
		    "replaces it",
		    item->model_version, item->model_id);
	else if (r == 0 || r == ERR_NOT_FOUND || (r == ERR_FORMAT && force))
		r = 0;
	if (r == 0 && (r = send_slices(s, key, item, fd, &h)) == 0)
		r = publish(s, key, &h, item, force);
	if (r != 0 && h.slices > 0)
		drop_slices(s, key, upload, h.slices);
	free(key);
	return r;
}

/* --- get --- */

static int
get_slices(struct redis_store *s, const char *key, const struct head *h, int fd)
{
	redisReply *reply;
	int64_t bytes = 0;
	int r = 0;

	for (int64_t i = 0; r == 0 && i < h->slices; i++) {
		if ((r = ask(s, &reply, "GET %s:%s:%lld", key, h->upload,
			 (long long)i)) != 0)
			break;
		if (reply->type != REDIS_REPLY_STRING) {
			r = err_set(ERR_FORMAT,
			    "slice %lld of %lld of the stored archive is "
			    "missing",
			    (long long)i, (long long)h->slices);
		} else {
			bytes += (int64_t)reply->len;
			r = fd_write_all(fd, reply->str, reply->len);
		}
		freeReplyObject(reply);
	}
	if (r == 0 && bytes != h->bytes)
		r = err_set(ERR_FORMAT,
		    "the stored archive has %lld bytes, %lld were put there",
		    (long long)bytes, (long long)h->bytes);
	return r;
}

static int
redis_get(void *ctx, struct store_item *item, int fd)
{
	struct redis_store *s = ctx;
	char *key = head_key(item);
	struct head h;
	int r;

	if ((r = get_head(s, key, &h)) == 0 &&
	    (r = get_slices(s, key, &h, fd)) == 0) {
		item->bytes = h.bytes;
		item->has_sha256 = true;
		memcpy(item->sha256, h.sha256, sizeof(h.sha256));
	}
	free(h.upload);
	free(key);
	return r;
}

const struct store_ops store_redis = { "redis", redis_open, redis_close,
	redis_put, redis_get };
