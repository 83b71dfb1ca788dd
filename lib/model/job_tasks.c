/*
 * Which provider runs a component on a member, and with which parameters.
 * Called by job_spec_build().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/job_tasks_private.h"
#include "lib/provider/rules.h"

/* --- providers ------------------------------------------------------------ */

static void
choose(struct choice *c, const char *spec, const struct json_path *up,
    const char *a, const char *b, const char *key)
{
	const char *keys[] = { a, b, key };
	size_t i;

	/* Wrong shapes were told where they were read. */
	if (spec == NULL || !provider_spec_valid(spec))
		return;
	c->spec = spec;
	c->path = up;
	for (i = 0; i < 3; i++)
		if (keys[i] != NULL) {
			c->node[i] = (struct json_path){ c->path, keys[i], 0 };
			c->path = &c->node[i];
		}
}

static void
choose_piece(const struct build *b, const struct piece *p, struct choice *c)
{
	if (!json_is_string(p->value) ||
	    !provider_spec_valid(json_object_get_string(p->value)))
		return; /* told by check_provider_values() */
	c->spec = json_object_get_string(p->value);
	c->path = piece_path(
	    &b->providers, p, b->spec->dsl, b->in->conf_path, &c->buffer);
}

/* The part of the choice that is the same for all members. */
static void
choose_common(const struct build *b, size_t index, struct choice *c)
{
	const struct dsl_component *x = &b->spec->dsl->components[index];
	const struct piece *p;
	size_t i, n;

	memset(c, 0, sizeof(*c));
	choose(
	    c, b->spec->dsl->provider, b->in->dsl_path, "provider", NULL, NULL);
	choose(c, b->conf->provider, b->in->conf_path, "provider", NULL, NULL);
	choose(
	    c, x->provider, b->in->dsl_path, "components", x->name, "provider");
	p = section_of(&b->providers, index, &n);
	for (i = 0; i < n; i++)
		if (p[i].role == NULL)
			choose_piece(b, &p[i], c);
}

/* True when a piece speaks of this member; then *c is its choice. */
static bool
choose_member(const struct build *b, size_t index, const struct job_member *m,
    struct choice *c)
{
	const struct piece *p;
	size_t i, n;
	bool found = false;

	p = section_of(&b->providers, index, &n);
	for (i = 0; i < n; i++)
		if (p[i].role != NULL &&
		    piece_applies(&p[i], m->role, (size_t)m->position)) {
			choose_piece(b, &p[i], c);
			found = true;
		}
	return found;
}

/* What the contract fixed; at a partner nothing else counts. */
static bool
choose_fixed(const struct build *b, const char *component,
    const struct job_member *m, struct choice *c)
{
	const char *spec;

	if (b->in->providers_fixed == NULL)
		return false;
	spec = json_get_str(
	    json_get(json_get(b->in->providers_fixed, component), m->role),
	    m->party_id, NULL);
	/* A gap shows when the contracts' hashes are compared. */
	if (spec == NULL || !provider_spec_valid(spec))
		return false;
	choose(c, spec, NULL, "providers", component, m->role);
	return true;
}

static void
fault_provider(const struct build *b, const struct choice *c,
    const struct provider *p, const char *module)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < providers_count(b->in->providers); i++) {
		const struct provider *x = providers_at(b->in->providers, i);

		buf_printf(
		    &text, "%s%s@%s", i > 0 ? ", " : "", x->name, x->version);
	}
	if (p == NULL)
		faults_add(b->faults, c->path,
		    "this site has no provider "
		    "%.140s; it has %s",
		    c->spec, buf_str(&text));
	else
		faults_add(b->faults, c->path, "%s@%s does not offer %.100s",
		    p->name, p->version, module);
	buf_fini(&text);
}

/*
 * The module of a choice; NULL when it is not known here, which is a fault
 * only when it must be.
 */
static const struct module *
resolve(const struct build *b, const struct choice *c, const char *module,
    bool must)
{
	const struct provider *p;
	const struct module *m;

	if (c->spec == NULL)
		return providers_module(b->in->providers, module);
	p = providers_find_spec(b->in->providers, c->spec);
	m = p != NULL ? provider_module(p, module) : NULL;
	if (m == NULL && must)
		fault_provider(b, c, p, module);
	return m;
}

static void
name_provider(const struct build *b, struct job_task *t, const struct choice *c)
{
	const char *sign;

	if (t->module != NULL) {
		t->provider_name = t->module->provider->name;
		t->provider_version = t->module->provider->version;
		return;
	}
	/* A remote member's: known by name only. */
	t->provider_name = c->spec != NULL ? c->spec : "";
	t->provider_version = "";
	if (c->spec != NULL && (sign = strchr(c->spec, '@')) != NULL) {
		t->provider_name = arena_strndup(
		    b->spec->arena, c->spec, (size_t)(sign - c->spec));
		t->provider_version = sign + 1;
	}
}

/* --- components ----------------------------------------------------------- */

static void
build_task(const struct build *b, struct component *c, struct job_member *m)
{
	struct job_task *t = &m->tasks[c->seq];
	struct choice own = { 0 };
	const struct choice *choice = &c->choice;
	const struct module *m_or_any;

	t->module = c->module;
	if (choose_fixed(b, c->dsl->name, m, &own) ||
	    choose_member(b, c->index, m, &own)) {
		choice = &own;
		t->module = resolve(b, &own, c->dsl->module, m->is_local);
	}
	name_provider(b, t, choice);
	m_or_any = t->module != NULL ? t->module : c->module;
	t->need_run = true;
	if (m_or_any == NULL || !module_has_role(m_or_any, m->role))
		return;
	t->runs = true;
	task_params_give(b, c, m, t);
	t->need_run = json_get_bool(
	    t->parameters != NULL ? t->parameters : t->given, "need_run", true);
}

