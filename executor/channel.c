/*
 * The executor's end of the socket to its shepherd.  main.c opens it, runs
 * the component over it and finishes it.
 *
 * Threads: `lock` guards everything the reader thread and the callers share;
 * `send_lock` keeps frames whole.  A caller waits on `changed` for its own
 * answer; answers are found by id.
 */
#include "executor/channel_private.h"

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

int
channel_send(
    struct channel *c, const frame_msg *frame, const int *fds, size_t n_fds)
{
	int r;

	pthread_mutex_lock(&c->send_lock);
	r = frame_send(c->sock, frame, fds, n_fds);
	pthread_mutex_unlock(&c->send_lock);
	return r;
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
		(*storage)[i].role = frame_text(to[i].role);
		(*storage)[i].party_id = frame_text(to[i].party_id);
		list[i] = &(*storage)[i];
	}
	return list;
}

static int
send_remote(struct channel *c, Sluice__Executor__Remote *remote,
    const struct task_party *to, size_t n_to, int fd)
{
	Sluice__Executor__Party *storage;
	frame_msg frame = FRAME_OF(remote, remote, REMOTE);
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
	if ((r = channel_send(c, &frame, &fd, fd >= 0)) != 0) {
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

	remote.name = frame_text(name);
	remote.tag = frame_text(tag);
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
	remote.name = frame_text(name);
	remote.tag = frame_text(tag);
	remote.size = size;
	remote.content = frame_bytes(data, size);
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
	frame_msg frame = FRAME_OF(get, &get, GET);
	int r;

	if ((r = enter(c, &p)) != 0)
		return r;
	party.role = frame_text(from->role);
	party.party_id = frame_text(from->party_id);
	get.id = p.id;
	get.name = frame_text(name);
	get.tag = frame_text(tag);
	get.from = &party;
	if ((r = channel_send(c, &frame, NULL, 0)) != 0) {
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

/* --- beginning and end ------------------------------------------------------- */

static int
greet(struct channel *c)
{
	Sluice__Executor__Hello hello = SLUICE__EXECUTOR__HELLO__INIT;
	frame_msg frame = FRAME_OF(hello, &hello, HELLO);
	struct frame_fds fds = { .n = 0 };
	int r;

	hello.protocol = FRAME_PROTOCOL;
	hello.program = frame_text("sluice " SLUICE_VERSION);
	if ((r = channel_send(c, &frame, NULL, 0)) != 0 ||
	    (r = frame_recv(c->sock, &c->start, &fds)) != 0)
		return r;
	if (c->start->kind_case != SLUICE__EXECUTOR__FRAME__KIND_START)
		r = err_set(ERR_FORMAT, "the first frame is not Start");
	else
		r = channel_take_start(c->start->start, &fds, &c->setup);
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
	frame_msg frame = FRAME_OF(finish, &finish, FINISH);
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
	finish.status = frame_text(code != 0	    ? "failed"
				   : c->task.passes ? "pass"
						    : "success");
	finish.error = frame_text(code == 0 ? "" : err_text());
	finish.fault = frame_text(code == ERR_FULL ? "disk" : "");
	return channel_send(c, &frame, NULL, 0);
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
	channel_setup_fini(&c->setup);
	frame_free(c->start);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->send_lock);
	free(c);
}
