/*
 * Called by model_import.c.
 */
#include "lib/archive/import_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/archive/model_archive.h"
#include "lib/archive/yaml.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/json/decode.h"
#include "lib/model/model_object.h"
#include "lib/model/model_pipeline.h"
#include "lib/model/model_version.h"
#include "lib/sign/digest.h"
#include "lib/wire/check.h"
#include "proto/model/pipeline.pb-c.h"

#define PIPELINE_PATH                                                          \
	MODEL_ARCHIVE_DATA "/" MODEL_PIPELINE "/" MODEL_PIPELINE               \
			   "/" MODEL_PIPELINE_BUFFER
#define NAME_MAX_ 100 /* of components, aliases, buffers: their columns */

struct import_plan *
import_plan_new(struct arena *a, const struct db_model_key *key)
{
	struct import_plan *p = xcalloc(1, sizeof(*p));

	p->arena = a;
	p->key = *key;
	p->members = json_object_new_object();
	p->buffers = json_object_new_object();
	return p;
}

void
import_plan_free(struct import_plan *p)
{
	if (p == NULL)
		return;
	json_object_put(p->members);
	json_object_put(p->buffers);
	json_object_put(p->manifest);
	buf_fini(&p->manifest_file);
	buf_fini(&p->define_file);
	buf_fini(&p->pipeline_file);
	free(p);
}

int
import_plan_check_site(const struct import_plan *p, const char *party_id)
{
	if (str_eq(p->key.party_id, party_id))
		return 0;
	return err_set(ERR_DENIED,
	    "this is the site of party %s: halves of party %.20s belong to "
	    "theirs",
	    party_id, p->key.party_id);
}

int
import_plan_member(struct import_plan *p, const char *name, struct buf **to)
{
	*to = NULL;
	json_add(p->members, name, NULL);
	if (str_eq(name, MODEL_ARCHIVE_MANIFEST))
		*to = &p->manifest_file;
	else if (str_eq(name, MODEL_ARCHIVE_DEFINE))
		*to = &p->define_file;
	else if (str_eq(name, PIPELINE_PATH))
		*to = &p->pipeline_file;
	return 0;
}

/* --- buffers -------------------------------------------------------------------- */

/* The number of members bounds the number of buffers. */
static struct import_buffer *
new_buffer(struct import_plan *p, const char *path)
{
	struct import_buffer *b;

	if (p->items == NULL)
		p->items = arena_alloc(p->arena,
		    ((size_t)json_object_object_length(p->members) + 1) *
			sizeof(*p->items));
	b = &p->items[p->n_items];
	b->path = arena_strdup(p->arena, path);
	json_add_int(p->buffers, path, (int64_t)p->n_items++);
	return b;
}

struct import_buffer *
import_plan_find(const struct import_plan *p, const char *name)
{
	struct json_object *o;

	if (!json_object_object_get_ex(p->buffers, name, &o))
		return NULL;
	return &p->items[json_object_get_int64(o)];
}

/* It must be in the archive, once, and its names fit their columns. */
static int
add_known(struct import_plan *p, const char *path, int64_t bytes,
    const unsigned char sha256[], struct import_buffer **out)
{
	struct import_buffer *b;

	if (!json_has(p->members, path))
		return err_set(ERR_FORMAT,
		    "member %s is missing: the manifest names it", path);
	if (json_has(p->buffers, path))
		return err_set(
		    ERR_FORMAT, "the manifest names member %s twice", path);
	if (bytes < 0 || (uint64_t)bytes > MODEL_OBJECT_MAX)
		return err_set(ERR_LIMIT,
		    "member %s: buffers of more than %zu bytes are not taken",
		    path, MODEL_OBJECT_MAX);
	b = new_buffer(p, path);
	b->is_known = true;
	b->bytes = bytes;
	memcpy(b->sha256, sha256, DB_HASH_SIZE);
	*out = b;
	return 0;
}

