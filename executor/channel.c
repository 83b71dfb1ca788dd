/*
 * The executor's end of the socket to its shepherd.  main.c opens it, runs
 * the component over it and finishes it.
 *
 * Threads: `lock` guards everything the reader thread and the callers share;
 * `send_lock` keeps frames whole.  A caller waits on `changed` for its own
 * answer; answers are found by id.
 */
#include "executor/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/wire/frame.h"

/*
 * Bytes that may be on their way to the shepherd.  An object larger than
 * this travels alone.
 */
#define WINDOW_BYTES (64u << 20)

/* A Remote or Get without its answer. */
struct pending {
	struct pending *next;
	uint64_t id;
	size_t size;	       /* Remote: against the window */
	struct object *object; /* Get: where the answer goes */
	int code;	       /* valid when is_done */
	char *error;
	bool is_done;
};

struct channel {
	int sock;
	pthread_t reader;
	bool has_reader;
	pthread_mutex_t send_lock;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t next_id;
	size_t under_way; /* bytes of Remotes in pending */
	struct pending *pending;
	bool is_closed; /* nothing more will arrive */

	frame_msg *start; /* the setup points into it */
	struct task_setup setup;
	struct task task;
};

/* --- sending ---------------------------------------------------------------- */

static int
send_frame(
    struct channel *c, const frame_msg *frame, const int *fds, size_t n_fds)
{
	int r;

	pthread_mutex_lock(&c->send_lock);
	r = frame_send(c->sock, frame, fds, n_fds);
	pthread_mutex_unlock(&c->send_lock);
	return r;
}

#define FRAME(member, value, kind)                                             \
	{                                                                      \
		.base = PROTOBUF_C_MESSAGE_INIT(                               \
		    &sluice__executor__frame__descriptor),                     \
		.kind_case = SLUICE__EXECUTOR__FRAME__KIND_##kind,             \
		.member = (value)                                              \
	}

static char *
text(const char *s)
{
	/* protobuf-c has no const; frame_send() does not write. */
	return (char *)(uintptr_t)(s != NULL ? s : "");
}

static ProtobufCBinaryData
bytes(const void *data, size_t size)
{
	return (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)data };
}

