/*
 * Where a table is kept: engines and their addresses.
 *
 *   STANDALONE     the site's own storage engine (lib/engine/storage.h); an
 *                  address {"namespace", "name"} is another name for a table
 *                  that is here
 *   PATH, LOCALFS  only an address: {"path"} of a delimited text file below
 *                  one of the folders of [data] file_roots
 *   MYSQL          only an address: {"host", "port", "user", "passwd", "db",
 *                  "name"} of a table on a server of [data] mysql_hosts;
 *                  what is missing comes from the connector that
 *                  "connector_name" names
 *
 * Only a storage engine keeps tables that tasks open.  Rows behind an
 * address are read, or written, by a shepherd when a task runs.
 */
#ifndef LIB_DATA_ADDRESS_H
#define LIB_DATA_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"

enum data_engine {
	DATA_STANDALONE,
	DATA_PATH,
	DATA_LOCALFS,
	DATA_MYSQL,
	DATA_ENGINES /* how many */
};

/* Texts are borrowed from the JSON object; NULL: not said. */
struct data_address {
	enum data_engine engine;
	const char *connector_name;
	const char *path;	     /* PATH, LOCALFS */
	const char *table_namespace; /* STANDALONE */
	const char *name;	     /* STANDALONE, MYSQL */
	const char *host;	     /* MYSQL, as are the rest */
	int64_t port;
	const char *user;
	const char *passwd; /* clear or sealed */
	const char *db;
};

const char *data_engine_name(enum data_engine);
/* A text file whose rows a shepherd reads or writes? */
bool data_engine_is_file(enum data_engine);
/*
 * Case does not matter.  Errors: ERR_UNSUPPORTED, naming what is offered.
 */
int data_engine_parse(const char *name, enum data_engine *out);

/*
 * Take an address apart; every fault is added below path.  With a connector's
 * name the members of a server may be missing.  Passwords may come as
 * "passwd" or "password".
 * Errors: ERR_INVALID when a fault was added.
 */
int data_address_parse(enum data_engine, struct json_object *address,
    const struct json_path *path, struct faults *, struct data_address *out);

/*
 * The same for what a connector keeps: a server and its user, at least.
 * Errors: ERR_UNSUPPORTED for an engine that needs no connectors.
 */
int data_connector_parse(enum data_engine, struct json_object *info,
    const struct json_path *path, struct faults *, struct data_address *out);

/*
 * The settings of a connector with those of the address over them; the
 * caller's object.
 */
struct json_object *data_address_merge(
    struct json_object *connector_info, struct json_object *address);

/*
 * May this site's tasks go there?  Errors: ERR_DENIED, naming the setting of
 * site.conf to change; ERR_INVALID for a path outside all folders.
 */
int data_address_allowed(const struct site_conf *, const struct data_address *);

/*
 * Open the file of an address for reading.  Errors: ERR_NOT_FOUND,
 * ERR_DENIED, ERR_INVALID when it is no plain file or there is nothing in
 * it, ERR_IO.  The messages name the path as it was given.
 */
int data_file_open(const struct site_conf *, const char *path, int *fd);

/* What a password is sealed for: see lib/sign/vault.h.  In the arena. */
const char *data_mysql_place(struct arena *, const struct data_address *);

/*
 * A copy without passwords, to be shown: their members are null.  The
 * caller's.
 */
struct json_object *data_address_shown(struct json_object *address);

#endif
