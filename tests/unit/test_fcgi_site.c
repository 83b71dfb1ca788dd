/*
 * One site for real: nginx, sluice-fcgi with its workers, a private database
 * server; this program is its users, its partner 10000, and people who mean
 * no good.  No supervisor runs: what is asked for stays as it was written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/site_files.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_job.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_table.h"
#include "lib/db/db_task.h"
#include "lib/http/tls_cert.h"
#include "lib/json/json.h"
#include "lib/mailbox/mailbox.h"
#include "lib/sign/digest.h"
#include "lib/sign/sign.h"
#include "tests/lib/mariadb.h"

#define US "9999"
#define THEM "10000"
#define RSS_MAX_KB 10240
#define WORKERS_MAX 16

static struct {
	char *home;
	struct site_conf *conf;
	struct db *db;
	struct keys *keys; /* the partner's */
	pid_t fcgi;
	pid_t nginx;
} site;

/* --- the site --------------------------------------------------------------------- */

static char *
free_address(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	(void)close(fd);
	return xasprintf("127.0.0.1:%d", ntohs(sa.sin_port));
}

static char *
in_home(const char *name)
{
	return xasprintf("%s/%s", site.home, name);
}

static void
write_conf(void)
{
	const struct site_conf *db = mariadb_conf();
	char *client = free_address(), *tls = free_address();
	char *partner = free_address(), *path;
	char *urls[3];

	urls[0] = xasprintf("http://%s", client);
	urls[1] = xasprintf("https://%s", tls);
	urls[2] = xasprintf("https://%s", partner);
	assert_int_equal(
	    site_files_write_conf(&(struct site_choice){ .home = site.home,
		.party = US,
		.client_url = urls[0],
		.client_tls_url = urls[1],
		.partner_url = urls[2],
		.db_socket = db->db_socket,
		.db_name = db->db_name,
		.db_user = db->db_user,
		.db_one_account = true,
		.loopback_without_authentication = true }),
	    0);
	path = site_files_conf_path(site.home);
	assert_int_equal(site_conf_load(path, &site.conf), 0);
	/* The test server's user has no password. */
	assert_int_equal(
	    fd_replace_file(site.conf->db_password_file, "", 0, 0600), 0);
	free(path);
	free(client);
	free(tls);
	free(partner);
	free(urls[0]);
	free(urls[1]);
	free(urls[2]);
}

/* The partner's keys and certificate, known to the site. */
static void
make_partner(void)
{
	struct db_partner p = { .party_id = THEM,
		.name = "partner",
		.url = "https://127.0.0.1:1",
		.enabled = true };
	char *key = in_home("partner.key");
	char *cert = in_home("partner.crt");
	struct buf pem = BUF_INIT;
	const char *certs[1];

	assert_int_equal(keys_generate(&site.keys), 0);
	assert_int_equal(tls_cert_make(THEM, key, cert), 0);
	assert_int_equal(buf_read_file(&pem, cert, 65536), 0);
	certs[0] = pem.data;
	assert_int_equal(site_files_partners(site.conf, certs, 1), 0);
	p.tls_cert = pem.data;
	memcpy(p.sign_key, keys_public(site.keys), sizeof(p.sign_key));
	assert_int_equal(db_partner_put(site.db, &p), 0);
	buf_fini(&pem);
	free(key);
	free(cert);
}

static pid_t
spawn(char *const argv[], const char *log)
{
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	(void)execvp(argv[0], argv);
	_exit(127);
}

/* build/bin/NAME, beside build/tests/ where this program is. */
static char *
program(const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	return xasprintf("%s/../bin/%s", dirname(self), name);
}

static void
start_site(void)
{
	char *fcgi = program("sluice-fcgi");
	char *conf = site_files_conf_path(site.home);
	char *nginx_conf = in_home("nginx.conf"), *log = in_home("out.log");
	char config[] = "--config", nginx[] = "nginx", p[] = "-p", c[] = "-c",
	     g[] = "-g", fg[] = "daemon off;";
	char *fcgi_argv[] = { fcgi, config, conf, NULL };
	char *nginx_argv[] = { nginx, p, site.home, c, nginx_conf, g, fg,
		NULL };

	site.fcgi = spawn(fcgi_argv, log);
	site.nginx = spawn(nginx_argv, log);
	free(fcgi);
	free(conf);
	free(nginx_conf);
	free(log);
}

/* --- requests ------------------------------------------------------------------------ */

struct answer {
	long status; /* 0: none came */
	struct buf body;
	struct buf headers;
	struct json_object *json; /* NULL when it is none */
	int64_t retcode;	  /* -1 without */
	const char *retmsg;
};

static void
answer_fini(struct answer *a)
{
	json_object_put(a->json);
	buf_fini(&a->body);
	buf_fini(&a->headers);
}

static size_t
keep(char *data, size_t size, size_t n, void *ctx)
{
	buf_append(ctx, data, size * n);
	return size * n;
}

struct ask {
	const char *method; /* NULL: POST */
	const char *base;   /* NULL: the client listener */
	const char *target; /* "/v1/…?…", sent as it is */
	const char *type;
	const void *body;
	size_t len;
	struct curl_slist *headers; /* the call's: it frees them */
	bool certificate;	    /* show the partner's */
};

static void
set_tls(CURL *c, const struct ask *q)
{
	char *key = in_home("partner.key"), *cert = in_home("partner.crt");

	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	if (q->certificate) {
		curl_easy_setopt(c, CURLOPT_SSLCERT, cert);
		curl_easy_setopt(c, CURLOPT_SSLKEY, key);
	}
	free(key);
	free(cert);
}

static void
ask(const struct ask *q, struct answer *a)
{
	struct curl_slist *headers = q->headers;
	CURL *c = curl_easy_init();
	char *type;

	memset(a, 0, sizeof(*a));
	a->retcode = -1;
	type = xasprintf(
	    "Content-Type: %s", q->type != NULL ? q->type : "application/json");
	headers = curl_slist_append(headers, type);
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(
	    c, CURLOPT_URL, q->base != NULL ? q->base : site.conf->client_url);
	curl_easy_setopt(c, CURLOPT_REQUEST_TARGET, q->target);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body != NULL ? q->body : "");
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->len);
	curl_easy_setopt(
	    c, CURLOPT_CUSTOMREQUEST, q->method != NULL ? q->method : "POST");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &a->body);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, keep);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &a->headers);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
	set_tls(c, q);
	if (curl_easy_perform(c) == CURLE_OK)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	if (json_parse(buf_str(&a->body), a->body.len, 64 << 20, &a->json) == 0)
		a->retcode = json_get_int(a->json, "retcode", -1);
	a->retmsg = json_get_str(a->json, "retmsg", "");
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	free(type);
}

static void
client(const char *target, const char *body, struct answer *a)
{
	ask(
	    &(struct ask){
		.target = target, .body = body, .len = strlen(body) },
	    a);
}

static void
ask_client(int64_t want, const char *target, const char *body)
{
	struct answer a;

	client(target, body, &a);
	if (a.retcode != want)
		fail_msg("%s: %ld %s", target, a.status, buf_str(&a.body));
	answer_fini(&a);
}

/* What a partner's request is made of; NULL and 0 are what is right. */
struct partner_ask {
	const char *method;
	const char *target;
	const void *body;
	size_t len;
	const char *party;
	const char *destination;
	const char *nonce;
	const struct keys *keys;
	const char *signed_body; /* another than is sent */
	const char *signed_path; /* another than is sent */
	int64_t age_s;
	bool no_certificate;
	bool no_signature;
};

static struct curl_slist *
add_header(struct curl_slist *list, const char *name, const char *value)
{
	char *line = xasprintf("%s: %s", name, value);

	list = curl_slist_append(list, line);
	free(line);
	return list;
}

static struct curl_slist *
sign(const struct partner_ask *p)
{
	struct curl_slist *list = NULL;
	struct sign_headers sh;
	uint8_t hash[DIGEST_SIZE];
	char digest[DIGEST_TEXT_SIZE], nonce[33];
	char *path;
	const char *from = p->signed_path != NULL ? p->signed_path : p->target;
	struct sign_request sr = {
		.method = p->method != NULL ? p->method : "POST",
		.query =
		    strchr(from, '?') != NULL ? strchr(from, '?') + 1 : NULL,
		.party = p->party != NULL ? p->party : THEM,
		.destination = p->destination != NULL ? p->destination : US,
	};

	randombytes_buf(hash, 16);
	str_to_hex(hash, 16, nonce);
	if (p->signed_body != NULL)
		assert_int_equal(
		    digest_memory(p->signed_body, strlen(p->signed_body), hash),
		    0);
	else
		assert_int_equal(digest_memory(p->body, p->len, hash), 0);
	digest_text(hash, digest);
	path = xstrndup(from, strcspn(from, "?"));
	sr.path = path;
	sr.digest = digest;
	assert_int_equal(sign_request_at(p->keys != NULL ? p->keys : site.keys,
			     &sr, (int64_t)time(NULL) - p->age_s,
			     p->nonce != NULL ? p->nonce : nonce, &sh),
	    0);
	list = add_header(list, "Content-Digest", digest);
	list = add_header(list, "Sluice-Party", sr.party);
	list = add_header(list, "Sluice-Destination", sr.destination);
	list = add_header(list, "Signature-Input", sh.input);
	list = add_header(list, "Signature", sh.value);
	free(path);
	return list;
}

