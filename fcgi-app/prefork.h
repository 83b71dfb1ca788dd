/*
 * A supervising parent and its workers.  A worker that dies is replaced at
 * once; one that keeps dying young is replaced ever more slowly.
 *
 * SIGTERM and SIGINT end everything gracefully: workers finish the request
 * they are at.  SIGHUP calls reload() and then replaces every worker.  SIGUSR2
 * calls upgrade(), which may make another program of this process: workers of
 * the old one end when they have answered what they are at.
 */
#ifndef FCGI_APP_PREFORK_H
#define FCGI_APP_PREFORK_H

#include <signal.h>

struct prefork {
	int workers; /* numbered from 0; who replaces one takes its number */
	/*
	 * A worker's life, in the child; its return is the exit status.  It
	 * must end soon after SIGTERM, which it finds blocked: unblocked is
	 * the mask to wait with.
	 */
	int (*work)(void *ctx, int number, const sigset_t *unblocked);
	/* In the parent; an error keeps what was. */
	void (*reload)(void *ctx);
	/*
	 * In the parent: may another program take over (0)?  Then workers are
	 * told to end, and become() is called, which returns when it failed.
	 */
	int (*upgrade)(void *ctx);
	void (*become)(void *ctx);
	void *ctx;
};

/*
 * From here on signals that prefork_run() handles wait for it: before anybody
 * can know whom to send them to, for some would end the process.
 */
void prefork_hold_signals(void);

/* Returns after the last worker ended: 0, or an error that kept it from
 * starting. */
int prefork_run(const struct prefork *);

#endif
