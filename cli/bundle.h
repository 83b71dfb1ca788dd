/*
 * What one site hands another: who it is, where it listens, its signing key
 * and its TLS certificate, as one JSON file.
 */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include <stdint.h>

#include "lib/conf/site_conf.h"
#include "lib/json/json.h"
#include "lib/sign/keys.h"

struct bundle {
	char *party_id;
	char *name;
	char *url;
	uint8_t sign_key[KEYS_PUBLIC_SIZE];
	char *tls_cert; /* PEM */
};

void bundle_fini(struct bundle *);

/* This site's; the secret key is not opened. */
int bundle_of_site(const struct site_conf *, struct bundle *out);
/* From a file, every part checked.  ERR_FORMAT, ERR_INVALID, ERR_IO */
int bundle_read(const char *path, struct bundle *out);
/* Check parts that came by hand. */
int bundle_check(const struct bundle *);
struct json_object *bundle_json(const struct bundle *);

#endif
