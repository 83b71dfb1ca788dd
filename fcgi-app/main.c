/*
 * sluice-fcgi: the program behind nginx.  Reads the configuration, checks
 * that the database has the schema it was built for, opens the sockets, and
 * keeps workers running: one half of them for users, one for partners, so
 * that neither waits for the other.
 *
 *	sluice-fcgi --config FILE [--log FILE] [--check]
 *	sluice-fcgi --routes
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fcgi-app/prefork.h"
#include "fcgi-app/route.h"
#include "fcgi-app/tally.h"
#include "fcgi-app/throttle.h"
#include "fcgi-app/turns.h"
#include "fcgi-app/upgrade.h"
#include "fcgi-app/worker.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/db/db_gate.h"
#include "lib/db/migrate.h"
#include "lib/hook/hook.h"

#define HOOK_WAIT "requests that wait for another service"
#define SITE_FCGI_PID SITE_RUN "/fcgi-app.pid"
#define ENDS_S 10   /* one that has nothing left to serve */
#define BACKLOG 512 /* connections of nginx waiting for a worker */

struct program {
	struct site_conf *conf;
	int users;    /* number of workers for users */
	int socket;   /* of users */
	int partners; /* socket of partners */
	int lock;     /* held as long as we live */
	struct turns *downloads;
	struct turns *logins;
	struct turns *user_hooks; /* waiting for services */
	struct turns *partner_hooks;
	struct hook_gate *hook_gate;
	struct turns *errands;
	struct db_gate *db_gate;
	struct throttle *failures;
	struct tally *tally;
};

static int
usage(FILE *to)
{
	(void)fprintf(to,
	    "usage: sluice-fcgi --config FILE [--log FILE] [--check] | "
	    "--routes\n"
	    "  --log FILE  log there, not to logs/\n"
	    "  --check     whether it would start, and no more\n"
	    "  --routes    print the table of all routes\n");
	return to == stdout ? 0 : 2;
}

/* The table, for what is checked against it: one route a line, its method,
 * path, audience and body with tabs between. */
static int
print_routes(void)
{
	size_t i, n;
	const struct route *table = route_table(&n);

	for (i = 0; i < n; i++)
		(void)printf("%s\t%s\t%s\t%s\n", table[i].method,
		    table[i].pattern, route_audience(table[i].audience),
		    route_body(table[i].body));
	return fflush(stdout) == 0 ? 0 : 1;
}

/* One connection, closed again: the workers have their own. */
static int
check_database(const struct site_conf *conf)
{
	struct db *db = NULL;
	int r;

	if ((r = db_open(conf, &db)) == 0)
		r = db_schema_check(db);
	db_close(db);
	return r;
}

static void
wake(int sig)
{
	(void)sig;
}

/* As fcntl(F_SETLKW), for ENDS_S at most. */
static int
wait_for_lock(int fd, struct flock *lock)
{
	const struct sigaction waker = { .sa_handler = wake };
	struct sigaction before;
	int r, e;

	if (sigaction(SIGALRM, &waker, &before) != 0)
		return -1;
	(void)alarm(ENDS_S);
	r = fcntl(fd, F_SETLKW, lock);
	e = errno;
	(void)alarm(0);
	(void)sigaction(SIGALRM, &before, NULL);
	errno = e;
	return r;
}

static bool
has_pid_file(const struct site_conf *conf)
{
	char *path = site_path(conf, SITE_FCGI_PID);
	bool has = access(path, F_OK) == 0;

	free(path);
	return has;
}

/*
 * One at a time: a lock that ends with this process, and is not its workers',
 * who may finish a request behind a parent that was killed.  A holder without
 * a pid file is about to end.
 */
static int
lock_site(const struct site_conf *conf, int *out)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = site_path(conf, SITE_RUN "/fcgi.lock");
	int r = 0;

	*out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*out < 0)
		r = err_set_errno(ERR_IO, "open %s", path);
	else if (fcntl(*out, F_SETLK, &lock) != 0 &&
		 (has_pid_file(conf) || wait_for_lock(*out, &lock) != 0))
		r = errno == EAGAIN || errno == EACCES || errno == EINTR
			? err_set(ERR_EXISTS,
			      "another sluice-fcgi serves this site (it "
			      "holds %s)",
			      path)
			: err_set_errno(ERR_IO, "lock %s", path);
	free(path);
	return r;
}