/* Take an id and, for objects, room in the window. */
static int
enter(struct channel *c, struct pending *p)
{
	pthread_mutex_lock(&c->lock);
	while (!c->is_closed && p->size > 0 && c->under_way > 0 &&
	       c->under_way + p->size > WINDOW_BYTES)
		pthread_cond_wait(&c->changed, &c->lock);
	if (c->is_closed) {
		pthread_mutex_unlock(&c->lock);
		return err_set(ERR_CLOSED, "the shepherd is gone");
	}
	p->id = ++c->next_id;
	p->next = c->pending;
	c->pending = p;
	c->under_way += p->size;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* Call with the lock held. */
static void
unlink_pending(struct channel *c, struct pending *p)
{
	struct pending **q;

	for (q = &c->pending; *q != NULL; q = &(*q)->next)
		if (*q == p) {
			*q = p->next;
			c->under_way -= p->size;
			break;
		}
	pthread_cond_broadcast(&c->changed);
}

static void
leave(struct channel *c, struct pending *p)
{
	pthread_mutex_lock(&c->lock);
	unlink_pending(c, p);
	pthread_mutex_unlock(&c->lock);
}

/* The receivers as messages; the arrays are the caller's to free. */
static Sluice__Executor__Party **
receivers(
    const struct task_party *to, size_t n, Sluice__Executor__Party **storage)
{
	Sluice__Executor__Party **list = xcalloc(n, sizeof(list[0]));
	size_t i;

	*storage = xcalloc(n, sizeof((*storage)[0]));
	for (i = 0; i < n; i++) {
		sluice__executor__party__init(&(*storage)[i]);
		(*storage)[i].role = text(to[i].role);
		(*storage)[i].party_id = text(to[i].party_id);
		list[i] = &(*storage)[i];
	}
	return list;
}

static int
send_remote(struct channel *c, Sluice__Executor__Remote *remote,
    const struct task_party *to, size_t n_to, int fd)
{
	Sluice__Executor__Party *storage;
	frame_msg frame = FRAME(remote, remote, REMOTE);
	struct pending *p = xcalloc(1, sizeof(*p));
	int r;

	/* An empty object counts too, so that it is waited for. */
	p->size = remote->size > 0 ? remote->size : 1;
	if ((r = enter(c, p)) != 0) {
		free(p);
		return r;
	}
	remote->id = p->id;
	remote->to = receivers(to, n_to, &storage);
	remote->n_to = n_to;
	if ((r = send_frame(c, &frame, &fd, fd >= 0)) != 0) {
		leave(c, p);
		free(p);
	}
	/* Otherwise the reader frees it when the acknowledgement is there. */
	free(remote->to);
	free(storage);
	return r;
}

static int
channel_remote_memfd(void *ctx, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, int fd, size_t size)
{
	Sluice__Executor__Remote remote = SLUICE__EXECUTOR__REMOTE__INIT;
	int r;

	remote.name = text(name);
	remote.tag = text(tag);
	remote.size = size;
	remote.in_descriptor = true;
	r = send_remote(ctx, &remote, to, n_to, fd);
	fd_close(&fd);
	return r;
}

static int
channel_remote(void *ctx, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, const void *data, size_t size)
{
	Sluice__Executor__Remote remote = SLUICE__EXECUTOR__REMOTE__INIT;
	int fd, r;

	if (size > FRAME_INLINE_MAX) {
		if ((r = fd_memfd("object", data, size, &fd)) != 0)
			return r;
		return channel_remote_memfd(ctx, name, tag, to, n_to, fd, size);
	}
	remote.name = text(name);
	remote.tag = text(tag);
	remote.size = size;
	remote.content = bytes(data, size);
	return send_remote(ctx, &remote, to, n_to, -1);
}

static int
channel_get(void *ctx, const char *name, const char *tag,
    const struct task_party *from, struct object *out)
{
	struct channel *c = ctx;
	struct pending p = { .object = out };
	Sluice__Executor__Party party = SLUICE__EXECUTOR__PARTY__INIT;
	Sluice__Executor__Get get = SLUICE__EXECUTOR__GET__INIT;
	frame_msg frame = FRAME(get, &get, GET);
	int r;

	if ((r = enter(c, &p)) != 0)
		return r;
	party.role = text(from->role);
	party.party_id = text(from->party_id);
	get.id = p.id;
	get.name = text(name);
	get.tag = text(tag);
	get.from = &party;
	if ((r = send_frame(c, &frame, NULL, 0)) != 0) {
		leave(c, &p);
		object_free(out);
		return r;
	}
	pthread_mutex_lock(&c->lock);
	while (!p.is_done && !c->is_closed)
		pthread_cond_wait(&c->changed, &c->lock);
	unlink_pending(c, &p);
	pthread_mutex_unlock(&c->lock);
	if (!p.is_done)
		return err_set(ERR_CLOSED, "the shepherd is gone");
	r = p.code == 0 ? 0 : err_set(p.code, "%s", p.error);
	free(p.error);
	return r;
}

/* --- receiving --------------------------------------------------------------- */

/* The parts' sizes add up, and all but the last fill whole pages. */
static int
check_parts(
    const struct frame_fds *fds, size_t size, size_t *sizes, bool *is_paged)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), left = size, i;
	struct stat st;

	*is_paged = true;
	for (i = 0; i < fds->n; i++) {
		if (fstat(fds->fd[i], &st) != 0)
			return err_set_errno(ERR_IO, "part %zu", i);
		if (st.st_size <= 0 || (uint64_t)st.st_size > left)
			return err_set(ERR_FORMAT, "the parts of an object "
						   "are longer than announced");
		sizes[i] = (size_t)st.st_size;
		left -= sizes[i];
		if (i + 1 < fds->n && sizes[i] % page != 0)
			*is_paged = false;
	}
	if (left != 0)
		return err_set(ERR_FORMAT, "the parts of an object are shorter "
					   "than announced");
	return 0;
}

