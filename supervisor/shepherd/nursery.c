/*
 * The nursery's side of supervisor/nursery.h.  One thread, no event loop:
 * whatever a forked process finds here must be as in a new process.
 */
#include "supervisor/shepherd/nursery.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/seen.h"
#include "lib/db/db_move.h"
#include "supervisor/nursery.h"
#include "supervisor/shepherd/heap.h"

/* Libraries are exchanged by updates, which nobody tells us of. */
#define MAX_AGE_MS ((int64_t)3600 * 1000)
/* Opening and closing holes writes on pages that shepherds have, too. */
#define TIDY_MS 1000

struct nursery {
	struct ready ready;
	struct seen *seen; /* program and configuration */
	struct pool *pool;
	int64_t born_ms;
	int64_t tidied_ms;
	char *arguments; /* of this process, behind the program's name */
	size_t arguments_len;
	char *config; /* a copy: its argument is written over */
	/* What the C library keeps of the one thread that there is. */
	int *tid;
	void *robust;
	size_t robust_len;
};

/* --- forking -------------------------------------------------------------- */

/*
 * As fork() does it, but as a child of our parent.  fork() has the kernel
 * write the new thread's id to where the library keeps it, and tells it the
 * thread's list of robust locks; so do we.
 */
static int
learn_thread(struct nursery *n)
{
	if (prctl(PR_GET_TID_ADDRESS, &n->tid, 0, 0, 0) != 0 ||
	    syscall(SYS_get_robust_list, 0, &n->robust, &n->robust_len) != 0)
		return err_set_errno(ERR_UNSUPPORTED, "thread's addresses");
	return 0;
}

static pid_t
fork_beside(const struct nursery *n, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID |
			 CLONE_CHILD_CLEARTID,
		.child_tid = (uintptr_t)n->tid,
		.pidfd = (uintptr_t)pidfd,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		(void)syscall(SYS_set_robust_list, n->robust, n->robust_len);
	return pid;
}

/* --- the command line --------------------------------------------------------- */

/*
 * Arguments lie one behind the other.  Ours are as many bytes as those of a
 * shepherd, in another order, so that one fits the place of the other.
 */
static int
find_arguments(struct nursery *n, char **argv)
{
	const char *end;
	int i;

	for (i = 1; argv[i] != NULL; i++)
		if (i > 1 && argv[i] != argv[i - 1] + strlen(argv[i - 1]) + 1)
			return err_set(ERR_UNSUPPORTED, "scattered arguments");
	if (i != NURSERY_ARGC ||
	    strlen(argv[NURSERY_ARGC - 1]) != strlen(NURSERY_PLACE))
		return err_set(ERR_INVALID, "no arguments of a nursery");
	end = argv[i - 1] + strlen(argv[i - 1]) + 1;
	n->arguments = argv[1];
	n->arguments_len = (size_t)(end - argv[1]);
	return 0;
}

/* "--config", file, "--attempt", id; or those of the nursery itself. */
static void
write_arguments(struct nursery *n, const char *const words[4])
{
	char *p = n->arguments;

	for (int i = 0; i < 4; i++)
		p = stpcpy(p, words[i]) + 1;
}

/* Before it is forked, so that it is known from its first instant. */
static void
look_like(struct nursery *n, const char *attempt_id)
{
	const char *const shepherd[] = { "--config", n->config, "--attempt",
		attempt_id };
	const char *const nursery[] = { "--nursery", "--config", n->config,
		NURSERY_PLACE };

	write_arguments(n, attempt_id != NULL ? shepherd : nursery);
}

/* --- requests ------------------------------------------------------------------- */

/* Was our own program exchanged while we were being started? */
static bool
is_own_program(const char *path)
{
	struct stat self, now;

	return stat("/proc/self/exe", &self) == 0 && stat(path, &now) == 0 &&
	       self.st_ino == now.st_ino && self.st_dev == now.st_dev;
}

static bool
is_current(const struct nursery *n)
{
	return seen_is_same(n->seen) && n->ready.providers != NULL &&
	       providers_is_current(n->ready.providers) &&
	       clock_mono_ms() - n->born_ms < MAX_AGE_MS;
}

/* Nothing of the nursery's is open in a new process but what it is lent. */
static void
close_others(const struct loan *l)
{
	unsigned low, high, from = NURSERY_FD;

	if (l->db != NULL) {
		low = (unsigned)db_move_socket(l->db);
		high = (unsigned)l->back;
		if (low > high) {
			low = (unsigned)l->back;
			high = (unsigned)db_move_socket(l->db);
		}
		(void)close_range(from, low - 1, 0);
		if (high > low + 1)
			(void)close_range(low + 1, high - 1, 0);
		from = high + 1;
	}
	(void)close_range(from, ~0U, 0);
}

