/*
 * A model's buffer that arrives in pieces, for those who would rather not
 * hold it: a file of its own until it is whole, then one of lib/model/model_object.h.
 */
#ifndef LIB_MODEL_MODEL_OBJECT_IN_H
#define LIB_MODEL_MODEL_OBJECT_IN_H

#include "lib/conf/site_conf.h"
#include "lib/sign/digest.h"

/* Below models/objects: what a program that was killed left; swept by age. */
#define MODEL_OBJECT_INCOMING "incoming-"

struct model_object_in;

/* Errors: ERR_IO, ERR_CRYPTO. */
int model_object_begin(const struct site_conf *, struct model_object_in **out);
int model_object_add(struct model_object_in *, const void *data, size_t len);
/*
 * The content's hash so far, after which nothing may be added: to see that
 * it is what was expected before it is kept.
 */
int model_object_digest(
    struct model_object_in *, unsigned char sha256[DIGEST_SIZE]);
/* Keep it under its hash, on disk for good.  Frees in any case. */
int model_object_end(struct model_object_in *);
void model_object_abort(struct model_object_in *); /* NULL is fine */

#endif
