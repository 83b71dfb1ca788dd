/*
 * The connection, statements, transactions and migrations, on a real server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/db/db_server.h"
#include "lib/db/db_gate.h"
#include "lib/db/db_tx.h"
#include "lib/db/migrate.h"
#include "tests/lib/mariadb.h"

static struct db *db;

static const struct db_stmt make_scratch = { "scratch.create", "",
	"CREATE TABLE scratch (id BIGINT PRIMARY KEY, i BIGINT NULL,"
	" d DOUBLE NULL, s LONGTEXT NULL, b LONGBLOB NULL, t DATETIME(6) NULL)"
	" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin" };
static const struct db_stmt drop_scratch = { "scratch.drop", "",
	"DROP TABLE IF EXISTS scratch" };
static const struct db_stmt put = { "scratch.put", "iIDsbt",
	"INSERT INTO scratch VALUES (?, ?, ?, ?, ?, ?)" };
static const struct db_stmt get = { "scratch.get", "i",
	"SELECT i, d, s, b, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', t)"
	" DIV 1000 FROM scratch WHERE id = ?" };
static const struct db_stmt add = { "scratch.add", "ii",
	"UPDATE scratch SET i = i + ? WHERE id = ?" };
static const struct db_stmt value = { "scratch.value", "i",
	"SELECT i FROM scratch WHERE id = ?" };
static const struct db_stmt count = { "scratch.count", "",
	"SELECT COUNT(*) FROM scratch" };
static const struct db_stmt all_ids = { "scratch.ids", "",
	"SELECT id FROM scratch ORDER BY id" };
static const struct db_stmt session_value = { "session", "",
	"SELECT CONCAT(@@session.time_zone, '|', @@session.sql_mode, '|',"
	" @@session.character_set_connection, '|',"
	" (SELECT MAX(variable_value)"
	" FROM information_schema.session_variables WHERE variable_name IN"
	" ('tx_isolation', 'transaction_isolation')))" };
static const struct db_stmt connection_id = { "connection", "",
	"SELECT CONNECTION_ID()" };
static const struct db_stmt kill_connection = { "kill", "i", "KILL ?" };

struct got {
	int64_t i, t;
	double d;
	char *s;
	char *b;
	size_t slen, blen;
	bool inull, dnull, snull, bnull;
};

static int
take(const struct db_row *row, void *ctx)
{
	struct got *g = ctx;
	const void *p;

	g->i = db_row_int(row, 0);
	g->inull = db_row_is_null(row, 0);
	g->d = db_row_double(row, 1);
	g->dnull = db_row_is_null(row, 1);
	g->snull = db_row_is_null(row, 2);
	p = db_row_blob(row, 2, &g->slen);
	g->s = p != NULL ? xstrndup(p, g->slen) : NULL;
	g->bnull = db_row_is_null(row, 3);
	p = db_row_blob(row, 3, &g->blen);
	g->b = xmalloc(g->blen + 1);
	if (p != NULL)
		memcpy(g->b, p, g->blen);
	g->t = db_row_int(row, 4);
	return 0;
}

static int
set_up(void **state)
{
	(void)state;
	db = mariadb_connect();
	assert_int_equal(db_exec(db, &drop_scratch, NULL), 0);
	return db_exec(db, &make_scratch, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	return 0;
}

static void
put_row(int64_t id, int64_t i)
{
	assert_int_equal(db_exec(db, &put, NULL, id, &i, NULL, NULL, NULL,
			     (size_t)0, (int64_t)0),
	    0);
}

static void
values_of_every_type_come_back_as_they_went(void **state)
{
	static const unsigned char bytes[] = { 0, 1, 2, 0, 255, '\'' };
	int64_t i = INT64_MIN, n;
	double d = 0.1;
	struct got g;

	(void)state;
	assert_int_equal(
	    db_exec(db, &put, &n, (int64_t)1, &i, &d,
		"gr\xc3\xbc\xc3\x9f 'q' \xf0\x9f\x98\x80", (const void *)bytes,
		sizeof(bytes), (int64_t)1700000000123),
	    0);
	assert_int_equal(n, 1);
	assert_int_equal(db_query(db, &get, take, &g, &n, (int64_t)1), 0);
	assert_int_equal(n, 1);
	assert_true(g.i == INT64_MIN && g.d == 0.1);
	assert_string_equal(g.s, "gr\xc3\xbc\xc3\x9f 'q' \xf0\x9f\x98\x80");
	assert_int_equal(g.blen, sizeof(bytes));
	assert_memory_equal(g.b, bytes, sizeof(bytes));
	assert_int_equal(g.t, 1700000000123);
	free(g.s);
	free(g.b);
}

static void
null_is_not_zero_or_empty(void **state)
{
	struct got g;

	(void)state;
	assert_int_equal(db_exec(db, &put, NULL, (int64_t)1, NULL, NULL, NULL,
			     NULL, (size_t)0, (int64_t)0),
	    0);
	assert_int_equal(db_exec(db, &put, NULL, (int64_t)2, NULL, NULL, "", "",
			     (size_t)0, (int64_t)0),
	    0);
	assert_int_equal(db_query(db, &get, take, &g, NULL, (int64_t)1), 0);
	assert_true(g.inull && g.dnull && g.snull && g.bnull);
	free(g.b);
	assert_int_equal(db_query(db, &get, take, &g, NULL, (int64_t)2), 0);
	assert_false(g.snull || g.bnull);
	assert_int_equal(g.slen, 0);
	free(g.s);
	free(g.b);
}

/* Lengths around the buffers' sizes, and as long as a document may be. */
static void
long_texts_are_fetched_whole(void **state)
{
	static const size_t lens[] = { 0, 254, 255, 256, 257, 65535, 65536,
		1 << 20, 64 << 20, 3 };
	struct got g;
	char *text;

	(void)state;
	for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
		text = xmalloc(lens[k] + 1);
		for (size_t j = 0; j < lens[k]; j++)
			text[j] = (char)('a' + (j * 7 + k) % 26);
		text[lens[k]] = '\0';
		assert_int_equal(db_exec(db, &put, NULL, (int64_t)k, NULL, NULL,
				     text, NULL, (size_t)0, (int64_t)0),
		    0);
		assert_int_equal(
		    db_query(db, &get, take, &g, NULL, (int64_t)k), 0);
		assert_int_equal(g.slen, lens[k]);
		assert_memory_equal(g.s, text, lens[k] + 1);
		free(g.s);
		free(g.b);
		free(text);
	}
}

