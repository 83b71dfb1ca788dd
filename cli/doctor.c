/*
 * The command: what is looked at, in which order, and what is printed.
 */
#include "cli/doctor.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "lib/provider/manifest.h"

static int
finish(struct doctor *d)
{
	struct json_object *o;

	if (args_json(d->args)) {
		o = json_object_new_object();
		json_add(o, "findings", json_object_get(d->list));
		json_add_int(o, "ok", d->counts[HEALTH_OK]);
		json_add_int(o, "warnings", d->counts[HEALTH_WARN]);
		json_add_int(o, "failures", d->counts[HEALTH_FAIL]);
		output_json(o);
		json_object_put(o);
	} else
		(void)printf("%d ok, %d warnings, %d failures\n",
		    d->counts[HEALTH_OK], d->counts[HEALTH_WARN],
		    d->counts[HEALTH_FAIL]);
	return d->counts[HEALTH_FAIL] == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
run(const struct args *args)
{
	struct doctor d = { .args = args,
		.arena = arena_new(),
		.list = json_object_new_array() };
	const char *path = args_text(args, "config");
	int r = site_conf_load(path, &d.conf);

	doctor_result(&d, r, "configuration",
	    access(path, F_OK) == 0
		? doctor_command(&d, "correct %s as conf/site.conf shows", path)
		: "name the site.conf of a site, or make one: sluice site init "
		  "--home DIR --party ID");
	/* Without it nothing else can be found. */
	if (r == 0) {
		doctor_files(&d);
		doctor_database(&d);
		doctor_audit(&d);
		doctor_programs(&d);
		doctor_partners(&d);
	}
	r = finish(&d);
	db_close(d.db);
	providers_free(d.providers);
	site_conf_free(d.conf);
	json_object_put(d.list);
	arena_free(d.arena);
	return r;
}

static const struct option_def options[] = {
	OPTION_CONFIG_REQUIRED,
	OPTION_END,
};

const struct command command_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "check this site and its partners; say what mends it",
	.options = options,
	.run = run,
};
