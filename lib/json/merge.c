/*
 * Deep merge; called when configurations are completed.
 */
#include "lib/json/merge.h"

void
json_merge(struct json_object *base, struct json_object *patch)
{
	struct json_object *have;

	json_object_object_foreach(patch, key, value)
	{
		have = json_get(base, key);
		if (json_is_object(have) && json_is_object(value))
			json_merge(have, value);
		else
			json_add(base, key, json_copy(value));
	}
}
