/*
 * Connections that the nursery lends: against a real server, with processes
 * that end in all sorts of ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_move.h"
#include "lib/db/db_tx.h"
#include "supervisor/shepherd/pool.h"
#include "tests/lib/mariadb.h"

/* Longer than any test's processes live, but for one test. */
#define PATIENCE_MS 600000

#define STATUS(name)                                                           \
	"SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM"                           \
	" information_schema.SESSION_STATUS WHERE VARIABLE_NAME = '" name "'"

static const struct db_stmt own_id = { "id", "", "SELECT CONNECTION_ID()" };
static const struct db_stmt prepares = { "prepares", "",
	STATUS("Com_stmt_prepare") };
static const struct db_stmt closes = { "closes", "", STATUS("Com_stmt_close") };
static const struct db_stmt others = { "others", "",
	"SELECT COUNT(*) FROM information_schema.PROCESSLIST"
	" WHERE ID <> CONNECTION_ID()" };
static const struct db_stmt audits = { "audits", "s",
	"SELECT COUNT(*) FROM audit WHERE action = ?" };
static const struct db_stmt end_link = { "kill", "i", "KILL CONNECTION ?" };

static int
make_database(void **state)
{
	(void)state;
	mariadb_fresh();
	return 0;
}

struct fixture {
	struct pool *pool;
	struct db *db; /* the test's own */
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->db = mariadb_connect();
	f->pool = pool_new(mariadb_conf(), PATIENCE_MS, PATIENCE_MS);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	pool_free(f->pool);
	db_close(f->db);
	free(f);
	return 0;
}

/* What a process does with its loan; what it says goes into a pipe. */
typedef void work_fn(struct loan *, int64_t *say);

struct borrower {
	pid_t pid;
	int said;
	bool had_one;
};

static struct borrower
lend(struct fixture *f, work_fn *work)
{
	struct borrower b;
	struct loan loan;
	int ends[2];
	int64_t word = -1;

	if (pool_wants_one(f->pool))
		pool_add_one(f->pool);
	assert_int_equal(pipe(ends), 0);
	pool_lend(f->pool, &loan);
	b.had_one = loan.db != NULL;
	if ((b.pid = fork()) == 0) {
		work(&loan, &word);
		(void)!write(ends[1], &word, sizeof(word));
		_exit(0);
	}
	assert_true(b.pid > 0);
	pool_lent(f->pool, &loan, pidfd_open(b.pid, 0));
	fd_close(&ends[1]);
	b.said = ends[0];
	return b;
}

/* After its end, which the pool has seen. */
static int64_t
end_of(struct fixture *f, struct borrower *b)
{
	struct pollfd p[POOL_WATCHED];
	int64_t word = -1;

	(void)!read(b->said, &word, sizeof(word));
	fd_close(&b->said);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
	assert_int_equal(
	    poll(p, (nfds_t)pool_watch(f->pool, p), 1000) >= 0, true);
	pool_look(f->pool);
	return word;
}

static int64_t
ask(struct db *db, const struct db_stmt *what)
{
	int64_t n = -1;

	(void)db_query_int(db, what, &n);
	return n;
}

static void
say_id(struct loan *l, int64_t *say)
{
	*say = ask(l->db, &own_id);
	loan_return(l);
}

static void
say_prepares(struct loan *l, int64_t *say)
{
	*say = ask(l->db, &prepares);
	loan_return(l);
}

static void
say_open(struct loan *l, int64_t *say)
{
	int64_t closed = ask(l->db, &closes);

	*say = ask(l->db, &prepares) - closed;
	loan_return(l);
}

static int64_t
run(struct fixture *f, work_fn *work)
{
	struct borrower b = lend(f, work);

	assert_true(b.had_one);
	return end_of(f, &b);
}

static void
a_connection_goes_from_one_process_to_the_next(void **state)
{
	struct fixture *f = *state;
	int64_t id = run(f, say_id);

	assert_true(id > 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(run(f, say_id), id);
	assert_int_equal(ask(f->db, &others), 1);
}

/* The question itself is one that is prepared each time, and closed. */
static void
what_is_prepared_stays_and_nothing_piles_up(void **state)
{
	struct fixture *f = *state;
	int64_t first = run(f, say_prepares), open;

	assert_true(first > 15);
	assert_int_equal(run(f, say_prepares), first + 1);
	open = run(f, say_open);
	for (int i = 0; i < 5; i++)
		assert_int_equal(run(f, say_open), open);
}

static int
add_audit(struct db *db, const char *action)
{
	return db_audit_add(db, &(struct db_audit){ .actor = "test",
				    .action = action,
				    .subject = "it",
				    .outcome = "ok",
				    .detail = "" });
}

static int
add_and_die(struct db *db, void *ctx)
{
	(void)ctx;
	if (add_audit(db, "dead") == 0)
		(void)raise(SIGKILL);
	return 0;
}

static void
die_in_transaction(struct loan *l, int64_t *say)
{
	(void)say;
	(void)db_tx(l->db, add_and_die, NULL);
}

static void
who_is_killed_in_a_transaction_has_written_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t id = run(f, say_id), n = -1;

	assert_int_equal(run(f, die_in_transaction), -1);
	/* The server notices the end of the connection by itself. */
	for (int i = 0; i < 1000 && ask(f->db, &others) != 0; i++)
		(void)usleep(5000);
	assert_int_equal(ask(f->db, &others), 0);
	assert_int_equal(db_query_int(f->db, &audits, &n, "dead"), 0);
	assert_int_equal(n, 0);
	assert_int_not_equal(run(f, say_id), id);
}

