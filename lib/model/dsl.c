/*
 * Reading and checking a DSL.  Called by job_spec_build() and by the
 * endpoints that look at a stored job's graph.
 *
 * Three passes: components with their outputs, then inputs (which refer to
 * outputs anywhere in the document), then the order.
 */
#include "lib/model/dsl_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/model/dsl_order.h"

#define OUTPUTS_MAX 100		   /* names in one list */
#define MODEL_LOADER "ModelLoader" /* its model is another module's */

/* --- components and outputs ----------------------------------------------- */

struct top {
	struct json_object *components;
	const char *provider;
};

static const struct json_field top_fields[] = {
	JSON_OBJ(struct top, components, JSON_REQUIRED),
	JSON_STR(struct top, provider, 1, 200, JSON_NULLABLE),
};

struct node {
	const char *module;
	struct json_object *input;
	struct json_object *output;
	const char *provider;
	const char *code_path;
	bool need_deploy;
};

/* CodePath and need_deploy stand in older files; nothing depends on them. */
static const struct json_field node_fields[] = {
	JSON_STR(struct node, module, 1, DSL_NAME_MAX, JSON_REQUIRED),
	JSON_OBJ(struct node, input, JSON_NULLABLE),
	JSON_OBJ(struct node, output, JSON_NULLABLE),
	JSON_STR(struct node, provider, 1, 200, JSON_NULLABLE),
	JSON_STR_AS(struct node, code_path, "CodePath", 0, 1000, JSON_NULLABLE),
	JSON_BOOL(struct node, need_deploy, JSON_NULLABLE | JSON_LENIENT),
};

struct outputs {
	struct json_object *data;
	struct json_object *model;
	struct json_object *cache;
};

static const struct json_field output_fields[] = {
	JSON_ARR(struct outputs, data, 0, OUTPUTS_MAX, JSON_NULLABLE),
	JSON_ARR(struct outputs, model, 0, OUTPUTS_MAX, JSON_NULLABLE),
	JSON_ARR(struct outputs, cache, 0, OUTPUTS_MAX, JSON_NULLABLE),
};

static const char rule_of_names[] =
    "must be 1 to 100 of the letters A-Z, a-z, digits, - and _";

