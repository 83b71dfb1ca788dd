/*
 * Manifests and root hashes.  Called by lib/party (staging, sealing), by the
 * supervisor (roots) and by whoever brings a version in from outside.
 */
#include "lib/model/model_version.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/model/job_spec.h"
#include "lib/sign/digest.h"

static void
add_hex(struct json_object *o, const char *key, const uint8_t *hash)
{
	char hex[MODEL_HEX_SIZE];

	str_to_hex(hash, MODEL_HASH_SIZE, hex);
	json_add_str(o, key, hex);
}

static int
canon_hash(struct json_object *o, struct buf *out, uint8_t hash[])
{
	size_t start = out->len;
	int r;

	if ((r = json_canon(o, out)) != 0)
		return r;
	return digest_memory(out->data + start, out->len - start, hash);
}

/* --- manifests --- */

static int
compare_parts(const void *a, const void *b)
{
	const struct db_model_part *x = *(const struct db_model_part *const *)a;
	const struct db_model_part *y = *(const struct db_model_part *const *)b;
	int r;

	if ((r = strcmp(x->component, y->component)) != 0 ||
	    (r = strcmp(x->alias, y->alias)) != 0)
		return r;
	return strcmp(x->buffer_name, y->buffer_name);
}

static struct json_object *
part_json(const struct db_model_part *p)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "component", p->component);
	json_add_str(o, "alias", p->alias);
	json_add_str(o, "buffer", p->buffer_name);
	json_add_str(o, "message", p->message);
	json_add_str(o, "module", p->module);
	json_add_int(o, "version", p->version);
	json_add_int(o, "bytes", p->bytes);
	add_hex(o, "sha256", p->sha256);
	return o;
}

static struct json_object *
parts_json(const struct db_model_part *parts, size_t n)
{
	struct json_object *list = json_object_new_array();
	const struct db_model_part **order = xcalloc(n + 1, sizeof(*order));

	for (size_t i = 0; i < n; i++)
		order[i] = &parts[i];
	qsort(order, n, sizeof(*order), compare_parts);
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, part_json(order[i]));
	free(order);
	return list;
}

int
model_manifest_text(const struct model_manifest *m, struct buf *out,
    uint8_t hash[MODEL_HASH_SIZE])
{
	struct json_object *o = json_object_new_object(), *parent;
	int r;

	json_add_int(o, "form", 1);
	json_add_str(o, "model_id", m->key.model_id);
	json_add_str(o, "model_version", m->key.model_version);
	json_add_str(o, "role", m->key.role);
	json_add_str(o, "party_id", m->key.party_id);
	if (m->contract_hash != NULL)
		add_hex(o, "contract", m->contract_hash);
	if (m->parent_version != NULL) {
		parent = json_object_new_object();
		json_add_str(parent, "model_version", m->parent_version);
		if (m->parent_root != NULL)
			add_hex(parent, "root", m->parent_root);
		json_add(o, "parent", parent);
	}
	json_add(o, "parts", parts_json(m->parts, m->n));
	r = canon_hash(o, out, hash);
	json_object_put(o);
	return r == 0 ? 0 : err_wrap("manifest");
}

struct listed {
	const char *component, *alias, *buffer, *message, *module, *sha256;
	int64_t version, bytes;
};

static const struct json_field listed_fields[] = {
	JSON_STR(struct listed, component, 1, 100, JSON_REQUIRED),
	JSON_STR(struct listed, alias, 1, 100, JSON_REQUIRED),
	JSON_STR(struct listed, buffer, 1, 100, JSON_REQUIRED),
	JSON_STR(struct listed, message, 1, 100, JSON_REQUIRED),
	JSON_STR(struct listed, module, 1, 100, JSON_REQUIRED),
	JSON_INT(struct listed, version, 0, INT32_MAX, JSON_REQUIRED),
	JSON_INT(struct listed, bytes, 0, INT64_MAX, JSON_REQUIRED),
	JSON_STR(struct listed, sha256, 64, 64, JSON_REQUIRED),
};

static int
read_part(struct json_object *o, const struct db_model_key *key,
    struct arena *a, struct db_model_part *p)
{
	struct faults faults = FAULTS_INIT;
	struct listed l = { .component = NULL };
	int r;

	if (json_decode(o, JSON_FIELDS(listed_fields), JSON_IGNORE_UNKNOWN,
		NULL, &faults, &l) != 0)
		r = faults_err(&faults, "part of a manifest");
	else
		r = str_from_hex(l.sha256, p->sha256, sizeof(p->sha256));
	faults_fini(&faults);
	if (r != 0)
		return err_set(ERR_FORMAT, "manifest: %s", err_text());
	p->model_id = key->model_id;
	p->model_version = key->model_version;
	p->role = key->role;
	p->party_id = key->party_id;
	p->component = arena_strdup(a, l.component);
	p->alias = arena_strdup(a, l.alias);
	p->buffer_name = arena_strdup(a, l.buffer);
	p->message = arena_strdup(a, l.message);
	p->module = arena_strdup(a, l.module);
	p->version = l.version;
	p->bytes = l.bytes;
	return 0;
}

