/*
 * Drawing for watch.c.  What was drawn last is kept, to be drawn over on a
 * terminal and to tell what changed elsewhere.
 */
#include "cli/screen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/waits.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define COLUMN 15
#define MEMBERS_MAX 64
#define COMPONENTS_MAX 256
#define BRIEF_MS 2000  /* what passes within a moment is told after this */
#define CANCELED_MAX 3 /* more at once are counted */

struct cell {
	char *component;
	char *member; /* "guest 9999" */
	char *status;
	char *error;
	int progress; /* per cent, while it runs */
	bool is_new;  /* changed since it was last shown */
};

struct screen {
	FILE *out;
	bool is_tty;
	int lines; /* drawn, to go back over */
	int64_t started_ms;
	char *status;
	char *waits;	 /* why, while it waits */
	char *waits_for; /* the same without what changes all the time */
	int64_t waits_since_ms;
	bool waits_told;
	struct cell *cells;
	size_t n;
};

struct screen *
screen_new(FILE *out)
{
	struct screen *s = xcalloc(1, sizeof(*s));

	s->out = out;
	s->is_tty = isatty(fileno(out)) == 1;
	s->started_ms = clock_mono_ms();
	return s;
}

void
screen_free(struct screen *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++) {
		free(s->cells[i].component);
		free(s->cells[i].member);
		free(s->cells[i].status);
		free(s->cells[i].error);
	}
	free(s->cells);
	free(s->status);
	free(s->waits);
	free(s->waits_for);
	free(s);
}

static bool
set_text(char **where, const char *text)
{
	if (str_eq(*where, text))
		return false;
	free(*where);
	*where = xstrdup(text);
	return true;
}

static struct cell *
find_cell(struct screen *s, const char *component, const char *member)
{
	struct cell *c;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (str_eq(s->cells[i].component, component) &&
		    str_eq(s->cells[i].member, member))
			return &s->cells[i];
	s->cells = xrealloc(s->cells, (s->n + 1) * sizeof(*s->cells));
	c = &s->cells[s->n++];
	*c = (struct cell){ .component = xstrdup(component),
		.member = xstrdup(member) };
	return c;
}

/* A member's own state says more than the verdict over all. */
static void
take_tasks(struct screen *s, struct json_object *tasks)
{
	struct json_object *row;
	struct cell *cell;
	char *member;
	size_t i;

	for (i = 0; i < json_object_array_length(tasks); i++) {
		row = json_object_array_get_idx(tasks, i);
		member = xasprintf("%s %s", json_get_str(row, "f_role", "?"),
		    json_get_str(row, "f_party_id", "?"));
		cell = find_cell(
		    s, json_get_str(row, "f_component_name", "?"), member);
		if (set_text(&cell->status,
			json_get_str(row, "f_party_status", "?")))
			cell->is_new = true;
		(void)set_text(
		    &cell->error, json_get_str(row, "f_error_report", ""));
		cell->progress = (int)json_get_int(row, "f_progress", 0);
		free(member);
	}
}

static const char *
colour_of(const char *status)
{
	if (str_eq(status, "success") || str_eq(status, "pass"))
		return "\033[32m";
	if (str_eq(status, "running"))
		return "\033[33m";
	if (str_eq(status, "waiting"))
		return "\033[2m";
	return "\033[31m";
}

/* Distinct texts of one column of the cells, in order of appearance. */
static size_t
distinct(const struct screen *s, bool members, const char **out, size_t max)
{
	const char *text;
	size_t i, j, n = 0;

	for (i = 0; i < s->n; i++) {
		text = members ? s->cells[i].member : s->cells[i].component;
		for (j = 0; j < n; j++)
			if (str_eq(out[j], text))
				break;
		if (j == n && n < max)
			out[n++] = text;
	}
	return n;
}

static const struct cell *
cell_at(const struct screen *s, const char *component, const char *member)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (str_eq(s->cells[i].component, component) &&
		    str_eq(s->cells[i].member, member))
			return &s->cells[i];
	return NULL;
}

static void
draw_row(struct screen *s, const char *component, const char *const *members,
    size_t n)
{
	const struct cell *cell;
	char text[32];
	size_t i;

	(void)fprintf(s->out, "  %-22.22s", component);
	for (i = 0; i < n; i++) {
		if ((cell = cell_at(s, component, members[i])) == NULL) {
			(void)fprintf(s->out, " %-*s", COLUMN, "");
			continue;
		}
		if (str_eq(cell->status, "running") && cell->progress > 0)
			(void)snprintf(
			    text, sizeof(text), "running %d%%", cell->progress);
		else
			(void)snprintf(text, sizeof(text), "%s", cell->status);
		(void)fprintf(s->out, " %s%-*s\033[0m", colour_of(cell->status),
		    COLUMN, text);
	}
	(void)fprintf(s->out, "\033[K\n");
	s->lines++;
}

