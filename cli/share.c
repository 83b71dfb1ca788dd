/*
 * Finds what belongs to the program by where the program itself lies:
 *
 *   PREFIX/bin/sluice       PREFIX/share/sluice, PREFIX/sbin, PREFIX/lib/sluice
 *   TOP/build/bin/sluice    TOP, TOP/build/bin, TOP/build/providers
 *   TOP/build/X/bin/sluice  the same, one level further down
 */
#include "cli/share.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static char *
find(const char *const *folders, size_t n, const char *name)
{
	char self[PATH_MAX], *path, *found;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;
	char *folder;

	if (len <= 0) {
		(void)err_set_errno(ERR_IO, "own program");
		return NULL;
	}
	self[len] = '\0';
	folder = dirname(self);
	for (i = 0; i < n; i++) {
		path = xasprintf("%s/%s/%s", folder, folders[i], name);
		found = realpath(path, NULL);
		free(path);
		if (found != NULL)
			return found;
	}
	(void)err_set(
	    ERR_NOT_FOUND, "%s is not installed with %s/sluice", name, folder);
	return NULL;
}

char *
share_path(const char *relative)
{
	static const char *const folders[] = {
		"../share/sluice",
		"../..",
		"../../..",
	};

	return find(folders, N(folders), relative);
}

char *
share_program(const char *name)
{
	static const char *const folders[] = {
		".",
		"../sbin",
		"../lib/sluice",
	};

	return find(folders, N(folders), name);
}

char *
share_providers(void)
{
	static const char *const folders[] = { "../lib/sluice", ".." };

	return find(folders, N(folders), "providers");
}
