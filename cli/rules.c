/*
 * Options into rules.  Called by grant.c.
 */
#include "cli/rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/party/approval.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"
#include "lib/party/permit.h"
#include "lib/provider/manifest.h"

#define RULES_MAX 10000
#define ROLES_MAX 256
#define NAME_MAX_LEN 255

struct parse {
	const struct args *args;
	const struct site *site;
	struct providers *providers;
	struct rules *out;
	bool grants; /* what is taken away may be about what is no more */
	/* what all rules of this command share */
	const char *party;
	const char *src_role;
	int64_t from_ms, until_ms;
	int64_t uses; /* 0: not counted */
	const char *approval_by;
	int64_t approval_within_s; /* 0: nobody has to approve */
};

static char *
keep(const struct parse *p, const char *s, size_t len)
{
	return arena_strndup(p->site->arena, s, len);
}

static int
add(struct parse *p, enum permit_kind kind, const char *subject,
    const char *detail, const char *bound)
{
	struct db_permission *r;

	if (p->out->n == RULES_MAX)
		return err_set(ERR_LIMIT, "more than %d rules", RULES_MAX);
	if (strlen(subject) > NAME_MAX_LEN || strlen(detail) > NAME_MAX_LEN ||
	    *subject == '\0')
		return err_set(ERR_INVALID, "--%ss: a name has 1 to %d bytes",
		    permit_kind_name(kind), NAME_MAX_LEN);
	r = &p->out->list[p->out->n++];
	*r = (struct db_permission){
		.leaf = { p->party, p->src_role, permit_kind_name(kind),
		    subject, detail },
		.bound = bound,
		.created_by = site_operator(p->site),
	};
	if (kind == PERMIT_PARAMETER)
		return 0;
	r->valid_from_ms = p->from_ms;
	r->valid_until_ms = p->until_ms;
	r->approval_by = p->approval_by;
	r->approval_within_s = p->approval_within_s;
	if (kind == PERMIT_DATASET && p->uses > 0) {
		r->has_uses = true;
		r->uses_left = p->uses;
	}
	return 0;
}

/* --- one word of each kind ------------------------------------------------ */

