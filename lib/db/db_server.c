/*
 * Statements of sluice doctor.
 */
#include "lib/db/db_server.h"

#include <stdlib.h>
#include <string.h>

#include "lib/db/db_rows.h"

struct info_row {
	const char *version;
	int64_t max_packet;
	int64_t now_ms;
};
static const struct db_col info_cols[] = {
	{ DB_STR, offsetof(struct info_row, version) },
	{ DB_INT, offsetof(struct info_row, max_packet) },
	{ DB_INT, offsetof(struct info_row, now_ms) },
};
static const struct db_shape info_shape = DB_SHAPE(struct info_row, info_cols);

static const struct db_stmt info = { "server.info", "",
	"SELECT 1, VERSION(), CAST(@@max_allowed_packet AS SIGNED), " DB_SQL_MS(
	    "NOW(6)") };
static const struct db_stmt right = { "server.right", "ssss",
	"SELECT (SELECT COUNT(*) FROM information_schema.user_privileges"
	" WHERE privilege_type = ? AND grantee = CONCAT('''',"
	" REPLACE(CURRENT_USER(), '@', '''@'''), ''''))"
	" + (SELECT COUNT(*) FROM information_schema.schema_privileges"
	" WHERE privilege_type = ? AND ? <> ''"
	" AND DATABASE() LIKE table_schema"
	" AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''),"
	" ''''))"
	" + (SELECT COUNT(*) FROM information_schema.table_privileges"
	" WHERE privilege_type = ? AND table_schema = DATABASE()"
	" AND table_name = 'job')" };

bool
db_server_is_new_enough(const char *version)
{
	char *end;
	int major = (int)strtol(version, &end, 10);
	int minor = *end == '.' ? (int)strtol(end + 1, NULL, 10) : 0;

	if (strstr(version, "MariaDB") != NULL)
		return major > 10 || (major == 10 && minor >= 6);
	return major >= 8;
}

int
db_server_info(struct db *db, struct arena *a, struct db_server_info *out)
{
	struct info_row *row;
	int r;

	if ((r = db_select_one(db, &info, &info_shape, a, &row)) != 0)
		return r;
	*out = (struct db_server_info){ .version = row->version,
		.is_new_enough = db_server_is_new_enough(row->version),
		.max_packet = row->max_packet,
		.now_ms = row->now_ms };
	return 0;
}

int
db_server_rights(struct db *db, struct arena *a, const char **missing)
{
	static const char *const needed[] = { "SELECT", "INSERT", "UPDATE" };
	const char *list = "";
	size_t i;
	int64_t n;
	int r;

	*missing = "";
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if ((r = db_query_int(db, &right, &n, needed[i], needed[i],
			 needed[i], needed[i])) != 0)
			return r;
		if (n == 0)
			list = arena_printf(a, "%s%s%s", list,
			    list[0] != '\0' ? ", " : "", needed[i]);
	}
	*missing = list;
	return 0;
}

/* MariaDB 11.1 has the name that MySQL has, and takes leave of its own. */
const char *
db_isolation_variable(unsigned long version)
{
	return version >= 110101 ? "transaction_isolation" : "tx_isolation";
}
