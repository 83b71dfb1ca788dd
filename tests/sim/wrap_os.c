/*
 * The system's calls: time, randomness, names, processes, descriptors, logs.
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "fcgi-app/request.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "supervisor/joblog.h"
#include "supervisor/processes.h"
#include "tests/sim/world.h"
#include "tests/sim/wrap.h"

/* The monotonic clock begins somewhere else than the epoch. */
#define MONO_OFFSET (INT64_C(1700000000) * SECOND)
#define FAR (INT64_C(1000) * 3600 * SECOND)

int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);
void __wrap_db_clock_follow(struct db *);
int __wrap_nanosleep(const struct timespec *, struct timespec *);
int __real_nanosleep(const struct timespec *, struct timespec *);
ssize_t __wrap_getrandom(void *, size_t, unsigned);
int __wrap_gethostname(char *, size_t);
int __wrap_epoll_wait(int, struct epoll_event *, int, int);
int __real_epoll_wait(int, struct epoll_event *, int, int);
int __wrap_posix_spawn(pid_t *, const char *,
    const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
    char *const[], char *const[]);
int __wrap_loop_child(struct loop *, pid_t, loop_child_fn *, void *);
int __wrap_loop_process(struct loop *, pid_t, loop_child_fn *, void *);
int __wrap_processes_list(const char *, const char *, struct processes **);
int __wrap_kill(pid_t, int);
int __real_kill(pid_t, int);
int __wrap_fd_dgram_send(const char *, const void *, size_t);
int __real_fd_dgram_send(const char *, const void *, size_t);
int __wrap_partner_post(struct http_client *, const char *, const char *,
    const char *, const char *, int64_t, partner_done_fn *, void *,
    struct http_call **);
int __wrap_auth_listener(struct request *);
int __real_auth_listener(struct request *);
int __wrap_auth_caller(struct request *);
int __real_auth_caller(struct request *);
void __wrap_log_write(enum log_level, const char *, ...)
    __attribute__((format(printf, 2, 3)));
void __wrap_log_error_record(const char *, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_joblog_info(const struct site_conf *, const char *, const char *,
    ...) __attribute__((format(printf, 3, 4)));
void __wrap_joblog_error(const struct site_conf *, const char *, const char *,
    ...) __attribute__((format(printf, 3, 4)));
void __wrap_joblog_audit(const struct site_conf *, const char *, const char *,
    ...) __attribute__((format(printf, 3, 4)));
void __wrap_joblog_member_error(const struct site_conf *, const char *,
    const char *, const char *, const char *, ...)
    __attribute__((format(printf, 5, 6)));

/* --- time and chance ------------------------------------------------------------ */

int64_t
wrap_real_s(void)
{
	struct timespec ts;

	if (__real_clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		abort();
	return ts.tv_sec;
}

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t t = sim_now();

	if (id == CLOCK_MONOTONIC)
		t -= MONO_OFFSET;
	else if (self != NULL)
		t += self->site->skew_us;
	ts->tv_sec = (time_t)(t / SECOND);
	ts->tv_nsec = (long)(t % SECOND) * 1000;
	return 0;
}

/* A process keeps one anchor, and all sites are one; their clocks agree with
 * their databases' anyway. */
void
__wrap_db_clock_follow(struct db *db)
{
	(void)db;
}

int
__wrap_nanosleep(const struct timespec *ts, struct timespec *left)
{
	if (self == NULL) /* the test's own waiting for its server */
		return __real_nanosleep(ts, left);
	if (!self->dead)
		routine_sleep(sim_now() + (int64_t)ts->tv_sec * SECOND +
				  ts->tv_nsec / 1000,
		    false);
	return 0;
}

ssize_t
__wrap_getrandom(void *data, size_t len, unsigned flags)
{
	unsigned char *p = data;

	(void)flags;
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)sim_random();
	return (ssize_t)len;
}

static const char *
sodium_name(void)
{
	return "simulation";
}

static uint32_t
sodium_word(void)
{
	return (uint32_t)sim_random();
}

static void
sodium_bytes(void *const data, const size_t len)
{
	(void)__wrap_getrandom(data, len, 0);
}

static struct randombytes_implementation sodium_chance = {
	.implementation_name = sodium_name,
	.random = sodium_word,
	.buf = sodium_bytes,
};

void
wrap_chance(void)
{
	if (randombytes_set_implementation(&sodium_chance) != 0 ||
	    sodium_init() < 0)
		abort();
}

int
__wrap_gethostname(char *name, size_t len)
{
	(void)snprintf(name, len, "%s",
	    self != NULL && self->instance != NULL ? self->instance->host->name
						   : "driver");
	return 0;
}

/* --- the loop's waiting ------------------------------------------------------------ */

static bool
read_letters(struct instance *in)
{
	struct letter *l;
	bool any = false;

	while (!self->dead && (l = in->inbox) != NULL) {
		if ((in->inbox = l->next) == NULL)
			in->inbox_end = &in->inbox;
		l->deliver(l->ctx);
		free(l);
		any = true;
	}
	return any;
}