static int
check_names(const char *component, const char *alias, const char *buffer)
{
	if (wire_is_path_part(component, NAME_MAX_) &&
	    wire_is_path_part(alias, NAME_MAX_) &&
	    wire_is_path_part(buffer, NAME_MAX_))
		return 0;
	return err_set(ERR_FORMAT,
	    "'%.100s/%.100s/%.100s' can be no component, alias and buffer",
	    component, alias, buffer);
}

/* --- from manifest.json ------------------------------------------------------------ */

static int
check_same(const struct import_plan *p, const char *what, const char *want,
    const char *found)
{
	if (str_eq(want, found))
		return 0;
	return err_set(ERR_FORMAT,
	    "the archive is of %s '%.255s', '%.255s' was asked for (%s %s of "
	    "model %s)",
	    what, found, want, p->key.role, p->key.party_id, p->key.model_id);
}

static int
check_key(const struct import_plan *p, const char *model_id,
    const char *version, const char *role, const char *party)
{
	int r;

	if ((r = check_same(p, "model", p->key.model_id, model_id)) != 0 ||
	    (r = check_same(p, "version", p->key.model_version, version)) !=
		0 ||
	    (r = check_same(p, "role", p->key.role, role)) != 0)
		return r;
	return check_same(p, "party", p->key.party_id, party);
}

static int
plan_part(struct import_plan *p, const struct db_model_part *part)
{
	struct import_buffer *b;
	char *path;
	int r;

	if ((r = check_names(
		 part->component, part->alias, part->buffer_name)) != 0)
		return r;
	path = xasprintf(MODEL_ARCHIVE_DATA "/%s/%s/%s", part->component,
	    part->alias, part->buffer_name);
	r = add_known(p, path, part->bytes, part->sha256, &b);
	free(path);
	if (r != 0)
		return r;
	b->component = part->component;
	b->alias = part->alias;
	b->name = part->buffer_name;
	b->message = part->message;
	b->module = part->module;
	b->version = part->version;
	return 0;
}

static int
plan_parts(struct import_plan *p, struct json_object *manifest)
{
	struct db_model_part *parts;
	size_t n;
	int r;

	if ((r = model_manifest_parts(
		 json_text(manifest), p->arena, &parts, &n)) != 0)
		return r;
	if ((r = check_key(p, json_get_str(manifest, "model_id", ""),
		 json_get_str(manifest, "model_version", ""),
		 json_get_str(manifest, "role", ""),
		 json_get_str(manifest, "party_id", ""))) != 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = plan_part(p, &parts[i]);
	p->n_model = p->n_items;
	if (r == 0 && import_plan_find(p, PIPELINE_PATH) == NULL)
		r = err_set(
		    ERR_FORMAT, "the manifest names no %s", PIPELINE_PATH);
	return r;
}

/* --- checkpoints, from manifest.json -------------------------------------------------- */

struct checkpoint_fields {
	const char *component, *step_name;
	int64_t step_index, version;
	struct json_object *buffers;
};

static const struct json_field checkpoint_fields[] = {
	JSON_STR(struct checkpoint_fields, component, 1, 100, JSON_REQUIRED),
	JSON_INT(struct checkpoint_fields, step_index, 0, WIRE_MAX_STEP,
	    JSON_REQUIRED),
	JSON_STR(struct checkpoint_fields, step_name, 1, 100, JSON_REQUIRED),
	JSON_INT(
	    struct checkpoint_fields, version, 0, INT32_MAX, JSON_REQUIRED),
	JSON_ARR(struct checkpoint_fields, buffers, 1, WIRE_MAX_BUFFERS,
	    JSON_REQUIRED),
};

struct buffer_fields {
	const char *name, *message, *sha256;
	int64_t bytes;
};

static const struct json_field buffer_fields[] = {
	JSON_STR(struct buffer_fields, name, 1, 100, JSON_REQUIRED),
	JSON_STR(struct buffer_fields, message, 1, 100, JSON_REQUIRED),
	JSON_INT(struct buffer_fields, bytes, 0, INT64_MAX, JSON_REQUIRED),
	JSON_STR(struct buffer_fields, sha256, 64, 64, JSON_REQUIRED),
};

static int
decode(
    struct json_object *o, const struct json_field *fields, size_t n, void *out)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(
		o, fields, n, JSON_IGNORE_UNKNOWN, NULL, &faults, out) != 0) {
		(void)faults_err(&faults, MODEL_ARCHIVE_MANIFEST);
		r = err_set(ERR_FORMAT, "%s", err_text());
	}
	faults_fini(&faults);
	return r;
}

