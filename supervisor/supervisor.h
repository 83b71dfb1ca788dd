/*
 * What the parts of a supervisor share.  One thread, one loop, one database
 * connection.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/event/loop.h"

struct beat;
struct changes;
struct detectors;
struct doubts;
struct errands;
struct findings;
struct heads;
struct hosts;
struct http_client;
struct janitor;
struct keys;
struct launcher;
struct metrics;
struct nursery;
struct partners;
struct peers;
struct queue;
struct refusals;
struct reporter;
struct scheduler;
struct signer;
struct sealer;
struct wake;

/*
 * "host:home:process", or "host:home.name:process" of a further supervisor:
 * the first two parts name what one supervisor at a time owns (the pid file
 * is locked) and where its process ids count, so leases that begin with the
 * same two and end otherwise are a dead predecessor's.
 */
#define INSTANCE_SIZE 65

struct supervisor {
	/* the caller's, set before supervisor_start() */
	const struct site_conf *conf;
	struct site_conf *own_conf; /* the same, for supervisor_reload() */
	struct loop *loop;
	struct db *db;
	struct http_client *http; /* NULL: no partners */
	struct keys *keys;	  /* what this site signs with; or NULL */
	const char *name;	  /* NULL or "": the first of its home */
	struct nursery *nursery;  /* of shepherds; NULL: none */

	struct metrics *metrics;   /* what is counted here */
	struct findings *findings; /* what detectors told lately */
	struct beat *beat;
	struct hosts *hosts; /* NULL: this one is alone */
	struct partners *partners;
	struct queue *queue;
	struct changes *changes;
	/* the parts that look for work when something changed */
	struct launcher *launcher;
	struct reporter *reporter;
	struct signer *signer;
	struct errands *errands;
	struct scheduler *scheduler;
	struct sealer *sealer;
	struct heads *heads;
	struct doubts *doubts;
	struct peers *peers;
	struct detectors *detectors;
	struct janitor *janitor;
	struct refusals *refusals; /* nginx's */
	struct refusals *handshakes;
	struct wake *wake;
	struct loop_timer *poll;
	char host[SITE_HOST_SIZE];
	char instance[INSTANCE_SIZE];
	size_t instance_prefix; /* its first two parts */
};

/*
 * Make all parts, in the order in which they need each other; they work as
 * soon as the loop runs.  The caller holds the home's lock.
 * Errors: ERR_DB, ERR_IO; supervisor_stop() is due all the same.
 */
int supervisor_start(struct supervisor *);
/*
 * End the parts: leases are given back, shepherds go on.  The calls of http
 * that are under way must have been dropped before (http_client_free()), and
 * nothing of the loop's runs afterwards.
 */
void supervisor_stop(struct supervisor *);

/*
 * Read the configuration again: its numbers hold from now on, the capacity
 * among them.  A file with faults changes nothing and is only told of.
 */
void supervisor_reload(struct supervisor *);

/*
 * Rows of this job changed ("" when it is not known which): at the loop's
 * next turn every part looks whether there is something for it.
 */
void supervisor_changed(struct supervisor *, const char *job_id);

#endif
