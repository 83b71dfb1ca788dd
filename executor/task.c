/*
 * What components ask of their task: identity, parameters, inputs, objects
 * to and from other members, metrics.  Whatever crosses the process's border
 * goes through the task's ops.
 */
#include "executor/task.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "executor/task_ops.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/wire/check.h"

#define NAME_MAX_BYTES 100 /* of a step */

static bool
same_party(const struct task_party *a, const struct task_party *b)
{
	return str_eq(a->role, b->role) && str_eq(a->party_id, b->party_id);
}

static bool
is_member(const struct task_setup *s, const struct task_party *p)
{
	size_t i;

	for (i = 0; i < s->n_parties; i++)
		if (same_party(&s->parties[i], p))
			return true;
	return false;
}

int
task_setup_check(const struct task_setup *s)
{
	if (!str_is_name(s->component, 128) || s->module == NULL ||
	    s->job_id == NULL || s->output_dir == NULL)
		return err_set(ERR_INVALID, "the task has no proper name");
	if (!is_member(s, &s->local))
		return err_set(ERR_INVALID,
		    "%s %s is not a member of this "
		    "task",
		    s->local.role, s->local.party_id);
	if (!json_object_is_type(s->parameters, json_type_object) ||
	    !json_object_is_type(s->job_parameters, json_type_object))
		return err_set(ERR_INVALID, "the task's parameters are not "
					    "an object");
	return 0;
}

const char *
task_job_id(const struct task *t)
{
	return t->setup->job_id;
}

const char *
task_component(const struct task *t)
{
	return t->setup->component;
}

const char *
task_module(const struct task *t)
{
	return t->setup->module;
}

uint32_t
task_version(const struct task *t)
{
	return t->setup->version;
}

const char *
task_role(const struct task *t)
{
	return t->setup->local.role;
}

const char *
task_party_id(const struct task *t)
{
	return t->setup->local.party_id;
}

bool
task_is(const struct task *t, const char *role)
{
	return str_eq(t->setup->local.role, role);
}

size_t
task_role_size(const struct task *t, const char *role)
{
	size_t i, n = 0;

	for (i = 0; i < t->setup->n_parties; i++)
		n += str_eq(t->setup->parties[i].role, role);
	return n;
}

const struct task_party *
task_member(const struct task *t, const char *role, size_t index)
{
	size_t i;

	for (i = 0; i < t->setup->n_parties; i++)
		if (str_eq(t->setup->parties[i].role, role) && index-- == 0)
			return &t->setup->parties[i];
	return NULL;
}

size_t
task_index(const struct task *t)
{
	const struct task_party *p;
	size_t i;

	for (i = 0; (p = task_member(t, task_role(t), i)) != NULL; i++)
		if (str_eq(p->party_id, task_party_id(t)))
			break;
	return i;
}

uint32_t
task_cores(const struct task *t)
{
	return t->setup->cores > 0 ? t->setup->cores : 1;
}

struct json_object *
task_param(const struct task *t, const char *path)
{
	struct json_object *v = t->setup->parameters;
	char part[128];
	size_t n;

	while (v != NULL && *path != '\0') {
		n = strcspn(path, ".");
		if (n >= sizeof(part))
			return NULL;
		memcpy(part, path, n);
		part[n] = '\0';
		if (!json_object_is_type(v, json_type_object) ||
		    !json_object_object_get_ex(v, part, &v))
			return NULL;
		path += n + (path[n] == '.');
	}
	return v;
}

bool
task_param_bool(const struct task *t, const char *path, bool fallback)
{
	struct json_object *v = task_param(t, path);

	return json_object_is_type(v, json_type_boolean)
		   ? json_object_get_boolean(v)
		   : fallback;
}

int64_t
task_param_int(const struct task *t, const char *path, int64_t fallback)
{
	struct json_object *v = task_param(t, path);

	return json_object_is_type(v, json_type_int) ? json_object_get_int64(v)
						     : fallback;
}

double
task_param_number(const struct task *t, const char *path, double fallback)
{
	struct json_object *v = task_param(t, path);

	return json_object_is_type(v, json_type_int) ||
		       json_object_is_type(v, json_type_double)
		   ? json_object_get_double(v)
		   : fallback;
}

const char *
task_param_string(const struct task *t, const char *path, const char *fallback)
{
	struct json_object *v = task_param(t, path);

	return json_object_is_type(v, json_type_string)
		   ? json_object_get_string(v)
		   : fallback;
}

size_t
task_input_count(const struct task *t)
{
	return t->setup->n_inputs;
}

const struct task_input *
task_input_at(const struct task *t, size_t i)
{
	return i < t->setup->n_inputs ? &t->setup->inputs[i] : NULL;
}

