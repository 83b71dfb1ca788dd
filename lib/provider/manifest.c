/*
 * Reading provider manifests and answering questions about them.  Loaded by
 * fcgi-app, supervisor and shepherd at start; a broken manifest stops them,
 * because it is the site's own file.
 */
#include "lib/provider/manifest_read.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/seen.h"
#include "lib/base/str.h"
#include "lib/json/faults.h"
#include "lib/provider/tag.h"

#define MANIFEST_MAX_BYTES ((size_t)4 << 20)
#define NAME_MAX_BYTES 100
#define VERSION_MAX_BYTES 30
#define NEAREST_MAX 200

struct providers {
	struct arena *arena;
	struct provider **items; /* by name, highest version first */
	size_t n;
	struct json_object **documents; /* what names borrow from */
	struct seen *seen;		/* folders and manifests */
};

/* --- the set -------------------------------------------------------------- */

static bool
listed(const char *const *names, const char *name, bool fold_case)
{
	for (; *names != NULL; names++)
		if ((fold_case ? strcasecmp : strcmp)(*names, name) == 0)
			return true;
	return false;
}

struct providers *
providers_new(void)
{
	struct providers *ps = xcalloc(1, sizeof(*ps));

	ps->arena = arena_new();
	ps->seen = seen_new();
	return ps;
}

void
providers_free(struct providers *ps)
{
	size_t i;

	if (ps == NULL)
		return;
	for (i = 0; i < ps->n; i++) {
		seen_free(ps->items[i]->measured);
		json_object_put(ps->documents[i]);
	}
	seen_free(ps->seen);
	free(ps->items);
	free(ps->documents);
	arena_free(ps->arena);
	free(ps);
}

static void
insert(struct providers *ps, struct provider *p, struct json_object *o)
{
	size_t i;
	int c;

	ps->items = xrealloc(ps->items, (ps->n + 1) * sizeof(*ps->items));
	ps->documents =
	    xrealloc(ps->documents, (ps->n + 1) * sizeof(*ps->documents));
	ps->documents[ps->n] = json_object_get(o);
	for (i = ps->n; i > 0; i--) {
		c = strcmp(ps->items[i - 1]->name, p->name);
		if (c < 0 ||
		    (c == 0 && provider_version_cmp(
				   ps->items[i - 1]->version, p->version) > 0))
			break;
		ps->items[i] = ps->items[i - 1];
	}
	ps->items[i] = p;
	ps->n++;
}

int
providers_add(
    struct providers *ps, struct json_object *manifest, const char *folder)
{
	struct faults faults = FAULTS_INIT;
	const struct manifest_load l = { ps->arena, &faults };
	struct provider *p;
	size_t i;
	int r = 0;

	p = manifest_read(&l, manifest, folder);
	if (faults_any(&faults)) {
		r = faults_err(&faults, "provider manifest");
		goto out;
	}
	for (i = 0; i < ps->n; i++)
		if (strcmp(ps->items[i]->name, p->name) == 0 &&
		    provider_version_cmp(ps->items[i]->version, p->version) ==
			0) {
			r = err_set(ERR_EXISTS,
			    "provider %s@%s is there "
			    "already",
			    p->name, p->version);
			goto out;
		}
	insert(ps, p, manifest);
out:
	faults_fini(&faults);
	return r;
}

static int
load_version(struct providers *ps, const char *dir, const char *name,
    const char *version)
{
	struct json_object *o = NULL;
	char *folder, *path;
	int r;

	folder = xasprintf("%s/%s/%s", dir, name, version);
	path = xasprintf("%s/manifest.json", folder);
	seen_add(ps->seen, folder);
	seen_add(ps->seen, path);
	if ((r = json_parse_file(path, MANIFEST_MAX_BYTES, &o)) != 0)
		goto out;
	if (strcmp(json_get_str(o, "name", ""), name) != 0 ||
	    strcmp(json_get_str(o, "version", ""), version) != 0) {
		r = err_set(ERR_INVALID,
		    "%s: name and version must be those "
		    "of its folders",
		    path);
		goto out;
	}
	if ((r = providers_add(ps, o, folder)) != 0)
		err_wrap("%s", path);
out:
	json_object_put(o);
	free(path);
	free(folder);
	return r;
}

