/*
 * The order of things within a request.  Called by worker.c and by tests.
 */
#include "fcgi-app/dispatch.h"

#include "fcgi-app/app.h"
#include "fcgi-app/auth.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/body_types.h"
#include "fcgi-app/intake.h"
#include "fcgi-app/receive.h"
#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "fcgi-app/route.h"
#include "fcgi-app/tally.h"
#include "fcgi-app/turns.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

#define DB_RETRY_AFTER_S 5
#define CLOCK_RETRY_AFTER_S 5
#define DISK_RETRY_AFTER_S 30 /* one is not emptied in a second */

/* Our own trouble: logged whole, told to partners only by its kind. */
static bool
is_ours(int code)
{
	return code == ERR_INTERNAL || code == ERR_DB || code == ERR_IO ||
	       code == ERR_DB_RETRY || code == ERR_CRYPTO ||
	       code == ERR_NOMEM || code == ERR_FULL;
}

/* Under which fence a job was heard of: an older one was refused. */
static struct json_object *
fence_data(int64_t heard)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "fence", heard);
	return o;
}

/* Programs are not to know it by words. */
static struct json_object *
code_data(const char *code)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "code", code);
	return o;
}

static void
answer_error(struct request *req, struct reply *rp, int code)
{
	bool partner = req->listener == LISTENER_PARTNER;

	if (is_ours(code))
		log_err("%s %s", req->method, req->path);
	else
		log_debug("%s %s: %s", req->method, req->path, err_text());
	if (rp->begun)
		return; /* too late to say it */
	reply_fault(rp, err_retcode(code), "%s",
	    partner && is_ours(code) ? err_meaning(code) : err_text());
	if (code == ERR_BUSY && !partner)
		(void)reply_busy(rp);
	if (code == ERR_CONFLICT && req->fence_heard > 0)
		(void)reply_data(rp, fence_data(req->fence_heard));
	if (code == ERR_AUTH && req->caller.session_ended)
		(void)reply_data(rp, code_data("session_ended"));
	/* A database that is away comes back. */
	if (code == ERR_DB || code == ERR_DB_RETRY) {
		rp->http_status = 503;
		rp->retry_after_s = DB_RETRY_AFTER_S;
	}
	if (code == ERR_FULL) {
		rp->http_status = 503;
		rp->retry_after_s = DISK_RETRY_AFTER_S;
	}
	/* Clocks are set right again, too: no refusal of what was asked. */
	if (code == ERR_CLOCK)
		rp->retry_after_s = CLOCK_RETRY_AFTER_S;
	/* The front end's log tells by the status what a partner delivered. */
	if (partner && (code == ERR_CLOCK || code == ERR_AUTH))
		rp->http_status = err_http_status(code);
	/* No word on what it asked: it may ask again. */
	if (partner && is_ours(code))
		rp->http_status = 500;
}

/* A body that was not taken, in the words of HTTP. */
static int
answer_body(struct reply *rp, int r)
{
	switch (r) {
	case ERR_LIMIT:
		return reply_status(rp, 413, "%s", err_text());
	case ERR_TIMEOUT:
		return reply_status(rp, 408, "%s", err_text());
	case ERR_BUSY:
		return reply_busy(rp);
	default:
		return r;
	}
}

static int
run(struct request *req, struct reply *rp)
{
	bool is_upload;
	int r;

	log_request(request_env(req, "REQUEST_ID"));
	req->route = route_find(req);
	if (req->route == NULL)
		return reply_fault(rp, 100,
		    "404 Not Found: %s %s is no path "
		    "of this server",
		    req->method, req->path);
	log_context(request_param(req, "job"), request_param(req, "component"),
	    request_param(req, "party"));
	/* The cheap half of the check comes before the body is taken. */
	if ((r = auth_listener(req)) != 0)
		return r;
	if (intake_refuses(req, rp))
		return 0;
	is_upload = req->route->body == BODY_UPLOAD;
	if ((r = is_upload ? receive_body(req) : request_read_body(req)) != 0)
		return answer_body(rp, r);
	if (!req->is_proven && (r = auth_caller(req)) != 0)
		return r == ERR_BUSY ? reply_busy(rp) : r;
	if ((r = request_decode_body(req)) != 0)
		return r;
	if (req->caller.party == NULL && (r = body_types_check(req)) != 0)
		return r;
	r = req->route->handler(req, rp);
	/*
	 * A partner that asks for what is not its own is worth a record; of
	 * what is not here it may be somebody else's, too.
	 */
	if ((r == ERR_DENIED || r == ERR_NOT_FOUND || r == ERR_INVALID) &&
	    req->caller.party != NULL)
		r = auth_refused(req, req->caller.name, r);
	return r;
}

void
dispatch(struct app *app, const struct request_source *source,
    const struct reply_sink *sink)
{
	struct request req;
	struct reply rp;
	int64_t begin = clock_mono_us();
	int r;

	err_clear();
	log_context("", "", "");
	log_request("");
	reply_init(&rp, sink);
	if ((r = request_init(&req, app, source)) == 0)
		r = run(&req, &rp);
	if (r != 0)
		answer_error(&req, &rp, r);
	if (reply_send(&rp) != 0)
		log_debug("%s: answer not taken", req.path);
	if (app->downloads != NULL)
		turns_give(app->downloads);
	tally_count(
	    app->tally, req.route, rp.http_status, clock_mono_us() - begin);
	reply_fini(&rp);
	request_fini(&req);
}
