/*
 * Facts about this site.  Called by api_server.c and api_log.c.
 */
#include "fcgi-app/site_info.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"

void
site_address(const char *url, struct json_object *o, const char *port_name)
{
	const char *host = strstr(url, "://"), *colon;
	int64_t port = str_starts(url, "https") ? 443 : 80;
	size_t len;
	char *text;

	host = host != NULL ? host + 3 : "";
	colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') != NULL)
		colon = NULL;
	len = colon != NULL ? (size_t)(colon - host) : strlen(host);
	if (colon != NULL)
		(void)str_to_int64(colon + 1, 1, 65535, &port);
	text = xstrndup(host, len);
	json_add_str(o, "host", text);
	json_add_int(o, port_name, port);
	free(text);
}

struct json_object *
site_info(const struct site_conf *conf)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "version", COMPATIBLE_VERSION);
	site_address(conf->client_url[0] != '\0' ? conf->client_url
						 : conf->client_tls_url,
	    o, "http_port");
	/* A number, as clients expect; sites speak HTTPS only. */
	json_add_int(o, "grpc_port", 0);
	json_add_str(o, "party_id", conf->party_id);
	return o;
}

void
site_instance(const struct site_conf *conf, char out[SITE_INSTANCE_SIZE])
{
	unsigned char hash[16];
	char *text = xasprintf("%s %s", conf->party_id, conf->home);

	(void)crypto_generichash(hash, sizeof(hash),
	    (const unsigned char *)text, strlen(text), NULL, 0);
	str_to_hex(hash, 8, out);
	free(text);
}
