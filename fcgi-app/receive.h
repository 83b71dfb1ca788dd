/*
 * Bodies that come while they are read: those of uploads and imports, of any
 * size.  The front end keeps nothing of them, so a request that is refused
 * costs no disk, and one that is let in is written once.
 */
#ifndef FCGI_APP_RECEIVE_H
#define FCGI_APP_RECEIVE_H

#include "fcgi-app/request.h"

#define RECEIVE_UNPROVEN_MS 20000	 /* until the caller must be known */
#define RECEIVE_GRACE_MS 30000		 /* for the whole, and then */
#define RECEIVE_BYTES_PER_S 32768	 /* the least rate */
#define RECEIVE_SMALL ((int64_t)1 << 20) /* needs no turn on loopback */

/*
 * Find out who calls, as far as that goes without the body; then take the
 * body: a form into request.form, whose file part becomes a file without a
 * name in spool/upload, anything else into request.raw.  The caller of a form
 * is known before any of its file is kept.  request.form stays NULL with
 * request.form_fault when the form is malformed.
 * A turn of app.downloads may be held afterwards: turns_give() at the end.
 * Errors: those of auth_caller(); ERR_LIMIT for more than the site takes;
 * ERR_BUSY when no worker or no disk can be spared for it now; ERR_TIMEOUT;
 * ERR_INVALID for a body that stops early; ERR_IO.
 */
int receive_body(struct request *);

#endif