/* Side by side in one range of addresses: nothing is copied. */
static int
map_parts(const struct frame_fds *fds, const size_t *sizes, size_t size,
    struct object *out)
{
	char *base, *p;
	size_t i;

	base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return err_set_errno(ERR_NOMEM, "map %zu bytes", size);
	out->map_ = base;
	out->map_size_ = size;
	out->data = base;
	for (i = 0, p = base; i < fds->n; p += sizes[i++])
		if (mmap(p, sizes[i], PROT_READ, MAP_PRIVATE | MAP_FIXED,
			fds->fd[i], 0) == MAP_FAILED)
			return err_set_errno(ERR_NOMEM, "map part %zu", i);
	return 0;
}

static int
copy_parts(const struct frame_fds *fds, const size_t *sizes, size_t size,
    struct object *out)
{
	char *p;
	size_t i;

	if ((out->heap_ = malloc(size)) == NULL)
		return err_set(ERR_NOMEM, "an object of %zu bytes", size);
	out->data = p = out->heap_;
	for (i = 0; i < fds->n; p += sizes[i++])
		if (lseek(fds->fd[i], 0, SEEK_SET) != 0 ||
		    fd_read_exact(fds->fd[i], p, sizes[i]) != 0)
			return err_set(ERR_IO, "part %zu cannot be read", i);
	return 0;
}

static int
take_parts(const struct frame_fds *fds, size_t size, struct object *out)
{
	size_t sizes[FRAME_MAX_FDS];
	bool is_paged;
	int r;

	if ((r = check_parts(fds, size, sizes, &is_paged)) != 0)
		return r;
	return is_paged ? map_parts(fds, sizes, size, out)
			: copy_parts(fds, sizes, size, out);
}

/* The object of a delivery; the file's size is what protects from SIGBUS. */
static int
take_delivery(const Sluice__Executor__Delivery *d, const struct frame_fds *fds,
    struct object *out)
{
	int r;

	if (d->descriptors != fds->n)
		return err_set(ERR_FORMAT, "%u descriptors announced, %zu here",
		    d->descriptors, fds->n);
	if (fds->n == 0) {
		if ((out->heap_ = malloc(d->content.len + 1)) == NULL)
			return err_set(ERR_NOMEM, "an object of %zu bytes",
			    d->content.len);
		if (d->content.len > 0)
			memcpy(out->heap_, d->content.data, d->content.len);
		out->data = out->heap_;
		out->size = d->content.len;
		return 0;
	}
	if (d->size == 0 || d->size > SIZE_MAX / 2)
		return err_set(ERR_FORMAT, "an object of no possible size");
	if ((r = take_parts(fds, d->size, out)) != 0) {
		object_free(out);
		return r;
	}
	out->size = d->size;
	return 0;
}

static struct pending *
find_pending(struct channel *c, uint64_t id, bool is_get)
{
	struct pending *p;

	for (p = c->pending; p != NULL; p = p->next)
		if (p->id == id && (p->object != NULL) == is_get && !p->is_done)
			return p;
	return NULL;
}

static int
on_ack(struct channel *c, uint64_t id)
{
	struct pending *p;

	pthread_mutex_lock(&c->lock);
	p = find_pending(c, id, false);
	if (p != NULL)
		unlink_pending(c, p);
	pthread_mutex_unlock(&c->lock);
	free(p);
	return p != NULL ? 0
			 : err_set(ERR_FORMAT, "acknowledgement of "
					       "nothing");
}

