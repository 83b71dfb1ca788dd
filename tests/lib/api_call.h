/*
 * Requests of a site's user to fcgi-app's handlers, without a server between.
 */
#ifndef TESTS_LIB_API_CALL_H
#define TESTS_LIB_API_CALL_H

#include "lib/base/buf.h"

struct app;
struct json_object;

struct api_answer {
	long status;		  /* HTTP */
	long retcode;		  /* -1: no JSON */
	struct json_object *json; /* whole envelope, or NULL */
	struct buf head;	  /* header lines */
	struct buf body;	  /* as sent */
};

/* A JSON body as a user's program on this machine sends it. */
void api_call(struct app *, const char *method, const char *target,
    const char *json, struct api_answer *out);
/* The same with a form, which stands in a file. */
void api_call_file(struct app *, const char *target, const char *content_type,
    const char *path, struct api_answer *out);
void api_answer_fini(struct api_answer *);

/* api_call() by POST; fails the test unless the retcode is as wanted. */
void api_want(struct app *, long retcode, const char *target, const char *json,
    struct api_answer *out);

#endif
