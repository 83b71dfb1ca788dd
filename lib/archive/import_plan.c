/*
 * Called by model_import.c.
 */
#include "lib/archive/import_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/model_object.h"
#include "lib/model/model_version.h"
#include "lib/wire/check.h"

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

/* The number of members bounds the number of buffers. */
struct import_buffer *
import_new_buffer(struct import_plan *p, const char *path)
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
int
import_add_known(struct import_plan *p, const char *path, int64_t bytes,
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
	b = import_new_buffer(p, path);
	b->is_known = true;
	b->bytes = bytes;
	memcpy(b->sha256, sha256, DB_HASH_SIZE);
	*out = b;
	return 0;
}

int
import_check_names(const char *component, const char *alias, const char *buffer)
{
	if (wire_is_path_part(component, NAME_MAX_) &&
	    wire_is_path_part(alias, NAME_MAX_) &&
	    wire_is_path_part(buffer, NAME_MAX_))
		return 0;
	return err_set(ERR_FORMAT,
	    "'%.100s/%.100s/%.100s' can be no component, alias and buffer",
	    component, alias, buffer);
}

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

int
import_check_key(const struct import_plan *p, const char *model_id,
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

int
import_plan_resolve(struct import_plan *p)
{
	int r =
	    p->manifest_file.len > 0 ? import_manifest(p) : import_classic(p);

	if (r != 0 || (r = import_check_pipeline(p)) != 0)
		return r;
	return import_pipeline(p);
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