const struct task_input *
task_input(const struct task *t, const char *data_key)
{
	size_t i;

	for (i = 0; i < t->setup->n_inputs; i++)
		if (str_eq(t->setup->inputs[i].data_key, data_key))
			return &t->setup->inputs[i];
	return NULL;
}

const char *
task_input_file(const struct task *t)
{
	return t->setup->input_file != NULL ? t->setup->input_file : "";
}

int
task_input_fd(const struct task *t)
{
	return t->setup->input_fd;
}

int
task_open_table(struct task *t, const struct task_input *in, struct table **out)
{
	(void)t;
	*out = NULL;
	if (in->is_text)
		return err_set(ERR_UNSUPPORTED,
		    "table %s %s is kept outside (%s): a Reader takes it in",
		    in->table_namespace, in->table_name, in->engine);
	if (table_open(&storage_standalone, in->path, out) != 0)
		return err_wrap("input %s", in->data_key);
	return 0;
}

static const struct task_model *
find_model(const struct task *t, enum task_model_kind kind)
{
	size_t i;

	for (i = 0; i < t->setup->n_models; i++)
		if (t->setup->models[i].kind == kind)
			return &t->setup->models[i];
	return NULL;
}

bool
task_has_model(const struct task *t, enum task_model_kind kind)
{
	return find_model(t, kind) != NULL;
}

const struct task_buffer *
task_model_buffers(const struct task *t, enum task_model_kind kind, size_t *n)
{
	const struct task_model *m = find_model(t, kind);

	*n = m != NULL ? m->n_buffers : 0;
	return m != NULL ? m->buffers : NULL;
}

const struct task_buffer *
task_model_buffer(
    const struct task *t, enum task_model_kind kind, const char *name)
{
	const struct task_model *m = find_model(t, kind);
	size_t i, n = strlen(name);

	for (i = 0; m != NULL && i < m->n_buffers; i++) {
		if (n > 0 && name[n - 1] == '*'
			? strncmp(m->buffers[i].name, name, n - 1) == 0
			: str_eq(m->buffers[i].name, name))
			return &m->buffers[i];
	}
	return NULL;
}

static int
check_receivers(const struct task *t, const char *name,
    const struct task_party *to, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!is_member(t->setup, &to[i]))
			return err_set(ERR_INVALID,
			    "%s: %s %s is not a member "
			    "of this task",
			    name, to[i].role, to[i].party_id);
		if (same_party(&to[i], &t->setup->local))
			return err_set(ERR_INVALID,
			    "%s: a member cannot send "
			    "to itself",
			    name);
	}
	return 0;
}

int
task_remote(struct task *t, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, const void *data, size_t size)
{
	int r;

	if ((r = check_receivers(t, name, to, n_to)) != 0 || n_to == 0)
		return r;
	r = t->ops->remote(t->ctx, name, tag, to, n_to, data, size);
	return r == 0 ? 0 : err_wrap("send %s %s", name, tag);
}

int
task_remote_role(struct task *t, const char *name, const char *tag,
    const char *role, const void *data, size_t size)
{
	struct task_party *to;
	size_t i, n = 0;
	int r;

	to = xcalloc(t->setup->n_parties, sizeof(to[0]));
	for (i = 0; i < t->setup->n_parties; i++)
		if (str_eq(t->setup->parties[i].role, role) &&
		    !same_party(&t->setup->parties[i], &t->setup->local))
			to[n++] = t->setup->parties[i];
	r = task_remote(t, name, tag, to, n, data, size);
	free(to);
	return r;
}

int
task_remote_memfd(struct task *t, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, int fd, size_t size)
{
	int r;

	if ((r = check_receivers(t, name, to, n_to)) != 0 || n_to == 0) {
		fd_close(&fd);
		return r;
	}
	r = t->ops->remote_memfd(t->ctx, name, tag, to, n_to, fd, size);
	return r == 0 ? 0 : err_wrap("send %s %s", name, tag);
}

