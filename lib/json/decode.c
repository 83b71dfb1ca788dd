/*
 * Table-driven decoding of objects.  Called by request handlers and by the
 * readers of job documents; it says what is wrong, they say what follows.
 */
#include "lib/json/decode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

/* Whole doubles up to here are exact. */
#define EXACT_MAX 9007199254740992.0
#define FIELDS_HINTED 100

bool
json_party_id(struct json_object *o, char out[JSON_PARTY_SIZE])
{
	const char *text;

	if (!json_is_string(o) && !json_object_is_type(o, json_type_int))
		return false;
	text = json_object_get_string(o);
	if (!str_is_party_id(text))
		return false;
	snprintf(out, JSON_PARTY_SIZE, "%s", text);
	return true;
}

bool
json_whole_number(struct json_object *o, bool lenient, int64_t *out)
{
	double d;

	if (json_object_is_type(o, json_type_int)) {
		*out = json_object_get_int64(o);
		return true;
	}
	if (lenient && json_is_string(o))
		return str_to_int64(json_object_get_string(o), INT64_MIN,
			   INT64_MAX, out) == 0;
	if (!lenient || !json_object_is_type(o, json_type_double))
		return false;
	d = json_object_get_double(o);
	if (fabs(d) > EXACT_MAX || d != trunc(d))
		return false;
	*out = (int64_t)d;
	return true;
}

bool
json_truth(struct json_object *o, bool lenient, bool *out)
{
	const char *s;
	int64_t i;

	if (json_object_is_type(o, json_type_boolean)) {
		*out = json_object_get_boolean(o);
		return true;
	}
	if (!lenient || o == NULL)
		return false;
	if (json_is_string(o)) {
		s = json_object_get_string(o);
		*out = strcasecmp(s, "true") == 0 || strcmp(s, "1") == 0;
		return *out || strcasecmp(s, "false") == 0 ||
		       strcmp(s, "0") == 0;
	}
	if (!json_whole_number(o, true, &i) || (i != 0 && i != 1))
		return false;
	*out = i == 1;
	return true;
}

/* What a field may hold; the message is for the author of the document. */
struct place {
	const struct json_field *field;
	const struct json_path *path;
	struct faults *faults;
	struct json_object *value;
	char *at; /* in the caller's struct */
};

static void
decode_str(const struct place *p)
{
	const struct json_field *f = p->field;
	bool is_number;
	size_t len;

	is_number = json_object_is_type(p->value, json_type_int) ||
		    json_object_is_type(p->value, json_type_double);
	if (!json_is_string(p->value) &&
	    !((f->flags & JSON_LENIENT) && is_number)) {
		faults_add_value(
		    p->faults, p->path, p->value, "must be a string");
		return;
	}
	*(const char **)p->at = json_object_get_string(p->value);
	len = strlen(*(const char **)p->at);
	if ((int64_t)len < f->min)
		faults_add_value(p->faults, p->path, p->value,
		    f->min == 1 ? "must not be empty" : "is too short");
	else if ((int64_t)len > f->max)
		faults_add_value(p->faults, p->path, p->value,
		    "is %zu bytes long, at most %lld", len, (long long)f->max);
}

static void
decode_int(const struct place *p)
{
	const struct json_field *f = p->field;
	int64_t v;

	if (!json_whole_number(p->value, f->flags & JSON_LENIENT, &v))
		faults_add_value(
		    p->faults, p->path, p->value, "must be a whole number");
	else if (v < f->min || v > f->max)
		faults_add_value(p->faults, p->path, p->value,
		    "must be from %lld to %lld", (long long)f->min,
		    (long long)f->max);
	else
		*(int64_t *)p->at = v;
}

static void
decode_num(const struct place *p)
{
	if (json_object_is_type(p->value, json_type_int) ||
	    json_object_is_type(p->value, json_type_double))
		*(double *)(void *)p->at = json_object_get_double(p->value);
	else
		faults_add_value(
		    p->faults, p->path, p->value, "must be a number");
}

static void
decode_bool(const struct place *p)
{
	bool v;

	if (json_truth(p->value, p->field->flags & JSON_LENIENT, &v))
		*(bool *)p->at = v;
	else
		faults_add_value(
		    p->faults, p->path, p->value, "must be true or false");
}

