/*
 * Finding libarchive's functions.
 */
#include "lib/archive/archive_load.h"

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/library.h"

#define LIBRARY "libarchive.so.13"

struct archive_functions archive_loaded;

int
archive_load(void)
{
	static bool is_ready;
	void *library;
	int r;

	if (is_ready)
		return 0;
	if ((r = library_open(LIBRARY, ERR_UNSUPPORTED, &library)) != 0)
		return r;
#define X(name)                                                                \
	if ((r = library_find(library, "archive_" #name, ERR_UNSUPPORTED,      \
		 (void *)&archive_loaded.name,                                 \
		 sizeof(archive_loaded.name))) != 0)                           \
		return r;
	ARCHIVE_FUNCTIONS(X)
#undef X
	is_ready = true;
	return 0;
}
