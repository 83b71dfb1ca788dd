/*
 * Finding libcurl's functions.  The handle is kept until the process ends.
 */
#include "lib/http/curl_load.h"

#include <signal.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/library.h"

#define LIBRARY "libcurl.so.4"

struct curl_functions curl_loaded;

int
curl_load(void)
{
	static bool is_ready;
	void *library;
	int r;

	if (is_ready)
		return 0;
	if ((r = library_open(LIBRARY, ERR_NET, &library)) != 0)
		return r;
#define X(name)                                                                \
	if ((r = library_find(library, "curl_" #name, ERR_NET,                 \
		 (void *)&curl_loaded.name, sizeof(curl_loaded.name))) != 0)   \
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
