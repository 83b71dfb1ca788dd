/*
 * Small conveniences over json-c's objects: printing, lookups, members.
 * Reading text is read.c.  Used by every program that speaks JSON.
 */
#include "lib/json/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/json/decode.h"

const char *
json_text(struct json_object *o)
{
	return o == NULL ? "null"
			 : json_object_to_json_string_ext(
			       o, JSON_C_TO_STRING_PLAIN |
				      JSON_C_TO_STRING_NOSLASHESCAPE);
}

struct json_object *
json_double(double d)
{
	char number[JSON_NUMBER_SIZE], text[JSON_NUMBER_SIZE + 2];

	if (!isfinite(d))
		return NULL;
	json_number_text(d, number);
	/* Stay a double when somebody reads it back. */
	snprintf(text, sizeof(text), "%s%s", number,
	    strpbrk(number, ".e") == NULL ? ".0" : "");
	return json_object_new_double_s(d, text);
}

struct json_object *
json_get(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_is_object(o) || !json_object_object_get_ex(o, key, &v))
		return NULL;
	return v;
}

struct json_object *
json_path_get_va(struct json_object *o, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, o);
	while (o != NULL && (key = va_arg(ap, const char *)) != NULL)
		o = json_get(o, key);
	va_end(ap);
	return o;
}

const char *
json_get_str(struct json_object *o, const char *key, const char *otherwise)
{
	struct json_object *v = json_get(o, key);

	return json_is_string(v) ? json_object_get_string(v) : otherwise;
}

int64_t
json_get_int(struct json_object *o, const char *key, int64_t otherwise)
{
	int64_t v;

	return json_whole_number(json_get(o, key), false, &v) ? v : otherwise;
}

double
json_get_double(struct json_object *o, const char *key, double otherwise)
{
	struct json_object *v = json_get(o, key);

	if (json_object_is_type(v, json_type_double) ||
	    json_object_is_type(v, json_type_int))
		return json_object_get_double(v);
	return otherwise;
}

bool
json_get_bool(struct json_object *o, const char *key, bool otherwise)
{
	bool v;

	return json_truth(json_get(o, key), true, &v) ? v : otherwise;
}

bool
json_has(struct json_object *o, const char *key)
{
	return json_is_object(o) && json_object_object_get_ex(o, key, NULL);
}

bool
json_is_object(struct json_object *o)
{
	return json_object_is_type(o, json_type_object);
}

bool
json_is_array(struct json_object *o)
{
	return json_object_is_type(o, json_type_array);
}

bool
json_is_string(struct json_object *o)
{
	return json_object_is_type(o, json_type_string);
}

const char *
json_type_text(struct json_object *o)
{
	switch (json_object_get_type(o)) {
	case json_type_boolean:
		return "boolean";
	case json_type_double:
		return "number";
	case json_type_int:
		return "integer";
	case json_type_object:
		return "object";
	case json_type_array:
		return "array";
	case json_type_string:
		return "string";
	case json_type_null:
		break;
	}
	return "null";
}

struct json_object *
json_copy(struct json_object *o)
{
	struct json_object *copy = NULL;

	if (o == NULL || json_object_deep_copy(o, &copy, NULL) != 0)
		return NULL;
	return copy;
}

void
json_add(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

void
json_add_str(struct json_object *o, const char *key, const char *value)
{
	json_add(o, key, value != NULL ? json_object_new_string(value) : NULL);
}

void
json_add_int(struct json_object *o, const char *key, int64_t value)
{
	json_add(o, key, json_object_new_int64(value));
}

void
json_add_bool(struct json_object *o, const char *key, bool value)
{
	json_add(o, key, json_object_new_boolean(value));
}

struct json_object *
json_of_text(char *text)
{
	struct json_object *o = json_object_new_object();

	json_object_set_serializer(o, json_object_userdata_to_json_string, text,
	    json_object_free_userdata);
	return o;
}
