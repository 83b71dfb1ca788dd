/*
 * Called by who shows or exports models.  protobuf-c keeps a message as a struct whose
 * layout its descriptor tells; this walks it.
 */
#include "lib/wire/pbjson.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define NAME_MAX_ 128

/* loss_history → lossHistory */
static void
camel(const char *name, char out[NAME_MAX_])
{
	size_t n = 0;
	bool up = false;

	for (; *name != '\0' && n < NAME_MAX_ - 1; name++) {
		if (*name == '_') {
			up = true;
			continue;
		}
		out[n++] = up ? (char)toupper((unsigned char)*name) : *name;
		up = false;
	}
	out[n] = '\0';
}

static struct json_object *
number(double v)
{
	if (isnan(v))
		return json_object_new_string("NaN");
	if (isinf(v))
		return json_object_new_string(v > 0 ? "Infinity" : "-Infinity");
	return json_double(v);
}

static struct json_object *
long_text(const char *sign, uint64_t v)
{
	char text[24];

	(void)snprintf(
	    text, sizeof(text), "%s%llu", sign, (unsigned long long)v);
	return json_object_new_string(text);
}

static struct json_object *
signed_text(int64_t v)
{
	return v < 0 ? long_text("-", (uint64_t)0 - (uint64_t)v)
		     : long_text("", (uint64_t)v);
}

static struct json_object *
bytes_text(const ProtobufCBinaryData *b)
{
	struct buf text = BUF_INIT;
	struct json_object *o;

	str_base64(&text, b->data, b->len);
	o = json_object_new_string(buf_str(&text));
	buf_fini(&text);
	return o;
}

static struct json_object *
enum_text(const ProtobufCEnumDescriptor *d, int v)
{
	const ProtobufCEnumValue *e =
	    protobuf_c_enum_descriptor_get_value(d, v);

	return e != NULL ? json_object_new_string(e->name)
			 : json_object_new_int(v);
}

/* What one value of a field takes in the struct or in an array. */
static size_t
value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(int64_t);
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(double);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return sizeof(int32_t);
	}
}

static struct json_object *
value(const ProtobufCFieldDescriptor *f, const void *at)
{
	const char *text;
	const ProtobufCMessage *m;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_object_new_int(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_object_new_int64(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return signed_text(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return long_text("", *(const uint64_t *)at);
	case PROTOBUF_C_TYPE_FLOAT:
		return number((double)*(const float *)at);
	case PROTOBUF_C_TYPE_DOUBLE:
		return number(*(const double *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_object_new_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return enum_text(f->descriptor, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)at;
		return json_object_new_string(text != NULL ? text : "");
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_text(at);
	case PROTOBUF_C_TYPE_MESSAGE:
		m = *(const ProtobufCMessage *const *)at;
		return m != NULL ? pbjson_message(m) : NULL;
	}
	return NULL;
}

/*
 * A map<K, V> is a repeated message whose fields are "key" and "value" and
 * whose name ends in "Entry"; JSON writes it as an object.
 */
static bool
is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE ||
	    f->label != PROTOBUF_C_LABEL_REPEATED)
		return false;
	d = f->descriptor;
	return d->n_fields == 2 && str_ends(d->short_name, "Entry") &&
	       strcmp(d->fields[0].name, "key") == 0 &&
	       strcmp(d->fields[1].name, "value") == 0;
}

static void
add_entry(struct json_object *map, const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *f = entry->descriptor->fields;
	struct json_object *key;

	key = value(&f[0], (const char *)entry + f[0].offset);
	json_add(map, json_object_get_string(key),
	    value(&f[1], (const char *)entry + f[1].offset));
	json_object_put(key);
}

static struct json_object *
repeated(const ProtobufCFieldDescriptor *f, const char *base)
{
	size_t n, i, size = value_size(f->type);
	const char *items = *(const char *const *)(base + f->offset);
	struct json_object *o;
	bool map = is_map(f);

	n = *(const size_t *)(base + f->quantifier_offset);
	o = map ? json_object_new_object() : json_object_new_array();
	for (i = 0; i < n; i++) {
		if (map)
			add_entry(o, ((ProtobufCMessage *const *)(const void *)
					     items)[i]);
		else
			json_object_array_add(o, value(f, items + i * size));
	}
	return o;
}

/*
 * Of a oneof only the member that is set is written, and a message that is
 * absent not at all; everything else has a default.
 */
static bool
is_set(const ProtobufCFieldDescriptor *f, const char *base)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE &&
	    f->label != PROTOBUF_C_LABEL_REPEATED &&
	    *(const void *const *)(const void *)(base + f->offset) == NULL)
		return false;
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
		return *(const uint32_t *)(base + f->quantifier_offset) ==
		       f->id;
	return true;
}

