/*
 * sluice doctor: looks at everything a site needs and says of each whether it
 * is there, and which command mends it.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/args.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/json/json.h"

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };

struct doctor {
	const struct args *args;
	struct arena *arena;
	struct site_conf *conf;
	struct db *db;		     /* NULL: it does not answer */
	struct providers *providers; /* with digests; NULL: there are none */
	struct json_object *list;
	int counts[3];
};

/*
 * doctor_say.c.
 * One line: what was looked at, how it is, in words; mend is what to do about
 * it (NULL: nothing), a command where there is one.
 */
void doctor_say(struct doctor *, enum health, const char *what,
    const char *mend, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* ok, or FAIL with the recorded error. */
void doctor_result(struct doctor *, int r, const char *what, const char *mend);

/* Mending commands with the site's own paths; in the arena. */
const char *doctor_command(struct doctor *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* As in conf/systemd. */
#define UNIT_FCGI "sluice-fcgi"
#define UNIT_SUPERVISOR "sluice-supervisor"
#define UNIT_NGINX "sluice-nginx"

/* The command that has a program read its files again; doctor_programs.c. */
const char *doctor_reload(
    struct doctor *, const char *unit, const char *program);

/* By the files that have them; each looks at all of its part. */
void doctor_files(struct doctor *);    /* doctor_files.c */
void doctor_database(struct doctor *); /* doctor_database.c: opens d->db */
void doctor_audit(struct doctor *);    /* doctor_audit.c */
void doctor_programs(struct doctor *); /* doctor_programs.c */
void doctor_partners(struct doctor *); /* doctor_partners.c */

#endif
