/*
 * One answer: the envelope {"retcode", "retmsg", "data", "jobId", "meta"},
 * or a file that is streamed while it is made.
 */
#ifndef FCGI_APP_REPLY_H
#define FCGI_APP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

struct json_object;

struct reply_sink {
	/* Negative when the front end has gone. */
	int (*write)(void *ctx, const void *data, size_t len);
	void *ctx;
	/* Has the front end gone?  Asked while nothing is written; NULL when
	 * there is nobody to ask. */
	bool (*gone)(void *ctx);
};

struct reply {
	const struct reply_sink *sink;
	int http_status; /* 200 unless said otherwise */
	int retcode;
	char *retmsg;		    /* owned; NULL means "success" */
	char *job_id;		    /* owned; "jobId" when set */
	struct json_object *data;   /* owned; NULL is left out */
	struct buf text;	    /* data as JSON text, in its place */
	struct json_object *meta;   /* owned; NULL is left out */
	struct json_object *errors; /* owned; faults with JSON pointers */
	int retry_after_s;	    /* > 0: a Retry-After header */
	char *cookie;		    /* owned; Set-Cookie, or NULL */
	bool begun;		    /* a file's header is out already */
	bool broken;		    /* the front end has gone */
};

void reply_init(struct reply *, const struct reply_sink *);
void reply_fini(struct reply *);

/* Hand over data (the reply's now); returns 0 so that handlers can end on it. */
int reply_data(struct reply *, struct json_object *data);
/* The same of JSON as text, which is sent as it is; *text is empty then. */
int reply_data_text(struct reply *, struct buf *text);
/* Success without data, with another text than "success". */
int reply_message(struct reply *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* An error in the envelope under HTTP 200; keeps data. */
int reply_fault(struct reply *, int retcode, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An error whose number is the HTTP status too (210 is one of them). */
int reply_status(struct reply *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What Set-Cookie says, beside whatever else is answered; the reply's now. */
void reply_cookie(struct reply *, char *owned);

/* 503 and Retry-After, with the text of the recorded error. */
int reply_busy(struct reply *);

/* Write headers and envelope; nothing when a file was begun. */
int reply_send(struct reply *);

/*
 * Begin a file answer: the content type follows from the name, which stands
 * in Content-Disposition without quotes.  length < 0 when unknown.
 */
int reply_file_begin(struct reply *, const char *name, int64_t length);
int reply_file_write(struct reply *, const void *data, size_t len);
/* A whole answer under a content type of its own. */
int reply_text(struct reply *, const char *type, const struct buf *);
/* A whole file: the object as indented JSON; it stays the caller's. */
int reply_file_json(struct reply *, const char *name, struct json_object *);
/* ERR_CLOSED when nobody waits any more: for long work between writes. */
int reply_check(struct reply *);

#endif