static void
partner(const struct partner_ask *p, struct answer *a)
{
	struct partner_ask with = *p;

	if (with.body == NULL)
		with.body = "";
	ask(&(struct ask){ .base = site.conf->partner_url,
		.method = with.method,
		.target = with.target,
		.body = with.body,
		.len = with.len,
		.certificate = !with.no_certificate,
		.headers = with.no_signature ? NULL : sign(&with) },
	    a);
}

#define FLOOD 300 /* more than all workers record at once */
#define APPLY "/v1/party/20260101000000000000/guest/" US "/resource/apply"

static void
refused(const struct partner_ask *p, const char *why)
{
	struct answer a;

	partner(p, &a);
	if (a.retcode != 109 || strstr(a.retmsg, why) == NULL)
		fail_msg("wanted 109 '%s', got %ld %s", why, a.status,
		    buf_str(&a.body));
	answer_fini(&a);
}

/* --- set up and tear down --------------------------------------------------------------- */

static void
show(const char *name)
{
	struct buf text = BUF_INIT;
	char *path = in_home(name);

	if (buf_read_file(&text, path, 1 << 20) == 0)
		print_error("%s:\n%s\n", name, buf_str(&text));
	buf_fini(&text);
	free(path);
}

static void
wait_ready(void)
{
	struct timespec ms = { 0, 20 * 1000 * 1000 };
	struct answer a;
	bool ready = false;
	int i;

	/* A program offers no event for "I accept"; so it is asked. */
	for (i = 0; i < 500 && !ready; i++) {
		ask(&(struct ask){ .method = "GET", .target = "/v1/health" },
		    &a);
		ready = a.retcode == 0;
		answer_fini(&a);
		if (!ready)
			(void)nanosleep(&ms, NULL);
	}
	if (!ready) {
		show("out.log");
		show("logs/nginx-error.log");
		fail_msg("the site does not answer");
	}
}

static int
set_up(void **state)
{
	char dir[] = "/tmp/sluice-fcgi-XXXXXX";

	(void)state;
	curl_global_init(CURL_GLOBAL_ALL);
	if (sodium_init() < 0 || mkdtemp(dir) == NULL)
		return -1;
	mariadb_fresh();
	site.home = xstrdup(dir);
	assert_int_equal(site_files_folders(dir), 0);
	assert_int_equal(site_files_keys(dir, US), 0);
	write_conf();
	assert_int_equal(site_files_memory_dir(site.conf), 0);
	site.db = mariadb_connect();
	make_partner();
	assert_int_equal(site_files_nginx(site.conf, "root root"), 0);
	start_site();
	wait_ready();
	return 0;
}

static void
stop(pid_t pid)
{
	int status;

	(void)kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
}

/* What a sanitizer found in the program stands in its output. */
static int
check_output(void)
{
	struct buf text = BUF_INIT;
	char *path = in_home("out.log");
	int r = 0;

	if (buf_read_file(&text, path, 16 << 20) != 0 ||
	    strstr(buf_str(&text), "Sanitizer") != NULL ||
	    strstr(buf_str(&text), "runtime error") != NULL) {
		print_error("%s\n", buf_str(&text));
		r = -1;
	}
	buf_fini(&text);
	free(path);
	return r;
}

static int
tear_down(void **state)
{
	int r;

	(void)state;
	stop(site.nginx);
	stop(site.fcgi);
	r = check_output();
	db_close(site.db);
	keys_free(site.keys);
	(void)fd_remove_tree(site.conf->mailbox_memory_dir);
	(void)fd_remove_tree(site.home);
	site_conf_free(site.conf);
	free(site.home);
	curl_global_cleanup();
	return r;
}

/* --- processes ------------------------------------------------------------------------------- */

/* Children of sluice-fcgi; returns how many. */
static int
workers(pid_t pids[WORKERS_MAX])
{
	char *path = xasprintf(
	    "/proc/%d/task/%d/children", (int)site.fcgi, (int)site.fcgi);
	FILE *f = fopen(path, "r");
	int n = 0;

	assert_non_null(f);
	while (n < WORKERS_MAX && fscanf(f, "%d", &pids[n]) == 1)
		n++;
	(void)fclose(f);
	free(path);
	return n;
}

static long
resident_kb(pid_t pid)
{
	char *path = xasprintf("/proc/%d/status", (int)pid), line[256];
	FILE *f = fopen(path, "r");
	long kb = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
			break;
	}
	(void)fclose(f);
	free(path);
	return kb;
}

static void
a_worker_that_is_killed_is_replaced_at_once(void **state)
{
	pid_t before[WORKERS_MAX], after[WORKERS_MAX];
	struct timespec ms = { 0, 1000 * 1000 };
	int i, n;

	(void)state;
	n = workers(before);
	/* Half of them answer users, half answer partners. */
	assert_int_equal(n, 2 * site.conf->fcgi_workers);
	assert_int_equal(kill(before[0], SIGKILL), 0);
	for (i = 0; i < 2000; i++) {
		if (workers(after) == n && after[0] != before[0] &&
		    after[n - 1] != before[0])
			break;
		(void)nanosleep(&ms, NULL);
	}
	assert_true(i < 2000);
	for (i = 0; i < 20; i++)
		ask_client(0, "/v1/version/get", "{}");
}

/* How many of before are among the workers; -1 while one is missing. */
static int
still_there(const pid_t *before, int n)
{
	pid_t after[WORKERS_MAX];
	int i, k, same = 0;

	if (workers(after) != n)
		return -1;
	for (i = 0; i < n; i++) {
		for (k = 0; k < n; k++)
			same += before[i] == after[k];
	}
	return same;
}

static void
a_reload_replaces_workers_without_losing_a_request(void **state)
{
	struct timespec ms = { 0, 1000 * 1000 };
	pid_t before[WORKERS_MAX];
	int i, n;

	(void)state;
	n = workers(before);
	assert_int_equal(kill(site.fcgi, SIGHUP), 0);
	for (i = 0; i < 50; i++)
		ask_client(0, "/v1/version/get", "{}");
	/* Each ends when it comes to it; a process offers no event for that. */
	for (i = 0; i < 5000 && still_there(before, n) != 0; i++)
		(void)nanosleep(&ms, NULL);
	assert_int_equal(still_there(before, n), 0);
}

static bool
is_upgraded(pid_t pid)
{
	char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	struct buf b = BUF_INIT;
	bool is = buf_read_file(&b, path, 4096) == 0 &&
		  memmem(b.data, b.len, "--sockets", 10) != NULL;

	buf_fini(&b);
	free(path);
	return is;
}

static void
signals_during_an_upgrade_wait_for_the_new_program(void **state)
{
	struct timespec pause = { 0, 200 * 1000 };
	pid_t before[WORKERS_MAX];
	int i, n;

	(void)state;
	n = workers(before);
	assert_int_equal(kill(site.fcgi, SIGUSR2), 0);
	for (i = 0; i < 50000 && !is_upgraded(site.fcgi); i++) {
		assert_int_equal(kill(site.fcgi, SIGHUP), 0);
		assert_int_equal(waitpid(site.fcgi, NULL, WNOHANG), 0);
		(void)nanosleep(&pause, NULL);
	}
	assert_true(is_upgraded(site.fcgi));
	for (i = 0; i < 20; i++)
		ask_client(0, "/v1/version/get", "{}");
	for (i = 0; i < 50000 && still_there(before, n) != 0; i++)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(still_there(before, n), 0);
	assert_int_equal(waitpid(site.fcgi, NULL, WNOHANG), 0);
}

/* --- everybody --------------------------------------------------------------------------------- */

static void
an_unknown_path_answers_200_with_retcode_100(void **state)
{
	struct answer a;

	(void)state;
	client("/v1/no/such/path", "{}", &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.retcode, 100);
	answer_fini(&a);
	client("/elsewhere", "{}", &a);
	assert_int_equal(a.status, 404);
	assert_int_equal(a.retcode, 404);
	answer_fini(&a);
	ask(&(struct ask){ .method = "GET", .target = "/v1/job/query" }, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.retcode, 100);
	answer_fini(&a);
}

