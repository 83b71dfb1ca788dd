/*
 * Addresses of tables.  Used by fcgi-app when a table is bound, by the job
 * specification for what Writer is asked, by shepherds when they go there.
 */
#include "lib/data/address.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/base/beneath.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"

#define MYSQL_PORT 3306
/* Limits of MySQL's own names. */
#define MYSQL_NAME_MAX 64
#define MYSQL_USER_MAX 80
#define PASSWORD_MAX 1024 /* sealed ones are longer than clear ones */

static const char *const engine_names[DATA_ENGINES] = {
	[DATA_STANDALONE] = "STANDALONE",
	[DATA_PATH] = "PATH",
	[DATA_LOCALFS] = "LOCALFS",
	[DATA_MYSQL] = "MYSQL",
};

const char *
data_engine_name(enum data_engine e)
{
	return engine_names[e];
}

bool
data_engine_is_file(enum data_engine e)
{
	return e == DATA_PATH || e == DATA_LOCALFS;
}

int
data_engine_parse(const char *name, enum data_engine *out)
{
	int i;

	for (i = 0; i < DATA_ENGINES; i++) {
		if (strcasecmp(name, engine_names[i]) == 0) {
			*out = (enum data_engine)i;
			return 0;
		}
	}
	return err_set(ERR_UNSUPPORTED,
	    "engine %.40s is not offered by this site; offered are "
	    "STANDALONE, PATH, LOCALFS and MYSQL",
	    name);
}

/* --- taking apart ------------------------------------------------------------ */

static const struct json_field file_fields[] = {
	JSON_STR(struct data_address, path, 1, 4096, JSON_REQUIRED),
};
static const struct json_field standalone_fields[] = {
	JSON_STR_AS(struct data_address, table_namespace, "namespace", 1, 255,
	    JSON_REQUIRED | JSON_LENIENT),
	JSON_STR(
	    struct data_address, name, 1, 255, JSON_REQUIRED | JSON_LENIENT),
};
#define MAYBE (JSON_NULLABLE | JSON_LENIENT)
static const struct json_field mysql_fields[] = {
	JSON_STR(struct data_address, connector_name, 1, 255, MAYBE),
	JSON_STR(struct data_address, host, 1, 255, MAYBE),
	JSON_INT(struct data_address, port, 1, 65535, MAYBE),
	JSON_STR(struct data_address, user, 1, MYSQL_USER_MAX, MAYBE),
	JSON_STR(struct data_address, db, 1, MYSQL_NAME_MAX, MAYBE),
	JSON_STR(struct data_address, name, 1, MYSQL_NAME_MAX, MAYBE),
};

/* Not by the table above, whose faults quote what stands there. */
static void
take_password(struct json_object *address, const struct json_path *path,
    struct faults *faults, struct data_address *out)
{
	static const char *const keys[] = { "password", "passwd" };
	struct json_object *v;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if ((v = json_get(address, keys[i])) == NULL)
			continue;
		out->passwd =
		    json_is_string(v) ? json_object_get_string(v) : NULL;
		if (out->passwd == NULL || strlen(out->passwd) > PASSWORD_MAX)
			faults_add(faults, JSON_PATH_KEY(path, keys[i]),
			    "must be a text of at most %d bytes", PASSWORD_MAX);
	}
}

static void
check_host(const struct data_address *a, const struct json_path *path,
    struct faults *faults)
{
	if (a->host != NULL && strpbrk(a->host, " /\\@\t\r\n") != NULL)
		faults_add(faults, JSON_PATH_KEY(path, "host"),
		    "must be the name or the IP address of a server");
}

/* Without a connector all of it has to be here. */
static void
check_mysql(const struct data_address *a, const struct json_path *path,
    struct faults *faults)
{
	const struct {
		const char *key;
		const char *value;
		bool is_shared; /* may be the connector's */
	} needed[] = { { "host", a->host, true }, { "user", a->user, true },
		{ "db", a->db, true }, { "name", a->name, false } };
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (needed[i].value != NULL ||
		    (a->connector_name != NULL && needed[i].is_shared))
			continue;
		faults_add(faults, JSON_PATH_KEY(path, needed[i].key),
		    needed[i].is_shared
			? "must be there, or a connector_name that has it"
			: "must be there");
	}
	check_host(a, path, faults);
}

int
data_address_parse(enum data_engine engine, struct json_object *address,
    const struct json_path *path, struct faults *faults,
    struct data_address *out)
{
	size_t before = faults_count(faults);

	*out = (struct data_address){ .engine = engine, .port = MYSQL_PORT };
	if (!json_is_object(address)) {
		faults_add(faults, path, "must be an object, here is %s",
		    json_type_text(address));
		return ERR_INVALID;
	}
	switch (engine) {
	case DATA_STANDALONE:
		(void)json_decode(address, JSON_FIELDS(standalone_fields),
		    JSON_IGNORE_UNKNOWN, path, faults, out);
		break;
	case DATA_MYSQL:
		(void)json_decode(address, JSON_FIELDS(mysql_fields),
		    JSON_IGNORE_UNKNOWN, path, faults, out);
		take_password(address, path, faults, out);
		check_mysql(out, path, faults);
		break;
	default:
		(void)json_decode(address, JSON_FIELDS(file_fields),
		    JSON_IGNORE_UNKNOWN, path, faults, out);
		break;
	}
	return faults_count(faults) == before ? 0 : ERR_INVALID;
}

int
data_connector_parse(enum data_engine engine, struct json_object *info,
    const struct json_path *path, struct faults *faults,
    struct data_address *out)
{
	size_t before = faults_count(faults);

