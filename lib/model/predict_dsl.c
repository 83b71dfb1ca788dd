/*
 * Deduction of the inference DSL.  Called by job/dsl/generate and when a
 * model is deployed.
 */
#include "lib/model/predict_dsl.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/dsl.h"

struct deduction {
	const struct dsl *dsl;
	bool *is_kept; /* by index in the DSL */
	/* What stands for an output of a component that goes: a list of
	 * references, NULL when nothing does. */
	struct json_object **instead;
};

static const struct {
	const char *training;
	const char *prediction;
} data_pairs[] = {
	{ "data", "data" },
	{ "train_data", "test_data" },
	{ "validate_data", "test_data" },
	{ "test_data", "test_data" },
};

/* How a component that goes is looked through. */
static const char *const upward_keys[] = { "train_data", "eval_data",
	"test_data", "data" };

/* --- references ----------------------------------------------------------- */

static bool
is_listed(struct json_object *list, const char *text)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (str_eq(json_object_get_string(
			       json_object_array_get_idx(list, i)),
			text))
			return true;
	return false;
}

/* Two references may lead to the same output; one is enough. */
static void
add_once(struct json_object *list, const char *text)
{
	if (!is_listed(list, text))
		json_object_array_add(list, json_object_new_string(text));
}

static void
resolve(const struct deduction *d, const struct dsl_ref *ref,
    struct json_object *list)
{
	struct json_object *instead = d->instead[ref->from];
	size_t i;
	char *text;

	if (d->is_kept[ref->from]) {
		text = xasprintf(
		    "%s.%s", d->dsl->components[ref->from].name, ref->name);
		add_once(list, text);
		free(text);
		return;
	}
	for (i = 0; instead != NULL && i < json_object_array_length(instead);
	     i++)
		add_once(list, json_object_get_string(
				   json_object_array_get_idx(instead, i)));
}

static const struct dsl_ref *
first_of(const struct dsl_component *c, const char *key)
{
	size_t i;

	for (i = 0; i < c->n_refs; i++)
		if (c->refs[i].kind == DSL_REF_DATA &&
		    strcmp(c->refs[i].key, key) == 0)
			return &c->refs[i];
	return NULL;
}

/* What the component consumed stands for what it made. */
static void
look_through(struct deduction *d, size_t index)
{
	const struct dsl_component *c = &d->dsl->components[index];
	const struct dsl_ref *ref = NULL;
	size_t i;

	if (c->n_out_data == 0)
		return;
	for (i = 0;
	     ref == NULL && i < sizeof(upward_keys) / sizeof(upward_keys[0]);
	     i++)
		ref = first_of(c, upward_keys[i]);
	if (ref == NULL)
		return;
	d->instead[index] = json_object_new_array();
	resolve(d, ref, d->instead[index]);
}

/* --- components that stay --------------------------------------------------- */

/* {"data": […]} or {"test_data": […]}; NULL when nothing is left. */
static struct json_object *
data_input(const struct deduction *d, const struct dsl_component *c)
{
	struct json_object *list, *data;
	const char *key;
	size_t i, pair, n = sizeof(data_pairs) / sizeof(data_pairs[0]);

	for (pair = 0; pair < n; pair++)
		if (first_of(c, data_pairs[pair].training) != NULL)
			break;
	if (pair == n)
		return NULL;
	key = data_pairs[pair].training;
	list = json_object_new_array();
	for (i = 0; i < c->n_refs; i++)
		if (c->refs[i].kind == DSL_REF_DATA &&
		    strcmp(c->refs[i].key, key) == 0)
			resolve(d, &c->refs[i], list);
	if (json_object_array_length(list) == 0) {
		json_object_put(list);
		return NULL;
	}
	data = json_object_new_object();
	json_add(data, data_pairs[pair].prediction, list);
	return data;
}

static struct json_object *
own_model(const struct dsl_component *c)
{
	struct json_object *list;
	char *text;

	if (c->out_model == NULL)
		return NULL;
	list = json_object_new_array();
	text = xasprintf("pipeline.%s.%s", c->name, c->out_model);
	json_object_array_add(list, json_object_new_string(text));
	free(text);
	return list;
}

