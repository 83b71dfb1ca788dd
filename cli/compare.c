/*
 * sluice egress compare: this site's ledger against what another site's nginx
 * wrote down.  Works on files alone: the ledger may be an export.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/egress.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/site.h"
#include "lib/audit/compare.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define LEDGER_MAX (1024UL * 1024 * 1024)

static void
add_row(struct compare *c, const struct db_egress *e)
{
	compare_add_row(c, &(struct compare_row){ .job_id = e->key.job_id,
			       .component = e->key.component,
			       .version = e->key.version,
			       .role = e->key.role,
			       .party_id = e->key.party_id,
			       .to_role = e->to_role,
			       .to_party = e->to_party,
			       .name = e->name,
			       .tag = e->tag,
			       .bytes = e->bytes,
			       .sha256 = e->sha256 });
}

static int
add_one(void *ctx, const struct db_egress *e)
{
	add_row(ctx, e);
	return 0;
}

/* --- the two sides -------------------------------------------------------- */

static int
add_log_line(void *ctx, const char *line, size_t len)
{
	compare_add_line(ctx, line, len);
	return 0;
}

/* Those that were rotated away stand beside it, with a time behind its name. */
static int
read_rotated(struct compare *c, const char *path)
{
	char *pattern = xasprintf("%s.[0-9]*", path);
	glob_t found;
	size_t i;
	int r = 0, e = glob(pattern, 0, NULL, &found);

	if (e != 0 && e != GLOB_NOMATCH)
		r = err_set(ERR_IO, "%s: cannot be listed", pattern);
	for (i = 0; e == 0 && r == 0 && i < found.gl_pathc; i++)
		r = lines_each(found.gl_pathv[i], add_log_line, c);
	if (e == 0)
		globfree(&found);
	free(pattern);
	return r;
}

/* A list is what it names; one alone is read with what it was before. */
static int
read_logs(struct compare *c, const char *list)
{
	int r = 0;

	if (strchr(list, ',') == NULL && (r = read_rotated(c, list)) != 0)
		return r;
	while (r == 0 && *list != '\0') {
		size_t n = strcspn(list, ",");
		char *path = xstrndup(list, n);

		r = lines_each(path, add_log_line, c);
		free(path);
		list += n + (list[n] == ',');
	}
	return r;
}

/* An export and whose it is. */
static int
read_ledger(struct json_object *rows, struct compare *c)
{
	struct db_egress e;
	int r;

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		if ((r = egress_parse(
			 json_object_array_get_idx(rows, i), &e)) != 0)
			return err_wrap("--ledger, row %zu", i);
		add_row(c, &e);
	}
	return 0;
}

static int
load_ledger(
    const struct args *args, struct json_object **rows, const char **from)
{
	struct json_object *first;
	int r;

	if ((r = json_parse_file(
		 args_text(args, "ledger"), LEDGER_MAX, rows)) != 0)
		return err_wrap("--ledger");
	if (!json_is_array(*rows) || json_object_array_length(*rows) == 0)
		return err_set(ERR_FORMAT,
		    "--ledger: no rows; \"sluice egress --json\" writes them");
	first = json_object_array_get_idx(*rows, 0);
	*from = json_get_str(first, "party_id", "");
	return 0;
}

/* --- the result ----------------------------------------------------------- */

static void
print_json(const struct compare_result *r)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < r->n; i++)
		json_object_array_add(
		    list, json_object_new_string(r->differences[i]));
	json_add_int(o, "objects", r->rows);
	json_add_int(o, "bytes", r->bytes);
	json_add_int(o, "requests", r->requests);
	json_add_int(o, "repeated_mailbox_full", r->repeats_full);
	json_add_int(o, "repeated_receiver_not_running", r->repeats_early);
	json_add_int(o, "repeated_answer_lost", r->repeats_lost);
	json_add_int(o, "repeated_after_trouble", r->repeats_trouble);
	json_add_int(o, "not_taken", r->not_taken);
	json_add_int(o, "other_requests", r->other_requests);
	json_add_int(o, "other_bytes", r->other_bytes);
	json_add_int(o, "unreadable_lines", r->unreadable);
	json_add(o, "differences", list);
	output_json(o);
	json_object_put(o);
}

