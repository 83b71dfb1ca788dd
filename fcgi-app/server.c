/*
 * Called by api_server.c and api_service.c.
 */
#include "fcgi-app/server.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

const char *
server_name(struct request *req, const char *name)
{
	char *copy = arena_strdup(req->arena, name), *p;

	for (p = copy; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy;
}

/* Numbers may come as texts. */
static int64_t
port_of(struct json_object *o)
{
	struct json_object *port = json_get(o, "port");
	int64_t n;

	if (json_is_string(port))
		return str_to_int64(
			   json_object_get_string(port), 1, 65535, &n) == 0
			   ? n
			   : 0;
	return json_get_int(o, "port", 0);
}

int
server_take(struct request *req, const char *name, struct json_object *o,
    struct db_server *out)
{
	*out = (struct db_server){ .name = server_name(req, name),
		.host = json_get_str(o, "host", ""),
		.port = port_of(o),
		.protocol = json_get_str(o, "protocol", "http") };
	if (!str_is_name(name, SERVER_NAME_MAX))
		return err_set(ERR_INVALID,
		    "a server's name has 1 to %d letters, digits, _ or -",
		    SERVER_NAME_MAX);
	if (*out->host == '\0' || strlen(out->host) > SERVER_HOST_MAX ||
	    out->port < 1 || out->port > 65535)
		return err_set(ERR_INVALID,
		    "server %s: host (a text of at most %d bytes) and port (1 "
		    "to 65535) are needed",
		    name, SERVER_HOST_MAX);
	if (!str_is_name(out->protocol, 10))
		return err_set(ERR_INVALID,
		    "server %s: protocol must be http or https", name);
	return 0;
}

struct json_object *
server_json(const struct db_server *s)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "host", s->host);
	json_add_int(o, "port", s->port);
	json_add_str(o, "protocol", s->protocol);
	return o;
}
