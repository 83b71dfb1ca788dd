/*
 * "Look now": datagrams to the site's supervisor (run/supervisor.sock).  One
 * is a job id, or empty for "something changed", perhaps with a space and
 * letters behind it, which parts of the supervisor may have work by it; else
 * the database is asked.  It carries no news of its own: what it is about
 * stands in the database, so a lost one costs a polling period and a forged
 * one a look.
 */
#ifndef LIB_CONF_SITE_WAKE_H
#define LIB_CONF_SITE_WAKE_H

#include "lib/base/id.h"
#include "lib/conf/site_conf.h"

/* What a change may have made due. */
enum site_wake {
	WAKE_ASK = 0, /* whatever the database says */
	WAKE_LAUNCHES = 1,
	WAKE_KILLS = 2,
	WAKE_REPORTS = 4,
	WAKE_SIGNATURES = 8,
	WAKE_JOBS = 16,
	WAKE_FREED = 32,  /* resources were given back */
	WAKE_RUNNING = 64 /* a report, but nobody waits for it */
};

/* A word in a job id's place: the configuration is to be read again. */
#define WAKE_RELOAD "reload"

/* The longest datagram, with its end. */
#define WAKE_SIZE (ID_JOB_SIZE + 8)

/*
 * Tell the supervisor, when there is one: nothing here fails.  job_id may be
 * "" or WAKE_RELOAD; what is several of enum site_wake.
 */
void site_wake(const struct site_conf *, const char *job_id, unsigned what);

/*
 * What a datagram says; text ends with a zero and is a stranger's.  job_id
 * becomes "" when it names none.
 */
void site_wake_read(const char *text, char job_id[ID_JOB_SIZE], unsigned *what);

#endif
