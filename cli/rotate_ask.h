/*
 * Whether partners have imported this site's next keys.
 */
#ifndef CLI_ROTATE_ASK_H
#define CLI_ROTATE_ASK_H

#include "cli/site.h"

/*
 * Ask every enabled partner with the pair in that folder below the site's
 * (sign.key, tls.key, tls.crt).
 * Errors: ERR_CONFLICT, naming those that did not hear it and why; ERR_DB,
 * ERR_IO, ERR_FORMAT.
 */
int rotate_ask(struct site *, const char *folder);

#endif
