/*
 * The files that hold the buffers of models: HOME/models/objects/XX/SHA256,
 * named by what is in them, never changed.  Which version has which is rows
 * (lib/db/db_model.h); a file that no row names goes in time.
 */
#ifndef LIB_MODEL_MODEL_OBJECT_H
#define LIB_MODEL_MODEL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_model.h"

#define MODEL_OBJECT_MAX ((size_t)256 << 20) /* bytes of one buffer */

/* Where the content of that hash is; the caller's. */
char *model_object_path(
    const struct site_conf *, const unsigned char sha256[DB_HASH_SIZE]);

/*
 * Keep a buffer: on return it is on disk under its hash, also after a crash.
 * Written anew even when it is there: that one may be damaged.
 * Errors: ERR_IO, ERR_CRYPTO.
 */
int model_object_keep(const struct site_conf *, const void *data, size_t len,
    unsigned char sha256[DB_HASH_SIZE]);

/*
 * Append a part's content, which must be what its row says, and at most max
 * bytes.  Errors: ERR_FORMAT naming the part when the file is missing or
 * holds something else, ERR_LIMIT, ERR_IO.
 */
int model_object_read(const struct site_conf *, const struct db_model_part *,
    size_t max, struct buf *out);

/* Is the part's file there and what the row says?  Errors as above. */
int model_object_check(const struct site_conf *, const struct db_model_part *);

/*
 * Remove files that used() does not know, unless they were written within
 * the last min_age_s seconds: their rows may be under way.  *removed (may be
 * NULL) counts.  Errors: ERR_IO, used()'s.
 */
typedef int model_object_used_fn(
    void *ctx, const unsigned char sha256[DB_HASH_SIZE], bool *used);
int model_object_sweep(const struct site_conf *, int64_t min_age_s,
    model_object_used_fn *used, void *ctx, size_t *removed);

#endif
