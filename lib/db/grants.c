/*
 * GRANT takes no bound values: the names in the file are replaced by those of
 * site.conf, which are checked to be plain words.  Called by "sluice migrate",
 * and by "sluice doctor" to compare.
 */
#include "lib/db/grants.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/create.h"
#include "lib/db/db_rows.h"
#include "lib/db/migrate.h"

#define FILE_MAX (1 << 20)

/* As the file spells the two accounts. */
#define FCGI "'sluice_fcgi'@'localhost'"
#define SUPERVISOR "'sluice_supervisor'@'localhost'"

static const char *
find(const char *text, const char *end, const char *what)
{
	return memmem(text, (size_t)(end - text), what, strlen(what));
}

static void
put(struct buf *out, const char *start, size_t len, const char *what,
    const char *user, const char *host)
{
	const char *end = start + len, *at;

	while ((at = find(start, end, what)) != NULL) {
		buf_append(out, start, (size_t)(at - start));
		buf_printf(out, "'%s'@'%s'", user, host);
		start = at + strlen(what);
	}
	buf_append(out, start, (size_t)(end - start));
}

/* Those that make accounts, or are about others, are not for here. */
static int
run(struct db *db, const struct site_conf *site, const char *start, size_t len)
{
	const char *host = db_account_host(site), *end = start + len;
	struct buf text = BUF_INIT;
	int r = 0;

	if (strncmp(start, "GRANT ", 6) != 0)
		return 0;
	if (find(start, end, FCGI) != NULL)
		put(&text, start, len, FCGI, site->db_fcgi_user, host);
	else if (find(start, end, SUPERVISOR) != NULL)
		put(&text, start, len, SUPERVISOR, site->db_supervisor_user,
		    host);
	if (text.len > 0)
		r = db_run_script_statement(db, buf_str(&text), text.len);
	buf_fini(&text);
	return r;
}

int
db_grant_programs(
    struct db *db, const struct site_conf *site, const char *folder)
{
	struct buf sql = BUF_INIT;
	const char *text, *start;
	char *path;
	size_t len;
	int r;

	if (!site_conf_has_accounts(site))
		return 0;
	if (!db_is_account_name(site->db_fcgi_user) ||
	    !db_is_account_name(site->db_supervisor_user))
		return err_set(ERR_INVALID, "[database] fcgi_user and "
					    "supervisor_user must be of "
					    "letters, digits and _");
	path = xasprintf("%s/grants.sql", folder);
	if ((r = buf_read_file(&sql, path, FILE_MAX)) == 0) {
		text = buf_str(&sql);
		while ((r = sql_next_statement(&text, &start, &len)) == 1)
			if ((r = run(db, site, start, len)) != 0)
				break;
	}
	buf_fini(&sql);
	free(path);
	return r == 0 ? 0 : err_wrap("rights of the programs' accounts");
}

/* --- are they there? ---------------------------------------------------------- */

struct right_row {
	const char *text;
};
static const struct db_col right_cols[] = {
	{ DB_STR, offsetof(struct right_row, text) },
};
static const struct db_shape right_shape =
    DB_SHAPE(struct right_row, right_cols);

/* An account sees its own alone. */
static const struct db_stmt rights = { "grants.own", "",
	"SELECT 1, CONCAT(privilege_type, ' on ', table_name)"
	" FROM information_schema.table_privileges"
	" WHERE table_schema = DATABASE()"
	" UNION SELECT 1, CONCAT(privilege_type, ' on ', table_name)"
	" FROM information_schema.column_privileges"
	" WHERE table_schema = DATABASE()"
	" UNION SELECT 1, CONCAT(privilege_type, ' on *')"
	" FROM information_schema.schema_privileges"
	" WHERE DATABASE() LIKE table_schema"
	" UNION SELECT 1, CONCAT(privilege_type, ' on *')"
	" FROM information_schema.user_privileges" };

struct comparing {
	struct arena *arena;
	struct right_row *rows;
	size_t n;
	const char *missing;
};

static void
need(struct comparing *c, const char *right, const char *table)
{
	const char *one = arena_printf(c->arena, "%s on %s", right, table);
	const char *all = arena_printf(c->arena, "%s on *", right);

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->rows[i].text, one) == 0 ||
		    strcmp(c->rows[i].text, all) == 0)
			return;
	c->missing = arena_printf(c->arena, "%s%s%s", c->missing,
	    c->missing[0] != '\0' ? ", " : "", one);
}

/* "GRANT SELECT, UPDATE (a, b) ON t TO …": each word before ON is a right. */
static int
compare(struct comparing *c, const char *start, size_t len)
{
	char *text = arena_printf(c->arena, "%.*s", (int)len, start), *at;
	char *on = strstr(text, " ON "), *word, *table, *save, *close;

	if (on == NULL) /* at the end of a line */
		on = strstr(text, "\n  ON ");
	if (on == NULL)
		return err_set(ERR_FORMAT, "%.60s has no ON", text);
	*on = '\0';
	table = strtok_r(strstr(on + 1, "ON ") + 3, " \n", &save);
	while ((at = strchr(text, '(')) != NULL) {
		if ((close = strchr(at, ')')) == NULL)
			return err_set(ERR_FORMAT, "%.60s has no end", at);
		memset(at, ' ', (size_t)(close - at) + 1);
	}
	for (word = strtok_r(text + strlen("GRANT "), ", \n", &save);
	     word != NULL && table != NULL;
	     word = strtok_r(NULL, ", \n", &save))
		need(c, word, table);
	return 0;
}

int
db_grants_missing(struct db *db, enum site_program program, const char *folder,
    struct arena *a, const char **missing)
{
	const char *account = program == SITE_FCGI ? FCGI : SUPERVISOR;
	struct comparing c = { .arena = a, .missing = "" };
	char *path = xasprintf("%s/grants.sql", folder);
	struct buf sql = BUF_INIT;
	const char *text, *start;
	size_t len;
	int r;

	if ((r = buf_read_file(&sql, path, FILE_MAX)) == 0 &&
	    (r = db_select(db, &rights, &right_shape, a, &c.rows, &c.n)) == 0) {
		text = buf_str(&sql);
		while ((r = sql_next_statement(&text, &start, &len)) == 1)
			if (strncmp(start, "GRANT ", 6) == 0 &&
			    find(start, start + len, account) != NULL &&
			    (r = compare(&c, start, len)) != 0)
				break;
	}
	buf_fini(&sql);
	free(path);
	*missing = c.missing;
	return r;
}