static void
decode_enum(const struct place *p)
{
	const char *const *names = p->field->names;
	struct buf known = BUF_INIT;
	int i;

	for (i = 0; names[i] != NULL; i++) {
		if (json_is_string(p->value) &&
		    strcmp(json_object_get_string(p->value), names[i]) == 0) {
			*(int *)p->at = i;
			goto out;
		}
		buf_printf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	faults_add_value(
	    p->faults, p->path, p->value, "must be one of %s", buf_str(&known));
out:
	buf_fini(&known);
}

static void
decode_object(const struct place *p)
{
	if (p->field->kind != JSON_KIND_ANY && !json_is_object(p->value))
		faults_add_value(
		    p->faults, p->path, p->value, "must be an object");
	else
		*(struct json_object **)p->at = p->value;
}

static void
decode_array(const struct place *p)
{
	const struct json_field *f = p->field;
	size_t n;

	if (!json_is_array(p->value)) {
		faults_add_value(
		    p->faults, p->path, p->value, "must be an array");
		return;
	}
	n = json_object_array_length(p->value);
	if ((int64_t)n < f->min || (int64_t)n > f->max)
		faults_add_value(p->faults, p->path, p->value,
		    "must have %lld to %lld elements", (long long)f->min,
		    (long long)f->max);
	else
		*(struct json_object **)p->at = p->value;
}

static void
decode_party(const struct place *p)
{
	if (!json_party_id(p->value, p->at))
		faults_add_value(p->faults, p->path, p->value,
		    "must be a party id: up to ten digits, as number or text");
}

static void
decode_field(const struct place *p)
{
	static void (*const decoders[])(const struct place *) = {
		[JSON_KIND_STR] = decode_str,
		[JSON_KIND_INT] = decode_int,
		[JSON_KIND_NUM] = decode_num,
		[JSON_KIND_BOOL] = decode_bool,
		[JSON_KIND_ENUM] = decode_enum,
		[JSON_KIND_OBJ] = decode_object,
		[JSON_KIND_ARR] = decode_array,
		[JSON_KIND_ANY] = decode_object,
		[JSON_KIND_PARTY] = decode_party,
	};

	decoders[p->field->kind](p);
}

static void
refuse_unknown(struct json_object *obj, const struct json_field *fields,
    size_t n, const struct json_path *path, struct faults *faults)
{
	const char *names[FIELDS_HINTED];
	char hint[FAULTS_HINT_SIZE];
	size_t i;

	for (i = 0; i < n && i < FIELDS_HINTED; i++)
		names[i] = fields[i].name;
	json_object_object_foreach(obj, key, value)
	{
		for (i = 0; i < n && strcmp(fields[i].name, key) != 0; i++)
			;
		if (i == n)
			faults_add_value(faults, JSON_PATH_KEY(path, key),
			    value, "unknown name%s",
			    faults_hint(faults, key, names,
				n < FIELDS_HINTED ? n : FIELDS_HINTED, hint));
	}
}

int
json_decode(struct json_object *obj, const struct json_field *fields, size_t n,
    int unknown, const struct json_path *path, struct faults *faults, void *out)
{
	size_t i, before = faults_count(faults);
	struct json_object *value;

	if (!json_is_object(obj)) {
		faults_add_value(faults, path, obj, "must be an object");
		return ERR_INVALID;
	}
	for (i = 0; i < n; i++) {
		const struct json_field *f = &fields[i];
		struct json_path at = { path, f->name, 0 };

		if (!json_object_object_get_ex(obj, f->name, &value) ||
		    (value == NULL && (f->flags & JSON_NULLABLE) != 0)) {
			if ((f->flags & JSON_REQUIRED) != 0)
				faults_add(faults, &at, "is missing");
			continue;
		}
		decode_field(&(const struct place){
		    f, &at, faults, value, (char *)out + f->offset });
	}
	if (unknown == JSON_FAULT_UNKNOWN)
		refuse_unknown(obj, fields, n, path, faults);
	return faults_count(faults) == before
		   ? 0
		   : err_set(ERR_INVALID, "%s: %s",
			 faults->n > 0 ? faults->items[faults->n - 1].pointer
				       : "",
			 faults->n > 0 ? faults->items[faults->n - 1].message
				       : "invalid");
}
