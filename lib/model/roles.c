/*
 * The role map and index keys.  Called while a job's conf is read.
 */
#include "lib/model/roles.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define ROLE_MAX_BYTES 20  /* as the columns hold */
#define ROLE_LOCAL "local" /* of what a site does by itself */
#define MEMBERS_MAX 100
#define KNOWN_MAX 50
#define INDEX_KEYS_MAX 500 /* of one role in one section */

/* --- the role map --------------------------------------------------------- */

static void
add_distinct(const char **names, size_t *n, const char *name)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (*n < KNOWN_MAX)
		names[(*n)++] = name;
}

/* The roles that some module has. */
static size_t
known_roles(const struct providers *ps, const char *names[KNOWN_MAX])
{
	size_t i, j, k, n = 0;

	for (i = 0; i < providers_count(ps); i++) {
		const struct provider *p = providers_at(ps, i);

		for (j = 0; j < p->n_modules; j++)
			for (k = 0; p->modules[j].roles[k] != NULL; k++)
				add_distinct(names, &n, p->modules[j].roles[k]);
	}
	return n;
}

static void
check_role_name(const char *name, const struct providers *ps,
    const struct json_path *path, struct faults *faults)
{
	const char *known[KNOWN_MAX];
	char hint[FAULTS_HINT_SIZE];
	size_t i, n = known_roles(ps, known);

	if (!str_is_name(name, ROLE_MAX_BYTES)) {
		faults_add(faults, path, "is no name of a role");
		return;
	}
	for (i = 0; i < n; i++)
		if (strcmp(known[i], name) == 0)
			return;
	faults_add(faults, path, "no component has this role%s",
	    faults_hint(faults, name, known, n, hint));
}

static void
read_parties(struct json_object *list, const struct json_path *path,
    struct faults *faults, struct arena *arena, struct role_list *out)
{
	struct json_object *x;
	size_t i, n;

	if (!json_is_array(list) || (n = json_object_array_length(list)) == 0) {
		faults_add_value(faults, path, list,
		    "must be a list of party ids, not empty");
		return;
	}
	if (n > MEMBERS_MAX) {
		faults_add(faults, path, "holds %zu parties, at most %d", n,
		    MEMBERS_MAX);
		return;
	}
	out->parties = arena_alloc(arena, n * sizeof(*out->parties));
	for (i = 0; i < n; i++) {
		char id[JSON_PARTY_SIZE];

		x = json_object_array_get_idx(list, i);
		if (!json_party_id(x, id))
			faults_add_value(faults, JSON_PATH_AT(path, i), x,
			    "must be a party id: up to ten digits, as number "
			    "or text");
		else if (roles_position(out, id) >= 0)
			faults_add_value(faults, JSON_PATH_AT(path, i), x,
			    "this party is in the list already");
		else
			memcpy(out->parties[out->n++], id, sizeof(id));
	}
}

void
roles_read(struct json_object *o, const struct providers *ps,
    const struct json_path *path, struct faults *faults, struct arena *arena,
    struct roles *out)
{
	size_t n = (size_t)json_object_object_length(o);

	memset(out, 0, sizeof(*out));
	if (n == 0 || n > KNOWN_MAX) {
		faults_add(faults, path,
		    n == 0 ? "names no role" : "names too many roles");
		return;
	}
	out->items = arena_alloc(arena, n * sizeof(*out->items));
	json_object_object_foreach(o, name, list)
	{
		struct role_list *r = &out->items[out->n++];
		struct json_path at = { path, name, 0 };

		r->name = name;
		check_role_name(name, ps, &at, faults);
		read_parties(list, &at, faults, arena, r);
		out->n_members += r->n;
	}
	if (out->n > 1 && roles_find(out, ROLE_LOCAL) != NULL)
		faults_add(faults, JSON_PATH_KEY(path, ROLE_LOCAL),
		    "jobs of the role " ROLE_LOCAL " have no other roles");
	if (out->n_members > MEMBERS_MAX)
		faults_add(faults, path, "names %zu members, at most %d",
		    out->n_members, MEMBERS_MAX);
}

