/*
 * Framing over a unix stream socket with descriptors.  The shepherd uses the
 * reader and writer from its event loop, the executor runtime the blocking
 * calls.
 */
#include "lib/wire/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

/* Bytes asked for at once: bounds what a lying length makes us reserve. */
#define READ_STEP (256u << 10)
/* A body buffer larger than this is given back after its frame. */
#define KEEP_BODY (64u << 10)
/* Memory for a decoded frame: this and so many times its length. */
#define DECODE_BASE (8u << 20)
#define DECODE_FACTOR 4u

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * FRAME_MAX_FDS)];
};

struct pending {
	TAILQ_ENTRY(pending) link;
	char *data;
	size_t len;
	size_t sent;
	int *fds; /* gone once the first byte is sent */
	size_t nfds;
};

struct frame_writer {
	TAILQ_HEAD(pending_list, pending) queue;
	size_t bytes;
};

void
frame_fds_close(struct frame_fds *fds)
{
	size_t i;

	for (i = 0; i < fds->n; i++)
		fd_close(&fds->fd[i]);
	fds->n = 0;
}

/* Collect the descriptors of one message; all are closed on failure. */
static int
take_fds(struct msghdr *mh, struct frame_fds *fds)
{
	struct cmsghdr *c;
	size_t n, i;
	int fd;
	bool overflow = (mh->msg_flags & MSG_CTRUNC) != 0;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (fds->n < FRAME_MAX_FDS) {
				fds->fd[fds->n++] = fd;
			} else {
				overflow = true;
				fd_close(&fd);
			}
		}
	}
	if (!overflow)
		return 0;
	frame_fds_close(fds);
	return err_set(ERR_FORMAT, "more than %d descriptors with one frame",
	    FRAME_MAX_FDS);
}

/*
 * One recvmsg of at most len bytes into p; *got is 0 at the end of the
 * stream.  Errors: ERR_BUSY, ERR_FORMAT, ERR_IO.
 */
static int
receive(int sock, void *p, size_t len, struct frame_fds *fds, size_t *got)
{
	union control control;
	struct iovec iov = { p, len };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t n;

	*got = 0;
	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_BUSY;
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return err_set_errno(ERR_IO, "receive from socket");
	*got = (size_t)n;
	return take_fds(&mh, fds);
}

void
frame_reader_init(struct frame_reader *r)
{
	memset(r->head, 0, sizeof(r->head));
	r->head_len = 0;
	r->body_len = 0;
	buf_init(&r->body);
	r->fds.n = 0;
}

void
frame_reader_fini(struct frame_reader *r)
{
	buf_fini(&r->body);
	frame_fds_close(&r->fds);
	r->head_len = 0;
}

static int
read_head(struct frame_reader *r, int sock)
{
	size_t n;
	int e;

	while (r->head_len < sizeof(r->head)) {
		e = receive(sock, r->head + r->head_len,
		    sizeof(r->head) - r->head_len, &r->fds, &n);
		if (e != 0)
			return e;
		if (n == 0 && r->head_len == 0)
			return err_set(ERR_CLOSED, "end of stream");
		if (n == 0)
			return err_set(ERR_FORMAT, "stream ends in a frame");
		r->head_len += n;
	}
	r->body_len = (uint32_t)r->head[0] | (uint32_t)r->head[1] << 8 |
		      (uint32_t)r->head[2] << 16 | (uint32_t)r->head[3] << 24;
	if (r->body_len > FRAME_MAX)
		return err_set(ERR_FORMAT, "frame of %u bytes, limit %u",
		    r->body_len, FRAME_MAX);
	return 0;
}

static int
read_body(struct frame_reader *r, int sock)
{
	struct frame_fds stray;
	size_t n, want;
	void *p;
	int e;

	stray.n = 0;
	while (r->body.len < r->body_len) {
		want = r->body_len - r->body.len;
		if (want > READ_STEP)
			want = READ_STEP;
		p = buf_reserve(&r->body, want);
		if ((e = receive(sock, p, want, &stray, &n)) != 0)
			return e;
		if (stray.n > 0) {
			frame_fds_close(&stray);
			return err_set(
			    ERR_FORMAT, "descriptors in the middle of a frame");
		}
		if (n == 0)
			return err_set(ERR_FORMAT, "stream ends in a frame");
		r->body.len += n;
	}
	return 0;
}

