/*
 * sluice quota: how much of this site the jobs of one initiator may have.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/site.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_quota.h"
#include "lib/json/json.h"

#define LIMIT_MAX 1073741824
#define MB INT64_C(1048576)

static const char *
limit_text(struct site *s, int64_t limit)
{
	return limit == 0 ? "no limit"
			  : arena_printf(s->arena, "%lld", (long long)limit);
}

static void
print_json(const struct db_quota *rows, size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		json_add_str(o, "party_id", rows[i].party_id);
		json_add_int(o, "cores", rows[i].cores);
		json_add_int(o, "running_jobs", rows[i].running_jobs);
		json_add_int(o, "waiting_jobs", rows[i].waiting_jobs);
		json_add_int(o, "stored_mb", rows[i].stored_bytes / MB);
		json_object_array_add(list, o);
	}
	output_json(list);
	json_object_put(list);
}

static int
show(const struct args *args, struct site *s)
{
	static const char *const head[] = { "party", "cores", "running jobs",
		"waiting jobs", "stored MB" };
	struct output_table *t;
	struct db_quota *rows;
	size_t n;
	int r;

	if ((r = db_quota_list(s->db, s->arena, &rows, &n)) != 0)
		return r;
	if (args_json(args)) {
		print_json(rows, n);
		return 0;
	}
	t = output_table_new(5);
	output_table_row(t, head);
	for (size_t i = 0; i < n; i++) {
		const char *cells[] = {
			str_eq(rows[i].party_id, DB_QUOTA_PARTNERS)
			    ? "other partners (site.conf)"
			    : rows[i].party_id,
			limit_text(s, rows[i].cores),
			limit_text(s, rows[i].running_jobs),
			limit_text(s, rows[i].waiting_jobs),
			limit_text(s, rows[i].stored_bytes / MB),
		};

		output_table_row(t, cells);
	}
	output_table_print(t);
	return 0;
}

static int
read_limit(const struct args *args, const char *name, int64_t *out, bool *any)
{
	*any |= args_text(args, name) != NULL;
	return args_int(args, name, 0, LIMIT_MAX, 0, out);
}

static int
put_tx(struct db *db, void *ctx)
{
	return db_quota_put(db, ctx);
}

static int
remove_tx(struct db *db, void *ctx)
{
	const struct db_quota *q = ctx;
	bool removed;
	int r;

	if ((r = db_quota_delete(db, q->party_id, &removed)) == 0 && !removed)
		r = err_set(ERR_NOT_FOUND, "party %s has no quota of its own",
		    q->party_id);
	return r;
}

static int
change(const struct args *args, struct site *s, const char *party)
{
	struct db_quota q = { .party_id = party };
	bool any = false;
	int r;

	if (!str_is_party_id(party))
		return args_wrong(
		    "'%.40s' is no party id; what holds for all other partners "
		    "stands in site.conf, [jobs] partner_cores and the like",
		    party);
	if ((r = read_limit(args, "cores", &q.cores, &any)) != 0 ||
	    (r = read_limit(args, "running-jobs", &q.running_jobs, &any)) !=
		0 ||
	    (r = read_limit(args, "waiting-jobs", &q.waiting_jobs, &any)) !=
		0 ||
	    (r = read_limit(args, "stored-mb", &q.stored_bytes, &any)) != 0)
		return r;
	q.stored_bytes *= MB;
	if (args_flag(args, "remove") == any)
		return args_wrong(
		    "either --remove, or limits: --cores, --running-jobs, "
		    "--waiting-jobs, --stored-mb (0: none)");
	if (!any)
		return site_do(s, remove_tx, &q,
		    &(struct site_deed){ "quota", party, "removed" });
	return site_do(s, put_tx, &q,
	    &(struct site_deed){ "quota", party,
		arena_printf(s->arena,
		    "cores %s, running jobs %s, waiting jobs %s, stored MB %s",
		    limit_text(s, q.cores), limit_text(s, q.running_jobs),
		    limit_text(s, q.waiting_jobs),
		    limit_text(s, q.stored_bytes / MB)) });
}

static int
run_quota(const struct args *args)
{
	const char *party = args_text(args, "party");
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0)
		r = party == NULL ? show(args, &s) : change(args, &s, party);
	site_close(&s);
	return r;
}

static const struct option_def quota_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "party", "ID", "whose jobs; this site's own id: its own", false },
	{ "cores", "N", "that they may hold at once; 0: no limit", false },
	{ "running-jobs", "N", "at once", false },
	{ "waiting-jobs", "N", "at once", false },
	{ "stored-mb", "N", "of documents, over all jobs there ever were",
	    false },
	{ "remove", NULL, "what holds for all partners holds again", false },
	OPTION_END,
};

const struct command command_quota = {
	"quota",
	"",
	0,
	"List, set or remove what an initiator's jobs may have of this site.",
	quota_options,
	run_quota,
};
