/*
 * What a manifest may say.  Called by manifest.c.
 */
#include "lib/provider/manifest_read.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/provider/params.h"
#include "lib/provider/tag.h"

#define NAME_MAX_BYTES 100
#define VERSION_MAX_BYTES 30

struct manifest_top {
	const char *name;
	const char *version;
	const char *program;
	int64_t protocol;
	struct json_object *aliases;
	struct json_object *components;
};

static const struct json_field top_fields[] = {
	JSON_STR(struct manifest_top, name, 1, NAME_MAX_BYTES, JSON_REQUIRED),
	JSON_STR(
	    struct manifest_top, version, 1, VERSION_MAX_BYTES, JSON_REQUIRED),
	JSON_STR(
	    struct manifest_top, program, 1, NAME_MAX_BYTES, JSON_REQUIRED),
	JSON_INT(struct manifest_top, protocol, 1, 1000, JSON_REQUIRED),
	JSON_ARR(struct manifest_top, aliases, 0, 20, 0),
	JSON_OBJ(struct manifest_top, components, JSON_REQUIRED),
};

struct manifest_module {
	struct json_object *aliases;
	struct json_object *roles;
	struct json_object *inputs;
	struct json_object *outputs;
	struct json_object *parameters;
	struct json_object *transfers;
};

static const struct json_field module_fields[] = {
	JSON_ARR(struct manifest_module, aliases, 0, 20, 0),
	JSON_ARR(struct manifest_module, roles, 1, 20, JSON_REQUIRED),
	JSON_OBJ(struct manifest_module, inputs, JSON_REQUIRED),
	JSON_OBJ(struct manifest_module, outputs, JSON_REQUIRED),
	JSON_OBJ(struct manifest_module, parameters, JSON_REQUIRED),
	JSON_OBJ(struct manifest_module, transfers, 0),
};

struct manifest_inputs {
	struct json_object *data;
	bool model;
	bool isometric_model;
	bool cache;
};

static const struct json_field input_fields[] = {
	JSON_ARR(struct manifest_inputs, data, 0, 20, JSON_REQUIRED),
	JSON_BOOL(struct manifest_inputs, model, 0),
	JSON_BOOL(struct manifest_inputs, isometric_model, 0),
	JSON_BOOL(struct manifest_inputs, cache, 0),
};

struct manifest_outputs {
	bool data;
	bool model;
	bool cache;
};

static const struct json_field output_fields[] = {
	JSON_BOOL(struct manifest_outputs, data, 0),
	JSON_BOOL(struct manifest_outputs, model, 0),
	JSON_BOOL(struct manifest_outputs, cache, 0),
};

struct manifest_transfer {
	struct json_object *from;
	struct json_object *to;
	struct json_object *tags;
};

static const struct json_field transfer_fields[] = {
	JSON_ARR(struct manifest_transfer, from, 1, 20, JSON_REQUIRED),
	JSON_ARR(struct manifest_transfer, to, 1, 20, JSON_REQUIRED),
	JSON_ARR(struct manifest_transfer, tags, 0, 50, 0),
};

/* A NULL-terminated list of the array's names; NULL makes an empty one. */
static const char **
read_names(const struct manifest_load *l, struct json_object *array,
    const struct json_path *path)
{
	size_t i, n = array != NULL ? json_object_array_length(array) : 0;
	const char **names;

	names = arena_alloc(l->arena, (n + 1) * sizeof(*names));
	for (i = 0; i < n; i++) {
		struct json_object *x = json_object_array_get_idx(array, i);

		names[i] = json_is_string(x) ? json_object_get_string(x) : "";
		if (!str_is_name(names[i], NAME_MAX_BYTES))
			faults_add_value(l->faults, JSON_PATH_AT(path, i), x,
			    "must be a name of letters, digits, - and _");
	}
	return names;
}

static void
check_roles(const struct manifest_load *l, const struct module *m,
    const char *const *roles, const struct json_path *path)
{
	size_t i;

	for (i = 0; roles[i] != NULL; i++)
		if (!module_has_role(m, roles[i]))
			faults_add(l->faults, JSON_PATH_AT(path, i),
			    "%s is no role of this component", roles[i]);
}

/* Empty when the manifest does not say. */
static const char **
read_tags(const struct manifest_load *l, struct json_object *array,
    const struct json_path *path)
{
	size_t i, n = array != NULL ? json_object_array_length(array) : 0;
	const char **tags;

	tags = arena_alloc(l->arena, (n + 1) * sizeof(*tags));
	for (i = 0; i < n; i++) {
		struct json_object *x = json_object_array_get_idx(array, i);

		tags[i] = json_is_string(x) ? json_object_get_string(x) : " ";
		if (!tag_pattern_valid(tags[i]))
			faults_add_value(l->faults, JSON_PATH_AT(path, i), x,
			    "must be a pattern of tags: letters, digits, . _ "
			    "and -, # for a number, [...] for what may be left "
			    "out");
	}
	tags[n] = NULL;
	return tags;
}

