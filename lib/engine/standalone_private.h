/*
 * The two halves of the standalone engine; see struct storage_ops.
 */
#ifndef LIB_ENGINE_STANDALONE_PRIVATE_H
#define LIB_ENGINE_STANDALONE_PRIVATE_H

#include <stdint.h>

#include "lib/engine/engine.h"

#define STANDALONE_DATABASES 3

/* What LMDB says, as an error of this project; returns its code. */
int standalone_fail(int error, const char *what, const char *folder);

/* standalone_write.c */
int standalone_create(const char *folder, void **out);
int standalone_write(
    void *ctx, const struct storage_batch *batch, uint64_t *old, uint64_t *new);
int standalone_seal(void *ctx, const char *marker, const char *schema,
    uint64_t *old, uint64_t *new);
void standalone_discard(void *ctx);

#endif
