/*
 * site.conf: defaults, ranges, faults; what "sluice site init" writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ports.h"
#include "cli/site_files.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/conf/site_wake.h"

#define SITE "[site]\nparty_id = 9999\n[database]\nsocket = db.sock\n"

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	(void)strcpy(folder, "/tmp/sluice-conf-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fd_remove_tree(folder);
}

static int
load(const char *text, struct site_conf **out)
{
	char *path = xasprintf("%s/site.conf", folder);
	int r;

	assert_int_equal(fd_replace_file(path, text, strlen(text), 0644), 0);
	r = site_conf_load(path, out);
	free(path);
	return r;
}

static void
defaults_fill_what_is_not_said(void **state)
{
	struct site_conf *c;
	char *path;

	(void)state;
	assert_int_equal(load(SITE, &c), 0);
	assert_string_equal(c->party_id, "9999");
	assert_string_equal(c->home, folder);
	path = xasprintf("%s/db.sock", folder);
	assert_string_equal(c->db_socket, path);
	free(path);
	assert_string_equal(c->db_user, "sluice");
	assert_string_equal(c->db_password_file, "");
	assert_int_equal(c->poll_ms, 200);
	assert_int_equal(c->job_timeout_s, 259200);
	assert_false(c->client_auth_off_on_loopback);
	assert_true(c->shepherd_program[0] == '/');
	path = site_path(c, "%s/%d", SITE_RUN, 5);
	assert_int_equal(strncmp(path, folder, strlen(folder)), 0);
	assert_string_equal(path + strlen(folder), "/run/5");
	free(path);
	site_conf_free(c);
}

static void
values_are_taken_over(void **state)
{
	struct site_conf *c;

	(void)state;
	assert_int_equal(
	    load(SITE "password_file = keys/pw ; inside\n"
		      "[listen]\nclient_url = http://127.0.0.1:9380\n"
		      "partner_url=https://[::1]:9382\n[fcgi]\nworkers = 7\n"
		      "client_auth_off_on_loopback = yes\n[executor]\n"
		      "providers_dir = /opt/providers\n",
		&c),
	    0);
	assert_int_equal(c->fcgi_workers, 7);
	assert_true(c->client_auth_off_on_loopback);
	assert_string_equal(c->partner_url, "https://[::1]:9382");
	assert_string_equal(c->providers_dir, "/opt/providers");
	assert_string_equal(c->db_password_file + strlen(folder), "/keys/pw");
	site_conf_free(c);
}

/* Installed, the shepherd is in a folder of its own, and users' programs too. */
static void
what_a_shepherd_starts_is_found_beside_it_whoever_reads_the_file(void **state)
{
	char *there = xasprintf("%s/sluice-sandbox", folder);
	char *text = xasprintf(SITE "[executor]\n"
				    "sandbox_program = @bin/sluice-sandbox\n"
				    "model_store_program = @bin/sluice-store\n"
				    "shepherd_program = %s/sluice-shepherd\n",
	    folder);
	struct site_conf *c;

	(void)state;
	assert_int_equal(fd_replace_file(there, "", 0, 0755), 0);
	assert_int_equal(load(text, &c), 0);
	assert_string_equal(c->sandbox_program, there);
	/* What is nowhere is missed beside the program. */
	assert_int_equal(
	    strncmp(c->model_store_program, folder, strlen(folder)) != 0, 1);
	assert_non_null(strstr(c->model_store_program, "/sluice-store"));
	site_conf_free(c);
	assert_int_equal(load(SITE "[executor]\nsandbox_program =\n"
				   "model_store_program = /opt/store\n",
			     &c),
	    0);
	assert_string_equal(c->sandbox_program, "");
	assert_string_equal(c->model_store_program, "/opt/store");
	site_conf_free(c);
	free(text);
	free(there);
}

/* The shepherd may be anything that ends as one: what it starts is its own. */
static void
what_is_beside_the_program_goes_before_what_is_beside_the_shepherd(void **state)
{
	char *there = xasprintf("%s/test_site_conf", folder);
	char *text = xasprintf(SITE "[executor]\n"
				    "sandbox_program = @bin/test_site_conf\n"
				    "shepherd_program = %s/shepherd.sh\n",
	    folder);
	struct site_conf *c;

	(void)state;
	assert_int_equal(fd_replace_file(there, "", 0, 0755), 0);
	assert_int_equal(load(text, &c), 0);
	assert_string_not_equal(c->sandbox_program, there);
	assert_int_equal(access(c->sandbox_program, X_OK), 0);
	site_conf_free(c);
	free(text);
	free(there);
}

