/*
 * sluice-supervisor: schedules the jobs this site initiated, launches the
 * tasks it takes part in, tells their initiators how they end.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/migrate.h"
#include "lib/http/client.h"
#include "lib/sign/keys.h"
#include "supervisor/changes.h"
#include "supervisor/detectors.h"
#include "supervisor/launch.h"
#include "supervisor/partners.h"
#include "supervisor/queue.h"
#include "supervisor/report.h"
#include "supervisor/resources.h"
#include "supervisor/scheduler.h"
#include "supervisor/supervisor.h"
#include "supervisor/wake.h"

#define PID_FILE	SITE_RUN "/supervisor.pid"
#define LOG_FILE	SITE_LOGS "/supervisor.log"

/* Everything this program makes, in the order in which it is made. */
struct program {
	struct site_conf	*conf;
	char			*pid_path;
	int			 pid_fd;
	struct keys		*keys;
	struct http_client	*http;
	struct detectors	*detectors;
	struct wake		*wake;
	struct loop_timer	*poll;
	struct supervisor	 super;
};

struct options {
	const char	*config;
	bool		 foreground;	/* log to standard error */
};

static int
usage(void)
{
	(void)fprintf(stderr,
	    "usage: sluice-supervisor --config FILE [--foreground]\n"
	    "  --foreground  log to standard error, not to " LOG_FILE "\n");
	return 2;
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option	longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int				c;

	while ((c = getopt_long(argc, argv, "c:f", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		default:
			return -1;
		}
	return o->config != NULL && optind == argc ? 0 : -1;
}

/* --- one supervisor of a home at a time ----------------------------------- */

/*
 * The lock on the pid file says that a supervisor runs; it goes with the
 * process, however that ends.
 */
static int
lock_pid_file(struct program *p)
{
	struct stat	 ours, there;
	char		*text;
	int		 r;

	p->pid_path = site_path(p->conf, "%s", PID_FILE);
	p->pid_fd = open(p->pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (p->pid_fd < 0)
		return err_set_errno(ERR_IO, "open %s", p->pid_path);
	/* A predecessor may have removed the file since we opened it. */
	if (flock(p->pid_fd, LOCK_EX | LOCK_NB) != 0 ||
	    fstat(p->pid_fd, &ours) != 0 || stat(p->pid_path, &there) != 0 ||
	    ours.st_ino != there.st_ino)
		return err_set(ERR_EXISTS, "%s is locked: a supervisor of this "
		    "site runs already", p->pid_path);
	text = xasprintf("%d\n", (int)getpid());
	if (ftruncate(p->pid_fd, 0) != 0)
		r = err_set_errno(ERR_IO, "write %s", p->pid_path);
	else
		r = fd_write_all(p->pid_fd, text, strlen(text));
	free(text);
	return r;
}

/* "host:home:process", the first two parts short but telling. */
static void
name_instance(struct supervisor *s)
{
	unsigned char	hash[16];
	char		home[9], self[ID_RANDOM_SIZE];
	int		n;

	if (gethostname(s->host, sizeof(s->host) - 1) != 0)
		(void)snprintf(s->host, sizeof(s->host), "localhost");
	(void)crypto_generichash(hash, sizeof(hash),
	    (const unsigned char *)s->conf->home, strlen(s->conf->home),
	    NULL, 0);
	for (int i = 0; i < 4; i++)
		(void)snprintf(home + 2 * i, 3, "%02x", hash[i]);
	id_random(self);
	n = snprintf(s->instance, sizeof(s->instance), "%.40s:%s:", s->host,
	    home);
	s->instance_prefix = (size_t)n;
	(void)snprintf(s->instance + n, sizeof(s->instance) - (size_t)n,
	    "%.8s", self);
}

/* --- events ------------------------------------------------------------------ */

static void
on_wake(void *ctx, const char *job_id)
{
	supervisor_changed(ctx, job_id);
}

/* The net below lost datagrams: look without being told. */
static void
on_poll(void *ctx)
{
	supervisor_changed(ctx, "");
}

static void
on_stop(void *ctx, int signo)
{
	struct program	*p = ctx;

	log_info("signal %d: stopping; shepherds go on", signo);
	loop_stop(p->super.loop);
}

static void
on_hangup(void *ctx, int signo)
{
	(void)ctx;
	(void)signo;
	log_reopen();
	log_info("log file reopened");
}

static int
watch_signals(struct program *p)
{
	struct loop	*l = p->super.loop;
	int		 r;

	/* A partner that closes its connection is no reason to die. */
	(void)signal(SIGPIPE, SIG_IGN);
	if ((r = loop_signal(l, SIGTERM, on_stop, p)) == 0 &&
	    (r = loop_signal(l, SIGINT, on_stop, p)) == 0)
		r = loop_signal(l, SIGHUP, on_hangup, p);
	return r;
}

/* --- start and end -------------------------------------------------------------- */

static int
open_site(struct program *p, const struct options *o)
{
	enum log_level	 level = LOG_INFO_;
	char		*path;
	int		 r;

	if ((r = site_conf_load(o->config, &p->conf)) != 0)
		return r;
	if ((r = log_level_parse(p->conf->log_level, &level)) != 0)
		return r;
	log_init("supervisor", level);
	if (!o->foreground) {
		path = site_path(p->conf, "%s", LOG_FILE);
		r = log_to_file(path);
		free(path);
		if (r != 0)
			return r;
	}
	if ((r = lock_pid_file(p)) != 0)
		return r;
	p->super.conf = p->conf;
	name_instance(&p->super);
	if ((r = db_open(p->conf, &p->super.db)) != 0 ||
	    (r = db_schema_check(p->super.db)) != 0)
		return r;
	path = xasprintf("supervisor %s", p->super.host);
	db_set_actor(p->super.db, path);
	free(path);
	return 0;
}

static int
open_partners(struct program *p)
{
	char	*path = site_path(p->conf, "%s/sign.key", SITE_KEYS);
	int	 r;

	if ((r = keys_load(path, &p->keys)) == 0 &&
	    (r = http_client_new_site(p->super.loop, p->conf, p->keys,
	    &p->http)) == 0)
		p->super.partners = partners_new(&p->super, p->http);
	free(path);
	return r;
}

/* The parts, in the order in which they may need each other. */
static int
start_parts(struct program *p)
{
	struct supervisor	*s = &p->super;
	char			*path;
	int			 r;

	s->queue = queue_new();
	s->changes = changes_new(s);
	s->reporter = reporter_new(s);
	if ((r = resources_register(s)) != 0 ||
	    (r = launcher_new(s, &s->launcher)) != 0 ||
	    (r = scheduler_new(s, &s->scheduler)) != 0)
		return r;
	p->detectors = detectors_new(s);
	path = site_path(p->conf, "%s", SITE_SUPERVISOR_SOCKET);
	r = wake_open(s->loop, path, on_wake, s, &p->wake);
	free(path);
	if (r != 0)
		return r;
	p->poll = loop_timer_new(s->loop, on_poll, s);
	loop_timer_set(p->poll, p->conf->poll_ms, p->conf->poll_ms);
	supervisor_changed(s, "");
	return 0;
}

static void
close_all(struct program *p)
{
	struct supervisor	*s = &p->super;

	wake_close(p->wake);
	loop_timer_free(p->poll);
	detectors_free(p->detectors);
	/* Calls under way end without their callbacks, whose contexts go. */
	http_client_free(p->http);
	scheduler_free(s->scheduler);
	reporter_free(s->reporter);
	changes_free(s->changes);
	partners_free(s->partners);
	loop_free(s->loop);
	launcher_free(s->launcher);
	queue_free(s->queue);
	keys_free(p->keys);
	db_close(s->db);
	if (p->pid_fd >= 0)
		(void)unlink(p->pid_path);
	fd_close(&p->pid_fd);
	free(p->pid_path);
	site_conf_free(p->conf);
}

int
main(int argc, char **argv)
{
	struct options	o = { 0 };
	struct program	p = { .pid_fd = -1 };
	int		r;

	log_init("supervisor", LOG_INFO_);
	if (parse_options(argc, argv, &o) != 0)
		return usage();
	if (sodium_init() < 0) {
		(void)fprintf(stderr, "sluice-supervisor: no randomness\n");
		return 1;
	}
	if ((r = open_site(&p, &o)) == 0 &&
	    (r = loop_new(&p.super.loop)) == 0 &&
	    (r = watch_signals(&p)) == 0 &&
	    (r = open_partners(&p)) == 0 &&
	    (r = start_parts(&p)) == 0) {
		log_info("supervisor %s of party %s runs", p.super.instance,
		    p.conf->party_id);
		r = loop_run(p.super.loop);
	}
	if (r != 0) {
		log_err("supervisor ends");
		if (!o.foreground)
			(void)fprintf(stderr, "sluice-supervisor: %s\n",
			    err_text());
	}
	close_all(&p);
	return r == 0 ? 0 : 1;
}
