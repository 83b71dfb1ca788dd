/*
 * What one host's supervisor tells another's: by real sockets, with a real
 * list of who is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/db/db_operations.h"
#include "lib/mailbox/mailbox.h"
#include "lib/sign/keys.h"
#include "supervisor/hosts.h"
#include "tests/lib/mariadb.h"

static const struct mailbox_task task = { .job_id = "202611010000000000001",
	.component = "hetero_lr_0",
	.version = 0,
	.role = "host",
	.party_id = "10000" };

/* One host: a home, a supervisor, the wake socket of a shepherd. */
struct host {
	struct site_conf conf;
	struct supervisor super;
	char address[32];
	int shepherd;
};

static struct keys *keys;

static int
free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), port;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	port = ntohs(sa.sin_port);
	(void)close(fd);
	return port;
}

static void
host_start(struct host *h, const char *name, struct keys *k)
{
	char *run;

	memset(h, 0, sizeof(*h));
	h->conf = *mariadb_conf();
	h->conf.home = xasprintf("%s/%s", mariadb_folder(), name);
	(void)snprintf(
	    h->address, sizeof(h->address), "127.0.0.1:%d", free_port());
	h->conf.wake_address = h->address;
	h->shepherd = -1;
	run = site_path(&h->conf, "%s/m", SITE_RUN);
	assert_int_equal(fd_mkdirs(run, 0700), 0);
	free(run);
	h->super.conf = &h->conf;
	h->super.keys = k;
	h->super.db = mariadb_connect();
	assert_int_equal(loop_new(&h->super.loop), 0);
	assert_int_equal(hosts_new(&h->super, &h->super.hosts), 0);
	assert_non_null(h->super.hosts);
	assert_int_equal(db_supervisor_beat(h->super.db,
			     &(struct db_supervisor){ .instance = name,
				 .host = name,
				 .address = hosts_address(h->super.hosts),
				 .place = name,
				 .metrics = "" },
			     true),
	    0);
}

static void
host_stop(struct host *h)
{
	hosts_free(h->super.hosts);
	loop_free(h->super.loop);
	db_close(h->super.db);
	fd_close(&h->shepherd);
	assert_int_equal(fd_remove_tree(h->conf.home), 0);
	free(h->conf.home);
}

static void
listen_as_shepherd(struct host *h)
{
	char *path;

	assert_int_equal(mailbox_wake_path(&h->conf, &task, &path), 0);
	assert_int_equal(fd_dgram_bind(path, &h->shepherd), 0);
	free(path);
}

static void
stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void
run(struct host *h)
{
	struct loop_timer *t =
	    loop_timer_new(h->super.loop, stop_loop, h->super.loop);

	loop_timer_set(t, 50, 0);
	assert_int_equal(loop_run(h->super.loop), 0);
	loop_timer_free(t);
}

static void
assert_heard(struct host *h, const char *want)
{
	char word[64];
	ssize_t n = recv(h->shepherd, word, sizeof(word) - 1, MSG_DONTWAIT);

	if (want == NULL) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	word[n] = '\0';
	assert_string_equal(word, want);
}

static struct host a, b;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	host_start(&a, "a", keys);
	host_start(&b, "b", keys);
	assert_int_equal(hosts_refresh(a.super.hosts), 0);
	assert_int_equal(hosts_refresh(b.super.hosts), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	host_stop(&a);
	host_stop(&b);
	return 0;
}

static void
a_shepherd_on_another_host_hears_of_its_object(void **state)
{
	(void)state;
	listen_as_shepherd(&b);
	assert_int_equal(mailbox_wake(&a.conf, &task, "0123.0-2"), 0);
	run(&a);
	run(&b);
	assert_heard(&b, "0123.0-2");
	/* And once only: what came from another host is not passed on. */
	run(&a);
	run(&b);
	assert_heard(&b, NULL);
}

static void
send_raw(const struct host *to, const void *data, size_t len)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((uint16_t)atoi(strchr(to->address, ':') + 1));
	assert_int_equal(
	    sendto(fd, data, len, 0, (struct sockaddr *)&sa, sizeof(sa)), len);
	(void)close(fd);
}

static void
strangers_wake_nobody(void **state)
{
	uint8_t seed[32] = { 7 };
	struct keys *other;
	struct host c;
	char *path, data[300];

	(void)state;
	listen_as_shepherd(&b);
	assert_int_equal(mailbox_wake_path(&b.conf, &task, &path), 0);
	memset(data, 0, sizeof(data));
	(void)snprintf(data + 32, sizeof(data) - 32, "task %s kill",
	    strrchr(path, '/') + 1);
	free(path);
	send_raw(&b, data, 32 + strlen(data + 32));
	send_raw(&b, data, 31);
	send_raw(&b, data, 0);
	send_raw(&b, data, sizeof(data));
	run(&b);
	assert_heard(&b, NULL);
	/* A site of another key that reaches the port. */
	assert_int_equal(keys_from_seed(seed, &other), 0);
	host_start(&c, "c", other);
	assert_int_equal(hosts_refresh(c.super.hosts), 0);
	assert_int_equal(mailbox_wake(&c.conf, &task, "kill"), 0);
	run(&c);
	run(&b);
	assert_heard(&b, NULL);
	host_stop(&c);
	keys_free(other);
}

