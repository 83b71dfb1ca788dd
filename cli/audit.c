/*
 * sluice audit: what was done at this site, and by whom.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/history.h"
#include "cli/output.h"
#include "lib/audit/history.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_audit_chain.h"
#include "lib/json/json.h"
#include "lib/party/audit_json.h"

#define LIMIT 200
#define LIMIT_MAX 1000000

static void
print_records(const struct args *args, const struct db_audit *rows, size_t n)
{
	static const char *const head[] = { "record", "at", "actor", "action",
		"outcome", "subject", "detail" };
	struct output_table *t = output_table_new(7);
	struct json_object *list = json_object_new_array();
	char date[CLOCK_DATE_SIZE], seq[24];

	output_table_row(t, head);
	for (size_t i = 0; i < n; i++) {
		clock_date(rows[i].at_ms, date);
		(void)snprintf(
		    seq, sizeof(seq), "%lld", (long long)rows[i].seq);
		output_table_row(
		    t, (const char *const[]){ rows[i].seq != 0 ? seq : "-",
			   date, rows[i].actor, rows[i].action, rows[i].outcome,
			   rows[i].subject, rows[i].detail });
		json_object_array_add(list, audit_json(&rows[i]));
	}
	output_list(args, t, list);
}

static int
run_list(const struct args *args)
{
	struct db_audit_filter f = {
		.action = args_text(args, "action"),
		.actor = args_text(args, "actor"),
		.subject = args_text(args, "subject"),
		.outcome = args_text(args, "outcome"),
	};
	struct db_audit *rows;
	struct site s;
	size_t n;
	int r;

	if ((r = args_int(args, "limit", 1, LIMIT_MAX, LIMIT, &f.limit)) != 0)
		return r;
	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_audit_find(s.db, s.arena, &f, &rows, &n)) == 0)
		print_records(args, rows, n);
	site_close(&s);
	return r;
}

static const struct option_def list_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "action", "ACTION", "only of this kind: request, job end, grant ...",
	    false },
	{ "actor", "TEXT", "only by actors that begin so: party 10000", false },
	{ "subject", "TEXT", "only about what begins so: a job's id", false },
	{ "outcome", "TEXT", "only with this outcome: ok, refused, failed ...",
	    false },
	{ "limit", "N", "the newest N (200)", false },
	OPTION_END,
};

const struct command command_audit = {
	"audit",
	"",
	0,
	"List what was done at this site and refused, oldest first.",
	list_options,
	run_list,
};

/* --- export --------------------------------------------------------------- */

static int
print_line(void *ctx, const char *line, size_t len)
{
	FILE *f = ctx;

	if (fwrite(line, 1, len, f) != len || fputc('\n', f) == EOF)
		return err_set_errno(ERR_IO, "write the export");
	return 0;
}

static int
run_export(const struct args *args)
{
	const char *path = args_text(args, "output");
	FILE *f = stdout;
	struct site s;
	int r;

	if ((r = site_open(args, &s)) != 0)
		goto out;
	if (path != NULL && (f = fopen(path, "wxe")) == NULL) {
		r = err_set_errno(ERR_IO, "make %s", path);
		goto out;
	}
	r = history_lines(&s, print_line, f);
	if (r == 0 && fflush(f) != 0)
		r = err_set_errno(ERR_IO, "write the export");
	if (path != NULL)
		(void)fclose(f);
out:
	site_close(&s);
	return r;
}

static const struct option_def export_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "output", "FILE", "a new file, not standard output", false },
	OPTION_END,
};

const struct command command_audit_export = {
	"audit export",
	"",
	0,
	"Write the audit chain as lines of JSON, for \"sluice verify\".",
	export_options,
	run_export,
};

/* --- prune ---------------------------------------------------------------- */

/* Records of one transaction. */
#define PRUNE_BATCH 5000
#define DAY_MS (24 * 3600 * INT64_C(1000))

static int
check_line(void *ctx, const char *line, size_t len)
{
	return history_line(ctx, line, len);
}

static int
prune_tx(struct db *db, void *ctx)
{
	return db_audit_prune(db, ctx);
}

/* One bite, with its own checkpoint.  *seq is 0 when nothing is left to do. */
static int
prune_some(struct site *s, struct keys *keys, int64_t before_ms, int64_t *seq)
{
	struct db_audit_checkpoint c;
	struct audit_head head = { .job_id = HISTORY_CHECKPOINT_JOB,
		.party_id = s->conf->party_id,
		.peer_id = s->conf->party_id };
	int r;

	*seq = 0;
	if ((r = db_audit_prunable(s->db, before_ms, PRUNE_BATCH, &c)) != 0 ||
	    c.seq == 0)
		return r;
	head.seq = c.seq;
	memcpy(head.hash, c.hash, sizeof(head.hash));
	if ((r = audit_head_sign(&head, HEAD_OWN, keys, c.signature)) != 0 ||
	    (r = site_do(s, prune_tx, &c,
		 &(struct site_deed){ "audit pruned",
		     arena_printf(
			 s->arena, "records up to %lld", (long long)c.seq),
		     NULL })) != 0)
		return r;
	*seq = c.seq;
	return 0;
}

/* Nothing is removed from a chain that is not whole. */
static int
check_whole(struct site *s)
{
	struct history *h = history_new();
	const struct history_finding *f;
	size_t n;
	int r = history_lines(s, check_line, h);

	if (r == 0) {
		history_check(h);
		f = history_findings(h, &n);
		if (n > 0)
			r = err_set(ERR_CONFLICT,
			    "the chain is not whole (%s): see \"sluice "
			    "verify --config %s\" before anything is removed",
			    f[0].text, s->conf->path);
	}
	history_free(h);
	return r;
}

static int
run_prune(const struct args *args)
{
	struct keys *keys = NULL;
	struct site s;
	int64_t days, seq, last = 0;
	char *path;
	int r;

	if ((r = args_int(args, "older-than", 30, 36500, 0, &days)) != 0)
		return r;
	if ((r = site_open(args, &s)) != 0)
		goto out;
	path = site_path(s.conf, "%s/sign.key", SITE_KEYS);
	r = keys_load(path, &keys);
	free(path);
	if (r != 0 || (r = check_whole(&s)) != 0)
		goto out;
	do {
		r = prune_some(&s, keys, clock_wall_ms() - days * DAY_MS, &seq);
		last = seq != 0 ? seq : last;
	} while (r == 0 && seq != 0);
	if (r == 0 && !args_json(args))
		(void)printf(
		    "records up to %lld were removed\n", (long long)last);
out:
	keys_free(keys);
	site_close(&s);
	return r;
}

static const struct option_def prune_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "older-than", "DAYS", "only records older than that, at least 30",
	    true },
	OPTION_END,
};

const struct command command_audit_prune = {
	"audit prune",
	"",
	0,
	"Remove the oldest records behind a signed checkpoint.",
	prune_options,
	run_prune,
};
