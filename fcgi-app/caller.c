/*
 * Names of roles, and what a request says of who sent it.
 */
#include "fcgi-app/caller.h"

#include "lib/base/str.h"

static const char *const role_names[] = {
	[CLIENT_NOBODY] = "",
	[CLIENT_VIEWER] = "viewer",
	[CLIENT_MODELER] = "modeler",
	[CLIENT_ADMIN] = "admin",
};

const char *
client_role_name(enum client_role role)
{
	return role_names[role];
}

enum client_role
client_role_parse(const char *name)
{
	enum client_role r;

	for (r = CLIENT_VIEWER; r <= CLIENT_ADMIN; r++)
		if (str_eq(name, role_names[r]))
			return r;
	return CLIENT_NOBODY;
}

bool
caller_is_signed(const struct request *req)
{
	return request_header(req, "SIGNATURE") != NULL ||
	       request_header(req, "APP_KEY") != NULL;
}

static bool
is_loopback(const char *addr)
{
	return addr != NULL &&
	       (str_starts(addr, "127.") || str_eq(addr, "::1") ||
		   str_eq(addr, "unix:"));
}

bool
caller_is_loopback(const struct request *req)
{
	return is_loopback(request_env(req, "REMOTE_ADDR"));
}
