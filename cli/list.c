/*
 * sluice jobs, tables, components: what there is at a site.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/wait.h"

#define JOB_STATUSES "waiting, running, success, failed or canceled"
#define JOB_ROLES "guest, host, arbiter or local"
#define JOBS_DEFAULT 20
#define LIST_MAX 10000
#define REASON_SHOWN 160 /* bytes; "sluice query JOB" tells all */
#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

typedef void print_fn(const struct args *, struct json_object *data);

/* Ask, and print data; body is put. */
static int
ask(const struct args *args, const char *path, struct json_object *body,
    print_fn *print)
{
	struct json_object *answer = NULL;
	struct api *api = NULL;
	int r;

	if ((r = api_open(args, &api)) == 0 &&
	    (r = api_post(api, path, body, &answer)) == 0)
		print(args, json_get(answer, "data"));
	json_object_put(answer);
	json_object_put(body);
	api_close(api);
	return r;
}

static void
add_option(struct json_object *body, const struct args *args,
    const char *option, const char *key)
{
	if (args_text(args, option) != NULL)
		json_add_str(body, key, args_text(args, option));
}

/* What is no array has nothing in it. */
static size_t
length_of(struct json_object *list)
{
	return json_is_array(list) ? json_object_array_length(list) : 0;
}

/* A number as text; "" when it is not known. */
static const char *
text_of(struct json_object *o, const char *key)
{
	struct json_object *value = json_get(o, key);

	return value != NULL ? json_object_get_string(value) : "";
}

/* --- jobs ----------------------------------------------------------------- */

/* Since when it is what it is. */
static const char *
since(struct json_object *row)
{
	static const char *const dates[] = { "end_date", "start_date",
		"create_date" };
	const char *status = json_get_str(row, "status", "");
	size_t i = str_eq(status, "running")   ? 1
		   : str_eq(status, "waiting") ? 2
					       : 0;

	while (i < 2 && json_get_str(row, dates[i], NULL) == NULL)
		i++;
	return json_get_str(row, dates[i], "");
}

/* What it waits for, or the beginning of why it is what it is; the caller's. */
static char *
why(struct json_object *row)
{
	const char *reason = json_get_str(row, "reason", "");
	struct json_object *wait = json_get(row, "wait");
	size_t len = strlen(reason);

	/* A list has the code alone; whose turn it is, the job's page tells. */
	if (wait != NULL)
		return xasprintf("%s: %s", json_get_str(wait, "code", ""),
		    wait_words(wait_parse(json_get_str(wait, "code", ""))));
	if (len <= REASON_SHOWN)
		return xstrdup(reason);
	/* Not within a character. */
	for (len = REASON_SHOWN; ((unsigned char)reason[len] & 0xc0) == 0x80;)
		len--;
	return xasprintf("%.*s…", (int)len, reason);
}

static void
print_jobs(const struct args *args, struct json_object *data)
{
	static const char *const head[] = { "job", "role", "party", "status",
		"since", "progress", "description", "waits for, or reason" };
	struct json_object *jobs = json_get(data, "jobs"), *row;
	struct output_table *t = output_table_new(N_OF(head));
	size_t i, n = length_of(jobs);
	int64_t all = json_get_int(data, "count", 0);
	char *progress, *reason;

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		row = json_object_array_get_idx(jobs, i);
		reason = why(row);
		progress = xasprintf(
		    "%lld %%", (long long)json_get_int(row, "progress", 0));
		output_table_row(t,
		    (const char *const[]){ json_get_str(row, "job_id", ""),
			json_get_str(row, "role", ""), text_of(row, "party_id"),
			json_get_str(row, "status", ""), since(row), progress,
			json_get_str(row, "description", ""), reason });
		free(progress);
		free(reason);
	}
	output_list(args, t, json_object_get(jobs));
	if (!args_json(args) && all > (int64_t)n && n > 0)
		output_note("sluice jobs: %zu of %lld; --limit N shows more, "
			    "--status STATUS some",
		    n, (long long)all);
}

/* all: "a, b or c". */
static bool
is_one_of(const char *text, const char *all)
{
	size_t len = strlen(text);
	const char *at;

	for (at = all; *at != '\0'; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strcspn(at, ", ") == len && strncmp(at, text, len) == 0 &&
		    !str_eq(text, "or"))
			return true;
	}
	return false;
}

static int
check_word(const struct args *args, const char *option, const char *all)
{
	const char *text = args_text(args, option);

	return text == NULL || is_one_of(text, all)
		   ? 0
		   : args_wrong(
			 "--%s: '%s' is not one of %s", option, text, all);
}

static int
check_jobs(const struct args *args)
{
	int r = check_word(args, "status", JOB_STATUSES);

	return r != 0 ? r : check_word(args, "role", JOB_ROLES);
}

static int
run_jobs(const struct args *args)
{
	struct json_object *body;
	int64_t limit;
	int r;

	if ((r = check_jobs(args)) != 0)
		return r;
	body = json_object_new_object();
	if ((r = args_int(args, "limit", 1, LIST_MAX, JOBS_DEFAULT, &limit)) !=
	    0) {
		json_object_put(body);
		return r;
	}
	json_add_int(body, "limit", limit);
	add_option(body, args, "status", "status");
	add_option(body, args, "role", "role");
	add_option(body, args, "partner", "partner");
	return ask(args, "job/list/job", body, print_jobs);
}

