/*
 * The database: reachable, new enough, with room for documents, with the
 * rights and the schema, and the same time.  Called by doctor.c.
 */
#include <stdlib.h>

#include "cli/doctor.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/db/db_server.h"
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

void
doctor_database(struct doctor *d)
{
	const char *missing;
	int r;

	r = db_open(d->conf, &d->db);
	doctor_result(d, r, "database",
	    doctor_command(d,
		"start it, see [database] in %s; sluice db create --config %s "
		"makes the account and the database",
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
	doctor_result(d, db_schema_check(d->db), "schema",
	    doctor_command(d, "sluice migrate --config %s", d->conf->path));
}