/*
 * Bind with the final mode, so that nobody gets in before a chmod.  The
 * library's own FCGX_OpenSocket() ends the program when it fails.
 */
static int
listen_at(const struct sockaddr_un *sa, int *out)
{
	int fd, r = 0;
	mode_t old;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(ERR_IO, "socket");
	/* What one that was killed has left. */
	(void)unlink(sa->sun_path);
	old = umask(0117);
	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		r = err_set_errno(ERR_IO, "socket %s", sa->sun_path);
	(void)umask(old);
	if (r == 0) {
		*out = fd;
		fd = -1;
	}
	fd_close(&fd);
	return r;
}

static int
open_socket(const struct site_conf *conf, const char *name, int *out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char *path = site_path(conf, "%s", name);
	int r;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		r = err_set(ERR_INVALID, "%s is too long for a socket", path);
	} else {
		(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
		r = listen_at(&sa, out);
	}
	free(path);
	return r;
}

static int
write_pid(const struct site_conf *conf)
{
	char *path = site_path(conf, SITE_FCGI_PID);
	char *text = xasprintf("%d\n", (int)getpid());
	int r = fd_replace_file(path, text, strlen(text), 0644);

	free(text);
	free(path);
	return r;
}

static void
remove_file(const struct site_conf *conf, const char *name)
{
	char *path = site_path(conf, "%s", name);

	(void)unlink(path);
	free(path);
}

static int
work(void *ctx, int number, const sigset_t *unblocked)
{
	struct program *p = ctx;
	struct worker w = { .conf = p->conf,
		.downloads = p->downloads,
		.logins = p->logins,
		.hook_gate = p->hook_gate,
		.errands = p->errands,
		.db_gate = p->db_gate,
		.failures = p->failures,
		.tally = p->tally };
	bool for_users = number < p->users;

	w.socket = for_users ? p->socket : p->partners;
	w.hook_turns = for_users ? p->user_hooks : p->partner_hooks;
	/* For top and ps: which of the two is busy. */
	(void)prctl(PR_SET_NAME, for_users ? "fcgi-users" : "fcgi-partners");
	return worker_run(&w, unblocked);
}

/*
 * Of the workers for users one is always left for short requests.  Half of
 * them may wait for other sites: that takes seconds, not minutes.
 */
static int
set_turns(struct program *p)
{
	int r;

	p->users = (int)p->conf->fcgi_workers;
	if ((r = turns_new(p->users > 1 ? p->users - 1 : 1, "downloads",
		 &p->downloads)) != 0)
		return r;
	if ((r = turns_new(p->users > 1 ? p->users - 1 : 1, HOOK_WAIT,
		 &p->user_hooks)) != 0 ||
	    (r = turns_new(p->users > 1 ? p->users - 1 : 1, HOOK_WAIT,
		 &p->partner_hooks)) != 0)
		return r;
	/* Each takes much memory, and a worker for a while. */
	if ((r = turns_new(p->conf->password_checks < p->users
			       ? (int)p->conf->password_checks
			       : p->users,
		 "checks of passwords", &p->logins)) != 0)
		return r;
	return turns_new(p->users > 1 ? p->users / 2 : 1,
	    "requests that wait for other sites", &p->errands);
}

static void
set_log_level(const struct site_conf *conf)
{
	enum log_level level;

	if (log_level_parse(conf->log_level, &level) == 0)
		log_init("fcgi", level);
}

/* Nobody should find that out by chance. */
static void
say_who_is_let_in(const struct site_conf *conf)
{
	if (conf->client_auth_off_on_loopback)
		log_warn("AUTHENTICATION OF USERS IS OFF: whoever reaches %s "
			 "on this machine may do everything "
			 "(client_auth_off_on_loopback = yes in %s)",
		    conf->client_url, conf->path);
	if (conf->hook_client_alone)
		log_warn("KEYS AND SESSIONS OF THIS SITE COUNT FOR NOTHING: "
			 "%s alone says who a user is "
			 "(client_auth_url_decides_alone = yes in %s)",
		    conf->hook_client_url, conf->path);
}

