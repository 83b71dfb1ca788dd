/*
 * Series in one array, found by their family and rendered labels.
 */
#include "lib/base/metrics.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct {
	const char *name;
	enum kind kind;
	const char *help;
} families[METRICS] = {
#define X(name, kind, help) { METRIC_PREFIX #name, kind, help },
	METRIC_FAMILIES(X)
#undef X
};

const double metric_buckets[METRIC_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01,
	0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };

struct series {
	enum metric family;
	char *labels; /* a="b",c="d" or "" */
	double value; /* the sum of a histogram */
	uint64_t *buckets;
};

struct metrics {
	struct series *items;
	size_t n;
	size_t room;
};

struct metrics *
metrics_new(void)
{
	return xcalloc(1, sizeof(struct metrics));
}

static void
series_fini(struct series *s)
{
	free(s->labels);
	free(s->buckets);
}

void
metrics_free(struct metrics *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->n; i++)
		series_fini(&m->items[i]);
	free(m->items);
	free(m);
}

static void
add_label(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "%s%s=\"", b->len > 0 ? "," : "", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			buf_puts(b, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *value);
	}
	buf_putc(b, '"');
}

/* Takes labels; NULL when there is no room for a new one. */
static struct series *
find(struct metrics *m, enum metric family, struct buf *labels)
{
	const char *text = buf_str(labels);
	struct series *s;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (m->items[i].family == family &&
		    str_eq(m->items[i].labels, text))
			return &m->items[i];
	if (m->n == METRIC_SERIES_MAX)
		return NULL;
	if (m->n == m->room) {
		m->room = m->room == 0 ? 64 : m->room * 2;
		m->items = xrealloc(m->items, m->room * sizeof(*m->items));
	}
	s = &m->items[m->n++];
	*s = (struct series){ .family = family, .labels = xstrdup(text) };
	if (families[family].kind == HISTOGRAM)
		s->buckets = xcalloc(METRIC_BUCKETS + 1, sizeof(*s->buckets));
	return s;
}

static struct series *
find_v(struct metrics *m, enum metric family, va_list ap)
{
	struct buf labels = BUF_INIT;
	const char *name, *value;
	struct series *s;

	if (m == NULL)
		return NULL;
	while ((name = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		add_label(&labels, name, value != NULL ? value : "");
	}
	s = find(m, family, &labels);
	buf_fini(&labels);
	return s;
}

void
metrics_set(struct metrics *m, enum metric family, double value, ...)
{
	struct series *s;
	va_list ap;

	va_start(ap, value);
	s = find_v(m, family, ap);
	va_end(ap);
	if (s != NULL)
		s->value = value;
}

void
metrics_add(struct metrics *m, enum metric family, double delta, ...)
{
	struct series *s;
	va_list ap;

	va_start(ap, delta);
	s = find_v(m, family, ap);
	va_end(ap);
	if (s != NULL)
		s->value += delta;
}

void
metrics_observe(struct metrics *m, enum metric family, double seconds, ...)
{
	struct series *s;
	va_list ap;
	int i = 0;

	va_start(ap, seconds);
	s = find_v(m, family, ap);
	va_end(ap);
	if (s == NULL || s->buckets == NULL)
		return;
	while (i < METRIC_BUCKETS && seconds > metric_buckets[i])
		i++;
	s->buckets[i]++;
	s->value += seconds;
}

void
metrics_histogram(struct metrics *m, enum metric family,
    const uint64_t n[METRIC_BUCKETS + 1], double sum, ...)
{
	struct series *s;
	va_list ap;
	int i;

	va_start(ap, sum);
	s = find_v(m, family, ap);
	va_end(ap);
	if (s == NULL || s->buckets == NULL)
		return;
	for (i = 0; i <= METRIC_BUCKETS; i++)
		s->buckets[i] += n[i];
	s->value += sum;
}

/* --- text ------------------------------------------------------------------- */

static void
line(struct buf *b, const struct series *s, const char *suffix, double value)
{
	buf_printf(b, "%s%s", families[s->family].name, suffix);
	if (s->labels[0] != '\0')
		buf_printf(b, "{%s}", s->labels);
	buf_printf(b, " %.15g\n", value);
}

static void
render_histogram(const struct series *s, struct buf *b)
{
	const char *comma = s->labels[0] != '\0' ? "," : "";
	uint64_t sum = 0;
	int i;

	for (i = 0; i <= METRIC_BUCKETS; i++) {
		sum += s->buckets[i];
		buf_printf(b, "%s_bucket{%s%sle=\"", families[s->family].name,
		    s->labels, comma);
		if (i < METRIC_BUCKETS)
			buf_printf(b, "%g", metric_buckets[i]);
		else
			buf_puts(b, "+Inf");
		buf_printf(b, "\"} %llu\n", (unsigned long long)sum);
	}
	line(b, s, "_sum", s->value);
	line(b, s, "_count", (double)sum);
}

void
metrics_render(const struct metrics *m, struct buf *b)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	bool begun;
	size_t i;
	int f;

	for (f = 0; f < METRICS; f++) {
		begun = false;
		for (i = 0; i < m->n; i++) {
			const struct series *s = &m->items[i];

			if ((int)s->family != f)
				continue;
			if (!begun)
				buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n",
				    families[f].name, families[f].help,
				    families[f].name, kinds[families[f].kind]);
			begun = true;
			if (s->buckets != NULL)
				render_histogram(s, b);
			else
				line(b, s, "", s->value);
		}
	}
}