static void
check_members_once(struct build *b, const struct module *m)
{
	size_t i;

	for (i = 0; i < b->n_seen; i++)
		if (b->seen[i] == m)
			return;
	if (b->n_seen < MODULES_MAX)
		b->seen[b->n_seen++] = m;
	rules_check_members(m, b->spec->roles, b->trained != NULL,
	    JSON_PATH_KEY(b->in->conf_path, "role"), b->faults);
}

static void
build_component(struct build *b, size_t seq)
{
	struct component c = { .seq = seq, .trained = NONE };
	struct json_path components;
	size_t i, runs = 0;

	c.index = b->spec->dsl->order[seq];
	c.dsl = &b->spec->dsl->components[c.index];
	if (c.dsl->module == NULL)
		return; /* told by dsl_read() */
	c.pieces = section_of(&b->params, c.index, &c.n);
	choose_common(b, c.index, &c.choice);
	/* At a partner the contract's choice counts, not this one. */
	c.module = resolve(
	    b, &c.choice, c.dsl->module, b->in->providers_fixed == NULL);
	if (c.module == NULL)
		c.module = providers_module(b->in->providers, c.dsl->module);
	if (c.module == NULL)
		return; /* told by dsl_read() */
	if (b->trained != NULL)
		c.trained =
		    trained_component(b->trained, c.dsl->name, c.module->name);
	if (c.trained != NONE)
		c.trained_pieces =
		    section_of(&b->trained->params, c.trained, &c.n_trained);
	c.pieces_ok = task_params_check(b, &c);
	check_members_once(b, c.module);
	for (i = 0; i < b->spec->n_members; i++) {
		build_task(b, &c, &b->spec->members[i]);
		runs += b->spec->members[i].tasks[seq].runs;
	}
	task_params_end(&c);
	components = (struct json_path){ b->in->dsl_path, "components", 0 };
	if (runs == 0)
		faults_add(b->faults, JSON_PATH_KEY(&components, c.dsl->name),
		    "no member of the job has a role that %s runs in",
		    c.module->name);
}

/* --- the providers of the contract ---------------------------------------- */

static struct json_object *
member_object(struct json_object *up, const char *key)
{
	struct json_object *o = json_get(up, key);

	if (o == NULL) {
		o = json_object_new_object();
		json_add(up, key, o);
	}
	return o;
}

static struct json_object *
providers_json(const struct job_spec *spec)
{
	struct json_object *all = json_object_new_object(), *o;
	const struct job_task *t;
	char *text;
	size_t i, j;

	for (i = 0; i < spec->n_components; i++)
		for (j = 0; j < spec->n_members; j++) {
			const struct job_member *m = &spec->members[j];

			t = &m->tasks[i];
			if (!t->runs)
				continue;
			o = member_object(
			    member_object(all, spec->components[i]->name),
			    m->role);
			text = xasprintf("%s%s%s", t->provider_name,
			    t->provider_version[0] != '\0' ? "@" : "",
			    t->provider_version);
			json_add_str(o, m->party_id, text);
			free(text);
		}
	return all;
}

static void
check_provider_values(const struct build *b)
{
	struct piece_path buffer;
	size_t i;

	for (i = 0; i < b->providers.n; i++) {
		const struct piece *p = &b->providers.pieces[i];

		if (!json_is_string(p->value) ||
		    !provider_spec_valid(json_object_get_string(p->value)))
			faults_add_value(b->faults,
			    piece_path(&b->providers, p, b->spec->dsl,
				b->in->conf_path, &buffer),
			    p->value, "must be NAME or NAME@VERSION");
	}
}

static void
read_sections(struct build *b)
{
	struct section_input in = { .name = "component_parameters",
		.common = b->conf->components_common,
		.role = b->conf->components_role,
		.direct = true,
		.dsl = b->spec->dsl,
		.passed_over = b->trained != NULL ? b->trained->dsl : NULL,
		.roles = &b->conf->roles,
		.path = b->in->conf_path };

	section_read(&b->params, &in, b->faults);
	if (b->params.passed_over != NULL)
		job_spec_warn(b->spec,
		    "component_parameters of %.100s have no effect: the "
		    "deployed model does not run it",
		    b->params.passed_over);
	in.name = "provider";
	in.common = b->conf->provider_common;
	in.role = b->conf->provider_role;
	in.direct = false;
	in.passed_over = NULL;
	section_read(&b->providers, &in, b->faults);
	check_provider_values(b);
}

void
job_tasks_build(const struct job_spec_input *in, const struct job_conf *conf,
    const struct trainings *trainings, struct job_spec *spec,
    struct faults *faults)
{
	struct build b = { .in = in,
		.conf = conf,
		.trained = trainings->model,
		.trainings = trainings,
		.spec = spec,
		.faults = faults };
	size_t seq;

	read_sections(&b);
	for (seq = 0; seq < spec->n_components; seq++)
		build_component(&b, seq);
	section_fini(&b.params);
	section_fini(&b.providers);
	spec->providers_json = providers_json(spec);
}
