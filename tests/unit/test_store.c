/*
 * The model store's engines over real servers, both with the same tests: an
 * archive of several slices, put, replaced, changed, lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_model_store.h"
#include "lib/store/store.h"
#include "tests/lib/mariadb.h"

#define BYTES ((int64_t)9 << 20) /* three slices */

static char none[] = "", mysql_name[] = "mysql", redis_name[] = "redis";
static char folder[] = "/tmp/sluice-redis-XXXXXX";
static char *redis_socket;
static pid_t redis;
static struct site_conf conf;

/* --- the servers --- */

static int
start_redis(void **state)
{
	struct timespec ms = { 0, 10 * 1000 * 1000 };
	redisContext *c = NULL;
	char *argv[] = { (char *)(uintptr_t) "redis-server",
		(char *)(uintptr_t) "--port", (char *)(uintptr_t) "0",
		(char *)(uintptr_t) "--unixsocket", NULL,
		(char *)(uintptr_t) "--save", none,
		(char *)(uintptr_t) "--logfile",
		(char *)(uintptr_t) "/dev/null", (char *)(uintptr_t) "--dir",
		folder, NULL };

	(void)state;
	assert_non_null(mkdtemp(folder));
	redis_socket = xasprintf("%s/s", folder);
	argv[4] = redis_socket;
	if ((redis = fork()) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	/* It offers no event for "I listen". */
	for (int i = 0; i < 1000; i++) {
		c = redisConnectUnix(redis_socket);
		if (c != NULL && c->err == 0)
			break;
		if (c != NULL)
			redisFree(c);
		c = NULL;
		(void)nanosleep(&ms, NULL);
	}
	assert_non_null(c);
	redisFree(c);
	return 0;
}

static int
stop_redis(void **state)
{
	(void)state;
	(void)kill(redis, SIGTERM);
	while (waitpid(redis, NULL, 0) < 0 && errno == EINTR)
		continue;
	free(redis_socket);
	return fd_remove_tree(folder);
}

static void
set_conf(void)
{
	const struct site_conf *db = mariadb_conf();

	conf = *db;
	conf.store_enabled = true;
	conf.store_host = conf.store_tls_ca = none;
	conf.store_password_file = none;
	conf.store_user = none;
}

static int
use_mysql(void **state)
{
	(void)state;
	mariadb_fresh();
	set_conf();
	conf.store_engine = mysql_name;
	conf.store_socket = conf.db_socket;
	conf.store_name = conf.db_name;
	conf.store_user = conf.db_user;
	return 0;
}

static int
use_redis(void **state)
{
	redisContext *c;

	(void)state;
	set_conf();
	conf.store_engine = redis_name;
	conf.store_socket = redis_socket;
	conf.store_name = none;
	c = redisConnectUnix(redis_socket);
	freeReplyObject(redisCommand(c, "FLUSHALL"));
	redisFree(c);
	return 0;
}

/* --- archives --- */

static int
archive_of(unsigned char seed, int64_t bytes)
{
	unsigned char *data = xmalloc((size_t)bytes + 1);
	int fd;

	for (int64_t i = 0; i < bytes; i++)
		data[i] = (unsigned char)(seed + i * 7 + (i >> 8));
	assert_int_equal(fd_memfd("archive", data, (size_t)bytes, &fd), 0);
	free(data);
	return fd;
}

static int
put(struct store *s, int fd, int64_t bytes, bool force)
{
	struct store_item item = { .model_id = "guest#9999#m",
		.model_version = "20260101",
		.bytes = bytes };

	return store_put(s, &item, fd, force);
}

static int
get(struct store *s, struct store_item *item)
{
	int fd = memfd_create("back", MFD_CLOEXEC), r;

	*item = (struct store_item){ .model_id = "guest#9999#m",
		.model_version = "20260101" };
	r = store_get(s, item, fd);
	fd_close(&fd);
	return r;
}

static void
an_archive_of_several_slices_comes_back_whole(void **state)
{
	unsigned char want[DIGEST_SIZE];
	int fd = archive_of(1, BYTES);
	struct store_item item;
	struct store *s;

	(void)state;
	assert_int_equal(digest_fd(fd, (uint64_t)BYTES, want), 0);
	assert_int_equal(store_open(&conf, &s), 0);
	assert_int_equal(get(s, &item), ERR_NOT_FOUND);
	assert_int_equal(put(s, fd, BYTES, false), 0);
	assert_int_equal(get(s, &item), 0);
	assert_int_equal(item.bytes, BYTES);
	assert_memory_equal(item.sha256, want, DIGEST_SIZE);
	store_close(s);
	fd_close(&fd);
}

static void
one_that_is_there_is_replaced_only_by_force(void **state)
{
	int one = archive_of(1, BYTES), two = archive_of(2, 1000);
	struct store_item item;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&conf, &s), 0);
	assert_int_equal(put(s, one, BYTES, false), 0);
	assert_int_equal(put(s, two, 1000, false), ERR_EXISTS);
	assert_int_equal(get(s, &item), 0);
	assert_int_equal(item.bytes, BYTES);
	assert_int_equal(put(s, two, 1000, true), 0);
	assert_int_equal(get(s, &item), 0);
	assert_int_equal(item.bytes, 1000);
	store_close(s);
	fd_close(&one);
	fd_close(&two);
}

static void
one_that_ends_early_leaves_what_was_there(void **state)
{
	int one = archive_of(1, 1000);
	struct store_item item;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&conf, &s), 0);
	assert_int_equal(put(s, one, 1000, false), 0);
	assert_int_not_equal(put(s, one, 2000, true), 0);
	assert_int_equal(get(s, &item), 0);
	assert_int_equal(item.bytes, 1000);
	store_close(s);
	fd_close(&one);
}