static void
a_word_names_no_other_socket(void **state)
{
	char *local = site_path(&a.conf, "%s", SITE_HOSTS_SOCKET);
	char *path = site_path(&b.conf, "%s/supervisor.sock", SITE_RUN);
	static const char *const words[] = { "../supervisor.s kill",
		"../../run/superv kill", "0123456789abcdef", "" };

	(void)state;
	assert_int_equal(fd_dgram_bind(path, &b.shepherd), 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(
		    fd_dgram_send(local, words[i], strlen(words[i])), 0);
	run(&a);
	run(&b);
	assert_heard(&b, NULL);
	free(local);
	free(path);
}

static void
a_host_that_is_silent_is_told_nothing(void **state)
{
	static const struct db_stmt age = { "age", "",
		"UPDATE supervisor_state SET heartbeat_at = NOW(6) -"
		" INTERVAL 21 SECOND WHERE instance = 'b'" };

	(void)state;
	listen_as_shepherd(&b);
	assert_int_equal(db_exec(a.super.db, &age, NULL), 0);
	assert_int_equal(hosts_refresh(a.super.hosts), 0);
	assert_int_equal(mailbox_wake(&a.conf, &task, "kill"), 0);
	run(&a);
	run(&b);
	assert_heard(&b, NULL);
}

static void
a_host_that_comes_is_known_at_once(void **state)
{
	struct host c;

	(void)state;
	host_start(&c, "c", keys);
	listen_as_shepherd(&c);
	assert_int_equal(mailbox_wake(&a.conf, &task, "kill"), 0);
	run(&a);
	run(&c);
	assert_heard(&c, NULL);
	assert_int_equal(hosts_refresh(c.super.hosts), 0);
	hosts_announce(c.super.hosts);
	run(&a);
	assert_int_equal(mailbox_wake(&a.conf, &task, "kill"), 0);
	run(&a);
	run(&c);
	assert_heard(&c, "kill");
	host_stop(&c);
}

/* What a sends to all, as somebody on the way sees it. */
static size_t
overhear(uint8_t *out, size_t size)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char address[32];
	ssize_t n;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	(void)snprintf(
	    address, sizeof(address), "127.0.0.1:%d", ntohs(sa.sin_port));
	assert_int_equal(db_supervisor_beat(a.super.db,
			     &(struct db_supervisor){ .instance = "spy",
				 .host = "spy",
				 .address = address,
				 .place = "spy",
				 .metrics = "" },
			     true),
	    0);
	assert_int_equal(hosts_refresh(a.super.hosts), 0);
	hosts_announce(a.super.hosts);
	n = recv(fd, out, size, 0);
	assert_true(n > 0);
	(void)close(fd);
	return (size_t)n;
}

static void
what_is_sent_again_and_again_costs_a_look(void **state)
{
	static const struct db_stmt asked = { "asked", "",
		"SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM"
		" information_schema.SESSION_STATUS"
		" WHERE VARIABLE_NAME = 'Com_stmt_execute'" };
	int64_t before, after;
	uint8_t data[300];
	size_t len = overhear(data, sizeof(data));

	(void)state;
	run(&b);
	assert_int_equal(db_query_int(b.super.db, &asked, &before), 0);
	for (int i = 0; i < 50; i++)
		send_raw(&b, data, len);
	run(&b);
	assert_int_equal(db_query_int(b.super.db, &asked, &after), 0);
	/* One, that of counting, and one more if the loop was faster. */
	assert_in_range(after - before, 2, 5);
}

static void
an_address_is_in_digits(void **state)
{
	char bad[] = "localhost:9390";
	struct hosts *h;
	char *was = a.conf.wake_address;

	(void)state;
	a.conf.wake_address = bad;
	assert_int_equal(hosts_new(&a.super, &h), ERR_INVALID);
	assert_null(h);
	a.conf.wake_address = was;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_shepherd_on_another_host_hears_of_its_object),
		TEST(strangers_wake_nobody),
		TEST(a_word_names_no_other_socket),
		TEST(a_host_that_is_silent_is_told_nothing),
		TEST(a_host_that_comes_is_known_at_once),
		TEST(what_is_sent_again_and_again_costs_a_look),
		TEST(an_address_is_in_digits),
	};
	int r;

	if (keys_generate(&keys) != 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	keys_free(keys);
	return r;
}
