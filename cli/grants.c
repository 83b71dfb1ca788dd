/*
 * sluice grants: the list of what partners' jobs may do at this site.
 */
#include "cli/grants.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/party/approval.h"

static const char *
approval_text(struct site *s, const struct db_permission *p, const char *before)
{
	const char *text;
	char *span;

	if (p->approval_within_s == 0)
		return "";
	span = output_span(p->approval_within_s);
	text = arena_printf(s->arena, "%sneeds the approval of %s within %s",
	    before,
	    str_eq(p->approval_by, APPROVAL_ADMIN) ? "an admin"
						   : p->approval_by,
	    span);
	free(span);
	return text;
}

/* As "sluice grant" takes it: 1..2 (either may be missing), or a list. */
static void
put_range(struct buf *b, const char *bound)
{
	struct json_object *o = NULL, *min, *max;

	if (json_parse_text(bound, &o) == 0 && json_is_object(o)) {
		min = json_get(o, "min");
		max = json_get(o, "max");
		buf_printf(b, ", ");
		if (min != NULL)
			buf_printf(b, "%.15g", json_object_get_double(min));
		buf_printf(b, "..");
		if (max != NULL)
			buf_printf(b, "%.15g", json_object_get_double(max));
	} else
		buf_printf(b, ", %s", bound);
	err_clear();
	json_object_put(o);
}

/* As --from and --until take it, a day or a day and a time. */
static void
put_time(struct buf *b, const char *before, int64_t ms)
{
	static const char midnight[] = "T00:00:00Z";
	char date[CLOCK_UTC_SIZE];
	size_t len;

	if (ms == 0)
		return;
	clock_utc(ms, date);
	len = strlen(date);
	if (len > strlen(midnight) &&
	    str_eq(date + len - strlen(midnight), midnight))
		len -= strlen(midnight);
	else if (len > 0)
		len--; /* the Z: all times are UTC */
	buf_printf(b, ", %s %.*s", before, (int)len, date);
}

const char *
grants_limits(struct site *s, const struct db_permission *p)
{
	struct buf b = BUF_INIT;
	const char *text = "";

	if (p->bound != NULL)
		put_range(&b, p->bound);
	put_time(&b, p->is_early ? "not yet: from" : "from", p->valid_from_ms);
	put_time(
	    &b, p->is_late ? "expired: until" : "until", p->valid_until_ms);
	if (p->has_uses)
		buf_printf(&b, ", %lld use%s left", (long long)p->uses_left,
		    p->uses_left == 1 ? "" : "s");
	buf_printf(&b, "%s", approval_text(s, p, ", "));
	if (b.len > 2)
		text = arena_strdup(s->arena, buf_str(&b) + 2);
	buf_fini(&b);
	return text;
}

static struct json_object *
rule_json(const struct db_permission *p)
{
	struct json_object *o = json_object_new_object(), *bound = NULL;

	json_add_int(o, "id", p->id);
	json_add_str(o, "party", p->leaf.party_id);
	json_add_str(o, "as", p->leaf.src_role);
	json_add_str(o, "kind", p->leaf.kind);
	json_add_str(o, "subject", p->leaf.subject);
	json_add_str(o, "detail", p->leaf.detail);
	if (p->bound != NULL && json_parse_text(p->bound, &bound) == 0)
		json_add(o, "bound", bound);
	if (p->valid_from_ms != 0)
		json_add_int(o, "valid_from_ms", p->valid_from_ms);
	if (p->valid_until_ms != 0)
		json_add_int(o, "valid_until_ms", p->valid_until_ms);
	if (p->has_uses)
		json_add_int(o, "uses_left", p->uses_left);
	if (p->approval_within_s > 0) {
		json_add_str(o, "approval_by", p->approval_by);
		json_add_int(o, "approval_within_s", p->approval_within_s);
	}
	json_add_bool(o, "valid", !p->is_early && !p->is_late);
	json_add_str(o, "created_by", p->created_by);
	return o;
}

static void
print_rules(const struct args *args, struct site *s,
    const struct db_permission *rows, size_t n)
{
	static const char *const head[] = { "rule", "party", "as", "kind",
		"what", "", "limits" };
	struct output_table *t = output_table_new(7);
	struct json_object *list = json_object_new_array();
	size_t i;

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		const struct db_leaf *l = &rows[i].leaf;

		output_table_row(t,
		    (const char *const[]){
			arena_printf(s->arena, "%lld", (long long)rows[i].id),
			l->party_id, l->src_role, l->kind, l->subject,
			l->detail, grants_limits(s, &rows[i]) });
		json_object_array_add(list, rule_json(&rows[i]));
	}
	output_list(args, t, list);
}

static int
run_list(const struct args *args)
{
	struct db_permission *rows;
	struct site s;
	size_t n;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_permission_list(
		 s.db, s.arena, args_text(args, "party"), &rows, &n)) == 0)
		print_rules(args, &s, rows, n);
	site_close(&s);
	return r;
}

static const struct option_def grants_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "party", "ID", "only rules about this partner", false },
	OPTION_END,
};

const struct command command_grants = {
	"grants",
	"",
	0,
	"List what partners may do here.",
	grants_options,
	run_list,
};
