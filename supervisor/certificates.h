/*
 * Whose certificate is that?  By the fingerprint that nginx writes, among all
 * certificates that this site's partners have or had.  Who shows one has its
 * key, whether or not it counts: the handshake proves that.
 */
#ifndef SUPERVISOR_CERTIFICATES_H
#define SUPERVISOR_CERTIFICATES_H

#include "lib/db/db.h"

struct certificates;

struct certificates *certificates_new(void);
void certificates_free(struct certificates *); /* NULL is fine */

/*
 * The party's id, borrowed until the next call; NULL for a stranger's.  Rows
 * are read again when a fingerprint is not known, twice a second at most.
 */
const char *certificates_find(
    struct certificates *, struct db *, const char *fingerprint);

#endif
