/*
 * The components of the test provider.  It is built like the product's own
 * (the same main(), the same runtime) with this table in place of
 * executor/registry.c.
 */
#include <stddef.h>
#include <string.h>

#include "executor/component.h"
#include "lib/base/err.h"

extern const struct component component_test_empty;
extern const struct component component_test_fail;
extern const struct component component_test_mail;
extern const struct component component_test_leak;

static const struct component *const components[] = {
	&component_test_empty,
	&component_test_fail,
	&component_test_mail,
	&component_test_leak,
	NULL,
};

const struct component *const *
component_all(void)
{
	return components;
}

int
component_find(
    const char *module, const char *role, const struct component **out)
{
	size_t i;

	*out = NULL;
	for (i = 0; components[i] != NULL; i++) {
		if (strcmp(components[i]->module, module) == 0) {
			*out = components[i];
			return 0;
		}
	}
	return err_set(ERR_NOT_FOUND, "no module %s for role %s", module, role);
}
