/*
 * The cookie of a session and the token that goes with it.
 *
 * The cookie is 256 random bits.  The database has only a hash of them, and
 * the token against forged requests (CSRF) follows from them by another hash:
 * a page of this site can ask for it, one that only makes a browser send the
 * cookie cannot.
 */
#ifndef FCGI_APP_SESSION_H
#define FCGI_APP_SESSION_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "lib/db/db_user.h"

#define SESSION_ID_SIZE 32
#define SESSION_TOKEN_SIZE 33 /* hex digits and NUL */

/* Of a request by a session; in its arena. */
struct session {
	unsigned char hash[DB_SESSION_HASH];
	char token[SESSION_TOKEN_SIZE];
	int64_t expires_ms;
};

/* Does the request carry this site's cookie, good or bad? */
bool session_has_cookie(const struct request *);

/*
 * What the one cookie says: hash and token.  ERR_AUTH when there is none, or
 * more than one, or it is none that this site could have made.
 */
int session_take_cookie(const struct request *, struct session *out);

/*
 * Fill request.caller by its cookie: "user NAME", the role the user has now.
 * What is not a GET also needs the token in the header X-CSRF-TOKEN.
 * Errors: ERR_AUTH with what is wrong and what to do, ERR_DB.
 */
int session_auth(struct request *);

/* A new id: its hash for the database, its cookie for the answer. */
int session_new(const struct request *, struct reply *, struct session *out);
/* Tell the browser to forget its cookie. */
void session_forget(const struct request *, struct reply *);

#endif