static void
count_is_of_rows_matched(void **state)
{
	int64_t n;

	(void)state;
	put_row(1, 5);
	assert_int_equal(db_exec(db, &add, &n, (int64_t)0, (int64_t)1), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_exec(db, &add, &n, (int64_t)0, (int64_t)2), 0);
	assert_int_equal(n, 0);
}

static void
duplicate_key_is_err_exists(void **state)
{
	int64_t i = 1;

	(void)state;
	put_row(1, 5);
	assert_int_equal(db_exec(db, &put, NULL, (int64_t)1, &i, NULL, NULL,
			     NULL, (size_t)0, (int64_t)0),
	    ERR_EXISTS);
}

static void
missing_row_is_err_not_found(void **state)
{
	int64_t v;

	(void)state;
	assert_int_equal(
	    db_query_int(db, &value, &v, (int64_t)9), ERR_NOT_FOUND);
}

static int
take_text(const struct db_row *row, void *ctx)
{
	(void)snprintf(ctx, 512, "%s", db_row_str(row, 0));
	return 0;
}

static void
session_is_utc_strict_and_utf8(void **state)
{
	static const struct db_stmt narrow = { "narrow", "s",
		"INSERT INTO narrow VALUES (?)" };
	static const struct db_stmt make = { "narrow.create", "",
		"CREATE TABLE IF NOT EXISTS narrow (s VARCHAR(3))" };
	char text[512] = "";

	(void)state;
	assert_int_equal(
	    db_query(db, &session_value, take_text, text, NULL), 0);
	assert_non_null(strstr(text, "+00:00|"));
	assert_non_null(strstr(text, "STRICT_TRANS_TABLES"));
	assert_non_null(strstr(text, "|utf8mb4|READ-COMMITTED"));
	/* By a name that the server has, and does not warn of. */
	assert_string_equal(db_isolation_variable(101106), "tx_isolation");
	assert_string_equal(db_isolation_variable(110100), "tx_isolation");
	assert_string_equal(
	    db_isolation_variable(110101), "transaction_isolation");
	assert_string_equal(
	    db_isolation_variable(120002), "transaction_isolation");
	/* A text that does not fit its column is refused, not cut. */
	assert_int_equal(db_exec(db, &make, NULL), 0);
	assert_int_equal(db_exec(db, &narrow, NULL, "abcd"), ERR_DB);
	assert_int_equal(db_exec(db, &narrow, NULL, "abc"), 0);
}