static void
malformed_requests_get_answers_and_cost_no_worker(void **state)
{
	static const char *const bodies[] = { "", "{", "[]", "null", "\"x\"",
		"{\"job_id\":{}}", "{\"job_id\":[]}", "{\"job_id\":null}",
		"{\"job_id\":1e999}", "{\"job_id\":\"\\u0000\"}",
		"{\"job_id\":\"../../etc\",\"role\":\"..\",\"party_id\":\"/\","
		"\"component_name\":\"a/../b\",\"log_type\":\"componentInfo\"}",
		"{\"job_id\":\"20260101000000\",\"component_name\":\"x\","
		"\"role\":\"guest\",\"party_id\":\"9999\",\"limit\":-7,"
		"\"metric_namespace\":7,\"metric_name\":{},"
		"\"table_name\":[1],\"namespace\":{},\"job_dsl\":{},"
		"\"job_runtime_conf\":{},\"log_type\":\"partyInfo\"}",
		"\xff\xfe\x00" };
	static const char *const targets[] = { "/v1/job/submit",
		"/v1/job/query", "/v1/job/list/job", "/v1/job/stop",
		"/v1/job/config", "/v1/job/events", "/v1/job/log/download",
		"/v1/job/log/path", "/v1/job/task/query", "/v1/job/list/task",
		"/v1/job/data/view/query", "/v1/data/upload",
		"/v1/data/upload?%7b", "/v1/data/upload?%00%ff&=&a",
		"/v1/data/upload/history", "/v1/data/x", "/v1/table/table_info",
		"/v1/table/delete", "/v1/table/list", "/v1/table/all",
		"/v1/table/preview", "/v1/table/x",
		"/v1/tracking/component/metrics",
		"/v1/tracking/component/metric/all",
		"/v1/tracking/component/metric_data",
		"/v1/tracking/component/parameters",
		"/v1/tracking/component/output/model",
		"/v1/tracking/component/output/data",
		"/v1/tracking/component/output/data/download",
		"/v1/tracking/component/output/data/table",
		"/v1/tracking/component/summary/download",
		"/v1/tracking/component/list", "/v1/tracking/job/data_view",
		"/v1/pipeline/dag/dependency", "/v1/resource/query",
		"/v1/server/version/get", "/v1/version/get", "/v1/log/size",
		"/v1/log/cat", "/v1/%00", "/v1/..%2f", "/v1/job/%zz" };
	pid_t before[WORKERS_MAX], after[WORKERS_MAX];
	struct answer a;
	size_t i, k;
	int n;

	(void)state;
	n = workers(before);
	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		for (k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++) {
			client(targets[i], bodies[k], &a);
			if (a.status == 0 || a.status >= 500 || a.retcode < 0)
				fail_msg("%s with %s: %ld %s", targets[i],
				    bodies[k], a.status, buf_str(&a.body));
			answer_fini(&a);
		}
	}
	assert_int_equal(workers(after), n);
	assert_memory_equal(before, after, (size_t)n * sizeof(pid_t));
}

static void
a_get_may_carry_a_body(void **state)
{
	static const char body[] =
	    "{\"job_id\":\"20260101000000000000\","
	    "\"component_name\":\"x\",\"role\":\"guest\",\"party_id\":9999}";
	struct answer a;

	(void)state;
	ask(&(struct ask){ .method = "GET",
		.target = "/v1/tracking/component/output/data/download",
		.body = body,
		.len = sizeof(body) - 1 },
	    &a);
	assert_int_equal(a.status, 210);
	assert_int_equal(a.retcode, 210);
	assert_non_null(strstr(a.retmsg, "no output of x"));
	answer_fini(&a);
}

static void
answers_carry_the_security_headers_and_no_version(void **state)
{
	struct answer a;

	(void)state;
	client("/v1/version/get", "{}", &a);
	assert_non_null(strstr(a.headers.data, "X-Content-Type-Options"));
	assert_non_null(strstr(a.headers.data, "Cache-Control: no-store"));
	assert_null(strstr(a.headers.data, "nginx/"));
	answer_fini(&a);
}

/* --- who may ask -------------------------------------------------------------------------------- */

static void
users_and_partners_keep_to_their_listeners(void **state)
{
	struct answer a;

	(void)state;
	client(APPLY, "{}", &a);
	assert_int_equal(a.retcode, 109);
	answer_fini(&a);
	/* nginx knows no such path there; the application would refuse. */
	partner(&(struct partner_ask){ .target = "/v1/job/query" }, &a);
	assert_int_equal(a.status, 404);
	answer_fini(&a);
	ask(&(struct ask){ .base = site.conf->client_tls_url,
		.target = "/v1/job/query",
		.body = "{}",
		.len = 2 },
	    &a);
	assert_int_equal(a.retcode, 109);
	answer_fini(&a);
}

/*
 * A large body is taken by uploads only, and there is nothing of it on disk
 * before its sender is known.
 */
static void
strangers_cannot_fill_the_disk_with_uploads(void **state)
{
	const size_t len = 2 << 20;
	char *body = xcalloc(1, len);
	struct answer a;

	(void)state;
	memset(body, ' ', len);
	ask(&(struct ask){ .base = site.conf->client_tls_url,
		.target = "/v1/job/query",
		.body = body,
		.len = len },
	    &a);
	assert_int_equal(a.status, 413);
	answer_fini(&a);
	ask(&(struct ask){ .base = site.conf->client_tls_url,
		.target = "/v1/data/upload",
		.type = "multipart/form-data; boundary=B",
		.body = body,
		.len = len },
	    &a);
	assert_int_equal(a.retcode, 109);
	answer_fini(&a);
	free(body);
}

static void
pages_of_other_sites_are_refused_on_loopback(void **state)
{
	struct answer a;

	(void)state;
	ask(&(struct ask){ .target = "/v1/job/query",
		.headers = add_header(NULL, "Origin", "https://evil.example") },
	    &a);
	assert_int_equal(a.retcode, 109);
	answer_fini(&a);
	ask(&(struct ask){ .target = "/v1/job/query",
		.headers = add_header(NULL, "Host", "evil.example:9380") },
	    &a);
	assert_int_equal(a.retcode, 109);
	answer_fini(&a);
}

static void
a_signed_request_is_understood(void **state)
{
	struct answer a;

	(void)state;
	partner(
	    &(struct partner_ask){ .target = APPLY, .body = "{}", .len = 2 },
	    &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.retcode, 102); /* no such job here */
	answer_fini(&a);
}

static void
what_is_not_exactly_signed_is_refused(void **state)
{
	struct keys *other;
	struct answer a;

	(void)state;
	assert_int_equal(keys_generate(&other), 0);
	refused(&(struct partner_ask){ .target = APPLY, .no_signature = true },
	    "missing");
	refused(&(struct partner_ask){ .target = APPLY, .keys = other }, "");
	refused(&(struct partner_ask){ .target = APPLY,
		    .body = "{\"a\":1}",
		    .len = 7,
		    .signed_body = "{}" },
	    "digest");
	refused(&(struct partner_ask){ .target = APPLY,
		    .signed_path = "/v1/party/1/guest/" US "/start" },
	    "");
	refused(&(struct partner_ask){ .target = APPLY "?x=1",
		    .signed_path = APPLY },
	    "");
	refused(
	    &(struct partner_ask){ .target = APPLY, .destination = "10001" },
	    "for party 10001");
	refused(&(struct partner_ask){ .target = APPLY, .party = US },
	    "certificate");
	refused(&(struct partner_ask){ .target = APPLY, .age_s = 3600 }, "");
	refused(&(struct partner_ask){ .target = APPLY, .age_s = -3600 }, "");
	keys_free(other);

	partner(
	    &(struct partner_ask){ .target = APPLY, .no_certificate = true },
	    &a);
	assert_int_equal(a.status, 400);
	answer_fini(&a);
}

static void
the_same_request_twice_is_refused_and_recorded(void **state)
{
	struct partner_ask p = { .target = APPLY,
		.nonce = "00112233445566778899aabbccddeeff" };
	struct arena *arena = arena_new();
	struct db_audit *rows;
	struct answer a;
	size_t i, n, found = 0;

	(void)state;
	partner(&p, &a);
	assert_int_equal(a.retcode, 102);
	answer_fini(&a);
	refused(&p, "seen before");
	assert_int_equal(
	    db_audit_find(site.db, arena,
		&(struct db_audit_filter){ .limit = 1000 }, &rows, &n),
	    0);
	for (i = 0; i < n; i++)
		found += strcmp(rows[i].outcome, "refused") == 0;
	assert_true(found > 0);
	arena_free(arena);
}

