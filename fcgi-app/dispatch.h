/*
 * One request from its first byte to its answer.
 */
#ifndef FCGI_APP_DISPATCH_H
#define FCGI_APP_DISPATCH_H

struct app;
struct reply_sink;
struct request_source;

/* Find the route, authenticate, run the handler, answer.  Never fails: what
 * goes wrong is the answer, and a log line when it is ours. */
void dispatch(
    struct app *, const struct request_source *, const struct reply_sink *);

#endif