static int
query_inside(const struct db_row *row, void *ctx)
{
	int64_t v;
	int r;

	if ((r = db_query_int(db, &value, &v, db_row_int(row, 0))) != 0)
		return r;
	*(int64_t *)ctx += v;
	return 0;
}

static int
recurse(const struct db_row *row, void *ctx)
{
	(void)row;
	return db_query(db, &all_ids, NULL, ctx, NULL);
}

static void
row_function_may_run_other_statements(void **state)
{
	int64_t sum = 0;

	(void)state;
	for (int64_t i = 1; i <= 10; i++)
		put_row(i, i);
	assert_int_equal(db_query(db, &all_ids, query_inside, &sum, NULL), 0);
	assert_int_equal(sum, 55);
	assert_int_equal(
	    db_query(db, &all_ids, recurse, NULL, NULL), ERR_INTERNAL);
	assert_int_equal(db_query(db, &all_ids, NULL, NULL, &sum), 0);
	assert_int_equal(sum, 10);
}

static int
put_then_fail(struct db *d, void *ctx)
{
	int64_t i = 1;
	int r;

	if ((r = db_exec(d, &put, NULL, (int64_t)1, &i, NULL, NULL, NULL,
		 (size_t)0, (int64_t)0)) != 0)
		return r;
	return *(int *)ctx;
}

static void
failed_transaction_leaves_nothing(void **state)
{
	int code = ERR_BUSY;
	int64_t n;

	(void)state;
	assert_int_equal(db_tx(db, put_then_fail, &code), ERR_BUSY);
	assert_int_equal(db_query_int(db, &count, &n), 0);
	assert_int_equal(n, 0);
	code = 0;
	assert_int_equal(db_tx(db, put_then_fail, &code), 0);
	assert_int_equal(db_query_int(db, &count, &n), 0);
	assert_int_equal(n, 1);
}

static int
nested(struct db *d, void *ctx)
{
	int zero = 0, r;

	if ((r = db_tx(d, put_then_fail, &zero)) != 0)
		return r;
	return *(int *)ctx;
}

static void
inner_transaction_joins_the_outer(void **state)
{
	int code = ERR_CONFLICT;
	int64_t n;

	(void)state;
	assert_int_equal(db_tx(db, nested, &code), ERR_CONFLICT);
	assert_int_equal(db_query_int(db, &count, &n), 0);
	assert_int_equal(n, 0);
}

/* Two threads lock the same two rows in opposite order. */
struct crossing {
	struct db *db;
	int64_t first, second;
	pthread_barrier_t *both;
	int tries;
	int result;
};

static int
cross(struct db *d, void *ctx)
{
	struct crossing *c = ctx;
	int r;

	if ((r = db_exec(d, &add, NULL, (int64_t)1, c->first)) != 0)
		return r;
	/* Only the first time: a repeated one is alone. */
	if (c->tries++ == 0)
		(void)pthread_barrier_wait(c->both);
	return db_exec(d, &add, NULL, (int64_t)1, c->second);
}