static int
on_delivery(struct channel *c, const Sluice__Executor__Delivery *d,
    const struct frame_fds *fds)
{
	struct pending *p;

	pthread_mutex_lock(&c->lock);
	p = find_pending(c, d->id, true);
	if (p != NULL) {
		p->code = take_delivery(d, fds, p->object);
		if (p->code != 0)
			p->error = xstrdup(err_text());
		p->is_done = true;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return p != NULL ? 0 : err_set(ERR_FORMAT, "delivery of nothing");
}

static int
on_frame(struct channel *c, const frame_msg *frame, const struct frame_fds *fds)
{
	switch (frame->kind_case) {
	case SLUICE__EXECUTOR__FRAME__KIND_REMOTE_ACK:
		return on_ack(c, frame->remote_ack->id);
	case SLUICE__EXECUTOR__FRAME__KIND_DELIVERY:
		return on_delivery(c, frame->delivery, fds);
	default:
		return err_set(ERR_FORMAT, "unexpected frame");
	}
}

static void *
reader_main(void *arg)
{
	struct channel *c = arg;
	struct frame_fds fds;
	frame_msg *frame;
	int r;

	do {
		fds.n = 0;
		if ((r = frame_recv(c->sock, &frame, &fds)) != 0)
			break;
		r = on_frame(c, frame, &fds);
		frame_fds_close(&fds);
		frame_free(frame);
	} while (r == 0);
	pthread_mutex_lock(&c->lock);
	c->is_closed = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- everything that has no answer ------------------------------------------------ */

static void
fill_value(Sluice__Executor__Value *v, const char *string, double number)
{
	sluice__executor__value__init(v);
	if (string != NULL) {
		v->kind_case = SLUICE__EXECUTOR__VALUE__KIND_TEXT;
		v->text = text(string);
	} else {
		v->kind_case = SLUICE__EXECUTOR__VALUE__KIND_NUMBER;
		v->number = number;
	}
}

static int
channel_metric_data(void *ctx, const char *ns, const char *name,
    const struct metric_point *points, size_t n)
{
	struct storage {
		Sluice__Executor__MetricPoint point;
		Sluice__Executor__Value key;
		Sluice__Executor__Value value;
	} *s = xcalloc(n, sizeof(*s));
	Sluice__Executor__MetricPoint **list = xcalloc(n, sizeof(list[0]));
	Sluice__Executor__MetricData data = SLUICE__EXECUTOR__METRIC_DATA__INIT;
	frame_msg frame = FRAME(metric_data, &data, METRIC_DATA);
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		sluice__executor__metric_point__init(&s[i].point);
		fill_value(&s[i].key, points[i].key_text, points[i].key);
		fill_value(&s[i].value, points[i].value_text, points[i].value);
		s[i].point.key = &s[i].key;
		s[i].point.value = &s[i].value;
		list[i] = &s[i].point;
	}
	data.metric_namespace = text(ns);
	data.metric_name = text(name);
	data.points = list;
	data.n_points = n;
	r = send_frame(ctx, &frame, NULL, 0);
	free(list);
	free(s);
	return r;
}

static int
channel_metric_meta(
    void *ctx, const char *ns, const char *name, const char *meta_json)
{
	Sluice__Executor__MetricMeta meta = SLUICE__EXECUTOR__METRIC_META__INIT;
	frame_msg frame = FRAME(metric_meta, &meta, METRIC_META);

	meta.metric_namespace = text(ns);
	meta.metric_name = text(name);
	meta.meta_json = text(meta_json);
	return send_frame(ctx, &frame, NULL, 0);
}

static int
channel_summary(void *ctx, const char *json)
{
	Sluice__Executor__Summary summary = SLUICE__EXECUTOR__SUMMARY__INIT;
	frame_msg frame = FRAME(summary, &summary, SUMMARY);

	summary.json = text(json);
	return send_frame(ctx, &frame, NULL, 0);
}

static int
channel_output_table(void *ctx, const struct task_output *o)
{
	Sluice__Executor__OutputTable t = SLUICE__EXECUTOR__OUTPUT_TABLE__INIT;
	frame_msg frame = FRAME(output_table, &t, OUTPUT_TABLE);

	t.data_name = text(o->data_name);
	t.folder = text(o->folder);
	t.schema_json = text(o->schema_json);
	t.rows = o->rows;
	t.partitions = o->partitions;
	t.preview_json = text(o->preview_json);
	t.id_delimiter = text(o->id_delimiter);
	t.table_namespace = text(o->table_namespace);
	t.table_name = text(o->table_name);
	t.replace = o->replace;
	t.is_cache = o->is_cache;
	return send_frame(ctx, &frame, NULL, 0);
}

static int
channel_output_file(
    void *ctx, const char *file, uint64_t rows, const char *delimiter)
{
	Sluice__Executor__OutputFile f = SLUICE__EXECUTOR__OUTPUT_FILE__INIT;
	frame_msg frame = FRAME(output_file, &f, OUTPUT_FILE);

	f.file = text(file);
	f.rows = rows;
	f.delimiter = text(delimiter);
	return send_frame(ctx, &frame, NULL, 0);
}

/* One allocation with the messages behind their list; free() it. */
static Sluice__Executor__NamedBuffer **
buffer_list(const struct task_buffer *buffers, size_t n)
{
	Sluice__Executor__NamedBuffer **list, *s;
	size_t i;

	list = xcalloc(n, sizeof(list[0]) + sizeof(*s));
	s = (Sluice__Executor__NamedBuffer *)(void *)&list[n];
	for (i = 0; i < n; i++) {
		sluice__executor__named_buffer__init(&s[i]);
		s[i].name = text(buffers[i].name);
		s[i].message = text(buffers[i].message);
		s[i].content = bytes(buffers[i].content, buffers[i].size);
		list[i] = &s[i];
	}
	return list;
}

static int
channel_output_model(
    void *ctx, const char *alias, const struct task_buffer *buffers, size_t n)
{
	Sluice__Executor__OutputModel model =
	    SLUICE__EXECUTOR__OUTPUT_MODEL__INIT;
	frame_msg frame = FRAME(output_model, &model, OUTPUT_MODEL);
	int r;

	model.alias = text(alias);
	model.buffers = buffer_list(buffers, n);
	model.n_buffers = n;
	r = send_frame(ctx, &frame, NULL, 0);
	free(model.buffers);
	return r;
}

static int
channel_checkpoint(void *ctx, uint64_t step_index, const char *step_name,
    const struct task_buffer *buffers, size_t n, uint32_t keep)
{
	Sluice__Executor__Checkpoint c = SLUICE__EXECUTOR__CHECKPOINT__INIT;
	frame_msg frame = FRAME(checkpoint, &c, CHECKPOINT);
	int r;

	c.step_index = step_index;
	c.step_name = text(step_name);
	c.buffers = buffer_list(buffers, n);
	c.n_buffers = n;
	c.keep = keep;
	r = send_frame(ctx, &frame, NULL, 0);
	free(c.buffers);
	return r;
}

static int
channel_progress(void *ctx, uint64_t done, uint64_t total, const char *what)
{
	Sluice__Executor__Progress p = SLUICE__EXECUTOR__PROGRESS__INIT;
	frame_msg frame = FRAME(progress, &p, PROGRESS);

	p.done = done;
	p.total = total;
	p.text = text(what);
	return send_frame(ctx, &frame, NULL, 0);
}

static void
channel_log(void *ctx, enum task_log_level level, const char *line)
{
	static const Sluice__Executor__Log__Level levels[] = {
		[TASK_DEBUG] = SLUICE__EXECUTOR__LOG__LEVEL__DEBUG,
		[TASK_INFO] = SLUICE__EXECUTOR__LOG__LEVEL__INFO,
		[TASK_WARNING] = SLUICE__EXECUTOR__LOG__LEVEL__WARNING,
		[TASK_ERROR] = SLUICE__EXECUTOR__LOG__LEVEL__ERROR,
	};
	Sluice__Executor__Log log = SLUICE__EXECUTOR__LOG__INIT;
	frame_msg frame = FRAME(log, &log, LOG);

	log.level = levels[level];
	log.text = text(line);
	/* A shepherd that is gone shows in the next call that has a result. */
	(void)send_frame(ctx, &frame, NULL, 0);
}

static const struct task_ops channel_ops = {
	.remote = channel_remote,
	.remote_memfd = channel_remote_memfd,
	.get = channel_get,
	.metric_data = channel_metric_data,
	.metric_meta = channel_metric_meta,
	.summary = channel_summary,
	.output_table = channel_output_table,
	.output_file = channel_output_file,
	.output_model = channel_output_model,
	.checkpoint = channel_checkpoint,
	.progress = channel_progress,
	.log = channel_log,
};

/* --- the beginning -------------------------------------------------------------------- */

static struct task_party
party_of(const Sluice__Executor__Party *p)
{
	return (struct task_party){ p->role, p->party_id };
}

static void
take_inputs(const Sluice__Executor__Start *s, struct task_setup *setup)
{
	struct task_input *in = xcalloc(s->n_inputs + 1, sizeof(*in));
	size_t i;

	for (i = 0; i < s->n_inputs; i++) {
		const Sluice__Executor__InputTable *t = s->inputs[i];

		in[i] = (struct task_input){
			.data_key = t->data_key,
			.component = t->component,
			.data_name = t->data_name,
			.path = t->path,
			.schema_json = t->schema_json,
			.rows = t->rows,
			.partitions = t->partitions,
			.table_namespace = t->table_namespace,
			.table_name = t->table_name,
			.id_delimiter = t->id_delimiter,
			.is_text = t->is_text,
			.have_head = t->have_head,
			.extend_sid = t->extend_sid,
			.auto_increasing_sid = t->auto_increasing_sid,
			.engine = t->engine,
		};
	}
	setup->inputs = in;
	setup->n_inputs = s->n_inputs;
}

static struct task_buffer *
take_buffers(const Sluice__Executor__InputModel *m)
{
	struct task_buffer *b = xcalloc(m->n_buffers + 1, sizeof(*b));
	size_t i;

	for (i = 0; i < m->n_buffers; i++)
		b[i] = (struct task_buffer){ m->buffers[i]->name,
			m->buffers[i]->message, m->buffers[i]->content.data,
			m->buffers[i]->content.len };
	return b;
}

static void
take_models(const Sluice__Executor__Start *s, struct task_setup *setup)
{
	struct task_model *m = xcalloc(s->n_models + 1, sizeof(*m));
	size_t i;

	for (i = 0; i < s->n_models; i++)
		m[i] = (struct task_model){
			.kind =
			    strcmp(s->models[i]->kind, "isometric_model") == 0
				? TASK_ISOMETRIC_MODEL
				: TASK_MODEL,
			.component = s->models[i]->component,
			.alias = s->models[i]->alias,
			.buffers = take_buffers(s->models[i]),
			.n_buffers = s->models[i]->n_buffers,
		};
	setup->models = m;
	setup->n_models = s->n_models;
}

static void
take_parties(const Sluice__Executor__Start *s, struct task_setup *setup)
{
	struct task_party *p = xcalloc(s->n_parties + 1, sizeof(*p));
	size_t i;

	for (i = 0; i < s->n_parties; i++)
		p[i] = party_of(s->parties[i]);
	setup->parties = p;
	setup->n_parties = s->n_parties;
}

/* The text of a table that is kept outside: the setup's now. */
static int
take_descriptor(const Sluice__Executor__Start *s, struct frame_fds *fds,
    struct task_setup *setup)
{
	if (fds->n != (s->input_in_descriptor ? 1 : 0))
		return err_set(
		    ERR_FORMAT, "start came with %zu descriptors", fds->n);
	if (fds->n == 1)
		setup->input_fd = fds->fd[0];
	fds->n = 0;
	return 0;
}

static int
take_start(
    struct channel *c, const Sluice__Executor__Start *s, struct frame_fds *fds)
{
	struct task_setup *setup = &c->setup;

	if (s->protocol != FRAME_PROTOCOL)
		return err_set(ERR_UNSUPPORTED,
		    "the shepherd speaks protocol "
		    "%u, this executor %d",
		    s->protocol, FRAME_PROTOCOL);
	if (s->local == NULL)
		return err_set(ERR_FORMAT, "start without a member");
	*setup = (struct task_setup){
		.job_id = s->job_id,
		.component = s->component,
		.module = s->module,
		.version = s->version,
		.local = party_of(s->local),
		.parameters = json_tokener_parse(s->parameters_json),
		.job_parameters = json_tokener_parse(
		    s->job_parameters_json[0] != '\0' ? s->job_parameters_json
						      : "{}"),
		.output_cache = s->n_output_cache > 0 ? s->output_cache[0] : "",
		.output_data = (const char *const *)s->output_data,
		.n_output_data = s->n_output_data,
		.output_model = s->output_model,
		.cores = s->cores,
		.output_dir = s->output_dir,
		.input_file = s->input_file,
		.input_fd = -1,
	};
	take_parties(s, setup);
	take_inputs(s, setup);
	take_models(s, setup);
	if (take_descriptor(s, fds, setup) != 0)
		return err_code();
	return task_setup_check(setup);
}

static void
setup_fini(struct task_setup *s)
{
	size_t i;

	for (i = 0; i < s->n_models; i++)
		free((void *)(uintptr_t)s->models[i].buffers);
	fd_close(&s->input_fd);
	free((void *)(uintptr_t)s->models);
	free((void *)(uintptr_t)s->inputs);
	free((void *)(uintptr_t)s->parties);
	json_object_put(s->parameters);
	json_object_put(s->job_parameters);
}

static int
greet(struct channel *c)
{
	Sluice__Executor__Hello hello = SLUICE__EXECUTOR__HELLO__INIT;
	frame_msg frame = FRAME(hello, &hello, HELLO);
	struct frame_fds fds = { .n = 0 };
	int r;

	hello.protocol = FRAME_PROTOCOL;
	hello.program = text("sluice " SLUICE_VERSION);
	if ((r = send_frame(c, &frame, NULL, 0)) != 0 ||
	    (r = frame_recv(c->sock, &c->start, &fds)) != 0)
		return r;
	if (c->start->kind_case != SLUICE__EXECUTOR__FRAME__KIND_START)
		r = err_set(ERR_FORMAT, "the first frame is not Start");
	else
		r = take_start(c, c->start->start, &fds);
	frame_fds_close(&fds);
	return r;
}

int
channel_open(int sock, struct channel **out, struct task **task)
{
	struct channel *c = xcalloc(1, sizeof(*c));
	int r;

	*out = c;
	*task = NULL;
	c->sock = sock;
	c->setup.input_fd = -1;
	pthread_mutex_init(&c->send_lock, NULL);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	if ((r = greet(c)) != 0)
		return r;
	c->task =
	    (struct task){ .setup = &c->setup, .ops = &channel_ops, .ctx = c };
	if (pthread_create(&c->reader, NULL, reader_main, c) != 0)
		return err_set(ERR_NOMEM, "no thread for the shepherd");
	c->has_reader = true;
	*task = &c->task;
	return 0;
}

int
channel_finish(struct channel *c, int code)
{
	Sluice__Executor__Finish finish = SLUICE__EXECUTOR__FINISH__INIT;
	frame_msg frame = FRAME(finish, &finish, FINISH);
	bool is_closed;

	if (code == 0) {
		pthread_mutex_lock(&c->lock);
		while (c->under_way > 0 && !c->is_closed)
			pthread_cond_wait(&c->changed, &c->lock);
		is_closed = c->is_closed;
		pthread_mutex_unlock(&c->lock);
		if (is_closed)
			return err_set(ERR_CLOSED, "the shepherd is gone");
	}
	finish.status = text(code != 0	      ? "failed"
			     : c->task.passes ? "pass"
					      : "success");
	finish.error = text(code == 0 ? "" : err_text());
	finish.fault = text(code == ERR_FULL ? "disk" : "");
	return send_frame(c, &frame, NULL, 0);
}

void
channel_free(struct channel *c)
{
	struct pending *p;

	if (c == NULL)
		return;
	/* Wakes the reader; what was sent stays readable for the shepherd. */
	(void)shutdown(c->sock, SHUT_RD);
	if (c->has_reader)
		pthread_join(c->reader, NULL);
	fd_close(&c->sock);
	while ((p = c->pending) != NULL) {
		c->pending = p->next;
		free(p);
	}
	setup_fini(&c->setup);
	frame_free(c->start);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->send_lock);
	free(c);
}
