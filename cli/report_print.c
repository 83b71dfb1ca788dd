/*
 * Drawing the report on a terminal: scores, a loss curve on a logarithmic
 * axis, and one bar per task and party.
 */
#include "cli/report.h"

#include <math.h>
#include <string.h>

#include "lib/base/str.h"

#define CURVE_ROWS 8

static const char *
pick(const struct report_style *s, const char *utf8, const char *ascii)
{
	return s->utf8 ? utf8 : ascii;
}

static void
heading(FILE *f, const struct report_style *s, const char *text)
{
	(void)fprintf(f, "\n%s%s%s\n", s->colour ? "\033[1m" : "", text,
	    s->colour ? "\033[0m" : "");
}

static const char *
status_colour(const struct report_style *s, const char *status)
{
	if (!s->colour)
		return "";
	if (str_eq(status, "success") || str_eq(status, "pass"))
		return "\033[32m";
	if (str_eq(status, "running"))
		return "\033[36m";
	if (str_eq(status, "waiting"))
		return "\033[90m";
	return "\033[31m";
}

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && str_eq(text + len - n, end);
}

/*
 * A loss that two parties reckon under encryption is opened at the arbiter, and
 * stays with it: an arbiter's task whose numbers were not asked for has it.
 */
static void
print_where_loss_is(FILE *f, const struct report *r)
{
	size_t i;

	for (i = 0; i < r->n_tasks; i++)
		if (str_eq(r->tasks[i].role, "arbiter") &&
		    ends_with(r->tasks[i].module, "LR") &&
		    str_eq(r->tasks[i].status, "success"))
			break;
	if (i == r->n_tasks)
		return;
	(void)fprintf(f,
	    "  loss           at the arbiter's site, party %s: sluice metrics "
	    "%s %s --role arbiter --party %s\n",
	    r->tasks[i].party_id, r->job_id, r->tasks[i].component,
	    r->tasks[i].party_id);
}

static void
print_scores(FILE *f, const struct report *r)
{
	if (r->intersect_count >= 0)
		(void)fprintf(f, "  ids in common  %lld\n",
		    (long long)r->intersect_count);
	if (r->auc != REPORT_NONE)
		(void)fprintf(f, "  AUC            %.5f\n", r->auc);
	if (r->ks != REPORT_NONE)
		(void)fprintf(f, "  KS             %.5f\n", r->ks);
	if (r->accuracy != REPORT_NONE)
		(void)fprintf(f, "  accuracy       %.4f\n", r->accuracy);
	if (r->n_loss > 0)
		(void)fprintf(f, "  loss           %.6f after %zu iterations\n",
		    r->loss[r->n_loss - 1], r->n_loss);
	else if (!r->is_predict)
		print_where_loss_is(f, r);
}

/* Column x of the curve stands for iteration x * n / columns. */
static void
print_loss(FILE *f, const struct report *r, const struct report_style *s)
{
	double low = INFINITY, high = 0;
	size_t columns, i;
	int row;

	for (i = 0; i < r->n_loss; i++) {
		if (r->loss[i] > 0 && r->loss[i] < low)
			low = r->loss[i];
		if (r->loss[i] > high)
			high = r->loss[i];
	}
	if (r->n_loss < 2 || !(low < high) || !isfinite(high))
		return;
	heading(f, s, "Loss (logarithmic)");
	columns = r->n_loss < 30 ? r->n_loss * 2 : 60;
	for (row = CURVE_ROWS - 1; row >= 0; row--) {
		double level =
		    low * pow(high / low, (double)row / (CURVE_ROWS - 1));

		(void)fprintf(f, "  %9.4f %s", level, pick(s, "\u2502", "|"));
		for (i = 0; i < columns; i++) {
			double v = r->loss[i * r->n_loss / columns];
			double y = v > 0 ? log(v / low) / log(high / low) *
					       (CURVE_ROWS - 1)
					 : 0;

			if (y >= row + 0.5)
				(void)fputs(pick(s, "\u2588", "#"), f);
			else if (y >= row)
				(void)fputs(pick(s, "\u2584", ":"), f);
			else
				(void)fputc(' ', f);
		}
		(void)fputc('\n', f);
	}
	(void)fprintf(f, "            %s1%*zu\n", pick(s, "\u2514", "+"),
	    (int)columns - 1, r->n_loss);
}