static void *
cross_thread(void *arg)
{
	struct crossing *c = arg;

	c->result = db_tx(c->db, cross, c);
	return NULL;
}

static void
deadlocked_transaction_is_repeated(void **state)
{
	pthread_barrier_t both;
	struct crossing a = { .first = 1, .second = 2, .both = &both };
	struct crossing b = { .first = 2, .second = 1, .both = &both };
	pthread_t t;
	int64_t v;

	(void)state;
	put_row(1, 0);
	put_row(2, 0);
	a.db = db;
	b.db = mariadb_connect();
	assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
	assert_int_equal(pthread_create(&t, NULL, cross_thread, &b), 0);
	(void)cross_thread(&a);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(a.result, 0);
	assert_int_equal(b.result, 0);
	/* One of them was the victim, and did its work once in the end. */
	assert_true(a.tries + b.tries >= 3);
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, 2);
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)2), 0);
	assert_int_equal(v, 2);
	pthread_barrier_destroy(&both);
	db_close(b.db);
}

/* Holds row 2, and wants row 1 once somebody waits for row 2. */
static int
cross_waiter(struct db *d, void *ctx)
{
	/* innodb_trx shows a copy that is not renewed while it is asked often. */
	static const struct db_stmt waiting = { "waiting", "",
		"SELECT CAST(VARIABLE_VALUE AS SIGNED)"
		" FROM information_schema.GLOBAL_STATUS"
		" WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'" };
	struct crossing *c = ctx;
	struct db *other;
	int64_t n = 0;
	int r;

	/* Much to undo: the other one is the victim. */
	for (int64_t id = 100; id < 150; id++)
		if ((r = db_exec(d, &add, NULL, (int64_t)1, id)) != 0)
			return r;
	if ((r = db_exec(d, &add, NULL, (int64_t)1, c->first)) != 0)
		return r;
	if (c->tries++ == 0) {
		(void)pthread_barrier_wait(c->both);
		other = mariadb_connect();
		while ((r = db_query_int(other, &waiting, &n)) == 0 && n == 0)
			(void)usleep(1000);
		db_close(other);
		if (r != 0)
			return r;
	}
	return db_exec(d, &add, NULL, (int64_t)1, c->second);
}

static void *
waiter_thread(void *arg)
{
	struct crossing *c = arg;

	c->result = db_tx(c->db, cross_waiter, c);
	return NULL;
}

static void
deadlocked_statement_is_repeated(void **state)
{
	static const struct db_stmt add_both = { "add_both", "",
		"UPDATE scratch SET i = i + 1 WHERE id IN (1, 2)" };
	pthread_barrier_t both;
	struct crossing b = { .first = 2, .second = 1, .both = &both };
	pthread_t t;
	int64_t v, n;

	(void)state;
	put_row(1, 0);
	put_row(2, 0);
	for (int64_t id = 100; id < 150; id++)
		put_row(id, 0);
	b.db = mariadb_connect();
	assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
	assert_int_equal(pthread_create(&t, NULL, waiter_thread, &b), 0);
	(void)pthread_barrier_wait(&both);
	/* Takes row 1 and waits for row 2, whose holder comes for row 1. */
	assert_int_equal(db_exec(db, &add_both, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(b.result, 0);
	assert_int_equal(b.tries, 1);
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, 2);
	pthread_barrier_destroy(&both);
	db_close(b.db);
}

static int
always_again(struct db *d, void *ctx)
{
	(void)d;
	++*(int *)ctx;
	return err_set(ERR_DB_RETRY, "again");
}

static void
tries_of_a_transaction_are_bounded(void **state)
{
	int tries = 0;

	(void)state;
	assert_int_equal(db_tx(db, always_again, &tries), ERR_DB_RETRY);
	assert_int_equal(tries, DB_TX_TRIES);
}

static void
kill_link(struct db *victim)
{
	struct db *other = mariadb_connect();
	int64_t id;

	assert_int_equal(db_query_int(victim, &connection_id, &id), 0);
	assert_int_equal(db_exec(other, &kill_connection, NULL, id), 0);
	db_close(other);
}

static void
lost_link_is_replaced_and_statements_prepared_anew(void **state)
{
	int64_t v, n;
	int r;

	(void)state;
	put_row(1, 7);
	kill_link(db);
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, 7);
	kill_link(db);
	/* A write may have to be given up once, never done twice. */
	r = db_exec(db, &add, &n, (int64_t)1, (int64_t)1);
	assert_true(r == 0 || r == ERR_DB);
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, r == 0 ? 8 : 7);
	assert_int_equal(db_exec(db, &add, &n, (int64_t)1, (int64_t)1), 0);
}