static void
read_transfers(const struct manifest_load *l, struct json_object *o,
    const struct json_path *path, struct module *m)
{
	struct manifest_transfer t;
	struct module_transfer *out;
	size_t n;

	n = o != NULL ? (size_t)json_object_object_length(o) : 0;
	m->transfers = arena_alloc(l->arena, (n + 1) * sizeof(*m->transfers));
	if (o == NULL)
		return;
	json_object_object_foreach(o, name, value)
	{
		struct json_path at = { path, name, 0 };
		struct json_path from = { &at, "from", 0 };
		struct json_path to = { &at, "to", 0 };
		struct json_path tags = { &at, "tags", 0 };

		memset(&t, 0, sizeof(t));
		if (json_decode(value, JSON_FIELDS(transfer_fields),
			JSON_FAULT_UNKNOWN, &at, l->faults, &t) != 0)
			continue;
		out = &m->transfers[m->n_transfers++];
		out->name = name;
		out->from = read_names(l, t.from, &from);
		out->to = read_names(l, t.to, &to);
		/* What nobody foresaw could say anything. */
		out->says_tags = t.tags != NULL;
		out->tags = read_tags(l, t.tags, &tags);
		check_roles(l, m, out->from, &from);
		check_roles(l, m, out->to, &to);
	}
}

static void
read_module(const struct manifest_load *l, const char *name,
    struct json_object *o, const struct json_path *path, struct module *m)
{
	struct manifest_module x = { 0 };
	struct manifest_inputs in = { 0 };
	struct manifest_outputs out = { 0 };
	struct json_path inputs = { path, "inputs", 0 };

	m->name = name;
	if (!str_is_name(name, NAME_MAX_BYTES))
		faults_add(l->faults, path, "is no name of a component");
	if (json_decode(o, JSON_FIELDS(module_fields), JSON_FAULT_UNKNOWN, path,
		l->faults, &x) != 0)
		return;
	m->aliases = read_names(l, x.aliases, JSON_PATH_KEY(path, "aliases"));
	m->roles = read_names(l, x.roles, JSON_PATH_KEY(path, "roles"));
	json_decode(x.inputs, JSON_FIELDS(input_fields), JSON_FAULT_UNKNOWN,
	    &inputs, l->faults, &in);
	json_decode(x.outputs, JSON_FIELDS(output_fields), JSON_FAULT_UNKNOWN,
	    JSON_PATH_KEY(path, "outputs"), l->faults, &out);
	m->input_data = read_names(l, in.data, JSON_PATH_KEY(&inputs, "data"));
	m->input_model = in.model;
	m->input_isometric_model = in.isometric_model;
	m->input_cache = in.cache;
	m->output_data = out.data;
	m->output_model = out.model;
	m->output_cache = out.cache;
	m->parameters = x.parameters;
	params_check_schema(
	    x.parameters, JSON_PATH_KEY(path, "parameters"), l->faults);
	read_transfers(l, x.transfers, JSON_PATH_KEY(path, "transfers"), m);
}

/* One word must not name two modules of a provider. */
static void
check_distinct(const struct manifest_load *l, const struct provider *p)
{
	const struct module *first;
	size_t i, j;

	for (i = 0; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];

		first = provider_module(p, m->name);
		for (j = 0; first == m && m->aliases[j] != NULL; j++)
			first = provider_module(p, m->aliases[j]);
		if (first != m)
			faults_add(l->faults, NULL,
			    "components %s and %s share a name", first->name,
			    m->name);
	}
}

struct provider *
manifest_read(
    const struct manifest_load *l, struct json_object *o, const char *folder)
{
	struct manifest_top top = { 0 };
	struct provider *p;
	struct json_path components = { NULL, "components", 0 };

	if (json_decode(o, JSON_FIELDS(top_fields), JSON_FAULT_UNKNOWN, NULL,
		l->faults, &top) != 0)
		return NULL;
	if (!str_is_name(top.name, NAME_MAX_BYTES))
		faults_add(l->faults, JSON_PATH_KEY(NULL, "name"),
		    "must be a name of letters, digits, - and _");
	if (strspn(top.version, "0123456789.") != strlen(top.version))
		faults_add(l->faults, JSON_PATH_KEY(NULL, "version"),
		    "must be dotted numbers");
	if (strchr(top.program, '/') != NULL)
		faults_add(l->faults, JSON_PATH_KEY(NULL, "program"),
		    "must be a file in the provider's folder");
	p = arena_alloc(l->arena, sizeof(*p));
	p->name = top.name;
	p->version = top.version;
	p->protocol = top.protocol;
	p->aliases = read_names(l, top.aliases, JSON_PATH_KEY(NULL, "aliases"));
	p->folder = arena_strdup(l->arena, folder);
	p->program = arena_printf(l->arena, "%s/%s", folder, top.program);
	p->modules = arena_alloc(l->arena,
	    sizeof(*p->modules) *
		(1 + (size_t)json_object_object_length(top.components)));
	json_object_object_foreach(top.components, name, value)
	{
		struct module *m = &p->modules[p->n_modules++];

		m->provider = p;
		read_module(
		    l, name, value, JSON_PATH_KEY(&components, name), m);
	}
	if (!faults_any(l->faults))
		check_distinct(l, p);
	return p;
}
