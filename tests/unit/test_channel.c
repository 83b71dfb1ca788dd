/*
 * The executor's end of descriptor 3, its system call filter and its pool of
 * threads.  The test is the shepherd; the executor is a forked child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/channel.h"
#include "executor/component.h"
#include "executor/confine.h"
#include "executor/parallel.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/wire/frame.h"

enum { LARGE = 3 << 20 };

static char folder[] = "/tmp/channel-XXXXXX";

/* --- the child ------------------------------------------------------------------ */

typedef int child_fn(struct task *);

static int
child_main(int sock, child_fn *fn)
{
	struct channel *c;
	struct task *task;
	int r;

	r = channel_open(sock, &c, &task);
	if (r == 0)
		r = confine();
	if (r == 0)
		r = fn(task);
	if (channel_finish(c, r) != 0)
		r = -1;
	channel_free(c);
	return r == 0 ? 0 : 1;
}

static pid_t
start_child(child_fn *fn, int *sock)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(pair[0]);
		_exit(child_main(pair[1], fn));
	}
	(void)close(pair[1]);
	*sock = pair[0];
	return pid;
}

static int
exit_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- the shepherd ------------------------------------------------------------------ */

static frame_msg *
receive(int sock, struct frame_fds *fds)
{
	frame_msg *f;

	fds->n = 0;
	if (frame_recv(sock, &f, fds) != 0)
		fail_msg("frame: %s", err_text());
	return f;
}

static void
send_start(int sock, uint32_t protocol, const char *parameters)
{
	static char role_g[] = "guest", role_h[] = "host", a[] = "9999",
		    b[] = "10000", local[] = "local", zero[] = "0";
	Sluice__Executor__Start start = SLUICE__EXECUTOR__START__INIT;
	Sluice__Executor__Party guest = SLUICE__EXECUTOR__PARTY__INIT;
	Sluice__Executor__Party host = SLUICE__EXECUTOR__PARTY__INIT;
	Sluice__Executor__Party own = SLUICE__EXECUTOR__PARTY__INIT;
	Sluice__Executor__Party *parties[] = { &guest, &host, &own };
	frame_msg frame = SLUICE__EXECUTOR__FRAME__INIT;
	struct frame_fds fds;
	frame_msg *hello = receive(sock, &fds);
	char *file = xasprintf("%s/file.csv", folder);

	assert_int_equal(hello->kind_case, SLUICE__EXECUTOR__FRAME__KIND_HELLO);
	frame_free(hello);
	guest.role = role_g;
	guest.party_id = a;
	host.role = role_h;
	host.party_id = b;
	own.role = local;
	own.party_id = zero;
	start.protocol = protocol;
	start.job_id = (char *)(uintptr_t) "20260101000000000000";
	start.component = (char *)(uintptr_t) "upload_0";
	start.module = (char *)(uintptr_t) "Upload";
	start.local = &own;
	start.parties = parties;
	start.n_parties = 3;
	start.parameters_json = (char *)(uintptr_t)parameters;
	start.job_parameters_json = (char *)(uintptr_t) "{}";
	start.cores = 2;
	start.output_dir = folder;
	start.input_file = file;
	frame.kind_case = SLUICE__EXECUTOR__FRAME__KIND_START;
	frame.start = &start;
	assert_int_equal(frame_send(sock, &frame, NULL, 0), 0);
	free(file);
}

