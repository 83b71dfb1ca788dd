/*
 * One request as the handlers see it: where it goes, who calls, what it says.
 *
 * The front end (nginx) hands over parameters and a body, in memory or, for
 * the routes that say so, as a file it has spooled.  Nothing in here trusts
 * what the caller wrote; only parameters that nginx itself sets (LISTENER,
 * BODY_FILE, SSL_*) are believed, which a caller cannot set because headers
 * arrive as HTTP_*.
 */
#ifndef FCGI_APP_REQUEST_H
#define FCGI_APP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

struct app;
struct arena;
struct json_object;
struct multipart;
struct route;
struct session;

enum listener {
	LISTENER_NONE = 0,
	LISTENER_CLIENT_LOOPBACK, /* plain HTTP, loopback only */
	LISTENER_CLIENT_TLS,
	LISTENER_PARTNER /* mutual TLS */
};

/* How a route wants its body.  "spooled" means nginx passes a file. */
enum body_kind {
	BODY_UNSET = 0,
	BODY_NONE,   /* read and ignored */
	BODY_JSON,   /* an object, whatever the content type says */
	BODY_UPLOAD, /* JSON, or a form of any size: receive.h */
	BODY_BYTES,  /* bytes in memory or spooled */
};

/* Where a request comes from: FastCGI in the program, arrays in tests. */
struct request_source {
	char *const *envp; /* NAME=value, NULL at the end */
	/* Up to size bytes of the body; 0 at its end, negative when broken,
	 * REQUEST_LATE when patience ended. */
	int (*read)(void *ctx, char *data, int size);
	void *ctx;
	/* Reads end so many ms from now on; 0: never.  NULL when they do not
	 * wait for anybody. */
	void (*patience)(void *ctx, int64_t ms);
};

#define REQUEST_LATE (-2)

#define REQUEST_PARAMS 8 /* most ":names" in a path pattern */

/* What a user may do; each role may do what those before it may. */
enum client_role {
	CLIENT_NOBODY = 0,
	CLIENT_VIEWER,	/* look at jobs, tables, models */
	CLIENT_MODELER, /* bring data in, run and stop jobs, deploy */
	CLIENT_ADMIN,	/* decide who may do what; the site itself */
};

/*
 * Who was found to call; filled by auth.c, in whichever way the caller proved
 * it.
 */
struct caller {
	const char *party;     /* partner's party id, else NULL */
	enum client_role role; /* of a user; CLIENT_NOBODY for partners */
	const char *name;      /* for events and audit: "client mia" … */
	const char *user;      /* who has logged in, else NULL */
	const struct session *session; /* and by what: session.h */
	/* Refused or not, it has what only who was let in could have. */
	bool was_known;
	bool session_ended; /* refused, and because of that */
};

struct request {
	struct app *app;
	struct arena *arena; /* freed when the request ends */
	const struct request_source *source;
	enum listener listener;
	const char *method;
	const char *target;   /* as sent: path and query */
	const char *raw_path; /* target up to '?', undecoded */
	const char *path;     /* decoded, no trailing slash */
	const char *query;    /* raw, "" when there is none */
	const struct route *route;
	const char *params[REQUEST_PARAMS]; /* values of :names */
	struct caller caller;
	bool is_proven;	     /* caller is known and may call this */
	int64_t fence_heard; /* see struct party_caller */

	struct buf raw;	       /* body in memory */
	const char *body_file; /* or spooled here, else NULL */
	bool is_file_ours;     /* and is removed with the request */
	int64_t body_len;
	struct multipart *form;	  /* receive.c: what came of it, or NULL */
	int form_fault;		  /* why it is not whole (body_fault), or 0 */
	struct json_object *json; /* owned; an object, never NULL after
					 * request_read_body() */
	bool has_body;		  /* JSON or a form was there */
	const char *body_fault;	  /* why a body was not taken, or NULL */
};

/*
 * Parse target, method and listener.  r is filled completely; whatever
 * happens, request_fini() may follow.  Strings live in the request's arena.
 * Errors: ERR_INVALID for a target that is no absolute path or has a NUL,
 * an escaped '/' or ".." in it.
 */
int request_init(struct request *, struct app *, const struct request_source *);
void request_fini(struct request *);

/*
 * Take the body as the route wants it.  Errors: ERR_LIMIT when it is larger
 * than the site's fcgi_max_body, ERR_INVALID when it stops early or a
 * spooled file is offered that is not ours, ERR_TIMEOUT.
 */
int request_read_body(struct request *);

/* What the front end says of the body's size; 0 when nothing.  ERR_INVALID. */
int request_content_length(const struct request *, int64_t *out);
/* As source->read, waiting for at most ms in all. */
int request_read_some(const struct request *, char *data, int size, int64_t ms);
/* Does the query hold JSON (as the platform's client sends uploads)? */
bool request_query_is_json(const struct request *);

/*
 * Decode the body after the caller was authenticated.  A body that does not
 * claim to be JSON counts as absent (the platform's rule), then form fields
 * are taken.  Errors: ERR_FORMAT or ERR_LIMIT with line and column when it
 * does (by its type, or beginning like an object or an array) and cannot be
 * parsed, ERR_INVALID when it is something else than an object.
 */
int request_decode_body(struct request *);

/* A parameter of the front end; NULL when absent or empty. */
const char *request_env(const struct request *, const char *name);
/* A header, by its CGI name without HTTP_; NULL when absent. */
const char *request_header(const struct request *, const char *name);
/* The value of ":name" in the route's pattern; never NULL. */
const char *request_param(const struct request *, const char *name);
/*
 * "name=value" in the query, percent-decoded in the arena; *out is NULL when
 * it is absent.  ERR_INVALID for a value with a NUL in it.
 */
int request_query(const struct request *, const char *name, const char **out);

/*
 * Fields of the JSON body as text: numbers are written out, so that party
 * ids may come as 9999 or "9999".  NULL when absent or null.
 */
const char *request_text(const struct request *, const char *name);
struct json_object *request_field(const struct request *, const char *name);
/* Errors: ERR_INVALID naming the field when it is no integer in range. */
int request_int(const struct request *, const char *name, int64_t min,
    int64_t max, int64_t fallback, int64_t *out);
/* true, 1, "1", "true" are true; absent gives fallback. */
bool request_flag(const struct request *, const char *name, bool fallback);

/*
 * All comma-separated names must be in the body, null counts as present.
 * Errors: ERR_INVALID "required argument are missing: a,b; " as the
 * platform words it.
 */
int request_require(const struct request *, const char *names);

/*
 * The spooled body must be a regular file directly below HOME/spool: open
 * it for reading.  Ownership: *out is the caller's descriptor.
 */
int request_open_file(const struct request *, int *out);

#endif
