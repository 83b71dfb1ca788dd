/*
 * Parameter schemas: is a schema well formed, does a value fit, what is the
 * complete object.  Called when manifests are loaded, when a job is checked
 * and by the component validation endpoint.
 */
#include "lib/provider/params.h"

#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/decode.h"
#include "lib/provider/rules.h"

/* A string parameter without a bound of its own. */
#define STRING_MAX_BYTES 4096
#define NAMES_MAX 256 /* parameters of one object */

enum {
	T_STRING = 1,
	T_INTEGER = 2,
	T_NUMBER = 4,
	T_BOOLEAN = 8,
	T_OBJECT = 16,
	T_ARRAY = 32,
	T_ANY = 64
};

static const struct {
	const char *name;
	unsigned int type;
} types[] = {
	{ "string", T_STRING },
	{ "integer", T_INTEGER },
	{ "number", T_NUMBER },
	{ "boolean", T_BOOLEAN },
	{ "object", T_OBJECT },
	{ "array", T_ARRAY },
	{ "any", T_ANY },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

struct walk {
	struct faults *faults;
	bool fill; /* defaults wanted, absence matters */
};

static struct json_object *complete_object(const struct walk *,
    struct json_object *fields, struct json_object *given,
    const struct json_path *, bool top);

static unsigned int
type_by_name(struct json_object *o)
{
	size_t i;

	for (i = 0; json_is_string(o) && i < N_TYPES; i++)
		if (strcmp(json_object_get_string(o), types[i].name) == 0)
			return types[i].type;
	return 0;
}

/* The set of types that a schema allows; 0 when it names an unknown one. */
static unsigned int
schema_types(struct json_object *schema)
{
	struct json_object *type = json_get(schema, "type");
	unsigned int set = 0, one;
	size_t i;

	if (!json_is_array(type))
		return type_by_name(type);
	for (i = 0; i < json_object_array_length(type); i++) {
		one = type_by_name(json_object_array_get_idx(type, i));
		if (one == 0)
			return 0;
		set |= one;
	}
	return set;
}

/* The types that a value may pass for. */
static unsigned int
value_types(struct json_object *value)
{
	int64_t i;

	switch (json_object_get_type(value)) {
	case json_type_string:
		return T_STRING;
	case json_type_boolean:
		return T_BOOLEAN;
	case json_type_object:
		return T_OBJECT;
	case json_type_array:
		return T_ARRAY;
	case json_type_int:
		/* The classic forms write 0 and 1 for truth. */
		i = json_object_get_int64(value);
		return T_INTEGER | T_NUMBER |
		       (i == 0 || i == 1 ? T_BOOLEAN : 0);
	case json_type_double:
		return T_NUMBER |
		       (json_whole_number(value, true, &i) ? T_INTEGER : 0);
	case json_type_null:
		break;
	}
	return 0;
}

static void
fault_type(const struct walk *w, struct json_object *schema,
    struct json_object *value, const struct json_path *path)
{
	unsigned int set = schema_types(schema);
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < N_TYPES; i++)
		if ((set & types[i].type) != 0)
			buf_printf(&text, "%s%s", text.len > 0 ? " or " : "",
			    types[i].name);
	if (json_get_bool(schema, "nullable", false))
		buf_puts(&text, " or null");
	faults_add_value(w->faults, path, value, "must be %s", buf_str(&text));
	buf_fini(&text);
}

/* --- enumerations ------------------------------------------------------- */

static bool
same_word(struct json_object *schema, const char *a, const char *b)
{
	return json_get_bool(schema, "fold_case", false) ? strcasecmp(a, b) == 0
							 : strcmp(a, b) == 0;
}

/* What an accepted older spelling stands for, or the spelling itself. */
static const char *
resolve_synonym(struct json_object *schema, const char *s)
{
	struct json_object *synonyms = json_get(schema, "synonyms");

	if (synonyms == NULL)
		return s;
	json_object_object_foreach(
	    synonyms, from, to) if (same_word(schema, from,
					s)) return json_object_get_string(to);
	return s;
}

/* The member of the enumeration that value names, or NULL. */
static struct json_object *
find_in_enum(struct json_object *schema, struct json_object *list,
    struct json_object *value)
{
	struct json_object *x;
	const char *s = NULL;
	size_t i;