static void
expect_finish(int sock, const char *status, const char *part)
{
	struct frame_fds fds;
	frame_msg *f = receive(sock, &fds);

	assert_int_equal(f->kind_case, SLUICE__EXECUTOR__FRAME__KIND_FINISH);
	assert_string_equal(f->finish->status, status);
	if (strstr(f->finish->error, part) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", f->finish->error, part);
	frame_free(f);
}

static void
acknowledge(int sock, uint64_t id)
{
	Sluice__Executor__RemoteAck ack = SLUICE__EXECUTOR__REMOTE_ACK__INIT;
	frame_msg frame = SLUICE__EXECUTOR__FRAME__INIT;

	ack.id = id;
	frame.kind_case = SLUICE__EXECUTOR__FRAME__KIND_REMOTE_ACK;
	frame.remote_ack = &ack;
	assert_int_equal(frame_send(sock, &frame, NULL, 0), 0);
}

static void
deliver(int sock, uint64_t id, const char *content, const int *fds, size_t n,
    uint64_t size)
{
	Sluice__Executor__Delivery d = SLUICE__EXECUTOR__DELIVERY__INIT;
	frame_msg frame = SLUICE__EXECUTOR__FRAME__INIT;

	d.id = id;
	d.size = size;
	d.descriptors = (uint32_t)n;
	if (content != NULL) {
		d.content.data = (uint8_t *)(uintptr_t)content;
		d.content.len = strlen(content);
	}
	frame.kind_case = SLUICE__EXECUTOR__FRAME__KIND_DELIVERY;
	frame.delivery = &d;
	assert_int_equal(frame_send(sock, &frame, fds, n), 0);
}

/* --- whole tasks ------------------------------------------------------------------ */

static int
run_component(struct task *task)
{
	const struct component *c;
	int r;

	if ((r = component_find(task_module(task), task_role(task), &c)) != 0)
		return r;
	return c->run(task);
}

static void
write_file(const char *text)
{
	char *path = xasprintf("%s/file.csv", folder);

	assert_int_equal(fd_replace_file(path, text, strlen(text), 0600), 0);
	free(path);
}

static void
a_task_runs_confined_and_tells_its_shepherd_everything(void **state)
{
	struct frame_fds fds;
	struct table *t;
	frame_msg *f;
	char *path;
	bool has_metric = false, has_meta = false, has_log = false;
	bool is_over = false;
	int sock;
	pid_t pid;

	(void)state;
	write_file("id,x\na,1\nb,2\n");
	pid = start_child(run_component, &sock);
	send_start(sock, 1, "{\"namespace\":\"n\",\"name\":\"t\"}");
	while (!is_over) {
		f = receive(sock, &fds);
		switch (f->kind_case) {
		case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_TABLE:
			assert_int_equal(f->output_table->rows, 2);
			assert_string_equal(f->output_table->table_name, "t");
			assert_string_equal(f->output_table->preview_json,
			    "[[\"a\",\"1\"],[\"b\",\"2\"]]");
			path =
			    xasprintf("%s/%s", folder, f->output_table->folder);
			assert_int_equal(
			    table_open(&storage_standalone, path, &t), 0);
			table_close(t);
			assert_int_equal(fd_remove_tree(path), 0);
			free(path);
			break;
		case SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA:
			has_metric = true;
			assert_int_equal(f->metric_data->n_points, 1);
			assert_string_equal(
			    f->metric_data->points[0]->key->text, "count");
			break;
		case SLUICE__EXECUTOR__FRAME__KIND_METRIC_META:
			has_meta = true;
			break;
		case SLUICE__EXECUTOR__FRAME__KIND_LOG:
			has_log = true;
			assert_string_equal(
			    f->log->text, "2 rows, id + 1 column: x");
			break;
		case SLUICE__EXECUTOR__FRAME__KIND_PROGRESS:
			break;
		case SLUICE__EXECUTOR__FRAME__KIND_FINISH:
			assert_string_equal(f->finish->status, "success");
			is_over = true;
			break;
		default:
			fail_msg("frame of kind %d", (int)f->kind_case);
		}
		frame_free(f);
	}
	assert_true(has_metric && has_meta && has_log);
	assert_int_equal(exit_of(pid), 0);
	close(sock);
}

static void
failures_arrive_as_text_for_people(void **state)
{
	int sock;
	pid_t pid;

	(void)state;
	write_file("id,x\na,1\nb\n");
	pid = start_child(run_component, &sock);
	send_start(sock, 1, "{}");
	expect_finish(sock, "failed", "line 3 (row 2) has 1 columns");
	assert_int_equal(exit_of(pid), 1);
	close(sock);
}

static void
another_protocol_is_refused(void **state)
{
	int sock;
	pid_t pid;

	(void)state;
	pid = start_child(run_component, &sock);
	send_start(sock, 99, "{}");
	expect_finish(sock, "failed", "protocol 99");
	assert_int_equal(exit_of(pid), 1);
	close(sock);
}

static void
parameters_that_are_no_object_are_refused(void **state)
{
	int sock;
	pid_t pid;

	(void)state;
	pid = start_child(run_component, &sock);
	send_start(sock, 1, "[");
	expect_finish(sock, "failed", "parameters");
	assert_int_equal(exit_of(pid), 1);
	close(sock);
}

/* --- objects ------------------------------------------------------------------------- */

static void
fill(unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 7 + i / 251);
}

