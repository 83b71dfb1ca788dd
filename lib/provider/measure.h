/*
 * Digests of providers: which program a version is.
 */
#ifndef LIB_PROVIDER_MEASURE_H
#define LIB_PROVIDER_MEASURE_H

#include "lib/provider/manifest.h"

/*
 * What a version of a provider is: the SHA-256 over those of its manifest and
 * its program, in hex, as they are on disk now.  Errors: ERR_IO, ERR_NOT_FOUND
 * (no such file), with "".
 */
int provider_measure(
    const struct provider *, char digest[PROVIDER_DIGEST_SIZE]);
/* Fill the digests of a set; one that lacks its files stays without. */
void providers_measure(struct providers *);
/* The same, but for programs that are larger than max_bytes. */
void providers_measure_small(struct providers *, int64_t max_bytes);

/*
 * As provider_measure(), without reading the files again when the set has
 * their digest and they are the same files, unchanged (seen_is_same()).
 */
int provider_digest(const struct provider *, char digest[PROVIDER_DIGEST_SIZE]);

#endif
