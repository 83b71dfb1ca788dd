/*
 * Where archives of models are kept outside of the site ([model_store] of its
 * configuration), behind one interface.
 *
 * An archive is put whole or not at all, and what comes back is compared with
 * the SHA-256 it was put with.
 */
#ifndef LIB_STORE_STORE_H
#define LIB_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"
#include "lib/sign/digest.h"

struct store_item {
	const char *model_id; /* of the party: ROLE#PARTY#MODEL_ID */
	const char *model_version;
	int64_t bytes;
	bool has_sha256; /* false: another program put it there */
	unsigned char sha256[DIGEST_SIZE];
};

struct store_ops {
	const char *name;
	int (*open)(const struct site_conf *, void **ctx);
	void (*close)(void *ctx); /* NULL is fine */
	/* As store_put() and store_get(), without the comparing. */
	int (*put)(void *ctx, const struct store_item *, int fd, bool force);
	int (*get)(void *ctx, struct store_item *, int fd);
};

extern const struct store_ops store_mysql;
extern const struct store_ops store_redis;

/* How long Redis may be silent before it is given up; tests have less. */
extern int64_t store_redis_patience_ms;

struct store;

/*
 * The configuration is borrowed until store_close().
 * Errors: ERR_UNSUPPORTED when the site has no store, ERR_NET or ERR_DB when
 * it does not answer (at once, or nothing for half a minute; the message says
 * which server and which part of the configuration to look at), ERR_IO
 * (password file).
 */
int store_open(const struct site_conf *, struct store **out);
void store_close(struct store *); /* NULL is fine */
const char *store_name(const struct store *);

/*
 * Keep item->bytes bytes of fd (by pread); item->sha256 is computed here.
 * Errors: ERR_EXISTS when the version is there and !force; ERR_NET, ERR_DB,
 * ERR_IO.
 */
int store_put(struct store *, struct store_item *, int fd, bool force);

/*
 * Write the version to fd, which is empty and at its start; bytes and sha256
 * tell what came.  Errors: ERR_NOT_FOUND; ERR_FORMAT when it is not what was
 * put there; ERR_NET, ERR_DB, ERR_IO.
 */
int store_get(struct store *, struct store_item *, int fd);

#endif
