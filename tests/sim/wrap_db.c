/*
 * The database client's calls.  Before each statement its connection is told
 * the virtual time; the routine may be held up, frozen or killed before it
 * and after it; a row that is locked by a routine that stands still is waited
 * for in virtual time.
 */
#include <errmsg.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/sim/world.h"
#include "tests/sim/wrap.h"

#define CODE_DEAD 1105 /* "unknown error": the connection stays ours */
#define CODE_LOCK_WAIT 1205
#define LOCK_WAIT (5 * SECOND) /* as the sessions of the programs say */
#define LOCK_PAUSE (3 * MS)
/* So many statements without time going on are no progress. */
#define SAME_TIME_MAX 20000

/* More than the server takes. */
#define LINKS_MAX 1024

/* A connection to a site's database, and what time its session was told. */
struct link {
	const MYSQL *my;
	struct site *site;
	int64_t told_us;
};

static struct link links[LINKS_MAX];
static size_t nlinks;
static bool is_begun; /* the making of schemas is over */

unsigned __wrap_mysql_stmt_errno(MYSQL_STMT *);
unsigned __real_mysql_stmt_errno(MYSQL_STMT *);
const char *__wrap_mysql_stmt_error(MYSQL_STMT *);
const char *__real_mysql_stmt_error(MYSQL_STMT *);
unsigned __wrap_mysql_errno(MYSQL *);
unsigned __real_mysql_errno(MYSQL *);
const char *__wrap_mysql_error(MYSQL *);
const char *__real_mysql_error(MYSQL *);
int __wrap_mysql_stmt_prepare(MYSQL_STMT *, const char *, unsigned long);
int __real_mysql_stmt_prepare(MYSQL_STMT *, const char *, unsigned long);
my_bool __wrap_mysql_stmt_close(MYSQL_STMT *);
my_bool __real_mysql_stmt_close(MYSQL_STMT *);
int __wrap_mysql_stmt_execute(MYSQL_STMT *);
int __real_mysql_stmt_execute(MYSQL_STMT *);
int __real_mysql_real_query(MYSQL *, const char *, unsigned long);
int __wrap_mysql_real_query(MYSQL *, const char *, unsigned long);
my_bool __wrap_mysql_rollback(MYSQL *);
my_bool __real_mysql_rollback(MYSQL *);
MYSQL *__wrap_mysql_real_connect(MYSQL *, const char *, const char *,
    const char *, const char *, unsigned, const char *, unsigned long);
MYSQL *__real_mysql_real_connect(MYSQL *, const char *, const char *,
    const char *, const char *, unsigned, const char *, unsigned long);
void __wrap_mysql_close(MYSQL *);
void __real_mysql_close(MYSQL *);

/* What the statements are, by their addresses, as long as there are any. */
#define BUCKETS (1 << 12)

struct name {
	const MYSQL_STMT *stmt;
	char text[28];
	uint64_t point;
	bool matters; /* to what is checked of a database */
	struct name *next;
};

static struct name *names[BUCKETS];

/* Where it is, or would be. */
static struct name **
name_at(const MYSQL_STMT *stmt)
{
	struct name **at = &names[((uintptr_t)stmt >> 4) % BUCKETS];

	while (*at != NULL && (*at)->stmt != stmt)
		at = &(*at)->next;
	return at;
}

static const struct name *
name_of(const MYSQL_STMT *stmt)
{
	static const struct name unknown = { .text = "statement",
		.matters = true };
	const struct name *n = *name_at(stmt);

	return n == NULL ? &unknown : n;
}

/* Of those that write: signs of life say nothing new. */
static bool
matters(const char *sql)
{
	static const char *const dull[] = { "SELECT",
		"INSERT INTO supervisor_state", "UPDATE supervisor_state",
		"UPDATE attempt a SET a.lease_until" };

	for (size_t i = 0; i < sizeof(dull) / sizeof(dull[0]); i++)
		if (str_starts(sql, dull[i]))
			return false;
	return true;
}

