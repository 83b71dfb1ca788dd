/*
 * Components for all members in one process.  Each member is a thread that
 * runs the component; objects go through a list that all share.
 */
#include "tests/lib/loopback.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "executor/component.h"
#include "executor/task_ops.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"

enum {
	MEMBERS_MAX = 8,
	INPUTS_MAX = 8,
	OUTPUTS_MAX = 8,
	BUFFERS_MAX = 8,
	GET_SECONDS = 300, /* longer than any test: it hangs */
};

struct sent {
	struct sent *next;
	char *name;
	char *tag;
	struct member *from;
	struct task_party to;
	char *data;
	size_t size;
};

struct member {
	struct loopback *lb;
	struct task_setup setup;
	struct task task;
	struct task_input inputs[INPUTS_MAX];
	struct table *input_tables[INPUTS_MAX];
	struct task_model model;
	int (*behave)(struct task *); /* NULL: the component */
	char *folder;
	char *input_file;
	char *output_file;

	pthread_t thread;
	int code;
	char *error;

	pthread_mutex_t lock;	     /* for what follows */
	struct json_object *metrics; /* {"ns/name": [[k, v]…]} */
	struct json_object *metas;
	struct buf log;
	struct json_object *summary;
	struct json_object *previews[OUTPUTS_MAX];
	struct table *outputs[OUTPUTS_MAX];
	char *output_paths[OUTPUTS_MAX];
	char *cache_path;
	struct task_buffer buffers[BUFFERS_MAX];
	size_t n_buffers;
	double progress; /* the most that was told */
	size_t n_progress;
	size_t n_checkpoints;
	uint64_t checkpoint_step; /* of the last one */
};

struct loopback {
	char *module;
	struct providers *product;
	const struct module *may; /* NULL: no component of the product */
	char *component;
	char *folder;
	struct member *members[MEMBERS_MAX];
	struct task_party parties[MEMBERS_MAX];
	size_t n;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sent *sent;
	bool is_canceled;
	int first_code;
};

static const char *const output_names[OUTPUTS_MAX] = {
	"data_0",
	"data_1",
	"data_2",
	"data_3",
	"data_4",
	"data_5",
	"data_6",
	"data_7",
};

/* --- the federation ------------------------------------------------------- */

static bool
same_identity(const struct sent *s, const char *name, const char *tag,
    const char *from_role, const char *from_party, const struct task_party *to)
{
	return str_eq(s->name, name) && str_eq(s->tag, tag) &&
	       str_eq(s->from->setup.local.role, from_role) &&
	       str_eq(s->from->setup.local.party_id, from_party) &&
	       str_eq(s->to.role, to->role) &&
	       str_eq(s->to.party_id, to->party_id);
}

static struct sent *
find_sent(struct loopback *lb, const char *name, const char *tag,
    const struct task_party *from, const struct task_party *to)
{
	struct sent *s;

	for (s = lb->sent; s != NULL; s = s->next)
		if (same_identity(s, name, tag, from->role, from->party_id, to))
			return s;
	return NULL;
}

/* Call with the lock held. */
static int
put(struct member *m, const char *name, const char *tag,
    const struct task_party *to, const void *data, size_t size)
{
	struct loopback *lb = m->lb;
	struct sent *s = find_sent(lb, name, tag, &m->setup.local, to);

	if (s != NULL)
		return s->size == size &&
			       (size == 0 || memcmp(s->data, data, size) == 0)
			   ? 0
			   : err_set(ERR_CONFLICT,
				 "another object was sent under this "
				 "name and tag");
	s = xcalloc(1, sizeof(*s));
	s->name = xstrdup(name);
	s->tag = xstrdup(tag);
	s->from = m;
	s->to = *to;
	s->data = xmalloc(size + 1);
	if (size > 0)
		memcpy(s->data, data, size);
	s->size = size;
	s->next = lb->sent;
	lb->sent = s;
	pthread_cond_broadcast(&lb->changed);
	return 0;
}

/* As a shepherd would. */
static int
check_sent(const struct member *m, const char *name, const char *tag,
    const struct task_party *to)
{
	const struct module *may = m->lb->may;

	if (may == NULL ||
	    (module_may_send(may, name, m->setup.local.role, to->role) &&
		module_may_tag(may, name, tag)))
		return 0;
	return err_set(ERR_DENIED,
	    "the manifest foresees no %s with the tag '%s' from %s to %s", name,
	    tag, m->setup.local.role, to->role);
}

