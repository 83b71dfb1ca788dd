/*
 * sluice metrics, log, output: what a job left behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api.h"
#include "cli/archive.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define SERIES_SHOWN 12 /* points of a series, unless all are asked for */
#define DOWNLOAD_MS (3600 * INT64_C(1000))
#define DOWNLOAD_MAX (1024UL * 1024 * 1024)

static struct json_object *
component_filter(const struct args *args)
{
	struct json_object *o = api_job_filter(args, args_operand(args, 0));

	json_add_str(o, "component_name", args_operand(args, 1));
	return o;
}

/* {namespace: {name: {"data": [[key, value], …], "meta": {…}}}} */
static void
print_point(struct json_object *pair)
{
	if (json_is_array(pair))
		(void)printf("  %-16s %s\n",
		    json_object_get_string(json_object_array_get_idx(pair, 0)),
		    json_object_get_string(json_object_array_get_idx(pair, 1)));
}

/* A long series is a curve: its ends tell most. */
static void
print_series(struct json_object *data, bool all)
{
	size_t i, n = json_is_array(data) ? json_object_array_length(data) : 0;

	for (i = 0; i < n; i++) {
		if (!all && n > SERIES_SHOWN && i == SERIES_SHOWN / 2) {
			(void)printf("  ... %zu more, --all shows them\n",
			    n - SERIES_SHOWN);
			i = n - SERIES_SHOWN / 2;
		}
		print_point(json_object_array_get_idx(data, i));
	}
}

/* The newest of the member that was asked about: the initiator, if none was. */
static struct json_object *
row_asked(const struct args *args, struct json_object *tasks)
{
	size_t n = json_is_array(tasks) ? json_object_array_length(tasks) : 0;
	bool is_named =
	    args_text(args, "role") != NULL && args_text(args, "party") != NULL;
	struct json_object *row;

	while (n-- > 0) {
		row = json_object_array_get_idx(tasks, n);
		if (is_named ||
		    (str_eq(json_get_str(row, "f_role", ""),
			 json_get_str(row, "f_initiator_role", "?")) &&
			json_object_equal(json_get(row, "f_party_id"),
			    json_get(row, "f_initiator_party_id"))))
			return row;
	}
	return NULL;
}

/* How the component is at that member, which has nothing of it. */
static int
nothing_of(const struct args *args, struct json_object *tasks)
{
	struct json_object *row = row_asked(args, tasks);
	const char *status = json_get_str(row, "f_party_status", "");
	const char *how = str_eq(status, "waiting") ? "has not begun"
			  : str_eq(status, "running")
			      ? "runs, and has none so far"
			  : str_eq(status, "success") || str_eq(status, "pass")
			      ? "ended well and left none; what other members "
				"have of it is at their sites (--role, --party)"
			      : "did not end well and left none";

	if (row == NULL)
		return err_set(ERR_NOT_FOUND, "no data");
	return err_set(ERR_NOT_FOUND, "no data: %s of %s %s %s",
	    args_operand(args, 1), json_get_str(row, "f_role", "?"),
	    json_object_get_string(json_get(row, "f_party_id")), how);
}

/* Of what a site has no rows, it says why; or the component's state does. */
static int
nothing(const struct args *args, struct api *api, struct json_object *filter,
    struct json_object *answer)
{
	const char *said = json_get_str(answer, "retmsg", "no data");
	struct json_object *tasks = NULL;
	int r;

	if (!str_eq(said, "no data") && !str_eq(said, "success"))
		return api_about_job(api, args_operand(args, 0),
		    err_set(ERR_NOT_FOUND, "%s", said));
	if ((r = api_post(api, "job/task/query", filter, &tasks)) != 0)
		return r;
	r = nothing_of(args, json_get(tasks, "data"));
	json_object_put(tasks);
	return r;
}

static void
print_metrics(struct json_object *metrics, bool all)
{
	json_object_object_foreach(metrics, ns, names)
	{
		json_object_object_foreach(names, name, metric)
		{
			struct json_object *data = json_get(metric, "data");

			/* What is all meta, --json shows. */
			if (!json_is_array(data) ||
			    json_object_array_length(data) == 0)
				continue;
			(void)printf("%s/%s\n", ns, name);
			print_series(data, all);
		}
	}
}

static int
run_metrics(const struct args *args)
{
	struct json_object *filter = component_filter(args);
	struct json_object *answer = NULL, *data;
	struct api *api;
	int r;

	if ((r = api_open(args, &api)) == 0 &&
	    (r = api_post(
		 api, "tracking/component/metric/all", filter, &answer)) == 0) {
		data = json_get(answer, "data");
		if (args_json(args))
			output_json(data);
		else if (json_is_object(data) &&
			 json_object_object_length(data) > 0)
			print_metrics(data, args_flag(args, "all"));
		else
			r = nothing(args, api, filter, answer);
	}
	json_object_put(answer);
	json_object_put(filter);
	api_close(api);
	return r;
}

/* An archive into a folder; anything else is the site's complaint. */
static int
download(const struct args *args, const char *method, const char *path,
    struct json_object *filter, const char *folder)
{
	const char *text = json_text(filter);
	struct http_request req = {
		.method = method,
		.body = text,
		.body_len = strlen(text),
		.timeout_ms = DOWNLOAD_MS,
		.reply_max = DOWNLOAD_MAX,
	};
	struct http_reply reply = { 0 };
	struct json_object *answer = NULL;
	struct api *api;
	size_t files = 0;
	int r;