static int
is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* Call fn for each folder in dir, in order of names. */
static int
each_folder(struct providers *ps, const char *dir, const char *name,
    int (*fn)(struct providers *, const char *, const char *, const char *))
{
	struct dirent **list = NULL;
	struct stat st;
	char *path;
	int i, n, r = 0;

	seen_add(ps->seen, dir);
	if ((n = scandir(dir, &list, is_visible, alphasort)) < 0)
		return err_set_errno(ERR_IO, "%s", dir);
	for (i = 0; i < n; i++) {
		path = xasprintf("%s/%s", dir, list[i]->d_name);
		if (r == 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			r = fn(ps, dir, name, list[i]->d_name);
		free(path);
		free(list[i]);
	}
	free(list);
	return r;
}

/* dir is NAME's folder here; its own name came along for the checks. */
static int
load_one(struct providers *ps, const char *dir, const char *name,
    const char *version)
{
	char *parent = xstrndup(dir, strlen(dir) - strlen(name) - 1);
	int r = load_version(ps, parent, name, version);

	free(parent);
	return r;
}

static int
load_name(
    struct providers *ps, const char *dir, const char *unused, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	int r = each_folder(ps, path, name, load_one);

	(void)unused;
	free(path);
	return r;
}

int
providers_load(const char *dir, struct providers **out)
{
	struct providers *ps = providers_new();
	int r;

	*out = NULL;
	if ((r = each_folder(ps, dir, NULL, load_name)) != 0) {
		providers_free(ps);
		return err_wrap("load providers");
	}
	*out = ps;
	return 0;
}

bool
providers_is_current(const struct providers *ps)
{
	return seen_is_same(ps->seen);
}

/* --- questions ------------------------------------------------------------ */

size_t
providers_count(const struct providers *ps)
{
	return ps->n;
}

const struct provider *
providers_at(const struct providers *ps, size_t i)
{
	return ps->items[i];
}

struct provider *
providers_item(struct providers *ps, size_t i)
{
	return ps->items[i];
}

int
provider_version_cmp(const char *a, const char *b)
{
	char *ea, *eb;
	long x, y;

	while (*a != '\0' || *b != '\0') {
		x = strtol(a, &ea, 10);
		y = strtol(b, &eb, 10);
		if (x != y)
			return x < y ? -1 : 1;
		/* Whatever is no number ends the comparison there. */
		if (ea == a && eb == b)
			return strcmp(a, b);
		a = *ea == '.' ? ea + 1 : ea;
		b = *eb == '.' ? eb + 1 : eb;
	}
	return 0;
}

const struct provider *
providers_find(
    const struct providers *ps, const char *name, const char *version)
{
	const struct provider *highest = NULL;
	bool by_alias = false;
	size_t i;

	for (i = 0; i < ps->n; i++) {
		const struct provider *p = ps->items[i];
		bool is_alias;

		is_alias = listed(p->aliases, name, true);
		if (strcasecmp(p->name, name) != 0 && !is_alias)
			continue;
		if (version != NULL && version[0] != '\0' &&
		    provider_version_cmp(p->version, version) == 0)
			return p;
		if (highest == NULL) {
			highest = p; /* highest version comes first */
			by_alias = strcasecmp(p->name, name) != 0;
		}
	}
	return version == NULL || version[0] == '\0' || by_alias ? highest
								 : NULL;
}

/* Cut at the "@"; false when the shape is wrong. */
static bool
split_spec(
    const char *spec, char name[NAME_MAX_BYTES + 1], const char **version)
{
	const char *sign = strchr(spec, '@');
	size_t n = sign != NULL ? (size_t)(sign - spec) : strlen(spec);

	if (n > NAME_MAX_BYTES)
		return false;
	memcpy(name, spec, n);
	name[n] = '\0';
	*version = sign != NULL ? sign + 1 : NULL;
	return str_is_name(name, NAME_MAX_BYTES) &&
	       (sign == NULL ||
		   (sign[1] != '\0' && strchr(sign + 1, '@') == NULL &&
		       strlen(sign + 1) <= VERSION_MAX_BYTES));
}

bool
provider_spec_valid(const char *spec)
{
	char name[NAME_MAX_BYTES + 1];
	const char *version;

	return split_spec(spec, name, &version);
}

const struct provider *
providers_find_spec(const struct providers *ps, const char *spec)
{
	char name[NAME_MAX_BYTES + 1];
	const char *version;

	return split_spec(spec, name, &version)
		   ? providers_find(ps, name, version)
		   : NULL;
}

const struct module *
provider_module(const struct provider *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->n_modules; i++)
		if (strcasecmp(p->modules[i].name, name) == 0 ||
		    listed(p->modules[i].aliases, name, true))
			return &p->modules[i];
	return NULL;
}