static int
plan_checkpoint_buffer(struct import_plan *p, const struct import_checkpoint *c,
    struct json_object *o)
{
	unsigned char sha256[DB_HASH_SIZE];
	struct buffer_fields f;
	struct import_buffer *b;
	char *path;
	int r;

	memset(&f, 0, sizeof(f));
	if ((r = decode(o, JSON_FIELDS(buffer_fields), &f)) != 0)
		return r;
	if (!wire_is_path_part(f.name, NAME_MAX_) ||
	    str_from_hex(f.sha256, sha256, sizeof(sha256)) != 0)
		return err_set(ERR_FORMAT, "checkpoint %lld of %s: buffer",
		    (long long)c->row.step_index, c->row.component);
	path = xasprintf("checkpoint/%s/%lld#%s/%s.pb", c->row.component,
	    (long long)c->row.step_index, c->row.step_name, f.name);
	r = add_known(p, path, f.bytes, sha256, &b);
	free(path);
	if (r != 0)
		return r;
	b->name = arena_strdup(p->arena, f.name);
	b->message = arena_strdup(p->arena, f.message);
	return 0;
}

static int
plan_checkpoint(
    struct import_plan *p, struct json_object *o, struct import_checkpoint *c)
{
	struct checkpoint_fields f;
	int r;

	memset(&f, 0, sizeof(f));
	if ((r = decode(o, JSON_FIELDS(checkpoint_fields), &f)) != 0)
		return r;
	if (!wire_is_path_part(f.component, NAME_MAX_) ||
	    !wire_is_path_part(f.step_name, NAME_MAX_))
		return err_set(ERR_FORMAT, "checkpoint of '%.100s': its names",
		    f.component);
	c->row = (struct db_checkpoint){ .model_id = p->key.model_id,
		.model_version = p->key.model_version,
		.role = p->key.role,
		.party_id = p->key.party_id,
		.component = arena_strdup(p->arena, f.component),
		.step_index = f.step_index,
		.step_name = arena_strdup(p->arena, f.step_name),
		.version = f.version };
	c->first = p->n_items;
	c->n_parts = json_object_array_length(f.buffers);
	for (size_t i = 0; r == 0 && i < c->n_parts; i++)
		r = plan_checkpoint_buffer(
		    p, c, json_object_array_get_idx(f.buffers, i));
	return r;
}

static int
plan_checkpoints(struct import_plan *p, struct json_object *list)
{
	size_t n = json_is_array(list) ? json_object_array_length(list) : 0;
	int r = 0;

	if (n > IMPORT_CHECKPOINTS_MAX)
		return err_set(ERR_LIMIT, "more than %d checkpoints",
		    IMPORT_CHECKPOINTS_MAX);
	p->checkpoints =
	    arena_alloc(p->arena, (n + 1) * sizeof(*p->checkpoints));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = plan_checkpoint(p, json_object_array_get_idx(list, i),
		    &p->checkpoints[p->n_checkpoints++]);
	return r;
}

/* --- the root --------------------------------------------------------------------- */

/*
 * The manifest's own hash must be the one that this member has among all, and
 * the root must be that of all: then nothing in the archive was exchanged
 * without the root being another.
 */