static size_t
recorded_as(const char *actor)
{
	struct arena *arena = arena_new();
	struct db_audit *rows;
	size_t n;

	assert_int_equal(
	    db_audit_find(site.db, arena,
		&(struct db_audit_filter){ .actor = actor, .limit = 10000 },
		&rows, &n),
	    0);
	arena_free(arena);
	return n;
}

/* Rows, and those that they say were not recorded before. */
static int64_t
told_as(const char *actor)
{
	static const char words[] = " not recorded before";
	struct arena *arena = arena_new();
	struct db_audit *rows;
	int64_t sum = 0;
	size_t i, n;

	assert_int_equal(
	    db_audit_find(site.db, arena,
		&(struct db_audit_filter){ .actor = actor, .limit = 10000 },
		&rows, &n),
	    0);
	for (i = 0; i < n; i++) {
		const char *at = strstr(rows[i].detail, words);

		while (at != NULL && at > rows[i].detail && at[-1] != ' ')
			at--;
		sum += 1;
		/* Of none nothing is said. */
		if (at != NULL) {
			assert_true(strtoll(at, NULL, 10) > 0);
			sum += strtoll(at, NULL, 10);
		}
	}
	arena_free(arena);
	return sum;
}

static void
a_flood_is_told_to_the_last_one_though_no_other_refusal_follows(void **state)
{
	struct timespec pause = { 0, 50 * 1000 * 1000 };
	int64_t before = told_as("claims");
	int i;

	(void)state;
	for (i = 0; i < FLOOD; i++)
		refused(&(struct partner_ask){ .target = APPLY,
			    .no_signature = true },
		    "is missing");
	assert_true(recorded_as("claims") < FLOOD);
	for (i = 0; i < 1200 && told_as("claims") < before + FLOOD; i++)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(told_as("claims"), before + FLOOD);
}

static void
a_flood_of_strangers_hides_no_refusal_of_a_partner(void **state)
{
	size_t before = recorded_as("party " THEM);
	struct answer a;
	int i;

	(void)state;
	for (i = 0; i < FLOOD; i++)
		refused(&(struct partner_ask){ .target = APPLY,
			    .no_signature = true },
		    "is missing");
	assert_true(recorded_as("claims") < FLOOD);
	partner(&(struct partner_ask){ .target = APPLY }, &a);
	assert_int_equal(a.retcode, 102);
	answer_fini(&a);
	assert_int_equal(recorded_as("party " THEM), before + 1);
}

static void
a_disabled_partner_is_refused_at_once(void **state)
{
	struct arena *arena = arena_new();
	struct db_partner *p;
	struct answer a;

	(void)state;
	assert_int_equal(db_partner_get(site.db, arena, THEM, &p), 0);
	p->enabled = false;
	assert_int_equal(db_partner_put(site.db, p), 0);
	refused(&(struct partner_ask){ .target = APPLY }, "no partner");
	/* Keys that come again do not end that. */
	p->enabled = true;
	assert_int_equal(db_partner_put(site.db, p), 0);
	refused(&(struct partner_ask){ .target = APPLY }, "no partner");
	assert_int_equal(db_partner_enable(site.db, THEM, true), 0);
	partner(&(struct partner_ask){ .target = APPLY }, &a);
	assert_int_equal(a.retcode, 102);
	answer_fini(&a);
	arena_free(arena);
}

/* The partner's row of its newest key of a kind. */
static struct db_partner_key *
key_row(struct arena *arena, const char *kind)
{
	struct db_partner_key *rows;
	size_t i, n;

	assert_int_equal(
	    db_partner_key_list(site.db, arena, THEM, false, &rows, &n), 0);
	for (i = 0; i < n; i++)
		if (strcmp(rows[i].kind, kind) == 0)
			return &rows[i];
	fail_msg("no key of kind %s", kind);
	return NULL;
}

static void
accepted(const struct partner_ask *p)
{
	struct answer a;

	partner(p, &a);
	assert_int_equal(a.retcode, 102);
	answer_fini(&a);
}

static void
two_keys_count_until_one_ends_or_is_revoked(void **state)
{
	const struct partner_ask old = { .target = APPLY };
	struct partner_ask fresh = { .target = APPLY };
	struct arena *arena = arena_new();
	int64_t now = (int64_t)time(NULL);
	char text[KEYS_TEXT_SIZE];
	struct keys *keys;

	(void)state;
	assert_int_equal(keys_generate(&keys), 0);
	keys_public_text(keys_public(keys), text);
	fresh.keys = keys;
	refused(&fresh, "not known with this key");
	assert_int_equal(
	    db_partner_key_add(site.db, THEM, DB_KEY_SIGN, text), 0);
	accepted(&old);
	accepted(&fresh);
	assert_int_equal(db_partner_key_end_others(
			     site.db, THEM, DB_KEY_SIGN, text, now + 1000),
	    0);
	accepted(&old);
	keys_public_text(keys_public(site.keys), text);
	/* The new one is the one that goes. */
	assert_int_equal(db_partner_key_end_others(
			     site.db, THEM, DB_KEY_SIGN, text, now - 1),
	    0);
	refused(&fresh, "has ended");
	refused(&fresh, "has ended");
	accepted(&old);
	keys_free(keys);
	arena_free(arena);
}

static void
a_revoked_certificate_is_refused_on_a_connection_that_is_kept(void **state)
{
	struct arena *arena = arena_new();
	struct db_partner_key *row = key_row(arena, DB_KEY_TLS);
	const char *pem = row->material;

	(void)state;
	accepted(&(struct partner_ask){ .target = APPLY });
	assert_int_equal(db_partner_key_revoke(site.db, row, "test"), 0);
	assert_int_equal(
	    db_partner_key_revoke(site.db, row, "test"), ERR_EXISTS);
	/* nginx was not told and takes it still. */
	refused(&(struct partner_ask){ .target = APPLY }, "revoked");
	refused(&(struct partner_ask){ .target = APPLY }, "revoked");
	assert_int_equal(
	    db_partner_key_add(site.db, THEM, DB_KEY_TLS, pem), ERR_DENIED);
	arena_free(arena);
}

/* --- uploads -------------------------------------------------------------------------------------- */

#define UPLOAD_QUERY                                                           \
	"?{%22file%22:%22x.csv%22,%22head%22:1,%22partition%22"                \
	":4,%22namespace%22:%22test%22,%22table_name%22:%22t1%22}"

static void
an_upload_becomes_a_job_with_the_exact_file(void **state)
{
	static const char head[] = "--B\r\nContent-Disposition: form-data; "
				   "name=\"file\"; filename=\"x.csv\"\r\n\r\n";
	struct buf body = BUF_INIT, file = BUF_INIT;
	const char *job;
	struct answer a, q;
	char *path, *query;
	int i;

	(void)state;
	buf_puts(&body, head);
	for (i = 0; i < 100000; i++)
		buf_printf(&body, "%d,%d\n", i, i % 7);
	buf_puts(&body, "\r\n--B--\r\n");
	ask(&(struct ask){ .target = "/v1/data/upload" UPLOAD_QUERY,
		.type = "multipart/form-data; boundary=B",
		.body = body.data,
		.len = body.len },
	    &a);
	if (a.retcode != 0)
		fail_msg("%s", buf_str(&a.body));
	job = json_get_str(a.json, "jobId", "");
	assert_true(str_is_job_id(job));
	assert_non_null(json_path_get(a.json, "data", "board_url"));
	assert_string_equal(json_object_get_string(json_path_get(
				a.json, "data", "model_info", "model_id")),
	    "local-0#model");
	path = xasprintf("%s/spool/upload/%s.csv", site.home, job);
	assert_int_equal(buf_read_file(&file, path, 64 << 20), 0);
	assert_int_equal(
	    file.len, body.len - strlen(head) - strlen("\r\n--B--\r\n"));
	assert_memory_equal(file.data, body.data + strlen(head), file.len);

	query = xasprintf("{\"job_id\":\"%s\",\"role\":\"local\","
			  "\"party_id\":\"0\"}",
	    job);
	client("/v1/job/query", query, &q);
	assert_string_equal(
	    json_object_get_string(
		json_get(json_object_array_get_idx(json_get(q.json, "data"), 0),
		    "f_status")),
	    "waiting");
	answer_fini(&q);
	client("/v1/job/task/query", query, &q);
	assert_string_equal(
	    json_get_str(json_object_array_get_idx(json_get(q.json, "data"), 0),
		"f_component_name", ""),
	    "upload_0");
	answer_fini(&q);
	ask_client(0, "/v1/job/stop", query);
	free(query);
	free(path);
	buf_fini(&file);
	buf_fini(&body);
	answer_fini(&a);
}

/* Files of jobs; nginx's own go a moment after the answer. */
static size_t
spooled(void)
{
	char *path = in_home("spool/upload");
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += str_ends(e->d_name, ".csv");
	(void)closedir(d);
	free(path);
	return n;
}