	if ((r = api_open(args, &api)) == 0 &&
	    (r = api_fetch(api, path, &req, &reply)) == 0) {
		/* gzip starts with 1f 8b, JSON with a brace. */
		if (reply.body.len >= 2 &&
		    memcmp(reply.body.data, "\x1f\x8b", 2) == 0)
			r = archive_extract(reply.body.data, reply.body.len,
			    folder, args_flag(args, "force"), &files);
		else if ((r = api_answer(&reply, &answer)) == 0)
			r = err_set(ERR_FORMAT, "no archive in the answer");
	}
	if (r == 0 && !args_json(args))
		(void)printf("%zu files in %s\n", files, folder);
	json_object_put(answer);
	http_reply_fini(&reply);
	api_close(api);
	return r;
}

static void
print_folder(const struct args *args, const char *folder)
{
	struct json_object *o;

	if (!args_json(args))
		return;
	o = json_object_new_object();
	json_add_str(o, "folder", folder);
	output_json(o);
	json_object_put(o);
}

static int
run_log(const struct args *args)
{
	const char *job_id = args_operand(args, 0);
	const char *to = args_text(args, "output");
	struct json_object *filter = json_object_new_object();
	char *folder;
	int r;

	folder = to != NULL ? xstrdup(to) : xasprintf("job_%s_log", job_id);
	json_add_str(filter, "job_id", job_id);
	if ((r = output_target(args, folder)) == 0)
		r = download(args, "POST", "job/log/download", filter, folder);
	if (r == 0)
		print_folder(args, folder);
	json_object_put(filter);
	free(folder);
	return r;
}

/* Rows joined by commas, a header line before each output. */
static void
print_output(struct json_object *answer)
{
	struct json_object *data = json_get(answer, "data");
	struct json_object *heads = json_path_get(answer, "meta", "header");
	struct json_object *list, *row;
	size_t i, j, c;

	for (i = 0; i < json_object_array_length(data); i++) {
		list = json_object_array_get_idx(data, i);
		for (j = 0; j <= json_object_array_length(list); j++) {
			row = j != 0 ? json_object_array_get_idx(list, j - 1)
			      : json_is_array(heads)
				  ? json_object_array_get_idx(heads, i)
				  : NULL;
			if (!json_is_array(row))
				continue;
			for (c = 0; c < json_object_array_length(row); c++)
				(void)printf("%s%s", c != 0 ? "," : "",
				    json_object_get_string(
					json_object_array_get_idx(row, c)));
			(void)printf("\n");
		}
	}
}

static int
show_output(
    const struct args *args, struct api *api, struct json_object *filter)
{
	struct json_object *answer = NULL, *data;
	int r;

	if ((r = api_post(api, "tracking/component/output/data", filter,
		 &answer)) == 0) {
		data = json_get(answer, "data");
		if (args_json(args))
			output_json(answer);
		else if (json_is_array(data) &&
			 json_object_array_length(data) > 0)
			print_output(answer);
		else
			r = nothing(args, api, filter, answer);
	}
	json_object_put(answer);
	return r;
}

static int
run_output(const struct args *args)
{
	struct json_object *filter = component_filter(args);
	const char *folder = args_text(args, "output");
	struct api *api = NULL;
	int r = 0;

	if (folder != NULL)
		r = output_target(args, folder);
	if (r == 0 && (r = api_open(args, &api)) == 0 &&
	    (r = api_own_member(args, api, args_operand(args, 0), filter)) == 0)
		r = folder == NULL
			? show_output(args, api, filter)
			: download(args, "GET",
			      "tracking/component/output/data/download", filter,
			      folder);
	if (r == 0 && folder != NULL)
		print_folder(args, folder);
	json_object_put(filter);
	api_close(api);
	return r;
}

#define OPTION_ROLE                                                            \
	{                                                                      \
		"role", "ROLE", "the member's role (this site's)", false       \
	}
#define OPTION_PARTY                                                           \
	{                                                                      \
		"party", "ID", "the member's party id (this site's)", false    \
	}

static const struct option_def metrics_options[] = {
	OPTIONS_API,
	OPTION_ROLE,
	OPTION_PARTY,
	{ "all", NULL, "every point of long curves", false },
	OPTION_END,
};

const struct command command_metrics = {
	"metrics",
	"JOB COMPONENT",
	2,
	"Show what a component measured.",
	metrics_options,
	run_metrics,
};

static const struct option_def log_options[] = {
	OPTIONS_API,
	{ "output", "DIR", "folder for the logs (job_JOB_log)", false },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_log = {
	"log",
	"JOB",
	1,
	"Fetch a job's logs.",
	log_options,
	run_log,
};

static const struct option_def output_options[] = {
	OPTIONS_API,
	OPTION_ROLE,
	OPTION_PARTY,
	{ "output", "DIR", "fetch everything into this folder", false },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_output = {
	"output",
	"JOB COMPONENT",
	2,
	"Show the first rows a component put "
	"out, or fetch all of them.",
	output_options,
	run_output,
};
