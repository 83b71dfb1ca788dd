/*
 * Partners' certificates by party id, from keys/partners.pem, and the names
 * that certificates of sites carry.
 */
#ifndef LIB_HTTP_PINS_H
#define LIB_HTTP_PINS_H

#include <stddef.h>

/*
 * The host name that stands for a site in its certificate (DNS name of the
 * subjectAltName), whatever address it is reached at.
 */
#define PINS_HOST_SIZE 32
void pins_host(const char *party, char out[PINS_HOST_SIZE]);

struct pins;

/*
 * Read the file; its certificates' CN are party ids.  A party has several
 * while one follows another.
 * Errors: ERR_NOT_FOUND (no file), ERR_IO, ERR_FORMAT.
 */
int pins_load(const char *path, struct pins **out);
void pins_free(struct pins *); /* NULL is fine */
/* Read again if the file is another one now; on failure the old stay. */
int pins_refresh(struct pins *);
/* The PEM text of that party's certificates; NULL when there is none. */
const char *pins_get(const struct pins *, const char *party, size_t *len);

#endif
