/*
 * Connections to other people's servers, and reading from them.  Called by
 * fcgi-app when a table is bound and by shepherds; writing is in
 * db_remote_write.c.
 */
#include "lib/db/db_remote.h"

#include <errmsg.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_remote_private.h"

/* One row is held in memory. */
#define MAX_PACKET (64ul << 20)
#define NAME_MAX_CHARS 64

/* Server errors; the header sets of the two servers name them differently. */
enum {
	CODE_DB_ACCESS_DENIED = 1044,
	CODE_ACCESS_DENIED = 1045,
	CODE_UNKNOWN_DB = 1049,
	CODE_UNKNOWN_COLUMN = 1054,
	CODE_DUPLICATE_KEY = 1062,
	CODE_TABLE_DENIED = 1142,
	CODE_COLUMN_DENIED = 1143,
	CODE_NO_TABLE = 1146,
};

int
remote_failed(const struct db_remote *r, unsigned int code, const char *message,
    const char *what)
{
	int err = ERR_DB;

	switch (code) {
	case CODE_ACCESS_DENIED:
	case CODE_DB_ACCESS_DENIED:
	case CODE_TABLE_DENIED:
	case CODE_COLUMN_DENIED:
		err = ERR_DENIED;
		break;
	case CODE_UNKNOWN_DB:
	case CODE_UNKNOWN_COLUMN:
	case CODE_NO_TABLE:
		err = ERR_NOT_FOUND;
		break;
	case CODE_DUPLICATE_KEY:
		err = ERR_EXISTS;
		break;
	default:
		if (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR)
			err = ERR_NET;
		break;
	}
	return err_set(err, "%s: %s: %s", r->where, what, message);
}

int
remote_fails(const struct db_remote *r, const char *what)
{
	return remote_failed(r, mysql_errno(r->my), mysql_error(r->my), what);
}

/* --- names -------------------------------------------------------------------- */

bool
db_remote_is_name(const char *s)
{
	size_t n = strlen(s), i, chars = 0;

	if (n == 0 || s[n - 1] == ' ' || !str_is_utf8(s, n))
		return false;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < ' ' || c == 0x7f || c == '`' || c == '\\' || c == '/')
			return false;
		chars += (c & 0xc0) != 0x80;
	}
	return chars <= NAME_MAX_CHARS;
}

int
remote_check_name(const char *what, const char *name)
{
	return db_remote_is_name(name)
		   ? 0
		   : err_set(ERR_INVALID,
			 "'%.64s' cannot be the name of a %s: 1 to %d "
			 "characters, without ` \\ / and control characters",
			 name, what, NAME_MAX_CHARS);
}

void
remote_put_name(struct buf *sql, const char *name)
{
	/* Has no backtick in it: it was checked. */
	buf_printf(sql, "`%s`", name);
}

void
remote_put_names(struct buf *sql, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(sql, ", ");
		remote_put_name(sql, names[i]);
	}
}

/* --- connection ----------------------------------------------------------------- */

static int
set_options(MYSQL *my, const struct remote_server *s)
{
	/* No plugin that sends the password as it is. */
	static const char plugins[] = "mysql_native_password,client_ed25519,"
				      "caching_sha2_password,sha256_password";
	unsigned int no = 0;
	unsigned long packet = MAX_PACKET;
	my_bool yes = 1;

	if (mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4") != 0 ||
	    mysql_options(
		my, MYSQL_OPT_CONNECT_TIMEOUT, &s->connect_timeout_s) != 0 ||
	    mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &s->answer_timeout_s) !=
		0 ||
	    mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &s->answer_timeout_s) !=
		0 ||
	    mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet) != 0 ||
	    mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH, plugins) != 0 ||
	    mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no) != 0)
		return err_set(ERR_DB, "client library: an option is refused");
	if (s->tls_ca[0] == '\0')
		return 0;
	if (mysql_ssl_set(my, NULL, NULL, s->tls_ca, NULL, NULL) != 0 ||
	    mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &yes) != 0 ||
	    mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes) != 0)
		return err_set(ERR_DB, "client library: no TLS");
	return 0;
}

/* A reader that is slow may make the server wait this long. */
static const char session_sql[] =
    "SET SESSION net_write_timeout = 600, SESSION sql_mode ="
    " 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";

static int
connect_to(struct db_remote *r, const struct remote_server *s)
{
	bool is_socket = s->host[0] == '/';
	const char *host = is_socket ? NULL : s->host;
	int fd;

	/* "localhost" would mean a unix socket to the library. */
	if (str_eq(host, "localhost"))
		host = "127.0.0.1";
	if (mysql_real_connect(r->my, host, s->user, s->password,
		s->db[0] != '\0' ? s->db : NULL, (unsigned int)s->port,
		is_socket ? s->host : NULL, 0) == NULL)
		return remote_fails(r, "connect");
	fd = (int)mysql_get_socket(r->my);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(ERR_DB, "close-on-exec");
	atomic_store(&r->socket, fd);
	return remote_run(r, session_sql, strlen(session_sql), "session");
}