const struct module *
providers_module(const struct providers *ps, const char *name)
{
	const struct module *m;
	size_t i;

	for (i = 0; i < ps->n; i++)
		if ((m = provider_module(ps->items[i], name)) != NULL)
			return m;
	return NULL;
}

const char *
providers_nearest_module(const struct providers *ps, const char *name)
{
	const char *names[NEAREST_MAX];
	size_t i, j, n = 0;

	for (i = 0; i < ps->n; i++)
		for (j = 0; j < ps->items[i]->n_modules; j++)
			if (n < NEAREST_MAX)
				names[n++] = ps->items[i]->modules[j].name;
	return str_nearest(name, names, n);
}

bool
module_has_role(const struct module *m, const char *role)
{
	return listed(m->roles, role, false);
}

static const struct module_transfer *
find_transfer(const struct module *m, const char *name)
{
	for (size_t i = 0; i < m->n_transfers; i++)
		if (strcmp(m->transfers[i].name, name) == 0)
			return &m->transfers[i];
	return NULL;
}

bool
module_may_send(
    const struct module *m, const char *name, const char *from, const char *to)
{
	const struct module_transfer *t = find_transfer(m, name);

	return t != NULL && listed(t->from, from, false) &&
	       listed(t->to, to, false);
}

bool
module_may_tag(const struct module *m, const char *name, const char *tag)
{
	const struct module_transfer *t = find_transfer(m, name);
	size_t i = 0;

	if (t == NULL)
		return false;
	while (t->tags[i] != NULL && !tag_matches(t->tags[i], tag))
		i++;
	return t->tags[i] != NULL;
}

int
provider_check_tags(const struct provider *p)
{
	size_t i, j;

	for (i = 0; i < p->n_modules; i++)
		for (j = 0; j < p->modules[i].n_transfers; j++)
			if (!p->modules[i].transfers[j].says_tags)
				return err_set(ERR_INVALID,
				    "its manifest does not say which tags "
				    "objects \"%s\" of %s have, so none of "
				    "them may be sent: write \"tags\": "
				    "[\"#\"] to that transfer for numbers, a "
				    "list of patterns for others, or [] when "
				    "it is not sent",
				    p->modules[i].transfers[j].name,
				    p->modules[i].name);
	return 0;
}

const char *
module_tags_text(const struct module *m, const char *name, struct arena *a)
{
	const struct module_transfer *t = find_transfer(m, name);
	const char *text = "none";

	if (t != NULL && !t->says_tags)
		return "none, for it has no \"tags\" for that name";
	for (size_t i = 0; t != NULL && t->tags[i] != NULL; i++)
		text = i == 0 ? t->tags[i]
			      : arena_printf(a, "%s, %s", text, t->tags[i]);
	return text;
}
