/*
 * Connections to the sites' databases, kept from one use and one seed to the
 * next: what is prepared on them stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mysqld_error.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_private.h"
#include "tests/sim/world.h"
#include "tests/sim/wrap.h"

static struct db *keeper; /* see server_let_go() */

struct db *
site_db(struct site *s)
{
	struct actor *was = self;
	struct db *db;

	if (s->npool > 0)
		return s->pool[--s->npool];
	self = NULL; /* connecting is not what is tried */
	if (db_open(s->conf, &db) != 0) {
		(void)fprintf(stderr, "simulation: %s\n", err_text());
		exit(2);
	}
	self = was;
	return db;
}

/* As a new connection would be for whoever has it next. */
void
site_db_back(struct site *s, struct db *db)
{
	if (db->lost || db->my == NULL || db->in_tx || s->npool == POOL_MAX) {
		db_close(db);
		return;
	}
	memset(&db->jobs_counted, 0, sizeof(db->jobs_counted));
	memset(&db->room, 0, sizeof(db->room));
	db_set_actor(db, "sluice");
	s->pool[s->npool++] = db;
}

MYSQL *
site_link(struct db *db)
{
	return db->my;
}

/* Whoever had it is gone: the server ends what was begun on it. */
void
site_link_drop(MYSQL *my)
{
	if (my != NULL)
		(void)mysql_rollback(my);
}

void
pools_check(void)
{
	size_t n = keeper != NULL ? 1 : 0;

	for (int i = 0; i < SITES_MAX; i++)
		n += sites[i].npool;
	if (n != wrap_db_links())
		world_fail("%zu connections are told the time, there are %zu",
		    wrap_db_links(), n);
}

/* --- questions of the checks ------------------------------------------------ */

/* By the driver, whoever's turn it is: no step of anybody. */
static bool
ask(MYSQL *my, const char *sql)
{
	struct actor *was = self;
	bool done;

	self = NULL;
	done = mysql_real_query(my, sql, strlen(sql)) == 0;
	self = was;
	return done;
}

bool
site_change(struct site *s, const char *sql)
{
	struct db *db = site_db(s);
	MYSQL *my = site_link(db);
	char *now =
	    xasprintf("SET STATEMENT innodb_lock_wait_timeout = 0 FOR %s", sql);
	bool done = ask(my, now);

	if (!done && mysql_errno(my) != ER_LOCK_WAIT_TIMEOUT)
		world_fail("%s: %s", sql, mysql_error(my));
	free(now);
	site_db_back(s, db);
	return done;
}

int64_t
site_count(struct site *s, const char *sql)
{
	struct db *db = site_db(s);
	MYSQL *my;
	MYSQL_RES *res;
	MYSQL_ROW row;
	int64_t n = -1;

	my = site_link(db);
	if (ask(my, sql) && (res = mysql_store_result(my)) != NULL) {
		if ((row = mysql_fetch_row(res)) != NULL && row[0] != NULL)
			n = strtoll(row[0], NULL, 10);
		else if (row != NULL)
			n = 0;
		mysql_free_result(res);
	} else
		world_fail("%s: %s", sql, mysql_error(my));
	site_db_back(s, db);
	return n;
}

void
site_rows(struct site *s, const char *sql, sim_row_fn *fn, void *ctx)
{
	struct db *db = site_db(s);
	MYSQL *my = site_link(db);
	MYSQL_RES *res;
	MYSQL_ROW row;

	if (ask(my, sql) && (res = mysql_store_result(my)) != NULL) {
		while ((row = mysql_fetch_row(res)) != NULL)
			fn(s, row, ctx);
		mysql_free_result(res);
	} else
		world_fail("%s: %s", sql, mysql_error(my));
	site_db_back(s, db);
}

/* --- the server's own pace ---------------------------------------------------- */

/*
 * Which rows a statement locks depends on what the server's purge has cleared
 * away by then, and on statistics made in the background: neither must be by
 * chance.  Between two seeds all is cleared away, in a seed nothing is, for a
 * view of its beginning stands open.
 */
static void
keeper_says(const char *sql)
{
	if (db_run_script_statement(keeper, sql, strlen(sql)) != 0) {
		(void)fprintf(stderr, "simulation: %s\n", err_text());
		exit(2);
	}
}

void
server_let_go(void)
{
	if (keeper == NULL) {
		keeper = site_db(&sites[0]);
		/* It is older than what wrap_db.c does to others. */
		keeper_says("SET SESSION idle_transaction_timeout = 0");
		keeper_says("SET GLOBAL innodb_stats_auto_recalc = OFF");
		/* Or what is cleared away would still be counted. */
		keeper_says("SET GLOBAL innodb_purge_rseg_truncate_frequency"
			    " = 1");
	}
	keeper_says("ROLLBACK");
}

void
server_hold(void)
{
	static const struct timespec pause = { 0, 1000 * 1000 };

	while (site_count(&sites[0],
		   "SELECT count FROM information_schema.innodb_metrics"
		   " WHERE name = 'trx_rseg_history_len'") > 0)
		(void)nanosleep(&pause, NULL);
	keeper_says("START TRANSACTION WITH CONSISTENT SNAPSHOT");
}