static int
lb_remote(void *ctx, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, const void *data, size_t size)
{
	struct member *m = ctx;
	size_t i;
	int r = 0;

	pthread_mutex_lock(&m->lb->lock);
	if (m->lb->is_canceled)
		r = err_set(ERR_CANCELED, "another member failed");
	for (i = 0; i < n_to && r == 0; i++)
		if ((r = check_sent(m, name, tag, &to[i])) == 0)
			r = put(m, name, tag, &to[i], data, size);
	pthread_mutex_unlock(&m->lb->lock);
	return r;
}

static int
lb_remote_memfd(void *ctx, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, int fd, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	int r;

	if (map == MAP_FAILED) {
		r = err_set_errno(ERR_IO, "map");
	} else {
		r = lb_remote(ctx, name, tag, to, n_to, map, size);
		(void)munmap(map, size);
	}
	fd_close(&fd);
	return r;
}

static int
lb_get(void *ctx, const char *name, const char *tag,
    const struct task_party *from, struct object *out)
{
	struct member *m = ctx;
	struct loopback *lb = m->lb;
	struct sent *s;
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += GET_SECONDS;
	pthread_mutex_lock(&lb->lock);
	while ((s = find_sent(lb, name, tag, from, &m->setup.local)) == NULL &&
	       !lb->is_canceled && r == 0)
		r = pthread_cond_timedwait(&lb->changed, &lb->lock, &until);
	if (s != NULL) {
		r = 0;
		/* Exactly as large: a read behind the end is seen. */
		out->heap_ = xmalloc(s->size > 0 ? s->size : 1);
		memcpy(out->heap_, s->data, s->size);
		out->data = out->heap_;
		out->size = s->size;
	} else if (lb->is_canceled) {
		r = err_set(ERR_CANCELED, "another member failed");
	} else {
		r = err_set(ERR_TIMEOUT, "nobody sends it");
	}
	pthread_mutex_unlock(&lb->lock);
	return r;
}

/* --- what a member leaves behind ------------------------------------------ */

static struct json_object *
json_value(const char *text, double number)
{
	return text != NULL ? json_object_new_string(text)
			    : json_object_new_double(number);
}

static int
lb_metric_data(void *ctx, const char *ns, const char *name,
    const struct metric_point *points, size_t n)
{
	struct member *m = ctx;
	struct json_object *series, *pair;
	char *key = xasprintf("%s/%s", ns, name);
	size_t i;

	pthread_mutex_lock(&m->lock);
	if (!json_object_object_get_ex(m->metrics, key, &series)) {
		series = json_object_new_array();
		json_object_object_add(m->metrics, key, series);
	}
	for (i = 0; i < n; i++) {
		pair = json_object_new_array();
		json_object_array_add(
		    pair, json_value(points[i].key_text, points[i].key));
		json_object_array_add(
		    pair, json_value(points[i].value_text, points[i].value));
		json_object_array_add(series, pair);
	}
	pthread_mutex_unlock(&m->lock);
	free(key);
	return 0;
}

static int
lb_metric_meta(void *ctx, const char *ns, const char *name, const char *json)
{
	struct member *m = ctx;
	struct json_object *meta = json_tokener_parse(json);
	char *key = xasprintf("%s/%s", ns, name);

	if (meta != NULL) {
		pthread_mutex_lock(&m->lock);
		json_object_object_add(m->metas, key, meta);
		pthread_mutex_unlock(&m->lock);
	}
	free(key);
	return meta != NULL ? 0 : err_set(ERR_FORMAT, "meta is not JSON");
}

static int
lb_summary(void *ctx, const char *json)
{
	struct member *m = ctx;
	struct json_object *summary = json_tokener_parse(json);

	if (!json_object_is_type(summary, json_type_object)) {
		json_object_put(summary);
		return err_set(ERR_FORMAT, "the summary is not an object");
	}
	pthread_mutex_lock(&m->lock);
	json_object_put(m->summary);
	m->summary = summary;
	pthread_mutex_unlock(&m->lock);
	return 0;
}

static int
lb_output_table(void *ctx, const struct task_output *o)
{
	struct member *m = ctx;

	if (o->is_cache) {
		m->cache_path = xstrdup(o->path);
		return 0;
	}
	if (o->index >= OUTPUTS_MAX)
		return err_set(ERR_LIMIT, "too many outputs");
	if (m->outputs[o->index] != NULL)
		return err_set(ERR_EXISTS, "output given twice");
	m->output_paths[o->index] = xstrdup(o->path);
	m->previews[o->index] = json_tokener_parse(o->preview_json);
	return table_open(&storage_standalone, o->path, &m->outputs[o->index]);
}