const struct role_list *
roles_find(const struct roles *roles, const char *role)
{
	size_t i;

	for (i = 0; i < roles->n; i++)
		if (strcmp(roles->items[i].name, role) == 0)
			return &roles->items[i];
	return NULL;
}

int
roles_position(const struct role_list *r, const char *party_id)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->parties[i], party_id) == 0)
			return (int)i;
	return -1;
}

struct json_object *
roles_json(const struct roles *roles)
{
	struct json_object *o = json_object_new_object(), *list;
	size_t i, j;
	int64_t id;

	for (i = 0; i < roles->n; i++) {
		list = json_object_new_array();
		for (j = 0; j < roles->items[i].n; j++) {
			(void)str_to_int64(
			    roles->items[i].parties[j], 0, INT64_MAX, &id);
			json_object_array_add(list, json_object_new_int64(id));
		}
		json_add(o, roles->items[i].name, list);
	}
	return o;
}

/* --- index keys ----------------------------------------------------------- */

/*
 * The next index of "0|2", from *key on, which moves behind it and its bar.
 * -1 when the shape is wrong.
 */
static int
next_index(const char **key)
{
	const char *p = *key;
	int v = 0;

	if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > 1000000)
			return -1;
	}
	if (*p == '|' && p[1] != '\0')
		p++;
	else if (*p != '\0')
		return -1;
	*key = p;
	return v;
}

bool
roles_keys_usable(struct json_object *keys)
{
	return json_is_object(keys) &&
	       json_object_object_length(keys) <= INDEX_KEYS_MAX;
}

bool
roles_key_matches(const char *key, size_t position)
{
	int i;

	if (strcmp(key, "all") == 0)
		return true;
	while (*key != '\0' && (i = next_index(&key)) >= 0)
		if ((size_t)i == position)
			return true;
	return false;
}

static void
check_key(const struct role_list *r, const char *key,
    const struct json_path *path, struct faults *faults)
{
	const char *p = key;
	int i;

	/* An empty role was told already. */
	if (strcmp(key, "all") == 0 || r->n == 0)
		return;
	do {
		if ((i = next_index(&p)) < 0) {
			faults_add(faults, path,
			    "is no index key; use "
			    "\"0\", \"0|1\" or \"all\"");
			return;
		}
		if ((size_t)i >= r->n) {
			faults_add(faults, path,
			    "there is no %s %d; the "
			    "role has %zu member%s, counted from 0",
			    r->name, i, r->n, r->n == 1 ? "" : "s");
			return;
		}
	} while (*p != '\0');
}

static const struct role_list *
section_role(const struct roles *roles, const char *role,
    const struct json_path *path, struct faults *faults)
{
	const struct role_list *r = roles_find(roles, role);
	const char *names[KNOWN_MAX];
	char hint[FAULTS_HINT_SIZE];
	size_t i;

	if (r != NULL)
		return r;
	for (i = 0; i < roles->n; i++)
		names[i] = roles->items[i].name;
	faults_add(faults, path, "the job has no such role%s",
	    faults_hint(faults, role, names, roles->n, hint));
	return NULL;
}

void
roles_check_section(const struct roles *roles, struct json_object *section,
    const struct json_path *path, roles_is_name_fn *is_name, void *ctx,
    struct faults *faults)
{
	const struct role_list *r;

	if (roles->n == 0)
		return; /* the role map itself is at fault */
	json_object_object_foreach(section, role, keys)
	{
		struct json_path at = { path, role, 0 };

		if ((r = section_role(roles, role, &at, faults)) == NULL)
			continue;
		if (!roles_keys_usable(keys)) {
			faults_add_value(faults, &at, keys,
			    "must be an "
			    "object of index keys, at most %d",
			    INDEX_KEYS_MAX);
			continue;
		}
		json_object_object_foreach(keys, key, value)
		{
			struct json_path at_key = { &at, key, 0 };

			if (is_name == NULL || !is_name(ctx, key))
				check_key(r, key, &at_key, faults);
			if (!json_is_object(value))
				faults_add_value(faults, &at_key, value,
				    "must be an object");
		}
	}
}
