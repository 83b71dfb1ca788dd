/*
 * Signed requests that were answered lately, in a table in the server's
 * memory: used by db_client_nonce.c for those of users and db_admission.c for
 * those of partners, each with tables of its own.
 *
 * Beside the table stands the time since when it holds all; both are empty
 * after a restart of the server.  The database's clock is the only one that
 * counts.  With T the time that a request says it was signed at, A and B how
 * far that may be ahead of and behind the clock, S the begin of the memory:
 * - S + 2 A < T <= now: memory only.  It was not answered before S, as then T
 *   would be at most A ahead of S (that it is 2 A allows for the clock of who
 *   judged A); and if the server restarts later, at S', then T < S'.
 * - T <= S: refused.  It may have been answered and forgotten; signed again
 *   it is taken.
 * - All others (the first moments after S, clocks that are ahead) are durable
 *   as well, in the table nonce, and looked for there first.
 * What is forgotten was signed more than B ago, and is refused as too old.
 */
#ifndef LIB_DB_DB_NONCE_MEMORY_H
#define LIB_DB_DB_NONCE_MEMORY_H

#include "lib/db/db.h"

#define NONCE_HASH 16

/*
 * A request is judged by the front end's clock first: this much older by the
 * database's is still taken, and kept in memory.
 */
#define NONCE_SKEW_MS 5000

/* In SQL: the time, in ms since the epoch. */
#define NONCE_NOW_MS "FLOOR(UNIX_TIMESTAMP(NOW(6)) * 1000)"

/* One memory. */
struct nonce_memory {
	const struct db_stmt *remember; /* "bi": hash, time */
	const struct db_stmt *begin;	/* if it has not begun */
	const struct db_stmt *since;	/* 1, since, now */
	const struct db_stmt *purge;	/* "i": those that are so old */
	const char *stamp;		/* what says T, for messages */
};

/* Of a table and TABLE_since, whatever else stands around them. */
#define NONCE_MEMORY(name, table, says)                                        \
	static const struct db_stmt name##_remember = { table ".remember",     \
		"bi", "INSERT INTO " table " (hash, time_ms) VALUES (?, ?)" }; \
	static const struct db_stmt name##_begin = { table ".begin", "",       \
		"INSERT IGNORE INTO " table "_since (id, since_ms)"            \
		" VALUES (1, " NONCE_NOW_MS ")" };                             \
	static const struct db_stmt name##_since = { table ".since", "",       \
		"SELECT 1, since_ms, " NONCE_NOW_MS " FROM " table             \
		"_since WHERE id = 1" };                                       \
	static const struct db_stmt name##_purge = { table ".purge", "i",      \
		"DELETE FROM " table " WHERE time_ms <= " NONCE_NOW_MS         \
		" - ?" };                                                      \
	static const struct nonce_memory name = { &name##_remember,            \
		&name##_begin, &name##_since, &name##_purge, says }

struct nonce_span {
	int64_t ahead_ms, behind_ms; /* A, B */
};

/* The parameters of a statement for the common kind, by its conditions. */
#define NONCE_IS_COMMON                                                        \
	" since_ms < ? AND ? <= " NONCE_NOW_MS " AND ? > " NONCE_NOW_MS " - ?"
#define NONCE_COMMON_PARAMS "iiii"
#define NONCE_COMMON_ARGS(time_ms, span)                                       \
	(time_ms) - 2 * (span)->ahead_ms, (time_ms), (time_ms),                \
	    (span)->behind_ms + NONCE_SKEW_MS

/*
 * One that is not of the common kind: may it be taken?  Begins the memory.
 * ERR_CONFLICT when it must be signed again (the message says why), ERR_DB.
 */
int nonce_memory_judge(struct db *, const struct nonce_memory *,
    const struct nonce_span *, int64_t time_ms);
/* Then, and when it is durable.  Errors as nonce_memory_explain(). */
int nonce_memory_keep(struct db *, const struct nonce_memory *,
    const uint8_t hash[NONCE_HASH], int64_t time_ms);
/*
 * What an INSERT into the memory failed with: ERR_EXISTS (a replay), ERR_BUSY
 * when it is full, ERR_DB.
 */
int nonce_memory_explain(const struct db *, int r);
/*
 * Forget what is too old to be taken again; *n (may be NULL): how many.  An
 * empty memory begins now.
 */
int nonce_memory_purge(struct db *, const struct nonce_memory *,
    const struct nonce_span *, int64_t *n);

#endif
