/*
 * Objects into plain structs, driven by a table.
 *
 *	struct submit { const char *name; int64_t timeout_ms; };
 *	static const struct json_field fields[] = {
 *		JSON_STR(struct submit, name, 1, 128, JSON_REQUIRED),
 *		JSON_INT(struct submit, timeout_ms, 1000, 86400000, 0),
 *	};
 *	r = json_decode(body, JSON_FIELDS(fields), 0, NULL, &faults, &s);
 *
 * Fill the struct with defaults first: absent members leave it alone.
 */
#ifndef LIB_JSON_DECODE_H
#define LIB_JSON_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json/faults.h"
#include "lib/json/json.h"

enum json_kind {
	JSON_KIND_STR,	/* const char *, borrowed from the object */
	JSON_KIND_INT,	/* int64_t */
	JSON_KIND_NUM,	/* double */
	JSON_KIND_BOOL, /* bool */
	JSON_KIND_ENUM, /* int: index in names */
	JSON_KIND_OBJ,	/* struct json_object *, borrowed */
	JSON_KIND_ARR,	/* struct json_object *, borrowed */
	JSON_KIND_ANY,	/* struct json_object *, borrowed; NULL: null */
	JSON_KIND_PARTY /* char [JSON_PARTY_SIZE]: 9999 or "9999" */
};

enum {
	JSON_REQUIRED = 1,
	JSON_NULLABLE = 2, /* null counts as absent */
	/* The classic forms: integers as "12" and 12.0, truth as 0, 1, "true",
	 * "False", "0", numbers where a string is wanted. */
	JSON_LENIENT = 4
};

#define JSON_PARTY_SIZE 11 /* ten digits and NUL */

struct json_field {
	const char *name;
	enum json_kind kind;
	unsigned int flags;
	size_t offset;
	int64_t min; /* length in bytes, value, elements */
	int64_t max;
	const char *const *names; /* ENUM: NULL-terminated */
};

#define JSON_FIELDS(table) (table), sizeof(table) / sizeof((table)[0])

#define JSON_FIELD_(kind_, type, member, key, min_, max_, flags_, names_)      \
	{                                                                      \
		.name = (key), .kind = (kind_), .flags = (flags_),             \
		.offset = offsetof(type, member), .min = (min_),               \
		.max = (max_), .names = (names_)                               \
	}
#define JSON_STR_AS(type, member, key, min_, max_, flags_)                     \
	JSON_FIELD_(JSON_KIND_STR, type, member, key, min_, max_, flags_, NULL)
#define JSON_INT_AS(type, member, key, min_, max_, flags_)                     \
	JSON_FIELD_(JSON_KIND_INT, type, member, key, min_, max_, flags_, NULL)
#define JSON_BOOL_AS(type, member, key, flags_)                                \
	JSON_FIELD_(JSON_KIND_BOOL, type, member, key, 0, 0, flags_, NULL)
#define JSON_STR(type, member, min_, max_, flags_)                             \
	JSON_STR_AS(type, member, #member, min_, max_, flags_)
#define JSON_INT(type, member, min_, max_, flags_)                             \
	JSON_INT_AS(type, member, #member, min_, max_, flags_)
#define JSON_NUM(type, member, flags_)                                         \
	JSON_FIELD_(JSON_KIND_NUM, type, member, #member, 0, 0, flags_, NULL)
#define JSON_BOOL(type, member, flags_)                                        \
	JSON_BOOL_AS(type, member, #member, flags_)
#define JSON_ENUM(type, member, names_, flags_)                                \
	JSON_FIELD_(JSON_KIND_ENUM, type, member, #member, 0, 0, flags_, names_)
#define JSON_OBJ(type, member, flags_)                                         \
	JSON_FIELD_(JSON_KIND_OBJ, type, member, #member, 0, 0, flags_, NULL)
#define JSON_ARR_AS(type, member, key, min_, max_, flags_)                     \
	JSON_FIELD_(JSON_KIND_ARR, type, member, key, min_, max_, flags_, NULL)
#define JSON_ARR(type, member, min_, max_, flags_)                             \
	JSON_ARR_AS(type, member, #member, min_, max_, flags_)
#define JSON_ANY_AS(type, member, key, flags_)                                 \
	JSON_FIELD_(JSON_KIND_ANY, type, member, key, 0, 0, flags_, NULL)
#define JSON_ANY(type, member, flags_)                                         \
	JSON_ANY_AS(type, member, #member, flags_)
#define JSON_PARTY(type, member, flags_)                                       \
	JSON_FIELD_(JSON_KIND_PARTY, type, member, #member, 0, 0, flags_, NULL)

enum {
	JSON_IGNORE_UNKNOWN = 0,
	JSON_FAULT_UNKNOWN = 1 /* with the nearest known name */
};

/*
 * Decode obj by the table into *out (the struct the offsets belong to).
 * Every fault is added with its pointer below path.  Strings with U+0000
 * cannot occur (json_parse() refuses them).
 * Returns 0, or ERR_INVALID when a fault was added; fields without a fault
 * are set in that case as well.
 */
int json_decode(struct json_object *obj, const struct json_field *, size_t n,
    int unknown, const struct json_path *path, struct faults *, void *out);

/* A party id from 9999 or "9999"; false leaves out alone. */
bool json_party_id(struct json_object *, char out[JSON_PARTY_SIZE]);
/* A whole number from 5, and with lenient from 5.0 and "5". */
bool json_whole_number(struct json_object *, bool lenient, int64_t *out);
/* A truth value, with lenient also 0, 1, "0", "1", "true", "False". */
bool json_truth(struct json_object *, bool lenient, bool *out);

#endif
