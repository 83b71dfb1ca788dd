/*
 * Commands that are told to people, who hand them to a shell.
 */
#ifndef LIB_BASE_SHELL_H
#define LIB_BASE_SHELL_H

#include "lib/base/buf.h"

/*
 * Append s as one word, whatever is in it: names of a partner's choosing stay
 * names.  Plain as it is when a shell would leave it alone.
 */
void shell_put_word(struct buf *, const char *s);

#endif
