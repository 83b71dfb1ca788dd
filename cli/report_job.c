/*
 * sluice report: gather a job's story and print it.  From the initiator's
 * site, which knows of its partners' tasks when they ran but not what they
 * measured; or from all sites of a federation whose client APIs the caller may
 * use (the demo's sites.json lists them), each party's part from its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/report.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define SITES_MAX_BYTES (1 << 20)

/* Whom to ask: all of sites, or with NULL there only one, which is open. */
struct source {
	struct json_object *sites;
	struct api *one;
};

struct member {
	const char *role;
	const char *party_id;
};

/*
 * "data" of a POST, the caller's; NULL data is no error.  url is NULL for the
 * one site.
 */
static int
ask(const struct source *from, const char *url, const char *path,
    struct json_object *body, struct json_object **data)
{
	struct json_object *answer = NULL;
	struct api *api = NULL;
	int r = 0;

	*data = NULL;
	if (url != NULL)
		r = api_open_url(url, &api);
	if (r == 0 && (r = api_post(url != NULL ? api : from->one, path, body,
			   &answer)) == 0)
		*data = json_object_get(json_get(answer, "data"));
	json_object_put(answer);
	api_close(api);
	return r;
}

static struct json_object *
filter(const char *job_id, const struct member *m)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "job_id", job_id);
	if (m != NULL) {
		json_add_str(o, "role", m->role);
		json_add_str(o, "party_id", m->party_id);
	}
	return o;
}

static const char *
site_url(struct json_object *sites, const char *party_id)
{
	size_t i, n = json_object_array_length(sites);

	for (i = 0; i < n; i++) {
		struct json_object *s = json_object_array_get_idx(sites, i);

		if (str_eq(json_get_str(s, "party_id", ""), party_id))
			return json_get_str(s, "client_url", NULL);
	}
	return NULL;
}

/* The job's row from the first site that knows it, the initiator's. */
static int
find_job(
    const struct source *from, const char *job_id, struct json_object **row)
{
	struct json_object *body = filter(job_id, NULL), *rows;
	char *initiator = NULL;
	size_t i, j,
	    n = from->sites != NULL ? json_object_array_length(from->sites) : 1;
	int r = 0;

	*row = NULL;
	for (i = 0; i < n && *row == NULL && r == 0; i++) {
		const char *url = NULL;

		if (from->sites != NULL)
			url = json_get_str(
			    json_object_array_get_idx(from->sites, i),
			    "client_url", "");
		if ((r = ask(from, url, "job/query", body, &rows)) != 0)
			break;
		for (j = 0;
		     json_is_array(rows) && j < json_object_array_length(rows);
		     j++) {
			struct json_object *o =
			    json_object_array_get_idx(rows, j);

			if (json_get_bool(o, "f_is_initiator", false))
				*row = json_object_get(o);
			else if (initiator == NULL)
				initiator = xstrdup(json_get_str(
				    o, "f_initiator_party_id", "?"));
		}
		json_object_put(rows);
	}
	json_object_put(body);
	if (r == 0 && *row == NULL && initiator == NULL)
		r = err_set(ERR_NOT_FOUND, "nothing known of job %s", job_id);
	else if (r == 0 && *row == NULL)
		r = err_set(ERR_NOT_FOUND,
		    "job %s was initiated by party %s: its site has the "
		    "report",
		    job_id, initiator);
	free(initiator);
	return r;
}

static int
add_metrics(struct report *report, const struct source *from, const char *url,
    const struct member *m, struct json_object *tasks)
{
	size_t i,
	    n = json_is_array(tasks) ? json_object_array_length(tasks) : 0;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		struct json_object *task = json_object_array_get_idx(tasks, i);
		struct json_object *body, *metrics = NULL;

		body = filter(report->job_id, m);
		json_add_str(body, "component_name",
		    json_get_str(task, "f_component_name", ""));
		r = ask(
		    from, url, "tracking/component/metric/all", body, &metrics);
		report_add_metrics(report, metrics);
		json_object_put(metrics);
		json_object_put(body);
	}
	return r;
}

/* A member whose site is not listed, or that ran nothing, is left out. */
static int
add_member(
    struct report *report, const struct source *from, const struct member *m)
{
	const char *url = NULL;
	struct json_object *body, *tasks = NULL;
	int r = 0;

