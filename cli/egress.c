/*
 * sluice egress: what left this site, from its ledger.
 */
#include "cli/egress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/site.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define PAGE 2000

static const char *const columns[] = { "id", "at_ms", "job_id", "component",
	"version", "role", "party_id", "to_role", "to_party", "name", "tag",
	"bytes", "sha256" };
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct json_object *
egress_json(const struct db_egress *e)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * DB_HASH_SIZE + 1];

	str_to_hex(e->sha256, DB_HASH_SIZE, hex);
	json_add_int(o, "id", e->id);
	json_add_int(o, "at_ms", e->at_ms);
	json_add_str(o, "job_id", e->key.job_id);
	json_add_str(o, "component", e->key.component);
	json_add_int(o, "version", e->key.version);
	json_add_str(o, "role", e->key.role);
	json_add_str(o, "party_id", e->key.party_id);
	json_add_str(o, "to_role", e->to_role);
	json_add_str(o, "to_party", e->to_party);
	json_add_str(o, "name", e->name);
	json_add_str(o, "tag", e->tag);
	json_add_int(o, "bytes", e->bytes);
	json_add_str(o, "sha256", hex);
	return o;
}

int
egress_parse(struct json_object *o, struct db_egress *e)
{
	memset(e, 0, sizeof(*e));
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (json_get(o, columns[i]) == NULL)
			return err_set(ERR_FORMAT, "%s is missing", columns[i]);
	e->id = json_get_int(o, "id", 0);
	e->at_ms = json_get_int(o, "at_ms", 0);
	e->key.job_id = json_get_str(o, "job_id", "");
	e->key.component = json_get_str(o, "component", "");
	e->key.version = (int)json_get_int(o, "version", -1);
	e->key.role = json_get_str(o, "role", "");
	e->key.party_id = json_get_str(o, "party_id", "");
	e->to_role = json_get_str(o, "to_role", "");
	e->to_party = json_get_str(o, "to_party", "");
	e->name = json_get_str(o, "name", "");
	e->tag = json_get_str(o, "tag", "");
	e->bytes = json_get_int(o, "bytes", -1);
	if (e->bytes < 0)
		return err_set(ERR_FORMAT, "bytes is no size");
	if (str_from_hex(json_get_str(o, "sha256", ""), e->sha256,
		sizeof(e->sha256)) != 0)
		return err_set(ERR_FORMAT, "sha256 is not 64 hex digits");
	return 0;
}

int
egress_each(struct db *db, const char *job_id, const char *component,
    egress_fn *fn, void *ctx)
{
	struct db_egress *rows;
	struct arena *arena;
	int64_t after = 0;
	size_t i, n = PAGE;
	int r = 0;

	while (r == 0 && n == PAGE) {
		arena = arena_new();
		r = db_egress_list(
		    db, arena, job_id, component, after, PAGE, &rows, &n);
		for (i = 0; r == 0 && i < n; i++) {
			after = rows[i].id;
			r = fn(ctx, &rows[i]);
		}
		arena_free(arena);
	}
	return r;
}

/* --- the list ------------------------------------------------------------- */

struct listing {
	const char *to; /* NULL: any */
	bool csv, json;
	int64_t n;
	struct output_table *table;
};

/* RFC 4180: quoted, quotes doubled. */
static void
print_csv_text(const char *s, char end)
{
	(void)putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			(void)putchar('"');
		(void)putchar(*s);
	}
	(void)printf("\"%c", end);
}

static void
print_csv(struct json_object *o)
{
	for (size_t i = 0; i < N_COLUMNS; i++) {
		struct json_object *v = json_get(o, columns[i]);
		char end = i + 1 < N_COLUMNS ? ',' : '\n';

		if (json_is_string(v))
			print_csv_text(json_object_get_string(v), end);
		else
			(void)printf(
			    "%lld%c", (long long)json_object_get_int64(v), end);
	}
}

static void
add_line(struct listing *l, const struct db_egress *e)
{
	char version[24], bytes[24], date[CLOCK_DATE_SIZE];

	(void)snprintf(
	    version, sizeof(version), "%lld", (long long)e->key.version);
	(void)snprintf(bytes, sizeof(bytes), "%lld", (long long)e->bytes);
	clock_date(e->at_ms, date);
	output_table_row(l->table,
	    (const char *const[]){ date, e->key.job_id, e->key.component,
		version, e->to_role, e->to_party, bytes, e->name, e->tag });
}

