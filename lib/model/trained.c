/*
 * The training's side of a predict job.  Called by job_spec.c and
 * job_tasks.c.
 */
#include "lib/model/trained.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/json/merge.h"

#define NONE ((size_t)-1)

static const struct json_path dsl_path = { NULL, "train_dsl", 0 };
const struct json_path trained_conf_path = { NULL, "train_runtime_conf", 0 };

void
trained_read(struct trained *t, const struct job_model *model,
    const struct providers *providers, struct arena *arena,
    struct faults *faults)
{
	struct json_object *params, *role;

	memset(t, 0, sizeof(*t));
	/* Modules may have gone since; only what predicts must be there. */
	t->dsl = dsl_read(model->train_dsl, NULL, &dsl_path, faults);
	role = json_get(model->train_conf, "role");
	if (json_is_object(role))
		roles_read(role, providers,
		    JSON_PATH_KEY(&trained_conf_path, "role"), faults, arena,
		    &t->roles);
	params = json_get(model->train_conf, "component_parameters");
	section_read(&t->params,
	    &(struct section_input){ .name = "component_parameters",
		.common = json_get(params, "common"),
		.role = json_get(params, "role"),
		.direct = true,
		.dsl = t->dsl,
		.roles = &t->roles,
		.path = &trained_conf_path },
	    faults);
}

void
trained_fini(struct trained *t)
{
	section_fini(&t->params);
	dsl_free(t->dsl);
	t->dsl = NULL;
}

/* --- members --------------------------------------------------------------- */

int
trained_position(const struct trained *t, const char *role, const char *party)
{
	const struct role_list *list = roles_find(&t->roles, role);

	return list != NULL ? roles_position(list, party) : -1;
}

static void
fault_member(const struct trained *t, const char *role, const char *party,
    const struct json_path *path, struct faults *faults)
{
	const struct role_list *list = roles_find(&t->roles, role);
	struct buf who = BUF_INIT;
	size_t i;

	for (i = 0; list != NULL && i < list->n; i++)
		buf_printf(&who, "%s%s", i > 0 ? ", " : "", list->parties[i]);
	if (list == NULL)
		buf_puts(&who, "nobody");
	faults_add(faults, path,
	    "party %s did not take part as %s in the training of the model; "
	    "%s did",
	    party, role, buf_str(&who));
	buf_fini(&who);
}

void
trained_check_members(const struct trained *t, const struct roles *roles,
    const struct json_path *path, struct faults *faults)
{
	size_t i, j;

	for (i = 0; i < roles->n; i++) {
		const struct role_list *list = &roles->items[i];
		struct json_path at = { path, list->name, 0 };

		for (j = 0; j < list->n; j++)
			if (trained_position(t, list->name, list->parties[j]) <
			    0)
				fault_member(t, list->name, list->parties[j],
				    JSON_PATH_AT(&at, j), faults);
	}
}

/* --- components ------------------------------------------------------------- */

static bool
same_module(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcasecmp(a, b) == 0;
}

size_t
trained_component(const struct trained *t, const char *name, const char *module)
{
	size_t i = dsl_find(t->dsl, name);

	return i != NONE && same_module(t->dsl->components[i].module, module)
		   ? i
		   : NONE;
}

static void
check_model(const struct trained *t, const struct dsl_component *c,
    const struct dsl_stored *s, const struct json_path *path,
    struct faults *faults)
{
	size_t i = dsl_find(t->dsl, s->component);
	const struct dsl_component *made;

	made = i != NONE ? &t->dsl->components[i] : NULL;
	if (made == NULL || made->out_model == NULL ||
	    strcmp(made->out_model, s->alias) != 0)
		faults_add(faults, path, "the training made no model %s.%s",
		    s->component, s->alias);
	else if (s->kind == DSL_REF_MODEL &&
		 !same_module(made->module, c->module))
		faults_add(faults, path, "%s.%s is a model of %s, not of %s",
		    s->component, s->alias, made->module,
		    c->module != NULL ? c->module : "?");
}

void
trained_check_models(const struct trained *t, const struct dsl *inference,
    const struct json_path *path, struct faults *faults)
{
	struct json_path components = { path, "components", 0 };
	size_t i, j;

	for (i = 0; i < inference->n; i++) {
		const struct dsl_component *c = &inference->components[i];
		struct json_path at = { &components, c->name, 0 };
		struct json_path input = { &at, "input", 0 };

		for (j = 0; j < c->n_stored; j++) {
			struct json_path list = { &input,
				dsl_kind_name(c->stored[j].kind), 0 };

			check_model(t, c, &c->stored[j],
			    JSON_PATH_AT(&list, c->stored[j].place), faults);
		}
	}
}

/* --- parameters --------------------------------------------------------------- */

/* common stands before role, as in every configuration. */
static void
merge_pieces(const struct trained *t, size_t component, const char *role,
    size_t position, struct json_object *into)
{
	const struct piece *p;
	size_t i, n;

	p = section_of(&t->params, component, &n);
	for (i = 0; i < n; i++)
		if (piece_applies(&p[i], role, position) &&
		    json_is_object(p[i].value))
			json_merge(into, p[i].value);
}

/* The chain of components that inherit is as long as the DSL at most. */
static void
merge_given(const struct trained *t, size_t component, const char *role,
    size_t position, size_t left, struct json_object *into)
{
	size_t up = dsl_inherits(t->dsl, component);

	if (up != NONE && left > 0)
		merge_given(t, up, role, position, left - 1, into);
	merge_pieces(t, component, role, position, into);
}

struct json_object *
trained_given(const struct trained *t, size_t component, const char *role,
    size_t position)
{
	struct json_object *o = json_object_new_object();

	merge_given(t, component, role, position, t->dsl->n, o);
	if (json_object_object_length(o) == 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}
