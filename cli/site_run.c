/*
 * sluice site start, stop, status: the programs of a site without a service
 * manager (with one, see conf/systemd).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/keeper.h"
#include "cli/output.h"
#include "cli/site_files.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db.h"
#include "lib/db/db_attempt.h"
#include "lib/http/client.h"
#include "lib/http/pins.h"
#include "lib/json/json.h"

/* On a busy machine; one that ends instead is noticed at once. */
#define START_MS 60000
#define STOP_MS 10000
#define HEALTH_MS 5000

/* In the order they are started; stopped the other way round. */
static const struct daemon_def *const daemons[] = {
	&daemon_fcgi,
	&daemon_supervisor,
	&daemon_nginx,
};
#define N_DAEMONS (sizeof(daemons) / sizeof(daemons[0]))

static int
load_site(const struct args *args, struct site_conf **out)
{
	const char *home = args_text(args, "home");
	const char *config = args_text(args, "config");
	char *path;
	int r;

	*out = NULL;
	if ((home == NULL) == (config == NULL))
		return args_wrong(
		    "say which site: --home DIR or --config FILE");
	path = home != NULL ? site_files_conf_path(home) : xstrdup(config);
	r = site_conf_load(path, out);
	free(path);
	return r;
}

/* GET /v1/health through nginx and the program behind it. */
static int
check_health(const struct site_conf *conf, int64_t timeout_ms)
{
	char *cert = site_path(conf, SITE_KEYS "/tls.crt");
	bool plain = conf->client_url[0] != '\0';
	char host[PINS_HOST_SIZE];
	struct http_client_conf hc = { .ca_file = cert, .ca_host = host };
	struct http_client *client = NULL;
	struct http_reply reply = { 0 };
	struct http_request req = {
		.method = "GET",
		.timeout_ms = timeout_ms,
	};
	char *url = xasprintf(
	    "%s/v1/health", plain ? conf->client_url : conf->client_tls_url);
	int r = 0;

	req.url = url;
	pins_host(conf->party_id, host);
	if ((plain || conf->client_tls_url[0] != '\0') &&
	    (r = http_client_new(NULL, &hc, &client)) == 0 &&
	    (r = http_fetch(client, &req, &reply)) == 0 && reply.status != 200)
		r = err_set(ERR_REMOTE, "%s answers with status %d: %s", url,
		    reply.status, buf_str(&reply.body));
	http_reply_fini(&reply);
	http_client_free(client);
	free(cert);
	free(url);
	return r == 0 ? 0 : err_wrap("health");
}

static void
print_status(
    const struct args *args, const struct site_conf *conf, bool healthy)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_object();
	size_t i;
	pid_t pid;

	for (i = 0; i < N_DAEMONS; i++) {
		pid = daemon_pid(daemons[i], conf);
		json_add_int(list, daemons[i]->name, pid);
		if (args_json(args))
			continue;
		if (pid != 0)
			(void)printf("%-12s running, pid %d\n",
			    daemons[i]->name, (int)pid);
		else
			(void)printf("%-12s stopped\n", daemons[i]->name);
	}
	json_add_str(o, "party_id", conf->party_id);
	json_add(o, "pids", list);
	json_add_bool(o, "healthy", healthy);
	if (args_json(args))
		output_json(o);
	else
		(void)printf(
		    "%-12s %s\n", "health", healthy ? "ok" : "not answering");
	json_object_put(o);
}

/* Those that do not run; pids of the others are 0: not our children. */
static int
start_missing(const struct site_conf *conf, pid_t pids[N_DAEMONS])
{
	size_t i;
	int r;

	for (i = 0; i < N_DAEMONS; i++) {
		pids[i] = 0;
		if (daemon_pid(daemons[i], conf) != 0)
			continue;
		if ((r = daemon_stop_orphans(daemons[i], conf, STOP_MS)) != 0 ||
		    (r = daemon_start(daemons[i], conf, &pids[i])) != 0)
			return err_wrap("%s", daemons[i]->name);
	}
	return 0;
}

/* A site that does not come up whole is not left half running. */
static void
undo_start(const pid_t pids[N_DAEMONS])
{
	size_t i;

	for (i = N_DAEMONS; i-- != 0;)
		if (pids[i] != 0)
			(void)daemon_stop(pids[i], STOP_MS);
}

/* Before anything is started or stopped by somebody else. */
static int
stop_keeper(const struct site_conf *conf)
{
	pid_t pid = daemon_pid(&daemon_keeper, conf);

	return pid == 0 ? 0 : daemon_stop(pid, STOP_MS);
}

static int
start_keeper(const struct site_conf *conf)
{
	static const struct daemon_def *const keeper[] = { &daemon_keeper };
	pid_t pid;
	int r;

	if ((r = daemon_start(&daemon_keeper, conf, &pid)) != 0)
		return r;
	return daemon_wait_ready(keeper, &pid, 1, conf, START_MS);
}

static int
run_keep(const struct args *args)
{
	struct site_conf *conf;
	int r;

	if ((r = load_site(args, &conf)) != 0)
		return r;
	r = keeper_run(conf, daemons, N_DAEMONS);
	site_conf_free(conf);
	return r;
}

