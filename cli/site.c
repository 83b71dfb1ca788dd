/*
 * Opening a site.  Called by the commands of its operator.
 */
#include "cli/site.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/db/db_audit.h"

int
site_open(const struct args *args, struct site *s)
{
	int r;

	memset(s, 0, sizeof(*s));
	r = site_conf_load(args_text(args, "config"), &s->conf);
	if (r != 0 || (r = db_open(s->conf, &s->db)) != 0)
		return r;
	s->arena = arena_new();
	db_set_actor(s->db, site_operator(s));
	return 0;
}

void
site_close(struct site *s)
{
	if (s->arena != NULL)
		arena_free(s->arena);
	db_close(s->db);
	site_conf_free(s->conf);
}

const char *
site_operator(const struct site *s)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw != NULL)
		return arena_printf(s->arena, "operator %s", pw->pw_name);
	return arena_printf(s->arena, "operator %u", (unsigned)getuid());
}

void
site_audit(
    struct site *s, const char *action, const char *subject, const char *detail)
{
	if (db_audit_add(s->db, &(struct db_audit){ .actor = site_operator(s),
				    .action = action,
				    .subject = subject,
				    .outcome = "ok",
				    .detail = detail }) != 0)
		(void)fprintf(stderr, "sluice: not recorded: %s\n", err_text());
}

int
site_change(const struct args *args, site_change_fn *fn)
{
	const char *verb = args_command(args)->name;
	const char *name = args_operand(args, 0);
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0 && (r = fn(s.db, verb, name)) == 0)
		site_audit(&s, verb, name, NULL);
	site_close(&s);
	return r;
}
