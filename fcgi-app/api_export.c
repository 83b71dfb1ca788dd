/*
 * Models as archives, out of this site and back.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fcgi-app/app.h"
#include "fcgi-app/archive.h"
#include "fcgi-app/form.h"
#include "fcgi-app/route.h"
#include "fcgi-app/turns.h"
#include "lib/archive/model_archive.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/decode.h"
#include "lib/sign/digest.h"

#define KEY_FIELDS "model_id,model_version,role,party_id"

/* --- out ------------------------------------------------------------------------- */

static int
key_of(const struct request *req, struct db_model_key *key)
{
	int r;

	if ((r = request_require(req, KEY_FIELDS)) != 0)
		return r;
	*key = (struct db_model_key){ request_text(req, "model_id"),
		request_text(req, "model_version"), request_text(req, "role"),
		request_text(req, "party_id") };
	if (key->model_id == NULL || key->model_version == NULL ||
	    key->role == NULL || key->party_id == NULL)
		return err_set(
		    ERR_INVALID, "none of " KEY_FIELDS " may be null");
	return 0;
}

static int
send_archive(struct request *req, struct reply *rp,
    const struct db_model_key *key, const struct model_export *e)
{
	char *name = model_archive_name(key);
	struct archive_out *out;
	int r;

	r = archive_begin(rp, name, &out);
	free(name);
	if (r != 0)
		return r;
	if ((r = model_export_write(req->app->conf, e, out)) != 0) {
		/* The client sees that it ends early. */
		archive_abort(out);
		return r;
	}
	return archive_end(out);
}

int
api_model_export(struct request *req, struct reply *rp)
{
	struct db_model_key key;
	struct model_export e;
	int r;

	if ((r = key_of(req, &key)) != 0)
		return r;
	r = model_export_load(req->app->db, req->arena, &key, &e);
	if (r == ERR_NOT_FOUND)
		return reply_status(rp, 404, "%s", err_text());
	if (r != 0)
		return r;
	if ((r = turns_take(req->app->downloads)) == ERR_BUSY)
		return reply_busy(rp);
	if (r != 0)
		return r;
	/* Once it has begun nothing can be said any more. */
	if ((r = model_export_check(req->app->conf, &e)) == ERR_FORMAT)
		r = reply_status(rp, 500, "%s", err_text());
	else if (r == 0)
		r = send_archive(req, rp, &key, &e);
	turns_give(req->app->downloads);
	return r;
}

/* --- in -------------------------------------------------------------------------- */

/* Clients send true as 1. */
static bool
is_forced(struct json_object *fields)
{
	bool force = false;

	return json_truth(json_get(fields, "force_update"), true, &force) &&
	       force;
}

static int
take_fields(struct json_object *fields, struct model_import *im)
{
	const struct {
		const char *name;
		const char **to;
	} names[] = {
		{ "role", &im->key.role },
		{ "party_id", &im->key.party_id },
		{ "model_id", &im->key.model_id },
		{ "model_version", &im->key.model_version },
	};
	struct buf missing = BUF_INIT;
	int r = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*names[i].to = json_get_str(fields, names[i].name, NULL);
		if (*names[i].to == NULL || **names[i].to == '\0')
			buf_printf(&missing, "%s%s", missing.len > 0 ? "," : "",
			    names[i].name);
	}
	if (missing.len > 0)
		r = err_set(ERR_INVALID, "required argument are missing: %s; ",
		    buf_str(&missing));
	buf_fini(&missing);
	im->force = is_forced(fields);
	return r;
}

/* The client may say what the file's SHA-256 has to be. */
static int
check_hash(const struct model_import *im, const char *want)
{
	unsigned char sum[DIGEST_SIZE];
	char found[2 * DIGEST_SIZE + 1];
	struct digest *d;
	int r;

	if (want == NULL || *want == '\0')
		return 0;
	if ((r = digest_begin(&d)) != 0)
		return r;
	if ((r = digest_add_fd(d, im->fd, im->offset, im->len)) != 0) {
		digest_free(d);
		return r;
	}
	if ((r = digest_end(d, sum)) != 0)
		return r;
	str_to_hex(sum, DIGEST_SIZE, found);
	if (strcasecmp(want, found) == 0)
		return 0;
	return err_set(ERR_FORMAT,
	    "hash: the file has the SHA-256 %s, not %.100s", found, want);
}

static int
answer_imported(struct reply *rp, const struct model_import *im,
    const struct model_imported *done)
{
	struct json_object *data = json_object_new_object();

	json_add_str(data, "job_id", done->job_id);
	json_add_str(data, "role", im->key.role);
	json_add_str(data, "party_id", im->key.party_id);
	json_add_str(data, "model_id", im->key.model_id);
	json_add_str(data, "model_version", im->key.model_version);
	if (!done->has_root)
		(void)reply_message(rp,
		    "success; the archive has no %s, so nothing proves which "
		    "halves of other parties it belongs to: it serves jobs "
		    "without partners only",
		    MODEL_ARCHIVE_MANIFEST);
	return reply_data(rp, data);
}

static int
refused(struct reply *rp, int r)
{
	switch (r) {
	case ERR_EXISTS:
	case ERR_CONFLICT:
		return reply_status(rp, 409, "%s", err_text());
	case ERR_DENIED:
		return reply_status(rp, 400, "%s", err_text());
	case ERR_FORMAT:
	case ERR_LIMIT:
		return reply_fault(rp, 100, "%s", err_text());
	default:
		return reply_status(
		    rp, 500, "the model was not saved: %s", err_meaning(r));
	}
}

static int
import(struct request *req, struct reply *rp, struct model_import *im,
    struct json_object *fields)
{
	struct model_imported done;
	int r;

	if ((r = take_fields(fields, im)) != 0)
		return r;
	if ((r = check_hash(im, json_get_str(fields, "hash", NULL))) == 0)
		r = model_import(
		    req->app->db, req->app->conf, req->arena, im, &done);
	if (r == 0)
		return answer_imported(rp, im, &done);
	return refused(rp, r);
}

int
api_model_import(struct request *req, struct reply *rp)
{
	struct model_import im = { .fd = -1 };
	const struct multipart *form;
	int r;

	if (!form_is_multipart(req))
		return reply_status(rp, 400,
		    "no file: a multipart form with a file part is wanted");
	r = form_multipart(req, &form);
	if (r == ERR_FORMAT || r == ERR_LIMIT)
		return reply_status(rp, 400, "%s", err_text());
	if (r != 0)
		return r;
	im.fd = form->fd;
	im.len = form->len;
	if ((r = turns_take(req->app->downloads)) == ERR_BUSY) {
		r = reply_busy(rp);
	} else if (r == 0) {
		r = import(req, rp, &im, form->fields);
		turns_give(req->app->downloads);
	}
	return r;
}
