/*
 * The life of a worker.  Called by prefork.c in the child.
 */
#include "fcgi-app/worker.h"

#include <errno.h>
#include <fcgiapp.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/probe.h"
#include "fcgi-app/dispatch.h"
#include "fcgi-app/partners.h"
#include "fcgi-app/patience.h"
#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "fcgi-app/text_cache.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/hook/hook.h"
#include "lib/provider/measure.h"
#include "lib/sign/client_vault.h"

#define KEPT_BYTES ((size_t)4 << 20) /* free memory kept for the next one */

static volatile sig_atomic_t ending;

static void
on_term(int signo)
{
	(void)signo;
	ending = 1;
}

static int
source_read(void *ctx, char *data, int size)
{
	FCGX_Request *fr = ctx;
	int n = FCGX_GetStr(data, size, fr->in);

	if (n < size && patience_over())
		return REQUEST_LATE;
	return n == 0 && FCGX_GetError(fr->in) != 0 ? -1 : n;
}

static void
source_patience(void *ctx, int64_t ms)
{
	FCGX_Request *fr = ctx;

	patience_set(fr->ipcFd, ms);
}

static int
sink_write(void *ctx, const void *data, size_t len)
{
	FCGX_Request *fr = ctx;
	const char *s = data;
	int n;

	while (len > 0) {
		n = len > 1 << 20 ? 1 << 20 : (int)len;
		if (FCGX_PutStr(s, n, fr->out) != n)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The front end closes our connection when its client has left. */
static bool
sink_gone(void *ctx)
{
	const FCGX_Request *fr = ctx;
	struct pollfd p = { .fd = fr->ipcFd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 &&
	       (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/*
 * Many small objects of one request leave the heap large and empty, and the
 * allocator returns only what lies at its end.
 */
static void
give_memory_back(void)
{
	if (mallinfo2().fordblks > KEPT_BYTES)
		(void)malloc_trim(0);
}

static void
serve(struct app *app, FCGX_Request *fr)
{
	struct request_source source = {
		.envp = fr->envp,
		.read = source_read,
		.ctx = fr,
		.patience = source_patience,
	};
	struct reply_sink sink = {
		.write = sink_write,
		.gone = sink_gone,
		.ctx = fr,
	};

	dispatch(app, &source, &sink);
	give_memory_back();
	FCGX_Finish_r(fr);
}

/*
 * Wait for a connection, so long; 1: there may be one.  Only one of the
 * waiting workers is woken for each (EPOLLEXCLUSIVE), and SIGTERM gets in
 * nowhere but here, so that no request is cut short and no signal is missed.
 */
static int
wait_connection(int ep, int ms, const sigset_t *unblocked)
{
	struct epoll_event ev;
	int n;

	n = epoll_pwait(ep, &ev, 1, ms, unblocked);
	if (n < 0 && errno != EINTR)
		return err_set_errno(ERR_INTERNAL, "epoll_pwait");
	return n > 0 ? 1 : 0;
}

static int
accept_loop(struct app *app, int socket, const sigset_t *unblocked)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	FCGX_Request fr;
	int ep, r = 0;

	if ((ep = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, socket, &ev) != 0) {
		r = err_set_errno(ERR_INTERNAL, "epoll");
		goto out;
	}
	if (FCGX_Init() != 0 ||
	    FCGX_InitRequest(&fr, socket, FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
		r = err_set(ERR_INTERNAL, "FastCGI library");
		goto out;
	}
	while (!ending) {
		if ((r = wait_connection(
			 ep, auth_tell_untold(app->db, false), unblocked)) < 0)
			break;
		/* Another worker may have been faster: that is no error. */
		if (r > 0 && !ending && FCGX_Accept_r(&fr) == 0)
			serve(app, &fr);
		r = 0;
	}
	(void)auth_tell_untold(app->db, true);
	FCGX_Free(&fr, 1);
out:
	fd_close(&ep);
	return r;
}

static int
app_open(const struct worker *w, struct app *app)
{
	const struct site_conf *conf = w->conf;
	int r;

	memset(app, 0, sizeof(*app));
	app->conf = conf;
	app->downloads = w->downloads;
	app->logins = w->logins;
	app->hook_turns = w->hook_turns;
	app->errands = w->errands;
	app->failures = w->failures;
	app->tally = w->tally;
	app->partners = partners_new();
	app->texts = text_cache_new(TEXT_CACHE_BYTES);
	if ((r = providers_load(conf->providers_dir, &app->providers)) != 0)
		return err_wrap("providers");
	if ((r = hooks_new(conf, w->hook_gate, &app->hooks)) != 0)
		return r;
	providers_measure(app->providers);
	/* Whether the database is there or not, clients get an answer. */
	app->db = db_new(conf, w->db_gate);
	return 0;
}

static void
app_close(struct app *app)
{
	db_close(app->db);
	probe_free(app->probe);
	hooks_free(app->hooks);
	providers_free(app->providers);
	partners_free(app->partners);
	text_cache_free(app->texts);
	client_vault_free(app->vault);
}

int
worker_run(const struct worker *w, const sigset_t *unblocked)
{
	struct sigaction sa = { .sa_handler = on_term };
	struct app app;
	sigset_t waiting = *unblocked;
	int r;

	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGTERM, &sa, NULL);
	/* The terminal's ^C and a reload are the parent's business. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	sigdelset(&waiting, SIGTERM);

	if ((r = app_open(w, &app)) == 0)
		r = accept_loop(&app, w->socket, &waiting);
	if (r != 0)
		log_err("worker");
	app_close(&app);
	return r == 0 ? 0 : 1;
}
