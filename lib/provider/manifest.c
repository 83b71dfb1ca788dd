/*
 * Reading provider manifests and answering questions about them.  Loaded by
 * fcgi-app, supervisor and shepherd at start; a broken manifest stops them,
 * because it is the site's own file.
 */
#include "lib/provider/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/json/faults.h"
#include "lib/provider/params.h"
#include "lib/sign/digest.h"

#define MANIFEST_MAX_BYTES ((size_t)4 << 20)
#define NAME_MAX_BYTES 100
#define VERSION_MAX_BYTES 30
#define NEAREST_MAX 200

struct providers {
	struct arena *arena;
	struct provider **items; /* by name, highest version first */
	size_t n;
	struct json_object **documents; /* what names borrow from */
};

/* --- reading one manifest ------------------------------------------------- */

struct load {
	struct arena *arena;
	struct faults *faults;
};

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
};

static const struct json_field transfer_fields[] = {
	JSON_ARR(struct manifest_transfer, from, 1, 20, JSON_REQUIRED),
	JSON_ARR(struct manifest_transfer, to, 1, 20, JSON_REQUIRED),
};

/* A NULL-terminated list of the array's names; NULL makes an empty one. */
static const char **
read_names(const struct load *l, struct json_object *array,
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

static bool
listed(const char *const *names, const char *name, bool fold_case)
{
	for (; *names != NULL; names++)
		if ((fold_case ? strcasecmp : strcmp)(*names, name) == 0)
			return true;
	return false;
}

static void
check_roles(const struct load *l, const struct module *m,
    const char *const *roles, const struct json_path *path)
{
	size_t i;

	for (i = 0; roles[i] != NULL; i++)
		if (!module_has_role(m, roles[i]))
			faults_add(l->faults, JSON_PATH_AT(path, i),
			    "%s is no role of this component", roles[i]);
}

static void
read_transfers(const struct load *l, struct json_object *o,
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

		memset(&t, 0, sizeof(t));
		if (json_decode(value, JSON_FIELDS(transfer_fields),
			JSON_FAULT_UNKNOWN, &at, l->faults, &t) != 0)
			continue;
		out = &m->transfers[m->n_transfers++];
		out->name = name;
		out->from = read_names(l, t.from, &from);
		out->to = read_names(l, t.to, &to);
		check_roles(l, m, out->from, &from);
		check_roles(l, m, out->to, &to);
	}
}

static void
read_module(const struct load *l, const char *name, struct json_object *o,
    const struct json_path *path, struct module *m)
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
check_distinct(const struct load *l, const struct provider *p)
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

static struct provider *
read_manifest(const struct load *l, struct json_object *o, const char *folder)
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

/* --- the set -------------------------------------------------------------- */

struct providers *
providers_new(void)
{
	struct providers *ps = xcalloc(1, sizeof(*ps));

	ps->arena = arena_new();
	return ps;
}

void
providers_free(struct providers *ps)
{
	size_t i;

	if (ps == NULL)
		return;
	for (i = 0; i < ps->n; i++)
		json_object_put(ps->documents[i]);
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
	const struct load l = { ps->arena, &faults };
	struct provider *p;
	size_t i;
	int r;

	p = read_manifest(&l, manifest, folder);
	if ((r = faults_err(&faults, "provider manifest")) != 0)
		goto out;
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

static int
measure_file(const char *path, uint8_t out[DIGEST_SIZE])
{
	struct stat st;
	int fd, r;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s", path);
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else
		r = digest_fd(fd, (uint64_t)st.st_size, out);
	(void)close(fd);
	return r;
}

int
provider_measure(const struct provider *p, char digest[PROVIDER_DIGEST_SIZE])
{
	uint8_t parts[2][DIGEST_SIZE], all[DIGEST_SIZE];
	char *manifest = xasprintf("%s/manifest.json", p->folder);
	int r;

	*digest = '\0';
	if ((r = measure_file(manifest, parts[0])) == 0 &&
	    (r = measure_file(p->program, parts[1])) == 0 &&
	    (r = digest_memory(parts, sizeof(parts), all)) == 0)
		str_to_hex(all, sizeof(all), digest);
	free(manifest);
	return r;
}

void
providers_measure(struct providers *ps)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		if (provider_measure(ps->items[i], ps->items[i]->digest) != 0)
			err_clear();
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

bool
module_has_data_key(const struct module *m, const char *key)
{
	return listed(m->input_data, key, false);
}

bool
module_may_send(
    const struct module *m, const char *name, const char *from, const char *to)
{
	size_t i;

	for (i = 0; i < m->n_transfers; i++)
		if (strcmp(m->transfers[i].name, name) == 0)
			return listed(m->transfers[i].from, from, false) &&
			       listed(m->transfers[i].to, to, false);
	return false;
}
