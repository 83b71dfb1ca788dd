/*
 * Called first by the programs that hold keys.
 */
#include "lib/base/proc.h"

#include <sys/resource.h>

void
proc_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	/* A limit may always be lowered. */
	(void)setrlimit(RLIMIT_CORE, &none);
}