struct get {
	struct task *task;
	const char *name;
	const char *want;
	int r;
};

static void *
get_one(void *arg)
{
	struct get *g = arg;
	struct object o;

	g->r = task_get(g->task, g->name, "0", "guest", 0, &o);
	if (g->r == 0) {
		if (o.size != strlen(g->want) ||
		    memcmp(o.data, g->want, o.size) != 0)
			g->r = ERR_FORMAT;
		object_free(&o);
	}
	return NULL;
}

static int
get_in_two_threads(struct task *task)
{
	struct get a = { task, "first", "one", -1 };
	struct get b = { task, "second", "two", -1 };
	pthread_t t;

	if (pthread_create(&t, NULL, get_one, &a) != 0)
		return ERR_NOMEM;
	(void)get_one(&b);
	pthread_join(t, NULL);
	return a.r != 0 ? a.r : b.r;
}

static void
answers_find_their_thread_in_any_order(void **state)
{
	struct frame_fds fds;
	frame_msg *f;
	uint64_t first = 0, second = 0;
	int sock, i;
	pid_t pid;

	(void)state;
	pid = start_child(get_in_two_threads, &sock);
	send_start(sock, 1, "{}");
	for (i = 0; i < 2; i++) {
		f = receive(sock, &fds);
		assert_int_equal(
		    f->kind_case, SLUICE__EXECUTOR__FRAME__KIND_GET);
		assert_string_equal(f->get->from->party_id, "9999");
		if (strcmp(f->get->name, "first") == 0)
			first = f->get->id;
		else
			second = f->get->id;
		frame_free(f);
	}
	deliver(sock, second, "two", NULL, 0, 3);
	deliver(sock, first, "one", NULL, 0, 3);
	expect_finish(sock, "success", "");
	assert_int_equal(exit_of(pid), 0);
	close(sock);
}

static int
send_large_and_get_it_back(struct task *task)
{
	unsigned char *p = malloc(LARGE);
	struct object o;
	int i, r;

	if (p == NULL)
		return ERR_NOMEM;
	fill(p, LARGE);
	r = task_remote_role(task, "blob", "0", "host", p, LARGE);
	/* Once in one descriptor, once in two parts. */
	for (i = 0; r == 0 && i < 2; i++) {
		r = task_get(task, "blob", i == 0 ? "0" : "1", "host", 0, &o);
		if (r == 0 &&
		    (o.size != LARGE || memcmp(o.data, p, LARGE) != 0))
			r = err_set(ERR_FORMAT, "other bytes came back");
		if (r == 0)
			object_free(&o);
	}
	free(p);
	return r;
}