int
__wrap_mysql_stmt_prepare(MYSQL_STMT *stmt, const char *sql, unsigned long len)
{
	struct name **at = name_at(stmt), *n = *at;

	if (n == NULL)
		n = *at = xcalloc(1, sizeof(*n));
	n->stmt = stmt;
	(void)snprintf(n->text, sizeof(n->text), "%s", sql);
	n->point = point_of(sql, len);
	n->matters = matters(sql);
	return __real_mysql_stmt_prepare(stmt, sql, len);
}

my_bool
__wrap_mysql_stmt_close(MYSQL_STMT *stmt)
{
	struct name **at = name_at(stmt), *n = *at;

	if (n != NULL) {
		*at = n->next;
		free(n);
	}
	return __real_mysql_stmt_close(stmt);
}

static struct link *
link_of(const MYSQL *my)
{
	for (size_t i = 0; i < nlinks; i++)
		if (links[i].my == my)
			return &links[i];
	return NULL;
}

/* One that is not known would have the outside world's time. */
static void
link_add(const MYSQL *my, struct site *s)
{
	if (nlinks == LINKS_MAX) {
		(void)fprintf(stderr, "simulation: too many connections\n");
		abort();
	}
	links[nlinks++] = (struct link){ my, s, 0 };
}

size_t
wrap_db_links(void)
{
	return nlinks;
}

void
wrap_db_reset(void)
{
	is_begun = true;
	for (size_t i = 0; i < nlinks; i++)
		links[i].told_us = 0;
}

/* The session's clock is the site's. */
static void
tell_time(MYSQL *my)
{
	struct link *l = link_of(my);
	char sql[64];
	int64_t t;

	if (l == NULL)
		return;
	t = sim_now() + l->site->skew_us;
	if (l->told_us == t)
		return;
	l->told_us = t;
	(void)snprintf(sql, sizeof(sql), "SET TIMESTAMP=%lld.%06lld",
	    (long long)(t / SECOND), (long long)(t % SECOND));
	if (__real_mysql_real_query(my, sql, strlen(sql)) != 0) {
		(void)fprintf(stderr, "%s: %s\n", sql, __real_mysql_error(my));
		abort();
	}
}

/* What the routine is told instead of an answer. */
static int
pretend(MYSQL *my, unsigned code)
{
	/* The server ends what a connection that is gone had begun. */
	(void)__real_mysql_rollback(my);
	self->in_tx = self->has_written = false;
	self->pretended = code;
	return 1;
}

/* 0 when the statement may go to the server. */
static int
before(MYSQL *my, const char *what, uint64_t id)
{
	self->my = my;
	self->pretended = 0;
	self->statements++;
	world.statements++;
	self->site->statements++;
	if (++world.same_time > SAME_TIME_MAX && !world.failed) {
		world_fail(
		    "%s goes round in circles, last %s", self->name, what);
		self->dead = true;
	}
	if (!point_pass("before", what, id))
		return pretend(my, CODE_DEAD);
	if (self->site->db_down_until > sim_now() || self->is_cut_off) {
		self->is_cut_off = false;
		return pretend(my, CR_SERVER_LOST);
	}
	tell_time(my);
	return 0;
}

/* A lock is held by somebody who stands still: wait and try again. */
static bool
waits_for_lock(MYSQL *my, unsigned code, int64_t since_us)
{
	if (code != CODE_LOCK_WAIT || sim_now() - since_us > LOCK_WAIT)
		return false;
	routine_sleep(sim_now() + LOCK_PAUSE, false);
	if (self->dead)
		return false;
	tell_time(my);
	return true;
}

/*
 * What the checks would see is another thing now.  No two writes are of one
 * microsecond: lib/db/db_job_lease.c tells wakes apart by theirs.
 */
static void
wrote(void)
{
	self->site->writes++;
	sim_tick();
}