static int
list_one(void *ctx, const struct db_egress *e)
{
	struct listing *l = ctx;
	struct json_object *o;

	if (l->to != NULL && !str_eq(l->to, e->to_party))
		return 0;
	if (!l->csv && !l->json) {
		add_line(l, e);
		l->n++;
		return 0;
	}
	o = egress_json(e);
	if (l->csv)
		print_csv(o);
	else
		(void)printf("%s%s", l->n == 0 ? "[" : ",\n", json_text(o));
	json_object_put(o);
	l->n++;
	return 0;
}

static int
run_list(const struct args *args)
{
	static const char *const head[] = { "at", "job", "component", "version",
		"to", "", "bytes", "name", "tag" };
	struct listing l = { .to = args_text(args, "to"),
		.csv = args_flag(args, "csv"),
		.json = args_json(args) };
	struct site s;
	int r;

	l.table = output_table_new(sizeof(head) / sizeof(head[0]));
	output_table_row(l.table, head);
	if ((r = site_open(args, &s)) == 0) {
		for (size_t i = 0; l.csv && i < N_COLUMNS; i++)
			(void)printf(
			    "%s%c", columns[i], i + 1 < N_COLUMNS ? ',' : '\n');
		r = egress_each(s.db, args_text(args, "job"),
		    args_text(args, "component"), list_one, &l);
	}
	if (r == 0 && l.json)
		(void)printf("%s]\n", l.n == 0 ? "[" : "");
	if (r == 0 && !l.json && !l.csv) {
		output_table_print(l.table);
		if (l.n == 0)
			output_none(args);
	} else
		output_table_free(l.table);
	site_close(&s);
	return r;
}

static const struct option_def list_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "job", "JOB", "only what this job's tasks sent", false },
	{ "component", "NAME", "only this component's", false },
	{ "to", "PARTY", "only what this partner was sent", false },
	{ "csv", NULL, "as CSV (RFC 4180)", false },
	OPTION_END,
};

const struct command command_egress = {
	"egress",
	"",
	0,
	"List the objects that left this site, as they were recorded.",
	list_options,
	run_list,
};

/* --- totals --------------------------------------------------------------- */

static struct json_object *
total_json(const struct db_egress_total *t)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "job_id", t->key.job_id);
	if (*t->key.component != '\0') {
		json_add_str(o, "component", t->key.component);
		json_add_int(o, "version", t->key.version);
	}
	json_add_str(o, "role", t->key.role);
	json_add_str(o, "party_id", t->key.party_id);
	json_add_str(o, "to_party", t->to_party);
	json_add_int(o, "objects", t->objects);
	json_add_int(o, "bytes", t->bytes);
	return o;
}

static void
print_totals(
    const struct args *args, const struct db_egress_total *rows, size_t n)
{
	static const char *const head[] = { "job", "component", "version", "as",
		"to", "objects", "bytes" };
	struct output_table *t = output_table_new(7);
	struct json_object *list = json_object_new_array();
	char version[24], objects[24], bytes[24];

	output_table_row(t, head);
	for (size_t i = 0; i < n; i++) {
		const struct db_egress_total *e = &rows[i];

		(void)snprintf(version, sizeof(version), "%lld",
		    (long long)e->key.version);
		(void)snprintf(
		    objects, sizeof(objects), "%lld", (long long)e->objects);
		(void)snprintf(
		    bytes, sizeof(bytes), "%lld", (long long)e->bytes);
		output_table_row(
		    t, (const char *const[]){ e->key.job_id, e->key.component,
			   *e->key.component != '\0' ? version : "",
			   e->key.role, e->to_party, objects, bytes });
		json_object_array_add(list, total_json(e));
	}
	output_list(args, t, list);
}

static int
run_totals(const struct args *args)
{
	struct db_egress_total *rows;
	struct site s;
	size_t n;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_egress_totals(s.db, s.arena, args_text(args, "job"),
		 !args_flag(args, "tasks"), &rows, &n)) == 0)
		print_totals(args, rows, n);
	site_close(&s);
	return r;
}

static const struct option_def totals_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "job", "JOB", "only of this job", false },
	{ "tasks", NULL, "for each task, not for each job", false },
	OPTION_END,
};

const struct command command_egress_totals = {
	"egress totals",
	"",
	0,
	"Objects and bytes that left, for each job and partner.",
	totals_options,
	run_totals,
};
