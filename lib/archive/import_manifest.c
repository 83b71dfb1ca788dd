/*
 * An archive that has a manifest: buffers and checkpoints as it names them, and
 * the root that all members sealed.
 */
#include "lib/archive/import_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/json/decode.h"
#include "lib/model/model_version.h"
#include "lib/sign/digest.h"
#include "lib/wire/check.h"

static int
plan_part(struct import_plan *p, const struct db_model_part *part)
{
	struct import_buffer *b;
	char *path;
	int r;

	if ((r = import_check_names(
		 part->component, part->alias, part->buffer_name)) != 0)
		return r;
	path = xasprintf(MODEL_ARCHIVE_DATA "/%s/%s/%s", part->component,
	    part->alias, part->buffer_name);
	r = import_add_known(p, path, part->bytes, part->sha256, &b);
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
	if ((r = import_check_key(p, json_get_str(manifest, "model_id", ""),
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
	r = import_add_known(p, path, f.bytes, sha256, &b);
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

int
import_manifest(struct import_plan *p)
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
