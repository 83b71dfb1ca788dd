/*
 * What the parts of a supervisor share.  One thread, one loop, one database
 * connection; main.c makes it all and hands it to each part in turn.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/event/loop.h"

struct changes;
struct launcher;
struct partners;
struct queue;
struct reporter;
struct scheduler;

/*
 * "host:home:process": the first two parts name what one supervisor at a time
 * owns (the pid file is locked), so leases that begin with the same two and
 * end otherwise are a dead predecessor's.
 */
#define INSTANCE_SIZE 65

struct supervisor {
	const struct site_conf	*conf;
	struct loop		*loop;
	struct db		*db;
	struct partners		*partners;
	struct queue		*queue;
	struct changes		*changes;
	/* the parts that look for work when something changed */
	struct launcher		*launcher;
	struct reporter		*reporter;
	struct scheduler	*scheduler;
	char			 host[256];
	char			 instance[INSTANCE_SIZE];
	size_t			 instance_prefix;	/* its first two parts */
};

/*
 * Rows of this job changed ("" when it is not known which): at the loop's
 * next turn every part looks whether there is something for it.
 */
void	supervisor_changed(struct supervisor *, const char *job_id);

#endif