static void
faults_name_section_and_key(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[database]\nsocket = x\n", "[site] party_id: is missing" },
		{ "[site]\nparty_id = 9999\n",
		    "[database] socket: a socket or a host is needed" },
		{ "[site]\nparty_id = 9999\n[database]\n"
		  "host = db.bank.example\n",
		    "[database] tls_ca: a server on another machine" },
		{ SITE "[site]\nparty_id = 1\n", "party_id: given twice" },
		{ "[site]\nparty_id = guest\n[database]\nhost = h\n",
		    "[site] party_id: must be a party id" },
		{ SITE "[fcgi]\nworkers = 0\n",
		    "[fcgi] workers: must be a whole number from 1 to 256" },
		{ SITE "[fcgi]\nworkers = many\n", "[fcgi] workers: must" },
		{ SITE "[fcgi]\nworker = 2\n",
		    "[fcgi] worker: no such key, did you mean workers?" },
		{ SITE "[fcg]\nworkers = 2\n",
		    "no such section, did you mean fcgi?" },
		{ SITE "[zzz]\na = 2\n", "[zzz] a: no such section" },
		{ SITE "[fcgi]\nclient_auth_off_on_loopback = maybe\n",
		    "must be yes or no" },
		{ SITE "[listen]\nclient_url = 127.0.0.1:9380\n",
		    "[listen] client_url: must be http://" },
		{ SITE "[listen]\npartner_url = https://h/path\n",
		    "[listen] partner_url: must be http://" },
		{ SITE "[site]\nhost = a b\n", "must be letters" },
		{ SITE "[site]\nshared = all\n", "memory_dir" },
		{ SITE "[site]\nwake_address = 192.0.2.1:9\n", "shared is" },
		{ SITE "[site]\nlog_level = loud\n", "must be debug, info" },
		{ SITE "[supervisor]\nlease_ms = 1000\nheartbeat_ms = 900\n",
		    "must be at least twice heartbeat_ms" },
		{ SITE "[data]\nfile_roots = /srv:/tmp/\n",
		    "[data] file_roots: may not hold the site's own folder" },
		{ SITE "[data]\nfile_roots = .\n", "may not hold" },
		{ SITE "no equals sign\n", "line 5" },
	};
	struct site_conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load(cases[i].text, &c), ERR_INVALID);
		assert_null(c);
		if (strstr(err_text(), cases[i].says) == NULL)
			fail_msg(
			    "\"%s\" lacks \"%s\"", err_text(), cases[i].says);
	}
}

static void
several_folders_are_made_absolute_each(void **state)
{
	struct site_conf *c;
	char *want = xasprintf("/srv/data:%s/own", folder);

	(void)state;
	assert_int_equal(
	    load(SITE "[data]\nfile_roots = /srv/data::own\n", &c), 0);
	assert_string_equal(c->file_roots, want);
	site_conf_free(c);
	assert_int_equal(load(SITE, &c), 0);
	assert_string_equal(c->file_roots, "");
	assert_string_equal(c->mysql_hosts, "");
	assert_true(str_ends(c->export_root, "/exports"));
	site_conf_free(c);
	free(want);
}

static void
all_faults_are_reported_together(void **state)
{
	struct site_conf *c;

	(void)state;
	assert_int_equal(
	    load("[fcgi]\nworkers = 0\n[jobs]\ntask_core = 1\n", &c),
	    ERR_INVALID);
	assert_non_null(strstr(err_text(), "workers"));
	assert_non_null(strstr(err_text(), "task_cores?"));
	assert_non_null(strstr(err_text(), "party_id"));
	assert_non_null(strstr(err_text(), "socket"));
}

static void
long_lines_are_refused_rather_than_cut(void **state)
{
	struct buf text = BUF_INIT;
	struct site_conf *c;
	int i;

	(void)state;
	buf_puts(&text, SITE "[executor]\nproviders_dir = /");
	for (i = 0; i < 300; i++)
		buf_putc(&text, 'x');
	buf_putc(&text, '\n');
	assert_int_equal(load(buf_str(&text), &c), ERR_INVALID);
	assert_non_null(strstr(err_text(), "line 6 is longer"));
	buf_fini(&text);
}