static int
check_members(struct import_plan *p, struct json_object *o)
{
	struct faults faults = FAULTS_INIT;
	const struct model_member *own;
	struct model_member *members;
	unsigned char root[DB_HASH_SIZE];
	size_t n;
	int r;

	r = model_members_read(
	    o, JSON_PATH_KEY(NULL, "members"), &faults, p->arena, &members, &n);
	faults_fini(&faults);
	if (r != 0)
		return err_set(
		    ERR_FORMAT, "%s: %s", MODEL_ARCHIVE_MANIFEST, err_text());
	own = model_members_find(members, n, p->key.role, p->key.party_id);
	if (own == NULL || memcmp(own->manifest_hash, p->model.manifest_hash,
			       DB_HASH_SIZE) != 0)
		return err_set(ERR_FORMAT,
		    "the manifest was changed: it is not the one that all "
		    "members sealed");
	if ((r = model_root(members, n, root)) != 0)
		return r;
	if (memcmp(root, p->root, DB_HASH_SIZE) != 0)
		return err_set(ERR_FORMAT,
		    "the root is not that of the members' manifests");
	return 0;
}

static int
take_root(struct import_plan *p)
{
	const char *hex = json_get_str(p->manifest, "root", NULL);
	struct json_object *members = json_get(p->manifest, "members");
	struct buf text = BUF_INIT;
	int r;

	if ((r = json_canon(json_get(p->manifest, "manifest"), &text)) == 0)
		r = digest_memory(text.data, text.len, p->model.manifest_hash);
	if (r == 0)
		p->model.manifest = arena_strdup(p->arena, buf_str(&text));
	buf_fini(&text);
	if (r != 0 || hex == NULL)
		return r;
	if (str_from_hex(hex, p->root, DB_HASH_SIZE) != 0)
		return err_set(ERR_FORMAT, "the root is no SHA-256");
	p->has_root = true;
	if (members == NULL)
		return 0;
	p->model.members = arena_strdup(p->arena, json_text(members));
	return check_members(p, members);
}

/* What may be there beside the buffers: their text, and files for readers. */
static int
check_extra(const struct import_plan *p)
{
	json_object_object_foreach(p->members, name, nothing)
	{
		size_t len = strlen(name);
		char *stem = NULL;
		bool known;

		(void)nothing;
		if (str_ends(name, ".json"))
			stem = xstrndup(name, len - 5);
		known = import_plan_find(p, name) != NULL ||
			str_eq(name, MODEL_ARCHIVE_MANIFEST) ||
			str_eq(name, MODEL_ARCHIVE_DEFINE) ||
			str_eq(name, MODEL_ARCHIVE_IMPORT) ||
			(stem != NULL && import_plan_find(p, stem) != NULL) ||
			(str_starts(name, "run_parameters/") &&
			    str_ends(name, "/run_parameters.json"));
		if (!known && stem != NULL && str_starts(name, "checkpoint/")) {
			char *pb = xasprintf("%s.pb", stem);

			known = import_plan_find(p, pb) != NULL;
			free(pb);
		}
		free(stem);
		if (!known)
			return err_set(ERR_FORMAT,
			    "member %.200s is none that the manifest names",
			    name);
	}
	return 0;
}

static int
resolve_manifest(struct import_plan *p)
{
	struct json_object *manifest;
	int r;

	if ((r = json_parse(p->manifest_file.data, p->manifest_file.len,
		 IMPORT_TEXT_MAX, &p->manifest)) != 0)
		return err_wrap(MODEL_ARCHIVE_MANIFEST);
	manifest = json_get(p->manifest, "manifest");
	if (json_get_int(p->manifest, "form", 0) != 1 ||
	    !json_is_object(manifest))
		return err_set(
		    ERR_FORMAT, "%s is not of form 1", MODEL_ARCHIVE_MANIFEST);
	if ((r = plan_parts(p, manifest)) != 0 ||
	    (r = plan_checkpoints(p, json_get(p->manifest, "checkpoints"))) !=
		0 ||
	    (r = check_extra(p)) != 0)
		return r;
	return take_root(p);
}

/* --- archives of the classic platform ------------------------------------------------ */

