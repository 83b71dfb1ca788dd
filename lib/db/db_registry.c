/*
 * Keys, servers and services of others.  Called by fcgi-app for admins.
 */
#include "lib/db/db_registry.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

/* --- keys ----------------------------------------------------------------- */

struct key_row {
	const char *key_text;
};
static const struct db_col key_cols[] = {
	{ DB_STR, offsetof(struct key_row, key_text) },
};
static const struct db_shape key_shape = DB_SHAPE(struct key_row, key_cols);

static const struct db_stmt has_key = { "classic_key.has", "s",
	"SELECT COUNT(*) FROM classic_key WHERE party_id = ?" };
static const struct db_stmt put_key = { "classic_key.put", "ss",
	"INSERT INTO classic_key (party_id, key_text) VALUES (?, ?)"
	" ON DUPLICATE KEY UPDATE key_text = VALUES(key_text)" };
static const struct db_stmt get_key = { "classic_key.get", "s",
	"SELECT 1, key_text FROM classic_key WHERE party_id = ?" };
static const struct db_stmt delete_key = { "classic_key.delete", "s",
	"DELETE FROM classic_key WHERE party_id = ?" };

int
db_classic_key_put(
    struct db *db, const char *party_id, const char *key_text, bool *replaced)
{
	int64_t n = 0;
	int r;

	if ((r = db_query_int(db, &has_key, &n, party_id)) != 0)
		return r;
	if (replaced != NULL)
		*replaced = n != 0;
	return db_exec(db, &put_key, NULL, party_id, key_text);
}

int
db_classic_key_get(
    struct db *db, struct arena *a, const char *party_id, const char **key_text)
{
	struct key_row *row;
	int r;

	*key_text = NULL;
	r = db_select_one(db, &get_key, &key_shape, a, &row, party_id);
	if (r == 0)
		*key_text = row->key_text;
	return r;
}

int
db_classic_key_delete(struct db *db, const char *party_id)
{
	return db_exec(db, &delete_key, NULL, party_id);
}

/* --- servers ---------------------------------------------------------------- */

#define SERVER_COLS(X)                                                         \
	X(STR, name, "name")                                                   \
	X(STR, host, "host")                                                   \
	X(INT, port, "port")                                                   \
	X(STR, protocol, "protocol")
static const struct db_col server_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_server, field) },
	SERVER_COLS(COL)
#undef COL
};
static const struct db_shape server_shape =
    DB_SHAPE(struct db_server, server_cols);

static const struct db_stmt put_server = { "registered_server.put", "ssis",
	"INSERT INTO registered_server (name, host, port, protocol)"
	" VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE host = VALUES(host),"
	" port = VALUES(port), protocol = VALUES(protocol)" };
static const struct db_stmt list_servers = { "registered_server.list", "",
	"SELECT 1" SERVER_COLS(
	    DB_SQL) " FROM registered_server ORDER BY name" };

int
db_server_put(struct db *db, const struct db_server *s)
{
	return db_exec(
	    db, &put_server, NULL, s->name, s->host, s->port, s->protocol);
}

int
db_server_list(
    struct db *db, struct arena *a, struct db_server **rows, size_t *n)
{
	return db_select(db, &list_servers, &server_shape, a, rows, n);
}

/* --- services --------------------------------------------------------------- */

#define SERVICE_COLS(X)                                                        \
	X(STR, server_name, "server_name")                                     \
	X(STR, service_name, "service_name")                                   \
	X(STR, url, "url")                                                     \
	X(STR, method, "method")                                               \
	X(STR, params, "params")                                               \
	X(STR, body, "body")                                                   \
	X(STR, headers, "headers")
static const struct db_col service_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_service, field) },
	SERVICE_COLS(COL)
#undef COL
};
static const struct db_shape service_shape =
    DB_SHAPE(struct db_service, service_cols);

static const struct db_stmt put_service = { "registered_service.put", "sssssss",
	"INSERT INTO registered_service (server_name, service_name, url,"
	" method, params, body, headers) VALUES (?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE url = VALUES(url), method = VALUES(method),"
	" params = VALUES(params), body = VALUES(body),"
	" headers = VALUES(headers)" };
static const struct db_stmt find_service = { "registered_service.find", "sss",
	"SELECT 1" SERVICE_COLS(DB_SQL) " FROM registered_service"
					" WHERE service_name = ? AND"
					" (? IS NULL OR server_name = ?)"
					" ORDER BY server_name" };

int
db_service_put(struct db *db, const struct db_service *s)
{
	return db_exec(db, &put_service, NULL, s->server_name, s->service_name,
	    s->url, s->method, s->params, s->body, s->headers);
}

static int
put_all(struct db *db, void *ctx)
{
	const struct db_registration *g = ctx;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < g->nservers; i++)
		r = db_server_put(db, &g->servers[i]);
	for (i = 0; r == 0 && i < g->nservices; i++)
		r = db_service_put(db, &g->services[i]);
	return r;
}

int
db_registration_put(struct db *db, const struct db_registration *g)
{
	struct db_registration copy = *g;

	return db_tx(db, put_all, &copy);
}

int
db_service_find(struct db *db, struct arena *a, const char *service_name,
    const char *server_name, struct db_service **rows, size_t *n)
{
	return db_select(db, &find_service, &service_shape, a, rows, n,
	    service_name, server_name, server_name);
}