static void
missing_file_is_an_input_error(void **state)
{
	struct site_conf *c;
	char *path = xasprintf("%s/none", folder);

	(void)state;
	assert_int_equal(site_conf_load(path, &c), ERR_IO);
	assert_null(c);
	free(path);
}

static void
assert_path(const struct site_conf *c, const char *below, const char *root)
{
	char *path = site_path(c, "%s", below);
	char *want = xasprintf("%s/%s/%s", folder, root, below);

	assert_string_equal(path, want);
	free(path);
	free(want);
}

static void
hosts_share_what_tasks_need_and_nothing_else(void **state)
{
	struct site_conf *c;
	char *path;

	(void)state;
	assert_int_equal(load(SITE "[site]\nhome = own\nshared = all\n"
				   "[mailbox]\nmemory_dir = all/small\n",
			     &c),
	    0);
	assert_path(c, "data/tables/ab/x", "all");
	assert_path(c, "models/objects/ab", "all");
	assert_path(c, "mailbox/x", "all");
	assert_path(c, "spool/upload/1.csv", "all");
	assert_path(c, "logs/202611010000000000001/guest", "all");
	assert_path(c, "logs/supervisor.log", "own");
	assert_path(c, "logs", "own");
	assert_path(c, "spool/uploads", "own");
	assert_path(c, "spool/mailbox/body", "own");
	assert_path(c, "database", "own");
	assert_path(c, "run/fcgi.sock", "own");
	assert_path(c, "keys/sign.key", "own");
	assert_path(c, "jobs/1/guest", "own");
	/* What is not mounted is not written to. */
	assert_int_equal(site_shared_check(c), ERR_NOT_FOUND);
	assert_int_equal(site_shared_make(c), 0);
	assert_int_equal(site_shared_make(c), 0);
	assert_int_equal(site_shared_check(c), 0);
	path = xasprintf("%s/all/site.id", folder);
	assert_int_equal(fd_replace_file(path, "99990\n", 6, 0600), 0);
	free(path);
	assert_int_equal(site_shared_check(c), ERR_INVALID);
	assert_int_equal(site_shared_make(c), ERR_INVALID);
	site_conf_free(c);
}

static void
sample_holds_the_defaults(void **state)
{
	struct site_conf *sample, *plain;

	(void)state;
	assert_int_equal(site_conf_load("conf/site.conf", &sample), 0);
	assert_int_equal(load(SITE, &plain), 0);
	assert_string_equal(sample->db_name, plain->db_name);
	assert_int_equal(sample->fcgi_workers, plain->fcgi_workers);
	assert_int_equal(sample->fcgi_max_body, plain->fcgi_max_body);
	assert_int_equal(sample->poll_ms, plain->poll_ms);
	assert_int_equal(sample->lease_ms, plain->lease_ms);
	assert_int_equal(sample->heartbeat_ms, plain->heartbeat_ms);
	assert_int_equal(sample->reservation_ms, plain->reservation_ms);
	assert_int_equal(sample->partner_timeout_ms, plain->partner_timeout_ms);
	assert_int_equal(sample->partner_outage_s, plain->partner_outage_s);
	assert_int_equal(
	    sample->db_answer_timeout_s, plain->db_answer_timeout_s);
	assert_int_equal(sample->task_cores, plain->task_cores);
	assert_int_equal(sample->job_timeout_s, plain->job_timeout_s);
	assert_int_equal(sample->auto_retries, plain->auto_retries);
	assert_int_equal(sample->mailbox_max_bytes, plain->mailbox_max_bytes);
	assert_int_equal(
	    sample->mailbox_max_objects, plain->mailbox_max_objects);
	assert_int_equal(sample->executor_memory_mb, plain->executor_memory_mb);
	assert_int_equal(sample->executor_file_mb, plain->executor_file_mb);
	assert_string_equal(
	    sample->mailbox_memory_dir, plain->mailbox_memory_dir);
	assert_string_equal(sample->bwrap_program, plain->bwrap_program);
	site_conf_free(sample);
	site_conf_free(plain);
}

