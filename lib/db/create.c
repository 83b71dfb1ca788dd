/*
 * CREATE DATABASE and CREATE USER take no bound values, so names and
 * password are checked to be plain words before they become text.  Called
 * by "sluice db create".
 */
#include "lib/db/create.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db.h"

#define PASSWORD_MAX 256
#define NAME_MAX_LEN 64 /* MySQL's limit for names of databases */

static bool
is_word(const char *s, size_t max)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n >= 1 && n <= max && s[n] == '\0';
}

/* The first line, which must be a plain word; "" without a file. */
static int
read_password(const char *path, struct buf *out)
{
	int r;

	if (path[0] == '\0') {
		buf_append(out, "", 0);
		return 0;
	}
	if ((r = buf_read_file(out, path, PASSWORD_MAX)) != 0)
		return r;
	out->data[strcspn(out->data, "\r\n")] = '\0';
	if (!is_word(out->data, PASSWORD_MAX))
		return err_set(ERR_INVALID,
		    "%s: the password must be of "
		    "letters, digits and _",
		    path);
	return 0;
}

static int run(struct db *db, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
run(struct db *db, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;
	int r;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	r = db_run_script_statement(db, buf_str(&text), text.len);
	if (text.data != NULL)
		sodium_memzero(text.data, text.len);
	buf_fini(&text);
	return r;
}

/*
 * The account comes over the socket as 'localhost'; over TCP it may come
 * from anywhere, and the server's own address settings decide.
 */
static int
create_all(struct db *db, const struct site_conf *site, const char *password)
{
	const char *host = site->db_socket[0] != '\0' ? "localhost" : "%";
	const char *user = site->db_user, *name = site->db_name;
	int r;

	if ((r = run(db,
		 "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET "
		 "utf8mb4 COLLATE utf8mb4_bin",
		 name)) != 0 ||
	    (r = run(db, "CREATE USER IF NOT EXISTS '%s'@'%s'", user, host)) !=
		0 ||
	    (r = run(db, "ALTER USER '%s'@'%s' IDENTIFIED BY '%s'", user, host,
		 password)) != 0 ||
	    (r = run(db, "GRANT ALL PRIVILEGES ON `%s`.* TO '%s'@'%s'", name,
		 user, host)) != 0)
		return r;
	return 0;
}

static char *
text_or(const char *text, const char *otherwise)
{
	return xstrdup(text != NULL ? text : otherwise);
}

int
db_create(const struct site_conf *site, const struct db_admin *admin)
{
	struct site_conf as_admin = *site;
	char *socket, *host, *file;
	struct buf password = BUF_INIT;
	struct db *db = NULL;
	int r;

	if (!is_word(site->db_name, NAME_MAX_LEN) ||
	    !is_word(site->db_user, NAME_MAX_LEN))
		return err_set(ERR_INVALID, "[database] name and user must "
					    "be of letters, digits and _");
	socket =
	    text_or(admin->socket, admin->host != NULL ? "" : site->db_socket);
	host = text_or(admin->host, site->db_host);
	file = text_or(admin->password_file, "");
	as_admin.db_socket = socket;
	as_admin.db_host = host;
	as_admin.db_password_file = file;
	/* Strings of the copy are read only. */
	as_admin.db_user = (char *)(uintptr_t)admin->user;
	as_admin.db_name = (char *)(uintptr_t) "information_schema";
	if ((r = read_password(site->db_password_file, &password)) == 0 &&
	    (r = db_open(&as_admin, &db)) == 0)
		r = create_all(db, site, buf_str(&password));
	db_close(db);
	if (password.data != NULL)
		sodium_memzero(password.data, password.cap);
	buf_fini(&password);
	free(socket);
	free(host);
	free(file);
	return r;
}
