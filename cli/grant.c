/*
 * sluice grant, revoke, grants: what partners' jobs may do at this site.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
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
#include "lib/json/json.h"
#include "lib/party/approval.h"
#include "lib/party/permit_still.h"

struct change {
	struct site *site;
	struct rules *rules;
	bool revoke;
	bool no_approval; /* what demands a person's word may stop to */
	int64_t n;	  /* rules that were there, of a revocation */
	int64_t n_kept;	  /* approvals that stay */
	bool *was_there;  /* of each rule, of a revocation */
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
static int
keep_approvals(struct db *db, struct change *c)
{
	const char *last = NULL;
	struct db_permission *had = NULL;
	size_t i, j, n = 0;
	int r;

	c->n_kept = 0;
	for (i = 0; i < c->rules->n; i++) {
		struct db_permission *p = &c->rules->list[i];

		if (p->approval_within_s > 0)
			continue;
		if (last == NULL || !str_eq(last, p->leaf.party_id)) {
			last = p->leaf.party_id;
			if ((r = db_permission_list(
				 db, c->site->arena, last, &had, &n)) != 0)
				return r;
		}
		for (j = 0; j < n; j++) {
			if (had[j].approval_within_s == 0 ||
			    !same_leaf(&had[j].leaf, &p->leaf))
				continue;
			p->approval_by = had[j].approval_by;
			p->approval_within_s = had[j].approval_within_s;
			c->n_kept++;
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

	if (!c->revoke && !c->no_approval && (r = keep_approvals(db, c)) != 0)
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
			warn_of_strangers(args, &s, &rules);
			warn_of_tables(args, &s, &rules);
		}
	}
	site_close(&s);
	return r;
}

/* --- the list ------------------------------------------------------------- */

static const char *
approval_text(struct site *s, const struct db_permission *p, const char *before)
{
	const char *text;
	char *span;

	if (p->approval_within_s == 0)
		return "";
	span = output_span(p->approval_within_s);
	text = arena_printf(s->arena, "%sneeds the approval of %s within %s",
	    before,
	    str_eq(p->approval_by, APPROVAL_ADMIN) ? "an admin"
						   : p->approval_by,
	    span);
	free(span);
	return text;
}

static const char *
limits_text(struct site *s, const struct db_permission *p)
{
	const char *uses = p->has_uses
			       ? arena_printf(s->arena, "%lld uses left",
				     (long long)p->uses_left)
			       : "";

	return arena_printf(s->arena, "%s%s%s%s%s%s",
	    p->bound != NULL ? p->bound : "", p->is_early ? "not yet " : "",
	    p->is_late ? "expired " : "",
	    !p->is_late && p->valid_until_ms != 0 ? "for a time " : "", uses,
	    approval_text(s, p, *uses != '\0' ? ", " : ""));
}

static struct json_object *
rule_json(const struct db_permission *p)
{
	struct json_object *o = json_object_new_object(), *bound = NULL;

	json_add_int(o, "id", p->id);
	json_add_str(o, "party", p->leaf.party_id);
	json_add_str(o, "as", p->leaf.src_role);
	json_add_str(o, "kind", p->leaf.kind);
	json_add_str(o, "subject", p->leaf.subject);
	json_add_str(o, "detail", p->leaf.detail);
	if (p->bound != NULL && json_parse_text(p->bound, &bound) == 0)
		json_add(o, "bound", bound);
	if (p->valid_from_ms != 0)
		json_add_int(o, "valid_from_ms", p->valid_from_ms);
	if (p->valid_until_ms != 0)
		json_add_int(o, "valid_until_ms", p->valid_until_ms);
	if (p->has_uses)
		json_add_int(o, "uses_left", p->uses_left);
	if (p->approval_within_s > 0) {
		json_add_str(o, "approval_by", p->approval_by);
		json_add_int(o, "approval_within_s", p->approval_within_s);
	}
	json_add_bool(o, "valid", !p->is_early && !p->is_late);
	json_add_str(o, "created_by", p->created_by);
	return o;
}

static void
print_rules(const struct args *args, struct site *s,
    const struct db_permission *rows, size_t n)
{
	static const char *const head[] = { "rule", "party", "as", "kind",
		"what", "", "limits" };
	struct output_table *t = output_table_new(7);
	struct json_object *list = json_object_new_array();
	size_t i;

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		const struct db_leaf *l = &rows[i].leaf;

		output_table_row(t,
		    (const char *const[]){
			arena_printf(s->arena, "%lld", (long long)rows[i].id),
			l->party_id, l->src_role, l->kind, l->subject,
			l->detail, limits_text(s, &rows[i]) });
		json_object_array_add(list, rule_json(&rows[i]));
	}
	output_list(args, t, list);
}

static int
run_list(const struct args *args)
{
	struct db_permission *rows;
	struct site s;
	size_t n;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_permission_list(
		 s.db, s.arena, args_text(args, "party"), &rows, &n)) == 0)
		print_rules(args, &s, rows, n);
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

static const struct option_def grants_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "party", "ID", "only rules about this partner", false },
	OPTION_END,
};

const struct command command_grants = {
	"grants",
	"",
	0,
	"List what partners may do here.",
	grants_options,
	run_list,
};
