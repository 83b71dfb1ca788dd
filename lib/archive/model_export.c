/*
 * From rows and files to an archive.  Called by fcgi-app (export) and by the
 * program that fills the model store.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/archive/model_archive.h"
#include "lib/archive/yaml.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/model_object.h"
#include "lib/model/model_version.h"
#include "lib/wire/messages.h"
#include "lib/wire/pbjson.h"

int
model_export_load(struct db *db, struct arena *a,
    const struct db_model_key *key, struct model_export *e)
{
	int r;

	memset(e, 0, sizeof(*e));
	if ((r = db_model_get(db, a, key, &e->model)) != 0 ||
	    (r = db_model_part_sealed(
		 db, a, key, NULL, &e->parts, &e->n_parts)) != 0 ||
	    (r = db_checkpoint_list(db, a, key->model_id, key->model_version,
		 key->role, key->party_id, NULL, &e->checkpoints,
		 &e->n_checkpoints)) != 0)
		return r;
	return db_checkpoint_parts(db, a, key->model_id, key->model_version,
	    key->role, key->party_id, NULL, &e->checkpoint_parts,
	    &e->n_checkpoint_parts);
}

char *
model_archive_name(const struct db_model_key *k)
{
	return xasprintf("%s#%s#%s_%s.zip", k->role, k->party_id, k->model_id,
	    k->model_version);
}

/* --- members ------------------------------------------------------------------- */

struct writing {
	const struct site_conf *conf;
	const struct model_export *e;
	struct archive_out *out;
	struct buf data; /* of the buffer at hand */
};

static int
put(struct writing *w, const char *name, const void *data, size_t len)
{
	int r;

	if ((r = archive_check(w->out)) != 0 ||
	    (r = archive_member(w->out, name, len)) != 0)
		return r;
	return archive_write(w->out, data, len);
}

/* Takes over the object. */
static int
put_json(struct writing *w, const char *name, struct json_object *o)
{
	const char *text = json_text(o);
	int r = put(w, name, text, strlen(text));

	json_object_put(o);
	return r;
}

/*
 * A buffer, and for readers what is in it, when its message is known and its
 * text not out of all proportion.
 */
static int
put_buffer(struct writing *w, const struct db_model_part *p, const char *name,
    const char *json_name)
{
	const ProtobufCMessageDescriptor *d = messages_find(p->message);
	struct json_object *o = NULL;
	int r;

	buf_clear(&w->data);
	if ((r = model_object_read(w->conf, p, MODEL_OBJECT_MAX, &w->data)) !=
		0 ||
	    (r = put(w, name, buf_str(&w->data), w->data.len)) != 0)
		return r;
	if (d == NULL ||
	    pbjson_unpack(d, buf_str(&w->data), w->data.len, &o) != 0) {
		err_clear();
		return 0;
	}
	return put_json(w, json_name, o);
}

static int
put_part(struct writing *w, const struct db_model_part *p)
{
	char *name = xasprintf(MODEL_ARCHIVE_DATA "/%s/%s/%s", p->component,
	    p->alias, p->buffer_name);
	char *json_name = xasprintf("%s.json", name);
	int r = put_buffer(w, p, name, json_name);

	free(json_name);
	free(name);
	return r;
}

/* --- manifest.json ------------------------------------------------------------- */

static void
add_hash(struct json_object *o, const char *key, const unsigned char hash[])
{
	char hex[2 * DB_HASH_SIZE + 1];

	str_to_hex(hash, DB_HASH_SIZE, hex);
	json_add_str(o, key, hex);
}

static struct json_object *
checkpoint_json(const struct model_export *e, const struct db_checkpoint *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array(), *b;

	json_add_str(o, "component", c->component);
	json_add_int(o, "step_index", c->step_index);
	json_add_str(o, "step_name", c->step_name);
	json_add_int(o, "version", c->version);
	for (size_t i = 0; i < e->n_checkpoint_parts; i++) {
		const struct db_checkpoint_part *p = &e->checkpoint_parts[i];

		if (p->checkpoint_id != c->id)
			continue;
		b = json_object_new_object();
		json_add_str(b, "name", p->buffer_name);
		json_add_str(b, "message", p->message);
		json_add_int(b, "bytes", p->bytes);
		add_hash(b, "sha256", p->sha256);
		json_object_array_add(list, b);
	}
	json_add(o, "buffers", list);
	return o;
}

static int
put_manifest(struct writing *w)
{
	struct json_object *o = json_object_new_object(), *manifest = NULL,
			   *members = NULL;
	struct json_object *list = json_object_new_array();
	const struct model_export *e = w->e;
	int r;

	json_add_int(o, "form", 1);
	r = json_parse_text(e->model->manifest, &manifest);
	json_add(o, "manifest", manifest);
	if (model_root_is_known(e->model->root_hash))
		add_hash(o, "root", e->model->root_hash);
	if (r == 0 && e->model->members != NULL) {
		r = json_parse_text(e->model->members, &members);
		json_add(o, "members", members);
	}
	for (size_t i = 0; i < e->n_checkpoints; i++)
		json_object_array_add(
		    list, checkpoint_json(e, &e->checkpoints[i]));
	json_add(o, "checkpoints", list);
	if (r != 0) {
		json_object_put(o);
		return err_wrap("manifest of the version");
	}
	return put_json(w, MODEL_ARCHIVE_MANIFEST, o);
}

/* --- for readers --------------------------------------------------------------- */