	*out = (struct data_address){ .engine = engine, .port = MYSQL_PORT };
	if (engine != DATA_MYSQL)
		return err_set(ERR_UNSUPPORTED,
		    "connectors are for the engine MYSQL; %s needs none",
		    data_engine_name(engine));
	(void)json_decode(info, JSON_FIELDS(mysql_fields), JSON_IGNORE_UNKNOWN,
	    path, faults, out);
	take_password(info, path, faults, out);
	check_host(out, path, faults);
	if (out->host == NULL)
		faults_add(
		    faults, JSON_PATH_KEY(path, "host"), "must be there");
	if (out->user == NULL)
		faults_add(
		    faults, JSON_PATH_KEY(path, "user"), "must be there");
	return faults_count(faults) == before ? 0 : ERR_INVALID;
}

struct json_object *
data_address_merge(
    struct json_object *connector_info, struct json_object *address)
{
	struct json_object *o = connector_info != NULL
				    ? json_copy(connector_info)
				    : json_object_new_object();

	json_object_object_foreach(address, key, value)
	{
		if (value != NULL)
			json_add(o, key, json_copy(value));
	}
	return o;
}

/* --- where tasks may go -------------------------------------------------------- */

static bool
is_this_machine(const char *host)
{
	return str_eq(host, "localhost") || str_eq(host, "::1") ||
	       str_starts(host, "127.");
}

/* Is "host[:port]" (n bytes) this server? */
static bool
entry_names(const char *entry, size_t n, const char *host, int64_t port)
{
	size_t host_len = strlen(host);
	char digits[8];
	int64_t entry_port = MYSQL_PORT;

	if (n < host_len || strncasecmp(entry, host, host_len) != 0)
		return false;
	if (n > host_len) {
		if (entry[host_len] != ':' ||
		    n - host_len - 1 >= sizeof(digits))
			return false;
		memcpy(digits, entry + host_len + 1, n - host_len - 1);
		digits[n - host_len - 1] = '\0';
		if (str_to_int64(digits, 1, 65535, &entry_port) != 0)
			return false;
	}
	return entry_port == port;
}

static int
mysql_allowed(const struct site_conf *c, const struct data_address *a)
{
	const char *s;
	size_t n;

	if (a->host == NULL) /* the connector's, checked when it was made */
		return 0;
	for (s = c->mysql_hosts; *s != '\0'; s += n) {
		s += strspn(s, " \t,");
		n = strcspn(s, " \t,");
		if (n > 0 && entry_names(s, n, a->host, a->port))
			break;
	}
	if (*s == '\0')
		return err_set(ERR_DENIED,
		    "tables on %s:%" PRId64 " are not used here: this site's "
		    "setting [data] mysql_hosts does not name it",
		    a->host, a->port);
	if (!is_this_machine(a->host) && c->mysql_tls_ca[0] == '\0')
		return err_set(ERR_DENIED,
		    "%s is another machine, reached by TLS only: this site's "
		    "setting [data] mysql_tls_ca must name the authority of "
		    "its certificate",
		    a->host);
	return 0;
}

/*
 * Try every folder: the first that has such a file wins.  What is not there
 * and what leads out get one answer each, for all folders alike.
 */
int
data_file_open(const struct site_conf *c, const char *path, int *fd)
{
	const char *roots = c->file_roots, *rest;
	bool is_denied = false;
	struct arena *arena;
	struct stat st = { 0 };
	size_t n;
	int r = ERR_NOT_FOUND;

	*fd = -1;
	if (roots[0] == '\0')
		return err_set(ERR_DENIED,
		    "files of this server are not used here: this site's "
		    "setting [data] file_roots names no folder");
	arena = arena_new();
	for (; *roots != '\0' && *fd < 0; roots += n + (roots[n] == ':')) {
		const char *root;

		n = strcspn(roots, ":");
		root = arena_strndup(arena, roots, n);
		rest = beneath_rest(root, path);
		if (rest == NULL || rest[0] == '\0')
			continue;
		r = beneath_open(
		    root, rest, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, fd);
		is_denied = is_denied || r == ERR_DENIED;
		if (r == ERR_UNSUPPORTED)
			break;
	}
	arena_free(arena);
	if (r == ERR_UNSUPPORTED)
		return r;
	if (*fd < 0)
		return is_denied
			   ? err_set(ERR_DENIED,
				 "'%.200s' leads out of the folders of this "
				 "site's setting [data] file_roots",
				 path)
			   : err_set(ERR_NOT_FOUND,
				 "there is no file '%.200s' in the folders of "
				 "this site's setting [data] file_roots",
				 path);
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		return 0;
	fd_close(fd);
	return err_set(ERR_INVALID,
	    S_ISDIR(st.st_mode)
		? "'%.200s' is a folder; tables are bound to one text file "
		  "(folders of pictures are not offered)"
	    : S_ISREG(st.st_mode) ? "'%.200s' is empty"
				  : "'%.200s' is no plain file",
	    path);
}

int
data_address_allowed(const struct site_conf *c, const struct data_address *a)
{
	int fd, r = 0;

	if (a->engine == DATA_MYSQL)
		return mysql_allowed(c, a);
	if (data_engine_is_file(a->engine)) {
		r = data_file_open(c, a->path, &fd);
		fd_close(&fd);
	}
	return r;
}

/* --- passwords -------------------------------------------------------------------- */

const char *
data_mysql_place(struct arena *arena, const struct data_address *a)
{
	return arena_printf(arena, "mysql %s@%s:%" PRId64,
	    a->user != NULL ? a->user : "", a->host != NULL ? a->host : "",
	    a->port);
}

struct json_object *
data_address_shown(struct json_object *address)
{
	static const char *const secret[] = { "passwd", "password" };
	struct json_object *o = json_copy(address);
	size_t i;

	for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (json_has(o, secret[i]))
			json_add(o, secret[i], NULL);
	return o;
}