static void
draw(struct screen *s, struct json_object *job)
{
	const char *members[MEMBERS_MAX], *components[COMPONENTS_MAX];
	size_t n_members = distinct(s, true, members, MEMBERS_MAX);
	size_t n = distinct(s, false, components, COMPONENTS_MAX);
	size_t i;

	if (s->lines != 0)
		(void)fprintf(s->out, "\033[%dA\r", s->lines);
	(void)fprintf(s->out,
	    "job %s  %s%s\033[0m  %" PRId64 "%%  %.1f s"
	    "\033[K\n  %-22s",
	    json_get_str(job, "f_job_id", ""), colour_of(s->status), s->status,
	    json_get_int(job, "f_progress", 0),
	    (double)(clock_mono_ms() - s->started_ms) / 1000, "");
	for (i = 0; i < n_members; i++)
		(void)fprintf(s->out, " %-*s", COLUMN, members[i]);
	(void)fprintf(s->out, "\033[K\n");
	s->lines = 2;
	if (s->waits[0] != '\0') {
		(void)fprintf(s->out, "  waits: %.200s\033[K\n", s->waits);
		s->lines++;
	}
	for (i = 0; i < n; i++)
		draw_row(s, components[i], members, n_members);
	(void)fprintf(s->out, "\033[J");
}

static void
print_cells(struct screen *s, double elapsed_s, bool canceled)
{
	for (size_t i = 0; i < s->n; i++) {
		struct cell *c = &s->cells[i];

		if (!c->is_new || str_eq(c->status, "canceled") != canceled)
			continue;
		/* Everything waits at first: no news. */
		if (!str_eq(c->status, "waiting"))
			(void)fprintf(s->out, "%8.2f s  %s, %s: %s\n",
			    elapsed_s, c->component, c->member, c->status);
		c->is_new = false;
	}
}

/* Of a job that ended early its tasks say nothing by themselves. */
static void
print_canceled(struct screen *s, double elapsed_s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		n += s->cells[i].is_new &&
		     str_eq(s->cells[i].status, "canceled");
	if (n <= CANCELED_MAX) {
		print_cells(s, elapsed_s, true);
		return;
	}
	(void)fprintf(s->out, "%8.2f s  %zu tasks: canceled\n", elapsed_s, n);
	for (i = 0; i < s->n; i++)
		if (str_eq(s->cells[i].status, "canceled"))
			s->cells[i].is_new = false;
}

static bool
has_failed(const struct screen *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->cells[i].status, "failed") ||
		    str_eq(s->cells[i].status, "timeout"))
			return true;
	return false;
}

/* What was canceled is told behind its cause, which may be heard later. */
static void
print_changes(struct screen *s, struct json_object *job, bool job_changed)
{
	double elapsed_s = (double)(clock_mono_ms() - s->started_ms) / 1000;

	print_cells(s, elapsed_s, false);
	if (has_failed(s) ||
	    (!str_eq(s->status, "running") && !str_eq(s->status, "waiting")))
		print_canceled(s, elapsed_s);
	if (job_changed)
		(void)fprintf(s->out, "%8.2f s  job %s: %s\n", elapsed_s,
		    json_get_str(job, "f_job_id", ""), s->status);
	if (!s->waits_told && s->waits[0] != '\0') {
		(void)fprintf(
		    s->out, "%8.2f s  waits: %s\n", elapsed_s, s->waits);
		s->waits_told = true;
	}
}

/* Has an earlier cell said the same? */
static bool
is_repeated(const struct screen *s, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (str_eq(s->cells[j].error, s->cells[i].error))
			return true;
	return false;
}

/*
 * Once, at the end: why what failed did; canceled tasks have no cause.  A job
 * that failed before any task has one of its own.
 */
static void
print_errors(struct screen *s, struct json_object *job)
{
	const char *reason = json_get_str(job, "f_reason", "");
	bool told = false;
	size_t i;

	if (str_eq(s->status, "waiting") || str_eq(s->status, "running") ||
	    str_eq(s->status, "success"))
		return;
	for (i = 0; i < s->n; i++)
		if (s->cells[i].error != NULL && s->cells[i].error[0] != '\0' &&
		    !str_eq(s->cells[i].status, "canceled") &&
		    !is_repeated(s, i)) {
			told = true;
			(void)fprintf(s->out, "%s, %s: %s\n",
			    s->cells[i].component, s->cells[i].member,
			    s->cells[i].error);
		}
	if (!told && reason[0] != '\0')
		(void)fprintf(s->out, "%s\n", reason);
}

/* What it waits for, unless that passes before anybody has read it. */
static void
take_waits(struct screen *s, struct json_object *wait)
{
	int64_t now = clock_mono_ms();
	char *text = waits_short(wait);

	if (set_text(&s->waits_for, text)) {
		s->waits_since_ms = now;
		s->waits_told = false;
	}
	free(text);
	if (waits_is_brief(wait) && now - s->waits_since_ms < BRIEF_MS) {
		(void)set_text(&s->waits, "");
		return;
	}
	text = waits_long(wait);
	(void)set_text(&s->waits, text);
	free(text);
}

void
screen_show(
    struct screen *s, struct json_object *job, struct json_object *tasks)
{
	bool job_changed;

	if (s == NULL)
		return;
	take_waits(s, json_get(job, "f_wait"));
	job_changed = set_text(&s->status, json_get_str(job, "f_status", "?"));
	if (json_is_array(tasks))
		take_tasks(s, tasks);
	if (s->is_tty)
		draw(s, job);
	else
		print_changes(s, job, job_changed);
	if (job_changed)
		print_errors(s, job);
	(void)fflush(s->out);
}