static int
lb_output_file(
    void *ctx, const char *file, uint64_t rows, const char *delimiter)
{
	struct member *m = ctx;

	(void)rows;
	(void)delimiter;
	free(m->output_file);
	m->output_file = xasprintf("%s/%s", m->folder, file);
	return 0;
}

static int
lb_output_model(
    void *ctx, const char *alias, const struct task_buffer *b, size_t n)
{
	struct member *m = ctx;
	void *copy;
	size_t i;

	(void)alias;
	if (m->n_buffers + n > BUFFERS_MAX)
		return err_set(ERR_LIMIT, "too many buffers");
	for (i = 0; i < n; i++) {
		copy = xmalloc(b[i].size + 1);
		if (b[i].size > 0)
			memcpy(copy, b[i].content, b[i].size);
		m->buffers[m->n_buffers++] =
		    (struct task_buffer){ xstrdup(b[i].name),
			    xstrdup(b[i].message), copy, b[i].size };
	}
	return 0;
}

/* The last of each member counts; contents are the test's to look at. */
static int
lb_checkpoint(void *ctx, uint64_t step_index, const char *step_name,
    const struct task_buffer *b, size_t n, uint32_t keep)
{
	struct member *m = ctx;

	(void)keep;
	if (step_name[0] == '\0' || n == 0 || b[0].size == 0)
		return err_set(ERR_INVALID, "empty checkpoint");
	m->checkpoint_step = step_index;
	m->n_checkpoints++;
	return 0;
}

static int
lb_progress(void *ctx, uint64_t done, uint64_t total, const char *text)
{
	struct member *m = ctx;

	(void)text;
	if (total > 0 && done > total)
		return err_set(ERR_INVALID, "progress of %s beyond its end",
		    m->setup.local.role);
	if (total > 0 && (double)done / (double)total > m->progress) {
		m->progress = (double)done / (double)total;
		m->n_progress++;
	}
	return 0;
}

static void
lb_log(void *ctx, enum task_log_level level, const char *text)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	struct member *m = ctx;

	pthread_mutex_lock(&m->lock);
	buf_printf(&m->log, "%s %s\n", names[level], text);
	pthread_mutex_unlock(&m->lock);
	if (getenv("LOOPBACK_LOG") != NULL)
		fprintf(stderr, "%s %s %s\n", m->setup.local.role, names[level],
		    text);
}

static const struct task_ops lb_ops = {
	.remote = lb_remote,
	.remote_memfd = lb_remote_memfd,
	.get = lb_get,
	.metric_data = lb_metric_data,
	.metric_meta = lb_metric_meta,
	.summary = lb_summary,
	.output_table = lb_output_table,
	.output_file = lb_output_file,
	.output_model = lb_output_model,
	.checkpoint = lb_checkpoint,
	.progress = lb_progress,
	.log = lb_log,
};

/* --- making and running ----------------------------------------------------- */

static void
die(const char *what)
{
	fprintf(stderr, "loopback: %s: %s\n", what, err_text());
	abort();
}

/* Tests run where the sources are. */
static void
read_manifest(struct loopback *lb)
{
	struct json_object *o;

	lb->product = providers_new();
	if (json_parse_file("executor/manifest.json", 1 << 20, &o) != 0 ||
	    providers_add(lb->product, o, "/nowhere") != 0)
		die("executor/manifest.json");
	json_object_put(o);
	lb->may = providers_module(lb->product, lb->module);
}