static void
large_objects_travel_in_descriptors(void **state)
{
	unsigned char *want = malloc(LARGE), *got;
	struct frame_fds fds;
	frame_msg *f;
	int sock, parts[2], blob, i;
	pid_t pid;

	(void)state;
	assert_non_null(want);
	fill(want, LARGE);
	pid = start_child(send_large_and_get_it_back, &sock);
	send_start(sock, 1, "{}");
	f = receive(sock, &fds);
	assert_int_equal(f->kind_case, SLUICE__EXECUTOR__FRAME__KIND_REMOTE);
	assert_true(f->remote->in_descriptor);
	assert_int_equal(f->remote->size, LARGE);
	assert_int_equal(f->remote->n_to, 1);
	assert_string_equal(f->remote->to[0]->party_id, "10000");
	assert_int_equal(fds.n, 1);
	blob = fds.fd[0];
	got = mmap(NULL, LARGE, PROT_READ, MAP_SHARED, blob, 0);
	assert_true(got != MAP_FAILED);
	assert_memory_equal(got, want, LARGE);
	(void)munmap(got, LARGE);
	acknowledge(sock, f->remote->id);
	frame_free(f);
	assert_int_equal(fd_memfd("a", want, 1000, &parts[0]), 0);
	assert_int_equal(
	    fd_memfd("b", want + 1000, LARGE - 1000, &parts[1]), 0);
	for (i = 0; i < 2; i++) {
		f = receive(sock, &fds);
		assert_int_equal(
		    f->kind_case, SLUICE__EXECUTOR__FRAME__KIND_GET);
		deliver(sock, f->get->id, NULL, i == 0 ? &blob : parts,
		    i == 0 ? 1 : 2, LARGE);
		frame_free(f);
	}
	expect_finish(sock, "success", "");
	assert_int_equal(exit_of(pid), 0);
	close(blob);
	close(parts[0]);
	close(parts[1]);
	close(sock);
	free(want);
}

static int
get_what_is_shorter_than_announced(struct task *task)
{
	struct object o;

	return task_get(task, "blob", "0", "host", 0, &o);
}

static void
objects_shorter_than_announced_are_refused(void **state)
{
	struct frame_fds fds;
	frame_msg *f;
	int sock, part;
	pid_t pid;

	(void)state;
	pid = start_child(get_what_is_shorter_than_announced, &sock);
	send_start(sock, 1, "{}");
	f = receive(sock, &fds);
	assert_int_equal(fd_memfd("a", "abc", 3, &part), 0);
	deliver(sock, f->get->id, NULL, &part, 1, 100000);
	frame_free(f);
	expect_finish(sock, "failed", "shorter");
	assert_int_equal(exit_of(pid), 1);
	close(part);
	close(sock);
}

static int
send_small_without_answer(struct task *task)
{
	return task_remote_role(task, "x", "0", "host", "abc", 3);
}

static void
success_waits_until_the_shepherd_holds_everything(void **state)
{
	struct frame_fds fds;
	frame_msg *f;
	struct pollfd more;
	int sock;
	pid_t pid;

	(void)state;
	pid = start_child(send_small_without_answer, &sock);
	send_start(sock, 1, "{}");
	f = receive(sock, &fds);
	assert_int_equal(f->kind_case, SLUICE__EXECUTOR__FRAME__KIND_REMOTE);
	assert_int_equal(f->remote->content.len, 3);
	/* Nothing follows before the acknowledgement. */
	more = (struct pollfd){ .fd = sock, .events = POLLIN };
	assert_int_equal(poll(&more, 1, 100), 0);
	acknowledge(sock, f->remote->id);
	frame_free(f);
	expect_finish(sock, "success", "");
	assert_int_equal(exit_of(pid), 0);
	close(sock);
}

static int
get_from_nobody(struct task *task)
{
	struct object o;

	if (task_get(task, "x", "0", "arbiter", 0, &o) != ERR_INVALID ||
	    task_get(task, "x", "0", "local", 0, &o) != ERR_INVALID)
		_exit(7);
	return task_get(task, "x", "0", "host", 0, &o) == ERR_CLOSED
		   ? ERR_CLOSED
		   : 0;
}

static void
a_shepherd_that_is_gone_ends_every_wait(void **state)
{
	struct frame_fds fds;
	frame_msg *f;
	int sock;
	pid_t pid;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	pid = start_child(get_from_nobody, &sock);
	send_start(sock, 1, "{}");
	f = receive(sock, &fds);
	frame_free(f);
	close(sock);
	assert_int_equal(exit_of(pid), 1);
}

