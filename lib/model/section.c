/*
 * Reading sections that speak of components.  Called by job_tasks.c for
 * component parameters and for providers.
 */
#include "lib/model/section.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct reading {
	struct section *section;
	const struct section_input *in;
	struct faults *faults;
};

static void
add_piece(const struct reading *r, size_t component,
    const struct role_list *role, const char *key, struct json_object *value)
{
	struct section *s = r->section;

	if (s->n == s->cap) {
		s->cap = s->cap != 0 ? 2 * s->cap : 64;
		s->pieces = xrealloc(s->pieces, s->cap * sizeof(*s->pieces));
	}
	s->pieces[s->n] = (struct piece){ component, s->n, role, key, value };
	s->n++;
}

static void
fault_component(
    const struct reading *r, const char *name, const struct json_path *path)
{
	const struct dsl *dsl = r->in->dsl;
	const char **names;
	char hint[FAULTS_HINT_SIZE] = "";
	size_t i;

	if (r->in->passed_over != NULL &&
	    dsl_find(r->in->passed_over, name) != (size_t)-1) {
		r->section->passed_over = name;
		return;
	}

	if (r->faults->n < FAULTS_HINTS) {
		names = xcalloc(dsl->n + 1, sizeof(*names));
		for (i = 0; i < dsl->n; i++)
			names[i] = dsl->components[i].name;
		faults_hint(r->faults, name, names, dsl->n, hint);
		free(names);
	}
	faults_add(r->faults, path, "the DSL has no such component%s", hint);
}

static void
read_component(const struct reading *r, const char *name,
    const struct role_list *role, const char *key, struct json_object *value,
    const struct json_path *path)
{
	size_t component = dsl_find(r->in->dsl, name);

	if (component == (size_t)-1)
		fault_component(r, name, path);
	else
		add_piece(r, component, role, key, value);
}

/* { COMPONENT: … } */
static void
read_components(const struct reading *r, struct json_object *o,
    const struct role_list *role, const char *key, const struct json_path *path)
{
	json_object_object_foreach(o, name, value)
	{
		read_component(
		    r, name, role, key, value, JSON_PATH_KEY(path, name));
	}
}

static bool
looks_like_index(const char *key)
{
	return strcmp(key, "all") == 0 ||
	       strspn(key, "0123456789|") == strlen(key);
}

static bool
is_component(void *ctx, const char *key)
{
	const struct section_input *in = ctx;

	return !looks_like_index(key) &&
	       (dsl_find(in->dsl, key) != (size_t)-1 ||
		   (in->passed_over != NULL &&
		       dsl_find(in->passed_over, key) != (size_t)-1));
}

/* { INDEX KEY: { COMPONENT: … } } */
static void
read_role(const struct reading *r, struct json_object *keys,
    const struct role_list *role, const struct json_path *path)
{
	json_object_object_foreach(keys, key, value)
	{
		if (!json_is_object(value))
			continue; /* told by roles_check_section() */
		if (r->in->direct &&
		    is_component((void *)(uintptr_t)r->in, key))
			read_component(r, key, role, NULL, value,
			    JSON_PATH_KEY(path, key));
		else
			read_components(
			    r, value, role, key, JSON_PATH_KEY(path, key));
	}
}

static int
compare_pieces(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;

	if (a->component != b->component)
		return a->component < b->component ? -1 : 1;
	return (a->place > b->place) - (a->place < b->place);
}

void
section_read(
    struct section *s, const struct section_input *in, struct faults *faults)
{
	const struct reading r = { s, in, faults };
	struct json_path at = { in->path, in->name, 0 };
	struct json_path at_role = { &at, "role", 0 };
	const struct role_list *list;

	memset(s, 0, sizeof(*s));
	s->name = in->name;
	if (in->common != NULL)
		read_components(
		    &r, in->common, NULL, NULL, JSON_PATH_KEY(&at, "common"));
	if (in->role != NULL) {
		roles_check_section(in->roles, in->role, &at_role,
		    in->direct ? is_component : NULL, (void *)(uintptr_t)in,
		    faults);
		json_object_object_foreach(in->role, role_name, keys)
		{
			list = roles_find(in->roles, role_name);
			if (list != NULL && roles_keys_usable(keys))
				read_role(&r, keys, list,
				    JSON_PATH_KEY(&at_role, role_name));
		}
	}
	if (s->n > 0)
		qsort(s->pieces, s->n, sizeof(*s->pieces), compare_pieces);
}

void
section_fini(struct section *s)
{
	free(s->pieces);
	memset(s, 0, sizeof(*s));
}

const struct piece *
section_of(const struct section *s, size_t component, size_t *n)
{
	size_t lo = 0, hi = s->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->pieces[mid].component < component)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (*n = 0;
	     lo + *n < s->n && s->pieces[lo + *n].component == component; ++*n)
		;
	return *n > 0 ? s->pieces + lo : NULL;
}

bool
piece_applies(const struct piece *p, const char *role, size_t position)
{
	if (p->role == NULL)
		return true;
	return strcmp(p->role->name, role) == 0 &&
	       (p->key == NULL || roles_key_matches(p->key, position));
}

const struct json_path *
piece_path(const struct section *s, const struct piece *p,
    const struct dsl *dsl, const struct json_path *conf, struct piece_path *out)
{
	const char *keys[5] = { s->name, "common", NULL, NULL, NULL };
	size_t i, n = 2;

	if (p->role != NULL) {
		keys[1] = "role";
		keys[n++] = p->role->name;
		if (p->key != NULL)
			keys[n++] = p->key;
	}
	keys[n++] = dsl->components[p->component].name;
	for (i = 0; i < n; i++)
		out->nodes[i] =
		    (struct json_path){ i > 0 ? &out->nodes[i - 1] : conf,
			    keys[i], 0 };
	return &out->nodes[n - 1];
}