struct json_object *
pbjson_message(const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	struct json_object *o = json_object_new_object();
	const ProtobufCFieldDescriptor *f;
	const char *base = (const char *)m;
	char name[NAME_MAX_];
	unsigned i;

	for (i = 0; i < d->n_fields; i++) {
		f = &d->fields[i];
		if (!is_set(f, base))
			continue;
		camel(f->name, name);
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			json_add(o, name, repeated(f, base));
		else
			json_add(o, name, value(f, base + f->offset));
	}
	return o;
}

/* --- bounds -------------------------------------------------------------- */

/*
 * What a message may cost as structs and as JSON: two bytes of it can stand
 * for an empty message, which takes hundreds.
 */
#define UNPACK_BASE ((size_t)8 << 20)
#define UNPACK_FACTOR 16
#define COST_MAX 4500000 /* values; some 80 bytes each */
#define COST_MESSAGE 10	 /* of an object, in values */

struct budget {
	size_t left;
	bool is_spent;
};

static void *
budget_alloc(void *ctx, size_t size)
{
	struct budget *b = ctx;

	/* The allocator's own part counts: many are small. */
	if (size + sizeof(void *) > b->left) {
		b->is_spent = true;
		return NULL;
	}
	b->left -= size + sizeof(void *);
	return mem_array(size, 1);
}

static void
budget_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static size_t cost_of(const ProtobufCMessage *, size_t cost);

/* Added to cost; no longer counted exactly beyond COST_MAX. */
static size_t
field_cost(const ProtobufCFieldDescriptor *f, const char *base, size_t cost)
{
	const ProtobufCMessage *const *items;
	size_t n = 1, i;

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		n = *(
		    const size_t *)(const void *)(base + f->quantifier_offset);
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return cost + n;
	items =
	    f->label == PROTOBUF_C_LABEL_REPEATED
		? *(const ProtobufCMessage *const *const *)(const void
			  *)(base + f->offset)
		: (const ProtobufCMessage *const *)(const void *)(base +
								  f->offset);
	for (i = 0; i < n && cost <= COST_MAX; i++)
		if (items[i] != NULL)
			cost = cost_of(
			    items[i], cost + (is_map(f) ? 0 : COST_MESSAGE));
	return cost;
}

static size_t
cost_of(const ProtobufCMessage *m, size_t cost)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	unsigned i;

	for (i = 0; i < d->n_fields && cost <= COST_MAX; i++)
		if (is_set(&d->fields[i], (const char *)m))
			cost = field_cost(&d->fields[i], (const char *)m, cost);
	return cost;
}

int
pbjson_unpack(const ProtobufCMessageDescriptor *d, const void *data, size_t len,
    struct json_object **out)
{
	struct budget budget = { UNPACK_BASE + UNPACK_FACTOR * len, false };
	ProtobufCAllocator a = { budget_alloc, budget_free, &budget };
	ProtobufCMessage *m;
	int r = 0;

	*out = NULL;
	m = protobuf_c_message_unpack(d, &a, len, data);
	if (m == NULL && !budget.is_spent)
		return err_set(
		    ERR_FORMAT, "the bytes are no %s", d->short_name);
	if (m == NULL || cost_of(m, 0) > COST_MAX)
		r = err_set(ERR_LIMIT,
		    "the %s has too many parts to be shown as JSON",
		    d->short_name);
	else
		*out = pbjson_message(m);
	protobuf_c_message_free_unpacked(m, &a);
	return r;
}
