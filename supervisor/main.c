/*
 * sluice-supervisor: schedules the jobs this site initiated, launches the
 * tasks it takes part in, tells their initiators how they end.
 */
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/db/db_recover.h"
#include "lib/db/migrate.h"
#include "lib/http/client.h"
#include "lib/sign/keys.h"
#include "lib/sign/vault.h"
#include "supervisor/beat.h"
#include "supervisor/detectors.h"
#include "supervisor/nursery.h"
#include "supervisor/peers.h"
#include "supervisor/supervisor.h"

#define CLOCK_MS 11000 /* see db_clock_follow() */

/* Everything this program makes, in the order in which it is made. */
struct program {
	struct site_conf *conf;
	struct peer_lock lock;
	struct keys *keys;
	struct loop_timer *clock;
	struct supervisor super;
};

struct options {
	const char *config;
	const char *name; /* "": the first supervisor of its home */
	bool foreground;  /* log to standard error */
	bool help;
};

static int
usage(FILE *to)
{
	(void)fprintf(to,
	    "usage: sluice-supervisor --config FILE [--name NAME] "
	    "[--foreground]\n"
	    "  --name NAME   a further supervisor of the same site; each has "
	    "a name of its\n"
	    "                own, up to %d small letters and digits\n"
	    "  --foreground  log to standard error, not to logs/\n",
	    SUPERVISOR_NAME_MAX);
	return to == stdout ? 0 : 2;
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:n:f", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			if (!peers_is_name(optarg))
				return -1;
			o->name = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'h':
			o->help = true;
			return -1;
		default:
			return -1;
		}
	return o->config != NULL && optind == argc ? 0 : -1;
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

/* Whoever has mended something need not wait for a detector's period. */
static void
on_look(void *ctx, int signo)
{
	struct program *p = ctx;

	(void)signo;
	log_info("all detectors look now");
	(void)detectors_run_all(&p->super);
	beat_now(p->super.beat);
}

/* What partners and people read is the database's time. */
static void
on_clock(void *ctx)
{
	struct program *p = ctx;

	db_clock_follow(p->super.db);
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
	if (r == 0)
		r = loop_signal(l, SIGUSR2, on_look, p);
	return r;
}

/* --- start and end ------------------------------------------------------ */

static int
open_site(struct program *p, const struct options *o)
{
	enum log_level level = LOG_INFO_;
	char *path;
	int r;

	p->super.name = o->name;
	if ((r = site_conf_load(o->config, &p->conf)) != 0)
		return r;
	site_conf_act_as(p->conf, SITE_SUPERVISOR);
	if ((r = log_level_parse(p->conf->log_level, &level)) != 0)
		return r;
	log_init("supervisor", level);
	if (!o->foreground) {
		path = peers_path(p->conf, SITE_LOGS, o->name, "log");
		r = log_to_file(path);
		free(path);
		if (r != 0)
			return r;
	}
	if ((r = site_shared_check(p->conf)) != 0 ||
	    (r = peers_lock(p->conf, o->name, &p->lock)) != 0)
		return r;
	p->super.conf = p->super.own_conf = p->conf;
	if ((r = db_open(p->conf, &p->super.db)) != 0 ||
	    (r = db_schema_check(p->super.db)) != 0)
		return r;
	db_clock_follow(p->super.db);
	return 0;
}

static int
open_outside(struct program *p)
{
	char *path = site_path(p->conf, "%s/sign.key", SITE_KEYS);
	int r;

	/* Sites made before there was a vault get theirs now. */
	if ((r = keys_load(path, &p->keys)) == 0 &&
	    (r = vault_make(p->conf->home)) == 0)
		r = http_client_new_site(
		    p->super.loop, p->conf, p->keys, &p->super.http);
	p->super.keys = p->keys;
	if (r == 0)
		p->super.nursery = nursery_new(p->super.loop, p->conf);
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
	nursery_free(s->nursery);
	loop_timer_free(p->clock);
	loop_free(s->loop);
	keys_free(p->keys);
	db_close(s->db);
	peers_unlock(&p->lock);
	site_conf_free(p->conf);
}

int
main(int argc, char **argv)
{
	struct options o = { .name = "" };
	struct program p = { .lock = PEER_LOCK_INIT };
	int r;

	proc_no_core();
	log_init("supervisor", LOG_INFO_);
	if (parse_options(argc, argv, &o) != 0)
		return usage(o.help ? stdout : stderr);
	if (sodium_init() < 0) {
		(void)fprintf(stderr, "sluice-supervisor: no randomness\n");
		return 1;
	}
	if ((r = open_site(&p, &o)) == 0 &&
	    (r = loop_new(&p.super.loop)) == 0 &&
	    (r = watch_signals(&p)) == 0 && (r = open_outside(&p)) == 0 &&
	    (r = supervisor_start(&p.super)) == 0) {
		p.clock = loop_timer_new(p.super.loop, on_clock, &p);
		loop_timer_set(p.clock, CLOCK_MS, CLOCK_MS);
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