/* Roles are those that modules of this site's providers have. */
static int
check_role(struct parse *p, const char *option, const char *word)
{
	const char *names[ROLES_MAX], *near;
	size_t i, j, k, n = 0;

	if (str_eq(word, DB_PERMISSION_ANY))
		return 0;
	for (i = 0; i < providers_count(p->providers); i++) {
		const struct provider *v = providers_at(p->providers, i);

		for (j = 0; j < v->n_modules; j++)
			for (k = 0; v->modules[j].roles[k] != NULL; k++) {
				const char *role = v->modules[j].roles[k];

				if (str_eq(role, word))
					return 0;
				if (n < ROLES_MAX &&
				    (n == 0 || !str_eq(names[n - 1], role)))
					names[n++] = role;
			}
	}
	if (!p->grants && str_is_name(word, JOB_ROLE_MAX))
		return 0;
	near = str_nearest(word, names, n);
	return err_set(ERR_INVALID, "--%s: '%s' is no role%s%s%s", option, word,
	    near != NULL ? ", did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
}

static int
take_role(struct parse *p, const char *word)
{
	int r = check_role(p, "roles", word);

	return r != 0 ? r : add(p, PERMIT_ROLE, word, "", NULL);
}

static int
take_command(struct parse *p, const char *word)
{
	if (!str_eq(word, DB_PERMISSION_ANY) && !str_eq(word, PERMIT_CREATE) &&
	    !str_eq(word, PERMIT_RERUN))
		return err_set(ERR_INVALID,
		    "--commands: '%s' is none of %s, %s", word, PERMIT_CREATE,
		    PERMIT_RERUN);
	return add(p, PERMIT_COMMAND, word, "", NULL);
}

/* By name or alias, whatever the case; kept as jobs are checked by. */
static int
module_name(struct parse *p, const char *option, const char *word, char **out)
{
	const struct module *m = providers_module(p->providers, word);
	const char *near;
	char *s;

	if (m == NULL) {
		near = providers_nearest_module(p->providers, word);
		return err_set(ERR_INVALID,
		    "--%s: no provider of this site has %s%s%s%s", option, word,
		    near != NULL ? ", did you mean " : "",
		    near != NULL ? near : "", near != NULL ? "?" : "");
	}
	*out = keep(p, m->name, strlen(m->name));
	for (s = *out; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
	return 0;
}

static int
take_component(struct parse *p, const char *word)
{
	char *name;
	int r;

	if (str_eq(word, DB_PERMISSION_ANY))
		return add(p, PERMIT_COMPONENT, word, "", NULL);
	if ((r = module_name(p, "components", word, &name)) != 0)
		return r;
	return add(p, PERMIT_COMPONENT, name, "", NULL);
}

static int
take_dataset(struct parse *p, const char *word)
{
	const char *slash = strchr(word, '/');

	if (str_eq(word, DB_PERMISSION_ANY))
		return add(p, PERMIT_DATASET, word, word, NULL);
	if (slash == NULL || slash == word || slash[1] == '\0')
		return err_set(ERR_INVALID,
		    "--datasets: '%s' is not NAMESPACE/NAME", word);
	if (slash - word == 1 && *word == '*' && !str_eq(slash + 1, "*"))
		return err_set(ERR_INVALID, "--datasets: a namespace may be "
					    "'*' only together with the name");
	return add(p, PERMIT_DATASET, keep(p, word, (size_t)(slash - word)),
	    keep(p, slash + 1, strlen(slash + 1)), NULL);
}

/* --- lists ------------------------------------------------------------------ */

static int
each_word(struct parse *p, const char *option,
    int (*take)(struct parse *, const char *))
{
	const char *s = args_text(p->args, option);
	size_t len;
	int r;

	for (; s != NULL && *s != '\0'; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		if (len == 0)
			return err_set(
			    ERR_INVALID, "--%s: an empty name", option);
		if ((r = take(p, keep(p, s, len))) != 0)
			return r;
	}
	return 0;
}

/* Of the command's words: what is no JSON is as wrong as any of them. */
static int
parse_json(const char *text, struct json_object **out)
{
	int r = json_parse_text(text, out);

	return r == ERR_FORMAT ? err_set(ERR_INVALID, "%s", err_text()) : r;
}

/* Names with commas or slashes come as JSON. */
static int
datasets_json(struct parse *p, const char *text)
{
	struct json_object *list = NULL, *o;
	const char *space, *name;
	size_t i;
	int r;

	if ((r = parse_json(text, &list)) != 0)
		return err_wrap("--datasets");
	for (i = 0; r == 0 && i < json_object_array_length(list); i++) {
		o = json_object_array_get_idx(list, i);
		space = json_get_str(o, "namespace", NULL);
		name = json_get_str(o, "name", NULL);
		if (space == NULL || name == NULL)
			r = err_set(ERR_INVALID,
			    "--datasets: element %zu has "
			    "no namespace and name",
			    i);
		else
			r = add(p, PERMIT_DATASET,
			    keep(p, space, strlen(space)),
			    keep(p, name, strlen(name)), NULL);
	}
	json_object_put(list);
	return r;
}

static int
datasets(struct parse *p)
{
	const char *text = args_text(p->args, "datasets");

	if (text != NULL && text[0] == '[')
		return datasets_json(p, text);
	return each_word(p, "datasets", take_dataset);
}

/* --- parameters ------------------------------------------------------------- */

/* MIN..MAX, either side may be missing. */
static int
range_text(struct parse *p, const char *text, const char *dots, char **out)
{
	struct json_object *o = json_object_new_object();
	char *min = keep(p, text, (size_t)(dots - text));
	const char *max = dots + 2;
	double v;
	int r = 0;

	if (*min != '\0' && (r = str_to_double(min, &v)) == 0)
		json_add(o, "min", json_double(v));
	if (r == 0 && *max != '\0' && (r = str_to_double(max, &v)) == 0)
		json_add(o, "max", json_double(v));
	if (r == 0 && (r = permit_bound_check(o)) == 0)
		*out = keep(p, json_text(o), strlen(json_text(o)));
	json_object_put(o);
	return r;
}

static int
list_text(struct parse *p, const char *text, char **out)
{
	struct json_object *o = NULL;
	int r;

	if ((r = parse_json(text, &o)) == 0 && (r = permit_bound_check(o)) == 0)
		*out = keep(p, json_text(o), strlen(json_text(o)));
	json_object_put(o);
	return r;
}

/*
 * Does the module have it?  A dotted path leads into objects, as far as their
 * schema says what they hold; *near is the nearest name where it does not.
 */
static bool
has_parameter(struct json_object *schema, const char *path, const char **near)
{
	size_t len = strcspn(path, "."), n = 0, i = 0;
	char *name = xstrndup(path, len);
	struct json_object *o = json_get(schema, name);
	const char **names;

	*near = NULL;
	if (o == NULL) {
		n = (size_t)json_object_object_length(schema);
		names = xcalloc(n + 1, sizeof(*names));
		json_object_object_foreach(schema, key, value)
		{
			(void)value;
			names[i++] = key;
		}
		*near = str_nearest(name, names, n);
		free(names);
	}
	free(name);
	if (o == NULL)
		return str_eq(path, "need_run"); /* every module's */
	if (path[len] == '\0' || !json_is_object(json_get(o, "fields")))
		return true;
	return has_parameter(json_get(o, "fields"), path + len + 1, near);
}

/* Any provider's: versions differ, and a job may choose. */
static int
check_parameter(struct parse *p, const char *module, const char *path)
{
	const char *near = NULL;
	size_t i;

	for (i = 0; i < providers_count(p->providers); i++) {
		const struct module *m =
		    provider_module(providers_at(p->providers, i), module);

		if (m != NULL && has_parameter(m->parameters, path, &near))
			return 0;
	}
	return err_set(ERR_INVALID, "--parameter: %s has no parameter %s%s%s%s",
	    module, path, near != NULL ? ", did you mean " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
}

static int
parameter(struct parse *p, bool with_bound)
{
	const char *text = args_text(p->args, "parameter"), *dot, *equals;
	const char *dots;
	char *module, *bound = NULL, *path;
	int r;

	if (text == NULL)
		return 0;
	equals = strchr(text, '=');
	dot = strchr(text, '.');
	if (dot == NULL || dot == text || dot[1] == '\0' || dot[1] == '=' ||
	    (equals == NULL && with_bound) || (equals != NULL && equals < dot))
		return err_set(ERR_INVALID,
		    "--parameter: '%s' is not MODULE.PATH=BOUND", text);
	if (equals == NULL)
		equals = text + strlen(text);
	path = keep(p, dot + 1, (size_t)(equals - dot - 1));
	if ((r = module_name(p, "parameter",
		 keep(p, text, (size_t)(dot - text)), &module)) != 0)
		return r;
	if (p->grants && (r = check_parameter(p, module, path)) != 0)
		return r;
	if (with_bound) {
		dots = equals[1] == '[' ? NULL : strstr(equals, "..");
		r = dots != NULL ? range_text(p, equals + 1, dots, &bound)
				 : list_text(p, equals + 1, &bound);
		if (r != 0)
			return err_wrap("--parameter %s", text);
	}
	return add(p, PERMIT_PARAMETER, module, path, bound);
}

/* --- when, and how often ------------------------------------------------------- */

/* A day, or a day and a time, UTC. */
static int
take_time(const struct args *args, const char *option, int64_t *out_ms)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	const char *text = args_text(args, option), *end;
	struct tm tm;
	size_t i;

	*out_ms = 0;
	if (text == NULL)
		return 0;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(&tm, 0, sizeof(tm));
		end = strptime(text, forms[i], &tm);
		if (end != NULL && (*end == '\0' || str_eq(end, "Z"))) {
			*out_ms = (int64_t)timegm(&tm) * 1000;
			return 0;
		}
	}
	return err_set(ERR_INVALID,
	    "--%s must be a day or a time in UTC: 2026-12-31 or "
	    "2026-12-31T18:00",
	    option);
}

static int
approvals(struct parse *p)
{
	const char *within = args_text(p->args, "approval-within");
	int r;

	p->approval_by = args_text(p->args, "approval-by");
	if (p->approval_by == NULL && within == NULL)
		return 0;
	if (within == NULL)
		return err_set(ERR_INVALID,
		    "--approval-by needs --approval-within, such as 48h");
	if (p->approval_by == NULL)
		p->approval_by = APPROVAL_ADMIN;
	if ((r = approval_name(p->site->db, p->site->arena, p->site->conf,
		 p->approval_by)) != 0)
		return err_wrap("--approval-by");
	return approval_within(within, &p->approval_within_s);
}

static int
limits(struct parse *p)
{
	int r;

	if ((r = take_time(p->args, "from", &p->from_ms)) != 0 ||
	    (r = take_time(p->args, "until", &p->until_ms)) != 0 ||
	    (r = args_int(p->args, "uses", 1, INT32_MAX, 0, &p->uses)) != 0)
		return r;
	if (p->until_ms != 0 && p->until_ms <= clock_wall_ms())
		return err_set(ERR_INVALID,
		    "--until %s is in the past: nothing would be granted",
		    args_text(p->args, "until"));
	if (p->until_ms != 0 && p->until_ms <= p->from_ms)
		return err_set(ERR_INVALID, "--until is not after --from");
	if (p->uses > 0 && args_text(p->args, "datasets") == NULL)
		return err_set(ERR_INVALID, "--uses is about --datasets");
	return approvals(p);
}

/* --- all --------------------------------------------------------------------------- */

static int
of_party(struct parse *p, bool with_bound)
{
	int r;

	if ((r = each_word(p, "roles", take_role)) != 0 ||
	    (r = each_word(p, "commands", take_command)) != 0 ||
	    (r = each_word(p, "components", take_component)) != 0 ||
	    (r = datasets(p)) != 0)
		return r;
	return parameter(p, with_bound);
}

static int
each_party(struct parse *p, bool with_bound)
{
	const char *s = args_operand(p->args, 0);
	size_t len;
	int r = 0;

	for (; r == 0 && *s != '\0'; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		p->party = keep(p, s, len);
		if (!str_eq(p->party, DB_PERMISSION_ANY) &&
		    !str_is_party_id(p->party))
			return err_set(ERR_INVALID,
			    "'%s' is no party id (1 to 10 digits, or '*')",
			    p->party);
		r = of_party(p, with_bound);
	}
	return r;
}

int
rules_parse(const struct args *args, const struct site *site, struct rules *out)
{
	bool grants = str_eq(args_command(args)->name, "grant");
	const char *as = args_text(args, "as");
	struct parse p = {
		.args = args,
		.site = site,
		.out = out,
		.src_role = as,
		.grants = grants,
	};
	int r;

	if (as == NULL)
		p.src_role = DB_PERMISSION_ANY;
	out->n = 0;
	out->list = arena_alloc(site->arena, RULES_MAX * sizeof(*out->list));
	if ((r = providers_load(site->conf->providers_dir, &p.providers)) != 0)
		return r;
	if ((as == NULL || (r = check_role(&p, "as", as)) == 0) &&
	    (!grants || (r = limits(&p)) == 0))
		r = each_party(&p, grants);
	providers_free(p.providers);
	if (r == 0 && out->n == 0)
		r = err_set(ERR_INVALID,
		    "nothing is named: give --components, --datasets, "
		    "--roles, --commands or --parameter");
	return args_blamed(r);
}
