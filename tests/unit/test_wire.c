/*
 * Frames over a socket, whole and in pieces, with and without descriptors;
 * and what an executor may not say.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/wire/check.h"
#include "lib/wire/frame.h"

static int pair[2]; /* [0] reads, [1] writes */

static int
set_up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static int
tear_down(void **state)
{
	(void)state;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

/* A log frame; the text stays the caller's. */
static int
send_log(const char *text, const int *fds, size_t n)
{
	Sluice__Executor__Log log = SLUICE__EXECUTOR__LOG__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;

	log.text = (char *)(uintptr_t)text;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_LOG;
	f.log = &log;
	return frame_send(pair[1], &f, fds, n);
}

static void
send_bytes(const void *data, size_t n)
{
	assert_int_equal(fd_write_all(pair[1], data, n), 0);
}

static int
receive_error(void)
{
	struct frame_fds fds;
	frame_msg *m;
	int r = frame_recv(pair[0], &m, &fds);

	assert_null(m);
	return r;
}

/* The descriptor is a file of these bytes. */
static void
assert_file(int fd, const char *text)
{
	char got[64] = "";

	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), strlen(text));
	assert_string_equal(got, text);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
a_frame_arrives_as_it_was_sent(void **state)
{
	struct frame_fds fds;
	frame_msg *m;

	(void)state;
	assert_int_equal(send_log("hello", NULL, 0), 0);
	assert_int_equal(frame_recv(pair[0], &m, &fds), 0);
	assert_string_equal(m->log->text, "hello");
	assert_int_equal(fds.n, 0);
	frame_free(m);
}

static void
descriptors_stay_with_their_frame(void **state)
{
	struct frame_fds fds;
	frame_msg *m;
	int fd[2], i;

	(void)state;
	assert_int_equal(fd_memfd("a", "one", 3, &fd[0]), 0);
	assert_int_equal(fd_memfd("b", "two", 3, &fd[1]), 0);
	assert_int_equal(send_log("none", NULL, 0), 0);
	assert_int_equal(send_log("first", &fd[0], 1), 0);
	assert_int_equal(send_log("both", fd, 2), 0);
	assert_int_equal(send_log("none", NULL, 0), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(frame_recv(pair[0], &m, &fds), 0);
		assert_int_equal(fds.n, i == 1 ? 1 : i == 2 ? 2 : 0);
		if (fds.n > 0)
			assert_file(fds.fd[0], "one");
		if (fds.n > 1)
			assert_file(fds.fd[1], "two");
		frame_fds_close(&fds);
		frame_free(m);
	}
	fd_close(&fd[0]);
	fd_close(&fd[1]);
}

static void
a_frame_may_arrive_byte_by_byte(void **state)
{
	static const char bytes[] = "\x09\x00\x00\x00\x9a\x01\x06\x12"
				    "\x04"
				    "abcd";
	struct frame_reader r;
	struct frame_fds fds;
	frame_msg *m;
	size_t i;

	(void)state;
	assert_int_equal(fd_set_nonblock(pair[0]), 0);
	frame_reader_init(&r);
	for (i = 0; i < sizeof(bytes) - 2; i++) {
		send_bytes(bytes + i, 1);
		assert_int_equal(frame_read(&r, pair[0], &m, &fds), ERR_BUSY);
	}
	send_bytes(bytes + i, 1);
	assert_int_equal(frame_read(&r, pair[0], &m, &fds), 0);
	assert_string_equal(m->log->text, "abcd");
	frame_free(m);
	frame_reader_fini(&r);
}

static void
a_frame_that_is_too_long_is_refused(void **state)
{
	(void)state;
	send_bytes("\xff\xff\xff\x7f", 4);
	assert_int_equal(receive_error(), ERR_FORMAT);
}

static void
bytes_that_are_no_message_are_refused(void **state)
{
	(void)state;
	send_bytes("\x02\x00\x00\x00\xff\xff", 6);
	assert_int_equal(receive_error(), ERR_FORMAT);
}

static void
a_stream_that_ends_in_a_frame_is_not_a_clean_end(void **state)
{
	(void)state;
	send_bytes("\x08\x00\x00\x00zz", 6);
	fd_close(&pair[1]);
	assert_int_equal(receive_error(), ERR_FORMAT);
}

static void
a_stream_that_ends_between_frames_is_closed(void **state)
{
	(void)state;
	fd_close(&pair[1]);
	assert_int_equal(receive_error(), ERR_CLOSED);
}

