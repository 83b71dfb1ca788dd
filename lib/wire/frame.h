/*
 * Frames between a shepherd and its executor: a four-byte little-endian
 * length and that many bytes of Frame (proto/executor.proto), over a unix
 * stream socket.  Descriptors travel with the first byte of their frame.
 *
 * A stream socket may hand out the end of one frame together with the first
 * byte, and the descriptors, of the next.  Both readers therefore ask for the
 * four bytes of the length by themselves: descriptors that arrive with them
 * belong to that frame, and descriptors that arrive anywhere else are a
 * breach of the protocol.  Every descriptor received is close-on-exec.
 *
 * The contents are not judged here: lib/wire/check.h does that for what comes
 * from an executor.
 */
#ifndef LIB_WIRE_FRAME_H
#define LIB_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "proto/executor.pb-c.h"

/* Version of the protocol that both sides name in Start and Hello. */
#define FRAME_PROTOCOL 1
/* Longest frame: Start and OutputModel carry whole models. */
#define FRAME_MAX (64u << 20)
/* Descriptors of one frame; the kernel's own limit is 253. */
#define FRAME_MAX_FDS 250
/* Objects up to this size travel inside a frame, larger ones as memfd. */
#define FRAME_INLINE_MAX (64u << 10)

typedef Sluice__Executor__Frame frame_msg;

/* Descriptors that came with a frame; the holder closes them. */
struct frame_fds {
	int fd[FRAME_MAX_FDS];
	size_t n;
};

void frame_fds_close(struct frame_fds *); /* all of them; n is 0 again */

/*
 * One frame for which memory is asked as the bytes arrive, so that a length
 * without bytes behind it costs nothing.  Used by both sides.
 */
struct frame_reader {
	unsigned char head[4];
	size_t head_len;   /* bytes of head there are */
	uint32_t body_len; /* valid when head is complete */
	struct buf body;
	struct frame_fds fds;
};

void frame_reader_init(struct frame_reader *);
void frame_reader_fini(struct frame_reader *);

/*
 * Read from sock until one frame is complete.  *out is the caller's, free it
 * with frame_free(); *fds receives its descriptors, the caller's as well.
 * On a non-blocking socket ERR_BUSY says that more must arrive first: call
 * again when sock is readable.
 * Errors: ERR_BUSY; ERR_CLOSED at the end of the stream between frames;
 * ERR_FORMAT when the length, the message or the descriptors break the
 * protocol or the stream ends inside a frame; ERR_IO.  After anything but
 * ERR_BUSY the stream cannot be read further.
 */
int frame_read(
    struct frame_reader *, int sock, frame_msg **out, struct frame_fds *fds);

/* The same on a blocking socket, waiting for as long as it takes. */
int frame_recv(int sock, frame_msg **out, struct frame_fds *fds);

/* Decode the bytes behind a length; ERR_FORMAT.  *out is the caller's. */
int frame_decode(const void *data, size_t len, frame_msg **out);
void frame_free(frame_msg *); /* NULL is fine */

/*
 * Send one frame with n descriptors (borrowed) and wait until all of it is
 * in the socket.  Not for two threads at once: callers hold a lock.
 * Errors: ERR_LIMIT when the frame or n is too large, ERR_CLOSED when the
 * other side is gone, ERR_IO.
 */
int frame_send(int sock, const frame_msg *, const int *fds, size_t n);

/*
 * Frames waiting to be written to a non-blocking socket, for an event loop.
 */
struct frame_writer;

struct frame_writer *frame_writer_new(void);
void frame_writer_free(struct frame_writer *); /* NULL is fine */
/*
 * Put a frame at the end.  The descriptors become the writer's, which closes
 * them once sent, on failure too.  Errors: ERR_LIMIT.
 */
int frame_writer_push(
    struct frame_writer *, const frame_msg *, const int *fds, size_t n);
/*
 * Write what the socket takes.  0 when nothing is left, ERR_BUSY when the
 * socket is full, ERR_CLOSED, ERR_IO.
 */
int frame_writer_flush(struct frame_writer *, int sock);
size_t frame_writer_pending(const struct frame_writer *); /* bytes */

#endif
