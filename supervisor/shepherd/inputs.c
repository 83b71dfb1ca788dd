/*
 * Inputs of a task, from rows to folders.  Called once by attempt.c before the
 * sandbox is made.
 */
#include "supervisor/shepherd/inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/resolve.h"
#include "lib/db/db_model.h"
#include "lib/db/db_table.h"
#include "lib/model/model_object.h"
#include "lib/wire/frame.h"
#include "supervisor/shepherd/caches.h"
#include "supervisor/shepherd/model_loader.h"
#include "supervisor/shepherd/stored.h"
#include "supervisor/shepherd/upstream.h"

#define MAX_MODELS 1000 /* parts of models for one task */

struct resolver {
	struct arena *arena;
	struct db *db;
	const struct site_conf *conf;
	const struct subject *subject;
	struct inputs *out;
	size_t model_bytes;
	struct stored *stored; /* the version it uses, once opened */
};

static char *
text(struct arena *a, const char *s)
{
	return arena_strdup(a, s != NULL ? s : "");
}

static void
add_bind(struct resolver *v, const char *outside, const char *inside)
{
	v->out->binds[v->out->n_binds].outside = outside;
	v->out->binds[v->out->n_binds++].inside = inside;
}

static Sluice__Executor__InputTable *
new_table(struct resolver *v, const struct db_table *t, const char *data_key,
    const char *component, const char *data_name)
{
	Sluice__Executor__InputTable *in = arena_alloc(v->arena, sizeof(*in));

	sluice__executor__input_table__init(in);
	in->data_key = text(v->arena, data_key);
	in->component = text(v->arena, component);
	in->data_name = text(v->arena, data_name);
	in->path = text(v->arena, "");
	in->schema_json = text(v->arena, t->schema_json);
	in->rows = (uint64_t)t->row_count;
	in->partitions = (uint32_t)t->partitions;
	in->table_namespace = text(v->arena, t->table_namespace);
	in->table_name = text(v->arena, t->name);
	in->id_delimiter = text(v->arena, t->id_delimiter);
	in->engine = text(v->arena, t->engine);
	v->out->tables[v->out->n_tables++] = in;
	return in;
}

/* Only a Reader takes in what is kept outside. */
static int
add_outside(struct resolver *v, const struct db_table *t)
{
	Sluice__Executor__InputTable *in = new_table(v, t, "data", "", "");

	in->is_text = true;
	/* A server's text begins with its names. */
	in->have_head = t->have_head || str_eq(t->engine, "MYSQL");
	in->extend_sid = t->extend_sid;
	in->auto_increasing_sid = t->auto_increasing_sid;
	v->out->outside = t;
	return 0;
}

static int
add_table(struct resolver *v, const struct db_table *t, const char *data_key,
    const char *component, const char *data_name)
{
	Sluice__Executor__InputTable *in;
	const struct db_table *own;
	char *path, *outside;
	struct stat st;
	int r;

	if (t->disabled)
		return err_set(ERR_DENIED, "table %s %s is disabled",
		    t->table_namespace, t->name);
	r = data_resolve(v->db, v->arena, t, &own);
	if (r == ERR_UNSUPPORTED && str_eq(v->subject->module->name, "Reader"))
		return add_outside(v, t);
	if (r != 0)
		return r;
	path = site_path(v->conf, "%s/%s", SITE_TABLES, own->folder);
	outside = arena_strdup(v->arena, path);
	free(path);
	if (stat(outside, &st) != 0 || !S_ISDIR(st.st_mode))
		return err_set_errno(ERR_NOT_FOUND, "data of table %s %s",
		    t->table_namespace, t->name);
	in = new_table(v, t, data_key, component, data_name);
	in->path = arena_printf(v->arena, "/in/%zu", v->out->n_tables - 1);
	add_bind(v, outside, in->path);
	return 0;
}

/* The table that a component of a job left at this member. */
static int
find_output(struct resolver *v, const char *job_id, const char *component,
    const char *data_name, struct db_table **out)
{
	const struct db_task_key *key = subject_key(v->subject);
	struct db_output *rows;
	size_t n;
	int r;

	*out = NULL;
	r = db_output_newest(v->db, v->arena, job_id, component, key->role,
	    key->party_id, data_name, &rows, &n);
	if (r != 0 || n == 0)
		return r == 0 ? ERR_NOT_FOUND : r;
	return db_table_get(
	    v->db, v->arena, rows[0].table_namespace, rows[0].name, out);
}

/*
 * Which version of an upstream component counts for this member: its newest,
 * which must have succeeded.  What an older one left is of another run.  -1
 * when this member does not run it.
 */
static int
version_of(struct resolver *v, const char *from, int64_t *out)
{
	const struct db_task_key *key = subject_key(v->subject);

	return upstream_version(
	    v->db, v->arena, key->job_id, from, key->role, key->party_id, out);
}

static int
add_output(
    struct resolver *v, const struct dsl_ref *ref, const struct db_output *o)
{
	struct db_table *t;
	int r;

