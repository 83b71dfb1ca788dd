/*
 * The second pass over a DSL: what each component takes, and from where.
 */
#include "lib/model/dsl_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"

#define STORED "pipeline."
#define MODEL_LOADER "ModelLoader" /* its model is another module's */

struct inputs {
	struct json_object *data;
	struct json_object *model;
	struct json_object *isometric_model;
	struct json_object *cache;
};

static const struct json_field input_fields[] = {
	JSON_OBJ(struct inputs, data, JSON_NULLABLE),
	JSON_ARR(struct inputs, model, 1, DSL_REFS_MAX, JSON_NULLABLE),
	JSON_ARR(
	    struct inputs, isometric_model, 1, DSL_REFS_MAX, JSON_NULLABLE),
	JSON_ARR(struct inputs, cache, 1, DSL_REFS_MAX, JSON_NULLABLE),
};

static const char *const data_keys[] = { "data", "train_data", "validate_data",
	"test_data", "eval_data", NULL };

struct ref_text {
	char component[DSL_NAME_MAX + 1];
	const char *name; /* behind the dot */
};

/* Cut "component.output" in two; exactly two. */
static bool
split_reference(struct parse *p, struct json_object *x,
    const struct json_path *path, struct ref_text *out)
{
	const char *s, *dot;

	s = json_is_string(x) ? json_object_get_string(x) : "";
	dot = strchr(s, '.');
	if (dot == NULL || dot == s || dot[1] == '\0' ||
	    strchr(dot + 1, '.') != NULL || (size_t)(dot - s) > DSL_NAME_MAX) {
		faults_add_value(p->faults, path, x,
		    "must be COMPONENT.OUTPUT, two names and one dot");
		return false;
	}
	memcpy(out->component, s, (size_t)(dot - s));
	out->component[dot - s] = '\0';
	out->name = dot + 1;
	return true;
}

static size_t
find_upstream(struct parse *p, struct json_object *x,
    const struct json_path *path, const char *name)
{
	const char **names;
	char hint[FAULTS_HINT_SIZE] = "";
	size_t i, found = dsl_find(p->dsl, name);

	if (found != DSL_NONE)
		return found;
	/* Listing the names is only worth it while hints are given. */
	if (p->faults->n < FAULTS_HINTS) {
		names = xcalloc(p->dsl->n, sizeof(*names));
		for (i = 0; i < p->dsl->n; i++)
			names[i] = p->dsl->components[i].name;
		faults_hint(p->faults, name, names, p->dsl->n, hint);
		free(names);
	}
	faults_add_value(
	    p->faults, path, x, "there is no component \"%s\"%s", name, hint);
	return DSL_NONE;
}

static bool
has_output(
    const struct dsl_component *up, enum dsl_ref_kind kind, const char *name)
{
	switch (kind) {
	case DSL_REF_DATA:
		return dsl_name_listed(up->out_data, up->n_out_data, name);
	case DSL_REF_CACHE:
		return dsl_name_listed(up->out_cache, up->n_out_cache, name);
	case DSL_REF_MODEL:
	case DSL_REF_ISOMETRIC:
		break;
	}
	return up->out_model != NULL && strcmp(up->out_model, name) == 0;
}

static void
fault_output(struct parse *p, struct json_object *x,
    const struct json_path *path, const struct dsl_component *up,
    enum dsl_ref_kind kind, const char *name)
{
	char hint[FAULTS_HINT_SIZE];
	const char *what = "model", *const *names = &up->out_model;
	size_t n = up->out_model != NULL;

	if (kind == DSL_REF_DATA) {
		what = "data";
		names = up->out_data;
		n = up->n_out_data;
	} else if (kind == DSL_REF_CACHE) {
		what = "cache";
		names = up->out_cache;
		n = up->n_out_cache;
	}
	if (n == 1)
		snprintf(hint, sizeof(hint), "; it has \"%s\"", names[0]);
	else
		faults_hint(p->faults, name, names, n, hint);
	faults_add_value(p->faults, path, x,
	    "%s declares no %s output of this name%s", up->name, what, hint);
}

/* True when it is one, right or wrong: "pipeline.COMPONENT.ALIAS". */
static bool
read_stored(struct parse *p, struct dsl_component *c, enum dsl_ref_kind kind,
    struct json_object *x, const struct json_path *path)
{
	const char *s = json_is_string(x) ? json_object_get_string(x) : "";
	const char *dot;

	if (!str_starts(s, STORED))
		return false;
	s += strlen(STORED);
	dot = strchr(s, '.');
	if (kind != DSL_REF_MODEL && kind != DSL_REF_ISOMETRIC)
		faults_add_value(
		    p->faults, path, x, "only models are kept between jobs");
	else if (dot == NULL || dot == s || dot - s > DSL_NAME_MAX ||
		 !str_is_name(dot + 1, DSL_NAME_MAX))
		faults_add_value(p->faults, path, x,
		    "must be pipeline.COMPONENT.ALIAS, three names and two "
		    "dots");
	else
		c->stored[c->n_stored++] =
		    (struct dsl_stored){ kind, path->index,
			    arena_strndup(p->dsl->arena, s, (size_t)(dot - s)),
			    dot + 1 };
	return true;
}

