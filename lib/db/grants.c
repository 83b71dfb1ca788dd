/*
 * GRANT takes no bound values: the names in the file are replaced by those of
 * site.conf, which are checked to be plain words.  Called by "sluice migrate".
 */
#include "lib/db/grants.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/create.h"
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
