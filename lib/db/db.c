/*
 * The connection: opening, session settings, what its errors mean.  Used by
 * every program that keeps state; statements are in db_stmt.c.
 */
#include "lib/db/db.h"

#include <errmsg.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/db/db_private.h"
#include "lib/db/db_server.h"

#define PASSWORD_MAX 512
#define CONNECT_TIMEOUT_S 10
/* One that was silent is not waited for long: it is asked again. */
#define CONNECT_AGAIN_S 2
/* The client library counts whole seconds, and not quite. */
#define SLACK_MS 200
/* Documents are at most 64 MB; their packets are a little longer. */
#define MAX_PACKET (80ul << 20)

/* Server errors; the header sets of the two servers name them differently. */
enum {
	CODE_SNAPSHOT_CHANGED = 1020, /* MariaDB: row changed since read */
	CODE_SERVER_SHUTDOWN = 1053,
	CODE_DUPLICATE_KEY = 1062,
	CODE_NORMAL_SHUTDOWN = 1077,
	CODE_LOCK_WAIT_TIMEOUT = 1205,
	CODE_CONNECTION_KILLED = 1927, /* MariaDB */
	CODE_IDLE_TIMEOUT = 4031       /* MySQL */
};

/*
 * READ COMMITTED: guarded updates do not need gaps locked, and a sum read
 * after a row lock must see what was committed before it.
 */
#define SESSION_SQL                                                            \
	"SET SESSION time_zone = '+00:00',"                                    \
	" SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO," \
	"NO_ZERO_DATE,NO_ZERO_IN_DATE,ONLY_FULL_GROUP_BY,"                     \
	"NO_ENGINE_SUBSTITUTION', SESSION wait_timeout = 2147483,"             \
	" SESSION innodb_lock_wait_timeout = 5"                                \
	" /*M! , SESSION %s = 'READ-COMMITTED',"                               \
	" SESSION idle_transaction_timeout = %lld */"
/* MySQL has no such variable in some versions, another name in others. */
static const char isolation_sql[] =
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

static bool
is_lost(unsigned code)
{
	switch (code) {
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_COMMANDS_OUT_OF_SYNC: /* nothing sane follows on this link */
	case CR_MALFORMED_PACKET:
	case CODE_SERVER_SHUTDOWN:
	case CODE_NORMAL_SHUTDOWN:
	case CODE_CONNECTION_KILLED:
	case CODE_IDLE_TIMEOUT:
#ifdef CR_SERVER_LOST_EXTENDED
	case CR_SERVER_LOST_EXTENDED:
#endif
		return true;
	default:
		return false;
	}
}

void
db_asks(struct db *db)
{
	db->asked_ms = clock_mono_ms();
	db->wait_ms = db->conf->db_answer_timeout_s * 1000;
}

/* Did the server let us wait until the client library gave up? */
static bool
was_silent(const struct db *db, int64_t waited_ms)
{
	return db->wait_ms > 0 && waited_ms >= db->wait_ms - SLACK_MS;
}

int
db_failed(struct db *db, unsigned code, const char *message, const char *what)
{
	int64_t now = clock_mono_ms();

	db->client_errno = code;
	if (is_lost(code))
		db->lost = true;
	if ((is_lost(code) || code == CR_CONNECTION_ERROR ||
		code == CR_CONN_HOST_ERROR) &&
	    was_silent(db, now - db->asked_ms))
		db_gate_silent(db->gate, now);
	switch (code) {
	case DB_CODE_DEADLOCK:
	case CODE_LOCK_WAIT_TIMEOUT:
	case CODE_SNAPSHOT_CHANGED:
		db->doomed = true;
		return err_set(ERR_DB_RETRY, "%s: %s", what, message);
	case CODE_DUPLICATE_KEY:
		return err_set(ERR_EXISTS, "%s: %s", what, message);
	default:
		return err_set(ERR_DB, "%s: %s (%u)", what, message, code);
	}
}

