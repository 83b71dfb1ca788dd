/*
 * sluice submit, watch, query, tasks, rerun, stop.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/waits.h"
#include "cli/watch.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define FILE_MAX (16 * 1024 * 1024)
#define COLUMNS_MAX 10
#define WARNING_MARK "[WARN]" /* how the client API begins one */

static bool
is_prediction(struct json_object *conf)
{
	return str_eq(
	    json_get_str(json_path_get(conf, "job_parameters", "common"),
		"job_type", ""),
	    "predict");
}

/*
 * What the site took but would not have meant: on standard error, whatever
 * standard output is for.  The caller's; NULL: nothing.
 */
static char *
take_warning(const struct args *args, struct json_object *answer)
{
	const char *text = json_get_str(answer, "retmsg", "");
	char *placed;

	if (!str_starts(text, WARNING_MARK))
		return NULL;
	placed = output_placed(args, text);
	(void)fprintf(stderr, "sluice submit: %s\n", placed);
	free(placed);
	return xstrdup(text);
}

/* *job_id and *warning (NULL: none) are the caller's. */
static int
submit(struct api *api, const struct args *args, char **job_id, char **warning)
{
	struct json_object *body = json_object_new_object();
	struct json_object *dsl = NULL, *conf = NULL, *answer = NULL;
	int r;

	*job_id = *warning = NULL;
	/* A job that predicts runs the graph of its model. */
	if (args_text(args, "dsl") == NULL)
		dsl = json_object_new_object();
	else if ((r = json_parse_file(
		      args_text(args, "dsl"), FILE_MAX, &dsl)) != 0)
		goto out;
	if ((r = json_parse_file(args_text(args, "conf"), FILE_MAX, &conf)) !=
	    0)
		goto out;
	if (args_text(args, "dsl") == NULL && !is_prediction(conf)) {
		r = args_wrong(
		    "--dsl FILE is needed: job_parameters.common.job_type in "
		    "%s is not predict",
		    args_text(args, "conf"));
		goto out;
	}
	json_add(body, "job_dsl", json_object_get(dsl));
	json_add(body, "job_runtime_conf", json_object_get(conf));
	if ((r = api_post(api, "job/submit", body, &answer)) == 0) {
		*job_id = xstrdup(json_get_str(answer, "jobId", ""));
		*warning = take_warning(args, answer);
	} else
		r = output_places(args, r);
	json_object_put(answer);
out:
	json_object_put(dsl);
	json_object_put(conf);
	json_object_put(body);
	return r;
}

static void
print_job_id(const struct args *args, const char *job_id, const char *warning)
{
	struct json_object *o;

	if (!args_json(args)) {
		(void)printf("%s\n", job_id);
		(void)fflush(stdout);
		return;
	}
	o = json_object_new_object();
	json_add_str(o, "job_id", job_id);
	if (warning != NULL)
		json_add_str(o, "warning", warning);
	output_json(o);
	json_object_put(o);
}

static int
run_submit(const struct args *args)
{
	struct api *api = NULL;
	char *job_id = NULL, *warning = NULL;
	bool watch = args_flag(args, "watch");
	int r;

	if ((r = api_open(args, &api)) == 0 &&
	    (r = submit(api, args, &job_id, &warning)) == 0) {
		/* With --json and --watch the end says it all. */
		if (!watch || !args_json(args))
			print_job_id(args, job_id, warning);
		if (watch)
			r = watch_and_report(
			    args, api, job_id, NULL, NULL, warning);
	}
	free(job_id);
	free(warning);
	api_close(api);
	return r;
}

static int
run_watch(const struct args *args)
{
	struct api *api;
	int r;

	if ((r = api_open(args, &api)) != 0)
		return r;
	r = watch_and_report(args, api, args_operand(args, 0),
	    args_text(args, "role"), args_text(args, "party"), NULL);
	api_close(api);
	return r;
}

/* Milliseconds, as people read them; the caller's, NULL when not known. */
static char *
elapsed_text(struct json_object *ms)
{
	return ms != NULL
		   ? xasprintf("%.1f s", json_object_get_double(ms) / 1000)
		   : NULL;
}

/* Rows as a table of some of their columns. */
static void
print_table(struct json_object *rows, const char *const *columns, size_t n)
{
	struct output_table *t = output_table_new(n);
	struct json_object *row;
	const char *cells[COLUMNS_MAX];
	char *waits, *elapsed;
	size_t i, c;

	for (c = 0; c < n; c++)
		cells[c] = columns[c] + 2; /* without "f_" */
	output_table_row(t, cells);
	for (i = 0; i < json_object_array_length(rows); i++) {
		row = json_object_array_get_idx(rows, i);
		waits = waits_short(json_get(row, "f_wait"));
		elapsed = elapsed_text(json_get(row, "f_elapsed"));
		for (c = 0; c < n; c++)
			cells[c] = str_eq(columns[c], "f_wait") ? waits
				   : str_eq(columns[c], "f_elapsed")
				       ? elapsed
				       : json_object_get_string(
					     json_get(row, columns[c]));
		output_table_row(t, cells);
		free(waits);
		free(elapsed);
	}
	output_table_print(t);
}