int
frame_read(
    struct frame_reader *r, int sock, frame_msg **out, struct frame_fds *fds)
{
	int e;

	*out = NULL;
	fds->n = 0;
	if (r->head_len < sizeof(r->head) && (e = read_head(r, sock)) != 0)
		return e;
	if ((e = read_body(r, sock)) != 0)
		return e;
	if ((e = frame_decode(r->body.data, r->body.len, out)) != 0)
		return e;
	memcpy(fds->fd, r->fds.fd, r->fds.n * sizeof(int));
	fds->n = r->fds.n;
	r->fds.n = 0; /* the caller's now */
	r->head_len = 0;
	if (r->body.cap > KEEP_BODY)
		buf_fini(&r->body);
	else
		buf_clear(&r->body);
	return 0;
}

int
frame_recv(int sock, frame_msg **out, struct frame_fds *fds)
{
	struct frame_reader r;
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int e;

	frame_reader_init(&r);
	while ((e = frame_read(&r, sock, out, fds)) == ERR_BUSY)
		(void)poll(&pfd, 1, -1);
	frame_reader_fini(&r);
	return e;
}

/*
 * Two bytes of wire can ask for a hundred bytes of structs, so decoding has a
 * budget; what it allocates is freed with the default allocator.
 */
static void *
budget_alloc(void *ctx, size_t size)
{
	size_t *left = ctx;

	if (size > *left)
		return NULL;
	*left -= size;
	return malloc(size);
}

static void
budget_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static bool has_field_0(const ProtobufCMessage *);

/* *n messages lie at *list (or one, where there is no list). */
static const ProtobufCMessage *const *
messages_of(
    const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t *n)
{
	const char *at = (const char *)m + f->offset;
	const char *quantifier = (const char *)m + f->quantifier_offset;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		*n = *(const size_t *)quantifier;
		return *(const ProtobufCMessage *const *const *)at;
	}
	*n = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
	     *(const uint32_t *)quantifier == f->id;
	return (const ProtobufCMessage *const *)at;
}

static bool
part_has_field_0(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessage *const *list;
	size_t n;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	list = messages_of(m, f, &n);
	for (size_t i = 0; i < n; i++)
		if (list[i] != NULL && has_field_0(list[i]))
			return true;
	return false;
}

/*
 * There is no field 0.  The library takes one whose number is written longer
 * than it need be, and does not take what it writes of it.
 */
static bool
has_field_0(const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		if (m->unknown_fields[i].tag == 0)
			return true;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		if (part_has_field_0(m, &m->descriptor->fields[i]))
			return true;
	return false;
}

int
frame_decode(const void *data, size_t len, frame_msg **out)
{
	static const uint8_t nothing[1];
	size_t left = DECODE_BASE + DECODE_FACTOR * len;
	ProtobufCAllocator budget = { budget_alloc, budget_free, &left };

	*out = sluice__executor__frame__unpack(
	    &budget, len, len > 0 ? data : nothing);
	if (*out != NULL && has_field_0(&(*out)->base)) {
		frame_free(*out);
		*out = NULL;
	}
	if (*out == NULL)
		return err_set(
		    ERR_FORMAT, "frame of %zu bytes is no message", len);
	return 0;
}

void
frame_free(frame_msg *m)
{
	if (m != NULL)
		sluice__executor__frame__free_unpacked(m, NULL);
}

