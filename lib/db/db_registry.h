/*
 * What the classic platform's requests store about others: public keys of
 * parties, servers, services.  Kept and told, never used by this site.
 */
#ifndef LIB_DB_DB_REGISTRY_H
#define LIB_DB_DB_REGISTRY_H

#include "lib/db/db.h"

/* *replaced (may be NULL): there was one before. */
int db_classic_key_put(
    struct db *, const char *party_id, const char *key_text, bool *replaced);
/* ERR_NOT_FOUND. */
int db_classic_key_get(
    struct db *, struct arena *, const char *party_id, const char **key_text);
/* A key that is not there is deleted already. */
int db_classic_key_delete(struct db *, const char *party_id);

struct db_server {
	const char *name; /* upper case */
	const char *host;
	int64_t port;
	const char *protocol;
};

int db_server_put(struct db *, const struct db_server *);
/* In order of names. */
int db_server_list(
    struct db *, struct arena *, struct db_server **rows, size_t *n);

struct db_service {
	const char *server_name;
	const char *service_name;
	const char *url;
	const char *method;
	const char *params; /* these three are JSON, or NULL */
	const char *body;
	const char *headers;
};

int db_service_put(struct db *, const struct db_service *);

/* Servers and services that come together; all are written or none. */
struct db_registration {
	const struct db_server *servers;
	size_t nservers;
	const struct db_service *services;
	size_t nservices;
};

int db_registration_put(struct db *, const struct db_registration *);
/* server_name NULL: of every server. */
int db_service_find(struct db *, struct arena *, const char *service_name,
    const char *server_name, struct db_service **rows, size_t *n);

#endif
