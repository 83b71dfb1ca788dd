/*
 * Strings and numbers in text: strict parsing, names, hex, base64.
 */
#ifndef LIB_BASE_STR_H
#define LIB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

/* The whole text must be a decimal number in [min, max]; else ERR_INVALID. */
int str_to_int64(const char *s, int64_t min, int64_t max, int64_t *out);
int str_to_double(const char *s, double *out); /* finite or not */
int str_to_bool(const char *s, bool *out);     /* true false yes no 1 0 */

/* [A-Za-z0-9_-]{1,max}: component names, roles, data names. */
bool str_is_name(const char *s, size_t max);
/* [0-9]{1,10}, no leading zero unless "0". */
bool str_is_party_id(const char *s);
/* [0-9]{14,25} */
bool str_is_job_id(const char *s);

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Is s one of the texts between the commas of list? */
bool str_in_list(const char *list, const char *s);

/*
 * Smallest number of edits (insert, delete, replace) from a to b, used to
 * propose the nearest known name; Wagner and Fischer 1974.
 */
size_t str_distance(const char *a, const char *b);
/* The nearest of the n names within a third of s's length; NULL if none. */
const char *str_nearest(const char *s, const char *const *names, size_t n);

void str_to_hex(const void *data, size_t len, char *out /* 2*len+1 */);
/* Exactly len bytes from 2*len lower or upper hex digits. */
int str_from_hex(const char *hex, void *out, size_t len);
void str_base64(struct buf *out, const void *data, size_t len);
/* Standard alphabet with padding; appends; ERR_FORMAT on anything else. */
int str_unbase64(struct buf *out, const char *text, size_t len);
/* Percent-decode s (a stray % stays); '+' is left alone; appends. */
void str_percent_decode(struct buf *out, const char *s, size_t len);
/* RFC 3986: all but unreserved characters as %XX; appends. */
void str_percent_encode(struct buf *out, const char *s, size_t len);
bool str_is_utf8(const char *s, size_t len);
/*
 * Strangers' words for somebody's terminal or a line: control characters, the
 * upper ones in UTF-8 too, become '?', but for those in keep.  In place; true:
 * there were some.
 */
bool str_tame(char *s, const char *keep);

#endif