/* The object below a key, made when it is not there; borrowed. */
static struct json_object *
below(struct json_object *o, const char *key)
{
	struct json_object *b = json_get(o, key);

	if (b == NULL) {
		b = json_object_new_object();
		json_add(o, key, b);
	}
	return b;
}

static int
put_define(struct writing *w)
{
	struct json_object *o = json_object_new_object(), *define, *proto, *c;
	struct buf text = BUF_INIT;
	int r;

	define = below(o, "component_define");
	proto = below(o, "model_proto");
	for (size_t i = 0; i < w->e->n_parts; i++) {
		const struct db_model_part *p = &w->e->parts[i];

		c = below(define, p->component);
		json_add_str(c, "module_name", p->module);
		c = below(below(proto, p->component), p->alias);
		json_add_str(c, p->buffer_name, p->message);
	}
	yaml_write(o, &text);
	r = put(w, MODEL_ARCHIVE_DEFINE, buf_str(&text), text.len);
	buf_fini(&text);
	json_object_put(o);
	return r;
}

/* What the classic clients take as configuration of an import. */
static int
put_import(struct writing *w)
{
	const struct db_model *m = w->e->model;
	const struct db_model_key key = { m->model_id, m->model_version,
		m->role, m->party_id };
	struct json_object *o = json_object_new_object();
	char *file = model_archive_name(&key);
	int64_t party = 0;

	(void)str_to_int64(m->party_id, 0, INT64_MAX, &party);
	json_add_str(o, "role", m->role);
	json_add_int(o, "party_id", party);
	json_add_str(o, "model_id", m->model_id);
	json_add_str(o, "model_version", m->model_version);
	json_add_str(o, "file", file);
	json_add_bool(o, "force_update", false);
	free(file);
	return put_json(w, MODEL_ARCHIVE_IMPORT, o);
}

/* This member's parameters of each component that left a model. */
static int
put_run_parameters(struct writing *w)
{
	struct json_object *conf = NULL, *common, *own;
	const char *last = "";
	char *name;
	int r = json_parse_text(w->e->model->train_runtime_conf, &conf);

	common = json_path_get(conf, "component_parameters", "common");
	for (size_t i = 0; r == 0 && i < w->e->n_parts; i++) {
		const char *component = w->e->parts[i].component;

		/* They come in the order of their components. */
		if (str_eq(component, last) || str_eq(component, "pipeline"))
			continue;
		last = component;
		own = json_get(common, component);
		name = xasprintf(
		    "run_parameters/%s/run_parameters.json", component);
		r = put_json(w, name,
		    own != NULL ? json_copy(own) : json_object_new_object());
		free(name);
	}
	json_object_put(conf);
	return r;
}

/* --- checkpoints ---------------------------------------------------------------- */

/* Its file as that of a part, for reading. */
static struct db_model_part
file_of(const struct db_checkpoint *c, const struct db_checkpoint_part *p)
{
	struct db_model_part file = { .component = c->component,
		.alias = "checkpoint",
		.buffer_name = p->buffer_name,
		.message = p->message,
		.bytes = p->bytes };

	memcpy(file.sha256, p->sha256, sizeof(file.sha256));
	return file;
}

static int
put_checkpoint(struct writing *w, const struct db_checkpoint *c)
{
	struct db_model_part file;
	char *stem, *name, *json_name;
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->e->n_checkpoint_parts; i++) {
		if (w->e->checkpoint_parts[i].checkpoint_id != c->id)
			continue;
		file = file_of(c, &w->e->checkpoint_parts[i]);
		stem = xasprintf("checkpoint/%s/%lld#%s/%s", c->component,
		    (long long)c->step_index, c->step_name, file.buffer_name);
		name = xasprintf("%s.pb", stem);
		json_name = xasprintf("%s.json", stem);
		r = put_buffer(w, &file, name, json_name);
		free(json_name);
		free(name);
		free(stem);
	}
	return r;
}

int
model_export_check(const struct site_conf *conf, const struct model_export *e)
{
	struct db_model_part file;
	int r = 0;

	for (size_t i = 0; r == 0 && i < e->n_parts; i++)
		r = model_object_check(conf, &e->parts[i]);
	for (size_t i = 0; r == 0 && i < e->n_checkpoints; i++) {
		for (size_t k = 0; r == 0 && k < e->n_checkpoint_parts; k++) {
			if (e->checkpoint_parts[k].checkpoint_id !=
			    e->checkpoints[i].id)
				continue;
			file = file_of(
			    &e->checkpoints[i], &e->checkpoint_parts[k]);
			r = model_object_check(conf, &file);
		}
	}
	return r;
}

int
model_export_write(const struct site_conf *conf, const struct model_export *e,
    struct archive_out *out)
{
	struct writing w = { .conf = conf, .e = e, .out = out };
	int r;

	/* No time of a row: what comes back makes the same bytes. */
	archive_set_time(out, ARCHIVE_EPOCH_S);
	if ((r = put_manifest(&w)) != 0 || (r = put_define(&w)) != 0 ||
	    (r = put_import(&w)) != 0)
		goto out;
	for (size_t i = 0; r == 0 && i < e->n_parts; i++)
		r = put_part(&w, &e->parts[i]);
	if (r == 0)
		r = put_run_parameters(&w);
	for (size_t i = 0; r == 0 && i < e->n_checkpoints; i++)
		r = put_checkpoint(&w, &e->checkpoints[i]);
out:
	buf_fini(&w.data);
	return r;
}