static const struct option_def jobs_options[] = {
	OPTIONS_API,
	{ "status", "STATUS", JOB_STATUSES, false },
	{ "role", "ROLE", "of members in that role here: " JOB_ROLES, false },
	{ "partner", "ID", "of jobs with that party", false },
	{ "limit", "N", "at most so many, the newest (20)", false },
	OPTION_END,
};

const struct command command_jobs = {
	"jobs",
	"",
	0,
	"List the newest jobs: how each is, since when, what it waits for.",
	jobs_options,
	run_jobs,
};

/* --- tables --------------------------------------------------------------- */

static void
print_tables(const struct args *args, struct json_object *data)
{
	static const char *const head[] = { "namespace", "name", "rows",
		"partitions", "engine", "from", "made (UTC)", "job", "" };
	struct output_table *t = output_table_new(N_OF(head));
	char made[CLOCK_UTC_SIZE];
	struct json_object *o;
	size_t i, n = length_of(data);

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		o = json_object_array_get_idx(data, i);
		clock_utc(json_get_int(o, "create_time", 0), made);
		output_table_row(t,
		    (const char *const[]){ json_get_str(o, "namespace", ""),
			json_get_str(o, "table_name", ""), text_of(o, "count"),
			text_of(o, "partition"), json_get_str(o, "engine", ""),
			json_get_str(o, "origin", ""), made,
			json_get_str(o, "job_id", ""),
			json_get_bool(o, "enable", true) ? "" : "disabled" });
	}
	output_list(args, t, json_object_get(data));
}

static int
run_tables(const struct args *args)
{
	struct json_object *body = json_object_new_object();
	int64_t limit;
	int r;

	if ((r = args_int(args, "limit", 1, LIST_MAX, LIST_MAX, &limit)) != 0) {
		json_object_put(body);
		return r;
	}
	json_add_int(body, "limit", limit);
	json_add_bool(body, "outputs", args_flag(args, "outputs"));
	add_option(body, args, "namespace", "namespace");
	return ask(args, "table/all", body, print_tables);
}

static const struct option_def tables_options[] = {
	OPTIONS_API,
	{ "namespace", "TEXT", "of that namespace", false },
	{ "outputs", NULL, "what tasks made, too", false },
	{ "limit", "N", "at most so many, the newest (10000)", false },
	OPTION_END,
};

const struct command command_tables = {
	"tables",
	"",
	0,
	"List the tables that were uploaded or bound at a site.",
	tables_options,
	run_tables,
};

/* --- components ----------------------------------------------------------- */

/* The API has a provider's names in lower case. */
static bool
has_name(struct json_object *list, const char *name)
{
	size_t i, n = length_of(list);

	for (i = 0; i < n; i++)
		if (strcasecmp(json_object_get_string(
				   json_object_array_get_idx(list, i)),
			name) == 0)
			return true;
	return false;
}

/* "a, b" of a list's texts from the first-th on. */
static void
put_list(struct buf *b, struct json_object *list, size_t first)
{
	for (size_t i = first; i < length_of(list); i++)
		buf_printf(b, "%s%s", i > first ? ", " : "",
		    json_object_get_string(json_object_array_get_idx(list, i)));
}

/* The versions of a provider that have the module, the default one first. */
static void
put_versions(struct buf *b, struct json_object *provider, const char *module)
{
	const char *before = "";

	json_object_object_foreach(provider, version, o)
	{
		if (!has_name(json_get(o, "components"), module))
			continue;
		buf_printf(b, "%s%s", before, version);
		before = ", ";
	}
}

static void
print_component(struct output_table *t, struct json_object *list,
    const char *module, struct json_object *o, struct json_object *providers)
{
	struct json_object *by = json_get(o, "support_provider"), *row;
	struct buf versions = BUF_INIT, aliases = BUF_INIT;

	put_list(&aliases, json_get(o, "alias"), 1);
	for (size_t i = 0; i < length_of(by); i++) {
		const char *name =
		    json_object_get_string(json_object_array_get_idx(by, i));

		buf_clear(&versions);
		put_versions(&versions, json_get(providers, name), module);
		output_table_row(
		    t, (const char *const[]){ module, name, buf_str(&versions),
			   buf_str(&aliases) });
		row = json_object_new_object();
		json_add_str(row, "component", module);
		json_add_str(row, "provider", name);
		json_add_str(row, "versions", buf_str(&versions));
		json_add(row, "alias", json_object_get(json_get(o, "alias")));
		json_object_array_add(list, row);
	}
	buf_fini(&versions);
	buf_fini(&aliases);
}

static void
print_components(const struct args *args, struct json_object *data)
{
	static const char *const head[] = { "component", "provider", "versions",
		"also called" };
	struct output_table *t = output_table_new(N_OF(head));
	struct json_object *list = json_object_new_array(), *alias;

	output_table_row(t, head);
	json_object_object_foreach(json_get(data, "components"), name, o)
	{
		/* Each is there by its other names as well. */
		alias = json_object_array_get_idx(json_get(o, "alias"), 0);
		if (str_eq(json_object_get_string(alias), name))
			print_component(
			    t, list, name, o, json_get(data, "providers"));
	}
	output_list(args, t, list);
}

static int
run_components(const struct args *args)
{
	return ask(args, "provider/registry/get", json_object_new_object(),
	    print_components);
}

static const struct option_def components_options[] = { OPTIONS_API,
	OPTION_END };

const struct command command_components = {
	"components",
	"",
	0,
	"List the components that jobs may use here, and their versions.",
	components_options,
	run_components,
};
