/*
 * sluice verify: is a site's audit chain what it was, and do two sites'
 * chains say the same?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/history.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "lib/audit/history.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define MAX_SITES 2

struct verify {
	struct history *sites[MAX_SITES];
	size_t n;
};

/* --- where chains come from ----------------------------------------------- */

/* "PARTY=ed25519:...[,PARTY=...]" */
static int
trust(struct history *h, const char *list)
{
	int r = 0;

	while (r == 0 && list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");
		char *one = xstrndup(list, n), *key = strchr(one, '=');

		if (key == NULL)
			r = args_wrong(
			    "--key: '%s' is not PARTY=ed25519:KEY", one);
		else {
			*key = '\0';
			r = history_trust(h, one, key + 1);
		}
		free(one);
		list += n + (list[n] == ',');
	}
	return r;
}

static int
add_line(void *ctx, const char *line, size_t len)
{
	return history_line(ctx, line, len);
}

struct counted {
	struct history *h;
	int64_t n;
};

static int
add_counted(void *ctx, const char *line, size_t len)
{
	struct counted *c = ctx;
	int r;

	c->n++;
	r = history_line(c->h, line, len);
	return r == 0 ? 0 : err_wrap("line %lld", (long long)c->n);
}

static int
read_file(struct history *h, const char *path)
{
	struct counted c = { h, 0 };
	int r = lines_each(path, add_counted, &c);

	return r == 0 ? 0 : err_wrap("%s", path);
}

static int
read_site(struct history *h, const struct args *args)
{
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0)
		r = history_lines(&s, add_line, h);
	site_close(&s);
	return r;
}

/* The live site, and files: one or two in all. */
static int
gather(const struct args *args, struct verify *v)
{
	const char *files[] = { args_text(args, "file"),
		args_text(args, "against") };
	const char *keys = args_text(args, "key");
	bool live = args_text(args, "config") != NULL;
	int r = 0;

	if (live == (files[0] != NULL))
		return args_wrong(
		    "say --config for a site or --file for an export");
	v->sites[v->n++] = history_new();
	if ((r = trust(v->sites[0], keys)) != 0 ||
	    (r = live ? read_site(v->sites[0], args)
		      : read_file(v->sites[0], files[0])) != 0)
		return r;
	if (files[1] == NULL)
		return 0;
	v->sites[v->n++] = history_new();
	if ((r = trust(v->sites[1], keys)) != 0)
		return r;
	return read_file(v->sites[1], files[1]);
}

/* --- what was found ------------------------------------------------------- */

static struct json_object *
site_json(const struct history *h)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	const struct history_finding *f;
	size_t n;

	f = history_findings(h, &n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_new_object();

		json_add_int(one, "seq", f[i].seq);
		json_add_str(one, "finding", f[i].text);
		json_object_array_add(list, one);
	}
	json_add_str(o, "party", history_party(h));
	json_add_int(o, "records", history_records(h));
	json_add_int(o, "last_seq", history_last(h));
	json_add_str(o, "last_at", history_last_at(h));
	json_add_int(o, "heads_matched", history_heads(h));
	json_add_int(o, "heads_kept", history_kept(h));
	json_add_int(o, "first_altered", history_altered(h));
	json_add_int(o, "signatures", history_signatures(h));
	json_add(o, "findings", list);
	return o;
}

static void
print_site(const struct history *h)
{
	const struct history_finding *f;
	size_t n;

	f = history_findings(h, &n);
	(void)printf("party %s: %lld records up to %lld, %lld signed heads "
		     "match, %lld heads of others are signed, %lld signatures "
		     "are right\n",
	    history_party(h) != NULL ? history_party(h) : "?",
	    (long long)history_records(h), (long long)history_last(h),
	    (long long)history_heads(h), (long long)history_kept(h),
	    (long long)history_signatures(h));
	if (history_altered(h) > 0)
		(void)printf("FIRST ALTERED RECORD %lld\n",
		    (long long)history_altered(h));
	for (size_t i = 0; i < n; i++)
		output_line("FINDING %s", f[i].text);
}

/* A file that was cut off behind its last head is right as far as it goes. */
static void
print_end(const struct history *h)
{
	if (*history_last_at(h) != '\0' && history_altered(h) == 0)
		output_line("the file ends with record %lld of %s: what came "
			    "after it cannot be missed here; --against a "
			    "partner's file shows it",
		    (long long)history_last(h), history_last_at(h));
}

static int
report(const struct args *args, const struct verify *v)
{
	struct json_object *o = json_object_new_object();
	struct json_object *sites = json_object_new_array();
	int64_t jobs = history_jobs_compared(v->sites[0]);
	size_t total = 0, n;

	for (size_t i = 0; i < v->n; i++) {
		(void)history_findings(v->sites[i], &n);
		total += n;
		json_object_array_add(sites, site_json(v->sites[i]));
		if (!args_json(args))
			print_site(v->sites[i]);
	}
	json_add(o, "sites", sites);
	json_add_int(o, "jobs_compared", jobs);
	json_add_int(o, "findings", (int64_t)total);
	if (args_json(args))
		output_json(o);
	else if (v->n == 1 && args_text(args, "file") != NULL)
		print_end(v->sites[0]);
	else if (v->n > 1)
		(void)printf("%lld jobs compared\n", (long long)jobs);
	if (!args_json(args))
		(void)printf("%zu finding%s\n", total, total == 1 ? "" : "s");
	json_object_put(o);
	return total == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
run_verify(const struct args *args)
{
	struct verify v = { .n = 0 };
	int r = gather(args, &v);

	if (r == 0) {
		for (size_t i = 0; i < v.n; i++)
			history_check(v.sites[i]);
		if (v.n == MAX_SITES)
			history_compare(v.sites[0], v.sites[1]);
		r = report(args, &v);
	}
	for (size_t i = 0; i < v.n; i++)
		history_free(v.sites[i]);
	return r;
}

static const struct option_def options[] = {
	OPTION_CONFIG,
	{ "file", "FILE", "what \"sluice audit export\" wrote, not a site",
	    false },
	{ "against", "FILE", "another site's export, to be compared", false },
	{ "key", "PARTY=KEY[,...]",
	    "signing keys that you know; then no others count for that party",
	    false },
	OPTION_END,
};

const struct command command_verify = {
	"verify",
	"",
	0,
	"Check an audit chain, or two sites' against each other.",
	options,
	run_verify,
};
