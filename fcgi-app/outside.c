/*
 * Tables outside.  Called by api_bind.c and api_move.c.
 */
#include "fcgi-app/outside.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_connector.h"
#include "lib/db/db_remote.h"
#include "lib/sign/vault.h"

/* A worker waits for a server so long at most. */
#define TIMEOUT_S 3

static int
check_columns(struct request *req, struct db_remote *remote, const char *table,
    const char *const *columns)
{
	const char *const *have;
	size_t n, i, j;
	int r;

	r = db_remote_columns(remote, table, req->arena, &have, &n);
	if (r != 0 || columns == NULL)
		return r;
	for (i = 0; columns[i] != NULL; i++) {
		for (j = 0; j < n && strcasecmp(have[j], columns[i]) != 0; j++)
			;
		if (j == n)
			return err_set(ERR_NOT_FOUND,
			    "the table %s has no column '%s'", table,
			    columns[i]);
	}
	return 0;
}

enum wanted { A_SERVER, A_TABLE };

/* With the password as it came, before it is sealed. */
static int
try_server(struct request *req, const struct data_address *a,
    enum wanted wanted, const char *const *columns)
{
	struct remote_server server = {
		.host = a->host,
		.port = a->port,
		.user = a->user,
		.password = a->passwd != NULL ? a->passwd : "",
		.db = a->db != NULL ? a->db : "",
		.tls_ca = req->app->conf->mysql_tls_ca,
		.connect_timeout_s = TIMEOUT_S,
		.answer_timeout_s = TIMEOUT_S,
	};
	struct db_remote *remote;
	int r;

	if ((r = db_remote_open(&server, &remote)) != 0)
		return r;
	if (wanted == A_TABLE)
		r = check_columns(req, remote, a->name, columns);
	db_remote_close(remote);
	return r;
}

static int
seal(
    struct request *req, const struct data_address *a, struct json_object *kept)
{
	char *sealed;
	int r;

	if (a->passwd == NULL)
		return 0;
	if ((r = vault_seal(req->app->conf->home, a->passwd,
		 data_mysql_place(req->arena, a), &sealed)) != 0)
		return r;
	json_object_object_del(kept, "password");
	json_add_str(kept, "passwd", sealed);
	free(sealed);
	return 0;
}

/* --- one check for each kind ------------------------------------------------- */

static int
load_connector(struct request *req, const char *name, struct json_object **info)
{
	struct db_connector *c;
	int r;

	if ((r = db_connector_get(req->app->db, req->arena, name, &c)) != 0)
		return r;
	return json_parse_text(c->info, info);
}

static int
check_merged(struct request *req, struct json_object *merged,
    enum wanted wanted, const char *const *columns, bool has_own_password,
    struct json_object *kept)
{
	struct faults faults = FAULTS_INIT;
	struct data_address a;
	int r;

	if (data_address_parse(DATA_MYSQL, merged,
		JSON_PATH_KEY(NULL, "address"), &faults, &a) != 0) {
		r = faults_err(&faults, "address");
		goto out;
	}
	/* Here a connector has said its part: nothing may be missing. */
	if (a.host == NULL || a.user == NULL || a.db == NULL) {
		r = err_set(ERR_INVALID,
		    "neither the address nor its connector has %s",
		    a.host == NULL   ? "host"
		    : a.user == NULL ? "user"
				     : "db");
		goto out;
	}
	if ((r = data_address_allowed(req->app->conf, &a)) != 0)
		goto out;
	/* A connector's password is sealed, and was tried when it was made. */
	if (has_own_password || a.passwd == NULL)
		if ((r = try_server(req, &a, wanted, columns)) != 0)
			goto out;
	if (has_own_password)
		r = seal(req, &a, kept);
out:
	faults_fini(&faults);
	return r;
}

static int
check_mysql(struct request *req, struct json_object *address,
    const struct data_address *a, enum wanted wanted,
    const char *const *columns, struct json_object *kept)
{
	struct json_object *info = NULL, *merged;
	int r;

	if (a->connector_name != NULL &&
	    (r = load_connector(req, a->connector_name, &info)) != 0)
		return r;
	/* Two names for one thing: the address's own counts. */
	if (a->passwd != NULL && info != NULL) {
		json_object_object_del(info, "passwd");
		json_object_object_del(info, "password");
	}
	merged = data_address_merge(info, address);
	r = check_merged(req, merged, wanted, columns, a->passwd != NULL, kept);
	json_object_put(merged);
	json_object_put(info);
	return r;
}

static int
check(struct request *req, enum data_engine engine, struct json_object *address,
    enum wanted wanted, const char *const *columns, struct json_object **kept)
{
	struct faults faults = FAULTS_INIT;
	struct data_address a;
	int r = 0;

	*kept = NULL;
	if (data_address_parse(engine, address, JSON_PATH_KEY(NULL, "address"),
		&faults, &a) != 0)
		r = faults_err(&faults, "address");
	faults_fini(&faults);
	if (r != 0)
		return r;
	*kept = json_copy(address);
	if (engine == DATA_MYSQL)
		r = check_mysql(req, address, &a, wanted, columns, *kept);
	else
		r = data_address_allowed(req->app->conf, &a);
	if (r != 0) {
		json_object_put(*kept);
		*kept = NULL;
	}
	return r;
}

int
outside_check(struct request *req, enum data_engine engine,
    struct json_object *address, const char *const *columns,
    struct json_object **kept)
{
	return check(req, engine, address, A_TABLE, columns, kept);
}

int
outside_check_target(struct request *req, enum data_engine engine,
    struct json_object *address, struct json_object **kept)
{
	if (engine != DATA_MYSQL)
		return err_set(ERR_UNSUPPORTED,
		    "tables are not written to addresses of the engine %s",
		    data_engine_name(engine));
	return check(req, engine, address, A_SERVER, NULL, kept);
}

int
outside_check_connector(struct request *req, enum data_engine engine,
    struct json_object *info, struct json_object **kept)
{
	struct faults faults = FAULTS_INIT;
	struct data_address a;
	int r;

	*kept = NULL;
	r = data_connector_parse(
	    engine, info, JSON_PATH_KEY(NULL, "connector_info"), &faults, &a);
	if (faults_any(&faults))
		r = faults_err(&faults, "connector");
	faults_fini(&faults);
	if (r != 0 || (r = data_address_allowed(req->app->conf, &a)) != 0 ||
	    (r = try_server(req, &a, A_SERVER, NULL)) != 0)
		return r;
	*kept = json_copy(info);
	if ((r = seal(req, &a, *kept)) != 0) {
		json_object_put(*kept);
		*kept = NULL;
	}
	return r;
}

int
outside_refuse(struct reply *rp, int code)
{
	switch (code) {
	case ERR_DB:
	case ERR_DB_RETRY:
	case ERR_NOMEM:
	case ERR_INVALID:
		return code;
	default:
		return reply_fault(rp, 100, "%s", err_text());
	}
}
