/*
 * Public keys of the classic platform's sites, kept for those who ask.  They
 * open nothing here: whom this site trusts stands in the partner table, which
 * its operator writes.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_registry.h"
#include "lib/json/json.h"

#define KEY_MAX 16384 /* bytes; an RSA-16384 key has 2.8 KB */

static int
take_party(struct request *req, const char **out)
{
	*out = request_text(req, "party_id");
	if (*out == NULL || !str_is_party_id(*out))
		return err_set(ERR_INVALID, "party_id must be 1 to 10 digits");
	return 0;
}

int
api_key_save(struct request *req, struct reply *rp)
{
	const char *party, *key;
	bool replaced;
	int r;

	if ((r = request_require(req, "party_id,key")) != 0 ||
	    (r = take_party(req, &party)) != 0)
		return r;
	key = request_text(req, "key");
	if (key == NULL || *key == '\0' || strlen(key) > KEY_MAX)
		return err_set(ERR_INVALID,
		    "key must be a text of 1 to %d bytes", KEY_MAX);
	if (strstr(key, "PRIVATE KEY") != NULL)
		return err_set(ERR_INVALID,
		    "this is a private key, which belongs to nobody but its "
		    "owner; save the public one");
	if ((r = db_classic_key_put(req->app->db, party, key, &replaced)) != 0)
		return r;
	return reply_data(
	    rp, json_object_new_string(
		    replaced ? "update success" : "save success"));
}

int
api_key_query(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "key_name");
	const char *party, *key;
	int r;

	if ((r = request_require(req, "party_id")) != 0 ||
	    (r = take_party(req, &party)) != 0)
		return r;
	if (name != NULL && !str_eq(name, "public"))
		return err_set(ERR_DENIED,
		    "key_name: only public keys are kept here and told");
	r = db_classic_key_get(req->app->db, req->arena, party, &key);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	return r != 0 ? r : reply_data(rp, json_object_new_string(key));
}

int
api_key_delete(struct request *req, struct reply *rp)
{
	const char *party;
	int r;

	(void)rp;
	if ((r = request_require(req, "party_id")) != 0 ||
	    (r = take_party(req, &party)) != 0)
		return r;
	return db_classic_key_delete(req->app->db, party);
}
