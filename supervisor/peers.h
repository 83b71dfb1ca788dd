/*
 * Several supervisors of one home: each has a name, a pid file that it keeps
 * locked, a wake-up socket and a log of its own, and shares all else.  Who
 * finds the pid file of another one unlocked knows that it died, and takes
 * over at once what it held; supervisors on other hosts wait for leases to
 * run out.
 */
#ifndef SUPERVISOR_PEERS_H
#define SUPERVISOR_PEERS_H

#include <stdbool.h>

#include "supervisor/supervisor.h"

#define SUPERVISOR_NAME_MAX 8

/* 1 to SUPERVISOR_NAME_MAX small letters and digits. */
bool peers_is_name(const char *);

/* HOME/FOLDER/supervisor[-NAME].SUFFIX; name may be NULL.  The caller's. */
char *peers_path(const struct site_conf *, const char *folder, const char *name,
    const char *suffix);

/* "host:home" or "host:home.name", the same after a restart.  The caller's. */
char *peers_label(const struct site_conf *, const char *host, const char *name);

/*
 * The same with ':' behind, and with the place (lib/base/proc.h) in its
 * second part: with this leases begin.  The caller's.
 */
char *peers_prefix(
    const struct site_conf *, const char *host, const char *name);

/*
 * Is this the name (struct db_attempt's launcher) of one of this home and
 * place?  Only its process ids mean anything here.
 */
bool peers_is_of_home(
    const struct site_conf *, const char *host, const char *instance);

struct peer_lock {
	char *path;
	int fd;
};
#define PEER_LOCK_INIT                                                         \
	{                                                                      \
		NULL, -1                                                       \
	}

/*
 * The lock on the pid file says that the supervisor runs; it goes with the
 * process, however that ends.
 * Errors: ERR_EXISTS when one of that name runs, ERR_IO.
 */
int peers_lock(
    const struct site_conf *, const char *name, struct peer_lock *out);
/* The file goes, too. */
void peers_unlock(struct peer_lock *);

/* Looks after the others from now on, several times a second. */
struct peers *peers_new(struct supervisor *);
void peers_free(struct peers *); /* NULL is fine */

#endif