int
__wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	struct instance *in = self == NULL ? NULL : self->instance;
	int n;

	if (in == NULL)
		return __real_epoll_wait(fd, events, max, timeout_ms);
	if (self->dead || in->wants_stop) {
		loop_stop(in->loop);
		return 0;
	}
	if (!in->is_up)
		proc_check_adoption();
	in->is_up = true;
	if (read_letters(in))
		return 0;
	n = __real_epoll_wait(fd, events, max, 0);
	if (n != 0 || timeout_ms == 0)
		return n;
	routine_sleep(
	    sim_now() + (timeout_ms < 0 ? FAR : timeout_ms * MS), true);
	return 0;
}

/* --- processes -------------------------------------------------------------------- */

int
__wrap_posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *files, const posix_spawnattr_t *attr,
    char *const argv[], char *const env[])
{
	(void)path, (void)files, (void)attr, (void)env;
	if (!point_pass("before", "start of a shepherd", 0))
		return EIO;
	return proc_spawn(argv[4], pid);
}

static int
watch(pid_t pid, bool is_child, loop_child_fn *fn, void *ctx)
{
	return proc_watch(pid, is_child, fn, ctx) == 0
		   ? 0
		   : err_set(ERR_NOT_FOUND, "no process %d", (int)pid);
}

int
__wrap_loop_child(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx)
{
	(void)l;
	return watch(pid, true, fn, ctx);
}

int
__wrap_loop_process(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx)
{
	(void)l;
	return watch(pid, false, fn, ctx);
}

static void
add_process(void *ctx, pid_t pid, const char *attempt)
{
	struct processes *ps = ctx;
	struct process *p;

	ps->items = xrealloc(ps->items, (ps->n + 1) * sizeof(*ps->items));
	p = &ps->items[ps->n++];
	*p = (struct process){ .pid = pid };
	(void)snprintf(p->attempt_id, sizeof(p->attempt_id), "%s", attempt);
}

int
__wrap_processes_list(
    const char *program, const char *config, struct processes **out)
{
	(void)program, (void)config;
	*out = xcalloc(1, sizeof(**out));
	if (!self->dead)
		proc_each(add_process, *out);
	return 0;
}

int
__wrap_kill(pid_t pid, int signo)
{
	if (self == NULL) /* the test's server */
		return __real_kill(pid, signo);
	return self->dead ? 0 : proc_kill(pid);
}

/* --- messages ------------------------------------------------------------------------ */

int
__wrap_fd_dgram_send(const char *path, const void *data, size_t len)
{
	if (self == NULL || self->dead)
		return 0;
	if (world_is_rough() && sim_chance(world.faults.poke_lost))
		return 0;
	if (strstr(path, "/" SITE_SUPERVISOR_SOCKET) == NULL) {
		proc_poke(path);
		return 0;
	}
	if (__real_fd_dgram_send(path, data, len) == 0)
		host_poke(path);
	return 0;
}

int
__wrap_partner_post(struct http_client *cl, const char *url, const char *party,
    const char *path, const char *body, int64_t timeout_ms,
    partner_done_fn *done, void *ctx, struct http_call **out)
{
	(void)cl, (void)url;
	if (out != NULL)
		*out = NULL;
	if (!point_pass("before", path, point_of_path(path)))
		return err_set(ERR_NET, "dead");
	return net_post(
	    self->instance, party, path, body, timeout_ms, done, ctx);
}

/* Signatures are not what is tried here: the caller is who it says. */
int
__wrap_auth_listener(struct request *req)
{
	return request_env(req, "SIM_PARTY") != NULL
		   ? 0
		   : __real_auth_listener(req);
}

int
__wrap_auth_caller(struct request *req)
{
	const char *party = request_env(req, "SIM_PARTY");

	if (party == NULL)
		return __real_auth_caller(req);
	req->caller.party = req->caller.name = party;
	return 0;
}

/* --- logs ---------------------------------------------------------------------------- */

static void
log_v(const char *kind, const char *fmt, va_list ap)
{
	char *text;

	if (!world.keep_trace)
		return;
	text = xvasprintf(fmt, ap);
	trace("%s%s", kind, text);
	free(text);
}

#define LOG_AS(kind, fmt)                                                      \
	do {                                                                   \
		va_list ap;                                                    \
		va_start(ap, fmt);                                             \
		log_v((kind), (fmt), ap);                                      \
		va_end(ap);                                                    \
	} while (0)

void
__wrap_log_write(enum log_level level, const char *fmt, ...)
{
	if (level >= LOG_INFO_)
		LOG_AS("log ", fmt);
}

void
__wrap_log_error_record(const char *fmt, ...)
{
	LOG_AS("error ", fmt);
	if (world.keep_trace)
		trace("      %s (%s)", err_text(), err_where());
}

void
__wrap_joblog_info(
    const struct site_conf *c, const char *job_id, const char *fmt, ...)
{
	(void)c, (void)job_id;
	LOG_AS("job ", fmt);
}

void
__wrap_joblog_error(
    const struct site_conf *c, const char *job_id, const char *fmt, ...)
{
	(void)c, (void)job_id;
	LOG_AS("job! ", fmt);
}

void
__wrap_joblog_audit(
    const struct site_conf *c, const char *job_id, const char *fmt, ...)
{
	(void)c, (void)job_id;
	LOG_AS("audit ", fmt);
}

void
__wrap_joblog_member_error(const struct site_conf *c, const char *job_id,
    const char *role, const char *party, const char *fmt, ...)
{
	(void)c, (void)job_id, (void)role, (void)party;
	LOG_AS("member! ", fmt);
}
