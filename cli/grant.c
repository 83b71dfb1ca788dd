/*
 * sluice grant, revoke: what partners' jobs may do at this site.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/grants.h"
#include "cli/output.h"
#include "cli/rules.h"
#include "cli/site.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_table.h"
#include "lib/db/db_tx.h"
#include "lib/party/permit.h"
#include "lib/party/permit_command.h"
#include "lib/party/permit_still.h"

struct change {
	struct site *site;
	struct rules *rules;
	bool revoke;
	bool no_approval;   /* what demands a person's word may stop to */
	int64_t n;	    /* rules that were there, of a revocation */
	int64_t n_kept;	    /* approvals that stay */
	const char **ended; /* of each rule, the limits that it had: or NULL */
	bool *was_there;    /* of each rule, of a revocation */
};

static bool
same_leaf(const struct db_leaf *a, const struct db_leaf *b)
{
	return str_eq(a->party_id, b->party_id) &&
	       str_eq(a->src_role, b->src_role) && str_eq(a->kind, b->kind) &&
	       str_eq(a->subject, b->subject) && str_eq(a->detail, b->detail);
}

/*
 * A rule that is granted anew without a word about approval goes on to demand
 * the one that it demanded: it is not lost by the way.
 */
static void
keep_approval(
    struct change *c, struct db_permission *p, const struct db_permission *had)
{
	if (c->no_approval || p->approval_within_s > 0 ||
	    had->approval_within_s == 0)
		return;
	p->approval_by = had->approval_by;
	p->approval_within_s = had->approval_within_s;
	c->n_kept++;
}

/* Times, uses and bounds are those of the newest grant: what ends is told. */
static const char *
ended_text(struct site *s, const struct db_permission *p,
    const struct db_permission *had)
{
	struct db_permission was = { 0 };
	const char *text;

	if (p->bound == NULL)
		was.bound = had->bound;
	if (p->valid_from_ms == 0)
		was.valid_from_ms = had->valid_from_ms;
	if (p->valid_until_ms == 0)
		was.valid_until_ms = had->valid_until_ms;
	if (!p->has_uses) {
		was.has_uses = had->has_uses;
		was.uses_left = had->uses_left;
	}
	text = grants_limits(s, &was);
	return *text != '\0' ? text : NULL;
}

/* Each rule that is granted beside the one that it takes the place of. */
static int
look_at_old(struct db *db, struct change *c)
{
	const char *last = NULL;
	struct db_permission *had = NULL;
	size_t i, j, n = 0;
	int r;

	c->n_kept = 0;
	for (i = 0; i < c->rules->n; i++) {
		struct db_permission *p = &c->rules->list[i];

		c->ended[i] = NULL;
		if (last == NULL || !str_eq(last, p->leaf.party_id)) {
			last = p->leaf.party_id;
			if ((r = db_permission_list(
				 db, c->site->arena, last, &had, &n)) != 0)
				return r;
		}
		for (j = 0; j < n; j++) {
			if (!same_leaf(&had[j].leaf, &p->leaf))
				continue;
			keep_approval(c, p, &had[j]);
			c->ended[i] = ended_text(c->site, p, &had[j]);
		}
	}
	return 0;
}

static const char *
leaf_text(struct site *s, const struct db_leaf *l)
{
	return arena_printf(s->arena, "%s as %s: %s %s%s%s", l->party_id,
	    l->src_role, l->kind, l->subject, *l->detail != '\0' ? " " : "",
	    l->detail);
}

/* Its bounds, as somebody reads them later; NULL: it has none. */
static const char *
bounds_text(struct site *s, const struct db_permission *p)
{
	char date[CLOCK_UTC_SIZE];
	struct buf b = BUF_INIT;
	const char *text = NULL;

	if (p->bound != NULL)
		buf_printf(&b, "; %s", p->bound);
	if (p->valid_from_ms != 0) {
		clock_utc(p->valid_from_ms, date);
		buf_printf(&b, "; from %s", date);
	}
	if (p->valid_until_ms != 0) {
		clock_utc(p->valid_until_ms, date);
		buf_printf(&b, "; until %s", date);
	}
	if (p->has_uses)
		buf_printf(&b, "; uses %lld", (long long)p->uses_left);
	if (p->approval_within_s > 0)
		buf_printf(&b, "; to be approved by %s within %lld s",
		    p->approval_by, (long long)p->approval_within_s);
	if (b.len > 0)
		text = arena_strdup(s->arena, buf_str(&b) + 2);
	buf_fini(&b);
	return text;
}

