/*
 * Asking members within a user's request.  This program talks to no other
 * site: the supervisor does, on its behalf, while the worker waits.
 *
 *	struct errand e;
 *
 *	errand_init(&e, req, "model-load");
 *	errand_add(&e, "guest", "9999", body);
 *	errand_add(&e, "host", "10000", json_object_get(body));
 *	if ((r = errand_run(&e)) != 0)
 *		r = errand_error(rp, r);
 *	else
 *		look at e.calls[i].reply
 *	errand_fini(&e);
 */
#ifndef FCGI_APP_ERRAND_H
#define FCGI_APP_ERRAND_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"

#define ERRAND_CALLS_MAX 1000

struct errand_reply {
	/*
	 * 0, or the platform's code of what the member answered.  A member
	 * that did not answer has ERRAND_SILENT and silent set.
	 */
	int64_t retcode;
	const char *retmsg;
	struct json_object *data; /* borrowed from the errand; may be NULL */
	bool silent;
};
#define ERRAND_SILENT 104

struct errand_call {
	const char *role; /* in the request's arena, as party_id */
	const char *party_id;
	struct json_object *body; /* owned */
	struct errand_reply reply;
};

struct errand {
	struct request *req;
	const char *kind; /* of lib/party/errand.h */
	/*
	 * Members that are silent are asked again for a day, also when nobody
	 * waits any more: for what has been decided and must reach them.
	 * Without it a silent member is asked once; one that is busy (103) is
	 * asked again while somebody waits.
	 */
	bool persistent;
	struct errand_call *calls;
	size_t n;
	struct json_object *root; /* owned; what the replies borrow from */
};

void errand_init(struct errand *, struct request *, const char *kind);
/* body is the errand's from now on. */
void errand_add(struct errand *, const char *role, const char *party_id,
    struct json_object *body);
/*
 * Ask all members at once and wait for all replies, a little longer than the
 * supervisor waits for a partner.  A bounded number of workers may wait.  A
 * persistent errand goes on when the wait is over: calls without an answer
 * are silent then, which is no error.
 * Errors: ERR_BUSY when too many wait, ERR_TIMEOUT when no supervisor took it
 * up or has finished it (it will not be begun later), ERR_INVALID, ERR_DB.
 */
int errand_run(struct errand *);
/* Have all members asked, and wait for nothing. */
int errand_send(struct errand *);
/*
 * What a handler returns when errand_run() failed: a complete reply (503 and
 * Retry-After) when trying again may help, else the error.
 */
int errand_error(struct reply *, int error);
/* How many calls did not end well. */
size_t errand_failures(const struct errand *);
void errand_fini(struct errand *);

#endif