	if (json_is_string(value))
		s = resolve_synonym(schema, json_object_get_string(value));
	for (i = 0; i < json_object_array_length(list); i++) {
		x = json_object_array_get_idx(list, i);
		if (s != NULL && json_is_string(x) &&
		    same_word(schema, s, json_object_get_string(x)))
			return x;
		if (s == NULL && json_object_equal(x, value))
			return x;
	}
	return NULL;
}

static void
fault_enum(const struct walk *w, struct json_object *schema,
    struct json_object *list, struct json_object *value,
    const struct json_path *path)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *x = json_object_array_get_idx(list, i);

		buf_printf(&text, "%s%s", i > 0 ? ", " : "",
		    json_is_string(x) ? json_object_get_string(x)
				      : json_text(x));
	}
	if (json_get_bool(schema, "nullable", false))
		buf_puts(&text, ", null");
	faults_add_value(
	    w->faults, path, value, "must be one of %s", buf_str(&text));
	buf_fini(&text);
}

/* --- single values -------------------------------------------------------- */

static bool
in_bounds(const struct walk *w, struct json_object *schema, double measure,
    const char *what, struct json_object *value, const struct json_path *path)
{
	struct json_object *min = json_get(schema, "min");
	struct json_object *max = json_get(schema, "max");
	struct json_object *over = json_get(schema, "exclusive_min");

	if (min != NULL && measure < json_object_get_double(min))
		faults_add_value(w->faults, path, value, "%s at least %s", what,
		    json_text(min));
	else if (max != NULL && measure > json_object_get_double(max))
		faults_add_value(w->faults, path, value, "%s at most %s", what,
		    json_text(max));
	else if (over != NULL && measure <= json_object_get_double(over))
		faults_add_value(w->faults, path, value, "%s more than %s",
		    what, json_text(over));
	else
		return true;
	return false;
}

static struct json_object *
check_string(const struct walk *w, struct json_object *schema,
    struct json_object *value, const struct json_path *path)
{
	size_t len = (size_t)json_object_get_string_len(value);

	if (!json_has(schema, "max") && len > STRING_MAX_BYTES)
		faults_add_value(w->faults, path, value,
		    "is %zu bytes long, at most %d", len, STRING_MAX_BYTES);
	else
		in_bounds(
		    w, schema, (double)len, "its length must be", value, path);
	return json_object_get(value);
}

static struct json_object *
check_integer(const struct walk *w, struct json_object *schema,
    struct json_object *value, const struct json_path *path)
{
	int64_t v = 0;

	json_whole_number(value, true, &v);
	in_bounds(w, schema, (double)v, "must be", value, path);
	return json_object_new_int64(v);
}

static struct json_object *check_value(const struct walk *,
    struct json_object *schema, struct json_object *value,
    const struct json_path *);

static struct json_object *
check_array(const struct walk *w, struct json_object *schema,
    struct json_object *value, const struct json_path *path)
{
	struct json_object *items = json_get(schema, "items");
	struct json_object *out = json_object_new_array();
	size_t i, n = json_object_array_length(value);

	/* min and max belong to numbers when both are allowed. */
	if ((schema_types(schema) & (T_INTEGER | T_NUMBER)) == 0)
		in_bounds(
		    w, schema, (double)n, "its length must be", value, path);
	for (i = 0; i < n; i++) {
		struct json_object *x = json_object_array_get_idx(value, i);

		json_object_array_add(
		    out, items == NULL
			     ? json_object_get(x)
			     : check_value(w, items, x, JSON_PATH_AT(path, i)));
	}
	return out;
}

static struct json_object *
check_object(const struct walk *w, struct json_object *schema,
    struct json_object *value, const struct json_path *path)
{
	struct json_object *fields = json_get(schema, "fields");

	return fields == NULL ? json_object_get(value)
			      : complete_object(w, fields, value, path, false);
}

/*
 * Check one value; the result is its normal form (the caller's), of no use
 * when a fault was added.
 */
static struct json_object *
check_value(const struct walk *w, struct json_object *schema,
    struct json_object *value, const struct json_path *path)
{
	struct json_object *list = json_get(schema, "enum"), *word;
	unsigned int allowed = schema_types(schema), is;
	bool truth;