static int
kill_once(struct db *d, void *ctx)
{
	int *tries = ctx, r;

	if ((r = db_exec(d, &add, NULL, (int64_t)1, (int64_t)1)) != 0)
		return r;
	if ((*tries)++ == 0)
		kill_link(d);
	return db_exec(d, &add, NULL, (int64_t)10, (int64_t)1);
}

static void
link_lost_in_a_transaction_repeats_all_of_it(void **state)
{
	int tries = 0;
	int64_t v;

	(void)state;
	put_row(1, 0);
	assert_int_equal(db_tx(db, kill_once, &tries), 0);
	assert_int_equal(tries, 2);
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, 11);
}

/* --- a host that is gone without a word ------------------------------------ */

static int
add_and_wait(struct db *d, void *ctx)
{
	int *tries = ctx;
	int64_t n;
	int r;

	if ((r = db_exec(d, &add, &n, (int64_t)1, (int64_t)1)) != 0)
		return r;
	if (++*tries > 1)
		return 0;
	/* Nothing is asked for while another one waits for this lock. */
	assert_int_equal(db_exec(db, &add, &n, (int64_t)10, (int64_t)1), 0);
	return db_exec(d, &add, &n, (int64_t)100, (int64_t)1);
}

static void
locks_of_whoever_stands_still_are_free_after_a_lease(void **state)
{
	struct site_conf conf = *mariadb_conf();
	struct db *still;
	int64_t v;
	int tries = 0;

	(void)state;
	put_row(1, 0);
	conf.lease_ms = 500;
	assert_int_equal(db_open(&conf, &still), 0);
	assert_int_equal(db_tx(still, add_and_wait, &tries), 0);
	assert_int_equal(tries, 2);
	/* Nothing of its first try is left, and all of its second. */
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, 11);
	db_close(still);
}

static void
connection_outlives_a_restart_of_the_server(void **state)
{
	int64_t v;

	(void)state;
	put_row(1, 3);
	mariadb_restart();
	assert_int_equal(db_query_int(db, &value, &v, (int64_t)1), 0);
	assert_int_equal(v, 3);
}

static void
unreachable_server_is_err_db(void **state)
{
	struct site_conf c = *mariadb_conf();
	struct db *none;
	char nowhere[] = "/nonexistent/db.sock";

	(void)state;
	c.db_socket = nowhere;
	assert_int_equal(db_open(&c, &none), ERR_DB);
	assert_null(none);
}

/* A socket where connections are taken and nothing is ever said. */
static char *
silent_socket(int *fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char *path = xasprintf("%s/silent.sock", mariadb_folder());

	assert_true(strlen(path) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(*fd, 64), 0);
	return path;
}

