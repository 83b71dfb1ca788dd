/*
 * JSON in and out, over json-c's objects.
 *
 * Reading is strict, because the text is a stranger's: RFC 8259 and nothing
 * beside it, well-formed UTF-8, no duplicate member names (RFC 8785 asks the
 * same), no lone surrogates, no U+0000, no number outside IEEE 754 doubles.
 * Members keep the order of the document.
 */
#ifndef LIB_JSON_JSON_H
#define LIB_JSON_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 64 /* objects and arrays within each other */

/*
 * Parse len bytes holding one value.  Integers within int64_t become json-c
 * integers, other numbers doubles that remember their spelling.
 * Ownership: *out is the caller's (json_object_put()); NULL for "null" too.
 * Errors: ERR_LIMIT when len > max_bytes, the nesting is too deep
 * or there is too much of it to be held in memory,
 * ERR_FORMAT otherwise; the message names line and column.
 */
int json_parse(
    const char *text, size_t len, size_t max_bytes, struct json_object **out);
/* For our own columns and constants: NUL-terminated, at most 64 MB. */
int json_parse_text(const char *text, struct json_object **out);
int json_parse_file(const char *path, size_t max_bytes,
    struct json_object **out); /* also ERR_IO */

/*
 * Compact text: no blanks, "/" not escaped, members in their order.  The
 * result is valid until the object is changed, printed again or put.
 */
const char *json_text(struct json_object *);

/* A double that prints in its shortest form; NULL (JSON null) unless finite. */
struct json_object *json_double(double);

/*
 * Lookups that answer "not there" for a NULL object, a missing member and a
 * member of another type alike; for documents that were checked before.
 */
struct json_object *json_get(struct json_object *, const char *key);
/* Through nested objects by names: json_path_get(o, "role", "guest"). */
#define json_path_get(...) json_path_get_va(__VA_ARGS__, (const char *)0)
struct json_object *json_path_get_va(struct json_object *, ...)
    __attribute__((sentinel));
const char *json_get_str(
    struct json_object *, const char *key, const char *otherwise);
int64_t json_get_int(struct json_object *, const char *key, int64_t otherwise);
double json_get_double(struct json_object *, const char *key, double otherwise);
/* true, 1 and "true" hold; false, 0 and "false" do not. */
bool json_get_bool(struct json_object *, const char *key, bool otherwise);

bool json_has(struct json_object *, const char *key); /* null counts */
bool json_is_object(struct json_object *);
bool json_is_array(struct json_object *);
bool json_is_string(struct json_object *);

/* "object", "array", "string", "integer", "number", "boolean", "null". */
const char *json_type_text(struct json_object *);

/* A deep copy that is the caller's; NULL gives NULL. */
struct json_object *json_copy(struct json_object *);

/* Add a string member; NULL becomes JSON null. */
void json_add_str(struct json_object *, const char *key, const char *value);
void json_add_int(struct json_object *, const char *key, int64_t value);
void json_add_bool(struct json_object *, const char *key, bool value);
/* The member takes over the caller's reference. */
void json_add(struct json_object *, const char *key, struct json_object *);

/*
 * A value that prints as this text and has no members.  text is JSON, from
 * malloc(), and the value's from now on.
 */
struct json_object *json_of_text(char *text);

#endif