int
task_memfd(size_t size, int *fd, void **map)
{
	int f;
	void *m;

	*fd = -1;
	*map = NULL;
	if (size == 0)
		return err_set(ERR_INVALID, "an empty memory file");
	if ((f = memfd_create("object", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
		return err_set_errno(ERR_IO, "memory file");
	if (ftruncate(f, (off_t)size) != 0) {
		fd_close(&f);
		return err_set_errno(
		    ERR_NOMEM, "memory file of %zu bytes", size);
	}
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	if (m == MAP_FAILED) {
		fd_close(&f);
		return err_set_errno(
		    ERR_NOMEM, "memory file of %zu bytes", size);
	}
	*fd = f;
	*map = m;
	return 0;
}

int
task_get(struct task *t, const char *name, const char *tag, const char *role,
    size_t index, struct object *out)
{
	return task_get_max(t, name, tag, role, index, SIZE_MAX, out);
}

int
task_get_max(struct task *t, const char *name, const char *tag,
    const char *role, size_t index, size_t max, struct object *out)
{
	const struct task_party *from = task_member(t, role, index);

	memset(out, 0, sizeof(*out));
	if (from == NULL)
		return err_set(ERR_INVALID, "get %s: this task has no %s %zu",
		    name, role, index);
	if (same_party(from, &t->setup->local))
		return err_set(ERR_INVALID,
		    "get %s: a member cannot receive "
		    "from itself",
		    name);
	if (t->ops->get(t->ctx, name, tag, from, out) != 0)
		return err_wrap(
		    "get %s %s from %s %s", name, tag, role, from->party_id);
	if (out->size > max) {
		(void)err_set(ERR_LIMIT,
		    "%s %s from %s %s has %zu bytes, more "
		    "than the %zu expected",
		    name, tag, role, from->party_id, out->size, max);
		object_free(out);
		return ERR_LIMIT;
	}
	if (out->data == NULL)
		out->data = "";
	return 0;
}

void
object_free(struct object *o)
{
	if (o->map_ != NULL)
		(void)munmap(o->map_, o->map_size_);
	free(o->heap_);
	memset(o, 0, sizeof(*o));
}

int
task_metric_points(struct task *t, const char *ns, const char *name,
    const struct metric_point *points, size_t n)
{
	if (t->ops->metric_data(t->ctx, ns, name, points, n) != 0)
		return err_wrap("metric %s/%s", ns, name);
	return 0;
}

int
task_metric_number(
    struct task *t, const char *ns, const char *name, double key, double value)
{
	struct metric_point p = { .key = key, .value = value };

	return task_metric_points(t, ns, name, &p, 1);
}

int
task_metric_named(struct task *t, const char *ns, const char *name,
    const char *key, double value)
{
	struct metric_point p = { .key_text = key, .value = value };

	return task_metric_points(t, ns, name, &p, 1);
}

int
task_metric_meta(struct task *t, const char *ns, const char *metric_name,
    const char *name, const char *type, struct json_object *extra)
{
	struct json_object *meta = json_object_new_object();
	int r;

	if (extra != NULL) {
		json_object_object_foreach(extra, key, value)
		{
			json_object_object_add(
			    meta, key, json_object_get(value));
		}
	}
	json_object_object_add(meta, "name", json_object_new_string(name));
	json_object_object_add(
	    meta, "metric_type", json_object_new_string(type));
	r = t->ops->metric_meta(t->ctx, ns, metric_name,
	    json_object_to_json_string_ext(meta, JSON_C_TO_STRING_PLAIN));
	json_object_put(meta);
	return r == 0 ? 0 : err_wrap("metric %s/%s", ns, metric_name);
}

int
task_summary(struct task *t, struct json_object *summary)
{
	return t->ops->summary(t->ctx,
	    json_object_to_json_string_ext(summary, JSON_C_TO_STRING_PLAIN));
}

int
task_progress(struct task *t, uint64_t done, uint64_t total, const char *text)
{
	return t->ops->progress(t->ctx, done, total, text);
}

void
task_log(struct task *t, enum task_log_level level, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->ops->log(t->ctx, level, text);
}

int
task_output_model(struct task *t, const struct task_buffer *buffers, size_t n)
{
	const char *alias = t->setup->output_model;

	if (alias == NULL || alias[0] == '\0')
		return 0; /* the job's DSL does not ask for it */
	if (t->ops->output_model(t->ctx, alias, buffers, n) != 0)
		return err_wrap("model %s", alias);
	t->has_put_model = true;
	return 0;
}

int
task_pass_model(struct task *t)
{
	const struct task_buffer *buffers;
	size_t n;

	buffers = task_model_buffers(t, TASK_MODEL, &n);
	return t->has_put_model || n == 0 ? 0
					  : task_output_model(t, buffers, n);
}

void
task_passes(struct task *t)
{
	t->passes = true;
}

int
task_checkpoint(struct task *t, uint64_t step_index, const char *step_name,
    const struct task_buffer *buffers, size_t n, uint32_t keep)
{
	const char *alias = t->setup->output_model;

	if (step_index > WIRE_MAX_STEP || keep > WIRE_MAX_CHECKPOINTS ||
	    !wire_is_path_part(step_name, NAME_MAX_BYTES))
		return err_set(ERR_INVALID,
		    "checkpoint %llu '%s', the newest %u: that cannot be",
		    (unsigned long long)step_index, step_name, keep);
	if (alias == NULL || alias[0] == '\0')
		return 0; /* who asks for no model needs no parts of it */
	return t->ops->checkpoint(
	    t->ctx, step_index, step_name, buffers, n, keep);
}