/* --- what another program wrote ------------------------------------------------ */

static int
family_of(const char *name, size_t n, const char **suffix)
{
	size_t len;
	int f;

	for (f = 0; f < METRICS; f++) {
		len = strlen(families[f].name);
		if (len > n || memcmp(name, families[f].name, len) != 0)
			continue;
		*suffix = name + len;
		if (len == n || families[f].kind == HISTOGRAM)
			return f;
	}
	return -1;
}

/*
 * Buckets are written as sums over all below: what falls into bucket i alone
 * is its sum less the one before.
 */
static void
read_histogram(
    struct series *s, const char *suffix, const char *le, double value)
{
	uint64_t below = 0;
	int i;

	if (str_starts(suffix, "_sum"))
		s->value = value;
	if (!str_starts(suffix, "_bucket") || le == NULL)
		return;
	for (i = 0; i < METRIC_BUCKETS; i++) {
		if (metric_buckets[i] == strtod(le, NULL))
			break;
		below += s->buckets[i];
	}
	s->buckets[i] = (uint64_t)value - below;
}

/* Cut le="…", always the last label of a bucket, off labels; its value. */
static char *
take_le(char *labels)
{
	char *at, *le = NULL;

	for (at = labels; (at = strstr(at, "le=\"")) != NULL; at++)
		le = at;
	if (le == NULL)
		return NULL;
	*(le > labels ? le - 1 : le) = '\0';
	return le + strlen("le=\"");
}

/* One line "name{labels} value" without its end. */
static void
read_line(struct metrics *m, char *text, const char *more)
{
	char *open = strchr(text, '{'), *close = strrchr(text, '}');
	char *space = strrchr(text, ' '), *le = NULL;
	const char *suffix = "";
	struct buf labels = BUF_INIT;
	struct series *s;
	int f;

	if (space == NULL || (open != NULL && (close == NULL || open > close)))
		return;
	f = family_of(
	    text, (size_t)((open != NULL ? open : space) - text), &suffix);
	if (f < 0)
		return;
	if (open != NULL) {
		*close = '\0';
		if (str_starts(suffix, "_bucket"))
			le = take_le(open + 1);
		buf_puts(&labels, open + 1);
	}
	if (labels.len > 0)
		buf_putc(&labels, ',');
	buf_puts(&labels, more);
	s = find(m, (enum metric)f, &labels);
	buf_fini(&labels);
	if (s == NULL)
		return;
	if (s->buckets != NULL)
		read_histogram(s, suffix, le, strtod(space, NULL));
	else
		s->value = strtod(space, NULL);
}

void
metrics_read(
    struct metrics *m, const char *text, const char *label, const char *value)
{
	struct buf more = BUF_INIT;
	size_t n;
	char *one;

	add_label(&more, label, value);
	for (; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (n == 0 || *text == '#')
			continue;
		one = xstrndup(text, n);
		read_line(m, one, buf_str(&more));
		free(one);
	}
	buf_fini(&more);
}
