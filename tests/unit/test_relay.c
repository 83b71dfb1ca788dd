/*
 * How many metrics one task may leave in the database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "supervisor/shepherd/relay.h"
#include "supervisor/shepherd/shepherd.h"

#define TEXT 60000

/* A frame with one point of the text, as if it had come from an executor. */
static frame_msg *
point_of(char *text)
{
	Sluice__Executor__Frame f = SLUICE__EXECUTOR__FRAME__INIT;
	Sluice__Executor__MetricData m = SLUICE__EXECUTOR__METRIC_DATA__INIT;
	Sluice__Executor__MetricPoint p = SLUICE__EXECUTOR__METRIC_POINT__INIT;
	Sluice__Executor__MetricPoint *points[] = { &p };
	Sluice__Executor__Value key = SLUICE__EXECUTOR__VALUE__INIT;
	Sluice__Executor__Value value = SLUICE__EXECUTOR__VALUE__INIT;
	unsigned char *packed = xmalloc(TEXT + 1000);
	frame_msg *out;

	key.kind_case = SLUICE__EXECUTOR__VALUE__KIND_NUMBER;
	value.kind_case = SLUICE__EXECUTOR__VALUE__KIND_TEXT;
	value.text = text;
	p.key = &key;
	p.value = &value;
	m.points = points;
	m.n_points = 1;
	m.metric_namespace = m.metric_name = (char *)(uintptr_t) "m";
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA;
	f.metric_data = &m;
	assert_int_equal(frame_decode(packed,
			     sluice__executor__frame__pack(&f, packed), &out),
	    0);
	free(packed);
	return out;
}

static void
a_task_that_floods_the_database_with_metrics_fails(void **state)
{
	struct shepherd s = { .child = LAUNCHED_INIT, .phase = PHASE_RUNNING };
	char *text = xcalloc(1, TEXT + 1);
	int i;

	(void)state;
	memset(text, 'x', TEXT);
	assert_int_equal(loop_new(&s.loop), 0);
	assert_int_equal(control_open(&s), 0);
	s.relay = relay_new(&s);
	for (i = 0; i < 500; i++)
		relay_take(s.relay, point_of(text));
	assert_int_equal(s.phase, PHASE_RUNNING);
	for (; i < 1500; i++)
		relay_take(s.relay, point_of(text));
	assert_int_equal(s.phase, PHASE_ENDING);
	assert_int_equal(s.verdict, STATE_FAILED);
	assert_non_null(strstr(s.error, "more metrics"));
	relay_free(s.relay);
	control_close(&s);
	loop_free(s.loop);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_task_that_floods_the_database_with_metrics_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