	if (value == NULL && json_get_bool(schema, "nullable", false))
		return NULL;
	if ((allowed & T_ANY) != 0)
		return json_object_get(value);
	if ((is = allowed & value_types(value)) == 0) {
		fault_type(w, schema, value, path);
		return NULL;
	}
	if (list != NULL) {
		if ((word = find_in_enum(schema, list, value)) == NULL)
			fault_enum(w, schema, list, value, path);
		return json_object_get(word);
	}
	if ((is & T_STRING) != 0)
		return check_string(w, schema, value, path);
	if ((is & T_INTEGER) != 0)
		return check_integer(w, schema, value, path);
	if ((is & T_NUMBER) != 0) {
		in_bounds(w, schema, json_object_get_double(value), "must be",
		    value, path);
		return json_object_get(value);
	}
	if ((is & T_ARRAY) != 0)
		return check_array(w, schema, value, path);
	if ((is & T_OBJECT) != 0)
		return check_object(w, schema, value, path);
	return json_truth(value, true, &truth) ? json_object_new_boolean(truth)
					       : NULL;
}

/* --- objects -------------------------------------------------------------- */

static void
fault_unknown(const struct walk *w, struct json_object *fields,
    const char *name, struct json_object *value, const struct json_path *path)
{
	const char *names[NAMES_MAX];
	char hint[FAULTS_HINT_SIZE];
	size_t n = 0;

	json_object_object_foreach(fields, key, unused)
	{
		(void)unused;
		if (n < NAMES_MAX)
			names[n++] = key;
	}
	faults_add_value(w->faults, JSON_PATH_KEY(path, name), value,
	    "unknown parameter%s",
	    faults_hint(w->faults, name, names, n, hint));
}

static struct json_object *
default_value(const struct walk *w, struct json_object *schema,
    const struct json_path *path)
{
	if (json_has(schema, "default"))
		return json_object_get(json_get(schema, "default"));
	if (json_get_bool(schema, "required", false)) {
		faults_add(w->faults, path, "is missing");
		return NULL;
	}
	return complete_object(
	    w, json_get(schema, "fields"), NULL, path, false);
}

/*
 * Every module knows need_run; at the top level it is there although the
 * schema may not say so.
 */
static void
complete_need_run(const struct walk *w, struct json_object *fields,
    struct json_object *given, const struct json_path *path,
    struct json_object *out)
{
	struct json_object *value;
	bool need_run = true;

	if (json_has(fields, "need_run"))
		return;
	if (json_has(given, "need_run")) {
		value = json_get(given, "need_run");
		if (!json_object_is_type(value, json_type_boolean))
			faults_add_value(w->faults,
			    JSON_PATH_KEY(path, "need_run"), value,
			    "must be true or false");
		need_run = json_object_get_boolean(value);
	}
	json_add_bool(out, "need_run", need_run);
}

static struct json_object *
complete_object(const struct walk *w, struct json_object *fields,
    struct json_object *given, const struct json_path *path, bool top)
{
	struct json_object *out = json_object_new_object(), *value;

	json_object_object_foreach(fields, name, schema)
	{
		struct json_path at = { path, name, 0 };

		if (json_has(given, name))
			value =
			    check_value(w, schema, json_get(given, name), &at);
		else if (w->fill)
			value = default_value(w, schema, &at);
		else
			continue;
		json_add(out, name, value);
	}
	if (top)
		complete_need_run(w, fields, given, path, out);
	if (given == NULL)
		return out;
	json_object_object_foreach(
	    given, key, found) if (!json_has(fields, key) &&
				   !(top && strcmp(key, "need_run") == 0))
	    fault_unknown(w, fields, key, found, path);
	return out;
}

static struct json_object *
run_walk(const struct walk *w, const struct module *module,
    struct json_object *given, const struct json_path *path)
{
	if (given != NULL && !json_is_object(given)) {
		faults_add_value(
		    w->faults, path, given, "must be an object of parameters");
		return NULL;
	}
	return complete_object(w, module->parameters, given, path, true);
}

int
params_complete(const struct module *module, struct json_object *given,
    const struct json_path *path, struct faults *faults,
    struct json_object **out)
{
	const struct walk w = { faults, true };
	size_t before = faults_count(faults);
	struct json_object *complete;

