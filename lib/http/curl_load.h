/*
 * libcurl, loaded when a program makes its first HTTP client.
 *
 * Debian's libcurl brings two dozen libraries (LDAP, Kerberos, SSH, a second
 * TLS) that cost each process 3 MB and 5 ms.  The shepherds' nursery has them
 * loaded for all that it forks; other programs may never make a client.
 *
 * Code that includes this header calls curl_easy_init() and the others as
 * usual; they are macros for the loaded functions.
 */
#ifndef LIB_HTTP_CURL_LOAD_H
#define LIB_HTTP_CURL_LOAD_H

/* Its checks of argument types are macros by the names that are ours. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

/* X(function without curl_) for each that lib/http calls. */
#define CURL_FUNCTIONS(X)                                                      \
	X(global_init)                                                         \
	X(easy_init)                                                           \
	X(easy_setopt)                                                         \
	X(easy_getinfo)                                                        \
	X(easy_strerror)                                                       \
	X(easy_cleanup)                                                        \
	X(multi_init)                                                          \
	X(multi_setopt)                                                        \
	X(multi_add_handle)                                                    \
	X(multi_remove_handle)                                                 \
	X(multi_socket_action)                                                 \
	X(multi_assign)                                                        \
	X(multi_info_read)                                                     \
	X(multi_strerror)                                                      \
	X(multi_cleanup)                                                       \
	X(slist_append)                                                        \
	X(slist_free_all)

struct curl_functions {
#define X(name) __typeof__(&curl_##name) name;
	CURL_FUNCTIONS(X)
#undef X
};

extern struct curl_functions curl_loaded;

/*
 * Load and initialise it, once; the process ignores SIGPIPE from then on.
 * Errors: ERR_NET says what is missing.
 */
int curl_load(void);

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
#define curl_global_init(...) curl_loaded.global_init(__VA_ARGS__)
#define curl_easy_init(...) curl_loaded.easy_init(__VA_ARGS__)
#define curl_easy_setopt(...) curl_loaded.easy_setopt(__VA_ARGS__)
#define curl_easy_getinfo(...) curl_loaded.easy_getinfo(__VA_ARGS__)
#define curl_easy_strerror(...) curl_loaded.easy_strerror(__VA_ARGS__)
#define curl_easy_cleanup(...) curl_loaded.easy_cleanup(__VA_ARGS__)
#define curl_multi_init(...) curl_loaded.multi_init(__VA_ARGS__)
#define curl_multi_setopt(...) curl_loaded.multi_setopt(__VA_ARGS__)
#define curl_multi_add_handle(...) curl_loaded.multi_add_handle(__VA_ARGS__)
#define curl_multi_remove_handle(...)                                          \
	curl_loaded.multi_remove_handle(__VA_ARGS__)
#define curl_multi_socket_action(...)                                          \
	curl_loaded.multi_socket_action(__VA_ARGS__)
#define curl_multi_assign(...) curl_loaded.multi_assign(__VA_ARGS__)
#define curl_multi_info_read(...) curl_loaded.multi_info_read(__VA_ARGS__)
#define curl_multi_strerror(...) curl_loaded.multi_strerror(__VA_ARGS__)
#define curl_multi_cleanup(...) curl_loaded.multi_cleanup(__VA_ARGS__)
#define curl_slist_append(...) curl_loaded.slist_append(__VA_ARGS__)
#define curl_slist_free_all(...) curl_loaded.slist_free_all(__VA_ARGS__)

#endif
