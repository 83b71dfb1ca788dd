/*
 * People who log in to this site, and their sessions.
 *
 * Whatever ends somebody's right to be here (another password, a disabled or
 * deleted user) ends the sessions in the same transaction, and a session only
 * begins under a lock on the user's row, so none slips in between.
 */
#ifndef LIB_DB_DB_USER_H
#define LIB_DB_DB_USER_H

#include "lib/db/db.h"

#define DB_SESSION_HASH 32
#define DB_SESSIONS_EACH 20 /* of one user; the oldest make room */
/* What is over is known for a while, for who still shows its cookie. */
#define DB_SESSION_KNOWN_S (24 * 3600)
#define DB_SESSIONS_OVER 100 /* of one user */
/* Whatever becomes of the database's clock: nobody has been seen lately. */
#define DB_SESSION_ENDS "expires_at = NOW(6), seen_at = '1970-01-02'"

struct db_user {
	const char *name;
	const char *role;
	const char *password; /* lib/sign/password.h */
	bool enabled;
	bool is_locked; /* now, by the database's clock */
	int64_t failed; /* log-ins since the last good one */
	int64_t locked_until_ms;
	int64_t created_ms;
	int64_t password_ms;
};

/* Name, role and password.  Errors: ERR_EXISTS, ERR_DB. */
int db_user_add(struct db *, const struct db_user *);
/* ERR_NOT_FOUND. */
int db_user_get(
    struct db *, struct arena *, const char *name, struct db_user **out);
/* In order of names. */
int db_user_list(struct db *, struct arena *, struct db_user **rows, size_t *n);
/* Each ERR_NOT_FOUND when there is no such user. */
int db_user_enable(struct db *, const char *name, bool enabled);
int db_user_delete(struct db *, const char *name);
int db_user_unlock(struct db *, const char *name);
/*
 * Another password; *ended (may be NULL) is how many sessions ended.  was:
 * only while this is the hash, NULL: whatever it is.
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT (it is another one by now).
 */
int db_user_password(struct db *, const char *name, const char *was,
    const char *hash, int64_t *ended);

/*
 * A log-in failed.  After DB_LOGIN_TRIES in a row the user is locked for
 * DB_LOCK_S, twice as long with each further one, DB_LOCK_MAX_S at most; what
 * fails meanwhile does not count.  *locked_s is 0 when it did not lock.
 */
#define DB_LOGIN_TRIES 5
#define DB_LOCK_S 30
#define DB_LOCK_MAX_S 3600
int db_user_failed(struct db *, const char *name, int64_t *locked_s);

struct db_session_begin {
	const char *name;
	const char *password; /* the hash that was checked */
	const char *rehash;   /* the same at today's cost, or NULL */
	unsigned char hash[DB_SESSION_HASH];
	int64_t max_s;
};

/* Some that are over for long go.  By itself: it locks the rows of other users. */
int db_session_sweep(struct db *);
/*
 * Failures are forgotten.
 * ERR_AUTH when the user is disabled, locked, or has another password by now.
 */
int db_session_begin(struct db *, const struct db_session_begin *);

struct db_session {
	const char *name;
	const char *role;
	int64_t idle_s; /* since it was last seen, a minute exact */
	int64_t expires_ms;
	bool is_over; /* by its time, a log-out, or the user is disabled */
};

/* ERR_NOT_FOUND when it is unknown, or over and forgotten. */
int db_session_get(struct db *, struct arena *,
    const unsigned char hash[DB_SESSION_HASH], int64_t idle_max_s,
    struct db_session **out);
/* It was used now. */
int db_session_seen(struct db *, const unsigned char hash[DB_SESSION_HASH]);
int db_session_end(struct db *, const unsigned char hash[DB_SESSION_HASH]);

#endif