static void
send_with_fd(const void *data, size_t n, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, n };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	assert_int_equal(sendmsg(pair[1], &mh, 0), n);
}

/* The number that the next descriptor gets: it grows when one stays open. */
static int
next_fd(void)
{
	int fd = dup(0), n = fd;

	fd_close(&fd);
	return n;
}

static void
descriptors_in_the_middle_of_a_frame_are_refused_and_closed(void **state)
{
	int before = next_fd();

	(void)state;
	send_bytes("\x08\x00\x00\x00", 4);
	send_with_fd("zzzzzzzz", 8, 0);
	assert_int_equal(receive_error(), ERR_FORMAT);
	assert_int_equal(next_fd(), before);
}

static void
a_decoded_frame_may_not_take_a_multiple_of_its_size(void **state)
{
	/* Metric data of empty points: two bytes each, a struct each. */
	enum { POINTS = 4 << 20 };
	unsigned char *b = xmalloc(2 * POINTS + 16);
	size_t n = 0, i, len = 2 * (size_t)POINTS;
	frame_msg *m;

	(void)state;
	b[n++] = 0x6a; /* field 13 */
	for (i = len; i >= 0x80; i >>= 7)
		b[n++] = (unsigned char)(i | 0x80);
	b[n++] = (unsigned char)i;
	for (i = 0; i < POINTS; i++) {
		b[n++] = 0x1a; /* field 3 */
		b[n++] = 0;
	}
	assert_int_equal(frame_decode(b, n, &m), ERR_FORMAT);
	assert_null(m);
	free(b);
}

static void
the_writer_waits_for_a_full_socket_and_goes_on(void **state)
{
	Sluice__Executor__Log log = SLUICE__EXECUTOR__LOG__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT, *m;
	struct frame_writer *w = frame_writer_new();
	struct frame_fds fds;
	char *text = xcalloc(1, 1 << 20);
	int fd, r;

	(void)state;
	memset(text, 'x', (1 << 20) - 1);
	log.text = text;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_LOG;
	f.log = &log;
	assert_int_equal(fd_set_nonblock(pair[0]), 0);
	assert_int_equal(fd_set_nonblock(pair[1]), 0);
	assert_int_equal(fd_memfd("a", "one", 3, &fd), 0);
	assert_int_equal(frame_writer_push(w, &f, &fd, 1), 0);
	assert_int_equal(frame_writer_flush(w, pair[1]), ERR_BUSY);
	assert_true(frame_writer_pending(w) > 0);
	{
		struct frame_reader rd;

		frame_reader_init(&rd);
		while ((r = frame_read(&rd, pair[0], &m, &fds)) == ERR_BUSY)
			(void)frame_writer_flush(w, pair[1]);
		assert_int_equal(r, 0);
		frame_reader_fini(&rd);
	}
	assert_int_equal(frame_writer_pending(w), 0);
	assert_int_equal(strlen(m->log->text), (1 << 20) - 1);
	assert_int_equal(fds.n, 1);
	assert_file(fds.fd[0], "one");
	frame_fds_close(&fds);
	frame_free(m);
	frame_writer_free(w);
	free(text);
}

