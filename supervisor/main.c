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
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/db/migrate.h"
#include "lib/http/client.h"
#include "lib/sign/keys.h"
#include "lib/sign/vault.h"
#include "supervisor/supervisor.h"

#define PID_FILE SITE_RUN "/supervisor.pid"
#define LOG_FILE SITE_LOGS "/supervisor.log"

/* Everything this program makes, in the order in which it is made. */
struct program {
	struct site_conf *conf;
	char *pid_path;
	int pid_fd;
	struct keys *keys;
	struct supervisor super;
};

struct options {
	const char *config;
	bool foreground; /* log to standard error */
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
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

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
	struct stat ours, there;
	char *text;
	int r;

	p->pid_path = site_path(p->conf, "%s", PID_FILE);
	p->pid_fd = open(p->pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (p->pid_fd < 0)
		return err_set_errno(ERR_IO, "open %s", p->pid_path);
	/* A predecessor may have removed the file since we opened it. */
	if (flock(p->pid_fd, LOCK_EX | LOCK_NB) != 0 ||
	    fstat(p->pid_fd, &ours) != 0 || stat(p->pid_path, &there) != 0 ||
	    ours.st_ino != there.st_ino)
		return err_set(ERR_EXISTS,
		    "%s is locked: a supervisor of this "
		    "site runs already",
		    p->pid_path);
	text = xasprintf("%d\n", (int)getpid());
	if (ftruncate(p->pid_fd, 0) != 0)
		r = err_set_errno(ERR_IO, "write %s", p->pid_path);
	else
		r = fd_write_all(p->pid_fd, text, strlen(text));
	free(text);
	return r;
}

/* --- events ------------------------------------------------------------- */

static void
on_stop(void *ctx, int signo)
{
	struct program *p = ctx;

	log_info("signal %d: stopping; shepherds go on", signo);
	loop_stop(p->super.loop);
}

static void
on_hangup(void *ctx, int signo)
{
	struct program *p = ctx;

	(void)signo;
	log_reopen();
	log_info("log file reopened");
	supervisor_reload(&p->super);
}

static int
watch_signals(struct program *p)
{
	struct loop *l = p->super.loop;
	int r;

	/* A partner that closes its connection is no reason to die. */
	(void)signal(SIGPIPE, SIG_IGN);
	if ((r = loop_signal(l, SIGTERM, on_stop, p)) == 0 &&
	    (r = loop_signal(l, SIGINT, on_stop, p)) == 0)
		r = loop_signal(l, SIGHUP, on_hangup, p);
	return r;
}

/* --- start and end ------------------------------------------------------ */

static int
open_site(struct program *p, const struct options *o)
{
	enum log_level level = LOG_INFO_;
	char *path;
	int r;

	if ((r = site_conf_load(o->config, &p->conf)) != 0)
		return r;
	site_conf_act_as(p->conf, SITE_SUPERVISOR);
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
	p->super.conf = p->super.own_conf = p->conf;
	if ((r = db_open(p->conf, &p->super.db)) != 0 ||
	    (r = db_schema_check(p->super.db)) != 0)
		return r;
	return 0;
}

static int
open_partners(struct program *p)
{
	char *path = site_path(p->conf, "%s/sign.key", SITE_KEYS);
	int r;

	/* Sites made before there was a vault get theirs now. */
	if ((r = keys_load(path, &p->keys)) == 0 &&
	    (r = vault_make(p->conf->home)) == 0)
		r = http_client_new_site(
		    p->super.loop, p->conf, p->keys, &p->super.http);
	p->super.keys = p->keys;
	free(path);
	return r;
}

static void
close_all(struct program *p)
{
	struct supervisor *s = &p->super;

	/* Calls under way end without their callbacks, whose contexts go. */
	http_client_free(s->http);
	supervisor_stop(s);
	loop_free(s->loop);
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
	struct options o = { 0 };
	struct program p = { .pid_fd = -1 };
	int r;

	proc_no_core();
	log_init("supervisor", LOG_INFO_);
	if (parse_options(argc, argv, &o) != 0)
		return usage();
	if (sodium_init() < 0) {
		(void)fprintf(stderr, "sluice-supervisor: no randomness\n");
		return 1;
	}
	if ((r = open_site(&p, &o)) == 0 &&
	    (r = loop_new(&p.super.loop)) == 0 &&
	    (r = watch_signals(&p)) == 0 && (r = open_partners(&p)) == 0 &&
	    (r = supervisor_start(&p.super)) == 0) {
		log_info("supervisor %s of party %s runs", p.super.instance,
		    p.conf->party_id);
		r = loop_run(p.super.loop);
	}
	if (r != 0) {
		log_err("supervisor ends");
		if (!o.foreground)
			(void)fprintf(
			    stderr, "sluice-supervisor: %s\n", err_text());
	}
	close_all(&p);
	return r == 0 ? 0 : 1;
}