static void
slices_of_the_classic_platform_are_read_without_a_sum(void **state)
{
	static const struct db_stmt slice = { "test.slice", "si",
		"INSERT INTO t_machine_learning_model (f_model_id,"
		" f_model_version, f_size, f_content, f_slice_index)"
		" VALUES ('guest#9999#m', '20260101', 4, ?, ?)" };
	struct db *db = mariadb_connect();
	unsigned char want[DIGEST_SIZE];
	struct store_item item;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&conf, &s), 0);
	assert_int_equal(db_exec(db, &slice, NULL, "b25lIA==", (int64_t)0), 0);
	assert_int_equal(db_exec(db, &slice, NULL, "dHdv", (int64_t)1), 0);
	assert_int_equal(get(s, &item), 0);
	assert_int_equal(item.bytes, 7);
	assert_false(item.has_sha256);
	assert_int_equal(digest_memory("one two", 7, want), 0);
	assert_memory_equal(item.sha256, want, DIGEST_SIZE);
	store_close(s);
	db_close(db);
}

static void
a_slice_that_was_changed_or_lost_is_seen(void **state)
{
	static const struct db_stmt change = { "test.change", "",
		"UPDATE t_machine_learning_model SET f_content ="
		" CONCAT('AAAA', SUBSTR(f_content, 5))"
		" WHERE f_slice_index = 1" };
	static const struct db_stmt lose = { "test.lose", "",
		"DELETE FROM t_machine_learning_model"
		" WHERE f_slice_index = 1" };
	struct db *db = mariadb_connect();
	int fd = archive_of(1, BYTES);
	struct store_item item;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&conf, &s), 0);
	assert_int_equal(put(s, fd, BYTES, false), 0);
	assert_int_equal(db_exec(db, &change, NULL), 0);
	assert_int_equal(get(s, &item), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "is not what was put there"));
	assert_int_equal(db_exec(db, &lose, NULL), 0);
	assert_int_equal(get(s, &item), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "slices"));
	store_close(s);
	db_close(db);
	fd_close(&fd);
}

static void
what_cannot_be_reached_is_said(void **state)
{
	struct store *s;
	char path[] = "/nowhere/socket", odd[] = "etcd";

	(void)state;
	conf.store_socket = path;
	assert_int_not_equal(store_open(&conf, &s), 0);
	assert_null(s);
	conf.store_engine = odd;
	assert_int_equal(store_open(&conf, &s), ERR_UNSUPPORTED);
	conf.store_enabled = false;
	assert_int_equal(store_open(&conf, &s), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(), "enable_model_store"));
}

/* --- a server that falls silent --------------------------------------------- */

struct silent {
	int listener;
	int unlinks; /* that were asked for */
};

/* Answers that nothing is there, takes the first slice, and says no more. */
static void *
fall_silent(void *ctx)
{
	struct silent *sv = ctx;
	char bite[65536];
	int fd = accept(sv->listener, NULL, NULL), answers = 0;
	ssize_t n;

	while ((n = read(fd, bite, sizeof(bite) - 1)) > 0) {
		bite[n] = '\0';
		if (answers == 0 && strstr(bite, "\r\nGET\r\n") != NULL) {
			(void)!write(fd, "$-1\r\n", 5);
			answers++;
		} else if (answers == 1 &&
			   strstr(bite, "\r\nSET\r\n") != NULL) {
			(void)!write(fd, "+OK\r\n", 5);
			answers++;
		}
		sv->unlinks += strstr(bite, "\r\nUNLINK\r\n") != NULL;
	}
	(void)close(fd);
	return NULL;
}

static void
one_that_falls_silent_is_given_up_once(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct silent sv = { socket(AF_UNIX, SOCK_STREAM, 0), 0 };
	int fd = archive_of(6, BYTES);
	char *path = xasprintf("%s/silent", folder);
	pthread_t server;
	struct store *s;

	(void)state;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(
	    bind(sv.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(sv.listener, 1), 0);
	assert_int_equal(pthread_create(&server, NULL, fall_silent, &sv), 0);
	conf.store_socket = path;
	store_redis_patience_ms = 500;
	assert_int_equal(store_open(&conf, &s), 0);
	assert_int_equal(put(s, fd, BYTES, false), ERR_NET);
	assert_non_null(strstr(err_text(), "silent for"));
	/* Nor is anything that comes late taken for another answer. */
	assert_int_equal(put(s, fd, BYTES, false), ERR_NET);
	store_close(s);
	store_redis_patience_ms = 30000;
	assert_int_equal(pthread_join(server, NULL), 0);
	assert_int_equal(sv.unlinks, 0);
	(void)close(sv.listener);
	fd_close(&fd);
	free(path);
}

int
main(void)
{
#define M(f)                                                                   \
	{                                                                      \
		"mysql: " #f, f, use_mysql, NULL, NULL                         \
	}
#define R(f)                                                                   \
	{                                                                      \
		"redis: " #f, f, use_redis, NULL, NULL                         \
	}
	static const struct CMUnitTest tests[] = {
		M(an_archive_of_several_slices_comes_back_whole),
		R(an_archive_of_several_slices_comes_back_whole),
		M(one_that_is_there_is_replaced_only_by_force),
		R(one_that_is_there_is_replaced_only_by_force),
		M(one_that_ends_early_leaves_what_was_there),
		R(one_that_ends_early_leaves_what_was_there),
		M(slices_of_the_classic_platform_are_read_without_a_sum),
		M(a_slice_that_was_changed_or_lost_is_seen),
		M(what_cannot_be_reached_is_said),
		R(what_cannot_be_reached_is_said),
		R(one_that_falls_silent_is_given_up_once),
	};

	return cmocka_run_group_tests_name(
	    "store", tests, start_redis, stop_redis);
}