/* Length and message as the bytes that travel; ERR_LIMIT. */
static int
encode(const frame_msg *m, size_t nfds, char **data, size_t *len)
{
	size_t n = sluice__executor__frame__get_packed_size(m);
	unsigned char *p;

	*data = NULL;
	*len = 0;
	if (n > FRAME_MAX)
		return err_set(
		    ERR_LIMIT, "frame of %zu bytes, limit %u", n, FRAME_MAX);
	if (nfds > FRAME_MAX_FDS)
		return err_set(ERR_LIMIT, "%zu descriptors, limit %d", nfds,
		    FRAME_MAX_FDS);
	p = xmalloc(n + 4);
	p[0] = n & 0xff;
	p[1] = n >> 8 & 0xff;
	p[2] = n >> 16 & 0xff;
	p[3] = n >> 24 & 0xff;
	sluice__executor__frame__pack(m, p + 4);
	*data = (char *)p;
	*len = n + 4;
	return 0;
}

/* One sendmsg; ERR_BUSY, ERR_CLOSED, ERR_IO. */
static int
transmit(int sock, const char *p, size_t len, const int *fds, size_t nfds,
    size_t *sent)
{
	union control control;
	struct iovec iov = { (void *)(uintptr_t)p, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	*sent = 0;
	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.space;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do {
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_BUSY;
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return err_set_errno(ERR_CLOSED, "send to socket");
	if (n < 0)
		return err_set_errno(ERR_IO, "send to socket");
	*sent = (size_t)n;
	return 0;
}

int
frame_send(int sock, const frame_msg *m, const int *fds, size_t n)
{
	struct pollfd pfd = { .fd = sock, .events = POLLOUT };
	char *data;
	size_t len, at = 0, sent;
	int e;

	if ((e = encode(m, n, &data, &len)) != 0)
		return e;
	while (e == 0 && at < len) {
		e = transmit(
		    sock, data + at, len - at, fds, at == 0 ? n : 0, &sent);
		at += sent;
		if (e == ERR_BUSY) {
			(void)poll(&pfd, 1, -1);
			e = 0;
		}
	}
	free(data);
	return e;
}

struct frame_writer *
frame_writer_new(void)
{
	struct frame_writer *w = xcalloc(1, sizeof(*w));

	TAILQ_INIT(&w->queue);
	return w;
}

static void
pending_close_fds(struct pending *p)
{
	size_t i;

	for (i = 0; i < p->nfds; i++)
		fd_close(&p->fds[i]);
	free(p->fds);
	p->fds = NULL;
	p->nfds = 0;
}

static void
pending_free(struct frame_writer *w, struct pending *p)
{
	TAILQ_REMOVE(&w->queue, p, link);
	pending_close_fds(p);
	free(p->data);
	free(p);
}

void
frame_writer_free(struct frame_writer *w)
{
	if (w == NULL)
		return;
	while (!TAILQ_EMPTY(&w->queue))
		pending_free(w, TAILQ_FIRST(&w->queue));
	free(w);
}

int
frame_writer_push(
    struct frame_writer *w, const frame_msg *m, const int *fds, size_t n)
{
	struct pending *p = xcalloc(1, sizeof(*p));
	int e;

	p->nfds = n;
	if (n > 0) {
		p->fds = xcalloc(n, sizeof(int));
		memcpy(p->fds, fds, n * sizeof(int));
	}
	if ((e = encode(m, n, &p->data, &p->len)) != 0) {
		pending_close_fds(p);
		free(p);
		return e;
	}
	TAILQ_INSERT_TAIL(&w->queue, p, link);
	w->bytes += p->len;
	return 0;
}

int
frame_writer_flush(struct frame_writer *w, int sock)
{
	struct pending *p;
	size_t sent;
	int e;

	while ((p = TAILQ_FIRST(&w->queue)) != NULL) {
		e = transmit(sock, p->data + p->sent, p->len - p->sent, p->fds,
		    p->nfds, &sent);
		if (sent > 0)
			pending_close_fds(p);
		p->sent += sent;
		w->bytes -= sent;
		if (e != 0)
			return e;
		if (p->sent == p->len)
			pending_free(w, p);
	}
	return 0;
}

size_t
frame_writer_pending(const struct frame_writer *w)
{
	return w->bytes;
}
