/*
 * Tables and models of one task.  The executor's folder is hostile ground:
 * names are one path part (checked on the wire), nothing is followed through
 * a link, and only plain files with a single name count.
 */
#include "supervisor/shepherd/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/engine/standalone_check.h"
#include "lib/model/model_object.h"

#define MAX_TABLES 100
#define MAX_PARTS 200
#define MAX_FILES 64 /* of one table */
#define FOLDER_SIZE (2 + 1 + ID_RANDOM_SIZE)

struct output {
	struct output_row row;
	const char *folder;	  /* below /out */
	char sealed[FOLDER_SIZE]; /* "" until moved */
};

struct outputs {
	const struct site_conf *conf;
	const struct subject *subject;
	const char *out_dir;
	struct arena *arena;
	struct output tables[MAX_TABLES];
	size_t n_tables;
	struct output_row *rows; /* of those that are kept */
	size_t n_rows;
	struct db_model_part parts[MAX_PARTS];
	size_t n_parts;
	char *summary; /* owned */
};

struct outputs *
outputs_new(const struct site_conf *conf, const struct subject *subject,
    const char *out_dir)
{
	/* Most tasks use few of the tables and parts: pages for nothing. */
	struct outputs *o = xmalloc(sizeof(*o));

	o->conf = conf;
	o->subject = subject;
	o->out_dir = out_dir;
	o->arena = arena_new();
	o->rows = NULL;
	o->n_tables = o->n_rows = o->n_parts = 0;
	o->summary = NULL;
	return o;
}

void
outputs_free(struct outputs *o)
{
	if (o == NULL)
		return;
	arena_free(o->arena);
	free(o->summary);
	free(o);
}

void
outputs_summary(struct outputs *o, const Sluice__Executor__Summary *m)
{
	free(o->summary);
	o->summary = xstrdup(m->json);
}

const char *
outputs_summary_json(const struct outputs *o)
{
	return o->summary;
}

/* --- tables ------------------------------------------------------------------- */

/* Place among the names of the DSL, -1 when it is none of them. */
static int
position_of(const struct dsl_component *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_out_data; i++)
		if (str_eq(c->out_data[i], name))
			return (int)i;
	return -1;
}

/* The platform's form: the folder is what counts here. */
static const char *
address_json(struct arena *a, const char *space, const char *name)
{
	struct json_object *o = json_object_new_object();
	const char *text;

	json_add_str(o, "name", name);
	json_add_str(o, "namespace", space);
	json_add_str(o, "storage_type", "LMDB");
	text = arena_strdup(a, json_text(o));
	json_object_put(o);
	return text;
}

/* Uploads remember how their file was read. */
static void
fill_upload(const struct subject *s, struct db_table *t)
{
	t->origin = "upload";
	t->have_head = json_get_bool(s->parameters, "head", true);
	t->extend_sid = json_get_bool(s->parameters, "extend_sid", false);
	t->auto_increasing_sid =
	    json_get_bool(s->parameters, "auto_increasing_sid", false);
}

/* The name of the DSL under which a task keeps its cache, or NULL. */
static const char *
cache_name(const struct dsl_component *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n_out_cache; i++)
		if (str_eq(c->out_cache[i], name))
			return c->out_cache[i];
	return NULL;
}

static void
fill_row(struct outputs *o, const Sluice__Executor__OutputTable *m,
    struct output_row *row)
{
	const struct db_task_key *key = subject_key(o->subject);
	struct arena *a = o->arena;
	struct db_table *t = &row->table;
	char id[ID_RANDOM_SIZE];

	id_random(id);
	if (m->table_name[0] != '\0') {
		t->table_namespace = arena_strdup(a, m->table_namespace);
		t->name = arena_strdup(a, m->table_name);
		row->replace = m->replace;
	} else {
		t->table_namespace = arena_printf(a, "output_data_%s_%s_%d",
		    key->job_id, key->component, (int)key->version);
		t->name = arena_strdup(a, id);
	}
	t->engine = "STANDALONE";
	t->address = address_json(a, t->table_namespace, t->name);
	t->partitions = m->partitions;
	t->row_count = (int64_t)m->rows;
	t->id_delimiter =
	    m->id_delimiter[0] != '\0' ? arena_strdup(a, m->id_delimiter) : ",";
	t->schema_json = arena_strdup(a, m->schema_json);
	t->preview = arena_strdup(a, m->preview_json);
	t->origin = "output";
	t->have_head = true;
	t->job_id = key->job_id;
	if (str_eq(o->subject->module->name, "Upload"))
		fill_upload(o->subject, t);
}

/*
 * Names are the site's, not a component's: an upload or a writer puts its
 * table where its parameters say and replaces one only when they say so.
 * Whoever else could name a table could take the place of any table of the
 * site, and a partner's job could fill it.
 */
