/*
 * Called by api_provider.c and api_component.c.
 */
#include "fcgi-app/provider_view.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

static struct json_object *
lower_case(const char *name)
{
	char *s = xstrdup(name);
	struct json_object *o;
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		s[i] = (char)tolower((unsigned char)s[i]);
	o = json_object_new_string(s);
	free(s);
	return o;
}

/* --- providers ------------------------------------------------------------ */

static struct json_object *
component_names(const struct provider *p)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < p->n_modules; i++)
		json_object_array_add(list, lower_case(p->modules[i].name));
	return list;
}

static struct json_object *
component_modules(const struct provider *p)
{
	struct json_object *all = json_object_new_object(), *one, *name;
	size_t i;

	for (i = 0; i < p->n_modules; i++) {
		one = json_object_new_object();
		json_add_str(one, "module", p->modules[i].name);
		name = lower_case(p->modules[i].name);
		json_add(all, json_object_get_string(name), one);
		json_object_put(name);
	}
	return all;
}

static struct json_object *
version_json(const struct provider *p, bool modules)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "path", p->folder);
	json_add_str(o, "python", "");
	json_add(o, "class_path", json_object_new_object());
	json_add(o, "components",
	    modules ? component_modules(p) : component_names(p));
	return o;
}

/* The versions of one name; the first of them is the highest: the default. */
static struct json_object *
versions_json(const struct providers *ps, const char *name, bool modules)
{
	struct json_object *o = json_object_new_object();
	struct json_object *def = json_object_new_object();
	size_t i;

	json_add(o, "default", def);
	for (i = 0; i < providers_count(ps); i++) {
		const struct provider *p = providers_at(ps, i);

		if (strcmp(p->name, name) != 0)
			continue;
		if (!json_has(def, "version"))
			json_add_str(def, "version", p->version);
		json_add(o, p->version, version_json(p, modules));
	}
	return o;
}

struct json_object *
provider_view_all(const struct providers *ps)
{
	struct json_object *all = json_object_new_object();
	size_t i;

	for (i = 0; i < providers_count(ps); i++) {
		const char *name = providers_at(ps, i)->name;

		if (!json_has(all, name))
			json_add(all, name, versions_json(ps, name, false));
	}
	return all;
}

struct json_object *
provider_view_one(const struct providers *ps, const struct provider *p)
{
	return versions_json(ps, p->name, true);
}

/* --- components ----------------------------------------------------------- */

static struct json_object *
supporters(const struct providers *ps, const char *module)
{
	struct json_object *list = json_object_new_array();
	const char *last = "";
	size_t i;

	for (i = 0; i < providers_count(ps); i++) {
		const struct provider *p = providers_at(ps, i);

		/* Versions of one name stand together. */
		if (strcmp(p->name, last) == 0 ||
		    provider_module(p, module) == NULL)
			continue;
		last = p->name;
		json_object_array_add(list, json_object_new_string(p->name));
	}
	return list;
}

static struct json_object *
module_json(const struct providers *ps, const struct module *m)
{
	struct json_object *o = json_object_new_object();
	struct json_object *aliases = json_object_new_array();
	size_t i;

	json_object_array_add(aliases, json_object_new_string(m->name));
	for (i = 0; m->aliases[i] != NULL; i++)
		json_object_array_add(
		    aliases, json_object_new_string(m->aliases[i]));
	json_add_str(o, "default_provider", m->provider->name);
	json_add(o, "support_provider", supporters(ps, m->name));
	json_add(o, "alias", aliases);
	return o;
}

static void
add_module(
    const struct providers *ps, const struct module *m, struct json_object *all)
{
	struct json_object *o, *name;
	size_t i;

	if (json_has(all, m->name))
		return; /* a higher version or an earlier provider has it */
	o = module_json(ps, m);
	json_add(all, m->name, json_object_get(o));
	name = lower_case(m->name);
	if (!json_has(all, json_object_get_string(name)))
		json_add(all, json_object_get_string(name), json_object_get(o));
	json_object_put(name);
	for (i = 0; m->aliases[i] != NULL; i++)
		if (!json_has(all, m->aliases[i]))
			json_add(all, m->aliases[i], json_object_get(o));
	json_object_put(o);
}

struct json_object *
provider_view_components(const struct providers *ps)
{
	struct json_object *all = json_object_new_object();
	size_t i, k;

	for (i = 0; i < providers_count(ps); i++)
		for (k = 0; k < providers_at(ps, i)->n_modules; k++)
			add_module(ps, &providers_at(ps, i)->modules[k], all);
	return all;
}

struct json_object *
provider_view_component(const struct providers *ps, const char *name)
{
	const struct module *m = providers_module(ps, name);

	return m == NULL ? NULL : module_json(ps, m);
}
