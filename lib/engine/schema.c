/*
 * Schemas: parsed for components, generated at upload, prefixed by Reader.
 */
#include "lib/engine/schema.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/csv.h"
#include "lib/engine/storage.h"

static const char *
string_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return "";
	if (json_object_is_type(v, json_type_array) &&
	    json_object_array_length(v) > 0)
		v = json_object_array_get_idx(v, 0);
	return json_object_is_type(v, json_type_string)
		   ? json_object_get_string(v)
		   : "";
}

static bool
bool_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	       json_object_get_boolean(v);
}

static void
split_header(const char *text, const char *delimiter, struct schema *out)
{
	size_t len = strlen(delimiter);
	const char *p = text, *q;
	struct span name;
	size_t n;

	if (text[0] == '\0' || len == 0)
		return;
	n = csv_count(delimiter, (struct span){ text, strlen(text) });
	out->header = xcalloc(n, sizeof(out->header[0]));
	do {
		q = strstr(p, delimiter);
		name = span_trim((struct span){
		    p, q != NULL ? (size_t)(q - p) : strlen(p) });
		out->header[out->n_header++] = xstrndup(name.data, name.len);
		p = q != NULL ? q + len : NULL;
	} while (p != NULL);
}

static int
list_header(struct json_object *list, struct schema *out)
{
	size_t i, n = json_object_array_length(list);
	struct json_object *v;

	if (n > STORAGE_VALUES_MAX)
		return err_set(ERR_FORMAT, "the schema has %zu columns", n);
	out->header = xcalloc(n, sizeof(out->header[0]));
	for (i = 0; i < n; i++) {
		v = json_object_array_get_idx(list, i);
		if (!json_object_is_type(v, json_type_string))
			return err_set(ERR_FORMAT,
			    "the schema's header "
			    "contains something else than names");
		out->header[out->n_header++] =
		    xstrdup(json_object_get_string(v));
	}
	return 0;
}

int
schema_parse(const char *json, const char *delimiter, struct schema *out)
{
	struct json_object *header;
	int r = 0;

	memset(out, 0, sizeof(*out));
	out->json = json_tokener_parse(json);
	if (!json_object_is_type(out->json, json_type_object)) {
		json_object_put(out->json);
		return err_set(ERR_FORMAT, "the table's schema is not a JSON "
					   "object");
	}
	out->sid = string_of(out->json, "sid");
	out->label_name = string_of(out->json, "label_name");
	out->match_id_name = string_of(out->json, "match_id_name");
	if (json_object_object_get_ex(out->json, "header", &header)) {
		if (json_object_is_type(header, json_type_string))
			split_header(
			    json_object_get_string(header), delimiter, out);
		else if (json_object_is_type(header, json_type_array))
			r = list_header(header, out);
	}
	if (r != 0)
		schema_fini(out);
	return r;
}

void
schema_fini(struct schema *s)
{
	size_t i;

	for (i = 0; i < s->n_header; i++)
		free(s->header[i]);
	free(s->header);
	json_object_put(s->json);
	memset(s, 0, sizeof(*s));
}

size_t
schema_find(const struct schema *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_header; i++)
		if (str_eq(s->header[i], name))
			return i;
	return SIZE_MAX;
}

enum column_use { FEATURE, LABEL, MATCH_ID };

static int
mark_label(
    const struct schema *s, struct json_object *meta, enum column_use *use)
{
	const char *name = string_of(meta, "label_name");
	size_t i;

	if (!bool_of(meta, "with_label"))
		return 0;
	if (name[0] == '\0')
		name = "y";
	if ((i = schema_find(s, name)) == SIZE_MAX)
		return err_set(ERR_INVALID,
		    "meta says that column %s is the "
		    "label, but the header has no such column",
		    name);
	use[i] = LABEL;
	return 0;
}

static int
mark_match_ids(
    const struct schema *s, struct json_object *meta, enum column_use *use)
{
	struct json_object *list;
	const char *name;
	size_t i, at;

	if (!bool_of(meta, "with_match_id") || s->n_header == 0)
		return 0;
	if (!json_object_object_get_ex(meta, "id_list", &list) ||
	    !json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) == 0) {
		use[0] = MATCH_ID;
		return 0;
	}
	for (i = 0; i < json_object_array_length(list); i++) {
		name =
		    json_object_get_string(json_object_array_get_idx(list, i));
		if (name == NULL || (at = schema_find(s, name)) == SIZE_MAX)
			return err_set(ERR_INVALID,
			    "meta's id_list names "
			    "column %s, but the header has no such column",
			    name != NULL ? name : "null");
		use[at] = MATCH_ID;
	}
	return 0;
}

static void
add_string(struct json_object *array, const char *s)
{
	json_object_array_add(array, json_object_new_string(s));
}