static int
check_naming(const struct subject *s, const Sluice__Executor__OutputTable *m)
{
	bool is_upload = str_eq(s->module->name, "Upload");
	bool is_writer = str_eq(s->module->name, "Writer");
	const char *space_key = is_writer ? "output_namespace" : "namespace";
	const char *name_key = is_writer ? "output_name" : "name";

	if (m->is_cache && m->table_name[0] != '\0')
		return err_set(ERR_DENIED, "a cache has no name of its own");
	if (m->table_name[0] == '\0')
		return m->replace ? err_set(ERR_DENIED,
					"an output without a name replaces "
					"nothing")
				  : 0;
	if ((!is_upload && !is_writer) || !s->job->is_initiator)
		return err_set(ERR_DENIED, "%s%s may not name tables",
		    s->job->is_initiator ? "" : "a partner's ",
		    s->module->name);
	if (!str_eq(m->table_namespace,
		json_get_str(s->parameters, space_key, "")) ||
	    !str_eq(m->table_name, json_get_str(s->parameters, name_key, "")))
		return err_set(ERR_DENIED,
		    "%s put out another table than the one that was asked for",
		    is_upload ? "the upload" : "the writer");
	if (m->replace &&
	    !(is_upload && json_get_bool(s->parameters, "destroy", false)))
		return err_set(ERR_DENIED,
		    "%s was not asked to replace a table",
		    is_upload ? "the upload" : "the writer");
	return 0;
}

int
outputs_table(struct outputs *o, const Sluice__Executor__OutputTable *m)
{
	const struct dsl_component *c = o->subject->component;
	int position = m->is_cache ? -1 : position_of(c, m->data_name);
	const char *cache = m->is_cache ? cache_name(c, m->data_name) : NULL;
	struct output *out;
	size_t i;
	int r;

	if ((r = check_naming(o->subject, m)) != 0)
		return r;
	/* Nobody named it: it stays where it is and goes with the folder. */
	if (position < 0 && cache == NULL && m->table_name[0] == '\0')
		return 0;
	for (i = 0; i < o->n_tables; i++)
		if (str_eq(o->tables[i].folder, m->folder))
			return err_set(ERR_EXISTS,
			    "output folder %s was "
			    "announced twice",
			    m->folder);
	if (o->n_tables == MAX_TABLES)
		return err_set(
		    ERR_LIMIT, "more than %d output tables", MAX_TABLES);
	out = &o->tables[o->n_tables++];
	*out = (struct output){ .folder = arena_strdup(o->arena, m->folder) };
	out->row.data_name = cache != NULL  ? cache
			     : position < 0 ? ""
					    : c->out_data[position];
	out->row.is_cache = cache != NULL;
	out->row.position = position;
	fill_row(o, m, &out->row);
	return 0;
}

/* One file of a table: plain, not linked elsewhere, on disk. */
static int
check_file(int dir, const char *name)
{
	struct stat st;
	int fd, r = 0;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set_errno(ERR_FORMAT, "output file %s", name);
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "output file %s", name);
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		r = err_set(
		    ERR_FORMAT, "output file %s is no plain file", name);
	else if (fchmod(fd, 0640) != 0 || fsync(fd) != 0)
		r = err_set_errno(ERR_IO, "output file %s", name);
	fd_close(&fd);
	return r;
}

static int
check_folder(int dir)
{
	struct dirent *e;
	DIR *d;
	int fd, n = 0, r = 0;

	if ((fd = fcntl(dir, F_DUPFD_CLOEXEC, 0)) < 0 ||
	    (d = fdopendir(fd)) == NULL) {
		fd_close(&fd);
		return err_set_errno(ERR_IO, "list output folder");
	}
	rewinddir(d);
	while (r == 0 && (e = readdir(d)) != NULL) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (++n > MAX_FILES)
			r = err_set(ERR_FORMAT,
			    "output folder with more than "
			    "%d files",
			    MAX_FILES);
		else
			r = check_file(dir, e->d_name);
	}
	(void)closedir(d);
	if (r == 0 && n == 0)
		r = err_set(ERR_FORMAT, "output folder is empty");
	/* What made it is alone with it; the site's programs share it. */
	if (r == 0 && (fchmod(dir, 0770) != 0 || fsync(dir) != 0))
		r = err_set_errno(ERR_IO, "output folder");
	return r;
}