static int
return_inside(struct db *db, void *ctx)
{
	struct loan *l = ctx;

	if (add_audit(db, "open") == 0)
		assert_int_equal(db_move_settle(l->db), ERR_CONFLICT);
	return ERR_CONFLICT;
}

static void
return_in_transaction(struct loan *l, int64_t *say)
{
	*say = db_tx(l->db, return_inside, l);
	loan_return(l);
}

static void
a_connection_in_a_transaction_is_not_handed_on(void **state)
{
	struct fixture *f = *state;
	int64_t id = run(f, say_id);

	assert_int_equal(run(f, return_in_transaction), ERR_CONFLICT);
	/* It was rolled back and is as it was. */
	assert_int_equal(run(f, say_id), id);
}

/* What one that was taken over might do: another socket in its place. */
static void
return_another(struct loan *l, int64_t *say)
{
	int pair[2];

	*say = socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	(void)dup2(pair[0], db_move_socket(l->db));
	loan_return(l);
}

static void
only_the_same_socket_is_taken_back(void **state)
{
	struct fixture *f = *state;
	int64_t id = run(f, say_id);

	assert_int_equal(run(f, return_another), 0);
	assert_int_not_equal(run(f, say_id), id);
}

/* Or one more, which would stay open in the nursery. */
static void
return_two(struct loan *l, int64_t *say)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .space = "" };
	int fds[2] = { db_move_socket(l->db), l->back };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	*say = sendmsg(l->back, &m, 0);
}

static size_t
count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static void
nothing_else_that_comes_back_stays_open(void **state)
{
	struct fixture *f = *state;
	size_t n;

	assert_int_equal(run(f, return_two), 1);
	n = count_files();
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(f, return_two), 1);
	assert_int_equal(count_files(), n);
}

static void
ask_and_leave_the_answer(struct loan *l, int64_t *say)
{
	/* COM_PING, whose answer nobody reads. */
	static const char ping[] = { 1, 0, 0, 0, 14 };
	int fd = db_move_socket(l->db);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	*say = write(fd, ping, sizeof(ping)) == sizeof(ping) &&
	       poll(&p, 1, 5000) == 1;
	loan_return(l);
}

static void
a_connection_with_an_answer_in_it_is_not_taken_back(void **state)
{
	struct fixture *f = *state;
	int64_t id = run(f, say_id);

	assert_int_equal(run(f, ask_and_leave_the_answer), 1);
	assert_int_not_equal(run(f, say_id), id);
}

static void
hold(struct loan *l, int64_t *say)
{
	if (l->db != NULL)
		*say = ask(l->db, &own_id);
	while (true)
		(void)pause();
}

static void
nobody_gets_a_connection_that_another_has(void **state)
{
	struct fixture *f = *state;
	struct borrower b[POOL_SIZE + 1];

	for (size_t i = 0; i < POOL_SIZE; i++) {
		b[i] = lend(f, hold);
		assert_true(b[i].had_one);
	}
	b[POOL_SIZE] = lend(f, hold);
	assert_false(b[POOL_SIZE].had_one);
	for (size_t i = 0; i <= POOL_SIZE; i++) {
		assert_int_equal(kill(b[i].pid, SIGKILL), 0);
		(void)end_of(f, &b[i]);
	}
	assert_true(pool_wants_one(f->pool));
}

static int go[2];

static void
hold_until_told(struct loan *l, int64_t *say)
{
	char byte;

	*say = read(go[0], &byte, 1) == 1 ? ask(l->db, &own_id) : -1;
	loan_return(l);
}

static void
who_has_one_for_long_keeps_nobody_from_another(void **state)
{
	struct fixture *f = *state;
	struct borrower b[POOL_SIZE], next;

	pool_free(f->pool);
	f->pool = pool_new(mariadb_conf(), PATIENCE_MS, 0);
	assert_int_equal(pipe(go), 0);
	for (size_t i = 0; i < POOL_SIZE; i++)
		b[i] = lend(f, i == 0 ? hold_until_told : hold);
	next = lend(f, say_id);
	assert_true(next.had_one);
	assert_true(end_of(f, &next) > 0);
	/* It goes on with what it has, which ends with it. */
	assert_int_equal(write(go[1], "", 1), 1);
	assert_true(end_of(f, &b[0]) > 0);
	for (size_t i = 1; i < POOL_SIZE; i++) {
		assert_int_equal(kill(b[i].pid, SIGKILL), 0);
		(void)end_of(f, &b[i]);
	}
	for (int i = 0; i < 1000 && ask(f->db, &others) > 1; i++)
		(void)usleep(5000);
	assert_true(ask(f->db, &others) <= 1);
	fd_close(&go[0]);
	fd_close(&go[1]);
}

