/*
 * The text format of the metrics, and reading it back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/metrics.h"

static void
expect(const struct metrics *m, const char *line)
{
	struct buf b = BUF_INIT;

	metrics_render(m, &b);
	if (strstr(buf_str(&b), line) == NULL)
		fail_msg("no \"%s\" in\n%s", line, buf_str(&b));
	buf_fini(&b);
}

static void
counters_grow_and_gauges_are_set(void **state)
{
	struct metrics *m = metrics_new();

	(void)state;
	metrics_add(m, METRIC_task_starts_total, 1, NULL);
	metrics_add(m, METRIC_task_starts_total, 2, NULL);
	metrics_set(m, METRIC_jobs, 7, "state", "waiting", NULL);
	metrics_set(m, METRIC_jobs, 5, "state", "waiting", NULL);
	expect(m, "# TYPE sluice_task_starts_total counter\n"
		  "sluice_task_starts_total 3\n");
	expect(m, "# TYPE sluice_jobs gauge\n"
		  "sluice_jobs{state=\"waiting\"} 5\n");
	metrics_free(m);
}

static void
labels_are_escaped(void **state)
{
	struct metrics *m = metrics_new();

	(void)state;
	metrics_set(m, METRIC_jobs, 1, "state", "a\"b\\c\nd", NULL);
	expect(m, "sluice_jobs{state=\"a\\\"b\\\\c\\nd\"} 1\n");
	metrics_free(m);
}

static void
buckets_are_sums_of_all_below(void **state)
{
	struct metrics *m = metrics_new();

	(void)state;
	metrics_observe(
	    m, METRIC_partner_command_seconds, 0.003, "partner", "10", NULL);
	metrics_observe(
	    m, METRIC_partner_command_seconds, 99, "partner", "10", NULL);
	expect(m, "_seconds_bucket{partner=\"10\",le=\"0.0025\"} 0\n");
	expect(m, "_seconds_bucket{partner=\"10\",le=\"0.005\"} 1\n");
	expect(m, "_seconds_bucket{partner=\"10\",le=\"+Inf\"} 2\n");
	expect(m, "_seconds_sum{partner=\"10\"} 99.003\n");
	expect(m, "_seconds_count{partner=\"10\"} 2\n");
	metrics_free(m);
}

static void
what_one_program_wrote_another_takes_over(void **state)
{
	struct metrics *a = metrics_new(), *b = metrics_new();
	struct buf text = BUF_INIT;

	(void)state;
	metrics_add(a, METRIC_task_starts_total, 3, NULL);
	metrics_set(a, METRIC_partner_up, 1, "partner", "le=\"1\"", NULL);
	metrics_observe(
	    a, METRIC_partner_command_seconds, 0.003, "role", "x", NULL);
	metrics_observe(
	    a, METRIC_partner_command_seconds, 0.3, "role", "x", NULL);
	metrics_render(a, &text);
	metrics_read(b, buf_str(&text), "supervisor", "h:1");
	expect(b, "sluice_task_starts_total{supervisor=\"h:1\"} 3\n");
	expect(b, "{partner=\"le=\\\"1\\\"\",supervisor=\"h:1\"} 1\n");
	expect(b, "_bucket{role=\"x\",supervisor=\"h:1\",le=\"0.0025\"} 0\n");
	expect(b, "_bucket{role=\"x\",supervisor=\"h:1\",le=\"0.005\"} 1\n");
	expect(b, "_bucket{role=\"x\",supervisor=\"h:1\",le=\"0.5\"} 2\n");
	expect(b, "_sum{role=\"x\",supervisor=\"h:1\"} 0.303\n");
	buf_fini(&text);
	metrics_free(a);
	metrics_free(b);
}

static void
lines_that_are_none_are_passed_over(void **state)
{
	struct metrics *m = metrics_new();
	struct buf b = BUF_INIT;

	(void)state;
	metrics_read(m,
	    "nonsense\n{} 1\nsluice_jobs} 1\nsluice_jobs{ 1\nother 1\n\n"
	    "sluice_partner_command_seconds_bucket{} 1\n} {\n",
	    "a", "b");
	metrics_render(m, &b);
	assert_null(strstr(buf_str(&b), "nonsense"));
	assert_null(strstr(buf_str(&b), "other"));
	buf_fini(&b);
	metrics_free(m);
}

static void
series_are_bounded(void **state)
{
	struct metrics *m = metrics_new();
	struct buf b = BUF_INIT;
	char name[16];

	(void)state;
	for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		metrics_set(m, METRIC_jobs, i, "state", name, NULL);
	}
	metrics_render(m, &b);
	assert_null(strstr(buf_str(&b), "\"4001\""));
	buf_fini(&b);
	metrics_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_grow_and_gauges_are_set),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(buckets_are_sums_of_all_below),
		cmocka_unit_test(what_one_program_wrote_another_takes_over),
		cmocka_unit_test(lines_that_are_none_are_passed_over),
		cmocka_unit_test(series_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