static void
refused_uploads_leave_no_file_behind(void **state)
{
	static const char *const forms[] = {
		"--B\r\n", "x",
		"--B\r\n"
		"Content-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--B--"
	};
	struct db_table t = { .table_namespace = "test",
		.name = "t1",
		.engine = "STANDALONE",
		.address = "{}",
		.id_delimiter = ",",
		.schema_json = "{}",
		.origin = "upload",
		.partitions = 4 };
	static const char good[] =
	    "--B\r\nContent-Disposition: form-data; "
	    "name=\"file\"; filename=\"x.csv\"\r\n\r\nid,x\n1,2\n\r\n--B--";
	struct arena *arena = arena_new();
	size_t before = spooled(), i;
	struct answer a;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		ask(&(struct ask){ .target = "/v1/data/upload" UPLOAD_QUERY,
			.type = "multipart/form-data; boundary=B",
			.body = forms[i],
			.len = strlen(forms[i]) },
		    &a);
		assert_true(a.retcode > 0);
		answer_fini(&a);
	}
	assert_int_equal(db_table_put(site.db, arena, &t, true, NULL), 0);
	ask(&(struct ask){ .target = "/v1/data/upload" UPLOAD_QUERY,
		.type = "multipart/form-data; boundary=B",
		.body = good,
		.len = sizeof(good) - 1 },
	    &a);
	assert_int_equal(a.retcode, 100);
	assert_non_null(strstr(a.retmsg, "--drop"));
	assert_null(json_get(a.json, "jobId"));
	answer_fini(&a);
	assert_int_equal(spooled(), before);
	ask_client(0, "/v1/table/delete",
	    "{\"table_name\":\"t1\",\"namespace\":\"test\"}");
	ask_client(101, "/v1/table/delete",
	    "{\"table_name\":\"t1\",\"namespace\":\"test\"}");
	arena_free(arena);
}

static void
files_of_the_server_are_taken_only_from_their_folder(void **state)
{
	static const char fmt[] =
	    "{\"file\":\"%s\",\"head\":1,\"partition\":4,"
	    "\"namespace\":\"test\",\"table_name\":\"t2\","
	    "\"use_local_data\":0}";
	static const char *const bad[] = { "/etc/passwd", "../site.conf",
		"../../etc/passwd", "nothing.csv", "link.csv", "" };
	char *body, *path, *to;
	size_t i;

	(void)state;
	(void)fd_mkdirs(site.conf->upload_root, 0750);
	path = xasprintf("%s/a.csv", site.conf->upload_root);
	assert_int_equal(fd_replace_file(path, "id,x\n1,2\n", 9, 0640), 0);
	to = xasprintf("%s/link.csv", site.conf->upload_root);
	assert_int_equal(symlink("/etc/passwd", to), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		body = xasprintf(fmt, bad[i]);
		ask_client(101, "/v1/data/upload", body);
		free(body);
	}
	body = xasprintf(fmt, "a.csv");
	ask_client(0, "/v1/data/upload", body);
	free(body);
	free(path);
	free(to);
}

/* --- jobs -------------------------------------------------------------------------------------------- */

static void
every_fault_of_a_job_is_told_with_its_place(void **state)
{
	struct json_object *errors;
	struct answer a;

	(void)state;
	ask_client(103, "/v1/job/submit", "{\"job_dsl\":{}}");
	client("/v1/job/submit",
	    "{\"job_dsl\":{\"components\":{"
	    "\"reader_0\":{\"module\":\"Readr\"},"
	    "\"lr_0\":{\"module\":\"HeteroLR\",\"input\":{\"data\":"
	    "{\"train_data\":[\"nobody.data\"]}}}}},"
	    "\"job_runtime_conf\":{\"dsl_version\":2,\"initiator\":"
	    "{\"role\":\"guest\",\"party_id\":9999},\"role\":"
	    "{\"guest\":[9999]}}}",
	    &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.retcode, 103);
	errors = json_get(a.json, "errors");
	assert_true(json_is_array(errors));
	assert_true(json_object_array_length(errors) >= 2);
	assert_true(str_starts(
	    json_get_str(json_object_array_get_idx(errors, 0), "pointer", ""),
	    "/job_dsl/components/"));
	assert_non_null(strstr(a.retmsg, "Readr"));
	assert_null(json_get(a.json, "data"));
	answer_fini(&a);
}