static int
record(struct change *c, const struct db_permission *p)
{
	return site_audit(
	    c->site, &(struct site_deed){ c->revoke ? "revoke" : "grant",
			 leaf_text(c->site, &p->leaf),
			 c->revoke ? NULL : bounds_text(c->site, p) });
}

/* All or none. */
static int
change_tx(struct db *db, void *ctx)
{
	struct change *c = ctx;
	int64_t n;
	size_t i;
	int r = 0;

	if (!c->revoke && (r = look_at_old(db, c)) != 0)
		return r;
	c->n = 0;
	for (i = 0; i < c->rules->n && r == 0; i++) {
		const struct db_permission *p = &c->rules->list[i];

		n = 0;
		if (c->revoke)
			r = db_permission_delete(db, &p->leaf, &n);
		else
			r = db_permission_put(db, p);
		c->n += n;
		c->was_there[i] = n > 0;
		/* What was not there was not taken away. */
		if (r == 0 && (!c->revoke || n > 0))
			r = record(c, p);
	}
	return r;
}

/* A rule about nobody is no fault, but seldom what was meant. */
static void
warn_of_strangers(
    const struct args *args, struct site *s, const struct rules *rules)
{
	const char *last = "";
	struct db_partner *row;
	size_t i;

	for (i = 0; i < rules->n; i++) {
		const char *party = rules->list[i].leaf.party_id;

		if (str_eq(party, last) || str_eq(party, "*"))
			continue;
		last = party;
		if (db_partner_get(s->db, s->arena, party, &row) ==
		    ERR_NOT_FOUND)
			(void)fprintf(stderr,
			    "sluice grant: note: party %s is no partner yet; "
			    "\"sluice partner import FILE%s\" makes it one\n",
			    party, args_site(args));
	}
	err_clear();
}

#define NOTES_MAX 10

/* One that comes later is granted before it does, or the name is wrong. */
static void
warn_of_tables(
    const struct args *args, struct site *s, const struct rules *rules)
{
	const struct db_leaf *l;
	struct db_table *row;
	size_t i, n = 0;

	for (i = 0; i < rules->n && n < NOTES_MAX; i++) {
		l = &rules->list[i].leaf;
		if (!str_eq(l->kind, permit_kind_name(PERMIT_DATASET)) ||
		    str_eq(l->subject, DB_PERMISSION_ANY) ||
		    str_eq(l->detail, DB_PERMISSION_ANY) ||
		    db_table_get(s->db, s->arena, l->subject, l->detail,
			&row) != ERR_NOT_FOUND)
			continue;
		n++;
		output_note("sluice grant: note: there is no table %s %s here "
			    "yet; \"sluice tables%s\" lists what there is",
		    l->subject, l->detail, args_site(args));
	}
	err_clear();
}

/* Of a grant: which limits there are no more. */
static void
warn_of_ended(const struct args *args, struct change *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->rules->n; i++)
		if (c->ended[i] != NULL && n++ < NOTES_MAX)
			output_note("sluice grant: note: rule %s had limits "
				    "that ended with this (%s); who wants "
				    "them says them again; \"sluice grants%s\" "
				    "lists what is now",
			    leaf_text(c->site, &c->rules->list[i].leaf),
			    c->ended[i], args_site(args));
}

/* Of a revocation: which of them there were not. */
static void
warn_of_absent(const struct args *args, struct change *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->rules->n; i++)
		if (!c->was_there[i] && n++ < NOTES_MAX)
			output_note("sluice revoke: note: there was no rule "
				    "%s; \"sluice grants%s\" lists those that "
				    "are",
			    leaf_text(c->site, &c->rules->list[i].leaf),
			    args_site(args));
}

#define STILL_MAX 10

