/*
 * Public keys of partners, kept for a moment: a message must not cost a
 * query, and a key that was withdrawn must not work for long.
 */
#ifndef FCGI_APP_PARTNERS_H
#define FCGI_APP_PARTNERS_H

#include <stdint.h>

#include "lib/db/db.h"
#include "lib/sign/keys.h"

struct partners;

struct partners *partners_new(void);
void partners_free(struct partners *); /* NULL is fine */

/*
 * The key of an enabled partner, at most two seconds old.
 * Errors: ERR_AUTH when there is none, ERR_DB.
 */
int partners_key(struct partners *, struct db *, const char *party,
    uint8_t key[KEYS_PUBLIC_SIZE]);

#endif