/* "variables/data/C/A/B" in parts, in the arena; false for other names. */
static bool
split_path(struct import_plan *p, const char *path, const char *parts[3])
{
	const char *s = path + strlen(MODEL_ARCHIVE_DATA "/");
	char *copy, *slash;

	if (!str_starts(path, MODEL_ARCHIVE_DATA "/") ||
	    str_ends(path, ".json"))
		return false;
	copy = arena_strdup(p->arena, s);
	for (int i = 0; i < 3; i++) {
		parts[i] = copy;
		slash = strchr(copy, '/');
		if ((slash == NULL) != (i == 2))
			return false;
		if (slash != NULL) {
			*slash = '\0';
			copy = slash + 1;
		}
	}
	return true;
}

static int
plan_classic(struct import_plan *p, struct json_object *define,
    const char *path, const char *const parts[3])
{
	bool is_pipeline = str_eq(parts[0], MODEL_PIPELINE);
	const char *message = json_get_str(
	    json_path_get(define, "model_proto", parts[0], parts[1]), parts[2],
	    is_pipeline ? MODEL_PIPELINE_BUFFER : NULL);
	const char *module =
	    json_get_str(json_path_get(define, "component_define", parts[0]),
		"module_name", is_pipeline ? MODEL_PIPELINE_MODULE : NULL);
	struct import_buffer *b;
	int r;

	if ((r = check_names(parts[0], parts[1], parts[2])) != 0)
		return r;
	if (message == NULL || module == NULL ||
	    !wire_is_path_part(message, NAME_MAX_) ||
	    !wire_is_path_part(module, NAME_MAX_))
		return err_set(ERR_FORMAT,
		    "member %s: " MODEL_ARCHIVE_DEFINE
		    " does not say of which module and message it is",
		    path);
	b = new_buffer(p, path);
	b->bytes = (int64_t)MODEL_OBJECT_MAX; /* at most */
	b->component = parts[0];
	b->alias = parts[1];
	b->name = parts[2];
	b->message = arena_strdup(p->arena, message);
	b->module = arena_strdup(p->arena, module);
	return 0;
}

static int
resolve_classic(struct import_plan *p)
{
	struct json_object *define;
	int r;

	if (p->define_file.len == 0 || p->pipeline_file.len == 0)
		return err_set(ERR_FORMAT,
		    "this is no archive of a model: it has neither " MODEL_ARCHIVE_MANIFEST
		    " nor both of " MODEL_ARCHIVE_DEFINE " and " PIPELINE_PATH);
	if ((r = yaml_parse(
		 p->define_file.data, p->define_file.len, &define)) != 0)
		return err_wrap(MODEL_ARCHIVE_DEFINE);
	json_object_object_foreach(p->members, name, nothing)
	{
		const char *parts[3];

		(void)nothing;
		if (r == 0 && split_path(p, name, parts))
			r = plan_classic(p, define, name, parts);
	}
	json_object_put(define);
	p->n_model = p->n_items;
	return r;
}

/* --- the pipeline message -------------------------------------------------------------- */

/* A document of the pipeline: a JSON object, as text in the arena. */
static int
document(struct import_plan *p, const char *name,
    const ProtobufCBinaryData *data, const char **out,
    struct json_object **object)
{
	struct json_object *o;
	int r;

	*out = "{}";
	if (object != NULL)
		*object = NULL;
	if (data->len == 0)
		return 0;
	if ((r = json_parse((const char *)data->data, data->len,
		 IMPORT_TEXT_MAX, &o)) != 0)
		return err_wrap("%s of the pipeline", name);
	if (!json_is_object(o)) {
		json_object_put(o);
		return err_set(
		    ERR_FORMAT, "%s of the pipeline is no object", name);
	}
	*out = arena_strndup(p->arena, (const char *)data->data, data->len);
	if (object != NULL)
		*object = o;
	else
		json_object_put(o);
	return 0;
}

/* {"guest": [9999], …}; ids as numbers or texts. */
static bool
is_member(struct json_object *roles, const struct db_model_key *k)
{
	struct json_object *list = json_get(roles, k->role);
	size_t n = json_is_array(list) ? json_object_array_length(list) : 0;
	char party[JSON_PARTY_SIZE];

	for (size_t i = 0; i < n; i++)
		if (json_party_id(json_object_array_get_idx(list, i), party) &&
		    str_eq(party, k->party_id))
			return true;
	return false;
}