static void
print_bar(FILE *f, const struct report *r, const struct report_task *t,
    const struct report_style *s, int columns, double span_ms)
{
	int from, to, i;

	from = (int)((double)(t->start_ms - r->start_ms) / span_ms * columns);
	to = (int)ceil((double)(t->end_ms - r->start_ms) / span_ms * columns);
	if (from < 0)
		from = 0;
	if (from > columns - 1)
		from = columns - 1;
	if (to <= from)
		to = from + 1;
	if (to > columns)
		to = columns;
	(void)fputs(status_colour(s, t->status), f);
	for (i = 0; i < columns; i++)
		(void)fputs(
		    i < from || i >= to ? " " : pick(s, "\u2588", "="), f);
	(void)fputs(s->colour ? "\033[0m" : "", f);
}

static void
print_timeline(FILE *f, const struct report *r, const struct report_style *s)
{
	int columns = s->width - 52;
	double span_ms = 0;
	const char *last = "";
	size_t i;

	for (i = 0; i < r->n_tasks; i++)
		if ((double)(r->tasks[i].end_ms - r->start_ms) > span_ms)
			span_ms = (double)(r->tasks[i].end_ms - r->start_ms);
	if (span_ms <= 0)
		return;
	if (columns < 16)
		columns = 16;
	if (columns > 60)
		columns = 60;
	heading(f, s, "Timeline");
	for (i = 0; i < r->n_tasks; i++) {
		const struct report_task *t = &r->tasks[i];
		char who[40];

		(void)snprintf(
		    who, sizeof(who), "%.12s %.10s", t->role, t->party_id);
		(void)fprintf(f, "  %-20.20s %-15s %s",
		    strcmp(last, t->component) == 0 ? "" : t->component, who,
		    pick(s, "\u2502", "|"));
		if (t->start_ms > 0 && t->end_ms > 0)
			print_bar(f, r, t, s, columns, span_ms);
		else
			(void)fprintf(f, "%*s", columns, "");
		if (t->start_ms > 0 && t->end_ms >= t->start_ms)
			(void)fprintf(f, "%s %6.2f s", pick(s, "\u2502", "|"),
			    (double)(t->end_ms - t->start_ms) / 1000);
		if (!str_eq(t->status, "success"))
			(void)fprintf(f, "  %s", t->status);
		(void)fputc('\n', f);
		last = t->component;
	}
	(void)fprintf(
	    f, "  %-37s0 s%*.2f s\n", "", columns - 2, span_ms / 1000);
}

void
report_print(FILE *f, const struct report *r, const struct report_style *s)
{
	size_t i;

	heading(f, s, "Result");
	(void)fprintf(f, "  job            %s, %s%s%s",
	    r->job_id != NULL ? r->job_id : "?", status_colour(s, r->status),
	    r->status != NULL ? r->status : "?", s->colour ? "\033[0m" : "");
	if (r->end_ms > r->start_ms)
		(void)fprintf(
		    f, " in %.2f s", (double)(r->end_ms - r->start_ms) / 1000);
	(void)fputc('\n', f);
	print_scores(f, r);
	if (r->reason != NULL && r->reason[0] != '\0')
		(void)fprintf(f, "  reason         %s\n", r->reason);
	for (i = 0; i < r->n_tasks; i++)
		if (r->tasks[i].error[0] != '\0' &&
		    !str_eq(r->tasks[i].status, "canceled"))
			(void)fprintf(f, "  %s at %s %s: %s\n",
			    r->tasks[i].component, r->tasks[i].role,
			    r->tasks[i].party_id, r->tasks[i].error);
	print_loss(f, r, s);
	print_timeline(f, r, s);
}
