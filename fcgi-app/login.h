/*
 * Checking a person's password: slowly, a few at a time, and not for ever.
 */
#ifndef FCGI_APP_LOGIN_H
#define FCGI_APP_LOGIN_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "lib/db/db_user.h"
#include "lib/sign/password.h"

/* What this site lets a check cost. */
struct password_cost login_cost(const struct request *);

/* A password that came in the body under that name; ERR_INVALID. */
int login_take_password(
    const struct request *, const char *field, const char **out);

/*
 * Is this the user's password?  *user is then the row, in the request's
 * arena.  One check of a password is made whatever is wrong, so that neither
 * answer nor time tells an unknown name from a wrong password, a locked or a
 * disabled user; failures are counted for the user and for the address, and
 * recorded.
 * Errors: ERR_AUTH; ERR_LIMIT (too many failures from that address) and
 * ERR_BUSY (others are being checked), which login_refuse() tells.
 */
int login_check(struct request *, const char *name, const char *password,
    struct db_user **user);

/* Answer ERR_LIMIT by 429 and ERR_BUSY by 503, both with Retry-After; others
 * are returned as they are. */
int login_refuse(struct reply *, int r);

/* After a check, while more than one of these runs nowhere: ERR_BUSY. */
int login_turn(struct request *);
void login_turn_over(struct request *);

#endif