	*out = NULL;
	complete = run_walk(&w, module, given, path);
	if (faults_count(faults) == before)
		rules_check(module, complete, path, faults);
	if (faults_count(faults) != before) {
		json_object_put(complete);
		return err_set(ERR_INVALID, "parameters of %s", module->name);
	}
	*out = complete;
	return 0;
}

int
params_check(const struct module *module, struct json_object *given,
    const struct json_path *path, struct faults *faults)
{
	const struct walk w = { faults, false };
	size_t before = faults_count(faults);

	json_object_put(run_walk(&w, module, given, path));
	return faults_count(faults) == before
		   ? 0
		   : err_set(ERR_INVALID, "parameters of %s", module->name);
}

/* --- the schema itself ---------------------------------------------------- */

struct schema_node {
	struct json_object *type;
	bool nullable;
	bool fold_case;
	bool required;
	bool deprecated;
	struct json_object *list;
	struct json_object *synonyms;
	double min;
	double max;
	double exclusive_min;
	struct json_object *value;
	struct json_object *fields;
	struct json_object *items;
	const char *note;
};

static const struct json_field schema_fields[] = {
	JSON_ANY(struct schema_node, type, JSON_REQUIRED),
	JSON_BOOL(struct schema_node, nullable, 0),
	JSON_BOOL(struct schema_node, fold_case, 0),
	JSON_BOOL(struct schema_node, required, 0),
	JSON_BOOL(struct schema_node, deprecated, 0),
	JSON_ARR_AS(struct schema_node, list, "enum", 1, 1000, 0),
	JSON_OBJ(struct schema_node, synonyms, 0),
	JSON_NUM(struct schema_node, min, 0),
	JSON_NUM(struct schema_node, max, 0),
	JSON_NUM(struct schema_node, exclusive_min, 0),
	JSON_ANY_AS(struct schema_node, value, "default", 0),
	JSON_OBJ(struct schema_node, fields, 0),
	JSON_OBJ(struct schema_node, items, 0),
	JSON_STR(struct schema_node, note, 1, 500, 0),
};

static void check_fields(
    struct json_object *, const struct json_path *, struct faults *);

static void
check_synonyms(struct json_object *synonyms, const struct json_path *path,
    struct faults *faults)
{
	json_object_object_foreach(synonyms, from, to) if (!json_is_string(to))
	    faults_add_value(
		faults, JSON_PATH_KEY(path, from), to, "must be a string");
}

static void
check_node(struct json_object *node, bool is_item, const struct json_path *path,
    struct faults *faults)
{
	struct schema_node n = { 0 };
	const struct walk w = { faults, true };

	if (json_decode(node, JSON_FIELDS(schema_fields), JSON_FAULT_UNKNOWN,
		path, faults, &n) != 0)
		return;
	if (schema_types(node) == 0) {
		faults_add_value(faults, JSON_PATH_KEY(path, "type"), n.type,
		    "names no known type");
		return;
	}
	if (n.fields != NULL)
		check_fields(n.fields, JSON_PATH_KEY(path, "fields"), faults);
	if (n.items != NULL)
		check_node(n.items, true, JSON_PATH_KEY(path, "items"), faults);
	if (n.synonyms != NULL)
		check_synonyms(
		    n.synonyms, JSON_PATH_KEY(path, "synonyms"), faults);
	if (json_has(node, "default"))
		json_object_put(check_value(
		    &w, node, n.value, JSON_PATH_KEY(path, "default")));
	else if (!is_item && !n.required && n.fields == NULL)
		faults_add(
		    faults, path, "needs a default, \"required\" or fields");
}

static void
check_fields(struct json_object *fields, const struct json_path *path,
    struct faults *faults)
{
	json_object_object_foreach(fields, name, node)
	{
		check_node(node, false, JSON_PATH_KEY(path, name), faults);
	}
}

int
params_check_schema(struct json_object *schema, const struct json_path *path,
    struct faults *faults)
{
	size_t before = faults_count(faults);

	if (!json_is_object(schema))
		faults_add_value(faults, path, schema, "must be an object");
	else
		check_fields(schema, path, faults);
	return faults_count(faults) == before
		   ? 0
		   : err_set(ERR_INVALID, "parameter schema");
}
