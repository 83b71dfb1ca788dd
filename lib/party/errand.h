/*
 * What members are asked by errands: one function for each kind, called by
 * the supervisor for this site's own members and by fcgi-app for partners
 * (POST /v1/party/errand/KIND/ROLE/PARTY, the body and the reply's data are the
 * function's).  To add a kind, write its function and a row in errand.c.
 *
 * An errand may be asked twice: a supervisor that dies is followed by one
 * that knows of no answers.  So each kind must give the same answer again.
 */
#ifndef LIB_PARTY_ERRAND_H
#define LIB_PARTY_ERRAND_H

#include "lib/conf/site_conf.h"
#include "lib/json/json.h"
#include "lib/party/party.h"
#include "lib/party/permit.h"

struct errand_ask {
	struct db *db;
	const struct site_conf *conf;
	struct arena *arena;
	/* Who asks.  is_site: a user of this site, through its supervisor. */
	const struct party_caller *caller;
	/* The member that is asked; its party is this site's. */
	const char *role;
	const char *party_id;
	const struct permit_service *service; /* NULL: there is none */
	const struct providers *providers;    /* NULL: they are not asked for */
	struct json_object *body;	      /* borrowed, an object */
	struct json_object **data; /* the answer's, NULL when it has none */
};

/* 0, or an error whose retcode and text are the answer. */
typedef int errand_fn(const struct errand_ask *);

struct errand_kind {
	const char *name; /* [a-z-]+ */
	errand_fn *ask;
};

/*
 * "ping": an empty answer, for those who want to know whether a member's
 * site hears them.
 */
errand_fn errand_ping;
/* "info": version, party id and clock of the site, the digests of its
 * providers, and whether it reaches who asks ("you"); its addresses are no
 * partner's matter beyond the one it has. */
errand_fn errand_info;

/* NULL when there is no such kind. */
const struct errand_kind *errand_find(const char *name);

#define ERRAND_PATH "/v1/party/errand" /* then /KIND/ROLE/PARTY */

/* Where whoever waits for an errand's end hears of it; the caller's. */
char *errand_socket(const struct site_conf *, const char *errand_id);

#endif