int
__wrap_mysql_stmt_execute(MYSQL_STMT *stmt)
{
	const struct name *name = name_of(stmt);
	MYSQL *my = stmt->mysql;
	int64_t since = sim_now();
	int r;

	if (self == NULL) {
		tell_time(my);
		return __real_mysql_stmt_execute(stmt);
	}
	if (my == NULL)
		return 1;
	if (before(my, name->text, name->point) != 0)
		return 1;
	self->last_point = name->point;
	do
		r = __real_mysql_stmt_execute(stmt);
	while (
	    r != 0 && waits_for_lock(my, __real_mysql_stmt_errno(stmt), since));
	if (r == 0 && name->matters) {
		if (self->in_tx)
			self->has_written = true;
		else
			wrote();
	}
	if (self->dead ||
	    (r == 0 && !point_pass("after", name->text, name->point))) {
		if (r == 0)
			(void)mysql_stmt_free_result(stmt);
		return pretend(my, CODE_DEAD);
	}
	return r;
}

/* Which transaction it is that begins or ends: by what was done before. */
static uint64_t
point_of_text(const char *sql)
{
	return point_of(sql, strlen(sql)) ^ self->last_point;
}

static void
committed(void)
{
	self->in_tx = false;
	if (self->has_written)
		wrote();
	self->has_written = false;
	if (self->kind == KIND_SUPERVISOR && self->site->nhosts > 1)
		check_fence(self);
}

int
__wrap_mysql_real_query(MYSQL *my, const char *sql, unsigned long len)
{
	static const char patience[] = "innodb_lock_wait_timeout = 5";
	static const char none[] = "SET SESSION innodb_lock_wait_timeout = 0,"
				   " SESSION idle_transaction_timeout = 0";
	int64_t since = sim_now();
	int r;

	if (self == NULL)
		tell_time(my);
	else if (before(my, sql, point_of_text(sql)) != 0)
		return 1;
	do
		r = __real_mysql_real_query(my, sql, len);
	while (r != 0 && self != NULL &&
	       waits_for_lock(my, __real_mysql_errno(my), since));
	/* Nobody waits inside the server: all of us would.  And its clock is
	 * not ours (point.c ends transactions that stand still). */
	if (r == 0 && is_begun &&
	    memmem(sql, len, patience, sizeof(patience) - 1) != NULL)
		r = __real_mysql_real_query(my, none, sizeof(none) - 1);
	if (self != NULL && r == 0 && str_eq(sql, "START TRANSACTION"))
		self->in_tx = true;
	if (self == NULL || r != 0 || !str_eq(sql, "COMMIT"))
		return r;
	committed();
	return point_pass("after", sql, point_of_text(sql))
		   ? 0
		   : pretend(my, CODE_DEAD);
}

my_bool
__wrap_mysql_rollback(MYSQL *my)
{
	if (self != NULL) {
		self->pretended = 0;
		self->in_tx = self->has_written = false;
	}
	return __real_mysql_rollback(my);
}

MYSQL *
__wrap_mysql_real_connect(MYSQL *my, const char *host, const char *user,
    const char *password, const char *name, unsigned port, const char *path,
    unsigned long flags)
{
	int number;

	if (self != NULL &&
	    (self->dead || self->site->db_down_until > sim_now())) {
		self->pretended = self->dead ? CODE_DEAD : CR_CONNECTION_ERROR;
		return NULL;
	}
	if (sscanf(name, "sim_%d", &number) == 1)
		link_add(my, &sites[number]);
	return __real_mysql_real_connect(
	    my, host, user, password, name, port, path, flags);
}

void
__wrap_mysql_close(MYSQL *my)
{
	struct link *l = link_of(my);

	if (l != NULL)
		*l = links[--nlinks];
	if (self != NULL && self->my == my)
		self->my = NULL;
	__real_mysql_close(my);
}

unsigned
__wrap_mysql_stmt_errno(MYSQL_STMT *stmt)
{
	return self != NULL && self->pretended != 0
		   ? self->pretended
		   : __real_mysql_stmt_errno(stmt);
}

const char *
__wrap_mysql_stmt_error(MYSQL_STMT *stmt)
{
	return self != NULL && self->pretended != 0
		   ? "the database is gone"
		   : __real_mysql_stmt_error(stmt);
}

unsigned
__wrap_mysql_errno(MYSQL *my)
{
	return self != NULL && self->pretended != 0 ? self->pretended
						    : __real_mysql_errno(my);
}

const char *
__wrap_mysql_error(MYSQL *my)
{
	return self != NULL && self->pretended != 0 ? "the database is gone"
						    : __real_mysql_error(my);
}