static void
print_text(const struct compare_result *r)
{
	(void)printf("ledger: %lld objects, %lld bytes\n"
		     "log:    %lld requests for objects\n",
	    (long long)r->rows, (long long)r->bytes, (long long)r->requests);
	(void)printf("repeats: %lld the mailbox was full (429), %lld the "
		     "receiver did not run yet (404),\n"
		     "         %lld the answer was lost, %lld after trouble\n",
	    (long long)r->repeats_full, (long long)r->repeats_early,
	    (long long)r->repeats_lost, (long long)r->repeats_trouble);
	if (r->not_taken > 0)
		(void)printf("not taken: %lld objects arrived and no answer "
			     "said yes: their task ended first\n",
		    (long long)r->not_taken);
	(void)printf("besides: %lld commands, reports and answers, %lld "
		     "bytes\n",
	    (long long)r->other_requests, (long long)r->other_bytes);
	if (r->unreadable > 0)
		(void)printf("%lld lines of the log cannot be read\n",
		    (long long)r->unreadable);
	for (size_t i = 0; i < r->n; i++)
		output_line("DIFFERENCE %s", r->differences[i]);
	(void)printf("%zu difference%s\n", r->n, r->n == 1 ? "" : "s");
	if (r->n > 0)
		(void)printf("What left within the last seconds may not be in "
			     "the log yet: nginx writes once a second.\n");
}

/* A file without a line of nginx's proves nothing about what arrived. */
static int
show(const struct args *args, const struct compare_result *result)
{
	if (result->lines == 0 && result->unreadable > 0)
		return err_set(ERR_FORMAT,
		    "%s is no partner-in.log: none of its %lld lines is a "
		    "request as nginx writes it there; it is "
		    "logs/partner-in.log of party %s",
		    args_operand(args, 0), (long long)result->unreadable,
		    args_text(args, "to"));
	if (args_json(args))
		print_json(result);
	else
		print_text(result);
	return result->n == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
compare(const struct args *args, const char *from, struct db *db,
    struct json_object *rows)
{
	const char *job = args_text(args, "job");
	struct compare *c = compare_new(from, args_text(args, "to"), job);
	struct compare_result result;
	int r;

	if (rows != NULL)
		r = read_ledger(rows, c);
	else
		r = egress_each(db, job, NULL, add_one, c);
	if (r == 0 && (r = read_logs(c, args_operand(args, 0))) == 0) {
		compare_finish(c, &result);
		r = show(args, &result);
	}
	compare_free(c);
	return r;
}

static int
run_compare(const struct args *args)
{
	struct json_object *rows = NULL;
	const char *from = NULL;
	struct site s;
	int r;

	if (args_text(args, "ledger") != NULL) {
		if ((r = load_ledger(args, &rows, &from)) == 0)
			r = compare(args, from, NULL, rows);
		json_object_put(rows);
		return r;
	}
	if (args_text(args, "config") == NULL)
		return args_wrong("say --config or --ledger");
	if ((r = site_open(args, &s)) == 0)
		r = compare(args, s.conf->party_id, s.db, NULL);
	site_close(&s);
	return r;
}

static const struct option_def compare_options[] = {
	OPTION_CONFIG,
	{ "ledger", "FILE",
	    "what \"sluice egress --json\" wrote, instead of the database",
	    false },
	{ "to", "PARTY", "whose log it is", true },
	{ "job", "JOB", "only this job", false },
	OPTION_END,
};

const struct command command_egress_compare = {
	"egress compare",
	"LOG[,LOG...]",
	1,
	"Compare the ledger with a partner's logs/partner-in.log and its "
	"rotated ones.",
	compare_options,
	run_compare,
};
