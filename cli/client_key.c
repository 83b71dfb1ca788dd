/*
 * sluice key create, list, disable, enable, delete; sluice client-config:
 * the keys with which this site's users sign their requests.
 */
#include "cli/client_key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/site.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_client_key.h"
#include "lib/json/json.h"
#include "lib/sign/client_vault.h"

#define FILE_MAX 4096
#define NAME_MAX_LEN 64
#define APP_KEY_BYTES 12
#define SECRET_BYTES 32

/* --- key files ------------------------------------------------------------ */

int
client_key_load(const char *path, struct client_key *k)
{
	struct json_object *o = NULL;
	struct stat st;
	int r;

	memset(k, 0, sizeof(*k));
	if (stat(path, &st) != 0)
		return err_set_errno(ERR_IO, "key file %s", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(ERR_DENIED,
		    "key file %s: mode %04o lets others in, 0600 is needed",
		    path, (unsigned)(st.st_mode & 07777));
	if ((r = json_parse_file(path, FILE_MAX, &o)) != 0)
		return err_wrap("key file %s", path);
	k->app_key = xstrdup(json_get_str(o, "app_key", NULL));
	k->secret = xstrdup(json_get_str(o, "secret_key", NULL));
	json_object_put(o);
	if (k->app_key == NULL || k->secret == NULL)
		return err_set(ERR_FORMAT,
		    "key file %s has no app_key and secret_key", path);
	return 0;
}

void
client_key_fini(struct client_key *k)
{
	if (k->secret != NULL)
		sodium_memzero(k->secret, strlen(k->secret));
	free(k->secret);
	free(k->app_key);
	memset(k, 0, sizeof(*k));
}

/* --- create --------------------------------------------------------------- */

static char *
random_hex(size_t n)
{
	uint8_t bytes[SECRET_BYTES];
	char *text = xmalloc(2 * n + 1);

	randombytes_buf(bytes, n);
	str_to_hex(bytes, n, text);
	sodium_memzero(bytes, sizeof(bytes));
	return text;
}

int
client_role_check(const char *option, const char *role)
{
	static const char *const roles[] = { "viewer", "modeler", "admin" };
	const char *near;
	size_t i;

	for (i = 0; i < 3; i++)
		if (str_eq(role, roles[i]))
			return 0;
	near = str_nearest(role, roles, 3);
	return args_wrong("%s must be viewer, modeler or admin%s%s%s", option,
	    near != NULL ? ", did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
}

/* The vault is made with the site; an older site gets it with its first key. */
static int
open_vault(const struct site_conf *conf, struct client_vault **out)
{
	int r = client_vault_load(conf->client_vault_file, out);

	if (r == ERR_NOT_FOUND &&
	    (r = client_vault_make(conf->client_vault_file)) == 0)
		r = client_vault_load(conf->client_vault_file, out);
	return r;
}

static int
add_tx(struct db *db, void *ctx)
{
	return db_client_key_add(db, ctx);
}

static int
store(struct site *s, const char *name, const char *role,
    const struct client_key *k)
{
	struct buf sealed = BUF_INIT;
	struct client_vault *v = NULL;
	struct db_client_key row = { .name = name,
		.app_key = k->app_key,
		.role = role,
		.enabled = true };
	int r;

	if ((r = open_vault(s->conf, &v)) == 0 &&
	    (r = client_vault_seal(v, k->app_key, k->secret, &sealed)) == 0) {
		row.secret = buf_str(&sealed);
		r = site_do(s, add_tx, &row,
		    &(struct site_deed){ "client key created", name, role });
	}
	client_vault_free(v);
	buf_fini(&sealed);
	return r;
}

/* The secret leaves here once, and is not kept in the clear. */
static int
hand_over(const struct args *args, const char *name, const char *role,
    const struct client_key *k)
{
	const char *path = args_text(args, "output");
	struct json_object *o = json_object_new_object();
	char *line;
	int r = 0;

	json_add_str(o, "name", name);
	json_add_str(o, "role", role);
	json_add_str(o, "app_key", k->app_key);
	json_add_str(o, "secret_key", k->secret);
	if (path != NULL) {
		line = xasprintf("%s\n", json_text(o));
		r = output_file(args, path, line, strlen(line), 0600);
		sodium_memzero(line, strlen(line));
		free(line);
		if (r == 0 && !args_json(args))
			(void)printf(
			    "key %s, role %s, in %s\n", name, role, path);
	} else if (args_json(args)) {
		output_json(o);
	} else {
		(void)printf("app_key     %s\nsecret_key  %s\n"
			     "The secret is not shown again.\n",
		    k->app_key, k->secret);
	}
	json_object_put(o);
	return r;
}

static int
delete_tx(struct db *db, void *ctx)
{
	return db_client_key_delete(db, ctx);
}

/* A key whose secret nobody has is of no use; why that is is told already. */
static void
take_back(struct site *s, const char *name)
{
	char *said = xstrdup(err_text());
	int code = err_code();

	(void)site_do(s, delete_tx, arena_strdup(s->arena, name),
	    &(struct site_deed){
		"key delete", name, "its secret could not be handed over" });
	(void)err_set(code, "%s", said);
	free(said);
}

static int
run_create(const struct args *args)
{
	const char *name = args_operand(args, 0);
	const char *role = args_text(args, "role");
	const char *path = args_text(args, "output");
	struct client_key k = { NULL, NULL };
	struct site s;
	int r;

	if (!str_is_name(name, NAME_MAX_LEN))
		return args_wrong(
		    "a key's name has 1 to %d letters, digits, _ or -",
		    NAME_MAX_LEN);
	if ((r = client_role_check("--role", role)) != 0 ||
	    (path != NULL && (r = output_target(args, path)) != 0))
		return r;
	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "libsodium cannot start");
	k.app_key = random_hex(APP_KEY_BYTES);
	k.secret = random_hex(SECRET_BYTES);
	if ((r = site_open(args, &s)) == 0 &&
	    (r = store(&s, name, role, &k)) == 0) {
		r = hand_over(args, name, role, &k);
		if (r != 0)
			take_back(&s, name);
	}
	site_close(&s);
	client_key_fini(&k);
	return r;
}

/* --- list, disable, enable, delete ------------------------------------------ */

static void
print_keys(const struct args *args, const struct db_client_key *rows, size_t n)
{
	static const char *const head[] = { "name", "role", "app key",
		"enabled" };
	struct output_table *t = output_table_new(4);
	struct json_object *list = json_object_new_array();
	size_t i;

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		output_table_row(
		    t, (const char *const[]){ rows[i].name, rows[i].role,
			   rows[i].app_key, rows[i].enabled ? "yes" : "no" });
		json_add_str(o, "name", rows[i].name);
		json_add_str(o, "role", rows[i].role);
		json_add_str(o, "app_key", rows[i].app_key);
		json_add_bool(o, "enabled", rows[i].enabled);
		json_add_int(o, "created_ms", rows[i].created_ms);
		json_object_array_add(list, o);
	}
	output_list(args, t, list);
}

