/*
 * Looking up a route.  Called once per request, by dispatch.c.
 */
#include "fcgi-app/route.h"

#include <string.h>

#include "lib/base/mem.h"

#define ROUTE_CHECK(method, pattern, audience, body, handler)                  \
	_Static_assert(                                                        \
	    AUDIENCE_##audience > 0, pattern " must name its audience");       \
	_Static_assert(BODY_##body > 0, pattern " must name its body");
ROUTES(ROUTE_CHECK)

#define ROUTE_ROW(method, pattern, audience, body, handler)                    \
	{ #method, pattern, AUDIENCE_##audience, BODY_##body, handler },

static const struct route table[] = { ROUTES(ROUTE_ROW) };

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

const struct route *
route_table(size_t *n)
{
	*n = TABLE_SIZE;
	return table;
}

enum client_role
route_role(const struct route *r)
{
	switch (r->audience) {
	case AUDIENCE_VIEWER:
		return CLIENT_VIEWER;
	case AUDIENCE_MODELER:
		return CLIENT_MODELER;
	case AUDIENCE_ADMIN:
	case AUDIENCE_MONITOR:
		return CLIENT_ADMIN;
	case AUDIENCE_PUBLIC:
	case AUDIENCE_LOGIN:
	case AUDIENCE_PARTNER:
		break;
	}
	return CLIENT_NOBODY;
}

const char *
route_audience(enum audience a)
{
	static const char *const names[] = { [AUDIENCE_PUBLIC] = "public",
		[AUDIENCE_VIEWER] = "viewer",
		[AUDIENCE_MODELER] = "modeler",
		[AUDIENCE_ADMIN] = "admin",
		[AUDIENCE_MONITOR] = "monitor",
		[AUDIENCE_LOGIN] = "login",
		[AUDIENCE_PARTNER] = "partner" };

	return names[a];
}

const char *
route_body(enum body_kind b)
{
	static const char *const names[] = { [BODY_UNSET] = "",
		[BODY_NONE] = "none",
		[BODY_JSON] = "json",
		[BODY_UPLOAD] = "upload",
		[BODY_BYTES] = "bytes" };

	return names[b];
}

/* One segment of a path: from s up to the next '/' or the end. */
static size_t
segment(const char *s)
{
	return strcspn(s, "/");
}

/*
 * Whether path has the pattern's shape; found[] gets where each ":name"
 * begins.  An empty segment matches nothing, so "/v1/party//guest" is no
 * path of ours.
 */
static bool
matches(
    const char *pattern, const char *path, const char *found[REQUEST_PARAMS])
{
	size_t n = 0, want, have;

	memset(found, 0, REQUEST_PARAMS * sizeof(found[0]));
	for (;;) {
		if (*pattern == '\0' || *path == '\0')
			return *pattern == *path;
		pattern++; /* both stand at a '/' */
		path++;
		want = segment(pattern);
		have = segment(path);
		if (have == 0)
			return false;
		if (*pattern == ':') {
			if (n == REQUEST_PARAMS)
				return false;
			found[n++] = path;
		} else if (want != have || memcmp(pattern, path, have) != 0) {
			return false;
		}
		pattern += want;
		path += have;
	}
}

const struct route *
route_find(struct request *req)
{
	const char *found[REQUEST_PARAMS];
	size_t i, k;

	for (i = 0; i < TABLE_SIZE; i++) {
		if (strcmp(table[i].method, req->method) != 0 ||
		    !matches(table[i].pattern, req->path, found))
			continue;
		for (k = 0; k < REQUEST_PARAMS && found[k] != NULL; k++)
			req->params[k] = arena_strndup(
			    req->arena, found[k], segment(found[k]));
		return &table[i];
	}
	return NULL;
}
