/*
 * What one site hands another: who it is, where it listens, its signing key
 * and its TLS certificate, as one JSON file.
 *
 * While keys are changed the file also says which are next and until when
 * those before count, signed by both signing keys: by the one that partners
 * know, so that they need not compare fingerprints again, and by the new one,
 * so that nobody passes off another's key as his.
 */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"
#include "lib/json/json.h"
#include "lib/sign/keys.h"

struct bundle_next {
	uint8_t sign_key[KEYS_PUBLIC_SIZE];
	char *tls_cert;	     /* PEM; NULL: no change is announced */
	int64_t old_until_s; /* the keys before end then */
	uint8_t by_old[KEYS_SIGNATURE_SIZE];
	uint8_t by_new[KEYS_SIGNATURE_SIZE];
};

struct bundle {
	char *party_id;
	char *name;
	char *url;
	uint8_t sign_key[KEYS_PUBLIC_SIZE];
	char *tls_cert; /* PEM */
	struct bundle_next next;
};

void bundle_fini(struct bundle *);

/* This site's; the secret key is not opened. */
int bundle_of_site(const struct site_conf *, struct bundle *out);
/* Announce b->next.{sign_key,tls_cert,old_until_s}: both pairs sign. */
int bundle_sign_next(
    struct bundle *, const struct keys *old, const struct keys *new_pair);
/*
 * From a file, every part checked, the signatures of what is next included.
 * ERR_FORMAT, ERR_INVALID, ERR_AUTH (a signature), ERR_IO
 */
int bundle_read(const char *path, struct bundle *out);
/* Check parts that came by hand. */
int bundle_check(const struct bundle *);
struct json_object *bundle_json(const struct bundle *);

#endif