static void
reload(void *ctx)
{
	struct program *p = ctx;
	struct site_conf *fresh;

	log_reopen();
	if (site_conf_load(p->conf->path, &fresh) != 0) {
		log_err("configuration kept as it was");
		return;
	}
	site_conf_act_as(fresh, SITE_FCGI);
	site_conf_free(p->conf);
	p->conf = fresh;
	set_log_level(fresh);
	log_info("configuration read again");
	say_who_is_let_in(fresh);
}

static int
upgrade(void *ctx)
{
	int r = upgrade_check();

	(void)ctx;
	if (r != 0)
		log_err("the program is not replaced");
	else
		log_info("another program takes over");
	return r;
}

static void
become(void *ctx)
{
	struct program *p = ctx;
	const int fds[] = { p->socket, p->partners };

	(void)upgrade_become(fds, 2);
	log_err("the program is not replaced");
}

/* Those that the program before this one listened at, or new ones. */
static int
open_sockets(struct program *p, const char *handed_over)
{
	int fds[2], r;

	if (handed_over == NULL) {
		if ((r = open_socket(p->conf, SITE_FCGI_SOCKET, &p->socket)) !=
		    0)
			return r;
		return open_socket(
		    p->conf, SITE_FCGI_PARTNER_SOCKET, &p->partners);
	}
	if ((r = upgrade_sockets(handed_over, fds, 2)) == 0) {
		p->socket = fds[0];
		p->partners = fds[1];
	}
	return r;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "log", required_argument, NULL, 'l' },
		{ "routes", no_argument, NULL, 'r' },
		{ "check", no_argument, NULL, 'k' },
		{ "sockets", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct program p = { .socket = -1, .partners = -1, .lock = -1 };
	struct prefork prefork = { .work = work,
		.reload = reload,
		.upgrade = upgrade,
		.become = become,
		.ctx = &p };
	const char *config = NULL, *log = NULL, *sockets = NULL;
	bool check = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:l:", options, NULL)) != -1) {
		if (c == 'c')
			config = optarg;
		else if (c == 'l')
			log = optarg;
		else if (c == 'r')
			return print_routes();
		else if (c == 'k')
			check = true;
		else if (c == 's')
			sockets = optarg;
		else
			return usage(c == 'h' ? stdout : stderr);
	}
	if (config == NULL || optind != argc)
		return usage(stderr);
	proc_no_core();
	log_init("fcgi", LOG_INFO_);
	if ((r = site_conf_load(config, &p.conf)) != 0)
		goto out;
	site_conf_act_as(p.conf, SITE_FCGI);
	set_log_level(p.conf);
	if ((log != NULL && (r = log_to_file(log)) != 0) ||
	    (r = site_shared_check(p.conf)) != 0 ||
	    (r = check_database(p.conf)) != 0 || check)
		goto out;
	prefork_hold_signals();
	if ((r = upgrade_note(argv)) != 0 ||
	    (r = lock_site(p.conf, &p.lock)) != 0 ||
	    (r = open_sockets(&p, sockets)) != 0 || (r = set_turns(&p)) != 0 ||
	    (r = throttle_new(&p.failures)) != 0 ||
	    (r = tally_new(&p.tally)) != 0 ||
	    (r = db_gate_new(&p.db_gate)) != 0 ||
	    (r = hook_gate_new(&p.hook_gate)) != 0 ||
	    (r = write_pid(p.conf)) != 0)
		goto out;
	prefork.workers = 2 * p.users;
	say_who_is_let_in(p.conf);
	log_info("%d workers for users, %d for partners of party %s", p.users,
	    p.users, p.conf->party_id);
	r = prefork_run(&prefork);
	remove_file(p.conf, SITE_FCGI_SOCKET);
	remove_file(p.conf, SITE_FCGI_PARTNER_SOCKET);
	remove_file(p.conf, SITE_FCGI_PID);
out:
	if (r != 0)
		log_err("cannot start");
	turns_free(p.downloads);
	turns_free(p.logins);
	turns_free(p.user_hooks);
	turns_free(p.partner_hooks);
	hook_gate_free(p.hook_gate);
	turns_free(p.errands);
	throttle_free(p.failures);
	tally_free(p.tally);
	db_gate_free(p.db_gate);
	fd_close(&p.socket);
	fd_close(&p.partners);
	fd_close(&p.lock);
	site_conf_free(p.conf);
	return r == 0 ? 0 : 1;
}
