/*
 * Structured field values (RFC 8941): dictionaries of inner lists and byte
 * sequences with parameters, which is what signatures and digests are made
 * of.  Strict: what the grammar does not allow is an error, and so is a key
 * given twice (the RFC lets the last one win; here nobody may depend on
 * which one another program picks).
 */
#ifndef LIB_SIGN_SFV_H
#define LIB_SIGN_SFV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define SFV_TEXT_MAX 8192 /* a longer header value is refused */
#define SFV_PARAMS_MAX 16
#define SFV_ITEMS_MAX 32
#define SFV_MEMBERS_MAX 8

enum sfv_type {
	SFV_INTEGER,
	SFV_STRING,
	SFV_TOKEN,
	SFV_BYTES,
	SFV_TRUE,
	SFV_FALSE,
	SFV_INNER_LIST,
};

/* A piece of the text that was parsed, not NUL-terminated. */
struct sfv_span {
	const char *at;
	size_t len;
};

struct sfv_value {
	enum sfv_type type;
	int64_t integer; /* SFV_INTEGER */
	/* Strings without quotes but with their escapes; bytes in base64
	 * without colons; tokens as they are. */
	struct sfv_span text;
};

struct sfv_param {
	struct sfv_span key;
	struct sfv_value value;
};

struct sfv_params {
	struct sfv_param p[SFV_PARAMS_MAX];
	size_t n;
};

/* A member of an inner list. */
struct sfv_item {
	struct sfv_value value;
	size_t n_params; /* counted, not kept */
};

struct sfv_member {
	struct sfv_span key;
	struct sfv_span whole; /* value with parameters, as written */
	struct sfv_value value;
	struct sfv_item items[SFV_ITEMS_MAX]; /* of an inner list */
	size_t n_items;
	struct sfv_params params;
};

struct sfv_dictionary {
	struct sfv_member members[SFV_MEMBERS_MAX];
	size_t n;
};

/*
 * Parse a dictionary; spans point into text.  Decimals are refused: no
 * field here has any.  Errors: ERR_FORMAT, ERR_LIMIT (text too long or more
 * than the maxima above).
 */
int sfv_parse(const char *text, struct sfv_dictionary *out);

/* NULL when there is none. */
const struct sfv_member *sfv_member(
    const struct sfv_dictionary *, const char *key);
const struct sfv_value *sfv_param(const struct sfv_params *, const char *key);

bool sfv_is(const struct sfv_span *, const char *text);
/* A string's content without escapes; appends. */
void sfv_string(const struct sfv_value *, struct buf *out);

#endif