static void
read_reference(struct parse *p, size_t index, enum dsl_ref_kind kind,
    const char *key, struct json_object *x, const struct json_path *path)
{
	struct dsl_component *c = &p->dsl->components[index];
	const struct dsl_component *up;
	struct ref_text text;
	size_t from, i;

	if (read_stored(p, c, kind, x, path) ||
	    !split_reference(p, x, path, &text) ||
	    (from = find_upstream(p, x, path, text.component)) == DSL_NONE)
		return;
	up = &p->dsl->components[from];
	if (!has_output(up, kind, text.name)) {
		fault_output(p, x, path, up, kind, text.name);
		return;
	}
	if (kind == DSL_REF_MODEL && c->module != NULL && up->module != NULL &&
	    strcasecmp(up->module, MODEL_LOADER) != 0 &&
	    strcasecmp(c->module, up->module) != 0)
		faults_add_value(p->faults, path, x,
		    "is a model of %s, not "
		    "of %s; other modules' models go to isometric_model",
		    up->module, c->module);
	for (i = 0; i < c->n_refs; i++)
		if (c->refs[i].from == from && c->refs[i].kind == kind &&
		    strcmp(c->refs[i].key, key) == 0 &&
		    strcmp(c->refs[i].name, text.name) == 0) {
			faults_add_value(p->faults, path, x,
			    "this reference is listed already");
			return;
		}
	c->refs[c->n_refs++] = (struct dsl_ref){ kind, key, from, text.name };
}

static void
read_references(struct parse *p, size_t index, enum dsl_ref_kind kind,
    const char *key, struct json_object *list, const struct json_path *path)
{
	size_t i;

	for (i = 0; list != NULL && i < json_object_array_length(list); i++)
		read_reference(p, index, kind, key,
		    json_object_array_get_idx(list, i), JSON_PATH_AT(path, i));
}

static bool
check_data_key(struct parse *p, const struct module *m, const char *key,
    struct json_object *list, const struct json_path *path)
{
	const char *const *known = m != NULL ? m->input_data : data_keys;
	struct buf text = BUF_INIT;
	size_t n;
	bool ok = false;

	for (n = 0; known[n] != NULL; n++) {
		ok = ok || strcmp(known[n], key) == 0;
		buf_printf(&text, "%s%s", n > 0 ? ", " : "", known[n]);
	}
	if (!ok && n == 0)
		faults_add(p->faults, path, "%s takes no data", m->name);
	else if (!ok)
		faults_add(p->faults, path, "is no data key of %s; it takes %s",
		    m != NULL ? m->name : "components", buf_str(&text));
	buf_fini(&text);
	if (!json_is_array(list) || json_object_array_length(list) == 0) {
		faults_add_value(p->faults, path, list,
		    "must be a list of references, not empty");
		return false;
	}
	return true;
}

static size_t
count_references(const struct inputs *in)
{
	size_t n = 0;

	if (in->data != NULL) {
		json_object_object_foreach(in->data, key, list)
		{
			(void)key;
			if (json_is_array(list))
				n += json_object_array_length(list);
		}
	}
	n += in->model != NULL ? json_object_array_length(in->model) : 0;
	n += in->isometric_model != NULL
		 ? json_object_array_length(in->isometric_model)
		 : 0;
	n += in->cache != NULL ? json_object_array_length(in->cache) : 0;
	return n;
}

static void
read_kind(struct parse *p, size_t index, enum dsl_ref_kind kind,
    struct json_object *list, bool is_offered, const struct json_path *path)
{
	const struct module *m = p->modules[index];

	if (list == NULL)
		return;
	if (m != NULL && !is_offered)
		faults_add(
		    p->faults, path, "%s has no input of this kind", m->name);
	else
		read_references(p, index, kind, path->key, list, path);
}

static void
read_models_and_cache(struct parse *p, size_t index, const struct inputs *in,
    const struct json_path *path)
{
	const struct module *m = p->modules[index];

	read_kind(p, index, DSL_REF_MODEL, in->model,
	    m != NULL && m->input_model, JSON_PATH_KEY(path, "model"));
	read_kind(p, index, DSL_REF_ISOMETRIC, in->isometric_model,
	    m != NULL && m->input_isometric_model,
	    JSON_PATH_KEY(path, "isometric_model"));
	read_kind(p, index, DSL_REF_CACHE, in->cache,
	    m != NULL && m->input_cache, JSON_PATH_KEY(path, "cache"));
}

void
dsl_read_inputs(struct parse *p, size_t index)
{
	struct dsl_component *c = &p->dsl->components[index];
	struct json_path at = { p->components, c->name, 0 };
	struct json_path path = { &at, "input", 0 };
	struct json_path data = { &path, "data", 0 };
	struct inputs in = { 0 };
	size_t n;

	if (p->inputs[index] == NULL)
		return;
	json_decode(p->inputs[index], JSON_FIELDS(input_fields),
	    JSON_FAULT_UNKNOWN, &path, p->faults, &in);
	if ((n = count_references(&in)) > DSL_REFS_MAX) {
		faults_add(p->faults, &path, "has %zu references, at most %d",
		    n, DSL_REFS_MAX);
		return;
	}
	c->refs = arena_alloc(p->dsl->arena, (n + 1) * sizeof(*c->refs));
	c->stored = arena_alloc(p->dsl->arena, (n + 1) * sizeof(*c->stored));
	if (in.data != NULL) {
		json_object_object_foreach(in.data, key, list)
		{
			struct json_path at_key = { &data, key, 0 };

			if (check_data_key(
				p, p->modules[index], key, list, &at_key))
				read_references(
				    p, index, DSL_REF_DATA, key, list, &at_key);
		}
	}
	read_models_and_cache(p, index, &in, &path);
}
