/*
 * Fuzz target: what an executor writes to its socket.  The first byte says in
 * how many pieces the rest arrives; the reader, the checks and the writer see
 * it as the shepherd would.
 *
 * Beside crashes it looks for broken promises: a message that passed the
 * checks has the texts they vouch for, and comes out of the writer as it went
 * in.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/wire/check.h"
#include "lib/wire/frame.h"

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
promise(int kept)
{
	if (!kept)
		abort();
}

static void
promises_of(const frame_msg *m)
{
	switch (m->kind_case) {
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_TABLE:
		promise(strchr(m->output_table->folder, '/') == NULL);
		promise(m->output_table->folder[0] != '.');
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_FILE:
		promise(strchr(m->output_file->file, '/') == NULL);
		promise(m->output_file->file[0] != '.');
		promise(m->output_file->delimiter[0] != '\0');
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_REMOTE:
		promise(m->remote->n_to > 0);
		promise(m->remote->to[0]->role[0] != '\0');
		promise(strchr(m->remote->name, '/') == NULL);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA:
		promise(str_is_utf8(m->metric_data->metric_name,
		    strlen(m->metric_data->metric_name)));
		break;
	default:
		promise(m->kind_case != SLUICE__EXECUTOR__FRAME__KIND_START &&
			m->kind_case != SLUICE__EXECUTOR__FRAME__KIND_DELIVERY);
		break;
	}
}

/* Written and read again it is the same message. */
static void
round_trip(const frame_msg *m)
{
	size_t n = sluice__executor__frame__get_packed_size(m);
	uint8_t *a = malloc(n + 1), *b = malloc(n + 1);
	frame_msg *again;

	promise(a != NULL && b != NULL);
	(void)sluice__executor__frame__pack(m, a);
	promise(frame_decode(a, n, &again) == 0);
	promise(sluice__executor__frame__get_packed_size(again) == n);
	(void)sluice__executor__frame__pack(again, b);
	promise(memcmp(a, b, n) == 0);
	frame_free(again);
	free(a);
	free(b);
}

/* Read what is there; false when the stream is broken. */
static int
read_frames(struct frame_reader *r, int sock)
{
	struct frame_fds fds;
	frame_msg *m;
	int e;

	while ((e = frame_read(r, sock, &m, &fds)) == 0) {
		if (wire_check_executor(m, fds.n) == 0) {
			promises_of(m);
			round_trip(m);
		}
		frame_free(m);
		frame_fds_close(&fds);
	}
	return e == ERR_BUSY;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader r;
	size_t piece, at = 1;
	int sv[2];

	if (size < 2 || size > INPUT_MAX)
		return 0;
	promise(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == 0);
	frame_reader_init(&r);
	piece = size / (1 + data[0] % 8) + 1;
	while (at < size) {
		if (piece > size - at)
			piece = size - at;
		promise(write(sv[1], data + at, piece) == (ssize_t)piece);
		at += piece;
		if (!read_frames(&r, sv[0]))
			break;
	}
	fd_close(&sv[1]);
	(void)read_frames(&r, sv[0]);
	frame_reader_fini(&r);
	fd_close(&sv[0]);
	err_clear();
	return 0;
}
