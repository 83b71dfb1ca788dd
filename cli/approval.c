/*
 * sluice approvals, approve, reject: what waits for a person at this site.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

static void
print_one(struct output_table *t, struct json_object *o)
{
	char until[CLOCK_UTC_SIZE], at[CLOCK_UTC_SIZE] = "";
	int64_t decided_ms = json_get_int(o, "decided_at", 0);

	clock_utc(json_get_int(o, "deadline", 0), until);
	if (decided_ms != 0)
		clock_utc(decided_ms, at);
	output_table_row(
	    t, (const char *const[]){ json_get_str(o, "job_id", ""),
		   json_get_str(o, "initiator_party_id", ""),
		   json_get_str(o, "role", ""), json_get_str(o, "party_id", ""),
		   json_get_str(o, "subject", ""),
		   json_get_str(o, "approval_by", ""), until,
		   json_get_str(o, "decision", "waits"),
		   json_get_str(o, "decided_by", ""), at,
		   json_get_str(o, "note", "") });
}

/* --- what a job asks for ---------------------------------------------------- */

static void
print_ask(struct output_table *t, struct json_object *ask)
{
	const char *missing = json_get_str(ask, "missing", NULL);
	char *table = NULL;
	char sends[32];

	if (json_has(ask, "table_name"))
		table =
		    xasprintf("%s %s%s%s", json_get_str(ask, "namespace", ""),
			json_get_str(ask, "table_name", ""),
			missing != NULL ? ": " : "",
			missing != NULL ? missing : "");
	(void)snprintf(sends, sizeof(sends), "%lld MB",
	    (long long)(json_get_int(ask, "egress_bytes", 0) >> 20));
	output_table_row(
	    t, (const char *const[]){ json_get_str(ask, "component", ""),
		   json_get_str(ask, "module", ""), table, sends,
		   json_text(json_get(ask, "parameters")) });
	free(table);
}

static void
print_asks(struct json_object *o)
{
	static const char *const head[] = { "component", "module", "table",
		"may send", "parameters" };
	struct json_object *list = json_get(o, "asks");
	struct json_object *limits = json_get(o, "limits");
	struct output_table *t = output_table_new(sizeof(head) / sizeof(*head));
	char until[CLOCK_UTC_SIZE];

	output_table_row(t, head);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_ask(t, json_object_array_get_idx(list, i));
	clock_utc(json_get_int(limits, "not_after", 0), until);
	output_line("\nas %s %s, until %s, in %lld runs at most:",
	    json_get_str(o, "role", ""), json_get_str(o, "party_id", ""), until,
	    (long long)json_get_int(limits, "runs", 0));
	output_table_print(t);
}

/* Who approves is told what the job will not find. */
static void
note_missing(struct json_object *o)
{
	struct json_object *list = json_get(o, "asks"), *ask;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		ask = json_object_array_get_idx(list, i);
		if (json_get_str(ask, "missing", NULL) != NULL)
			output_note("%s will fail: %s %s: %s",
			    json_get_str(ask, "component", ""),
			    json_get_str(ask, "namespace", ""),
			    json_get_str(ask, "table_name", ""),
			    json_get_str(ask, "missing", ""));
	}
}

/* Of each member once, however many have to approve something of it. */
static void
each_member(struct json_object *rows, void (*fn)(struct json_object *))
{
	const char *role = "", *party = "";
	struct json_object *o;

	for (size_t i = 0;
	     json_is_array(rows) && i < json_object_array_length(rows); i++) {
		o = json_object_array_get_idx(rows, i);
		if (!json_is_array(json_get(o, "asks")) ||
		    (str_eq(role, json_get_str(o, "role", "")) &&
			str_eq(party, json_get_str(o, "party_id", ""))))
			continue;
		role = json_get_str(o, "role", "");
		party = json_get_str(o, "party_id", "");
		fn(o);
	}
}

static int
run_list(const struct args *args)
{
	static const char *const head[] = { "job", "of", "role", "party",
		"what", "by", "until (UTC)", "decision", "decided by",
		"at (UTC)", "note" };
	struct json_object *body = json_object_new_object(), *answer = NULL;
	struct json_object *list;
	struct output_table *t;
	struct api *api = NULL;
	size_t i;
	int r;

	json_add_bool(body, "all", args_flag(args, "all"));
	if (args_text(args, "job") != NULL)
		json_add_str(body, "job_id", args_text(args, "job"));
	if ((r = api_open(args, &api)) == 0 &&
	    (r = api_post(api, "approval/query", body, &answer)) == 0) {
		list = json_get(answer, "data");
		t = output_table_new(sizeof(head) / sizeof(head[0]));
		output_table_row(t, head);
		for (i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++)
			print_one(t, json_object_array_get_idx(list, i));
		output_list(args, t, json_object_get(list));
		if (!args_json(args))
			each_member(list, print_asks);
	}
	json_object_put(answer);
	json_object_put(body);
	api_close(api);
	return r;
}

static void
print_decision(const char *job, struct json_object *data)
{
	(void)printf("job %s %s by %s\n", job,
	    json_get_str(data, "decision", ""),
	    json_get_str(data, "decided_by", "?"));
}

static int
look_before(struct api *api, const char *job)
{
	struct json_object *body = json_object_new_object(), *answer = NULL;
	int r;

	json_add_str(body, "job_id", job);
	if ((r = api_post(api, "approval/query", body, &answer)) == 0)
		each_member(json_get(answer, "data"), note_missing);
	json_object_put(answer);
	json_object_put(body);
	return r;
}

static int
run_decide(const struct args *args)
{
	struct json_object *body = json_object_new_object(), *answer = NULL;
	struct api *api = NULL;
	bool approve = str_eq(args_command(args)->name, "approve");
	int r;

	json_add_str(body, "job_id", args_operand(args, 0));
	if (args_text(args, "note") != NULL)
		json_add_str(body, "note", args_text(args, "note"));
	if ((r = api_open_person(args, &api)) == 0 && approve)
		r = look_before(api, args_operand(args, 0));
	if (r == 0)
		r = api_about_job(api, args_operand(args, 0),
		    api_post(api,
			approve ? "approval/approve" : "approval/reject", body,
			&answer));
	if (r == 0) {
		if (args_json(args))
			output_json(json_get(answer, "data"));
		else
			print_decision(
			    args_operand(args, 0), json_get(answer, "data"));
	}
	json_object_put(answer);
	json_object_put(body);
	api_close(api);
	return r;
}

static const struct option_def list_options[] = {
	OPTIONS_API,
	{ "all", NULL, "also what has been decided", false },
	{ "job", "JOB", "of that job: what it would do here, and with what",
	    false },
	OPTION_END,
};

const struct command command_approvals = {
	"approvals",
	"",
	0,
	"List the partners' jobs that wait for a person of this site.",
	list_options,
	run_list,
};

static const struct option_def approve_options[] = {
	OPTIONS_API,
	{ "note", "TEXT", "kept with the decision", false },
	OPTION_END,
};

const struct command command_approve = {
	"approve",
	"JOB",
	1,
	"Approve what a partner's job waits for here; it goes on at once.",
	approve_options,
	run_decide,
};

static const struct option_def reject_options[] = {
	OPTIONS_API,
	{ "note", "TEXT", "why; the initiator is told so", true },
	OPTION_END,
};

const struct command command_reject = {
	"reject",
	"JOB",
	1,
	"Reject it; the job fails with your note.",
	reject_options,
	run_decide,
};