static int
run_start(const struct args *args)
{
	struct site_conf *conf;
	pid_t pids[N_DAEMONS] = { 0 };
	char *text;
	int r;

	if ((r = load_site(args, &conf)) != 0)
		return r;
	if ((r = site_files_folders(conf->home)) == 0 &&
	    (r = site_files_memory_dir(conf)) == 0 &&
	    (r = stop_keeper(conf)) == 0 &&
	    (r = start_missing(conf, pids)) == 0 &&
	    (r = daemon_wait_ready(daemons, pids, N_DAEMONS, conf, START_MS)) ==
		0)
		r = check_health(conf, START_MS);
	if (r == 0 && !args_flag(args, "unwatched"))
		r = start_keeper(conf);
	if (r != 0) {
		/* Not reachable is a matter of clients; this is a failure. */
		text = xstrdup(err_text());
		undo_start(pids);
		r = err_set(
		    ERR_INTERNAL, "%s; see %s/" SITE_LOGS, text, conf->home);
		free(text);
	} else {
		print_status(args, conf, true);
	}
	site_conf_free(conf);
	return r;
}

/*
 * What is empty is not left behind in memory; site start makes it again.
 * Objects of tasks that go on, or wait, stay.
 */
static void
drop_memory_dir(const struct site_conf *conf)
{
	if (rmdir(conf->mailbox_memory_dir) != 0)
		log_debug(
		    "%s stays: %s", conf->mailbox_memory_dir, strerror(errno));
}

/* Tasks that a stop ends. */
struct ending {
	struct db_attempt *rows;
	size_t n;
};

/* What runs here at this moment; a database that is away knows of none. */
static void
list_tasks(const struct site_conf *conf, struct arena *a, struct ending *out)
{
	char host[SITE_HOST_SIZE];
	struct db *db = NULL;
	size_t i, n = 0;

	site_host(conf, host);
	if (db_open(conf, &db) != 0 ||
	    db_attempt_open_on(db, a, host, &out->rows, &n) != 0) {
		err_clear();
		n = 0;
	}
	db_close(db);
	/* One whose shepherd is gone was not ended by this. */
	for (i = out->n = 0; i < n; i++)
		if (out->rows[i].shepherd_pid == 0 ||
		    daemon_is_shepherd((pid_t)out->rows[i].shepherd_pid, conf))
			out->rows[out->n++] = out->rows[i];
}

/* Each that was ended, before how the programs are. */
static void
print_ended(const struct args *args, const struct ending *e)
{
	const struct db_task_key *k;
	size_t i;

	for (i = 0; i < e->n && !args_json(args); i++) {
		k = &e->rows[i].key;
		output_line("%-12s ended: %s of job %s, %s %s", "task",
		    k->component, k->job_id, k->role, k->party_id);
	}
}

static int
run_stop(const struct args *args)
{
	struct site_conf *conf;
	struct arena *arena;
	struct ending tasks = { NULL, 0 };
	size_t i, shepherds = 0;
	pid_t pid;
	int r, one;

	if ((r = load_site(args, &conf)) != 0)
		return r;
	arena = arena_new();
	if (!args_flag(args, "keep-tasks"))
		list_tasks(conf, arena, &tasks);
	r = stop_keeper(conf);
	for (i = N_DAEMONS; i-- != 0;) {
		if ((pid = daemon_pid(daemons[i], conf)) == 0)
			continue;
		if ((one = daemon_stop(pid, STOP_MS)) != 0)
			r = one;
	}
	if (!args_flag(args, "keep-tasks") &&
	    (one = daemon_stop_shepherds(conf, STOP_MS, &shepherds)) != 0)
		r = one;
	if (r == 0 && !args_flag(args, "keep-tasks"))
		drop_memory_dir(conf);
	if (r == 0) {
		print_ended(args, &tasks);
		print_status(args, conf, false);
	}
	arena_free(arena);
	site_conf_free(conf);
	return r;
}

static int
run_share(const struct args *args)
{
	struct site_conf *conf;
	int r;

	if ((r = load_site(args, &conf)) != 0)
		return r;
	if ((r = site_shared_make(conf)) == 0)
		output_done(
		    args, "the hosts of the site share %s now", conf->shared);
	site_conf_free(conf);
	return r;
}

static int
run_status(const struct args *args)
{
	struct site_conf *conf;
	bool healthy;
	size_t i;
	int r;

	if ((r = load_site(args, &conf)) != 0)
		return r;
	healthy = check_health(conf, HEALTH_MS) == 0;
	print_status(args, conf, healthy);
	r = healthy ? EXIT_OK : EXIT_FAILED;
	for (i = 0; i < N_DAEMONS; i++)
		if (daemon_pid(daemons[i], conf) == 0)
			r = EXIT_FAILED;
	site_conf_free(conf);
	return r;
}

static const struct option_def home_options[] = { OPTIONS_PLACE, OPTION_END };

static const struct option_def start_options[] = {
	OPTIONS_PLACE,
	{ "unwatched", NULL, "leave nobody to start again what ends", false },
	OPTION_END,
};

const struct command command_site_start = {
	"site start",
	"",
	0,
	"Start the site's programs and wait until they "
	"answer; what ends by itself is started again.",
	start_options,
	run_start,
};

const struct command command_site_keep = {
	"site keep",
	"",
	0,
	"Watch the site's programs and start again what ends, "
	"as site start does.",
	home_options,
	run_keep,
};

const struct command command_site_share = {
	"site share",
	"",
	0,
	"Make the folder that the site's hosts share ([site] shared), once.",
	home_options,
	run_share,
};

static const struct option_def stop_options[] = {
	OPTIONS_PLACE,
	{ "keep-tasks", NULL, "let running tasks go on", false },
	OPTION_END,
};

const struct command command_site_stop = {
	"site stop",
	"",
	0,
	"Stop the site's programs and its running tasks, and say which those are.",
	stop_options,
	run_stop,
};

const struct command command_site_status = {
	"site status",
	"",
	0,
	"Tell which programs run and whether they "
	"answer.",
	home_options,
	run_status,
};