struct loopback *
loopback_new(const char *module, const char *component)
{
	struct loopback *lb = xcalloc(1, sizeof(*lb));
	const char *tmp = getenv("TMPDIR");

	lb->module = xstrdup(module);
	lb->component = xstrdup(component);
	read_manifest(lb);
	lb->folder =
	    xasprintf("%s/loopback-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(lb->folder) == NULL)
		die(lb->folder);
	pthread_mutex_init(&lb->lock, NULL);
	pthread_cond_init(&lb->changed, NULL);
	return lb;
}

const char *
loopback_folder(const struct loopback *lb)
{
	return lb->folder;
}

struct member *
loopback_add(struct loopback *lb, const char *role, const char *party_id,
    const char *parameters)
{
	struct member *m = xcalloc(1, sizeof(*m));

	if (lb->n == MEMBERS_MAX)
		die("too many members");
	m->lb = lb;
	pthread_mutex_init(&m->lock, NULL);
	m->folder = xasprintf("%s/%s-%s", lb->folder, role, party_id);
	if (fd_mkdirs(m->folder, 0700) != 0)
		die(m->folder);
	lb->parties[lb->n] =
	    (struct task_party){ xstrdup(role), xstrdup(party_id) };
	m->setup = (struct task_setup){
		.job_id = "20260101000000000000",
		.component = lb->component,
		.module = lb->module,
		.local = lb->parties[lb->n],
		.parties = lb->parties,
		.parameters = json_tokener_parse(parameters),
		.job_parameters = json_object_new_object(),
		.inputs = m->inputs,
		.models = &m->model,
		.output_data = output_names,
		.n_output_data = OUTPUTS_MAX,
		.output_cache = "cache",
		.output_model = "model",
		.cores = 1,
		.output_dir = m->folder,
		.input_file = "",
		.input_fd = -1,
	};
	m->metrics = json_object_new_object();
	m->metas = json_object_new_object();
	lb->members[lb->n++] = m;
	return m;
}

void
loopback_cores(struct member *m, unsigned cores)
{
	m->setup.cores = cores;
}

void
loopback_input(struct member *m, const char *data_key, const char *upstream,
    const char *folder)
{
	size_t i = m->setup.n_inputs;
	struct table *t = NULL;

	if (i == INPUTS_MAX || table_open(&storage_standalone, folder, &t) != 0)
		die(folder);
	m->input_tables[i] = t;
	m->inputs[i] = (struct task_input){
		.data_key = data_key,
		.component = upstream,
		.data_name = "data",
		.path = xstrdup(folder),
		.schema_json = table_stat(t)->schema_json,
		.rows = table_stat(t)->rows,
		.partitions = table_stat(t)->partitions,
		.table_namespace = "test",
		.table_name = "input",
		.id_delimiter = ",",
		.engine = "STANDALONE",
	};
	m->setup.n_inputs++;
}

void
loopback_input_file(struct member *m, const char *path)
{
	free(m->input_file);
	m->input_file = xstrdup(path);
	m->setup.input_file = m->input_file;
}

void
loopback_input_text(struct member *m, int fd, const char *schema_json,
    const char *delimiter, bool have_head)
{
	size_t i = m->setup.n_inputs++;

	if (i == INPUTS_MAX)
		die("inputs");
	m->setup.input_fd = fd;
	m->inputs[i] = (struct task_input){
		.data_key = "data",
		.component = "",
		.data_name = "",
		.path = xstrdup(""),
		.schema_json = schema_json,
		.partitions = 4,
		.table_namespace = "test",
		.table_name = "outside",
		.id_delimiter = delimiter,
		.is_text = true,
		.have_head = have_head,
		.engine = "PATH",
	};
}

struct task_input *
loopback_input_at(struct member *m, size_t i)
{
	return &m->inputs[i];
}

const char *
loopback_output_file(const struct member *m)
{
	return m->output_file;
}

void
loopback_model(
    struct member *m, enum task_model_kind kind, const struct member *from)
{
	m->model = (struct task_model){
		.kind = kind,
		.component = from->lb->component,
		.alias = "model",
		.buffers = from->buffers,
		.n_buffers = from->n_buffers,
	};
	m->setup.n_models = 1;
}

void
loopback_behave(struct member *m, int (*run)(struct task *))
{
	m->behave = run;
}

static int
run_member(struct member *m)
{
	const struct component *component;
	int r;

	if ((r = task_setup_check(&m->setup)) != 0)
		return r;
	if (m->behave != NULL)
		return m->behave(&m->task);
	if ((r = component_find(
		 m->setup.module, m->setup.local.role, &component)) != 0)
		return r;
	return component_run(component, &m->task);
}

static void *
member_main(void *arg)
{
	struct member *m = arg;
	struct loopback *lb = m->lb;

	m->code = run_member(m);
	if (m->code != 0) {
		m->error = xstrdup(err_text());
		pthread_mutex_lock(&lb->lock);
		if (!lb->is_canceled)
			lb->first_code = m->code;
		lb->is_canceled = true;
		pthread_cond_broadcast(&lb->changed);
		pthread_mutex_unlock(&lb->lock);
	}
	return NULL;
}

int
loopback_run(struct loopback *lb)
{
	size_t i;

	for (i = 0; i < lb->n; i++) {
		struct member *m = lb->members[i];

		m->setup.n_parties = lb->n;
		m->task = (struct task){
			.setup = &m->setup, .ops = &lb_ops, .ctx = m
		};
		if (pthread_create(&m->thread, NULL, member_main, m) != 0)
			die("thread");
	}
	for (i = 0; i < lb->n; i++)
		pthread_join(lb->members[i]->thread, NULL);
	return lb->first_code;
}

/* --- looking ------------------------------------------------------------------- */

int
loopback_code(const struct member *m)
{
	return m->code;
}

const char *
loopback_error(const struct member *m)
{
	return m->error != NULL ? m->error : "";
}

static struct json_object *
look(struct json_object *in, const char *ns, const char *name)
{
	char *key = xasprintf("%s/%s", ns, name);
	struct json_object *v = NULL;

	(void)json_object_object_get_ex(in, key, &v);
	free(key);
	return v;
}

struct json_object *
loopback_metric(const struct member *m, const char *ns, const char *name)
{
	return look(m->metrics, ns, name);
}

struct json_object *
loopback_meta(const struct member *m, const char *ns, const char *name)
{
	return look(m->metas, ns, name);
}

struct json_object *
loopback_summary(const struct member *m)
{
	return m->summary;
}

struct table *
loopback_output(const struct member *m, size_t i)
{
	return i < OUTPUTS_MAX ? m->outputs[i] : NULL;
}

const char *
loopback_cache_folder(const struct member *m)
{
	return m->cache_path;
}

const char *
loopback_output_folder(const struct member *m, size_t i)
{
	return i < OUTPUTS_MAX ? m->output_paths[i] : NULL;
}

struct json_object *
loopback_preview(const struct member *m, size_t i)
{
	return i < OUTPUTS_MAX ? m->previews[i] : NULL;
}

const struct task_buffer *
loopback_model_buffer(const struct member *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->n_buffers; i++)
		if (str_eq(m->buffers[i].name, name))
			return &m->buffers[i];
	return NULL;
}

