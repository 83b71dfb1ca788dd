/*
 * A list of what is wrong with a document: where (RFC 6901 JSON pointer),
 * what stands there, what would be right.  Checking goes on after a fault, so
 * that somebody who wrote the document sees all of them at once.
 */
#ifndef LIB_JSON_FAULTS_H
#define LIB_JSON_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/json/json.h"

/*
 * A place in a document as a chain of callers' stack frames: nothing is
 * formatted or allocated until there is a fault.  NULL is the root.
 */
struct json_path {
	const struct json_path *up;
	const char *key; /* NULL: an element of an array */
	size_t index;
};

#define JSON_PATH_KEY(up_, key_)                                               \
	(&(const struct json_path){ .up = (up_), .key = (key_) })
#define JSON_PATH_AT(up_, index_)                                              \
	(&(const struct json_path){ .up = (up_), .index = (index_) })

/* Append the pointer's text: "" for the root, "/a~1b/0". */
void json_path_text(const struct json_path *, struct buf *out);

#define FAULTS_MAX 200 /* kept; the rest is only counted */

struct fault {
	char *pointer;
	char *message; /* what is wrong and what would be right */
	char *value;   /* what stands there, cut short; or NULL */
};

struct faults {
	struct fault *items;
	size_t n;
	size_t cap;
	size_t dropped; /* beyond FAULTS_MAX */
};

#define FAULTS_INIT                                                            \
	{                                                                      \
		NULL, 0, 0, 0                                                  \
	}

void faults_init(struct faults *);
void faults_fini(struct faults *);
bool faults_any(const struct faults *);
size_t faults_count(const struct faults *); /* dropped ones too */

/*
 * Add one; faults_add_value() also quotes what stands there (cut at 120
 * bytes), faults_add() is for what is missing.
 */
void faults_add(struct faults *, const struct json_path *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void faults_add_value(struct faults *, const struct json_path *,
    struct json_object *value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * "; did you mean "NAME"?" for the nearest of n names, or "", written to
 * out and returned.  Only for the first faults of a list.
 */
#define FAULTS_HINT_SIZE 160
#define FAULTS_HINTS 30
const char *faults_hint(const struct faults *, const char *s,
    const char *const *names, size_t n, char out[FAULTS_HINT_SIZE]);

/* One line each: "/role/guest/0: message (found "x")". */
void faults_text(const struct faults *, struct buf *out);
/* [{"pointer":…,"message":…,"value":…}, …]; the caller's. */
struct json_object *faults_json(const struct faults *);
/*
 * ERR_INVALID with the text as message.  Never 0: without a fault it is
 * ERR_INTERNAL, so look at faults_any() first where there may be none.
 */
int faults_err(const struct faults *, const char *what);

#endif
