/*
 * sluice explain: what every party would decide about a job of this site, or
 * this site about a partner's, without running it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define DOCUMENT_MAX (64 * 1024 * 1024)

static int
add_document(const struct args *args, const char *option, const char *key,
    struct json_object *body)
{
	struct json_object *o = NULL;
	int r;

	if (args_text(args, option) == NULL) {
		json_add(body, key, json_object_new_object());
		return 0;
	}
	r = json_parse_file(args_text(args, option), DOCUMENT_MAX, &o);
	if (r != 0)
		return err_wrap("--%s", option);
	json_add(body, key, o);
	return 0;
}

static void
print_approval(struct json_object *approval)
{
	const char *by = json_get_str(approval, "by", "");
	char *span = output_span(json_get_int(approval, "within_s", 0));

	(void)printf("                waits for %s to approve it, %s at most\n",
	    str_eq(by, "admin") ? "an admin" : by, span);
	free(span);
}

/*
 * A module as the job's own DSL has it: rules know names in lower case.  What
 * the DSL does not have stays as it is.
 */
static const char *
subject_of(struct json_object *dsl, struct json_object *decision)
{
	const char *kind = json_get_str(decision, "kind", "");
	const char *subject = json_get_str(decision, "subject", ""), *module;

	if ((!str_eq(kind, "component") && !str_eq(kind, "parameter")) ||
	    !json_is_object(json_get(dsl, "components")))
		return subject;
	json_object_object_foreach(json_get(dsl, "components"), name, o)
	{
		(void)name;
		module = json_get_str(o, "module", "");
		if (strcasecmp(module, subject) == 0)
			return module;
	}
	return subject;
}

/* Does it wait for somebody? */
static bool
print_decision(struct json_object *dsl, struct json_object *d)
{
	(void)printf("  %-3s %-9s %s%s%s: %s\n",
	    json_get_bool(d, "allowed", false) ? "yes" : "NO",
	    json_get_str(d, "kind", ""), subject_of(dsl, d),
	    json_has(d, "detail") ? " " : "", json_get_str(d, "detail", ""),
	    json_get_str(d, "why", ""));
	if (!json_has(d, "approval"))
		return false;
	print_approval(json_get(d, "approval"));
	return true;
}

/*
 * What its operator types to allow all of it, and where: at another site,
 * unless this one decides.
 */
static void
print_grants(const struct args *args, struct json_object *member)
{
	struct json_object *list = json_get(member, "grants");
	const char *party = json_get_str(member, "party_id", "");
	bool is_here = args_text(args, "party") != NULL;

	if (!json_is_array(list) || json_object_array_length(list) == 0)
		return;
	if (is_here)
		(void)printf("  what is missing is allowed by:\n");
	else
		(void)printf("  what is missing is allowed by the operator of "
			     "party %s, at its site:\n",
		    party);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		(void)printf("    %s%s\n",
		    json_object_get_string(json_object_array_get_idx(list, i)),
		    is_here ? args_site(args) : " --config FILE");
}

/* Does it wait for somebody? */
static bool
print_member(const struct args *args, struct json_object *dsl,
    struct json_object *member)
{
	struct json_object *list = json_get(member, "decisions");
	const char *error = json_get_str(member, "error", NULL);
	bool waits = false;
	size_t i;

	(void)printf("%s %s\n", json_get_str(member, "role", ""),
	    json_get_str(member, "party_id", ""));
	if (error != NULL)
		(void)printf("  %s%s\n",
		    json_get_bool(member, "silent", false) ? "cannot be asked: "
							   : "NO: ",
		    error);
	for (i = 0; i < json_object_array_length(list); i++)
		waits |=
		    print_decision(dsl, json_object_array_get_idx(list, i));
	print_grants(args, member);
	return waits;
}

static const char *
verdict(bool allowed, bool waits, bool is_known)
{
	if (!is_known)
		return "whether the job would be taken in is not known";
	if (!allowed)
		return "the job would be refused";
	return waits ? "the job would be taken in once that is approved"
		     : "the job would be taken in";
}

static void
print_answer(
    const struct args *args, struct json_object *dsl, struct json_object *data)
{
	struct json_object *members = json_get(data, "members");
	const char *note = json_get_str(data, "note", "");
	const char *unknown = json_get_str(data, "unknown", "");
	bool waits = false;
	size_t i;

	if (args_json(args)) {
		output_json(data);
		return;
	}
	for (i = 0; i < json_object_array_length(members); i++)
		waits |= print_member(
		    args, dsl, json_object_array_get_idx(members, i));
	if (*note != '\0')
		(void)printf("%s\n", note);
	(void)printf("%s%s%s\n",
	    verdict(
		json_get_bool(data, "allowed", false), waits, *unknown == '\0'),
	    *unknown == '\0' ? "" : ": ", unknown);
}

static int
run_explain(const struct args *args)
{
	struct json_object *body = json_object_new_object(), *answer = NULL;
	struct json_object *data;
	struct api *api = NULL;
	int r;

	if (args_text(args, "party") != NULL)
		json_add_str(body, "party_id", args_text(args, "party"));
	if ((r = add_document(args, "dsl", "job_dsl", body)) == 0 &&
	    (r = add_document(args, "conf", "job_runtime_conf", body)) == 0 &&
	    (r = api_open(args, &api)) == 0 &&
	    (r = api_post(api, "permission/explain", body, &answer)) != 0)
		r = output_places(args, r);
	if (r == 0) {
		data = json_get(answer, "data");
		print_answer(args, json_get(body, "job_dsl"), data);
		if (!json_get_bool(data, "allowed", false))
			r = EXIT_FAILED;
	}
	json_object_put(answer);
	json_object_put(body);
	api_close(api);
	return r;
}

static const struct option_def explain_options[] = {
	OPTIONS_API,
	{ "dsl", "FILE", "the job's DSL; a predict job has its model's",
	    false },
	{ "conf", "FILE", "its configuration", true },
	{ "party", "ID", "who initiates it (as the configuration says)",
	    false },
	OPTION_END,
};

const struct command command_explain = {
	"explain",
	"",
	0,
	"Show what every party would decide about a job of this site, and this site "
	"about a partner's.",
	explain_options,
	run_explain,
};
