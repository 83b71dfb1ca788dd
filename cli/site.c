/*
 * Opening a site.  Called by the commands of its operator.
 */
#include "cli/site.h"
#include "cli/output.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
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

static struct db_audit
row_of(const struct site *s, const struct site_deed *d)
{
	return (struct db_audit){ .actor = site_operator(s),
		.action = d->action,
		.subject = d->subject,
		.outcome = "ok",
		.detail = d->detail };
}

int
site_audit(struct site *s, const struct site_deed *deed)
{
	struct db_audit row = row_of(s, deed);
	int r = db_audit_add(s->db, &row);

	return r == 0 ? 0 : err_wrap("it cannot be recorded");
}

int
site_do(struct site *s, db_tx_fn *fn, void *ctx, const struct site_deed *deed)
{
	struct db_audit row = row_of(s, deed);

	return db_audit_do(s->db, fn, ctx, &row);
}

struct change {
	site_change_fn *fn;
	const char *verb, *name;
};

static int
change_tx(struct db *db, void *ctx)
{
	const struct change *c = ctx;

	return c->fn(db, c->verb, c->name);
}

/* "user disable" of mia is "user mia disabled". */
static void
say_done(const struct args *args, const struct change *c)
{
	size_t noun = strcspn(c->verb, " ");

	output_done(args, "%.*s %s%s%s", (int)noun, c->verb, c->name,
	    c->verb + noun, str_ends(c->verb, "e") ? "d" : "ed");
}

int
site_change(const struct args *args, site_change_fn *fn)
{
	struct change c = { fn, args_command(args)->name,
		args_operand(args, 0) };
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = site_do(&s, change_tx, &c,
		 &(struct site_deed){ c.verb, c.name, NULL })) == 0)
		say_done(args, &c);
	site_close(&s);
	return r;
}