static int
run_list(const struct args *args)
{
	struct db_client_key *rows;
	struct site s;
	size_t n;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_client_key_list(s.db, s.arena, &rows, &n)) == 0)
		print_keys(args, rows, n);
	site_close(&s);
	return r;
}

static int
change(struct db *db, const char *verb, const char *name)
{
	if (str_eq(verb, "key delete"))
		return db_client_key_delete(db, name);
	return db_client_key_enable(db, name, str_eq(verb, "key enable"));
}

static int
run_change(const struct args *args)
{
	return site_change(args, change);
}

/* --- what the classic client reads ------------------------------------------ */

/* Host and port of http(s)://HOST:PORT. */
static void
put_address(struct buf *b, const char *url)
{
	const char *host = strstr(url, "://") + 3;
	const char *colon = strrchr(host, ':');
	size_t len = colon != NULL ? (size_t)(colon - host) : strlen(host);

	buf_printf(b, "fateflow:\n  host: %.*s\n  http_port: %s\n", (int)len,
	    host,
	    colon != NULL	       ? colon + 1
	    : str_starts(url, "https") ? "443"
				       : "80");
}

static int
run_client_config(const struct args *args)
{
	const char *from = args_text(args, "app-key-file");
	const char *to = args_text(args, "output");
	struct client_key k = { NULL, NULL };
	struct site_conf *conf = NULL;
	struct buf b = BUF_INIT;
	int r;

	r = site_conf_load(args_text(args, "config"), &conf);
	if (r == 0 && conf->client_url[0] == '\0')
		r = err_set(ERR_INVALID,
		    "[listen] client_url is empty: the classic client speaks "
		    "plain HTTP on this machine only");
	if (r == 0 && from != NULL)
		r = client_key_load(from, &k);
	if (r == 0) {
		put_address(&b, conf->client_url);
		buf_printf(&b, "authentication:\n  client:\n    switch: %s\n",
		    from != NULL ? "true" : "false");
		if (from != NULL)
			buf_printf(&b,
			    "    http_app_key: %s\n    http_secret_key: %s\n",
			    k.app_key, k.secret);
		if (to != NULL)
			r = output_file(args, to, b.data, b.len, 0600);
		else
			(void)printf("%s", buf_str(&b));
	}
	if (b.data != NULL)
		sodium_memzero(b.data, b.len);
	buf_fini(&b);
	client_key_fini(&k);
	site_conf_free(conf);
	return r;
}

/* --- the commands ------------------------------------------------------------ */

static const struct option_def create_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "role", "ROLE", "viewer (reads), modeler (runs jobs) or admin",
	    true },
	{ "output", "FILE", "write the key there, not to standard output",
	    false },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_key_create = {
	"key create",
	"NAME",
	1,
	"Make a key with which a user or program signs requests.",
	create_options,
	run_create,
};

static const struct option_def config_only[] = {
	OPTION_CONFIG_REQUIRED,
	OPTION_END,
};

const struct command command_key_list = {
	"key list",
	"",
	0,
	"List the keys of users; secrets are not shown.",
	config_only,
	run_list,
};

const struct command command_key_disable = {
	"key disable",
	"NAME",
	1,
	"Refuse requests signed with a key from now on.",
	config_only,
	run_change,
};

const struct command command_key_enable = {
	"key enable",
	"NAME",
	1,
	"Take a disabled key again.",
	config_only,
	run_change,
};

const struct command command_key_delete = {
	"key delete",
	"NAME",
	1,
	"Forget a key of a user.",
	config_only,
	run_change,
};

static const struct option_def client_config_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "app-key-file", "FILE", "key to put in, from \"key create\"", false },
	{ "output", "FILE", "write there instead of standard output", false },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_client_config = {
	"client-config",
	"",
	0,
	"Write service_conf.yaml for \"flow init -c\".",
	client_config_options,
	run_client_config,
};
