/*
 * Decisions about partners' jobs.  Called by party_job.c, party_task.c and
 * for explanations by fcgi-app.
 */
#include "lib/party/permit.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/model/contract.h"
#include "lib/party/permit_command.h"

#define LOCAL "local" /* the role of a site's own jobs */
#define OTHERS_MAX 3  /* that no grant allows, told behind the first */

static const char *const kind_names[] = {
	[PERMIT_NONE] = "",
	[PERMIT_ROLE] = "role",
	[PERMIT_COMPONENT] = "component",
	[PERMIT_DATASET] = "dataset",
	[PERMIT_COMMAND] = "command",
	[PERMIT_PARAMETER] = "parameter",
};

const char *
permit_kind_name(enum permit_kind kind)
{
	return kind_names[kind];
}

/* --- what is wished ------------------------------------------------------- */

struct wish {
	enum permit_kind kind;
	const struct permit_task *task; /* NULL for role and command */
};

/* The wishes of an ask, leaf i being that of wish i. */
struct wishes {
	const struct permit_ask *ask;
	struct arena *arena;
	struct db_leaf *leaves;
	struct wish *list;
	size_t n;
	struct json_object *seen; /* those there are, as keys */
};

static const char *
lower(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s), *p;

	for (p = copy; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static void
add(struct wishes *w, enum permit_kind kind, const char *subject,
    const char *detail, const struct permit_task *task)
{
	struct buf key = BUF_INIT;
	bool is_new;

	buf_printf(
	    &key, "%d %zu %s %s", (int)kind, strlen(subject), subject, detail);
	is_new = !json_has(w->seen, buf_str(&key));
	if (is_new)
		json_add_bool(w->seen, buf_str(&key), true);
	buf_fini(&key);
	if (!is_new)
		return;
	w->leaves[w->n] = (struct db_leaf){ .party_id = w->ask->party,
		.src_role = w->ask->src_role,
		.kind = kind_names[kind],
		.subject = subject,
		.detail = detail };
	w->list[w->n++] = (struct wish){ kind, task };
}

static int
parameters_of(const struct permit_task *t, struct json_object **out)
{
	int r;

	*out = NULL;
	if (t->parameters == NULL || *t->parameters == '\0')
		return 0;
	if ((r = json_parse_text(t->parameters, out)) != 0)
		return err_wrap("parameters of %s", t->component);
	return 0;
}

/*
 * The table a task names, whoever gave it (common or role scope): these are
 * the complete parameters of this member.
 */
static int
add_table(struct wishes *w, const char *module, const struct permit_task *t)
{
	struct json_object *p, *table;
	const char *space, *name;
	int r;

	if ((r = parameters_of(t, &p)) != 0)
		return r;
	table = contract_table_of(module, p);
	space = json_get_str(table, "namespace", NULL);
	name = json_get_str(table, "name", NULL);
	if (space == NULL || name == NULL) { /* an output of a job */
		space = json_get_str(table, "job_id", "?");
		name = json_get_str(table, "component_name", "?");
	}
	if (table != NULL || str_eq(module, "reader") ||
	    str_eq(module, "download"))
		add(w, PERMIT_DATASET, arena_strdup(w->arena, space),
		    arena_strdup(w->arena, name), t);
	json_object_put(p);
	return 0;
}

static int
add_task(struct wishes *w, const struct permit_task *t)
{
	const char *module = lower(w->arena, t->module);

	add(w, PERMIT_COMPONENT, module, "", t);
	add(w, PERMIT_PARAMETER, module, "", t);
	return add_table(w, module, t);
}

static int
gather(struct arena *a, const struct permit_ask *ask, struct wishes *w)
{
	size_t i, max = 2 + 3 * ask->ntasks;
	int r = 0;

	*w = (struct wishes){ .ask = ask,
		.arena = a,
		.leaves = arena_alloc(a, max * sizeof(*w->leaves)),
		.list = arena_alloc(a, max * sizeof(*w->list)),
		.seen = json_object_new_object() };
	add(w, PERMIT_ROLE, ask->role, "", NULL);
	add(w, PERMIT_COMMAND, ask->command, "", NULL);
	for (i = 0; r == 0 && i < ask->ntasks; i++)
		r = add_task(w, &ask->tasks[i]);
	json_object_put(w->seen);
	w->seen = NULL;
	return r;
}

/* --- words ------------------------------------------------------------------ */

static const char *
date(struct arena *a, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		return "?";
	return arena_strdup(a, text);
}

static const char *
any(const char *s, const char *text)
{
	return str_eq(s, DB_PERMISSION_ANY) ? text : s;
}

/* "may not …", by kind. */
static const char *
wish_text(struct arena *a, enum permit_kind kind, const struct db_leaf *l)
{
	switch (kind) {
	case PERMIT_ROLE:
		return arena_printf(a, "have the role %s", l->subject);
	case PERMIT_COMMAND:
		return arena_printf(a, "%s jobs", l->subject);
	case PERMIT_COMPONENT:
		return arena_printf(a, "use component %s", l->subject);
	case PERMIT_DATASET:
		return arena_printf(
		    a, "read dataset %s %s", l->subject, l->detail);
	default:
		return arena_printf(
		    a, "set parameter %s.%s", l->subject, l->detail);
	}
}

/* "may …", by kind. */
static const char *
rule_allows_text(
    struct arena *a, enum permit_kind kind, const struct db_leaf *l)
{
	bool all = str_eq(l->subject, DB_PERMISSION_ANY);

	if (all && kind == PERMIT_ROLE)
		return "have any role";
	if (all && kind == PERMIT_COMMAND)
		return "create and rerun jobs";
	if (all && kind == PERMIT_COMPONENT)
		return "use any component";
	if (all && kind == PERMIT_DATASET)
		return "read any dataset";
	if (kind == PERMIT_DATASET && str_eq(l->detail, DB_PERMISSION_ANY))
		return arena_printf(a, "read any dataset of %s", l->subject);
	return wish_text(a, kind, l);
}

static const char *
rule_text(struct arena *a, enum permit_kind kind, const struct db_permission *p)
{
	return arena_printf(a, "rule %lld: %s as %s may %s", (long long)p->id,
	    any(p->leaf.party_id, "any party"),
	    any(p->leaf.src_role, "any role"),
	    rule_allows_text(a, kind, &p->leaf));
}

/*
 * The command that would allow it, to be run at this site.  A table that is
 * called "*" cannot be granted by itself, and nothing wider is proposed.
 */
static const char *
grant_text(struct arena *a, enum permit_kind kind, const struct db_leaf *l)
{
	struct db_leaf as_any = *l;

	if (kind == PERMIT_DATASET && (str_eq(l->subject, DB_PERMISSION_ANY) ||
					  str_eq(l->detail, DB_PERMISSION_ANY)))
		return "";
	as_any.src_role = DB_PERMISSION_ANY;
	return permit_command(a, "grant", &as_any);
}

/* --- one wish -------------------------------------------------------------- */

static bool
part_matches(const char *rule, const char *wish)
{
	return str_eq(rule, wish) || str_eq(rule, DB_PERMISSION_ANY);
}

static bool
is_about(const struct db_permission *p, const struct db_leaf *l)
{
	return str_eq(p->leaf.kind, l->kind) &&
	       part_matches(p->leaf.party_id, l->party_id) &&
	       part_matches(p->leaf.src_role, l->src_role) &&
	       part_matches(p->leaf.subject, l->subject) &&
	       part_matches(p->leaf.detail, l->detail);
}

/* Why a rule that fits cannot be used now, or NULL. */
static const char *
unusable(struct arena *a, const struct db_permission *p, bool admits)
{
	if (p->is_early)
		return arena_printf(a, "rule %lld is valid from %s on",
		    (long long)p->id, date(a, p->valid_from_ms));
	if (p->is_late)
		return arena_printf(a, "rule %lld was valid until %s",
		    (long long)p->id, date(a, p->valid_until_ms));
	if (admits && p->has_uses && p->uses_left <= 0)
		return arena_printf(
		    a, "all uses of rule %lld are used up", (long long)p->id);
	return NULL;
}

static void
refuse(struct wishes *w, struct permit_decision *d, const struct db_leaf *l,
    const char *because)
{
	struct arena *a = w->arena;

	d->allowed = false;
	d->grant = grant_text(a, d->kind, l);
	/* Partners read it, too: "here" would be anywhere. */
	d->why = arena_printf(a, "party %s (as %s) may not %s at party %s: %s",
	    l->party_id, l->src_role, wish_text(a, d->kind, l),
	    w->ask->party_id, because);
}

/* By a rule that lasts rather than by one whose uses are counted. */
static void
decide(struct wishes *w, size_t i, const struct db_permission *rules, size_t n,
    struct permit_decision *d)
{
	const struct db_permission *best = NULL;
	const char *because = "no rule allows it", *text;
	size_t k;

	/* It has no sandbox everywhere; "*" is meant for roles of partners. */
	if (d->kind == PERMIT_ROLE && str_eq(d->subject, LOCAL)) {
		refuse(w, d, &w->leaves[i],
		    "it is for jobs that a site initiates itself, whatever "
		    "rules say");
		d->grant = "";
		return;
	}
	for (k = 0; k < n; k++) {
		if (!is_about(&rules[k], &w->leaves[i]))
			continue;
		text = unusable(
		    w->arena, &rules[k], w->ask->admits && !w->ask->again);
		if (text != NULL)
			because = text;
		else if (best == NULL || (best->has_uses && !rules[k].has_uses))
			best = &rules[k];
		/* A wider rule does not take it back. */
		if (text == NULL && rules[k].approval_within_s > 0)
			d->approval = &rules[k];
	}
	if (d->approval != NULL)
		best = d->approval;
	if (best == NULL) {
		refuse(w, d, &w->leaves[i], because);
		return;
	}
	d->allowed = true;
	d->rule = best->id;
	d->counts = best->has_uses;
	d->why = rule_text(w->arena, d->kind, best);
	d->grant = "";
}

/* --- parameters -------------------------------------------------------------- */

/* a.b.c in nested objects; false when it is not there. */
static bool
find_value(struct json_object *o, const char *path, struct json_object **value)
{
	char key[256];
	size_t len;

	for (;;) {
		len = strcspn(path, ".");
		if (len >= sizeof(key))
			return false;
		memcpy(key, path, len);
		key[len] = '\0';
		if (!json_is_object(o) ||
		    !json_object_object_get_ex(o, key, &o))
			return false;
		if (path[len] == '\0') {
			*value = o;
			return true;
		}
		path += len + 1;
	}
}

static bool
rule_allows(const struct db_permission *p, struct json_object *value)
{
	struct json_object *bound = NULL;
	bool allowed;

	/* A rule that nobody can read allows nothing. */
	if (p->bound == NULL || json_parse_text(p->bound, &bound) != 0 ||
	    bound == NULL) {
		err_clear();
		return false;
	}
	allowed = permit_in_bound(bound, value);
	json_object_put(bound);
	return allowed;
}

/*
 * All rules about one parameter together: the first of them stands for the
 * rest.  A parameter that a rule bounds must be there.
 */
static void
decide_parameter(struct wishes *w, const struct permit_task *t,
    struct json_object *parameters, const struct db_permission *rules, size_t n,
    size_t first, struct permit_decision *d)
{
	struct db_leaf l = rules[first].leaf;
	struct json_object *value = NULL;
	bool there = find_value(parameters, l.detail, &value);
	size_t k;

	d->kind = PERMIT_PARAMETER;
	d->subject = l.subject;
	d->detail = l.detail;
	d->component = t->component;
	d->rule = rules[first].id;
	for (k = first; there && k < n; k++)
		if (str_eq(rules[k].leaf.detail, l.detail) &&
		    str_eq(rules[k].leaf.subject, l.subject) &&
		    rule_allows(&rules[k], value)) {
			d->allowed = true;
			d->rule = rules[k].id;
			d->why = rule_text(w->arena, d->kind, &rules[k]);
			d->grant = "";
			return;
		}
	l.party_id = w->ask->party;
	l.src_role = w->ask->src_role;
	refuse(w, d, &l,
	    arena_printf(w->arena,
		"%s has %s, rule %lld allows %s; without a bound any value is "
		"allowed",
		t->component,
		there ? json_object_to_json_string(value) : "none",
		(long long)d->rule, rules[first].bound));
	d->grant = permit_bound_command(
	    w->arena, &l, there ? json_object_to_json_string(value) : "null");
}

static bool
is_first_about(const struct db_permission *rules, size_t k)
{
	size_t i;

	for (i = 0; i < k; i++)
		if (str_eq(rules[i].leaf.kind, kind_names[PERMIT_PARAMETER]) &&
		    str_eq(rules[i].leaf.subject, rules[k].leaf.subject) &&
		    str_eq(rules[i].leaf.detail, rules[k].leaf.detail))
			return false;
	return true;
}

static int
decide_task(struct wishes *w, const struct permit_task *t,
    const struct db_permission *rules, size_t n, struct permit_decision *out,
    size_t *n_out)
{
	const char *module = lower(w->arena, t->module);
	struct json_object *parameters = NULL;
	bool parsed = false;
	size_t k;
	int r;

	for (k = 0; k < n; k++) {
		if (!str_eq(rules[k].leaf.kind, kind_names[PERMIT_PARAMETER]) ||
		    !str_eq(rules[k].leaf.subject, module) ||
		    !is_first_about(rules, k))
			continue;
		if (!parsed && (r = parameters_of(t, &parameters)) != 0)
			return r;
		parsed = true;
		decide_parameter(
		    w, t, parameters, rules, n, k, &out[(*n_out)++]);
	}
	json_object_put(parameters);
	return 0;
}

/* --- all of them -------------------------------------------------------------- */

static size_t
count_parameters(const struct db_permission *rules, size_t n)
{
	size_t k, count = 0;

	for (k = 0; k < n; k++)
		count +=
		    str_eq(rules[k].leaf.kind, kind_names[PERMIT_PARAMETER]);
	return count;
}

int
permit_decide(struct db *db, struct arena *a, const struct permit_ask *ask,
    struct permit_decision **out, size_t *n)
{
	struct db_permission *rules;
	struct permit_decision *d;
	struct wishes w;
	size_t i, n_rules;
	int r;

	*out = NULL;
	*n = 0;
	if ((r = gather(a, ask, &w)) != 0 ||
	    (r = db_permission_match(db, a, w.leaves, w.n, &rules, &n_rules)) !=
		0)
		return r;
	*out = arena_alloc(
	    a, (w.n + ask->ntasks * count_parameters(rules, n_rules)) *
		   sizeof(**out));
	for (i = 0; i < w.n; i++) {
		if (w.list[i].kind == PERMIT_PARAMETER)
			continue;
		d = &(*out)[(*n)++];
		d->kind = w.list[i].kind;
		d->subject = w.leaves[i].subject;
		d->detail = w.leaves[i].detail;
		d->component =
		    w.list[i].task != NULL ? w.list[i].task->component : "";
		decide(&w, i, rules, n_rules, d);
	}
	for (i = 0; i < ask->ntasks; i++)
		if ((r = decide_task(
			 &w, &ask->tasks[i], rules, n_rules, *out, n)) != 0)
			return r;
	return 0;
}

/* What no grant allows says so itself. */
static void
put_others(struct buf *text, const struct permit_decision *d, size_t n)
{
	size_t i, others = 0, told = 0;

	for (i = 0; i < n; i++)
		others += !d[i].allowed;
	if (others > 0)
		buf_printf(text, "; %zu more %s missing", others,
		    others == 1 ? "is" : "are");
	for (i = 0; i < n && told < OTHERS_MAX; i++)
		if (!d[i].allowed && *d[i].grant == '\0') {
			buf_printf(text, "; %s", d[i].why);
			told++;
		}
}

/*
 * d is the first of n that is refused.  Whoever reads it has what is missing
 * in one command, and need not ask once for each.
 */
static int
denied(struct arena *a, const struct permit_ask *ask,
    const struct permit_decision *d, size_t n)
{
	struct buf text = BUF_INIT;
	const char **grants;
	size_t i, n_grants;
	int r;

	buf_puts(&text, d->why);
	put_others(&text, d + 1, n - 1);
	grants = permit_grants(a, ask->party, d, n, &n_grants);
	if (n_grants > 0)
		buf_printf(&text,
		    "; the operator of party %s allows it by: ", ask->party_id);
	for (i = 0; i < n_grants; i++)
		buf_printf(&text, "%s%s", i > 0 ? "; " : "", grants[i]);
	r = err_set(ERR_DENIED, "%s", buf_str(&text));
	buf_fini(&text);
	return r;
}

static bool
is_demanded(const struct permit_demands *out, int64_t rule)
{
	size_t i;

	for (i = 0; i < out->n; i++)
		if (out->list[i].rule == rule)
			return true;
	return false;
}

/* What a person has to approve; each rule once. */
static bool
demand(struct permit_demands *out, const struct permit_decision *d, size_t n)
{
	struct arena *a = out->arena;
	size_t i;

	out->n = 0;
	out->list = arena_alloc(a, (n + 1) * sizeof(*out->list));
	for (i = 0; i < n; i++) {
		const struct db_permission *p = d[i].approval;

		if (p == NULL || is_demanded(out, p->id))
			continue;
		out->list[out->n++] = (struct permit_demand){ .rule = p->id,
			.subject = arena_printf(a, "%s %s%s%s",
			    kind_names[d[i].kind], d[i].subject,
			    *d[i].detail != '\0' ? " " : "", d[i].detail),
			.by = arena_strdup(a, p->approval_by),
			.within_s = p->approval_within_s };
	}
	return out->n > 0;
}

static int
check(struct db *db, struct arena *a, const struct permit_ask *ask,
    enum permit_kind *refused)
{
	struct permit_decision *d;
	size_t i, n;
	int r;

	if ((r = permit_decide(db, a, ask, &d, &n)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if (!d[i].allowed) {
			*refused = d[i].kind;
			return denied(a, ask, &d[i], n - i);
		}
	}
	if (ask->admits && ask->demands != NULL && demand(ask->demands, d, n))
		return 0;
	for (i = 0; i < n && ask->admits; i++)
		if (d[i].counts &&
		    (r = db_permission_use(db, d[i].rule, ask->job_id,
			 ask->role, ask->party_id)) != 0) {
			*refused = d[i].kind;
			return r;
		}
	return 0;
}

int
permit_check(
    struct db *db, const struct permit_ask *ask, enum permit_kind *refused)
{
	enum permit_kind ignored;
	struct arena *a = arena_new();
	int r;

	if (refused == NULL)
		refused = &ignored;
	*refused = PERMIT_NONE;
	r = check(db, a, ask, refused);
	arena_free(a);
	return r;
}
