/*
 * What db.c, db_stmt.c, db_tx.c and others share: the connection's inside.
 */
#ifndef LIB_DB_DB_PRIVATE_H
#define LIB_DB_DB_PRIVATE_H

#include <mysql.h>

#include "lib/db/db.h"
#include "lib/db/db_gate.h"

/* The two client libraries differ in the type of a bind's flags. */
#if defined(MARIADB_BASE_VERSION) || defined(MARIADB_PACKAGE_VERSION)
typedef my_bool db_flag;
#else
typedef bool db_flag;
#endif

#define DB_BUCKETS 128
#define DB_CODE_DEADLOCK 1213 /* of the server */
#define DB_ACTOR_MAX 100      /* event.actor */

struct prepared;
struct db_events;

/* How many jobs and local members there were before a moment. */
struct db_counted {
	int64_t at_ms; /* monotonic; 0: never counted */
	int64_t before_ms;
	int64_t rows;
	int64_t jobs;
};

/* How many jobs of an initiator waited lately. */
struct db_room {
	char party_id[16];
	int64_t at_ms; /* monotonic; 0: never counted */
	int64_t used;
};

struct db {
	const struct site_conf *conf;
	MYSQL *my;	       /* NULL while not connected */
	bool lost;	       /* the link broke; see db_connected() */
	unsigned client_errno; /* of the last failure */
	struct db_gate *gate;  /* own_gate, or one that processes share */
	struct db_gate own_gate;
	int64_t asked_ms; /* monotonic: when the server was asked last, */
	int64_t wait_ms;  /* and how long it may take; 0: for ever */
	bool in_tx;
	bool doomed;		  /* the transaction must be repeated */
	struct db_events *events; /* that its end is to write; NULL: none */
	int64_t insert_id;
	char actor[DB_ACTOR_MAX + 1];
	struct db_counted jobs_counted;
	struct db_room room;
	unsigned long ready_id; /* the link that db_move_ready() saw */
	struct prepared *prepared[DB_BUCKETS];
};

/*
 * Make sure there is a link.  Inside a transaction a lost one stays lost:
 * what was written before is gone and must not be mixed with what follows.
 */
int db_connected(struct db *);
/* End the link and what is prepared on it; the next use makes another. */
void db_disconnect(struct db *);
/* Before each question: a failure that took too long is silence. */
void db_asks(struct db *);
/* Record and classify an error of the client library; what: for the text. */
int db_failed(
    struct db *, unsigned code, const char *message, const char *what);
/* Plain text without result: session settings, transaction control. */
int db_run_text(struct db *, const char *sql, size_t len, const char *what);
/* Before the next try (from 0): longer each time, and never in step. */
void db_pause(int try);
/* Close every prepared statement (they die with the link). */
void db_forget_prepared(struct db *);
/* Have it at hand, without running it. */
int db_prepare(struct db *, const struct db_stmt *);
/*
 * db_event.c: write what the transaction has to tell; drop it, after a commit
 * with a line in the log for each move of a job.
 */
int db_events_write(struct db *);
void db_events_drop(struct db *, bool committed);
/* What is prepared now is to stay; what comes later is closed by the other. */
void db_keep_prepared(struct db *);
int db_forget_others(struct db *);

#endif