static int
take_initiator(struct import_plan *p, struct json_object *conf,
    const Sluice__Model__Pipeline *pb)
{
	struct json_object *o = json_get(conf, "initiator");
	char party[JSON_PARTY_SIZE];

	p->model.initiator_role = json_get_str(o, "role", pb->initiator_role);
	if (!str_is_name(p->model.initiator_role, 20))
		return err_set(ERR_FORMAT, "the pipeline names no initiator");
	p->model.initiator_role =
	    arena_strdup(p->arena, p->model.initiator_role);
	if (json_party_id(json_get(o, "party_id"), party))
		p->model.initiator_party = arena_strdup(p->arena, party);
	else
		p->model.initiator_party =
		    arena_printf(p->arena, "%d", pb->initiator_party_id);
	return 0;
}

static int
take_roles(struct import_plan *p, struct json_object *conf,
    const Sluice__Model__Pipeline *pb)
{
	struct json_object *roles = json_get(conf, "role"), *own = NULL;
	int r = 0;

	if (roles == NULL) {
		if ((r = document(
			 p, "roles", &pb->roles, &p->model.roles, &own)) != 0)
			return r;
		roles = own;
	} else {
		p->model.roles = arena_strdup(p->arena, json_text(roles));
	}
	if (!is_member(roles, &p->key))
		r = err_set(ERR_DENIED,
		    "party %.20s is not %.20s in the training of this model: "
		    "%.500s",
		    p->key.party_id, p->key.role, p->model.roles);
	json_object_put(own);
	return r;
}

static int
take_parent(struct import_plan *p, const Sluice__Model__Pipeline *pb)
{
	struct json_object *info = NULL;
	const char *version;
	int r;

	p->model.is_parent = pb->parent;
	if ((r = document(p, "parent_info", &pb->parent_info,
		 &p->model.parent_info, &info)) != 0)
		return r;
	version = json_get_str(json_path_get(p->manifest, "manifest", "parent"),
	    "model_version", json_get_str(info, "parent_model_version", NULL));
	if (!pb->parent && version != NULL)
		p->model.parent_version = arena_strdup(p->arena, version);
	json_object_put(info);
	p->model.job_id = p->model.parent_version != NULL
			      ? p->model.parent_version
			      : p->key.model_version;
	if (strlen(p->model.job_id) > 25)
		return err_set(ERR_FORMAT, "version '%.100s' is no job's id",
		    p->model.job_id);
	return 0;
}

static int
take_documents(struct import_plan *p, const Sluice__Model__Pipeline *pb)
{
	struct json_object *conf = NULL;
	struct db_model *m = &p->model;
	int r;

	if ((r = document(
		 p, "train_dsl", &pb->train_dsl, &m->train_dsl, NULL)) != 0 ||
	    (r = document(p, "inference_dsl", &pb->inference_dsl,
		 &m->inference_dsl, NULL)) != 0 ||
	    (r = document(p, "runtime_conf_on_party",
		 &pb->runtime_conf_on_party, &m->runtime_conf_on_party,
		 NULL)) != 0 ||
	    (r = document(p, "train_runtime_conf", &pb->train_runtime_conf,
		 &m->train_runtime_conf, &conf)) != 0)
		return r;
	if ((r = take_roles(p, conf, pb)) == 0)
		r = take_initiator(p, conf, pb);
	json_object_put(conf);
	return r == 0 ? take_parent(p, pb) : r;
}

static int
take_pipeline(struct import_plan *p)
{
	Sluice__Model__Pipeline *pb = sluice__model__pipeline__unpack(NULL,
	    p->pipeline_file.len, (const uint8_t *)buf_str(&p->pipeline_file));
	struct db_model *m = &p->model;
	int r;

	if (pb == NULL)
		return err_set(
		    ERR_FORMAT, "member %s is no pipeline", PIPELINE_PATH);
	m->model_id = p->key.model_id;
	m->model_version = p->key.model_version;
	m->role = p->key.role;
	m->party_id = p->key.party_id;
	m->imported = true;
	r = check_key(
	    p, pb->model_id, pb->model_version, p->key.role, p->key.party_id);
	if (r == 0)
		r = take_documents(p, pb);
	sluice__model__pipeline__free_unpacked(pb, NULL);
	return r;
}

