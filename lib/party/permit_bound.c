/*
 * Bounds of parameters.  Called by permit.c for jobs and by who writes rules.
 */
#include "lib/base/err.h"
#include "lib/json/json.h"
#include "lib/party/permit.h"

static bool
is_number(struct json_object *o)
{
	return json_object_is_type(o, json_type_int) ||
	       json_object_is_type(o, json_type_double);
}

/* 1 and 1.0 are the same; a text is never a number. */
static bool
is_same(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b))
		return json_object_get_double(a) == json_object_get_double(b);
	return json_object_equal(a, b) != 0;
}

static bool
in_list(struct json_object *list, struct json_object *value)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (is_same(json_object_array_get_idx(list, i), value))
			return true;
	return false;
}

static bool
in_range(struct json_object *range, struct json_object *value)
{
	struct json_object *min = json_get(range, "min");
	struct json_object *max = json_get(range, "max");

	if (!is_number(value))
		return false;
	return (min == NULL || json_object_get_double(value) >=
				   json_object_get_double(min)) &&
	       (max == NULL || json_object_get_double(value) <=
				   json_object_get_double(max));
}

static bool
is_one_allowed(struct json_object *bound, struct json_object *value)
{
	return json_is_array(bound) ? in_list(bound, value)
				    : in_range(bound, value);
}

bool
permit_in_bound(struct json_object *bound, struct json_object *value)
{
	size_t i;

	if (!json_is_array(value))
		return is_one_allowed(bound, value);
	for (i = 0; i < json_object_array_length(value); i++)
		if (!is_one_allowed(bound, json_object_array_get_idx(value, i)))
			return false;
	return true;
}

int
permit_bound_check(struct json_object *bound)
{
	struct json_object *min, *max;

	if (json_is_array(bound))
		return json_object_array_length(bound) > 0
			   ? 0
			   : err_set(ERR_INVALID, "a list of no values allows "
						  "nothing");
	min = json_get(bound, "min");
	max = json_get(bound, "max");
	if (!json_is_object(bound) || (min == NULL && max == NULL))
		return err_set(ERR_INVALID,
		    "a bound is a list of values, or {\"min\": …, "
		    "\"max\": …} with one of them or both");
	if ((min != NULL && !is_number(min)) ||
	    (max != NULL && !is_number(max)))
		return err_set(ERR_INVALID, "min and max are numbers");
	if (min != NULL && max != NULL &&
	    json_object_get_double(min) > json_object_get_double(max))
		return err_set(ERR_INVALID, "min is larger than max");
	return 0;
}
