/*
 * Called by fcgi-app.
 */
#include "lib/db/db_provider.h"

static const struct db_stmt generation_of = { "provider.generation", "",
	"SELECT COALESCE(MAX(id), 0) FROM provider" };
static const struct db_stmt add = { "provider.register", "sss",
	"INSERT INTO provider (name, version, registered_by)"
	" VALUES (?, ?, LEFT(?, 200))" };

int
db_provider_generation(struct db *db, int64_t *generation)
{
	return db_query_int(db, &generation_of, generation);
}

int
db_provider_register(
    struct db *db, const char *name, const char *version, const char *actor)
{
	return db_exec(db, &add, NULL, name, version, actor);
}
