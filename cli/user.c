/*
 * sluice user create, list, disable, enable, delete, password, unlock: the
 * people who log in to this site.
 */
#include <stdio.h>

#include "cli/client_key.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/secret_input.h"
#include "cli/site.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_user.h"
#include "lib/json/json.h"
#include "lib/sign/password.h"

#define NAME_MAX_LEN 64
#define STATE_TEXT_SIZE (CLOCK_UTC_SIZE + 16)

/* --- passwords --------------------------------------------------------------- */

static int
ask_hash(const struct args *args, const struct site_conf *conf,
    const char *name, char out[PASSWORD_HASH_SIZE])
{
	const struct password_cost cost = { .ops = conf->password_ops,
		.memory_mb = conf->password_memory_mb };
	char *password;
	int r;

	if ((r = secret_input(args, "Password: ", &password)) != 0)
		return r;
	if ((r = password_acceptable(password, name)) == 0)
		r = password_hash(password, &cost, out);
	secret_input_free(password);
	return r;
}

static int
add_tx(struct db *db, void *ctx)
{
	return db_user_add(db, ctx);
}

static int
run_create(const struct args *args)
{
	const char *name = args_operand(args, 0);
	const char *role = args_text(args, "role");
	char hash[PASSWORD_HASH_SIZE];
	struct site s;
	int r;

	if (!str_is_name(name, NAME_MAX_LEN))
		return args_wrong(
		    "a user's name has 1 to %d letters, digits, _ or -",
		    NAME_MAX_LEN);
	if ((r = client_role_check("--role", role)) != 0)
		return r;
	if ((r = site_open(args, &s)) == 0 &&
	    (r = ask_hash(args, s.conf, name, hash)) == 0 &&
	    (r = site_do(&s, add_tx,
		 &(struct db_user){
		     .name = name, .role = role, .password = hash },
		 &(struct site_deed){ "user created", name, role })) == 0 &&
	    !args_json(args))
		(void)printf("user %s, role %s\n", name, role);
	site_close(&s);
	return r;
}

struct password {
	const char *name, *hash;
	int64_t ended;
};

static int
password_tx(struct db *db, void *ctx)
{
	struct password *p = ctx;

	return db_user_password(db, p->name, NULL, p->hash, &p->ended);
}

static int
run_password(const struct args *args)
{
	const char *name = args_operand(args, 0);
	char hash[PASSWORD_HASH_SIZE];
	struct password p = { name, hash, 0 };
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = ask_hash(args, s.conf, name, hash)) == 0 &&
	    (r = site_do(&s, password_tx, &p,
		 &(struct site_deed){ "user password", name, NULL })) == 0 &&
	    !args_json(args))
		(void)printf("another password for %s, %lld sessions ended\n",
		    name, (long long)p.ended);
	site_close(&s);
	return r;
}

/* --- list -------------------------------------------------------------------- */

static const char *
state_of(const struct db_user *u)
{
	if (!u->enabled)
		return "disabled";
	return u->is_locked ? "locked" : "enabled";
}

/* For people: who is locked comes in again by waiting. */
static const char *
state_text(const struct db_user *u, char text[STATE_TEXT_SIZE])
{
	char until[CLOCK_UTC_SIZE];

	if (!u->enabled || !u->is_locked)
		return state_of(u);
	clock_utc(u->locked_until_ms, until);
	(void)snprintf(text, STATE_TEXT_SIZE, "locked until %s", until);
	return text;
}

static void
print_users(const struct args *args, const struct db_user *rows, size_t n)
{
	static const char *const head[] = { "name", "role", "state",
		"failed log-ins" };
	struct output_table *t = output_table_new(4);
	struct json_object *list = json_object_new_array();
	char failed[24], state[STATE_TEXT_SIZE];
	size_t i;

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		(void)snprintf(
		    failed, sizeof(failed), "%lld", (long long)rows[i].failed);
		output_table_row(
		    t, (const char *const[]){ rows[i].name, rows[i].role,
			   state_text(&rows[i], state), failed });
		json_add_str(o, "name", rows[i].name);
		json_add_str(o, "role", rows[i].role);
		json_add_str(o, "state", state_of(&rows[i]));
		json_add_int(o, "failed", rows[i].failed);
		json_add_int(o, "locked_until_ms",
		    rows[i].is_locked ? rows[i].locked_until_ms : 0);
		json_add_int(o, "created_ms", rows[i].created_ms);
		json_add_int(o, "password_ms", rows[i].password_ms);
		json_object_array_add(list, o);
	}
	output_list(args, t, list);
}

static int
run_list(const struct args *args)
{
	struct db_user *rows;
	struct site s;
	size_t n;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_user_list(s.db, s.arena, &rows, &n)) == 0)
		print_users(args, rows, n);
	site_close(&s);
	return r;
}

/* --- disable, enable, delete, unlock ------------------------------------------ */

static int
change(struct db *db, const char *verb, const char *name)
{
	if (str_eq(verb, "user delete"))
		return db_user_delete(db, name);
	if (str_eq(verb, "user unlock"))
		return db_user_unlock(db, name);
	return db_user_enable(db, name, str_eq(verb, "user enable"));
}

static int
run_change(const struct args *args)
{
	return site_change(args, change);
}

/* --- the commands ------------------------------------------------------------ */

static const struct option_def create_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "role", "ROLE", "viewer (reads), modeler (runs jobs) or admin",
	    true },
	OPTIONS_SECRET,
	OPTION_END,
};

const struct command command_user_create = {
	"user create",
	"NAME",
	1,
	"Let somebody log in, with a password that is asked for.",
	create_options,
	run_create,
};

static const struct option_def password_options[] = {
	OPTION_CONFIG_REQUIRED,
	OPTIONS_SECRET,
	OPTION_END,
};

const struct command command_user_password = {
	"user password",
	"NAME",
	1,
	"Give a user another password; ends all sessions.",
	password_options,
	run_password,
};

static const struct option_def config_only[] = {
	OPTION_CONFIG_REQUIRED,
	OPTION_END,
};

const struct command command_user_list = {
	"user list",
	"",
	0,
	"List who may log in.",
	config_only,
	run_list,
};

const struct command command_user_disable = {
	"user disable",
	"NAME",
	1,
	"End a user's sessions and let in no more.",
	config_only,
	run_change,
};

const struct command command_user_enable = {
	"user enable",
	"NAME",
	1,
	"Let a disabled user in again.",
	config_only,
	run_change,
};

const struct command command_user_delete = {
	"user delete",
	"NAME",
	1,
	"Forget a user; ends all sessions.",
	config_only,
	run_change,
};

const struct command command_user_unlock = {
	"user unlock",
	"NAME",
	1,
	"Let a user in who is locked after failed log-ins.",
	config_only,
	run_change,
};
