/*
 * The database: reachable, new enough, with room for documents, with the
 * rights and the schema, and the same time.  Called by doctor.c.
 */
#include <stdlib.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/share.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/db/db_server.h"
#include "lib/db/grants.h"
#include "lib/db/migrate.h"

#define PACKET_LEAST (80 * INT64_C(1048576))
#define SKEW_MS 2000
#define SUPERVISOR_MS 20000

static void
look_at_server(struct doctor *d)
{
	struct db_server_info info;

	if (db_server_info(d->db, d->arena, &info) != 0) {
		doctor_result(d, err_code(), "database server", NULL);
		return;
	}
	if (!info.is_new_enough)
		doctor_say(d, HEALTH_FAIL, "database version",
		    "upgrade it to MariaDB 10.6 or MySQL 8.0", "%s is too old",
		    info.version);
	else
		doctor_say(
		    d, HEALTH_OK, "database version", NULL, "%s", info.version);
	if (info.max_packet < PACKET_LEAST)
		doctor_say(d, HEALTH_WARN, "database packet size",
		    "max_allowed_packet = 128M below [mysqld] in a file of "
		    "/etc/mysql/mariadb.conf.d, and systemctl restart mariadb",
		    "%lld MB: documents of up to 64 MB need 80",
		    (long long)(info.max_packet >> 20));
	else
		doctor_say(d, HEALTH_OK, "database packet size", NULL,
		    "%lld MB", (long long)(info.max_packet >> 20));
	if (llabs(info.now_ms - clock_wall_ms()) > SKEW_MS)
		doctor_say(d, HEALTH_FAIL, "database clock",
		    "let both machines follow the same time (NTP)",
		    "differs from this machine's by %lld ms",
		    (long long)(info.now_ms - clock_wall_ms()));
	else
		doctor_say(
		    d, HEALTH_OK, "database clock", NULL, "the same as here");
}

/* As the program sees it: its own account, and what it may do there. */
static int
look_as(struct doctor *d, enum site_program program, const char *folder)
{
	struct site_conf *conf = NULL;
	struct db *db = NULL;
	const char *missing;
	int r;

	if ((r = site_conf_load(d->conf->path, &conf)) == 0) {
		site_conf_act_as(conf, program);
		if ((r = db_open(conf, &db)) != 0)
			(void)err_wrap("account %s", conf->db_user);
	}
	if (r == 0)
		r = db_grants_missing(db, program, folder, d->arena, &missing);
	if (r == 0 && missing[0] != '\0')
		r = err_set(ERR_DENIED, "account %s has no right to %.300s",
		    conf->db_user, missing);
	db_close(db);
	site_conf_free(conf);
	return r;
}

static void
look_at_accounts(struct doctor *d)
{
	static const struct {
		enum site_program program;
		const char *what;
	} all[] = { { SITE_FCGI, "rights of fcgi-app" },
		{ SITE_SUPERVISOR, "rights of supervisor" } };
	char *folder;

	if (!site_conf_has_accounts(d->conf))
		return;
	folder = share_path("sql");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		doctor_result(d,
		    folder == NULL ? err_code()
				   : look_as(d, all[i].program, folder),
		    all[i].what,
		    doctor_command(d,
			"sluice migrate --config %s gives rights; sluice db "
			"create --config %s makes accounts and passwords",
			d->conf->path, d->conf->path));
	free(folder);
}

static void
look_at_schema(struct doctor *d)
{
	bool newer = db_schema_is_newer(d->db);
	int r = db_schema_check(d->db);

	if (newer)
		doctor_result(d, r, "schema",
		    "install the newer program that made it (this one cannot "
		    "go back), or restore the database from before");
	else
		doctor_result(d, r, "schema",
		    doctor_command(
			d, "sluice migrate --config %s", d->conf->path));
}

/* Is the file that it is read from not there? */
static bool
lacks_password(const struct doctor *d)
{
	const char *file = d->conf->db_password_file;

	return file[0] != '\0' && access(file, F_OK) != 0;
}

void
doctor_database(struct doctor *d)
{
	const char *missing;
	int r;

	r = db_open(d->conf, &d->db);
	doctor_result(d, r, "database",
	    lacks_password(d)
		? doctor_command(d,
		      "sluice site init%s --home %s --party %s makes another, "
		      "and sluice db create --config %s gives it to the "
		      "account",
		      d->conf->separate_users ? " --system" : "", d->conf->home,
		      d->conf->party_id, d->conf->path)
		: doctor_command(d,
		      "start it, see [database] in %s; sluice db create "
		      "--config %s makes the account and the database",
		      d->conf->path, d->conf->path));
	if (r != 0)
		return;
	look_at_server(d);
	r = db_server_rights(d->db, d->arena, &missing);
	if (r == 0 && missing[0] != '\0')
		r = err_set(
		    ERR_DENIED, "its account has no right to %s", missing);
	doctor_result(d, r, "database rights",
	    doctor_command(d, "sluice db create --config %s, or sql/grants.sql",
		d->conf->path));
	look_at_schema(d);
	look_at_accounts(d);
}