/* How many have connected since the last look. */
static int
callers_of(int silent)
{
	int n = 0, fd;

	while ((fd = accept4(silent, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		(void)close(fd);
		n++;
	}
	return n;
}

static void
silent_server_costs_one_wait(void **state)
{
	struct site_conf conf = *mariadb_conf();
	struct db *other;
	int64_t before;
	int fd;

	(void)state;
	conf.db_socket = silent_socket(&fd);
	conf.db_answer_timeout_s = 1;
	other = db_new(&conf, NULL);
	before = clock_mono_ms();
	assert_int_equal(db_ping(other), ERR_DB);
	assert_true(clock_mono_ms() - before >= 800);
	assert_int_equal(callers_of(fd), 1);
	before = clock_mono_ms();
	for (int i = 0; i < 100; i++)
		assert_int_equal(db_ping(other), ERR_DB);
	/* It is asked again a second later, if that has passed meanwhile. */
	assert_true(callers_of(fd) <= (clock_mono_ms() - before) / 800);
	assert_non_null(strstr(err_text(), "does not answer"));
	db_close(other);
	(void)close(fd);
	free(conf.db_socket);
}

static void
silence_is_known_to_who_shares_the_gate(void **state)
{
	struct site_conf conf = *mariadb_conf(), good = *mariadb_conf();
	struct db_gate *gate;
	struct db *one, *two;
	int64_t before;
	int fd;

	(void)state;
	conf.db_socket = silent_socket(&fd);
	conf.db_answer_timeout_s = good.db_answer_timeout_s = 1;
	assert_int_equal(db_gate_new(&gate), 0);
	one = db_new(&conf, gate);
	two = db_new(&good, gate);
	assert_int_equal(db_ping(one), ERR_DB);
	/* Though it would have got an answer. */
	assert_int_equal(db_ping(two), ERR_DB);
	/* One asks again by and by, and tells the others. */
	before = clock_mono_ms();
	while (db_ping(two) != 0) {
		assert_true(clock_mono_ms() - before < 10000);
		(void)usleep(20000);
	}
	assert_false(db_gate_is_silent(gate));
	db_close(one);
	db_close(two);
	db_gate_free(gate);
	(void)close(fd);
	free(conf.db_socket);
}

static void
statement_that_gets_no_answer_leaves_the_link(void **state)
{
	static const struct db_stmt nap = { "nap", "", "SELECT SLEEP(5)" };
	struct site_conf conf = *mariadb_conf();
	struct db *other;
	int64_t before = clock_mono_ms(), id, again;

	(void)state;
	conf.db_answer_timeout_s = 1;
	other = db_new(&conf, NULL);
	assert_int_equal(db_query_int(other, &connection_id, &id), 0);
	assert_int_equal(db_query(other, &nap, NULL, NULL, NULL), ERR_DB);
	/* A question that only reads is not asked twice by itself. */
	assert_true(clock_mono_ms() - before < 4500);
	while (db_query_int(other, &connection_id, &again) != 0) {
		assert_true(clock_mono_ms() - before < 10000);
		(void)usleep(20000);
	}
	assert_int_not_equal(again, id);
	db_close(other);
}

static void
password_file_is_read_and_checked(void **state)
{
	static const struct db_stmt make = { "user", "",
		"CREATE OR REPLACE USER pw@localhost IDENTIFIED BY 's3cret'" };
	static const struct db_stmt grant = { "grant", "",
		"GRANT SELECT ON sluice.* TO pw@localhost" };
	struct site_conf c = *mariadb_conf();
	struct db *d;
	char *path, user[] = "pw";

	(void)state;
	assert_int_equal(db_exec(db, &make, NULL), 0);
	assert_int_equal(db_exec(db, &grant, NULL), 0);
	path = xasprintf("%s/password", mariadb_folder());
	c.db_user = user;
	c.db_password_file = path;
	assert_int_equal(db_open(&c, &d), ERR_IO);
	assert_int_equal(fd_replace_file(path, "wrong\n", 6, 0600), 0);
	assert_int_equal(db_open(&c, &d), ERR_DB);
	assert_int_equal(fd_replace_file(path, "s3cret\n", 7, 0600), 0);
	assert_int_equal(db_open(&c, &d), 0);
	assert_int_equal(db_ping(d), 0);
	db_close(d);
	free(path);
}

/* --- migrations --- */

static char *
scratch_folder(void)
{
	char *path = xasprintf("%s/sql-XXXXXX", mariadb_folder());

	assert_non_null(mkdtemp(path));
	return path;
}

static void
write_sql(const char *folder, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(fd_replace_file(path, text, strlen(text), 0600), 0);
	free(path);
}

static void
remove_sql(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static const struct db_stmt forget_migrations = { "forget", "",
	"DROP TABLE IF EXISTS schema_migration" };
static const struct db_stmt drop_m = { "drop m", "",
	"DROP TABLE IF EXISTS m1, m2, m3" };
static const struct db_stmt count_m = {
	"count m", "",
	"SELECT COUNT(*) FROM information_schema.tables"
	" WHERE table_schema = DATABASE() AND table_name IN ('m1', 'm2', 'm3')"
};

static char *
fresh_migrations(void)
{
	char *folder = scratch_folder();

	assert_int_equal(db_exec(db, &forget_migrations, NULL), 0);
	assert_int_equal(db_exec(db, &drop_m, NULL), 0);
	write_sql(folder, "0001_one.sql",
	    "-- one; two\nCREATE TABLE m1 (a INT);\n"
	    "INSERT INTO m1 VALUES (1);\n");
	write_sql(folder, "0002_two.sql", "CREATE TABLE m2 (a INT)");
	write_sql(folder, "grants.sql", "NOT SQL AT ALL;");
	return folder;
}

static void
migrations_are_applied_once(void **state)
{
	char *folder = fresh_migrations();
	int applied;
	int64_t n;

	(void)state;
	assert_int_equal(db_migrate(db, folder, &applied), 0);
	assert_int_equal(applied, 2);
	assert_int_equal(db_migrate(db, folder, &applied), 0);
	assert_int_equal(applied, 0);
	write_sql(folder, "0003_three.sql", "CREATE TABLE m3 (a INT);");
	assert_int_equal(db_migrate(db, folder, &applied), 0);
	assert_int_equal(applied, 1);
	assert_int_equal(db_query_int(db, &count_m, &n), 0);
	assert_int_equal(n, 3);
	free(folder);
}

static void
changed_missing_and_misplaced_migrations_are_refused(void **state)
{
	char *folder = fresh_migrations();
	int applied;

	(void)state;
	assert_int_equal(db_migrate(db, folder, &applied), 0);
	write_sql(folder, "0002_two.sql", "CREATE TABLE m2 (a BIGINT)");
	assert_int_equal(db_migrate(db, folder, &applied), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "0002_two.sql was changed"));
	remove_sql(folder, "0002_two.sql");
	assert_int_equal(db_migrate(db, folder, &applied), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "missing"));
	write_sql(folder, "0002_renamed.sql", "CREATE TABLE m2 (a INT)");
	assert_int_equal(db_migrate(db, folder, &applied), ERR_CONFLICT);
	write_sql(folder, "0002_two.sql", "CREATE TABLE m2 (a INT)");
	assert_int_equal(db_migrate(db, folder, &applied), ERR_FORMAT);
	remove_sql(folder, "0002_renamed.sql");
	write_sql(folder, "0004_gap.sql", "CREATE TABLE m3 (a INT)");
	assert_int_equal(db_migrate(db, folder, &applied), ERR_FORMAT);
	remove_sql(folder, "0004_gap.sql");
	assert_int_equal(db_migrate(db, folder, &applied), 0);
	free(folder);
}

static void
interrupted_migration_goes_on_behind_the_last_statement(void **state)
{
	char *folder = fresh_migrations();
	int applied;
	int64_t n;

	(void)state;
	write_sql(folder, "0002_two.sql",
	    "CREATE TABLE m2 (a INT); CREATE TABEL m3 (a INT);");
	assert_int_equal(db_migrate(db, folder, &applied), ERR_DB);
	assert_non_null(strstr(err_text(), "0002_two.sql: statement 2"));
	assert_int_equal(db_schema_check(db), ERR_CONFLICT);
	write_sql(folder, "0002_two.sql",
	    "CREATE TABLE m2 (a INT); CREATE TABLE m3 (a INT);");
	assert_int_equal(db_migrate(db, folder, &applied), 0);
	assert_int_equal(applied, 1);
	assert_int_equal(db_query_int(db, &count_m, &n), 0);
	assert_int_equal(n, 3);
	free(folder);
}

struct racer {
	const char *folder;
	int applied;
	int result;
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	struct db *d = mariadb_connect();

	r->result = db_migrate(d, r->folder, &r->applied);
	db_close(d);
	return NULL;
}

static void
two_migrations_at_once_apply_each_file_once(void **state)
{
	char *folder = fresh_migrations();
	struct racer r[2] = { { folder, 0, 0 }, { folder, 0, 0 } };
	pthread_t t[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(r[0].result, 0);
	assert_int_equal(r[1].result, 0);
	assert_int_equal(r[0].applied + r[1].applied, 2);
	free(folder);
}

static void
programs_refuse_an_older_or_newer_schema(void **state)
{
	static const struct db_stmt newer = { "newer", "",
		"INSERT INTO schema_migration (version, name, sha256,"
		" applied_at) SELECT version + 1, 'x', sha256, NOW(6)"
		" FROM schema_migration ORDER BY version DESC LIMIT 1" };
	static const struct db_stmt older = { "older", "",
		"DELETE FROM schema_migration" };

	(void)state;
	mariadb_fresh();
	assert_int_equal(db_schema_check(db), 0);
	assert_int_equal(db_exec(db, &newer, NULL), 0);
	assert_int_equal(db_schema_check(db), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "newer"));
	assert_int_equal(db_exec(db, &older, NULL), 0);
	assert_int_equal(db_schema_check(db), ERR_CONFLICT);
	assert_int_equal(db_exec(db, &forget_migrations, NULL), 0);
	assert_int_equal(db_schema_check(db), ERR_CONFLICT);
	mariadb_fresh();
}

/* The number the programs know is that of the last file in sql/. */
static void
schema_version_is_that_of_the_last_file(void **state)
{
	DIR *d = opendir("sql");
	struct dirent *e;
	int last = 0, v;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "%4d_", &v) == 1 && v > last)
			last = v;
	}
	closedir(d);
	assert_int_equal(last, DB_SCHEMA_VERSION);
}