typedef char *words_fn(struct json_object *row); /* the caller's; or "" */

static char *
reason_of(struct json_object *row)
{
	/* What waits has the same words for its reason. */
	if (json_get(row, "f_wait") != NULL)
		return xstrdup("");
	return xstrdup(json_get_str(row, "f_reason", ""));
}

static char *
waits_of(struct json_object *row)
{
	return waits_long(json_get(row, "f_wait"));
}

static char *
error_of(struct json_object *row)
{
	return xstrdup(json_get_str(row, "f_error_report", ""));
}

/* What the words are about: label, or the first task that has them. */
static char *
subject_text(const char *label, struct json_object *row, size_t others)
{
	char *more = others > 0 ? xasprintf(" and %zu more", others) : NULL;
	char *text = label != NULL
			 ? xstrdup(label)
			 : xasprintf("%s, %s %s%s",
			       json_get_str(row, "f_component_name", "?"),
			       json_get_str(row, "f_role", "?"),
			       json_get_str(row, "f_party_id", "?"),
			       more != NULL ? more : "");

	free(more);
	return text;
}

/*
 * Below the table, once each: what one member said ended the rows of all, and
 * sentences fit no column.
 */
static void
print_words(struct json_object *rows, const char *label, words_fn *words)
{
	size_t i, j, others, n = json_object_array_length(rows);
	char **texts = xcalloc(n + 1, sizeof(*texts)), *subject;

	for (i = 0; i < n; i++)
		texts[i] = words(json_object_array_get_idx(rows, i));
	for (i = 0; i < n; i++) {
		if (*texts[i] == '\0')
			continue;
		for (j = i + 1, others = 0; j < n; j++)
			if (str_eq(texts[i], texts[j])) {
				*texts[j] = '\0';
				others++;
			}
		subject = subject_text(
		    label, json_object_array_get_idx(rows, i), others);
		output_line("%s: %s", subject, texts[i]);
		free(subject);
	}
	for (i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void
print_jobs(struct json_object *rows)
{
	static const char *const columns[] = {
		"f_job_id",
		"f_role",
		"f_party_id",
		"f_status",
		"f_progress",
		"f_create_date",
		"f_start_date",
		"f_end_date",
	};

	print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	print_words(rows, "waits", waits_of);
	print_words(rows, "reason", reason_of);
}

static void
print_tasks(struct json_object *rows)
{
	static const char *const columns[] = {
		"f_component_name",
		"f_task_version",
		"f_role",
		"f_party_id",
		"f_party_status",
		"f_start_date",
		"f_elapsed",
		"f_wait",
	};

	print_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
	print_words(rows, NULL, error_of);
}

/*
 * There are no such rows, or the API said so in its own way: because there is
 * no such job, or no such member of it?
 */
static int
nothing_found(const struct args *args, struct api *api)
{
	const char *job = args_operand(args, 0);

	return api_about_job(api, job,
	    err_set(ERR_NOT_FOUND, "job %s has none%s%s", job,
		*args_filters(args) != '\0' ? " with" : "",
		args_filters(args)));
}

static int
query_rows(const struct args *args, const char *path,
    void (*print)(struct json_object *rows))
{
	struct json_object *filter, *answer = NULL, *rows;
	/* "No task" is an error of this API. */
	bool is_of_tasks = str_eq(path, "job/task/query");
	struct api *api;
	int r;

	if ((r = api_open(args, &api)) != 0)
		return r;
	filter = api_job_filter(args, args_operand(args, 0));
	r = api_post(api, path, filter, &answer);
	rows = json_get(answer, "data");
	if ((r == 0 && (!json_is_array(rows) ||
			   json_object_array_length(rows) == 0)) ||
	    (r == ERR_REMOTE && is_of_tasks))
		r = nothing_found(args, api);
	else if (r == 0 && args_json(args))
		output_json(rows);
	else if (r == 0)
		print(rows);
	json_object_put(answer);
	json_object_put(filter);
	api_close(api);
	return r;
}

static int
run_query(const struct args *args)
{
	return query_rows(args, "job/query", print_jobs);
}

static int
run_tasks(const struct args *args)
{
	return query_rows(args, "job/task/query", print_tasks);
}

static struct json_object *
rerun_body(const struct args *args)
{
	struct json_object *body = json_object_new_object();
	struct json_object *names = json_object_new_array();
	size_t i;

	for (i = 1; i < args_operands(args); i++)
		json_object_array_add(
		    names, json_object_new_string(args_operand(args, i)));
	json_add_str(body, "job_id", args_operand(args, 0));
	json_add(body, "component_name", names); /* none: all */
	json_add_bool(body, "force", args_flag(args, "force"));
	return body;
}

/* It is asked for: a member may still refuse, and says so to the job. */
static void
print_rerun(const struct args *args, const char *said)
{
	static const struct rename names[] = { { "force", "--force" },
		{ NULL, NULL } };
	const char *job = args_operand(args, 0);
	char *text;

	if (str_starts(said, "nothing ")) {
		text = output_renamed(said, names);
		(void)printf("%s\n", text);
		free(text);
	} else if (!args_flag(args, "watch"))
		(void)printf("job %s is to run again, and its members are "
			     "asked; \"sluice watch %s%s\" follows it, "
			     "\"sluice query %s%s\" tells who refused\n",
		    job, job, args_site(args), job, args_site(args));
}

static int
run_rerun(const struct args *args)
{
	struct json_object *body = rerun_body(args), *answer = NULL;
	struct api *api = NULL;
	int r;

	if ((r = api_open(args, &api)) == 0)
		r = api_about_job(api, args_operand(args, 0),
		    api_post(api, "job/rerun", body, &answer));
	if (r == 0) {
		if (!args_json(args))
			print_rerun(args, json_get_str(answer, "retmsg", ""));
		else if (!args_flag(args, "watch"))
			output_json(answer);
		if (args_flag(args, "watch"))
			r = watch_and_report(
			    args, api, args_operand(args, 0), NULL, NULL, NULL);
	}
	json_object_put(answer);
	json_object_put(body);
	api_close(api);
	return r;
}

/* The platform's clients have words of their own for it. */
static void
print_stop(const char *job, const char *said)
{
	if (str_starts(said, "stop job "))
		(void)printf("job %s is canceled here; its other members are "
			     "told\n",
		    job);
	else
		(void)printf("job %s: %s\n", job, said);
}

static int
run_stop(const struct args *args)
{
	struct json_object *body = json_object_new_object();
	struct json_object *answer = NULL;
	struct api *api;
	int r;

	json_add_str(body, "job_id", args_operand(args, 0));
	if ((r = api_open(args, &api)) == 0)
		r = api_about_job(api, args_operand(args, 0),
		    api_post(api, "job/stop", body, &answer));
	if (r == 0) {
		if (args_json(args))
			output_json(answer);
		else
			print_stop(args_operand(args, 0),
			    json_get_str(answer, "retmsg", ""));
	}
	json_object_put(answer);
	json_object_put(body);
	api_close(api);
	return r;
}

static const struct option_def submit_options[] = {
	OPTIONS_API,
	{ "dsl", "FILE",
	    "the job's components, JSON; none: the model's (predictions)",
	    false },
	{ "conf", "FILE", "roles and parameters, JSON", true },
	{ "watch", NULL, "stay until the job has ended and show it", false },
	OPTION_END,
};

const struct command command_submit = {
	"submit",
	"",
	0,
	"Submit a job; prints its id.",
	submit_options,
	run_submit,
};

static const struct option_def job_options[] = {
	OPTIONS_API,
	{ "role", "ROLE", "of one member only", false },
	{ "party", "ID", "of one member only", false },
	OPTION_END,
};

const struct command command_watch = {
	"watch",
	"JOB",
	1,
	"Follow a job to its end.",
	job_options,
	run_watch,
};

const struct command command_query = {
	"query",
	"JOB",
	1,
	"Tell how a job is.",
	job_options,
	run_query,
};

const struct command command_tasks = {
	"tasks",
	"JOB",
	1,
	"Tell how a job's tasks are.",
	job_options,
	run_tasks,
};

static const struct option_def rerun_options[] = {
	OPTIONS_API,
	{ "force", NULL, "also what has succeeded, and all that follows it",
	    false },
	{ "watch", NULL, "stay until the job has ended and show it", false },
	OPTION_END,
};

const struct command command_rerun = {
	"rerun",
	"JOB [COMPONENT...]",
	1,
	"Run again what did not succeed of a job, or of these components. A "
	"rerun that is refused leaves the job as it was, with the refusal as "
	"its reason.",
	rerun_options,
	run_rerun,
};

static const struct option_def api_only[] = { OPTIONS_API, OPTION_END };

const struct command command_stop = {
	"stop",
	"JOB",
	1,
	"Cancel a job at all parties.",
	api_only,
	run_stop,
};
