/*
 * Connectors.  Written by fcgi-app, read by shepherds.
 */
#include "lib/db/db_connector.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define CONNECTOR_COLS(X)                                                      \
	X(STR, name, "name")                                                   \
	X(STR, engine, "engine")                                               \
	X(STR, info, "info")
static const struct db_col connector_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_connector, field) },
	CONNECTOR_COLS(COL)
#undef COL
};
static const struct db_shape connector_shape =
    DB_SHAPE(struct db_connector, connector_cols);

static const struct db_stmt put = { "connector.put", "sss",
	"INSERT INTO connector (name, engine, info) VALUES (?, ?, ?)"
	" ON DUPLICATE KEY UPDATE engine = VALUES(engine),"
	" info = VALUES(info)" };
static const struct db_stmt get = { "connector.get", "s",
	"SELECT 1" CONNECTOR_COLS(DB_SQL) " FROM connector WHERE name = ?" };

int
db_connector_put(struct db *db, const struct db_connector *c)
{
	return db_exec(db, &put, NULL, c->name, c->engine, c->info);
}

int
db_connector_get(
    struct db *db, struct arena *a, const char *name, struct db_connector **out)
{
	int r = db_select_one(db, &get, &connector_shape, a, out, name);

	return r == ERR_NOT_FOUND
		   ? err_set(r, "no connector of the name %.255s", name)
		   : r;
}