struct json_object *
loopback_sent(const struct member *m)
{
	struct json_object *sent = json_object_new_object();
	const struct sent *s;
	char *key;

	for (s = m->lb->sent; s != NULL; s = s->next) {
		if (s->from != m)
			continue;
		key = xasprintf("%s/%s", s->name, s->tag);
		json_object_object_add(
		    sent, key, json_object_new_int64((int64_t)s->size));
		free(key);
	}
	return sent;
}

const void *
loopback_sent_bytes(
    const struct member *m, const char *name, const char *tag, size_t *size)
{
	const struct sent *s;

	for (s = m->lb->sent; s != NULL; s = s->next)
		if (s->from == m && str_eq(s->name, name) &&
		    str_eq(s->tag, tag)) {
			*size = s->size;
			return s->data;
		}
	*size = 0;
	return NULL;
}

const char *
loopback_log(const struct member *m)
{
	return m->log.data != NULL ? m->log.data : "";
}

double
loopback_progress(const struct member *m, size_t *n)
{
	*n = m->n_progress;
	return m->progress;
}

static void
member_free(struct member *m)
{
	size_t i;

	for (i = 0; i < OUTPUTS_MAX; i++) {
		table_close(m->outputs[i]);
		free(m->output_paths[i]);
		json_object_put(m->previews[i]);
	}
	free(m->cache_path);
	for (i = 0; i < m->setup.n_inputs; i++) {
		table_close(m->input_tables[i]);
		free((void *)(uintptr_t)m->inputs[i].path);
	}
	for (i = 0; i < m->n_buffers; i++) {
		free((void *)(uintptr_t)m->buffers[i].name);
		free((void *)(uintptr_t)m->buffers[i].message);
		free((void *)(uintptr_t)m->buffers[i].content);
	}
	buf_fini(&m->log);
	json_object_put(m->setup.parameters);
	json_object_put(m->setup.job_parameters);
	json_object_put(m->metrics);
	json_object_put(m->metas);
	json_object_put(m->summary);
	pthread_mutex_destroy(&m->lock);
	free(m->input_file);
	free(m->output_file);
	fd_close(&m->setup.input_fd);
	free(m->folder);
	free(m->error);
	free(m);
}

void
loopback_free(struct loopback *lb)
{
	struct sent *s;
	size_t i;

	if (lb == NULL)
		return;
	for (i = 0; i < lb->n; i++) {
		member_free(lb->members[i]);
		free((void *)(uintptr_t)lb->parties[i].role);
		free((void *)(uintptr_t)lb->parties[i].party_id);
	}
	while ((s = lb->sent) != NULL) {
		lb->sent = s->next;
		free(s->name);
		free(s->tag);
		free(s->data);
		free(s);
	}
	(void)fd_remove_tree(lb->folder);
	pthread_cond_destroy(&lb->changed);
	pthread_mutex_destroy(&lb->lock);
	providers_free(lb->product);
	free(lb->folder);
	free(lb->module);
	free(lb->component);
	free(lb);
}

size_t
loopback_checkpoints(const struct member *m, uint64_t *last_step)
{
	*last_step = m->checkpoint_step;
	return m->n_checkpoints;
}
