/*
 * Another version of this program in the place of the one that runs, without
 * a moment in which nobody listens: the process becomes the new program and
 * hands it the sockets, in which connections wait meanwhile.
 */
#ifndef FCGI_APP_UPGRADE_H
#define FCGI_APP_UPGRADE_H

#include <stddef.h>

/*
 * Remember the program's file and arguments, first of all: whoever puts
 * another in its place does so by renaming.  Borrowed for ever.
 * Errors: ERR_IO, when it can not be found out.
 */
int upgrade_note(char **argv);

/*
 * Does the file that stands there now start with these arguments and
 * "--check"?  It may take 20 s.  Errors: ERR_INTERNAL with its status; what it
 * says stands in the log.
 */
int upgrade_check(void);

/*
 * Become it, with "--sockets" and these descriptors.  Returns only on errors:
 * ERR_INTERNAL, and all is as before.
 */
int upgrade_become(const int fds[], size_t n);

/* The other side: what "--sockets" said.  ERR_INVALID when one listens not. */
int upgrade_sockets(const char *text, int fds[], size_t n);

#endif
