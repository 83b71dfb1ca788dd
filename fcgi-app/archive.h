/*
 * An archive written into a reply while it is made: nothing is kept but a
 * block.  Members are added as lib/archive/archive_out.h says.
 */
#ifndef FCGI_APP_ARCHIVE_H
#define FCGI_APP_ARCHIVE_H

#include "fcgi-app/reply.h"
#include "lib/archive/archive_out.h"

/*
 * Begins the reply; name ends in .tar.gz or .zip, which decides the kind.
 * ERR_INVALID, ERR_CLOSED.
 */
int archive_begin(struct reply *, const char *name, struct archive_out **out);

#endif