bool
dsl_name_listed(const char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The good names of one output list; faults for the others. */
static const char **
read_outputs(struct parse *p, struct json_object *list,
    const struct json_path *path, size_t *count)
{
	size_t i, n;
	const char **names, *s;
	struct json_object *x;

	*count = 0;
	if (list == NULL)
		return NULL;
	if ((n = json_object_array_length(list)) == 0)
		faults_add(
		    p->faults, path, "names no output; leave the list away");
	names = arena_alloc(p->dsl->arena, (n + 1) * sizeof(*names));
	for (i = 0; i < n; i++) {
		x = json_object_array_get_idx(list, i);
		s = json_is_string(x) ? json_object_get_string(x) : "";
		if (!str_is_name(s, DSL_NAME_MAX))
			faults_add_value(p->faults, JSON_PATH_AT(path, i), x,
			    "an output's name %s", rule_of_names);
		else if (dsl_name_listed(names, *count, s))
			faults_add_value(p->faults, JSON_PATH_AT(path, i), x,
			    "this output is named already");
		else
			names[(*count)++] = s;
	}
	return names;
}

static void
refuse_output(struct parse *p, struct json_object *list, bool is_offered,
    const struct module *m, const struct json_path *path)
{
	if (list != NULL && m != NULL && !is_offered)
		faults_add(
		    p->faults, path, "%s has no output of this kind", m->name);
}

static void
read_output_object(struct parse *p, struct json_object *o, size_t index,
    const struct json_path *path)
{
	struct dsl_component *c = &p->dsl->components[index];
	const struct module *m = p->modules[index];
	struct outputs out = { 0 };
	const char **models;
	size_t n;

	json_decode(o, JSON_FIELDS(output_fields), JSON_FAULT_UNKNOWN, path,
	    p->faults, &out);
	c->out_data = read_outputs(
	    p, out.data, JSON_PATH_KEY(path, "data"), &c->n_out_data);
	c->out_cache = read_outputs(
	    p, out.cache, JSON_PATH_KEY(path, "cache"), &c->n_out_cache);
	models = read_outputs(p, out.model, JSON_PATH_KEY(path, "model"), &n);
	if (n > 0)
		c->out_model = models[0];
	if (n > 1)
		faults_add_value(p->faults, JSON_PATH_KEY(path, "model"),
		    out.model, "a component has one model at most");
	refuse_output(p, out.data, m != NULL && m->output_data, m,
	    JSON_PATH_KEY(path, "data"));
	refuse_output(p, out.model, m != NULL && m->output_model, m,
	    JSON_PATH_KEY(path, "model"));
	refuse_output(p, out.cache, m != NULL && m->output_cache, m,
	    JSON_PATH_KEY(path, "cache"));
}

static const struct module *
find_module(struct parse *p, const struct dsl_component *c,
    const struct json_path *path, struct json_object *value)
{
	const struct module *m;
	const char *near;

	if (p->providers == NULL)
		return NULL;
	if ((m = providers_module(p->providers, c->module)) != NULL)
		return m;
	near = providers_nearest_module(p->providers, c->module);
	faults_add_value(p->faults, JSON_PATH_KEY(path, "module"), value,
	    "no provider of this site has this module%s%s%s",
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
	return NULL;
}

static void
read_component(
    struct parse *p, size_t index, const char *name, struct json_object *o)
{
	struct dsl_component *c = &p->dsl->components[index];
	struct json_path at = { p->components, name, 0 };
	struct json_path output = { &at, "output", 0 };
	struct node node = { 0 };

	c->name = name;
	if (!str_is_name(name, DSL_NAME_MAX))
		faults_add(
		    p->faults, &at, "a component's name %s", rule_of_names);
	json_decode(o, JSON_FIELDS(node_fields), JSON_FAULT_UNKNOWN, &at,
	    p->faults, &node);
	c->module = node.module;
	c->provider = node.provider;
	if (c->provider != NULL && !provider_spec_valid(c->provider))
		faults_add_value(p->faults, JSON_PATH_KEY(&at, "provider"),
		    json_get(o, "provider"), "must be NAME or NAME@VERSION");
	if (c->module != NULL && (p->modules[index] = find_module(p, c, &at,
				      json_get(o, "module"))) != NULL)
		c->module = p->modules[index]->name;
	if (node.output != NULL)
		read_output_object(p, node.output, index, &output);
	p->inputs[index] = node.input;
}

/* --- names ---------------------------------------------------------------- */

/* qsort() of indices needs the components they point into. */
static int
compare_names(const void *a, const void *b, void *components)
{
	const struct dsl_component *c = components;

	return strcmp(c[*(const size_t *)a].name, c[*(const size_t *)b].name);
}

static void
index_names(struct dsl *d)
{
	size_t i;

	d->by_name = arena_alloc(d->arena, (d->n + 1) * sizeof(*d->by_name));
	for (i = 0; i < d->n; i++)
		d->by_name[i] = i;
	qsort_r(d->by_name, d->n, sizeof(*d->by_name), compare_names,
	    d->components);
}

size_t
dsl_find(const struct dsl *d, const char *name)
{
	size_t lo = 0, hi = d->n, mid;
	int c;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = strcmp(name, d->components[d->by_name[mid]].name);
		if (c == 0)
			return d->by_name[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return DSL_NONE;
}

const char *
dsl_kind_name(enum dsl_ref_kind kind)
{
	switch (kind) {
	case DSL_REF_MODEL:
		return "model";
	case DSL_REF_ISOMETRIC:
		return "isometric_model";
	case DSL_REF_CACHE:
		return "cache";
	default:
		return "data";
	}
}

size_t
dsl_inherits(const struct dsl *d, size_t index)
{
	const struct dsl_component *c = &d->components[index], *up;
	size_t i;

	for (i = 0; i < c->n_refs; i++) {
		up = &d->components[c->refs[i].from];
		if (c->refs[i].kind == DSL_REF_MODEL && c->module != NULL &&
		    up->module != NULL &&
		    strcasecmp(c->module, up->module) == 0)
			return c->refs[i].from;
	}
	return DSL_NONE;
}

void
dsl_refuse_stored(
    const struct dsl *d, const struct json_path *path, struct faults *faults)
{
	struct json_path components = { path, "components", 0 };
	size_t i, j;

	for (i = 0; i < d->n; i++) {
		const struct dsl_component *c = &d->components[i];
		struct json_path at = { &components, c->name, 0 };
		struct json_path input = { &at, "input", 0 };

		for (j = 0; j < c->n_stored; j++) {
			struct json_path list = { &input,
				dsl_kind_name(c->stored[j].kind), 0 };

			faults_add(faults,
			    JSON_PATH_AT(&list, c->stored[j].place),
			    "pipeline references belong to predict jobs; take "
			    "a model of an earlier job by a ModelLoader");
		}
	}
}

/* --- the document --------------------------------------------------------- */

static void
read_components(struct parse *p, struct json_object *components)
{
	struct dsl *d = p->dsl;
	size_t n = (size_t)json_object_object_length(components);
	size_t i = 0;

	if (n == 0) {
		faults_add(p->faults, p->components,
		    "must hold at least one component");
		return;
	}
	if (n > DSL_COMPONENTS_MAX) {
		faults_add(p->faults, p->components,
		    "holds %zu components, at most %d", n, DSL_COMPONENTS_MAX);
		return;
	}
	d->n = n;
	d->components = arena_alloc(d->arena, n * sizeof(*d->components));
	p->modules = arena_alloc(d->arena, n * sizeof(*p->modules));
	p->inputs = arena_alloc(d->arena, n * sizeof(*p->inputs));
	json_object_object_foreach(components, name, o)
	{
		read_component(p, i++, name, o);
	}
	index_names(d);
	for (i = 0; i < n; i++)
		dsl_read_inputs(p, i);
}

struct dsl *
dsl_read(struct json_object *json, const struct providers *providers,
    const struct json_path *path, struct faults *faults)
{
	struct dsl *d = xcalloc(1, sizeof(*d));
	struct json_path components = { path, "components", 0 };
	struct parse p = { d, faults, providers, NULL, NULL, &components };
	struct top top = { 0 };

	d->arena = arena_new();
	d->json = json_object_get(json);
	json_decode(json, JSON_FIELDS(top_fields), JSON_FAULT_UNKNOWN, path,
	    faults, &top);
	d->provider = top.provider;
	if (d->provider != NULL && !provider_spec_valid(d->provider))
		faults_add_value(faults, JSON_PATH_KEY(path, "provider"),
		    json_get(json, "provider"), "must be NAME or NAME@VERSION");
	if (top.components != NULL)
		read_components(&p, top.components);
	/* Cycles are worth telling even when something else is wrong. */
	if (d->n > 0)
		dsl_order(d, &components, faults);
	return d;
}

int
dsl_parse(struct json_object *json, const struct providers *providers,
    const struct json_path *path, struct faults *faults, struct dsl **out)
{
	size_t before = faults_count(faults);
	struct dsl *d = dsl_read(json, providers, path, faults);

	*out = NULL;
	if (faults_count(faults) != before) {
		dsl_free(d);
		return err_set(ERR_INVALID, "DSL");
	}
	*out = d;
	return 0;
}

void
dsl_free(struct dsl *d)
{
	if (d == NULL)
		return;
	json_object_put(d->json);
	arena_free(d->arena);
	free(d);
}