/* --- asked back ---------------------------------------------------------------- */

static int done[2];

static void
wait_to_be_asked(struct loan *l)
{
	struct pollfd p = { .fd = l->back, .events = POLLIN };

	(void)poll(&p, 1, -1);
}

static void
give_when_asked(struct loan *l, int64_t *say)
{
	struct db *db = l->db;
	char byte;

	*say = ask(db, &own_id);
	wait_to_be_asked(l);
	if (!loan_give(l) || l->db != NULL)
		*say = -2;
	(void)!write(done[1], "", 1);
	(void)!read(go[0], &byte, 1);
	/* Whose it is now is lent it meanwhile: this is another one. */
	if (*say == ask(db, &own_id) || ask(db, &own_id) <= 0)
		*say = -3;
	db_close(db);
}

/* The socket goes, and is kept all the same. */
static void
send_and_keep(struct loan *l, int64_t *say)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = "" };
	int fd = db_move_socket(l->db);
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	wait_to_be_asked(l);
	*say = sendmsg(l->back, &m, 0);
	(void)!write(done[1], "", 1);
	(void)!read(go[0], &byte, 1);
}

/* All have one, the first is asked for it, and has answered. */
static void
lend_all(struct fixture *f, work_fn *first, struct borrower *b)
{
	char byte;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	pool_free(f->pool);
	f->pool = pool_new(mariadb_conf(), 0, PATIENCE_MS);
	for (size_t i = 0; i < POOL_SIZE; i++) {
		b[i] = lend(f, i == 0 ? first : hold);
		assert_true(b[i].had_one);
	}
	assert_int_equal(read(done[0], &byte, 1), 1);
}

static void
end_all(struct fixture *f, struct borrower *b)
{
	for (size_t i = 1; i < POOL_SIZE; i++) {
		assert_int_equal(kill(b[i].pid, SIGKILL), 0);
		(void)end_of(f, &b[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		fd_close(&go[i]);
		fd_close(&done[i]);
	}
}

/* Everything that has come is looked at. */
static void
look_at_all(struct fixture *f)
{
	struct pollfd p[POOL_WATCHED];

	while (poll(p, (nfds_t)pool_watch(f->pool, p), 0) > 0)
		pool_look(f->pool);
}

static void
who_had_one_for_a_while_is_asked_to_do_without(void **state)
{
	struct fixture *f = *state;
	struct borrower b[POOL_SIZE], next;
	int64_t id;

	lend_all(f, give_when_asked, b);
	look_at_all(f);
	next = lend(f, say_id);
	assert_true(next.had_one);
	id = end_of(f, &next);
	assert_true(id > 0);
	/* The same, and the one that gave it lives and has its own. */
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(end_of(f, &b[0]), id);
	end_all(f, b);
}

static void
one_that_was_sent_and_not_let_go_is_not_lent(void **state)
{
	struct fixture *f = *state;
	struct borrower b[POOL_SIZE], next;

	lend_all(f, send_and_keep, b);
	look_at_all(f);
	next = lend(f, hold);
	assert_false(next.had_one);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(end_of(f, &b[0]), 1);
	/* After its end nobody else has it. */
	assert_int_equal(kill(next.pid, SIGKILL), 0);
	(void)end_of(f, &next);
	assert_true(run(f, say_id) > 0);
	end_all(f, b);
}

static void
a_connection_that_the_server_ended_is_not_lent(void **state)
{
	struct fixture *f = *state;
	int64_t id = run(f, say_id);

	assert_int_equal(db_exec(f->db, &end_link, NULL, id), 0);
	for (int i = 0; i < 1000 && ask(f->db, &others) != 0; i++)
		(void)usleep(5000);
	/* The next one does without, the one after has a new one. */
	assert_false(pool_wants_one(f->pool));
	for (int i = 0; i < 2; i++) {
		struct borrower b = lend(f, hold);

		assert_int_equal(b.had_one, i == 1);
		assert_int_equal(kill(b.pid, SIGKILL), 0);
		(void)end_of(f, &b);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_connection_goes_from_one_process_to_the_next),
		TEST(what_is_prepared_stays_and_nothing_piles_up),
		TEST(who_is_killed_in_a_transaction_has_written_nothing),
		TEST(a_connection_in_a_transaction_is_not_handed_on),
		TEST(only_the_same_socket_is_taken_back),
		TEST(nothing_else_that_comes_back_stays_open),
		TEST(a_connection_with_an_answer_in_it_is_not_taken_back),
		TEST(nobody_gets_a_connection_that_another_has),
		TEST(who_has_one_for_long_keeps_nobody_from_another),
		TEST(who_had_one_for_a_while_is_asked_to_do_without),
		TEST(one_that_was_sent_and_not_let_go_is_not_lent),
		TEST(a_connection_that_the_server_ended_is_not_lent),
	};

	return cmocka_run_group_tests(tests, make_database, NULL);
}
