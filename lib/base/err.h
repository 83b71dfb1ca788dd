/*
 * Errors: one append-only list of codes, one record per thread.
 *
 * A function that can fail returns 0 or a negative ERR_* code.  Whoever
 * detects the failure calls err_set(); whoever passes it up may put context
 * in front with err_wrap().  The text is read once, at the top: the request
 * loop, an event callback, the component runner.
 */
#ifndef LIB_BASE_ERR_H
#define LIB_BASE_ERR_H

#include <stddef.h>

/* X(name, code, classic retcode, HTTP status, what it means) */
#define ERR_LIST(X)                                                            \
	X(ERR_INTERNAL, -1, 100, 500, "internal error")                        \
	X(ERR_INVALID, -2, 101, 400, "invalid request")                        \
	X(ERR_NOT_FOUND, -3, 102, 404, "not found")                            \
	X(ERR_EXISTS, -4, 100, 409, "exists already")                          \
	X(ERR_CONFLICT, -5, 103, 409, "changed meanwhile")                     \
	X(ERR_BUSY, -6, 103, 503, "try again later")                           \
	X(ERR_DENIED, -7, 108, 403, "not permitted")                           \
	X(ERR_AUTH, -8, 109, 401, "not authenticated")                         \
	X(ERR_DB, -9, 100, 500, "database")                                    \
	X(ERR_DB_RETRY, -10, 100, 503, "transaction must be repeated")         \
	X(ERR_IO, -11, 100, 500, "input/output")                               \
	X(ERR_NET, -12, 104, 502, "partner not reachable")                     \
	X(ERR_TIMEOUT, -13, 104, 504, "timed out")                             \
	X(ERR_LIMIT, -14, 101, 413, "limit exceeded")                          \
	X(ERR_FORMAT, -15, 101, 400, "malformed data")                         \
	X(ERR_CRYPTO, -16, 100, 500, "cryptography")                           \
	X(ERR_CANCELED, -17, 103, 409, "canceled")                             \
	X(ERR_NOMEM, -18, 100, 500, "out of memory")                           \
	X(ERR_UNSUPPORTED, -19, 100, 501, "not supported")                     \
	X(ERR_REMOTE, -20, 104, 502, "partner answered with an error")         \
	X(ERR_CLOSED, -21, 100, 500, "connection closed")                      \
	X(ERR_PENDING, -22, 106, 409, "a person has to approve first")         \
	X(ERR_FULL, -23, 103, 503, "a disk is full")                           \
	X(ERR_CLOCK, -24, 109, 401, "the clocks differ")

enum err_code {
#define X(name, code, retcode, http, text) name = (code),
	ERR_LIST(X)
#undef X
};

/*
 * Record code and message with the caller's file and line; returns code.
 * The first failure wins the file and line, so call err_set() where the
 * failure is seen.  err_set_errno() appends strerror(errno), and makes
 * ERR_FULL of an ERR_IO when that is a full disk or quota.
 */
#define err_set(code, ...) err_set_at(__FILE__, __LINE__, (code), __VA_ARGS__)
#define err_set_errno(code, ...)                                               \
	err_set_errno_at(__FILE__, __LINE__, (code), __VA_ARGS__)

int err_set_at(const char *file, int line, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int err_set_errno_at(const char *file, int line, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "context: " before the recorded message; returns the recorded code. */
int err_wrap(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The record of this thread; err_text() is never NULL. */
int err_code(void);
const char *err_text(void);
const char *err_where(void); /* "file:line", for logs only */
void err_clear(void);

/* What a code means to the outside.  Unknown codes count as ERR_INTERNAL. */
const char *err_name(int code);
const char *err_meaning(int code);
int err_retcode(int code);
int err_http_status(int code);

#endif
