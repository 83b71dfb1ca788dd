/*
 * sluice table info, table delete.
 */
#include <stdio.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/err.h"

static int
run_table(const struct args *args)
{
	bool info = args_command(args) == &command_table_info;
	struct json_object *body = json_object_new_object();
	struct json_object *answer = NULL;
	struct api *api;
	int r;

	json_add_str(body, "namespace", args_text(args, "namespace"));
	json_add_str(body, "table_name", args_text(args, "name"));
	if ((r = api_open(args, &api)) == 0 &&
	    (r = api_post(api, info ? "table/table_info" : "table/delete", body,
		 &answer)) == 0) {
		if (args_json(args) || info)
			output_json(json_get(answer, "data"));
		else
			(void)printf("deleted\n");
		if (info &&
		    !json_get_bool(json_get(answer, "data"), "exist", false))
			r = EXIT_FAILED;
	}
	json_object_put(answer);
	json_object_put(body);
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
