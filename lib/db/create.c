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
#define ACCOUNT_MAX_LEN 32 /* MySQL's for users */
#define NAME_MAX_LEN 64	   /* MySQL's limit for names of databases */

static bool
is_word(const char *s, size_t max)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n >= 1 && n <= max && s[n] == '\0';
}

bool
db_is_account_name(const char *name)
{
	return is_word(name, ACCOUNT_MAX_LEN);
}

static bool
accounts_are_words(const struct site_conf *site)
{
	return !site_conf_has_accounts(site) ||
	       (db_is_account_name(site->db_fcgi_user) &&
		   db_is_account_name(site->db_supervisor_user));
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
const char *
db_account_host(const struct site_conf *site)
{
	return site->db_socket[0] != '\0' ? "localhost" : "%";
}

static int
create_account(struct db *db, const struct site_conf *site, const char *user,
    const char *password_file)
{
	const char *host = db_account_host(site);
	struct buf password = BUF_INIT;
	int r;

	if ((r = read_password(password_file, &password)) == 0 &&
	    (r = run(db, "CREATE USER IF NOT EXISTS '%s'@'%s'", user, host)) ==
		0)
		r = run(db, "ALTER USER '%s'@'%s' IDENTIFIED BY '%s'", user,
		    host, buf_str(&password));
	if (password.data != NULL)
		sodium_memzero(password.data, password.cap);
	buf_fini(&password);
	return r;
}

static int
create_all(struct db *db, const struct site_conf *site)
{
	bool accounts = site_conf_has_accounts(site);
	const char *user = site->db_user, *name = site->db_name;
	int r;

	if ((r = run(db,
		 "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET "
		 "utf8mb4 COLLATE utf8mb4_bin",
		 name)) != 0 ||
	    (r = create_account(db, site, user, site->db_password_file)) != 0)
		return r;
	if (accounts &&
	    ((r = create_account(db, site, site->db_fcgi_user,
		  site->db_fcgi_password_file)) != 0 ||
		(r = create_account(db, site, site->db_supervisor_user,
		     site->db_supervisor_password_file)) != 0))
		return r;
	return run(db, "GRANT ALL PRIVILEGES ON `%s`.* TO '%s'@'%s'%s", name,
	    user, db_account_host(site), accounts ? " WITH GRANT OPTION" : "");
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
	struct db *db = NULL;
	int r;

	if (!is_word(site->db_name, NAME_MAX_LEN) ||
	    !is_word(site->db_user, NAME_MAX_LEN) || !accounts_are_words(site))
		return err_set(ERR_INVALID, "[database] name and users must "
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
	if ((r = db_open(&as_admin, &db)) == 0)
		r = create_all(db, site);
	db_close(db);
	free(socket);
	free(host);
	free(file);
	return r;
}