static void
servers_that_are_too_old_are_known(void **state)
{
	static const char *const good[] = { "10.6.0-MariaDB", "11.4.2-MariaDB",
		"10.11.6-MariaDB-0+deb12u1", "8.0.36", "9.1.0" };
	static const char *const old[] = { "10.5.29-MariaDB", "5.5.68-MariaDB",
		"5.7.44-log", "", "MariaDB" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(db_server_is_new_enough(good[i]));
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		assert_false(db_server_is_new_enough(old[i]));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_that_are_too_old_are_known),
		T(values_of_every_type_come_back_as_they_went),
		T(null_is_not_zero_or_empty),
		T(long_texts_are_fetched_whole),
		T(count_is_of_rows_matched),
		T(duplicate_key_is_err_exists),
		T(missing_row_is_err_not_found),
		T(session_is_utc_strict_and_utf8),
		T(row_function_may_run_other_statements),
		T(failed_transaction_leaves_nothing),
		T(inner_transaction_joins_the_outer),
		T(deadlocked_transaction_is_repeated),
		T(deadlocked_statement_is_repeated),
		T(tries_of_a_transaction_are_bounded),
		T(lost_link_is_replaced_and_statements_prepared_anew),
		T(link_lost_in_a_transaction_repeats_all_of_it),
		T(locks_of_whoever_stands_still_are_free_after_a_lease),
		T(connection_outlives_a_restart_of_the_server),
		T(unreachable_server_is_err_db),
		T(silent_server_costs_one_wait),
		T(silence_is_known_to_who_shares_the_gate),
		T(statement_that_gets_no_answer_leaves_the_link),
		T(password_file_is_read_and_checked),
		T(migrations_are_applied_once),
		T(changed_missing_and_misplaced_migrations_are_refused),
		T(interrupted_migration_goes_on_behind_the_last_statement),
		T(two_migrations_at_once_apply_each_file_once),
		T(programs_refuse_an_older_or_newer_schema),
		cmocka_unit_test(schema_version_is_that_of_the_last_file),
	};
#undef T

	log_init("test_db", LOG_ERROR_);
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
