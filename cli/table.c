/*
 * sluice table info, table delete.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static int
ask(const struct args *args, struct api *api, const char *path,
    struct json_object **answer)
{
	struct json_object *body = json_object_new_object();
	int r;

	json_add_str(body, "namespace", args_text(args, "namespace"));
	json_add_str(body, "table_name", args_text(args, "name"));
	r = api_post(api, path, body, answer);
	json_object_put(body);
	return r;
}

/* ERR_NOT_FOUND when there is none, whose description says so, too. */
static int
describe(const struct args *args, struct api *api, struct json_object **answer)
{
	int r = ask(args, api, "table/table_info", answer);

	if (r == 0 && !json_get_bool(json_get(*answer, "data"), "exist", false))
		r = err_set(ERR_NOT_FOUND,
		    "there is no table %s in namespace %s; \"sluice tables%s\" "
		    "lists what there is",
		    args_text(args, "name"), args_text(args, "namespace"),
		    args_site(args));
	return r;
}

/* A refusal is about a table that is there, or it is not there. */
static int
erase(const struct args *args, struct api *api, struct json_object **answer)
{
	struct json_object *info = NULL;
	char *said;
	int r;

	if ((r = ask(args, api, "table/delete", answer)) != ERR_REMOTE)
		return r;
	said = xstrdup(err_text());
	if ((r = describe(args, api, &info)) == 0)
		r = err_set(ERR_REMOTE, "%s", said);
	free(said);
	json_object_put(info);
	return r;
}

static int
run_table(const struct args *args)
{
	bool info = args_command(args) == &command_table_info;
	struct json_object *answer = NULL;
	struct api *api;
	int r;

	if ((r = api_open(args, &api)) == 0 &&
	    (r = info ? describe(args, api, &answer)
		      : erase(args, api, &answer)) == 0) {
		if (args_json(args) || info)
			output_json(json_get(answer, "data"));
		else
			(void)printf("deleted\n");
	}
	json_object_put(answer);
	api_close(api);
	return r;
}

static const struct option_def table_options[] = {
	OPTIONS_API,
	{ "namespace", "TEXT", "namespace of the table", true },
	{ "name", "TEXT", "name of the table", true },
	OPTION_END,
};

const struct command command_table_info = {
	"table info",
	"",
	0,
	"Describe a table; fails when there is none.",
	table_options,
	run_table,
};

const struct command command_table_delete = {
	"table delete",
	"",
	0,
	"Delete a table with its data.",
	table_options,
	run_table,
};
