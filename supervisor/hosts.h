/*
 * The other hosts that serve the site.  What is noticed on one of them and
 * concerns a process on another is passed on in a datagram: that an object
 * arrived or an end is wanted for a shepherd that is not here, and that
 * something about a job changed.
 *
 * A datagram carries no news of its own, as with wake.h: one that is lost
 * costs a heartbeat of the shepherd or a poll of the supervisor, one that is
 * sent again a look.  It is authenticated by a key that follows from the
 * site's own, which all its hosts have, so that strangers cause no looks.
 */
#ifndef SUPERVISOR_HOSTS_H
#define SUPERVISOR_HOSTS_H

#include "supervisor/supervisor.h"

struct hosts;

/*
 * NULL (*out) without [site] wake_address, without keys, and for the further
 * supervisors of a home.  Errors: ERR_IO, ERR_INVALID, ERR_DB.
 */
int hosts_new(struct supervisor *, struct hosts **out);
void hosts_free(struct hosts *); /* NULL is fine, here and below */

/* What the others may send to; "" for none. */
const char *hosts_address(const struct hosts *);

/* Who the others are, anew; called with each sign of life.  ERR_DB. */
int hosts_refresh(struct hosts *);

/* This one's row came or went: the others look who is there. */
void hosts_announce(struct hosts *);

/* Is there any that gave a sign of life? */
bool hosts_has_others(const struct hosts *);

/* There are tasks to start that this host has no room for. */
void hosts_tell_work(struct hosts *);

/* A program of this host changed something about a job. */
void hosts_tell(struct hosts *, const char *job_id);

#endif