/* The pipeline was read before it is compared: so it is compared now. */
static int
check_pipeline(const struct import_plan *p)
{
	const struct import_buffer *b = import_plan_find(p, PIPELINE_PATH);
	unsigned char found[DB_HASH_SIZE];
	char want[2 * DB_HASH_SIZE + 1], have[2 * DB_HASH_SIZE + 1];
	int r;

	if (b == NULL || !b->is_known)
		return 0;
	if ((r = digest_memory(buf_str(&p->pipeline_file), p->pipeline_file.len,
		 found)) != 0 ||
	    memcmp(found, b->sha256, DB_HASH_SIZE) == 0)
		return r;
	str_to_hex(b->sha256, DB_HASH_SIZE, want);
	str_to_hex(found, DB_HASH_SIZE, have);
	return err_set(ERR_FORMAT,
	    "member %s is not what the manifest says: expected SHA-256 %s, "
	    "found %s",
	    PIPELINE_PATH, want, have);
}

int
import_plan_resolve(struct import_plan *p)
{
	int r =
	    p->manifest_file.len > 0 ? resolve_manifest(p) : resolve_classic(p);

	if (r != 0 || (r = check_pipeline(p)) != 0)
		return r;
	return take_pipeline(p);
}

int
import_plan_complete(const struct import_plan *p)
{
	for (size_t i = 0; i < p->n_items; i++)
		if (!p->items[i].is_here)
			return err_set(ERR_FORMAT, "member %s is missing",
			    p->items[i].path);
	return 0;
}

/* --- rows ------------------------------------------------------------------------- */

static void
fill_parts(struct import_plan *p)
{
	p->parts = arena_alloc(p->arena, (p->n_model + 1) * sizeof(*p->parts));
	p->n_parts = p->n_model;
	for (size_t i = 0; i < p->n_model; i++) {
		const struct import_buffer *b = &p->items[i];

		p->parts[i] = (struct db_model_part){
			.model_id = p->key.model_id,
			.model_version = p->key.model_version,
			.role = p->key.role,
			.party_id = p->key.party_id,
			.component = b->component,
			.alias = b->alias,
			.buffer_name = b->name,
			.message = b->message,
			.module = b->module,
			.version = b->version,
			.bytes = b->bytes,
		};
		memcpy(p->parts[i].sha256, b->sha256, DB_HASH_SIZE);
		p->model.size_bytes += b->bytes;
	}
}

static void
fill_checkpoints(struct import_plan *p)
{
	for (size_t i = 0; i < p->n_checkpoints; i++) {
		struct import_checkpoint *c = &p->checkpoints[i];

		c->parts =
		    arena_alloc(p->arena, (c->n_parts + 1) * sizeof(*c->parts));
		for (size_t k = 0; k < c->n_parts; k++) {
			const struct import_buffer *b = &p->items[c->first + k];

			c->parts[k] =
			    (struct db_checkpoint_part){ .buffer_name = b->name,
				    .message = b->message,
				    .bytes = b->bytes };
			memcpy(c->parts[k].sha256, b->sha256, DB_HASH_SIZE);
		}
	}
}

int
import_plan_rows(struct import_plan *p)
{
	struct model_manifest m = { .key = p->key,
		.parent_version = p->model.parent_version };
	struct buf text = BUF_INIT;
	int r;

	fill_parts(p);
	fill_checkpoints(p);
	if (p->manifest != NULL)
		return 0;
	m.parts = p->parts;
	m.n = p->n_parts;
	if ((r = model_manifest_text(&m, &text, p->model.manifest_hash)) == 0)
		p->model.manifest = arena_strdup(p->arena, buf_str(&text));
	buf_fini(&text);
	return r;
}