	if (from->sites != NULL &&
	    (url = site_url(from->sites, m->party_id)) == NULL)
		return 0;
	body = filter(report->job_id, m);
	if (ask(from, url, "job/task/query", body, &tasks) == 0) {
		report_add_tasks(report, tasks);
		r = add_metrics(report, from, url, m, tasks);
	}
	json_object_put(tasks);
	json_object_put(body);
	return r;
}

static int
gather(
    struct report *report, const struct source *from, struct json_object *row)
{
	struct json_object *roles = json_get(row, "f_roles");
	int r = 0;
	size_t i;

	report_add_job(report, row);
	if (!json_is_object(roles))
		return err_set(ERR_FORMAT, "the job's row has no f_roles");
	json_object_object_foreach(roles, role, parties)
	{
		for (i = 0; r == 0 && json_is_array(parties) &&
			    i < json_object_array_length(parties);
		     i++) {
			char *party = xstrdup(json_object_get_string(
			    json_object_array_get_idx(parties, i)));
			struct member m = { role, party };

			r = add_member(report, from, &m);
			free(party);
		}
	}
	report_sort(report);
	return r;
}

static struct report_style
terminal_style(void)
{
	struct report_style s = { false, false, 80 };
	struct winsize w;
	const char *lang;

	if ((lang = getenv("LC_ALL")) == NULL || lang[0] == '\0')
		if ((lang = getenv("LC_CTYPE")) == NULL || lang[0] == '\0')
			lang = getenv("LANG");
	s.utf8 = lang != NULL && (strstr(lang, "UTF-8") != NULL ||
				     strstr(lang, "utf8") != NULL);
	if (isatty(STDOUT_FILENO)) {
		s.colour = getenv("NO_COLOR") == NULL;
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
			s.width = w.ws_col;
	}
	return s;
}

static int
write_json(const struct args *args, const struct report *report)
{
	struct json_object *o = report_json(report);
	const char *path = args_text(args, "write"), *text;
	int r = 0;

	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);
	if (args_json(args))
		(void)printf("%s\n", text);
	if (path != NULL)
		r = output_file(args, path, text, strlen(text), 0644);
	json_object_put(o);
	return r;
}

/* *file is what has the sites; both are the caller's, on errors as well. */
static int
open_source(
    const struct args *args, struct source *from, struct json_object **file)
{
	const char *path = args_text(args, "sites");
	int r;

	if (path == NULL)
		return api_open(args, &from->one);
	if ((r = json_parse_file(path, SITES_MAX_BYTES, file)) != 0)
		return r;
	from->sites = json_get(*file, "sites");
	if (!json_is_array(from->sites))
		return err_set(ERR_FORMAT, "%s has no array \"sites\"", path);
	return 0;
}

static int
run_report(const struct args *args)
{
	struct report_style style = terminal_style();
	struct json_object *file = NULL, *row = NULL;
	struct source from = { NULL, NULL };
	const char *path = args_text(args, "write");
	struct report report;
	int r;

	report_init(&report);
	if ((path != NULL && (r = output_target(args, path)) != 0) ||
	    (r = open_source(args, &from, &file)) != 0 ||
	    (r = find_job(&from, args_operand(args, 0), &row)) != 0 ||
	    (r = gather(&report, &from, row)) != 0 ||
	    (r = write_json(args, &report)) != 0)
		goto out;
	if (!args_json(args))
		report_print(stdout, &report, &style);
	if (!str_eq(report.status, "success"))
		r = EXIT_JOB;
out:
	json_object_put(row);
	json_object_put(file);
	api_close(from.one);
	report_fini(&report);
	return r;
}

static const struct option_def report_options[] = { OPTIONS_API,
	{ "sites", "FILE", "instead: the client APIs of all sites, sites.json",
	    false },
	{ "write", "FILE", "also write the report there, as JSON", false },
	OPTION_FORCE, OPTION_END };

const struct command command_report = {
	.name = "report",
	.operands = "JOB",
	.n_operands = 1,
	.summary = "Show what a job came to: scores, loss, timeline.",
	.options = report_options,
	.run = run_report,
};
