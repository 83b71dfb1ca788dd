/*
 * Bodies that come while they are read.  Called by dispatch.c.
 */
#include "fcgi-app/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/form.h"
#include "fcgi-app/turns.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"

#define SMALL_READ ((size_t)1024) /* while the caller is not known */
#define LARGE_READ ((size_t)128 * 1024)
#define LOOK_BYTES ((int64_t)64 << 20) /* between looks at the free disk */

struct receiver {
	struct request *req;
	struct multipart *form;
	int64_t begun_ms;
	int64_t got, left; /* bytes of the body */
	int64_t looked_at; /* value of got at the last look at the disk */
};

/* --- the body --------------------------------------------------------------- */

/* Who is known may take the longer the more has come. */
static int64_t
time_left_ms(const struct receiver *rc)
{
	int64_t all = RECEIVE_UNPROVEN_MS;

	if (rc->req->is_proven)
		all = RECEIVE_GRACE_MS + rc->got * 1000 / RECEIVE_BYTES_PER_S;
	return rc->begun_ms + all - clock_mono_ms();
}

static int
too_slow(const struct receiver *rc)
{
	return err_set(ERR_TIMEOUT,
	    "the body came too slowly: %lld bytes in %lld s, at least %d "
	    "bytes a second are wanted",
	    (long long)rc->got,
	    (long long)(clock_mono_ms() - rc->begun_ms) / 1000,
	    RECEIVE_BYTES_PER_S);
}

static int
read_body(void *ctx, char *data, size_t size, size_t *got)
{
	struct receiver *rc = ctx;
	size_t most = rc->req->is_proven ? LARGE_READ : SMALL_READ;
	int n;

	*got = 0;
	if (size > most)
		size = most;
	if ((int64_t)size > rc->left)
		size = (size_t)rc->left;
	if (size == 0)
		return 0;
	n = request_read_some(rc->req, data, (int)size, time_left_ms(rc));
	if (n == REQUEST_LATE)
		return too_slow(rc);
	if (n <= 0)
		return err_set(ERR_INVALID, "the body stops early");
	rc->got += n;
	rc->left -= n;
	*got = (size_t)n;
	return 0;
}

/* What stands behind the last boundary means nothing. */
static int
read_rest(struct receiver *rc)
{
	char trash[4096];
	size_t n;
	int r = 0;

	while (r == 0 && rc->left > 0)
		r = read_body(rc, trash, sizeof(trash), &n);
	return r;
}

/* --- the file --------------------------------------------------------------- */

/*
 * A file without a name is gone with its last descriptor, whatever happens.
 * Where the file system has no such files, the name is taken away at once.
 */
static int
open_nameless(const struct site_conf *conf, int *out)
{
	char *dir = site_path(conf, "%s/upload", SITE_SPOOL), *name;
	int r = 0;

	*out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	if (*out < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		name = xasprintf("%s/body.XXXXXX", dir);
		if ((*out = mkostemp(name, O_CLOEXEC)) >= 0)
			(void)unlink(name);
		free(name);
	}
	if (*out < 0)
		r = err_set_errno(ERR_IO, "%s", dir);
	free(dir);
	return r;
}

static int
check_disk(struct receiver *rc)
{
	int64_t keep = rc->req->app->conf->upload_keep_free_mb << 20, room;
	struct statvfs fs;

	rc->looked_at = rc->got;
	if (fstatvfs(rc->form->fd, &fs) != 0)
		return err_set_errno(ERR_IO, "free disk");
	room = (int64_t)(fs.f_bavail * fs.f_frsize);
	if (room - rc->left >= keep)
		return 0;
	return err_set(ERR_BUSY,
	    "the site's disk has %lld MB left, which is too little for the "
	    "%lld MB that are still to come (%lld MB stay free)",
	    (long long)room >> 20, (long long)rc->left >> 20,
	    (long long)keep >> 20);
}

static int
begin_file(void *ctx)
{
	struct receiver *rc = ctx;
	struct request *req = rc->req;
	int r;

	/* All that was signed of the form is here now. */
	if (!req->is_proven && (r = auth_caller(req)) != 0)
		return r;
	rc->form->closed = caller_is_signed(req);
	if ((r = open_nameless(req->app->conf, &rc->form->fd)) != 0)
		return r;
	return check_disk(rc);
}

static int
write_file(void *ctx, const void *data, size_t len)
{
	struct receiver *rc = ctx;
	int r;

	if (rc->got - rc->looked_at >= LOOK_BYTES && (r = check_disk(rc)) != 0)
		return r;
	if ((r = fd_write_all(rc->form->fd, data, len)) != 0 &&
	    (errno == ENOSPC || errno == EDQUOT))
		return err_set(ERR_BUSY, "the site's disk is full");
	return r;
}

/* --- the request -------------------------------------------------------------- */

static int
receive_form(struct request *req, int64_t len)
{
	struct receiver rc = {
		.req = req, .begun_ms = clock_mono_ms(), .left = len
	};
	const struct multipart_io io = { read_body, begin_file, write_file,
		&rc };
	int r;

	req->form = rc.form = xcalloc(1, sizeof(*rc.form));
	rc.form->closed = req->is_proven && caller_is_signed(req);
	r = multipart_read(&io, request_env(req, "CONTENT_TYPE"), rc.form);
	if (r == ERR_FORMAT || r == ERR_LIMIT) {
		/* For the handler to say, to whom it may answer. */
		req->form_fault = r;
		req->body_fault = arena_strdup(req->arena, err_text());
		return 0;
	}
	if (r == 0)
		r = read_rest(&rc);
	req->body_len = rc.got;
	return r;
}

/* Slow ones hold a worker, so one is kept for others. */
static int
take_turn(struct request *req, int64_t len)
{
	struct turns *turns = req->app->downloads;

	if (turns == NULL ||
	    (req->listener == LISTENER_CLIENT_LOOPBACK && len <= RECEIVE_SMALL))
		return 0;
	return turns_take(turns);
}

int
receive_body(struct request *req)
{
	int64_t max = req->app->conf->upload_max_mb << 20, len;
	bool is_form = form_is_multipart(req);
	int r;

	if ((r = auth_early(req)) != 0 ||
	    (r = request_content_length(req, &len)) != 0)
		return r;
	if (is_form && len > max)
		return err_set(ERR_LIMIT,
		    "the body has %lld bytes, this site takes %lld at most "
		    "([fcgi] upload_max_mb)",
		    (long long)len, (long long)max);
	if ((r = take_turn(req, len)) != 0)
		return r;
	return is_form && len > 0 ? receive_form(req, len)
				  : request_read_body(req);
}
