/*
 * Called first by the programs that hold keys.
 */
#include "lib/base/proc.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED
#endif
#endif

void
proc_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	/* A limit may always be lowered. */
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef IS_SANITIZED /* its search for leaks looks in */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
