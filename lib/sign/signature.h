/*
 * HTTP Message Signatures (RFC 9421): the signature base and the two header
 * fields.  What a site must cover and accept is decided in sign.c.
 */
#ifndef LIB_SIGN_SIGNATURE_H
#define LIB_SIGN_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/sign/sfv.h"

/* A covered component without parameters: "@method", "content-digest", … */
struct signature_part {
	const char *name;
	const char *value; /* of a header: trimmed, one line */
};

/* Parameters of a signature that is being made; NULL or 0: left out. */
struct signature_params {
	int64_t created_s;
	int64_t expires_s;
	const char *nonce;
	const char *keyid;
	const char *alg;
	const char *tag;
};

/*
 * The inner list with its parameters, as it stands in Signature-Input and
 * in the last line of the base (section 2.3); appends.  Strings must be
 * printable ASCII without '"' and '\', ERR_INVALID otherwise.
 */
int signature_write_params(const struct signature_part *, size_t n,
    const struct signature_params *, struct buf *out);
/* Section 2.5; params is what signature_write_params() wrote; appends. */
void signature_base(const struct signature_part *, size_t n, const char *params,
    size_t params_len, struct buf *out);

/* One received signature; spans point into the text it was parsed from. */
struct signature {
	struct sfv_dictionary *fields; /* owned */
	const struct sfv_member *input;
	uint8_t bytes[64];
};

/*
 * Find label in both fields; it must be the only signature there, an inner
 * list of strings without parameters, and 64 bytes.
 * input must outlive *out; end with signature_fini() on success.
 * Errors: ERR_FORMAT, ERR_LIMIT.
 */
int signature_parse(const char *input, const char *value, const char *label,
    struct signature *out);
void signature_fini(struct signature *);

/* True when exactly these components are covered, in this order. */
bool signature_covers(
    const struct signature *, const struct signature_part *, size_t n);
/* True when exactly these n parameters are there, in any order. */
bool signature_has_params(
    const struct signature *, const char *const *names, size_t n);
/* ERR_FORMAT when absent, of another type, or (strings) too long for out. */
int signature_integer(const struct signature *, const char *name, int64_t *out);
int signature_string(
    const struct signature *, const char *name, char *out, size_t size);

#endif