static void __attribute__((noreturn))
begin(struct nursery *n, const char *attempt_id, nursery_attempt_fn *fn)
{
	int status;

	(void)prctl(PR_SET_NAME, NURSERY_SHEPHERD_NAME);
	close_others(&n->ready.loan);
	(void)setsid();
	status = fn(&n->ready, attempt_id);
	/* Tidying up for a process that ends would copy what it tidies. */
	(void)fflush(NULL);
	_exit(status);
}

static int
reply(int32_t result)
{
	struct nursery_reply r = { .result = result };

	if (send(NURSERY_FD, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r))
		return err_set_errno(ERR_IO, "reply");
	return 0;
}

static int
serve(
    struct nursery *n, const struct nursery_request *q, nursery_attempt_fn *fn)
{
	char attempt_id[ID_RANDOM_SIZE];
	pid_t pid;
	int e, pidfd = -1;

	if (!is_current(n)) {
		(void)reply(NURSERY_STALE);
		return err_set(ERR_CLOSED, "out of date");
	}
	memcpy(attempt_id, q->attempt_id, sizeof(attempt_id) - 1);
	attempt_id[sizeof(attempt_id) - 1] = '\0';
	pool_lend(n->pool, &n->ready.loan);
	look_like(n, attempt_id);
	pid = fork_beside(n, &pidfd);
	e = errno;
	if (pid == 0)
		begin(n, attempt_id, fn);
	pool_lent(n->pool, &n->ready.loan, pid > 0 ? pidfd : -1);
	look_like(n, NULL);
	return reply(pid > 0 ? pid : -e);
}

static int
start(struct nursery *n, char **argv, const char *config)
{
	int r;

	n->config = xstrdup(config);
	n->born_ms = clock_mono_ms();
	n->seen = seen_new();
	seen_add(n->seen, argv[0]);
	seen_add(n->seen, config);
	(void)prctl(PR_SET_NAME, NURSERY_NAME);
	/* The supervisor's end is seen at its socket, too, if we are awake. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if ((r = learn_thread(n)) != 0 || (r = find_arguments(n, argv)) != 0)
		return r;
	if (!is_own_program(argv[0]))
		return err_set(ERR_CONFLICT, "%s is another one now", argv[0]);
	if ((r = ready_load(config, &n->ready)) != 0)
		return r;
	ready_warm(&n->ready);
	n->pool = pool_new(n->ready.conf, POOL_ASK_MS, POOL_PATIENCE_MS);
	heap_close_holes();
	return 0;
}

/* Many at once lie where the heap ends, and where those lay that are gone. */
static void
add_connection(struct nursery *n)
{
	int64_t now = clock_mono_ms();
	bool is_due = now - n->tidied_ms >= TIDY_MS;

	if (is_due)
		heap_open_holes();
	pool_add_one(n->pool);
	if (!is_due)
		return;
	heap_close_holes();
	n->tidied_ms = now;
}

/* A request is there, or the supervisor gone; meanwhile the pool is kept. */
static int
wait_for_request(struct nursery *n)
{
	struct pollfd p[1 + POOL_WATCHED];
	bool tried = false;
	int got;

	for (;;) {
		bool may_add = !tried && pool_wants_one(n->pool);
		size_t k = pool_watch(n->pool, p + 1);

		p[0] = (struct pollfd){ .fd = NURSERY_FD, .events = POLLIN };
		got = poll(p, (nfds_t)(1 + k), may_add ? 0 : -1);
		if (got < 0 && errno != EINTR)
			return err_set_errno(ERR_IO, "poll");
		if (got == 0) {
			add_connection(n);
			tried = true;
		} else if (got > 0) {
			pool_look(n->pool);
			if (p[0].revents != 0)
				return 0;
		}
	}
}

int
nursery_run(char **argv, const char *config, nursery_attempt_fn *fn)
{
	struct nursery n = { 0 };
	struct nursery_request q;
	ssize_t got;
	int r;

	r = start(&n, argv, config);
	if (r != 0)
		log_err("nursery");
	while (r == 0 && (r = wait_for_request(&n)) == 0) {
		got = recv(NURSERY_FD, &q, sizeof(q), 0);
		if (got != sizeof(q))
			break; /* the supervisor is gone */
		r = serve(&n, &q, fn);
	}
	pool_free(n.pool);
	seen_free(n.seen);
	free(n.config);
	ready_fini(&n.ready);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
