/*
 * What data/upload is asked to do, from whichever place it is said in.
 */
#ifndef FCGI_APP_UPLOAD_H
#define FCGI_APP_UPLOAD_H

#include "fcgi-app/request.h"
#include "lib/json/json.h"

struct upload {
	const char *file;
	const char *table_namespace;
	const char *table_name;
	int64_t head;
	int64_t partition;
	const char *id_delimiter;
	bool drop;
	bool extend_sid;
	bool auto_increasing_sid;
	const char *storage_engine;
	struct json_object *storage_address;
	int64_t block_size;
	struct json_object *schema;
	bool with_meta;
	struct json_object *meta;
	int64_t task_cores; /* 0: not said */
};

/*
 * The configuration of an upload: the whole query decoded as JSON, else its
 * name=value pairs with the form's fields (form: may be NULL), else the JSON
 * body.  *out is the caller's object.
 * Errors: ERR_FORMAT when the query begins like JSON and is not.
 */
int upload_config(
    const struct request *, struct json_object *form, struct json_object **out);

/*
 * Take the configuration apart; texts and objects are borrowed from it.
 * Errors: ERR_INVALID with every fault, or, in the platform's words,
 * "the following arguments are required: …".
 */
int upload_decode(struct json_object *config, struct upload *out);

/* Parameters of the Upload component reading path; the caller's. */
struct json_object *upload_parameters(const struct upload *, const char *path);

/*
 * The types of what meta says, NULL for no meta, and the delimiter that holds
 * then.  Errors: ERR_INVALID naming each fault below /meta.
 */
int upload_meta_check(struct json_object *meta, const char *delimiter);
/* The meta to be kept with a table, of what the caller said; the caller's. */
struct json_object *upload_meta(struct json_object *meta, bool extend_sid);

#endif