static void
what_the_writer_never_sent_is_closed_with_it(void **state)
{
	Sluice__Executor__Log log = SLUICE__EXECUTOR__LOG__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;
	struct frame_writer *w = frame_writer_new();
	int fd;

	(void)state;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_LOG;
	f.log = &log;
	assert_int_equal(fd_memfd("a", "one", 3, &fd), 0);
	assert_int_equal(frame_writer_push(w, &f, &fd, 1), 0);
	frame_writer_free(w);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

/* --- what an executor may say ------------------------------------------------- */

#define FRAME_OF(kind_, member, value)                                         \
	{                                                                      \
		.base = PROTOBUF_C_MESSAGE_INIT(                               \
		    &sluice__executor__frame__descriptor),                     \
		.kind_case = SLUICE__EXECUTOR__FRAME__KIND_##kind_,            \
		.member = (value)                                              \
	}

static void
remotes_are_judged_field_by_field(void **state)
{
	Sluice__Executor__Party party = SLUICE__EXECUTOR__PARTY__INIT;
	Sluice__Executor__Party *to[] = { &party };
	Sluice__Executor__Remote m = SLUICE__EXECUTOR__REMOTE__INIT;
	frame_msg f = FRAME_OF(REMOTE, remote, &m);

	(void)state;
	party.role = (char *)(uintptr_t) "host";
	party.party_id = (char *)(uintptr_t) "10000";
	m.name = (char *)(uintptr_t) "paillier_pubkey";
	m.tag = (char *)(uintptr_t) "0.1";
	m.to = to;
	m.n_to = 1;
	assert_int_equal(wire_check_executor(&f, 0), 0);
	assert_int_equal(wire_check_executor(&f, 1), ERR_FORMAT);
	m.in_descriptor = true;
	assert_int_equal(wire_check_executor(&f, 1), 0);
	assert_int_equal(wire_check_executor(&f, 0), ERR_FORMAT);
	assert_int_equal(wire_check_executor(&f, 2), ERR_FORMAT);
	m.size = WIRE_MAX_OBJECT + 1;
	assert_int_equal(wire_check_executor(&f, 1), ERR_FORMAT);
	m.size = 0;
	m.n_to = 0;
	assert_int_equal(wire_check_executor(&f, 1), ERR_FORMAT);
	m.n_to = 1;
	m.name = (char *)(uintptr_t) "../x";
	assert_int_equal(wire_check_executor(&f, 1), ERR_FORMAT);
	m.name = (char *)(uintptr_t) "x";
	m.tag = (char *)(uintptr_t) "a\nb";
	assert_int_equal(wire_check_executor(&f, 1), ERR_FORMAT);
	m.tag = (char *)(uintptr_t) "";
	party.party_id = (char *)(uintptr_t) "10000' OR 1";
	assert_int_equal(wire_check_executor(&f, 1), ERR_FORMAT);
}

static int
check_folder(const char *folder)
{
	Sluice__Executor__OutputTable m = SLUICE__EXECUTOR__OUTPUT_TABLE__INIT;
	frame_msg f = FRAME_OF(OUTPUT_TABLE, output_table, &m);

	m.data_name = (char *)(uintptr_t) "data";
	m.folder = (char *)(uintptr_t)folder;
	m.schema_json = (char *)(uintptr_t) "{}";
	m.preview_json = (char *)(uintptr_t) "[]";
	m.partitions = 1;
	return wire_check_executor(&f, 0);
}

static void
an_output_folder_is_one_path_part(void **state)
{
	(void)state;
	assert_int_equal(check_folder("table-0"), 0);
	assert_int_equal(check_folder("../x"), ERR_FORMAT);
	assert_int_equal(check_folder(".."), ERR_FORMAT);
	assert_int_equal(check_folder("a/b"), ERR_FORMAT);
	assert_int_equal(check_folder("/etc"), ERR_FORMAT);
	assert_int_equal(check_folder(""), ERR_FORMAT);
	assert_int_equal(check_folder(".hidden"), ERR_FORMAT);
}

static int
check_file(const char *file, const char *delimiter)
{
	Sluice__Executor__OutputFile m = SLUICE__EXECUTOR__OUTPUT_FILE__INIT;
	frame_msg f = FRAME_OF(OUTPUT_FILE, output_file, &m);

	m.file = (char *)(uintptr_t)file;
	m.delimiter = (char *)(uintptr_t)delimiter;
	return wire_check_executor(&f, 0);
}

static void
an_output_file_is_one_path_part_with_a_delimiter(void **state)
{
	(void)state;
	assert_int_equal(check_file("file.csv", ","), 0);
	assert_int_equal(check_file("../x", ","), ERR_FORMAT);
	assert_int_equal(check_file("a/b", ","), ERR_FORMAT);
	assert_int_equal(check_file(".x", ","), ERR_FORMAT);
	assert_int_equal(check_file("file.csv", ""), ERR_FORMAT);
}

static int
check_summary(const char *json)
{
	Sluice__Executor__Summary m = SLUICE__EXECUTOR__SUMMARY__INIT;
	frame_msg f = FRAME_OF(SUMMARY, summary, &m);

	m.json = (char *)(uintptr_t)json;
	return wire_check_executor(&f, 0);
}

static void
a_summary_is_one_json_object(void **state)
{
	char deep[200];

	(void)state;
	assert_int_equal(check_summary("{\"auc\":0.9}"), 0);
	assert_int_equal(check_summary("[1]"), ERR_FORMAT);
	assert_int_equal(check_summary("{"), ERR_FORMAT);
	assert_int_equal(check_summary("{} x"), ERR_FORMAT);
	assert_int_equal(check_summary(""), ERR_FORMAT);
	assert_int_equal(check_summary("{\"a\":\"\xff\"}"), ERR_FORMAT);
	(void)snprintf(deep, sizeof(deep), "{\"a\":%0100d", 0);
	memset(deep + 5, '[', 100);
	assert_int_equal(check_summary(deep), ERR_FORMAT);
}

/* A megabyte of it would take several hundred of memory. */
static void
a_summary_of_very_many_small_parts_is_refused(void **state)
{
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	buf_puts(&b, "{\"a\":[{}");
	for (i = 0; i < 310000; i++)
		buf_puts(&b, ",{}");
	buf_puts(&b, "]}");
	assert_int_equal(check_summary(b.data), ERR_FORMAT);
	buf_clear(&b);
	buf_puts(&b, "{\"a\":[0");
	for (i = 0; i < 4600000; i++)
		buf_puts(&b, ",0");
	buf_puts(&b, "]}");
	assert_int_equal(check_summary(b.data), ERR_FORMAT);
	buf_fini(&b);
}

static void
only_three_words_end_a_task(void **state)
{
	Sluice__Executor__Finish m = SLUICE__EXECUTOR__FINISH__INIT;
	frame_msg f = FRAME_OF(FINISH, finish, &m);

	(void)state;
	m.status = (char *)(uintptr_t) "success";
	assert_int_equal(wire_check_executor(&f, 0), 0);
	m.status = (char *)(uintptr_t) "pass";
	assert_int_equal(wire_check_executor(&f, 0), 0);
	m.status = (char *)(uintptr_t) "failed";
	assert_int_equal(wire_check_executor(&f, 0), 0);
	m.status = (char *)(uintptr_t) "canceled";
	assert_int_equal(wire_check_executor(&f, 0), ERR_FORMAT);
}

static void
frames_of_the_shepherd_are_not_taken_from_an_executor(void **state)
{
	Sluice__Executor__RemoteAck ack = SLUICE__EXECUTOR__REMOTE_ACK__INIT;
	Sluice__Executor__Start start = SLUICE__EXECUTOR__START__INIT;
	frame_msg f = FRAME_OF(REMOTE_ACK, remote_ack, &ack);
	frame_msg g = FRAME_OF(START, start, &start);
	frame_msg none = SLUICE__EXECUTOR__FRAME__INIT;

	(void)state;
	assert_int_equal(wire_check_executor(&f, 0), ERR_FORMAT);
	assert_int_equal(wire_check_executor(&g, 0), ERR_FORMAT);
	assert_int_equal(wire_check_executor(&none, 0), ERR_FORMAT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* The number 0 in two bytes, in an entry of a map of a model. */
static void
a_field_0_is_no_message_however_it_is_written(void **state)
{
	static const unsigned char b[] =
	    "\x8a\x01\x24\x0a\x05model\x12\x1b\x0a\x07LRParam\x12\x0cLRModel"
	    "\x00\x00\x00\x00\x00\x80\x00\x9c\x50";
	frame_msg *m;

	(void)state;
	assert_int_equal(frame_decode(b, sizeof(b) - 1, &m), ERR_FORMAT);
	assert_null(m);
	/* Others that are not known are let pass. */
	assert_int_equal(frame_decode("\xf8\xff\xff\xff\x0f\x50", 6, &m), 0);
	frame_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_arrives_as_it_was_sent),
		TEST(descriptors_stay_with_their_frame),
		TEST(a_frame_may_arrive_byte_by_byte),
		TEST(a_frame_that_is_too_long_is_refused),
		TEST(bytes_that_are_no_message_are_refused),
		TEST(a_stream_that_ends_in_a_frame_is_not_a_clean_end),
		TEST(a_stream_that_ends_between_frames_is_closed),
		TEST(
		    descriptors_in_the_middle_of_a_frame_are_refused_and_closed),
		cmocka_unit_test(a_field_0_is_no_message_however_it_is_written),
		TEST(a_decoded_frame_may_not_take_a_multiple_of_its_size),
		TEST(the_writer_waits_for_a_full_socket_and_goes_on),
		TEST(what_the_writer_never_sent_is_closed_with_it),
		cmocka_unit_test(remotes_are_judged_field_by_field),
		cmocka_unit_test(an_output_folder_is_one_path_part),
		cmocka_unit_test(
		    an_output_file_is_one_path_part_with_a_delimiter),
		cmocka_unit_test(a_summary_is_one_json_object),
		cmocka_unit_test(a_summary_of_very_many_small_parts_is_refused),
		cmocka_unit_test(only_three_words_end_a_task),
		cmocka_unit_test(
		    frames_of_the_shepherd_are_not_taken_from_an_executor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