	r = db_table_get(v->db, v->arena, o->table_namespace, o->name, &t);
	if (r == ERR_NOT_FOUND)
		return err_set(r,
		    "the output %s of %s is not there any more; run %s again",
		    o->data_name, o->key.component, o->key.component);
	return r != 0 ? r
		      : add_table(v, t, ref->key, o->key.component, ref->name);
}

static int
resolve_data(struct resolver *v, const struct dsl_ref *ref)
{
	struct db_task_key key = *subject_key(v->subject);
	struct db_output *rows;
	size_t i, n;
	int r;

	key.component = v->subject->dsl->components[ref->from].name;
	if ((r = version_of(v, key.component, &key.version)) != 0 ||
	    key.version < 0 ||
	    (r = db_output_list(v->db, v->arena, &key, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if (str_eq(rows[i].data_name, ref->name))
			return add_output(v, ref, &rows[i]);
	return 0; /* it makes none for this member */
}

static int
check_origin(struct resolver *v, const struct db_table *t)
{
	const struct db_job *job = v->subject->job;

	return job->is_initiator ? 0
				 : data_check_reader(v->db, v->arena, t,
				       job->initiator_party);
}

/*
 * {"name","namespace"} or {"job_id","component_name","data_name"}: a
 * Reader's parameter table, or the parameters of those who write one.
 */
static int
resolve_named(struct resolver *v, struct json_object *p)
{
	const char *space = json_get_str(p, "namespace", NULL);
	const char *name = json_get_str(p, "name", NULL);
	const char *job = json_get_str(p, "job_id", NULL);
	const char *party = subject_key(v->subject)->party_id;
	struct db_table *t;
	int r;

	if (name != NULL && space != NULL) {
		r = db_table_get(v->db, v->arena, space, name, &t);
		if (r == 0)
			r = check_origin(v, t);
		if (r == ERR_NOT_FOUND)
			r = err_set(r, "party %s has no table %s %s", party,
			    space, name);
	} else if (job != NULL) {
		name = json_get_str(p, "component_name", "");
		space = json_get_str(p, "data_name", "");
		r = find_output(v, job, name, space, &t);
		if (r == 0)
			r = check_origin(v, t);
		if (r == ERR_NOT_FOUND)
			r = err_set(r,
			    "party %s has no output %s of %s in "
			    "job %s",
			    party, space, name, job);
	} else {
		return err_set(ERR_INVALID,
		    "the parameter table names neither "
		    "name and namespace nor an output of a job");
	}
	return r != 0 ? r : add_table(v, t, "data", "", "");
}

/* --- models ------------------------------------------------------------------ */

static int
read_buffer(struct resolver *v, const struct db_model_part *p,
    Sluice__Executor__NamedBuffer **out)
{
	Sluice__Executor__NamedBuffer *b;
	struct buf content = BUF_INIT;
	int r;

	if ((r = model_object_read(
		 v->conf, p, FRAME_MAX - v->model_bytes, &content)) != 0)
		goto out;
	v->model_bytes += content.len;
	b = arena_alloc(v->arena, sizeof(*b));
	sluice__executor__named_buffer__init(b);
	b->name = text(v->arena, p->buffer_name);
	b->message = text(v->arena, p->message);
	b->content.len = content.len;
	b->content.data = arena_alloc(v->arena, content.len + 1);
	memcpy(b->content.data, buf_str(&content), content.len);
	*out = b;
out:
	buf_fini(&content);
	return r;
}

static int
add_model(struct resolver *v, enum dsl_ref_kind kind, const char *component,
    const char *alias, const struct db_model_part *const *parts, size_t n)
{
	Sluice__Executor__InputModel *m;
	size_t i;
	int r;

	if (n > MAX_MODELS)
		return err_set(ERR_LIMIT, "model %s.%s has %zu parts",
		    component, alias, n);
	m = arena_alloc(v->arena, sizeof(*m));
	sluice__executor__input_model__init(m);
	m->kind = text(v->arena, dsl_kind_name(kind));
	m->component = text(v->arena, component);
	m->alias = text(v->arena, alias);
	m->buffers = arena_alloc(v->arena, n * sizeof(*m->buffers));
	for (i = 0; i < n; i++)
		if ((r = read_buffer(v, parts[i], &m->buffers[i])) != 0)
			return r;
	m->n_buffers = n;
	v->out->models[v->out->n_models++] = m;
	return 0;
}

/* A model that an upstream component of this job made. */
static int
resolve_model(struct resolver *v, const struct dsl_ref *ref)
{
	const struct db_task_key *key = subject_key(v->subject);
	const char *from = v->subject->dsl->components[ref->from].name;
	const struct db_model_part **parts;
	struct db_model_part *rows;
	int64_t version;
	size_t n, i, kept = 0;
	int r;

	r = db_model_part_newest(v->db, v->arena, NULL, key->job_id, key->role,
	    key->party_id, from, ref->name, &rows, &n);
	if (r != 0 || n == 0 || (r = version_of(v, from, &version)) != 0)
		return r;
	parts = arena_alloc(v->arena, n * sizeof(const struct db_model_part *));
	for (i = 0; i < n; i++)
		if (rows[i].version == version)
			parts[kept++] = &rows[i];
	return kept == 0
		   ? 0
		   : add_model(v, ref->kind, from, ref->name, parts, kept);
}

/* A model of the version that a predict job uses. */
static int
resolve_stored(struct resolver *v, const struct dsl_stored *s)
{
	const struct db_task_key *key = subject_key(v->subject);
	const struct db_job *job = v->subject->job;
	const struct db_model_key version = { .model_id = job->model_id,
		.model_version = job->model_version,
		.role = key->role,
		.party_id = key->party_id };
	const struct db_model_part **parts;
	size_t n;
	int r;

	if (v->stored == NULL &&
	    ((r = stored_open(v->arena, v->db, &version, &v->stored)) != 0 ||
		(r = stored_check_contract(v->stored, job->contract)) != 0))
		return r;
	stored_parts(v->arena, v->stored, s->component, s->alias, &parts, &n);
	return n == 0 ? 0
		      : add_model(v, s->kind, s->component, s->alias, parts, n);
}

static int
resolve_loader(struct resolver *v)
{
	const struct db_model_part **parts;
	size_t n;
	int r;

	r = model_loader_parts(v->arena, v->db, v->subject, &parts, &n);
	return r != 0 || n == 0
		   ? r
		   : add_model(v, DSL_REF_MODEL, parts[0]->component,
			 parts[0]->alias, parts, n);
}

static int
resolve_file(struct resolver *v)
{
	char *path = site_path(v->conf, "%s/upload/%s.csv", SITE_SPOOL,
	    subject_key(v->subject)->job_id);
	const char *outside = arena_strdup(v->arena, path);
	struct stat st;

	free(path);
	if (lstat(outside, &st) != 0)
		return errno == ENOENT
			   ? err_set(ERR_NOT_FOUND,
				 "the uploaded file is gone: it is removed "
				 "when its job ends; upload it again")
			   : err_set_errno(ERR_IO, "the uploaded file");
	if (!S_ISREG(st.st_mode))
		return err_set(ERR_FORMAT, "the upload is no plain file");
	v->out->file_outside = outside;
	v->out->file = "/in/file";
	add_bind(v, outside, v->out->file);
	return 0;
}

/* ref NULL: what a CacheLoader's parameters say. */
static int
resolve_cache(struct resolver *v, const struct dsl_ref *ref)
{
	const char *from =
	    ref != NULL ? v->subject->dsl->components[ref->from].name : "";
	struct db_table t = { .engine = "STANDALONE", .partitions = 1 };
	struct db_cache *c;
	int r;

	r = caches_find(v->db, v->arena, v->subject, from,
	    ref != NULL ? ref->name : NULL, &c);
	if (r == ERR_NOT_FOUND && ref != NULL)
		return 0;
	if (r != 0)
		return r;
	t.table_namespace = "cache";
	t.name = c->cache_key;
	t.folder = c->folder;
	t.schema_json = c->meta_json;
	t.row_count = c->row_count;
	return add_table(v, &t, "cache", from, c->cache_name);
}

static int
resolve_ref(struct resolver *v, const struct dsl_ref *ref)
{
	switch (ref->kind) {
	case DSL_REF_DATA:
		return resolve_data(v, ref);
	case DSL_REF_MODEL:
	case DSL_REF_ISOMETRIC:
		return resolve_model(v, ref);
	case DSL_REF_CACHE:
		return resolve_cache(v, ref);
	}
	return 0;
}

int
inputs_resolve(struct arena *arena, struct db *db, const struct site_conf *conf,
    const struct subject *subject, struct inputs *out)
{
	const struct dsl_component *c = subject->component;
	struct resolver v = { .arena = arena,
		.db = db,
		.conf = conf,
		.subject = subject,
		.out = out };
	size_t room = c->n_refs + c->n_stored + 1, i;
	int r = 0;

	memset(out, 0, sizeof(*out));
	out->file = "";
	out->tables = arena_alloc(arena, room * sizeof(*out->tables));
	out->models = arena_alloc(arena, room * sizeof(*out->models));
	out->binds = arena_alloc(arena, (room + 1) * sizeof(*out->binds));
	if (str_eq(subject->module->name, "Reader"))
		r = resolve_named(&v, json_get(subject->parameters, "table"));
	else if (str_eq(subject->module->name, "Download") ||
		 (str_eq(subject->module->name, "Writer") &&
		     json_get(subject->parameters, "name") != NULL))
		r = resolve_named(&v, subject->parameters);
	else if (str_eq(subject->module->name, "Upload"))
		r = resolve_file(&v);
	else if (str_eq(subject->module->name, "ModelLoader"))
		r = resolve_loader(&v);
	else if (str_eq(subject->module->name, "CacheLoader"))
		r = resolve_cache(&v, NULL);
	for (i = 0; r == 0 && i < c->n_refs; i++)
		r = resolve_ref(&v, &c->refs[i]);
	for (i = 0; r == 0 && i < c->n_stored; i++)
		r = resolve_stored(&v, &c->stored[i]);
	return r == 0 ? 0 : err_wrap("inputs of %s", c->name);
}