static void
run_sql(const char *sql)
{
	if (db_run_script_statement(site.db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

/* The errand is answered as it is made: one partner refuses and says that it is
 * silent, the other one is. */
static void
a_partner_that_refuses_is_not_taken_for_one_that_is_silent(void **state)
{
	static const char answers[] =
	    "CREATE TRIGGER answered BEFORE INSERT ON errand FOR EACH ROW"
	    " SET NEW.state = 'done', NEW.replies = '["
	    "{\"retcode\":0,\"retmsg\":\"\",\"silent\":false,\"data\":"
	    "{\"allowed\":false,\"silent\":true,\"decisions\":[]}},"
	    "{\"retcode\":100,\"retmsg\":\"gone\",\"silent\":true}]'";
	struct json_object *data, *members;
	struct answer a;

	(void)state;
	run_sql("INSERT INTO data_table (namespace, name, engine, address,"
		" table_schema_json, origin)"
		" VALUES ('b', 'a', 'STANDALONE', '{}', '{}', 'upload')");
	run_sql("INSERT INTO partner (party_id, url, sign_key, tls_cert)"
		" SELECT '10001', url, sign_key, tls_cert FROM partner"
		" WHERE party_id = '" THEM "'");
	run_sql("INSERT INTO partner_key (party_id, kind, digest, material)"
		" SELECT '10001', kind, digest, material FROM partner_key"
		" WHERE party_id = '" THEM "'");
	run_sql(answers);
	client("/v1/permission/explain",
	    "{\"job_dsl\":{\"components\":{"
	    "\"reader_0\":{\"module\":\"Reader\","
	    "\"output\":{\"data\":[\"data\"]}}}},"
	    "\"job_runtime_conf\":{\"dsl_version\":2,\"initiator\":"
	    "{\"role\":\"guest\",\"party_id\":9999},\"role\":"
	    "{\"guest\":[9999],\"host\":[10000,10001]},"
	    "\"component_parameters\":{\"common\":{\"reader_0\":"
	    "{\"table\":{\"name\":\"a\",\"namespace\":\"b\"}}}}}}",
	    &a);
	run_sql("DROP TRIGGER answered");
	run_sql("DELETE FROM partner WHERE party_id = '10001'");
	run_sql("DELETE FROM partner_key WHERE party_id = '10001'");
	run_sql("DELETE FROM data_table WHERE namespace = 'b'");
	if (a.retcode != 0)
		fail_msg("%s", buf_str(&a.body));
	data = json_get(a.json, "data");
	members = json_get(data, "members");
	assert_int_equal(json_object_array_length(members), 2);
	assert_false(json_has(json_object_array_get_idx(members, 0), "silent"));
	assert_true(json_has(json_object_array_get_idx(members, 1), "silent"));
	assert_false(json_has(data, "unknown"));
	assert_false(json_get_bool(data, "allowed", true));
	answer_fini(&a);
}

/* --- the mailbox ---------------------------------------------------------------------------------------- */

#define MAIL_JOB "20260102000000000000"
#define MAIL "/v1/mailbox/small/" MAIL_JOB "/intersection_0/0/guest/" US
#define MAIL_LARGE "/v1/mailbox/large/" MAIL_JOB "/intersection_0/0/guest/" US

static const struct mailbox_task mail_task = { .job_id = MAIL_JOB,
	.component = "intersection_0",
	.version = 0,
	.role = "guest",
	.party_id = US };

/* A job of party 10000 with a task of ours that has its mailbox. */
static void
make_task(void)
{
	struct db_party_new parties[] = {
		{ .role = "host", .party_id = THEM },
		{ .role = "guest",
		    .party_id = US,
		    .is_local = true,
		    .created = true,
		    .party_conf = "{}",
		    .cores = 1 },
	};
	struct db_task_new task = { .component = "intersection_0",
		.role = "guest",
		.party_id = US,
		.module = "Intersection",
		.run_here = true,
		.need_run = true,
		.parameters = "{}",
		.provider = "{\"name\":\"sluice\",\"version\":\"\"}" };
	struct db_job_new job = { .job_id = MAIL_JOB,
		.status = STATE_READY,
		.initiator_role = "host",
		.initiator_party = THEM,
		.job_type = "train",
		.dsl = "{}",
		.runtime_conf = "{}",
		.roles = "{\"guest\":[9999],\"host\":[10000]}",
		.contract = "{}",
		.timeout_s = 60,
		.task_parallelism = 1,
		.parties = parties,
		.nparties = 2,
		.tasks = &task,
		.ntasks = 1 };

	assert_int_equal(db_job_insert(site.db, &job, NULL), 0);
	assert_int_equal(mailbox_create(site.conf, &mail_task), 0);
}

/* A name that the manifest allows from host to guest. */
static char *
allowed_name(void)
{
	struct json_object *m, *transfers;
	char *path, *name = NULL;

	path = xasprintf("%s/sluice/" SLUICE_VERSION "/manifest.json",
	    site.conf->providers_dir);
	assert_int_equal(json_parse_file(path, 1 << 20, &m), 0);
	transfers = json_path_get(m, "components", "Intersection", "transfers");
	json_object_object_foreach(transfers, key, value)
	{
		if (name == NULL &&
		    strstr(json_text(json_get(value, "from")), "host") &&
		    strstr(json_text(json_get(value, "to")), "guest"))
			name = xstrdup(key);
	}
	json_object_put(m);
	free(path);
	assert_non_null(name);
	return name;
}

static long
put(const char *fmt_base, const char *query, const void *body, size_t len)
{
	char *target = xasprintf("%s?%s", fmt_base, query);
	struct answer a;
	long status;

	partner(
	    &(struct partner_ask){
		.method = "PUT", .target = target, .body = body, .len = len },
	    &a);
	status = a.status;
	answer_fini(&a);
	free(target);
	return status;
}

static void
check_kept(const char *name, const char *tag, const void *want, size_t len)
{
	struct mailbox_found found;
	struct mailbox *box;
	char *have = xcalloc(1, len + 1);

	assert_int_equal(mailbox_open(site.conf, &mail_task, &box), 0);
	assert_int_equal(mailbox_get(box,
			     &(struct mailbox_object){ .name = name,
				 .tag = tag,
				 .from_role = "host",
				 .from_party = THEM,
				 .parts = 1 },
			     &found),
	    0);
	assert_int_equal(found.bytes, len);
	assert_int_equal(fd_read_exact(found.fd[0], have, len), 0);
	assert_memory_equal(have, want, len);
	mailbox_found_close(&found);
	mailbox_close(box);
	free(have);
}

static void
objects_reach_the_mailbox_of_a_running_task(void **state)
{
	char *name = allowed_name(), *query, *big;
	size_t len = 3 << 20;

	(void)state;
	make_task();
	big = xmalloc(len);
	randombytes_buf(big, len);
	query = xasprintf("name=%s&tag=0.0&from=host", name);
	assert_int_equal(put(MAIL, query, "hello", 5), 200);
	check_kept(name, "0.0", "hello", 5);
	/* Again is fine, other bytes are not. */
	assert_int_equal(put(MAIL, query, "hello", 5), 200);
	assert_int_equal(put(MAIL, query, "hullo", 5), 409);
	free(query);
	query = xasprintf("name=%s&tag=0.1&from=host", name);
	assert_int_equal(put(MAIL_LARGE, query, big, len), 200);
	check_kept(name, "0.1", big, len);
	free(query);
	free(name);
	free(big);
}

/* A job of others: the answer is the same whether it or its task is here. */
static void
who_is_no_member_does_not_learn_which_tasks_there_are(void **state)
{
	static const char *const tasks[] = { "known_0", "unknown_0" };
	struct db_task_new task = { .component = tasks[0],
		.role = "guest",
		.party_id = US,
		.module = "Intersection",
		.run_here = true };
	struct db_party_new party = { .role = "guest",
		.party_id = US,
		.is_local = true,
		.created = true };
	struct db_job_new job = { .job_id = "20260103000000000000",
		.status = STATE_READY,
		.initiator_role = "guest",
		.initiator_party = "777",
		.job_type = "train",
		.dsl = "{}",
		.runtime_conf = "{}",
		.roles = "{\"guest\":[9999]}",
		.contract = "{}",
		.timeout_s = 60,
		.task_parallelism = 1,
		.parties = &party,
		.nparties = 1,
		.tasks = &task,
		.ntasks = 1 };
	char *target;
	struct answer a;
	size_t i;

	(void)state;
	assert_int_equal(db_job_insert(site.db, &job, NULL), 0);
	for (i = 0; i < 2; i++) {
		target =
		    xasprintf("/v1/party/%s/%s/%s_%s/1/guest/" US "/create",
			job.job_id, tasks[i], job.job_id, tasks[i]);
		partner(
		    &(struct partner_ask){
			.target = target, .body = "{}", .len = 2 },
		    &a);
		/* As of a job that is not here. */
		assert_int_equal(a.retcode, 102);
		answer_fini(&a);
		free(target);
		target = xasprintf("/v1/mailbox/small/%s/%s/0/guest/" US,
		    job.job_id, tasks[i]);
		assert_int_equal(
		    put(target, "name=n&tag=a&from=host", "x", 1), 403);
		free(target);
	}
}

static void
successes_that_go_with_a_command_are_read_whole(void **state)
{
#define JOB "20260101000000000077"
	static const char *const targets[] = { "/v1/party/" JOB "/guest/" US
					       "/status/success",
		"/v1/party/" JOB "/c_1/" JOB "_c_1/0/guest/" US "/start" };
	static const char *const bodies[] = { "[[\"c_0\",0],\"c_0\"]",
		"[[\"c_0\",0],[\"c_0\"]]", "[[\"c_0\",0],[0,\"c_0\"]]",
		"[[\"c_0\",0],[\"c_0\",-1]]", "[[\"c_0\",0],[\"../c\",1]]" };
	struct answer a;
	char *body;

	(void)state;
	for (size_t i = 0; i < 5 * 2; i++) {
		body = xasprintf("{\"succeeded\":%s}", bodies[i / 2]);
		partner(&(struct partner_ask){ .target = targets[i % 2],
			    .body = body,
			    .len = strlen(body) },
		    &a);
		assert_int_equal(a.retcode, 101);
		assert_non_null(strstr(
		    a.retmsg, "/succeeded/1: must be [component, version]"));
		answer_fini(&a);
		free(body);
	}
#undef JOB
}

/* The initiator's words about its own site, told at another. */
static void
what_a_partner_says_of_its_site_is_told_with_its_name(void **state)
{
	static const char body[] =
	    "{\"reason\":\"this site has no room, this site's disk is full\"}";
	struct db_party_new party = { .role = "guest",
		.party_id = US,
		.is_local = true,
		.created = true };
	struct db_job_new job = { .job_id = "20260104000000000000",
		.status = STATE_READY,
		.initiator_role = "host",
		.initiator_party = THEM,
		.job_type = "train",
		.dsl = "{}",
		.runtime_conf = "{}",
		.roles = "{\"guest\":[9999],\"host\":[10000]}",
		.contract = "{}",
		.timeout_s = 60,
		.task_parallelism = 1,
		.parties = &party,
		.nparties = 1 };
	struct arena *arena = arena_new();
	struct db_job *row;
	struct answer a;

	(void)state;
	assert_int_equal(db_job_insert(site.db, &job, NULL), 0);
	partner(
	    &(struct partner_ask){
		.target =
		    "/v1/party/20260104000000000000/guest/" US "/stop/failed",
		.body = body,
		.len = sizeof(body) - 1 },
	    &a);
	assert_int_equal(a.retcode, 0);
	answer_fini(&a);
	assert_int_equal(db_job_get(site.db, arena, job.job_id, &row), 0);
	assert_string_equal(
	    row->reason, "party 10000 has no room, party 10000's disk is full");
	arena_free(arena);
}

static void
objects_that_may_not_come_are_refused(void **state)
{
	char *name = allowed_name(), *query, *big = xcalloc(1, 70000);
	struct answer a;

	(void)state;
	assert_int_equal(
	    put(MAIL, "name=made_up&tag=a&from=host", "x", 1), 403);
	query = xasprintf("name=%s&tag=c&from=host", name);
	assert_int_equal(put(MAIL, query, "x", 1), 403);
	free(query);
	query = xasprintf("name=%s&tag=0.2&from=arbiter", name);
	assert_int_equal(put(MAIL, query, "x", 1), 403);
	free(query);
	query = xasprintf("name=%s&tag=0.2&from=host", name);
	assert_int_equal(
	    put("/v1/mailbox/small/" MAIL_JOB "/intersection_0/1/guest/" US,
		query, "x", 1),
	    404);
	assert_int_equal(
	    put("/v1/mailbox/small/" MAIL_JOB "/intersection_0/0/guest/" THEM,
		query, "x", 1),
	    403);
	assert_int_equal(put(MAIL, query, big, 70000), 413);
	free(query);
	query = xasprintf("name=%s&tag=%%00&from=host", name);
	assert_int_equal(put(MAIL, query, "x", 1), 400);
	free(query);
	assert_int_equal(put(MAIL, "tag=0.2", "x", 1), 400);
	query = xasprintf("name=%s&tag=0.2&from=host&part=9&parts=2", name);
	assert_int_equal(put(MAIL_LARGE, query, "x", 1), 400);
	free(query);
	/* Signed for other bytes than are sent, spooled to a file. */
	query = xasprintf(MAIL_LARGE "?name=%s&tag=d&from=host", name);
	partner(&(struct partner_ask){ .method = "PUT",
		    .target = query,
		    .body = big,
		    .len = 70000,
		    .signed_body = "other" },
	    &a);
	assert_int_equal(a.retcode, 109);
	answer_fini(&a);
	free(query);
	free(big);
	free(name);
}

/* --- users do not starve partners ------------------------------------------------------------ */

static bool
serves_partners(pid_t pid)
{
	char *path = xasprintf("/proc/%d/comm", (int)pid);
	struct buf name = BUF_INIT;
	bool yes;

	assert_int_equal(buf_read_file(&name, path, 64), 0);
	yes = strcmp(buf_str(&name), "fcgi-partners\n") == 0;
	assert_true(yes || strcmp(buf_str(&name), "fcgi-users\n") == 0);
	buf_fini(&name);
	free(path);
	return yes;
}

/* Stopped workers stand for busy ones: their connections are not taken. */
static void
partners_are_answered_while_every_worker_of_users_is_busy(void **state)
{
	pid_t pids[WORKERS_MAX];
	struct answer a;
	int i, n;

	(void)state;
	n = workers(pids);
	for (i = 0; i < n; i++) {
		if (!serves_partners(pids[i]))
			assert_int_equal(kill(pids[i], SIGSTOP), 0);
	}
	partner(
	    &(struct partner_ask){ .method = "GET", .target = "/v1/health" },
	    &a);
	for (i = 0; i < n; i++)
		(void)kill(pids[i], SIGCONT);
	assert_int_equal(a.retcode, 0);
	answer_fini(&a);
	ask_client(0, "/v1/version/get", "{}");
}

/* --- and after all this ---------------------------------------------------------------------------- */

static void
workers_stay_small(void **state)
{
	pid_t pids[WORKERS_MAX];
	int i, n;

	(void)state;
	n = workers(pids);
	for (i = 0; i < n; i++) {
#if defined(__SANITIZE_ADDRESS__)
		skip(); /* shadow memory is not ours to judge */
#endif
		print_message("worker %d: %ld kB resident\n", (int)pids[i],
		    resident_kb(pids[i]));
		assert_true(resident_kb(pids[i]) <= RSS_MAX_KB);
	}
}

/* A body of many small values is many times as large in memory. */
static void
a_large_request_leaves_no_large_worker(void **state)
{
	const size_t len = 2 << 20;
	char *body = xmalloc(len + 16);
	size_t at;
	int i;

	(void)state;
	at = (size_t)sprintf(body, "{\"a\":[1");
	while (at < len) {
		body[at++] = ',';
		body[at++] = '1';
	}
	(void)strcpy(body + at, "]}");
	for (i = 0; i < 8; i++)
		ask_client(0, "/v1/job/query", body);
	free(body);
	workers_stay_small(state);
}

/* --- tables ------------------------------------------------------------------ */

static void
put_table(const char *name)
{
	struct db_table t = { .table_namespace = "switch",
		.name = name,
		.engine = "STANDALONE",
		.address = "{}",
		.folder = "",
		.partitions = 1,
		.id_delimiter = ",",
		.schema_json = "{}",
		.origin = "upload" };
	struct arena *arena = arena_new();

	assert_int_equal(db_table_put(site.db, arena, &t, false, NULL), 0);
	arena_free(arena);
}

static void
is_enabled(const char *name, bool want)
{
	char *body =
	    xasprintf("{\"namespace\":\"switch\",\"table_name\":\"%s\"}", name);
	struct json_object *data;
	struct answer a;

	client("/v1/table/table_info", body, &a);
	data = json_get(a.json, "data");
	assert_int_equal(json_get_int(data, "exist", -1), 1);
	assert_int_equal(json_get_bool(data, "enable", !want), want);
	answer_fini(&a);
	free(body);
}

/* The job with a partner of the mailbox tests: we are its guest. */
static void
no_data_text(const char *path, const char *job, const char *role,
    const char *party, const char *component, const char *want)
{
	char *body = xasprintf("{\"job_id\":\"%s\",\"role\":\"%s\","
			       "\"party_id\":\"%s\",\"component_name\":\"%s\"}",
	    job, role, party, component);
	/* The first rows of a task that is not there are an error. */
	bool refused =
	    str_ends(path, "/output/data") && !str_eq(want, "no data");
	struct answer a;

	client(path, body, &a);
	assert_int_equal(a.retcode, refused ? 100 : 0);
	assert_true(json_has(a.json, "data") == !refused);
	assert_string_equal(a.retmsg, want);
	answer_fini(&a);
	free(body);
}

static void
no_data_says_whose_data_would_be_here(void **state)
{
	static const char *const paths[] = {
		"/v1/tracking/component/metric/all",
		"/v1/tracking/component/metrics",
		"/v1/tracking/component/output/data"
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		no_data_text(paths[i], MAIL_JOB, "guest", US, "intersection_0",
		    "no data");
		no_data_text(paths[i], MAIL_JOB, "host", THEM, "intersection_0",
		    "no data: host " THEM " is not at this site, members here: "
		    "guest " US);
		no_data_text(paths[i], MAIL_JOB, "guest", US, "other_0",
		    "no data: other_0 is no component of job " MAIL_JOB);
		no_data_text(paths[i], "20990101000000000000", "guest", US,
		    "other_0",
		    "no data: job 20990101000000000000 is not known here");
	}
}

static void
tables_are_disabled_and_enabled_by_name(void **state)
{
	static const char all[] = "{\"namespace\":\"switch\"}";
	static const char one[] =
	    "{\"namespace\":\"switch\",\"table_name\":\"a\"}";
	struct answer a;

	(void)state;
	put_table("a");
	put_table("b");
	ask_client(101, "/v1/table/disable", "{}");
	ask_client(101, "/v1/table/disable", "{\"name\":\"none such\"}");
	ask_client(101, "/v1/table/disable/delete", "{}");
	ask_client(0, "/v1/table/disable", one);
	is_enabled("a", false);
	is_enabled("b", true);
	client("/v1/table/disable", all, &a);
	assert_int_equal(json_object_array_length(json_get(a.json, "data")), 2);
	answer_fini(&a);
	is_enabled("b", false);
	ask_client(0, "/v1/table/enable", one);
	is_enabled("a", true);
	ask_client(0, "/v1/table/disable/delete", "{}");
	is_enabled("a", true);
	ask_client(101, "/v1/table/enable",
	    "{\"namespace\":\"switch\",\"table_name\":\"b\"}");
	ask_client(0, "/v1/table/delete", one);
}

/* {"table_name": {}} must not mean the whole namespace. */
static void
a_name_of_another_type_does_not_pass_for_an_absent_one(void **state)
{
	static const char *const wrong[] = { "{}", "{\"a\":1}", "[]",
		"[\"a\"]" };
	char body[200];
	size_t i;

	(void)state;
	put_table("kept");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(body, sizeof(body),
		    "{\"namespace\":\"switch\",\"table_name\":%s}", wrong[i]);
		ask_client(101, "/v1/table/disable", body);
		ask_client(101, "/v1/table/delete", body);
	}
	is_enabled("kept", true);
	ask_client(0, "/v1/table/delete",
	    "{\"namespace\":\"switch\",\"table_name\":\"kept\"}");
	ask_client(101, "/v1/job/clean", "{\"job_id\":\"1\",\"role\":{}}");
	ask_client(101, "/v1/job/query", "{\"job_id\":{}}");
	ask_client(101, "/v1/job/query", "{\"job_id\":[\"1\",{}]}");
	ask_client(0, "/v1/job/query", "{\"job_id\":[\"1\",\"2\"]}");
}

static void
meta_of_a_table_has_its_types_before_it_is_bound(void **state)
{
	static const char *const wrong[] = { "{\"delimiter\":\"\"}",
		"{\"delimiter\":\"12345678901234567\"}",
		"{\"delimiter\":\"\\n\"}", "{\"delimiter\":5}",
		"{\"input_format\":{}}", "{\"with_label\":\"perhaps\"}",
		"{\"id_list\":\"a\"}", "{\"id_range\":-1}" };
	char body[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(body, sizeof(body),
		    "{\"engine\":\"PATH\",\"address\":{\"path\":\"a\"},"
		    "\"namespace\":\"n\",\"name\":\"m\","
		    "\"with_meta\":true,\"meta\":%s}",
		    wrong[i]);
		ask_client(101, "/v1/table/bind", body);
	}
}

static void
a_member_has_its_own_configuration(void **state)
{
	static const char path[] = "/v1/operation/job_config/get";
	struct json_object *data;
	struct answer a;

	(void)state;
	client(path,
	    "{\"job_id\":\"" MAIL_JOB "\",\"role\":\"guest\",\"party_id\":" US
	    "}",
	    &a);
	assert_int_equal(a.retcode, 0);
	data = json_get(a.json, "data");
	assert_int_equal(json_object_object_length(data), 4);
	assert_true(json_is_object(json_get(data, "dsl")));
	assert_true(json_is_object(json_get(data, "runtime_conf_on_party")));
	answer_fini(&a);
	client(path, "{\"job_id\":\"" MAIL_JOB "\"}", &a);
	assert_int_equal(a.status, 400);
	answer_fini(&a);
	client(path,
	    "{\"job_id\":\"1\",\"role\":\"guest\",\"party_id\":" US "}", &a);
	assert_int_equal(a.status, 404);
	assert_int_equal(a.retcode, 404);
	answer_fini(&a);
}

static size_t
found(const char *path, const char *body)
{
	struct answer a;
	size_t n;

	client(path, body, &a);
	assert_int_equal(a.retcode, 0);
	n = json_object_array_length(json_get(a.json, "data"));
	answer_fini(&a);
	return n;
}

static void
a_filter_that_nothing_meets_is_not_none(void **state)
{
	(void)state;
	assert_true(found("/v1/job/query", "{\"party_id\":9999}") > 0);
	assert_int_equal(
	    found("/v1/job/query", "{\"party_id\":9999,\"status\":\"a,b\"}"),
	    0);
	assert_int_equal(
	    found("/v1/job/query", "{\"party_id\":9999,\"job_id\":[\"a,b\"]}"),
	    0);
}

static void
what_this_site_cannot_do_is_said(void **state)
{
	static const char *const paths[] = { "/v1/table/x", "/v1/table/x/y",
		"/v1/table/bind/y" };
	struct answer a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		client(paths[i], "{}", &a);
		assert_int_equal(a.retcode, 100);
		assert_non_null(strstr(a.retmsg, "not supported by this site"));
		answer_fini(&a);
	}
	ask(&(struct ask){ .method = "GET", .target = "/v1/table/x" }, &a);
	assert_int_equal(a.retcode, 100);
	assert_non_null(strstr(a.retmsg, "not supported by this site"));
	answer_fini(&a);
	client("/v1/data/x", "{}", &a);
	assert_int_equal(a.status, 400);
	answer_fini(&a);
	ask_client(101, "/v1/job/query", "{\"job_id\":");
}

#define TRAIN_DSL                                                               \
	"{\\\"components\\\":{\\\"r\\\":{\\\"module\\\":\\\"Reader\\\","        \
	"\\\"output\\\":{\\\"data\\\":[\\\"d\\\"]}},\\\"t\\\":{\\\"module\\\":" \
	"\\\"DataTransform\\\",\\\"input\\\":{\\\"data\\\":{\\\"data\\\":"      \
	"[\\\"r.d\\\"]}},\\\"output\\\":{\\\"data\\\":[\\\"d\\\"],"             \
	"\\\"model\\\":[\\\"m\\\"]}}}}"

static void
an_inference_dsl_comes_as_data_or_as_a_file(void **state)
{
	static const char *const lists[] = { "\"[t]\"", "[\"t\"]",
		"\"t,\\n\"" };
	static const char *const wrong[] = {
		"{\"train_dsl\":\"{\",\"cpn_str\":\"t\",\"version\":\"2\"}",
		"{\"cpn_str\":\"t\",\"version\":\"2\"}",
		"{\"train_dsl\":\"" TRAIN_DSL
		"\",\"cpn_str\":\"x\",\"version\":2}",
		"{\"train_dsl\":\"" TRAIN_DSL "\",\"cpn_str\":7,\"version\":2}",
		"{\"train_dsl\":\"" TRAIN_DSL
		"\",\"cpn_str\":\"t\",\"version\":\"1\"}",
	};
	struct answer a;
	char *body;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		body = xasprintf("{\"train_dsl\":\"" TRAIN_DSL
				 "\",\"cpn_str\":%s,\"version\":\"2\"}",
		    lists[i]);
		client("/v1/job/dsl/generate", body, &a);
		assert_int_equal(a.retcode, 0);
		assert_string_equal(json_text(json_get(a.json, "data")),
		    "{\"components\":{\"t\":{\"module\":\"DataTransform\","
		    "\"input\":{\"model\":[\"pipeline.t.m\"]},"
		    "\"output\":{\"data\":[\"d\"]}}}}");
		answer_fini(&a);
		free(body);
	}
	client("/v1/job/dsl/generate",
	    "{\"train_dsl\":\"" TRAIN_DSL
	    "\",\"cpn_str\":\"r,t\",\"filename\":\"predict.json\"}",
	    &a);
	assert_int_equal(a.status, 200);
	assert_non_null(
	    strstr(buf_str(&a.headers), "filename=predict.json\r\n"));
	assert_non_null(json_path_get(a.json, "components", "r"));
	answer_fini(&a);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		client("/v1/job/dsl/generate", wrong[i], &a);
		assert_int_equal(a.status, 210);
		assert_int_equal(a.retcode, 210);
		answer_fini(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_path_answers_200_with_retcode_100),
		cmocka_unit_test(a_get_may_carry_a_body),
		cmocka_unit_test(
		    a_flood_is_told_to_the_last_one_though_no_other_refusal_follows),
		cmocka_unit_test(
		    a_flood_of_strangers_hides_no_refusal_of_a_partner),
		cmocka_unit_test(
		    answers_carry_the_security_headers_and_no_version),
		cmocka_unit_test(users_and_partners_keep_to_their_listeners),
		cmocka_unit_test(strangers_cannot_fill_the_disk_with_uploads),
		cmocka_unit_test(pages_of_other_sites_are_refused_on_loopback),
		cmocka_unit_test(a_signed_request_is_understood),
		cmocka_unit_test(what_is_not_exactly_signed_is_refused),
		cmocka_unit_test(
		    the_same_request_twice_is_refused_and_recorded),
		cmocka_unit_test(a_disabled_partner_is_refused_at_once),
		cmocka_unit_test(two_keys_count_until_one_ends_or_is_revoked),
		cmocka_unit_test(an_upload_becomes_a_job_with_the_exact_file),
		cmocka_unit_test(refused_uploads_leave_no_file_behind),
		cmocka_unit_test(
		    files_of_the_server_are_taken_only_from_their_folder),
		cmocka_unit_test(every_fault_of_a_job_is_told_with_its_place),
		cmocka_unit_test(
		    a_partner_that_refuses_is_not_taken_for_one_that_is_silent),
		cmocka_unit_test(objects_reach_the_mailbox_of_a_running_task),
		cmocka_unit_test(
		    successes_that_go_with_a_command_are_read_whole),
		cmocka_unit_test(
		    what_a_partner_says_of_its_site_is_told_with_its_name),
		cmocka_unit_test(objects_that_may_not_come_are_refused),
		cmocka_unit_test(
		    who_is_no_member_does_not_learn_which_tasks_there_are),
		cmocka_unit_test(
		    malformed_requests_get_answers_and_cost_no_worker),
		cmocka_unit_test(
		    partners_are_answered_while_every_worker_of_users_is_busy),
		cmocka_unit_test(workers_stay_small),
		cmocka_unit_test(a_large_request_leaves_no_large_worker),
		cmocka_unit_test(no_data_says_whose_data_would_be_here),
		cmocka_unit_test(tables_are_disabled_and_enabled_by_name),
		cmocka_unit_test(
		    a_name_of_another_type_does_not_pass_for_an_absent_one),
		cmocka_unit_test(
		    meta_of_a_table_has_its_types_before_it_is_bound),
		cmocka_unit_test(a_member_has_its_own_configuration),
		cmocka_unit_test(a_filter_that_nothing_meets_is_not_none),
		cmocka_unit_test(what_this_site_cannot_do_is_said),
		cmocka_unit_test(an_inference_dsl_comes_as_data_or_as_a_file),
		cmocka_unit_test(a_worker_that_is_killed_is_replaced_at_once),
		cmocka_unit_test(
		    a_reload_replaces_workers_without_losing_a_request),
		cmocka_unit_test(
		    signals_during_an_upgrade_wait_for_the_new_program),
		/* The last, for the partner is none after it. */
		cmocka_unit_test(
		    a_revoked_certificate_is_refused_on_a_connection_that_is_kept),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
