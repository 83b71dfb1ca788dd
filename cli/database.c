/*
 * sluice db create, sluice migrate.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/share.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/create.h"
#include "lib/db/grants.h"
#include "lib/db/migrate.h"
#include "lib/json/json.h"

static int
run_create(const struct args *args)
{
	struct db_admin admin = {
		.socket = args_text(args, "admin-socket"),
		.host = args_text(args, "admin-host"),
		.user = args_text(args, "admin-user"),
		.password_file = args_text(args, "admin-password-file"),
	};
	struct site_conf *conf;
	int r;

	if (admin.user == NULL)
		admin.user = "root";
	r = site_conf_load(args_text(args, "config"), &conf);
	if (r != 0)
		return r;
	if ((r = db_create(conf, &admin)) == 0 && !args_json(args))
		(void)printf(
		    "database %s, account %s\n", conf->db_name, conf->db_user);
	site_conf_free(conf);
	return r;
}

static int
migrate(struct site_conf *conf, const char *folder, int *applied)
{
	char *shared = NULL;
	struct db *db = NULL;
	int r;

	if (folder == NULL) {
		if ((shared = share_path("sql")) == NULL)
			return err_code();
		folder = shared;
	}
	/* A migration of a large table takes its time. */
	conf->db_answer_timeout_s = 0;
	if ((r = db_open(conf, &db)) == 0 &&
	    (r = db_migrate(db, folder, applied)) == 0)
		r = db_grant_programs(db, conf, folder);
	db_close(db);
	free(shared);
	return r;
}

static int
run_migrate(const struct args *args)
{
	struct site_conf *conf;
	struct json_object *o;
	int applied = 0, r;

	r = site_conf_load(args_text(args, "config"), &conf);
	if (r != 0)
		return r;
	if ((r = migrate(conf, args_text(args, "sql"), &applied)) == 0) {
		o = json_object_new_object();
		json_add_int(o, "applied", applied);
		json_add_int(o, "version", DB_SCHEMA_VERSION);
		if (args_json(args))
			output_json(o);
		else
			(void)printf("%d migrations applied\n", applied);
		json_object_put(o);
	}
	site_conf_free(conf);
	return r;
}

static const struct option_def create_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "admin-socket", "PATH", "the server's socket (the site's)", false },
	{ "admin-host", "HOST", "or the server's host", false },
	{ "admin-user", "NAME", "administrator (root)", false },
	{ "admin-password-file", "FILE", "file with its password", false },
	OPTION_END,
};

const struct command command_db_create = {
	"db create",
	"",
	0,
	"Create the site's database and account.",
	create_options,
	run_create,
};

static const struct option_def migrate_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "sql", "DIR", "folder of NNNN_name.sql (the installed one)", false },
	OPTION_END,
};

const struct command command_migrate = {
	"migrate",
	"",
	0,
	"Bring the schema and the accounts' rights up to date.",
	migrate_options,
	run_migrate,
};
