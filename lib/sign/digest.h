/*
 * Content-Digest (RFC 9530) with sha-256, and SHA-256 over what a request
 * carries: memory, files, or pieces of both.
 */
#ifndef LIB_SIGN_DIGEST_H
#define LIB_SIGN_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32
/* "sha-256=:" 44 characters ":" */
#define DIGEST_TEXT_SIZE 55

/* Hashing in pieces; digest_end() frees the state. */
struct digest;
int digest_begin(struct digest **out); /* ERR_CRYPTO */
int digest_add(struct digest *, const void *data, size_t len);
/* size bytes from offset, by pread: fd's position stays. ERR_IO, ERR_CLOSED */
int digest_add_fd(struct digest *, int fd, uint64_t offset, uint64_t size);
int digest_end(struct digest *, uint8_t out[DIGEST_SIZE]);
void digest_free(struct digest *); /* instead of digest_end() */

/* The whole at once. */
int digest_memory(const void *data, size_t len, uint8_t out[DIGEST_SIZE]);
int digest_fd(int fd, uint64_t size, uint8_t out[DIGEST_SIZE]);

/* The header's value. */
void digest_text(const uint8_t digest[DIGEST_SIZE], char out[DIGEST_TEXT_SIZE]);
/*
 * The sha-256 member of a Content-Digest value; other algorithms beside it
 * are passed over.  ERR_FORMAT when the value is malformed or has none.
 */
int digest_parse(const char *value, uint8_t out[DIGEST_SIZE]);

#endif