/* The file's first line; out is wiped by the caller. */
static int
read_password(const char *path, char out[PASSWORD_MAX])
{
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return err_set_errno(ERR_IO, "password file %s", path);
	n = read(fd, out, PASSWORD_MAX - 1);
	fd_close(&fd);
	if (n == -1)
		return err_set_errno(ERR_IO, "password file %s", path);
	if (n == PASSWORD_MAX - 1)
		return err_set(
		    ERR_INVALID, "password file %s is too long", path);
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

/* How long a connection may take to be made. */
static unsigned
connect_timeout_s(const struct db *db)
{
	int64_t answer_s = db->conf->db_answer_timeout_s;
	int64_t s =
	    db_gate_is_silent(db->gate) ? CONNECT_AGAIN_S : CONNECT_TIMEOUT_S;

	return (unsigned)(answer_s > 0 && answer_s < s ? answer_s : s);
}

static MYSQL *
client_new(const struct db *db)
{
	unsigned timeout_s = connect_timeout_s(db);
	unsigned answer_s = (unsigned)db->conf->db_answer_timeout_s;
	unsigned long packet = MAX_PACKET;
	MYSQL *my;

	if ((my = mysql_init(NULL)) == NULL)
		return NULL;
	(void)mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
	(void)mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	if (answer_s > 0) {
		(void)mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &answer_s);
		(void)mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
	}
	return my;
}

/* What is in the rows must not be readable on the way. */
static void
ask_for_tls(MYSQL *my, const char *ca)
{
	my_bool yes = 1;

	(void)mysql_ssl_set(my, NULL, NULL, ca, NULL, NULL);
	(void)mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &yes);
	(void)mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

