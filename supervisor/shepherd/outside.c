/*
 * Addresses, ready to be used.  Called by source.c and delivery.c.
 */
#include "supervisor/shepherd/outside.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_connector.h"
#include "lib/sign/vault.h"

#define CONNECT_TIMEOUT_S 10
/* A server may work long on one statement, and wait for locks. */
#define ANSWER_TIMEOUT_S 600

static int
with_connector(
    struct db *db, struct json_object *address, struct json_object **out)
{
	const char *name = json_get_str(address, "connector_name", NULL);
	struct json_object *info = NULL;
	struct db_connector *c;
	struct arena *arena;
	int r = 0;

	if (name != NULL) {
		arena = arena_new();
		if ((r = db_connector_get(db, arena, name, &c)) == 0)
			r = json_parse_text(c->info, &info);
		arena_free(arena);
	}
	if (r == 0)
		*out = data_address_merge(info, address);
	json_object_put(info);
	return r;
}

static int
open_password(struct outside *o)
{
	struct arena *arena;
	int r;

	if (o->address.passwd == NULL) {
		o->password = xstrdup("");
		return 0;
	}
	arena = arena_new();
	r = vault_open(o->conf->home, o->address.passwd,
	    data_mysql_place(arena, &o->address), &o->password);
	arena_free(arena);
	return r;
}

static int
check(struct outside *o)
{
	struct faults faults = FAULTS_INIT;
	const struct data_address *a = &o->address;
	int r = 0;

	if (data_address_parse(o->address.engine, o->json,
		JSON_PATH_KEY(NULL, "address"), &faults, &o->address) != 0)
		r = faults_err(&faults, "address");
	faults_fini(&faults);
	if (r != 0 || a->engine != DATA_MYSQL)
		return r;
	if (a->host == NULL || a->user == NULL || a->db == NULL)
		return err_set(ERR_INVALID,
		    "neither the address nor its connector has %s",
		    a->host == NULL   ? "host"
		    : a->user == NULL ? "user"
				      : "db");
	/* Asked again: the setting may have changed since it was bound. */
	if ((r = data_address_allowed(o->conf, a)) != 0)
		return r;
	return open_password(o);
}

int
outside_open(struct db *db, const struct site_conf *conf,
    enum data_engine engine, struct json_object *address, struct outside *out)
{
	int r;

	memset(out, 0, sizeof(*out));
	out->conf = conf;
	out->address.engine = engine;
	if ((r = with_connector(db, address, &out->json)) != 0 ||
	    (r = check(out)) != 0)
		outside_fini(out);
	return r;
}

void
outside_fini(struct outside *o)
{
	vault_forget(o->password);
	json_object_put(o->json);
	memset(o, 0, sizeof(*o));
}

void
outside_server(const struct outside *o, struct remote_server *out)
{
	*out = (struct remote_server){
		.host = o->address.host,
		.port = o->address.port,
		.user = o->address.user,
		.password = o->password,
		.db = o->address.db,
		.tls_ca = o->conf->mysql_tls_ca,
		.connect_timeout_s = CONNECT_TIMEOUT_S,
		.answer_timeout_s = ANSWER_TIMEOUT_S,
	};
}