/* Taken away, and allowed all the same: seldom what was meant. */
static int
warn_of_others(
    const struct args *args, struct site *s, const struct rules *rules)
{
	struct db_leaf *gone = arena_alloc(s->arena, rules->n * sizeof(*gone));
	struct db_permission *rows;
	size_t i, n;
	int r;

	for (i = 0; i < rules->n; i++)
		gone[i] = rules->list[i].leaf;
	r = permit_still(s->db, s->arena, gone, rules->n, &rows, &n);
	for (i = 0; r == 0 && i < n && i < STILL_MAX; i++)
		output_note("sluice revoke: note: rule %lld (%s) still allows "
			    "it; \"%s%s\" removes that",
		    (long long)rows[i].id, leaf_text(s, &rows[i].leaf),
		    permit_command(s->arena, "revoke", &rows[i].leaf),
		    args_site(args));
	if (r == 0 && n > STILL_MAX)
		output_note("sluice revoke: note: and %zu rules more; "
			    "\"sluice grants%s\" lists them",
		    n - STILL_MAX, args_site(args));
	return r;
}

static int
run_change(const struct args *args)
{
	struct rules rules = { NULL, 0 };
	struct site s;
	struct change c = { .site = &s, .rules = &rules };
	int r;

	c.revoke = str_eq(args_command(args)->name, "revoke");
	c.no_approval = !c.revoke && args_flag(args, "no-approval");
	if (c.no_approval && (args_text(args, "approval-by") != NULL ||
				 args_text(args, "approval-within") != NULL))
		return args_wrong(
		    "--no-approval and --approval-by exclude each other");
	if ((r = site_open(args, &s)) == 0 &&
	    (r = rules_parse(args, &s, &rules)) == 0) {
		c.was_there = arena_alloc(s.arena, rules.n * sizeof(bool));
		c.ended = arena_alloc(s.arena, rules.n * sizeof(*c.ended));
		r = db_tx(s.db, change_tx, &c);
	}
	if (r == 0) {
		if (!args_json(args) && c.revoke)
			(void)printf("%lld rule%s removed\n", (long long)c.n,
			    c.n == 1 ? "" : "s");
		else if (!args_json(args))
			(void)printf("%zu rule%s set\n", rules.n,
			    rules.n == 1 ? "" : "s");
		if (c.n_kept > 0)
			(void)fprintf(stderr,
			    "sluice grant: note: %lld of them still wait%s for "
			    "the approval that was demanded before; "
			    "--no-approval ends that\n",
			    (long long)c.n_kept, c.n_kept == 1 ? "s" : "");
		if (c.revoke) {
			warn_of_absent(args, &c);
			r = warn_of_others(args, &s, &rules);
		} else {
			warn_of_ended(args, &c);
			warn_of_strangers(args, &s, &rules);
			warn_of_tables(args, &s, &rules);
		}
	}
	site_close(&s);
	return r;
}

static const struct option_def grant_options[] = {
	OPTION_CONFIG_REQUIRED,
	OPTIONS_RULES,
	{ "from", "TIME", "not before, UTC: 2026-12-31[T18:00]", false },
	{ "until", "TIME", "no longer than this", false },
	{ "uses", "N", "of each dataset: by so many members of jobs", false },
	{ "approval-by", "NAME",
	    "a person has to approve each job: this user or any admin; admin: those alone",
	    false },
	{ "approval-within", "TIME", "and has this long: 48h, 30m, 7d", false },
	{ "no-approval", NULL,
	    "nobody has to approve any more what had to be approved before",
	    false },
	OPTION_END,
};

const struct command command_grant = {
	"grant",
	"PARTY[,PARTY…]",
	1,
	"Allow jobs of partners to do something here ('*': any partner).",
	grant_options,
	run_change,
};

static const struct option_def revoke_options[] = {
	OPTION_CONFIG_REQUIRED,
	OPTIONS_RULES,
	OPTION_END,
};

const struct command command_revoke = {
	"revoke",
	"PARTY[,PARTY…]",
	1,
	"Remove such rules; tasks that have not started are stopped by it.  "
	"What other rules allow all the same is told.",
	revoke_options,
	run_change,
};
