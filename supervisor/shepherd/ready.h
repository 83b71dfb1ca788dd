/*
 * What a shepherd may have before it knows its task.  No key is among it:
 * each process reads those that it uses.  (A connection that is lent has the
 * database's password in the client library's memory.)
 */
#ifndef SUPERVISOR_SHEPHERD_READY_H
#define SUPERVISOR_SHEPHERD_READY_H

#include "lib/conf/site_conf.h"
#include "lib/provider/manifest.h"
#include "supervisor/shepherd/pool.h"

struct ready {
	struct site_conf *conf;
	struct providers *providers; /* NULL: read when they are needed */
	struct loan loan;	     /* a connection, or none */
};

/*
 * Read the configuration, as the supervisor's account.
 * Errors: those of site_conf_load().
 */
int ready_load(const char *config, struct ready *out);
/*
 * Everything else that tasks have in common, for processes that are forked:
 * providers and their digests, the sandbox's filter, libraries started.  What
 * cannot be had is left to each task, which tells of it.
 */
void ready_warm(struct ready *);
void ready_fini(struct ready *); /* a zeroed one is fine */

#endif