static void
picked_ports_are_free_and_not_a_neighbours(void **state)
{
	char *site = xasprintf("%s/9999", folder);
	char *conf = xasprintf("%s/9999/site.conf", folder);
	char *home = xasprintf("%s/10000", folder);
	int ports[64], again[64];
	size_t i, j;

	(void)state;
	assert_int_equal(ports_pick(home, ports, 64), 0);
	for (i = 0; i < 64; i++)
		for (j = 0; j < i; j++)
			assert_int_not_equal(ports[i], ports[j]);
	/* A neighbour that is set up but does not listen. */
	assert_int_equal(fd_mkdirs(site, 0700), 0);
	assert_int_equal(fd_mkdirs(home, 0700), 0);
	{
		char *text = xasprintf(SITE "[listen]\nclient_url = "
					    "http://127.0.0.1:%d\n",
		    ports[0]);

		assert_int_equal(
		    fd_replace_file(conf, text, strlen(text), 0644), 0);
		free(text);
	}
	for (i = 0; i < 50; i++) {
		assert_int_equal(ports_pick(home, again, 64), 0);
		for (j = 0; j < 64; j++)
			assert_int_not_equal(again[j], ports[0]);
	}
	free(site);
	free(conf);
	free(home);
}

static void
site_folders_are_made_with_their_modes(void **state)
{
	char *keys = xasprintf("%s/s/keys", folder);
	char *home = xasprintf("%s/s", folder);
	struct stat st;

	(void)state;
	assert_int_equal(site_files_folders(home), 0);
	assert_int_equal(site_files_folders(home), 0);
	assert_int_equal(stat(keys, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	free(keys);
	free(home);
}

static void
a_wake_says_which_job_and_which_parts(void **state)
{
	char job[ID_JOB_SIZE], text[WAKE_SIZE] = "";
	struct site_conf c = { .home = folder };
	char *run = xasprintf("%s/run", folder);
	char *path = site_path(&c, "%s", SITE_SUPERVISOR_SOCKET);
	unsigned what;
	int fd;

	(void)state;
	site_wake(&c, "202601010000000000001", WAKE_JOBS); /* nobody there */
	assert_int_equal(mkdir(run, 0700), 0);
	assert_int_equal(fd_dgram_bind(path, &fd), 0);
	site_wake(&c, "202601010000000000001", WAKE_JOBS | WAKE_LAUNCHES);
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	site_wake_read(text, job, &what);
	assert_string_equal(job, "202601010000000000001");
	assert_int_equal(what, WAKE_JOBS | WAKE_LAUNCHES);
	site_wake(&c, "202601010000000000001", WAKE_RUNNING);
	memset(text, 0, sizeof(text));
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	site_wake_read(text, job, &what);
	assert_int_equal(what, WAKE_RUNNING);
	site_wake_read("202601010000000000001", job, &what);
	assert_string_equal(job, "202601010000000000001");
	assert_int_equal(what, WAKE_ASK);
	site_wake_read("reload", job, &what);
	assert_string_equal(job, WAKE_RELOAD);
	close(fd);
	free(path);
	free(run);
}

static void
a_wake_of_anything_else_only_asks(void **state)
{
	char job[ID_JOB_SIZE];
	unsigned what;

	(void)state;
	site_wake_read("", job, &what);
	assert_string_equal(job, "");
	assert_int_equal(what, WAKE_ASK);
	site_wake_read("no job z?", job, &what);
	assert_string_equal(job, "");
	assert_int_equal(what, WAKE_JOBS); /* the j of job */
	site_wake_read("20260101000000000000120261 l", job, &what);
	assert_string_equal(job, "");
	assert_int_equal(what, WAKE_LAUNCHES);
}

#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(defaults_fill_what_is_not_said),
		WITH_FOLDER(values_are_taken_over),
		WITH_FOLDER(
		    what_a_shepherd_starts_is_found_beside_it_whoever_reads_the_file),
		WITH_FOLDER(
		    what_is_beside_the_program_goes_before_what_is_beside_the_shepherd),
		WITH_FOLDER(faults_name_section_and_key),
		WITH_FOLDER(several_folders_are_made_absolute_each),
		WITH_FOLDER(all_faults_are_reported_together),
		WITH_FOLDER(long_lines_are_refused_rather_than_cut),
		WITH_FOLDER(missing_file_is_an_input_error),
		WITH_FOLDER(hosts_share_what_tasks_need_and_nothing_else),
		WITH_FOLDER(sample_holds_the_defaults),
		WITH_FOLDER(picked_ports_are_free_and_not_a_neighbours),
		WITH_FOLDER(site_folders_are_made_with_their_modes),
		WITH_FOLDER(a_wake_says_which_job_and_which_parts),
		WITH_FOLDER(a_wake_of_anything_else_only_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
