/*
 * One worker: a database connection and a loop that takes one request after
 * the other from the socket it shares with others.
 */
#ifndef FCGI_APP_WORKER_H
#define FCGI_APP_WORKER_H

#include <signal.h>

struct db_gate;
struct hook_gate;
struct site_conf;
struct tally;
struct throttle;
struct turns;

struct worker {
	const struct site_conf *conf;
	int socket; /* listening, non-blocking */
	struct turns *downloads;
	struct turns *logins;
	struct turns *hook_turns;
	struct hook_gate *hook_gate;
	struct turns *errands;
	struct db_gate *db_gate;
	struct throttle *failures;
	struct tally *tally;
};

/*
 * Serve until SIGTERM, which is let through only between requests.
 * Returns an exit status.
 */
int worker_run(const struct worker *, const sigset_t *unblocked);

#endif
