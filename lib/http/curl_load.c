/*
 * Finding libcurl's functions.  The handle is kept until the process ends.
 */
#include "lib/http/curl_load.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/err.h"

#define LIBRARY "libcurl.so.4"

struct curl_functions curl_loaded;

/* POSIX lets a function's address travel in a void pointer; C does not. */
static int
find(void *library, const char *name, void *out, size_t size)
{
	void *address = dlsym(library, name);

	if (address == NULL)
		return err_set(ERR_NET, "%s has no %s", LIBRARY, name);
	memcpy(out, &address, size);
	return 0;
}

int
curl_load(void)
{
	static bool is_ready;
	void *library;
	int r;

	if (is_ready)
		return 0;
	if ((library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL)) == NULL)
		return err_set(ERR_NET, "cannot load libcurl: %s", dlerror());
#define X(name)                                                                \
	if ((r = find(library, "curl_" #name, (void *)&curl_loaded.name,       \
		 sizeof(curl_loaded.name))) != 0)                              \
		return r;
	CURL_FUNCTIONS(X)
#undef X
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(ERR_NET, "curl cannot start");
	/* A partner that hangs up must be an error, not the end of us. */
	(void)signal(SIGPIPE, SIG_IGN);
	is_ready = true;
	return 0;
}