/* The library keeps something for each thread; the first one's stays. */
static bool
is_first_thread(void)
{
	return gettid() == getpid();
}

int
db_remote_open(const struct remote_server *s, struct db_remote **out)
{
	struct db_remote *r;
	int e;

	*out = NULL;
	if (s->db[0] != '\0' && (e = remote_check_name("database", s->db)) != 0)
		return e;
	e = 0;
	r = xcalloc(1, sizeof(*r));
	r->where = xasprintf("%s:%lld", s->host, (long long)s->port);
	atomic_init(&r->socket, -1);
	if (!is_first_thread())
		(void)mysql_thread_init();
	if ((r->my = mysql_init(NULL)) == NULL)
		e = err_set(ERR_NOMEM, "client library");
	else if ((e = set_options(r->my, s)) == 0)
		e = connect_to(r, s);
	if (e != 0) {
		db_remote_close(r);
		return e;
	}
	*out = r;
	return 0;
}

void
db_remote_close(struct db_remote *r)
{
	if (r == NULL)
		return;
	atomic_store(&r->socket, -1);
	if (r->my != NULL)
		mysql_close(r->my);
	if (!is_first_thread())
		mysql_thread_end();
	free(r->where);
	free(r);
}

void
db_remote_interrupt(struct db_remote *r)
{
	int fd = atomic_load(&r->socket);

	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
}

int
remote_run(struct db_remote *r, const char *sql, size_t len, const char *what)
{
	MYSQL_RES *result;

	if (mysql_real_query(r->my, sql, len) != 0)
		return remote_fails(r, what);
	if ((result = mysql_store_result(r->my)) != NULL)
		mysql_free_result(result);
	else if (mysql_errno(r->my) != 0)
		return remote_fails(r, what);
	return 0;
}

int
remote_run_buf(struct db_remote *r, const struct buf *sql, const char *what)
{
	return remote_run(r, buf_str(sql), sql->len, what);
}

/* --- reading ------------------------------------------------------------------------ */

int
db_remote_columns(struct db_remote *r, const char *table, struct arena *a,
    const char *const **names, size_t *n)
{
	struct buf sql = BUF_INIT;
	MYSQL_RES *result = NULL;
	MYSQL_FIELD *fields;
	const char **list;
	size_t i;
	int e;

	*names = NULL;
	*n = 0;
	if ((e = remote_check_name("table", table)) != 0)
		return e;
	buf_puts(&sql, "SELECT * FROM ");
	remote_put_name(&sql, table);
	buf_puts(&sql, " LIMIT 0");
	if (mysql_real_query(r->my, buf_str(&sql), sql.len) != 0 ||
	    (result = mysql_store_result(r->my)) == NULL) {
		e = remote_fails(r, table);
		goto out;
	}
	fields = mysql_fetch_fields(result);
	*n = mysql_num_fields(result);
	list = arena_alloc(a, (*n + 1) * sizeof(*list));
	for (i = 0; i < *n; i++)
		list[i] = arena_strdup(a, fields[i].name);
	*names = list;
out:
	if (result != NULL)
		mysql_free_result(result);
	buf_fini(&sql);
	return e;
}

static int
each_row(struct db_remote *r, MYSQL_RES *result, size_t n, remote_row_fn *fn,
    void *ctx, const char *table)
{
	struct remote_value *values = mem_array(n, sizeof(*values));
	unsigned long *lengths;
	uint64_t number = 0;
	MYSQL_ROW row;
	size_t i;
	int e = 0;

	if (values == NULL)
		return err_code();
	while (e == 0 && (row = mysql_fetch_row(result)) != NULL) {
		lengths = mysql_fetch_lengths(result);
		for (i = 0; i < n; i++)
			values[i] = (struct remote_value){ row[i],
				row[i] != NULL ? lengths[i] : 0 };
		e = fn(ctx, ++number, values, n);
	}
	if (e == 0 && mysql_errno(r->my) != 0)
		e = remote_fails(r, table);
	free(values);
	return e;
}

int
db_remote_read(struct db_remote *r, const char *table,
    const char *const *columns, size_t n, remote_row_fn *fn, void *ctx)
{
	struct buf sql = BUF_INIT;
	MYSQL_RES *result = NULL;
	size_t i;
	int e;

	if ((e = remote_check_name("table", table)) != 0)
		return e;
	for (i = 0; i < n; i++)
		if ((e = remote_check_name("column", columns[i])) != 0)
			return e;
	buf_puts(&sql, "SELECT ");
	remote_put_names(&sql, columns, n);
	buf_puts(&sql, " FROM ");
	remote_put_name(&sql, table);
	if (mysql_real_query(r->my, buf_str(&sql), sql.len) != 0 ||
	    (result = mysql_use_result(r->my)) == NULL)
		e = remote_fails(r, table);
	else
		e = each_row(r, result, n, fn, ctx, table);
	if (result != NULL) {
		/* The library would read what is left; nobody wants it. */
		if (e != 0)
			db_remote_interrupt(r);
		mysql_free_result(result);
	}
	buf_fini(&sql);
	return e;
}