/* --- the filter -------------------------------------------------------------------------- */

static int
start_a_program(struct task *task)
{
	char *argv[] = { NULL };

	(void)task;
	(void)execve("/bin/true", argv, argv);
	return 0;
}

static int
open_a_socket(struct task *task)
{
	(void)task;
	(void)socket(AF_INET, SOCK_STREAM, 0);
	return 0;
}

static void
programs_and_sockets_end_a_confined_process(void **state)
{
	static child_fn *const forbidden[] = { start_a_program, open_a_socket };
	size_t i;
	int sock;
	pid_t pid;

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	skip(); /* the sanitizer's runtime cannot be confined */
#endif
	for (i = 0; i < 2; i++) {
		pid = start_child(forbidden[i], &sock);
		send_start(sock, 1, "{}");
		assert_int_equal(exit_of(pid), -SIGSYS);
		close(sock);
	}
}

/* --- the pool ------------------------------------------------------------------------------ */

enum { MANY = 100003 };

struct marks {
	atomic_uchar seen[MANY];
	unsigned workers;
};

static int
mark(void *ctx, size_t first, size_t end, unsigned worker)
{
	struct marks *m = ctx;

	if (worker >= m->workers)
		return err_set(ERR_INTERNAL, "no such worker");
	for (; first < end; first++)
		atomic_fetch_add(&m->seen[first], 1);
	return 0;
}

static void
every_index_is_worked_on_exactly_once(void **state)
{
	struct marks *m;
	struct parallel *p;
	unsigned threads;
	size_t i, round;

	(void)state;
	for (threads = 1; threads <= 4; threads++) {
		m = xcalloc(1, sizeof(*m));
		p = parallel_new(threads);
		m->workers = parallel_threads(p);
		for (round = 0; round < 3; round++)
			assert_int_equal(
			    parallel_for(p, MANY, round * 17, mark, m), 0);
		assert_int_equal(parallel_for(p, 0, 0, mark, m), 0);
		for (i = 0; i < MANY; i++)
			assert_int_equal(m->seen[i], 3);
		parallel_free(p);
		free(m);
	}
}

static int
fail_late(void *ctx, size_t first, size_t end, unsigned worker)
{
	(void)ctx;
	(void)worker;
	if (end > MANY / 2)
		return err_set(ERR_FORMAT, "row %zu is bad", first);
	return 0;
}

static void
a_failure_in_the_pool_becomes_the_callers(void **state)
{
	struct parallel *p = parallel_new(3);

	(void)state;
	err_clear();
	assert_int_equal(
	    parallel_for(p, MANY, 100, fail_late, NULL), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "is bad"));
	assert_int_equal(err_code(), ERR_FORMAT);
	/* And the pool goes on. */
	assert_int_equal(parallel_for(p, MANY / 4, 100, fail_late, NULL), 0);
	parallel_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_task_runs_confined_and_tells_its_shepherd_everything),
		cmocka_unit_test(failures_arrive_as_text_for_people),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(parameters_that_are_no_object_are_refused),
		cmocka_unit_test(answers_find_their_thread_in_any_order),
		cmocka_unit_test(large_objects_travel_in_descriptors),
		cmocka_unit_test(objects_shorter_than_announced_are_refused),
		cmocka_unit_test(
		    success_waits_until_the_shepherd_holds_everything),
		cmocka_unit_test(a_shepherd_that_is_gone_ends_every_wait),
		cmocka_unit_test(programs_and_sockets_end_a_confined_process),
		cmocka_unit_test(every_index_is_worked_on_exactly_once),
		cmocka_unit_test(a_failure_in_the_pool_becomes_the_callers),
	};
	int r;

	if (mkdtemp(folder) == NULL)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)fd_remove_tree(folder);
	return r;
}
