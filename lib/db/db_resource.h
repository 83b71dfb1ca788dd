/*
 * Cores and memory of this site: a capacity and a ledger of grants.
 * Free is capacity minus the sum of the open grants, always; nothing else
 * holds a balance.
 */
#ifndef LIB_DB_DB_RESOURCE_H
#define LIB_DB_DB_RESOURCE_H

#include "lib/db/db.h"
#include "lib/model/wait.h"

#define DB_ENGINE_DEFAULT "STANDALONE"

struct db_resource {
	const char *engine;
	int64_t cores;
	int64_t memory_mb;
	int64_t free_cores;
	int64_t free_memory_mb;
	int64_t updated_ms;
};

struct db_grant {
	const char *job_id;
	const char *role;
	const char *party_id;
	const char *engine;
	int64_t cores;
	int64_t memory_mb;
	bool open;
	int64_t granted_ms;
	int64_t expires_ms; /* 0: the job started */
	int64_t returned_ms;
};

/* Write the capacity of an engine (at start of a supervisor). */
int db_resource_set(
    struct db *, const char *engine, int64_t cores, int64_t memory_mb);
/* ERR_NOT_FOUND when it was never set. */
int db_resource_get(
    struct db *, struct arena *, const char *engine, struct db_resource **out);

/*
 * Whoever reserves again and again and never starts keeps others out: in the
 * end the reservation runs out all the same, and others have their turn.
 */
#define DB_RESERVATION_TIMES 10

/*
 * Grant cores and memory to a member of a job until expires_ms from now.
 * Repeating it renews the expiry of the same grant, up to
 * DB_RESERVATION_TIMES as long; the amounts of an open grant do not change.
 * Errors: ERR_BUSY when not enough is free, less what is kept for other
 * initiators whose turn it is (db_waiter.h), or of the quota (with the
 * numbers, in *why too, which may be NULL), ERR_LIMIT when more is asked for
 * than the site has, ERR_NOT_FOUND (no such engine).
 */
int db_resource_apply(
    struct db *, const struct db_grant *, int64_t expires_ms, struct wait *why);
/* Both at once: the grant is confirmed (db_resource_confirm()) as it is made. */
int db_resource_take(struct db *, const struct db_grant *, struct wait *why);
/*
 * The job started: the grant stays until it ends, and its initiator has had
 * its turn (db_waiter.h).  ERR_CONFLICT: none open.
 */
int db_resource_confirm(
    struct db *, const char *job_id, const char *role, const char *party_id);
/* Give back; *returned (may be NULL) is false when nothing was open. */
int db_resource_return(struct db *, const char *job_id, const char *role,
    const char *party_id, const char *reason, bool *returned);
/* The same for all members of a job here; *n is how many were open. */
int db_resource_return_job(
    struct db *, const char *job_id, const char *reason, int64_t *n);
/* Give back what was reserved but not confirmed in time. */
int db_resource_expire(struct db *, int64_t *n);
/* Give back what jobs hold that have ended (a net below the other rules). */
int db_resource_return_ended(struct db *, int64_t *n);

/* Grants, newest first; open_only leaves returned ones out; job_id may be NULL. */
int db_grant_list(struct db *, struct arena *, const char *job_id,
    bool open_only, struct db_grant **rows, size_t *n);
/* Jobs that hold something of this site now, those that hold most first. */
int db_grant_holders(struct db *, struct arena *, int64_t limit,
    const char ***job_ids, size_t *n);

#endif