static struct json_object *
outputs(struct json_object *given)
{
	struct json_object *o = json_object_new_object();

	if (given == NULL)
		return o;
	json_object_object_foreach(given, kind, names)
	{
		if (strcmp(kind, "model") != 0 && names != NULL)
			json_add(o, kind, json_copy(names));
	}
	return o;
}

static void
add_unless_empty(struct json_object *o, const char *key, struct json_object *x)
{
	if (json_object_object_length(x) > 0)
		json_add(o, key, x);
	else
		json_object_put(x);
}

static struct json_object *
kept_component(const struct deduction *d, const struct dsl_component *c)
{
	struct json_object *given, *cache, *part;
	struct json_object *o = json_object_new_object();
	struct json_object *input = json_object_new_object();

	given = json_get(json_get(d->dsl->json, "components"), c->name);
	if ((part = data_input(d, c)) != NULL)
		json_add(input, "data", part);
	if ((part = own_model(c)) != NULL)
		json_add(input, "model", part);
	if ((cache = json_path_get(given, "input", "cache")) != NULL)
		json_add(input, "cache", json_copy(cache));
	json_add_str(o, "module", c->module);
	add_unless_empty(o, "input", input);
	add_unless_empty(o, "output", outputs(json_get(given, "output")));
	return o;
}

/* --- the whole ---------------------------------------------------------------- */

static void
fault_component(const struct dsl *dsl, const char *name,
    const struct json_path *path, struct faults *faults)
{
	const char **names = xcalloc(dsl->n + 1, sizeof(*names));
	char hint[FAULTS_HINT_SIZE];
	size_t i;

	for (i = 0; i < dsl->n; i++)
		names[i] = dsl->components[i].name;
	faults_add(faults, JSON_PATH_KEY(path, "components"),
	    "there is no component \"%.100s\" that could be deployed%s", name,
	    faults_hint(faults, name, names, dsl->n, hint));
	free(names);
}

static void
choose(struct deduction *d, const char *const *components, size_t n,
    const struct json_path *path, struct faults *faults)
{
	size_t i, found;

	if (components != NULL && n == 0)
		faults_add(faults, JSON_PATH_KEY(path, "components"),
		    "no component of it is to be deployed; name at least one");
	for (i = 0; components == NULL && i < d->dsl->n; i++)
		d->is_kept[i] = true;
	for (i = 0; components != NULL && i < n; i++) {
		if ((found = dsl_find(d->dsl, components[i])) != (size_t)-1)
			d->is_kept[found] = true;
		else
			fault_component(d->dsl, components[i], path, faults);
	}
}

static struct json_object *
deduce(struct deduction *d)
{
	struct json_object *all = json_object_new_object(), *o;
	size_t seq, i;

	for (seq = 0; seq < d->dsl->n; seq++) {
		i = d->dsl->order[seq];
		if (d->is_kept[i])
			json_add(all, d->dsl->components[i].name,
			    kept_component(d, &d->dsl->components[i]));
		else
			look_through(d, i);
	}
	o = json_object_new_object();
	json_add(o, "components", all);
	return o;
}

int
predict_dsl_deduce(struct json_object *train_dsl, const char *const *components,
    size_t n, struct faults *faults, const struct json_path *path,
    struct json_object **out)
{
	struct deduction d = { 0 };
	struct dsl *dsl;
	size_t i, before;
	int r;

	*out = NULL;
	if ((r = dsl_parse(train_dsl, NULL, path, faults, &dsl)) != 0)
		return r;
	before = faults_count(faults);
	d.dsl = dsl;
	d.is_kept = xcalloc(dsl->n + 1, sizeof(*d.is_kept));
	d.instead = xcalloc(dsl->n + 1, sizeof(struct json_object *));
	choose(&d, components, n, path, faults);
	if (faults_count(faults) != before)
		r = err_set(ERR_INVALID, "components to deploy");
	else
		*out = deduce(&d);
	for (i = 0; i < dsl->n; i++)
		json_object_put(d.instead[i]);
	free(d.instead);
	free(d.is_kept);
	dsl_free(dsl);
	return r;
}