static int
connect_to(struct db *db, const char *password)
{
	const struct site_conf *c = db->conf;
	bool local;

	db_asks(db);
	db->wait_ms = connect_timeout_s(db) * 1000;
	local = c->db_socket != NULL && c->db_socket[0] != '\0';
	if (!local && c->db_tls_ca != NULL && c->db_tls_ca[0] != '\0')
		ask_for_tls(db->my, c->db_tls_ca);
	if (mysql_real_connect(db->my, local ? NULL : c->db_host, c->db_user,
		password, c->db_name, local ? 0 : (unsigned)c->db_port,
		local ? c->db_socket : NULL, CLIENT_FOUND_ROWS) == NULL)
		return db_failed(
		    db, mysql_errno(db->my), mysql_error(db->my), "connect");
	/*
	 * The client library's socket is open for programs we start: one of
	 * them would keep an open transaction, and its locks, alive beyond
	 * our end, and is no business of the connection anyway.
	 */
	if (fcntl((int)mysql_get_socket(db->my), F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(ERR_DB, "close-on-exec");
	return 0;
}

void
db_disconnect(struct db *db)
{
	/* First: the statements end with the link, none is closed by itself. */
	if (db->my != NULL)
		mysql_close(db->my);
	db_forget_prepared(db);
	db->my = NULL;
	db->lost = false;
	db->ready_id = 0;
}

/*
 * A host that lost its power, or a process that stands still, keeps its link
 * and its locks: the server ends a transaction in which nothing was asked for
 * as long as a lease.  Whoever had it and comes back begins it anew.
 */
static int
set_session(struct db *db)
{
	char sql[sizeof(SESSION_SQL) + 40];
	int64_t idle_s = (db->conf->lease_ms + 999) / 1000; /* 0: for ever */
	int n;

	n = snprintf(sql, sizeof(sql), SESSION_SQL,
	    db_isolation_variable(mysql_get_server_version(db->my)),
	    (long long)idle_s);
	return db_run_text(db, sql, (size_t)n, "session settings");
}

/* Then set_session() has set all, in one question. */
static bool
is_mariadb(const struct db *db)
{
	return strstr(mysql_get_server_info(db->my), "MariaDB") != NULL;
}

static int
connect_new(struct db *db)
{
	const char *file = db->conf->db_password_file;
	char password[PASSWORD_MAX] = "";
	bool with_password;
	int r;

	with_password = file != NULL && file[0] != '\0';
	if (with_password && (r = read_password(file, password)) != 0)
		goto out;
	if ((db->my = client_new(db)) == NULL) {
		r = err_set(ERR_DB, "client library: out of memory");
		goto out;
	}
	if ((r = connect_to(db, with_password ? password : NULL)) != 0)
		goto out;
	if ((r = set_session(db)) == 0 && !is_mariadb(db))
		r = db_run_text(db, isolation_sql, sizeof(isolation_sql) - 1,
		    "isolation level");
out:
	sodium_memzero(password, sizeof(password));
	if (r != 0)
		db_disconnect(db);
	return r;
}

/* For the longest that one question, with a new connection, may take. */
static int64_t
hold_ms(const struct db *db)
{
	return (db->conf->db_answer_timeout_s + CONNECT_TIMEOUT_S) * 1000;
}

int
db_connected(struct db *db)
{
	bool linked = db->my != NULL && !db->lost;

	if (db->in_tx)
		return linked
			   ? 0
			   : err_set(ERR_DB, "the link broke in a transaction");
	if (!db_gate_enter(db->gate, clock_mono_ms(), hold_ms(db)))
		return err_set(ERR_DB,
		    "the database does not answer; it is asked again soon");
	if (linked)
		return 0;
	if (db->my != NULL)
		log_warn("database link lost; connecting again");
	db_disconnect(db);
	return connect_new(db);
}

struct db *
db_new(const struct site_conf *c, struct db_gate *gate)
{
	struct db *db = xcalloc(1, sizeof(*db));

	db->conf = c;
	db->gate = gate != NULL ? gate : &db->own_gate;
	db_set_actor(db, "sluice");
	return db;
}

int
db_open(const struct site_conf *c, struct db **out)
{
	struct db *db = db_new(c, NULL);
	int r;

	*out = NULL;
	if ((r = connect_new(db)) != 0) {
		free(db);
		return err_wrap("database");
	}
	*out = db;
	return 0;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	db_disconnect(db);
	free(db);
}

void
db_set_actor(struct db *db, const char *actor)
{
	size_t len = strlen(actor);

	if (len > DB_ACTOR_MAX) {
		len = DB_ACTOR_MAX;
		/* Not inside a character: the column is checked text. */
		while (len > 0 && ((unsigned char)actor[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(db->actor, actor, len);
	db->actor[len] = '\0';
}

const char *
db_actor(const struct db *db)
{
	return db->actor;
}

int64_t
db_insert_id(const struct db *db)
{
	return db->insert_id;
}

/* Read and drop what a text statement answers: it has no result here. */
static int
drop_result(struct db *db, const char *what)
{
	MYSQL_RES *res;

	if ((res = mysql_store_result(db->my)) != NULL)
		mysql_free_result(res);
	else if (mysql_errno(db->my) != 0)
		return db_failed(
		    db, mysql_errno(db->my), mysql_error(db->my), what);
	return 0;
}

int
db_run_text(struct db *db, const char *sql, size_t len, const char *what)
{
	int r;

	db_asks(db);
	if (mysql_real_query(db->my, sql, len) != 0)
		return db_failed(
		    db, mysql_errno(db->my), mysql_error(db->my), what);
	if ((r = drop_result(db, what)) == 0)
		db_gate_answers(db->gate);
	return r;
}

int
db_run_script_statement(struct db *db, const char *sql, size_t len)
{
	int r;

	if ((r = db_connected(db)) != 0)
		return r;
	return db_run_text(db, sql, len, "script");
}

static const struct db_stmt ping = { "ping", "", "SELECT 1" };
static const struct db_stmt lock_named = { "named lock", "si",
	"SELECT COALESCE(GET_LOCK(?, ?), 0)" };
static const struct db_stmt unlock_named = { "named unlock", "s",
	"SELECT COALESCE(RELEASE_LOCK(?), 0)" };

int
db_ping(struct db *db)
{
	return db_query(db, &ping, NULL, NULL, NULL);
}

int
db_named_lock(struct db *db, const char *name, int64_t timeout_s)
{
	int64_t got;
	int r;

	/* In pieces: a server that says nothing for long is thought gone. */
	do {
		if ((r = db_query_int(db, &lock_named, &got, name,
			 timeout_s > 0 ? INT64_C(1) : INT64_C(0))) != 0)
			return r;
	} while (got != 1 && --timeout_s > 0);
	return got == 1 ? 0 : err_set(ERR_BUSY, "lock %s is held", name);
}

void
db_named_unlock(struct db *db, const char *name)
{
	int64_t released;

	if (db_query_int(db, &unlock_named, &released, name) != 0)
		log_err("unlock %s", name);
}