static void
put_names(struct json_object *schema, const struct schema *s,
    const enum column_use *use)
{
	struct json_object *header = json_object_new_array();
	struct json_object *anonymous = json_object_new_array();
	struct json_object *match = json_object_new_array();
	struct json_object *info = json_object_new_object();
	struct json_object *at_header = json_object_new_array();
	struct json_object *at_match = json_object_new_array();
	char name[32];
	size_t i;

	for (i = 0; i < s->n_header; i++) {
		struct json_object *at = json_object_new_int64((int64_t)i);

		switch (use[i]) {
		case FEATURE:
			(void)snprintf(name, sizeof(name), "x%zu",
			    json_object_array_length(header));
			add_string(header, s->header[i]);
			add_string(anonymous, name);
			json_object_array_add(at_header, at);
			break;
		case LABEL:
			json_object_object_add(schema, "label_name",
			    json_object_new_string(s->header[i]));
			json_object_object_add(schema, "anonymous_label",
			    json_object_new_string("y"));
			json_object_object_add(info, "label_index", at);
			break;
		case MATCH_ID:
			add_string(match, s->header[i]);
			json_object_array_add(at_match, at);
			break;
		}
	}
	json_object_object_add(schema, "header", header);
	json_object_object_add(schema, "anonymous_header", anonymous);
	json_object_object_add(info, "header_index", at_header);
	json_object_object_add(info, "match_id_index", at_match);
	json_object_object_add(schema, "original_index_info", info);
	if (json_object_array_length(match) > 1) {
		json_object_object_add(schema, "match_id_name", match);
		return;
	}
	if (json_object_array_length(match) == 1)
		json_object_object_add(schema, "match_id_name",
		    json_object_get(json_object_array_get_idx(match, 0)));
	json_object_put(match);
}

int
schema_generate(struct json_object *schema, const char *delimiter)
{
	struct json_object *meta;
	enum column_use *use;
	struct schema s;
	int r;

	if (!json_object_object_get_ex(schema, "meta", &meta))
		return err_set(ERR_INVALID, "the schema has no meta");
	if ((r = schema_parse(
		 json_object_to_json_string(schema), delimiter, &s)) != 0)
		return r;
	use = xcalloc(s.n_header, sizeof(use[0]));
	if ((r = mark_match_ids(&s, meta, use)) == 0 &&
	    (r = mark_label(&s, meta, use)) == 0)
		put_names(schema, &s, use);
	free(use);
	schema_fini(&s);
	return r;
}

/* Put names back to their places in the line; ERR_FORMAT. */
static int
place(struct json_object *names, struct json_object *places,
    struct json_object **line, size_t n)
{
	size_t i;

	for (i = 0; i < json_object_array_length(places); i++) {
		struct json_object *name = names;
		int64_t at =
		    json_object_get_int64(json_object_array_get_idx(places, i));

		if (json_object_is_type(names, json_type_array))
			name = json_object_array_get_idx(names, i);
		if (name == NULL || at < 0 || (uint64_t)at >= n ||
		    line[at] != NULL)
			return err_set(ERR_FORMAT,
			    "original_index_info does not fit the names");
		line[at] = name;
	}
	return 0;
}

static struct json_object *
array_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
		       json_object_is_type(v, json_type_array)
		   ? v
		   : NULL;
}

/* The line's names in order as a new array; ERR_FORMAT. */
static int
line_names(struct json_object *schema, struct json_object *info,
    struct json_object **out)
{
	struct json_object *features = array_of(info, "header_index");
	struct json_object *match = array_of(info, "match_id_index");
	struct json_object *label_at, *names, **line;
	size_t n, i;
	int r = 0;

	if (features == NULL || match == NULL)
		return err_set(ERR_FORMAT, "original_index_info is damaged");
	n = json_object_array_length(features) +
	    json_object_array_length(match);
	label_at = json_object_new_array();
	if (json_object_object_get_ex(info, "label_index", &names)) {
		json_object_array_add(label_at, json_object_get(names));
		n++;
	}
	line = xcalloc(n + 1, sizeof(line[0]));
	if ((r = place(array_of(schema, "header"), features, line, n)) == 0 &&
	    json_object_object_get_ex(schema, "label_name", &names))
		r = place(names, label_at, line, n);
	if (r == 0 &&
	    json_object_object_get_ex(schema, "match_id_name", &names))
		r = place(names, match, line, n);
	*out = json_object_new_array();
	for (i = 0; i < n && r == 0; i++) {
		if (line[i] == NULL)
			r = err_set(ERR_FORMAT,
			    "original_index_info names no column %zu", i);
		json_object_array_add(*out, json_object_get(line[i]));
	}
	json_object_put(label_at);
	free(line);
	return r;
}

int
schema_recover(struct json_object *schema)
{
	static const char *const made[] = { "label_name", "anonymous_label",
		"match_id_name", "anonymous_header", "original_index_info" };
	struct json_object *info, *names = NULL;
	size_t i;
	int r;

	if (!json_object_object_get_ex(schema, "original_index_info", &info))
		return 0;
	if ((r = line_names(schema, info, &names)) != 0) {
		json_object_put(names);
		return r;
	}
	json_object_object_add(schema, "header", names);
	for (i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		json_object_object_del(schema, made[i]);
	return 0;
}

void
schema_prefix(
    struct json_object *schema, const char *role, const char *party_id)
{
	struct json_object *old, *list;
	char *name;
	size_t i;

	if (json_object_object_get_ex(schema, "anonymous_label", &old) &&
	    json_object_is_type(old, json_type_string)) {
		name = xasprintf(
		    "%s_%s_%s", role, party_id, json_object_get_string(old));
		json_object_object_add(
		    schema, "anonymous_label", json_object_new_string(name));
		free(name);
	}
	if (!json_object_object_get_ex(schema, "anonymous_header", &old) ||
	    !json_object_is_type(old, json_type_array))
		return;
	list = json_object_new_array();
	for (i = 0; i < json_object_array_length(old); i++) {
		name = xasprintf("%s_%s_%s", role, party_id,
		    json_object_get_string(json_object_array_get_idx(old, i)));
		add_string(list, name);
		free(name);
	}
	json_object_object_add(schema, "anonymous_header", list);
}