static int
read_parts(struct json_object *o, struct arena *a, struct db_model_part **parts,
    size_t *n)
{
	const struct db_model_key key = {
		arena_strdup(a, json_get_str(o, "model_id", "")),
		arena_strdup(a, json_get_str(o, "model_version", "")),
		arena_strdup(a, json_get_str(o, "role", "")),
		arena_strdup(a, json_get_str(o, "party_id", "")),
	};
	struct json_object *list = json_get(o, "parts");
	size_t len;
	int r = 0;

	if (json_get_int(o, "form", 0) != 1 || !json_is_array(list))
		return err_set(ERR_FORMAT, "this is no manifest of form 1");
	len = json_object_array_length(list);
	if (len > MODEL_PARTS_MAX)
		return err_set(ERR_LIMIT, "a manifest of %zu parts", len);
	*parts = arena_alloc(a, (len + 1) * sizeof(**parts));
	for (size_t i = 0; r == 0 && i < len; i++)
		r = read_part(
		    json_object_array_get_idx(list, i), &key, a, &(*parts)[i]);
	*n = r == 0 ? len : 0;
	return r;
}

int
model_manifest_parts(const char *manifest, struct arena *a,
    struct db_model_part **parts, size_t *n)
{
	struct json_object *o = NULL;
	int r;

	*parts = NULL;
	*n = 0;
	if ((r = json_parse_text(manifest, &o)) == 0)
		r = read_parts(o, a, parts, n);
	json_object_put(o);
	return r;
}

int
model_manifest_contract(const char *manifest, uint8_t hash[MODEL_HASH_SIZE])
{
	struct json_object *o = NULL;
	const char *hex;
	int r;

	if ((r = json_parse_text(manifest, &o)) == 0) {
		hex = json_get_str(o, "contract", NULL);
		r = hex == NULL ? err_set(ERR_NOT_FOUND,
				      "the manifest names no contract")
				: str_from_hex(hex, hash, MODEL_HASH_SIZE);
	}
	json_object_put(o);
	return r;
}

/* --- members --- */

bool
model_has_party(const struct db_model *m, const char *party_id)
{
	struct json_object *o = NULL;
	char party[JSON_PARTY_SIZE];
	bool found = false;

	if (json_parse_text(m->roles, &o) != 0 || !json_is_object(o)) {
		err_clear();
		goto out;
	}
	json_object_object_foreach(o, role, list)
	{
		(void)role;
		for (size_t i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++)
			found |=
			    json_party_id(
				json_object_array_get_idx(list, i), party) &&
			    str_eq(party, party_id);
	}
out:
	json_object_put(o);
	return found;
}

struct json_object *
model_members_json(const struct model_member *members, size_t n)
{
	struct json_object *o = json_object_new_object(), *role;

	for (size_t i = 0; i < n; i++) {
		role = json_get(o, members[i].role);
		if (role == NULL) {
			role = json_object_new_object();
			json_add(o, members[i].role, role);
		}
		add_hex(role, members[i].party_id, members[i].manifest_hash);
	}
	return o;
}

static void
read_member(struct json_object *value, const char *role, const char *party,
    const struct json_path *path, struct faults *faults, struct arena *a,
    struct model_member *m)
{
	const char *hex =
	    json_is_string(value) ? json_object_get_string(value) : "";

	if (!str_is_name(role, JOB_ROLE_MAX) || !str_is_party_id(party))
		faults_add(faults, path, "must be below ROLE/PARTY");
	else if (str_from_hex(hex, m->manifest_hash, MODEL_HASH_SIZE) != 0)
		faults_add_value(
		    faults, path, value, "must be a SHA-256, 64 hex digits");
	m->role = arena_strdup(a, role);
	m->party_id = arena_strdup(a, party);
}

int
model_members_read(struct json_object *o, const struct json_path *path,
    struct faults *faults, struct arena *a, struct model_member **members,
    size_t *n)
{
	size_t count = 0, before = faults_count(faults);

	*members = arena_alloc(a, MODEL_MEMBERS_MAX * sizeof(**members));
	*n = 0;
	if (!json_is_object(o)) {
		faults_add_value(faults, path, o, "must be an object of roles");
		return ERR_INVALID;
	}
	json_object_object_foreach(o, role, parties)
	{
		if (!json_is_object(parties)) {
			faults_add_value(faults, JSON_PATH_KEY(path, role),
			    parties, "must be an object of parties");
			continue;
		}
		json_object_object_foreach(parties, party, hex)
		{
			if (count == MODEL_MEMBERS_MAX)
				break;
			read_member(hex, role, party,
			    JSON_PATH_KEY(JSON_PATH_KEY(path, role), party),
			    faults, a, &(*members)[count++]);
		}
	}
	if (count == 0 || count == MODEL_MEMBERS_MAX)
		faults_add(faults, path, "must name 1 to %d members",
		    MODEL_MEMBERS_MAX - 1);
	if (faults_count(faults) != before)
		return faults_err(faults, "members");
	*n = count;
	return 0;
}

const struct model_member *
model_members_find(const struct model_member *members, size_t n,
    const char *role, const char *party_id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(members[i].role, role) &&
		    str_eq(members[i].party_id, party_id))
			return &members[i];
	return NULL;
}

int
model_root(
    const struct model_member *members, size_t n, uint8_t root[MODEL_HASH_SIZE])
{
	struct json_object *o = model_members_json(members, n);
	struct buf text = BUF_INIT;
	int r = canon_hash(o, &text, root);

	buf_fini(&text);
	json_object_put(o);
	return r;
}

bool
model_root_is_known(const uint8_t root[MODEL_HASH_SIZE])
{
	for (size_t i = 0; i < MODEL_HASH_SIZE; i++)
		if (root[i] != 0)
			return true;
	return false;
}