/* Programs of the site will open it: LMDB believes what is in its file. */
static int
check_pages(int dir)
{
	int fd, r;

	fd = openat(
	    dir, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set_errno(ERR_FORMAT, "data.mdb");
	r = standalone_check(fd);
	fd_close(&fd);
	return r;
}

/*
 * Work folders are a host's own, tables may be shared by several on a file
 * system of the network: there a table is a copy, of files that nobody writes
 * any more.
 */
static int
move(int out_dir, const char *folder, int dir, const char *target)
{
	if (renameat(out_dir, folder, AT_FDCWD, target) == 0)
		return 0;
	if (errno == EXDEV)
		return fd_copy_folder(dir, target, 0770, 0640);
	return err_set_errno(ERR_IO, "move %s to %s", folder, target);
}

/* Move /out/FOLDER to data/tables/XX/ID. */
static int
seal_one(struct outputs *o, int out_dir, struct output *t)
{
	char id[ID_RANDOM_SIZE], *parent = NULL, *target = NULL;
	int dir, r;

	dir = openat(out_dir, t->folder,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_set_errno(ERR_FORMAT, "output folder %s", t->folder);
	if ((r = check_folder(dir)) != 0 || (r = check_pages(dir)) != 0)
		goto out;
	id_random(id);
	parent = site_path(o->conf, "%s/%.2s", SITE_TABLES, id);
	target = xasprintf("%s/%s", parent, id);
	if ((r = fd_mkdirs(parent, 0770)) != 0)
		goto out;
	if ((r = move(out_dir, t->folder, dir, target)) != 0 ||
	    (r = fd_sync_dir(parent)) != 0)
		goto out;
	(void)snprintf(t->sealed, sizeof(t->sealed), "%.2s/%s", id, id);
	t->row.table.folder = t->sealed;
out:
	fd_close(&dir);
	free(parent);
	free(target);
	return r == 0 ? 0 : err_wrap("output %s", t->folder);
}

int
outputs_seal(struct outputs *o)
{
	size_t i;
	int dir, r = 0;

	dir = open(o->out_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_set_errno(ERR_IO, "open %s", o->out_dir);
	o->rows = arena_alloc(o->arena, (o->n_tables + 1) * sizeof(*o->rows));
	o->n_rows = 0;
	for (i = 0; r == 0 && i < o->n_tables; i++) {
		if (o->tables[i].sealed[0] == '\0')
			r = seal_one(o, dir, &o->tables[i]);
		if (r == 0)
			o->rows[o->n_rows++] = o->tables[i].row;
	}
	fd_close(&dir);
	return r;
}

void
outputs_discard(struct outputs *o)
{
	char *path;
	size_t i;

	for (i = 0; i < o->n_tables; i++) {
		if (o->tables[i].sealed[0] == '\0')
			continue;
		path = site_path(
		    o->conf, "%s/%s", SITE_TABLES, o->tables[i].sealed);
		if (fd_remove_tree(path) != 0)
			log_err("output of a failed task stays");
		free(path);
		o->tables[i].sealed[0] = '\0';
	}
	o->n_rows = 0;
}

const struct output_row *
outputs_rows(const struct outputs *o, size_t *n)
{
	*n = o->n_rows;
	return o->rows;
}

/* --- models ------------------------------------------------------------------- */

/* A predict job names the version it reads; it must not write there. */
static const char *
model_version(const struct subject *s)
{
	return str_eq(s->job->job_type, "predict") ? s->job->job_id
						   : s->job->model_version;
}

int
outputs_model(struct outputs *o, const Sluice__Executor__OutputModel *m)
{
	const struct db_task_key *key = subject_key(o->subject);
	struct db_model_part *p;
	size_t i;
	int r;

	if (!str_eq(o->subject->component->out_model, m->alias))
		return err_set(ERR_INVALID,
		    "the DSL names no model '%s' of "
		    "%s",
		    m->alias, key->component);
	/* The last one counts, as with the summary. */
	o->n_parts = 0;
	for (i = 0; i < m->n_buffers; i++) {
		const Sluice__Executor__NamedBuffer *b = m->buffers[i];

		if (o->n_parts == MAX_PARTS)
			return err_set(ERR_LIMIT,
			    "model of more than %d "
			    "parts",
			    MAX_PARTS);
		p = &o->parts[o->n_parts++];
		*p = (struct db_model_part){
			.model_id = o->subject->job->model_id,
			.model_version = model_version(o->subject),
			.role = key->role,
			.party_id = key->party_id,
			.component = key->component,
			.alias = arena_strdup(o->arena, m->alias),
			.buffer_name = arena_strdup(o->arena, b->name),
			.message = arena_strdup(o->arena, b->message),
			.module = o->subject->module->name,
			.version = key->version,
			.bytes = (int64_t)b->content.len,
		};
		if ((r = model_object_keep(o->conf, b->content.data,
			 b->content.len, p->sha256)) != 0)
			return err_wrap("model %s", b->name);
	}
	return 0;
}

const struct db_model_part *
outputs_parts(const struct outputs *o, size_t *n)
{
	*n = o->n_parts;
	return o->parts;
}
