/*
 * Results of benchmarks, in the form that bench/sites.py has too.
 */
#include "tests/lib/measure.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

struct measure {
	char *name;
	struct json_object *results;
};

struct measure *
measure_new(const char *name)
{
	struct measure *m = xcalloc(1, sizeof(*m));

	m->name = xstrdup(name);
	m->results = json_object_new_array();
	printf("%-44s %12s %12s %12s\n", "", "value", "floor", "budget");
	return m;
}

void
measure_add(struct measure *m, const char *metric, double value,
    const char *unit, double floor, double budget, const char *better)
{
	struct json_object *o = json_object_new_object();
	bool lower = strcmp(better, "lower") == 0;

	json_add_str(o, "metric", metric);
	json_add(o, "value", json_double(value));
	json_add_str(o, "unit", unit);
	json_add(o, "floor", json_double(floor));
	json_add(o, "budget", json_double(budget));
	json_add_str(o, "better", better);
	json_object_array_add(m->results, o);
	printf("%-44s %12.4g %12.4g %12.4g %s%s\n", metric, value, floor,
	    budget, unit,
	    (lower ? value <= budget : value >= budget) ? "" : "  OVER");
	fflush(stdout);
}

int
measure_end(struct measure *m)
{
	const char *b = getenv("B");
	char *folder = xasprintf("%s/bench", b != NULL ? b : "build");
	char *path = xasprintf("%s/%s.json", folder, m->name);
	const char *text = json_text(m->results);
	int r;

	if ((r = fd_mkdirs(folder, 0755)) != 0 ||
	    (r = fd_replace_file(path, text, strlen(text), 0644)) != 0)
		fprintf(stderr, "%s: %s\n", path, err_text());
	json_object_put(m->results);
	free(m->name);
	free(m);
	free(folder);
	free(path);
	return r == 0 ? 0 : -1;
}

double
measure_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
measure_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
