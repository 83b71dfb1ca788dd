/*
 * sluice deploy, model export: what a trained model is for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define ARCHIVE_MAX (1024 * 1024 * 1024)

/* The recorded error, unless the job is to blame: it is not that far. */
static int
why_no_model(struct api *api, const char *job)
{
	struct json_object *answer = NULL, *row;
	char *why = xstrdup(err_text());
	const char *status = "";
	int r = ERR_NOT_FOUND;

	if (api_job_row(api, job, &answer, &row) == 0)
		status = json_get_str(row, "f_status", "");
	if (str_eq(status, "waiting") || str_eq(status, "running"))
		r = err_set(ERR_CONFLICT,
		    "job %s is %s: its model is there when it has succeeded "
		    "(\"sluice watch %s\" waits for that)",
		    job, status, job);
	else if (*status != '\0' && !str_eq(status, "success"))
		r = err_set(ERR_CONFLICT,
		    "job %s ended with %s and left no model", job, status);
	else
		(void)err_set(r, "%s", why);
	json_object_put(answer);
	free(why);
	return r;
}

/* {"model_id", "model_version"} of what a job trained or a deploy made. */
static int
find_model(struct api *api, const char *version, struct json_object **out)
{
	struct json_object *body = json_object_new_object(), *answer = NULL;
	struct json_object *rows;
	int r;

	*out = NULL;
	json_add_str(body, "model_version", version);
	r = api_post(api, "model/query", body, &answer);
	rows = json_get(answer, "data");
	if (r == 0 && json_is_array(rows) &&
	    json_object_array_length(rows) > 0) {
		*out = json_object_new_object();
		json_add_str(*out, "model_id",
		    json_get_str(
			json_object_array_get_idx(rows, 0), "f_model_id", ""));
		json_add_str(*out, "model_version", version);
	} else if (r == 0) {
		r = err_set(ERR_NOT_FOUND, "%s",
		    json_get_str(answer, "retmsg", "no model"));
	}
	if (r == ERR_REMOTE || r == ERR_NOT_FOUND)
		r = why_no_model(api, version);
	if (r == ERR_REMOTE || r == ERR_NOT_FOUND)
		r = err_wrap("version %s (the id of a job that trained a "
			     "model, or what \"sluice deploy\" printed)",
		    version);
	json_object_put(answer);
	json_object_put(body);
	return r;
}

static void
add_components(struct json_object *body, const char *list)
{
	struct json_object *names = json_object_new_array();
	const char *end;

	for (; *list != '\0'; list = *end == ',' ? end + 1 : end) {
		end = list + strcspn(list, ",");
		json_object_array_add(
		    names, json_object_new_string_len(list, (int)(end - list)));
	}
	json_add(body, "cpn_list", names);
}

/* The configuration of a job that predicts, with its tables to be named. */
static int
write_predict_conf(const struct args *args, struct api *api,
    struct json_object *model, const char *path)
{
	struct json_object *answer = NULL;
	struct buf text = BUF_INIT;
	int r;

	if ((r = api_post(api, "model/get/predict/conf", model, &answer)) != 0)
		return err_wrap("deployed, but without %s", path);
	buf_printf(&text, "%s\n",
	    json_object_to_json_string_ext(json_get(answer, "data"),
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	if ((r = output_file(args, path, buf_str(&text), text.len, 0644)) != 0)
		(void)err_wrap("deployed, but without %s", path);
	buf_fini(&text);
	json_object_put(answer);
	return r;
}

static void
print_deployed(const struct args *args, struct json_object *model)
{
	const char *conf = args_text(args, "predict-conf");

	if (args_json(args)) {
		output_json(model);
		return;
	}
	(void)printf("model    %s\nversion  %s\n",
	    json_get_str(model, "model_id", ""),
	    json_get_str(model, "model_version", ""));
	if (conf != NULL)
		(void)printf("name the tables in %s, then: sluice submit "
			     "--conf %s …\n",
		    conf, conf);
}

static int
run_deploy(const struct args *args)
{
	const char *components = args_text(args, "components");
	const char *conf = args_text(args, "predict-conf");
	struct json_object *model = NULL, *answer = NULL;
	struct api *api;
	int r;

	if ((conf != NULL && (r = output_target(args, conf)) != 0) ||
	    (r = api_open(args, &api)) != 0)
		return r;
	if ((r = find_model(api, args_operand(args, 0), &model)) == 0) {
		if (components != NULL)
			add_components(model, components);
		r = api_post(api, "model/deploy", model, &answer);
	}
	if (r == 0) {
		json_object_object_del(model, "cpn_list");
		json_add_str(model, "model_version",
		    json_get_str(
			json_get(answer, "data"), "model_version", ""));
		if (conf != NULL)
			r = write_predict_conf(args, api, model, conf);
		print_deployed(args, model);
	}
	json_object_put(answer);
	json_object_put(model);
	api_close(api);
	return r;
}

/* A zip archive into a file; anything else is the site's complaint. */
static int
fetch_archive(const struct args *args, struct api *api,
    struct json_object *model, const char *path)
{
	const char *text = json_text(model);
	struct http_request req = {
		.body = text,
		.body_len = strlen(text),
		.reply_max = ARCHIVE_MAX,
	};
	struct http_reply reply = { 0 };
	struct json_object *answer = NULL;
	int r;

	if ((r = api_fetch(api, "model/export", &req, &reply)) == 0) {
		if (reply.body.len >= 2 &&
		    memcmp(reply.body.data, "PK", 2) == 0)
			r = output_file(
			    args, path, reply.body.data, reply.body.len, 0600);
		else if ((r = api_answer(&reply, &answer)) == 0)
			r = err_set(ERR_FORMAT, "no archive in the answer");
	}
	json_object_put(answer);
	http_reply_fini(&reply);
	return r;
}

static int
run_export(const struct args *args)
{
	const char *path = args_text(args, "output");
	struct json_object *model = NULL, *o;
	struct api *api;
	int r;

	if ((r = output_target(args, path)) != 0 ||
	    (r = api_open(args, &api)) != 0)
		return r;
	if ((r = find_model(api, args_operand(args, 0), &model)) == 0 &&
	    (r = api_own_member(args, api, args_operand(args, 0), model)) == 0)
		r = fetch_archive(args, api, model, path);
	if (r == 0 && args_json(args)) {
		o = json_object_new_object();
		json_add_str(o, "file", path);
		output_json(o);
		json_object_put(o);
	} else if (r == 0) {
		(void)printf("%s\n", path);
	}
	json_object_put(model);
	api_close(api);
	return r;
}

static const struct option_def deploy_options[] = {
	OPTIONS_API,
	{ "components", "LIST", "those that predictions need (all)", false },
	{ "predict-conf", "FILE",
	    "write a prediction's configuration, tables to be named", false },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_deploy = {
	"deploy",
	"JOB",
	1,
	"Make a model that a job trained ready for predictions.",
	deploy_options,
	run_deploy,
};

static const struct option_def export_options[] = {
	OPTIONS_API,
	{ "role", "ROLE", "the member's role (this site's)", false },
	{ "party", "ID", "the member's party id (this site's)", false },
	{ "output", "FILE", "the archive, zip", true },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_model_export = {
	"model export",
	"VERSION",
	1,
	"Fetch a member's half of a model as an archive.",
	export_options,
	run_export,
};
