/*
 * What a task may send in all: to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/base/err.h"
#include "supervisor/shepherd/budget.h"

static struct budget
of(int64_t limit, int64_t used)
{
	return (struct budget){ .module = "HeteroLR",
		.component = "lr_0",
		.limit = limit,
		.used = used };
}

static void
a_budget_is_spent_to_its_last_byte_and_no_further(void **state)
{
	struct budget b = of(100, 40);

	(void)state;
	assert_int_equal(budget_spend(&b, "a", 59), 0);
	assert_int_equal(budget_spend(&b, "b", 2), ERR_DENIED);
	assert_int_equal(b.used, 99);
	assert_int_equal(budget_spend(&b, "b", 1), 0);
	assert_int_equal(budget_spend(&b, "c", 0), 0);
	assert_int_equal(budget_spend(&b, "c", 1), ERR_DENIED);
	assert_int_equal(b.used, 100);
}

static void
a_refusal_names_component_bytes_and_whose_bound_it_is(void **state)
{
	struct budget b = of(100, 40);

	(void)state;
	assert_int_equal(budget_spend(&b, "forward", 61), ERR_DENIED);
	assert_non_null(strstr(err_text(), "lr_0"));
	assert_non_null(strstr(err_text(), "40 bytes have left"));
	assert_non_null(strstr(err_text(), "61 more (forward)"));
	assert_non_null(strstr(err_text(), "the job's contract"));
	b.is_site = true;
	assert_int_equal(budget_spend(&b, "forward", 61), ERR_DENIED);
	assert_non_null(strstr(err_text(), "max_egress_mb"));
}

/* An earlier attempt may have spent more than a budget that shrank since. */
static void
more_spent_than_there_is_leaves_nothing(void **state)
{
	struct budget b = of(10, 1000);

	(void)state;
	assert_int_equal(budget_spend(&b, "a", 1), ERR_DENIED);
	assert_int_equal(budget_spend(&b, "a", UINT64_MAX), ERR_DENIED);
	assert_int_equal(b.used, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_budget_is_spent_to_its_last_byte_and_no_further),
		cmocka_unit_test(
		    a_refusal_names_component_bytes_and_whose_bound_it_is),
		cmocka_unit_test(more_spent_than_there_is_leaves_nothing),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
