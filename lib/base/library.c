/*
 * Loading libraries.  Used by lib/http and lib/archive.
 */
#include "lib/base/library.h"

#include <dlfcn.h>
#include <string.h>

#include "lib/base/err.h"

int
library_open(const char *file, int code, void **out)
{
	*out = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	return *out != NULL
		   ? 0
		   : err_set(code, "cannot load %s: %s", file, dlerror());
}

/* POSIX lets a function's address travel in a void pointer; C does not. */
int
library_find(
    void *library, const char *name, int code, void *pointer, size_t size)
{
	void *address = dlsym(library, name);

	if (address == NULL)
		return err_set(code, "the library has no %s", name);
	memcpy(pointer, &address, size);
	return 0;
}
