/*
 * Transactions: begin, commit, and doing it all again when the database says
 * so.  Called by the stores, lib/party, and the shepherd's last write.
 */
#include "lib/db/db_tx.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_private.h"

#define PAUSE_START_US 2000 /* about as long as a transaction takes */
#define PAUSE_MAX_US 200000

static int
run(struct db *db, const char *sql)
{
	return db_run_text(db, sql, strlen(sql), sql);
}

/* Two that collided must not collide again in step. */
void
db_pause(int try)
{
	uint32_t us = PAUSE_START_US << try;
	struct timespec ts;

	if (us > PAUSE_MAX_US)
		us = PAUSE_MAX_US;
	us = us / 2 + randombytes_uniform(us / 2);
	ts.tv_sec = 0;
	ts.tv_nsec = (long)us * 1000;
	(void)nanosleep(&ts, NULL);
}

/* One try; *again tells that nothing was written and it may be repeated. */
static int
run_once(struct db *db, db_tx_fn *fn, void *ctx, bool *again)
{
	int r;

	*again = false;
	if ((r = db_connected(db)) != 0)
		return r;
	if ((r = run(db, "START TRANSACTION")) != 0) {
		*again = db->lost;
		return r;
	}
	db->in_tx = true;
	db->doomed = false;
	if ((r = fn(db, ctx)) == 0)
		r = db_events_write(db);
	/* fn may have passed over an error that rolled everything back. */
	if (r == 0 && (db->doomed || db->lost))
		r = err_set(ERR_DB_RETRY, "the transaction was rolled back");
	*again = db->doomed || db->lost || r == ERR_DB_RETRY;
	if (r == 0) {
		r = run(db, "COMMIT");
		*again = r == ERR_DB_RETRY;
	} else if (!db->lost) {
		/* The error of fn is the one to report. */
		if (mysql_rollback(db->my) != 0)
			db->lost = true;
	}
	db->in_tx = false;
	db_events_drop(db, r == 0);
	return r;
}

int
db_tx(struct db *db, db_tx_fn *fn, void *ctx)
{
	bool again = false;
	int r = 0;

	if (db->in_tx)
		return fn(db, ctx);
	for (int try = 0; try < DB_TX_TRIES; try++) {
		r = run_once(db, fn, ctx, &again);
		if (r == 0 || !again)
			return r;
		log_debug(
		    "transaction again after try %d: %s", try + 1, err_text());
		db_pause(try);
	}
	return err_wrap("given up after %d tries", DB_TX_TRIES);
}
