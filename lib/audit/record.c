/*
 * Records as canonical text.  Called by the sealer, by exports and by the
 * checker of chains.
 */
#include "lib/audit/record.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"

#define DOMAIN "sluice-audit-1\n"

static void
add_hash(struct json_object *o, const char *key, const uint8_t *hash)
{
	char hex[2 * DIGEST_SIZE + 1];

	str_to_hex(hash, DIGEST_SIZE, hex);
	json_add_str(o, key, hex);
}

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

static struct json_object *
object_of(const struct audit_record *rec)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "seq", rec->seq);
	json_add_str(o, "at", text(rec->at));
	json_add_str(o, "actor", text(rec->actor));
	json_add_str(o, "action", text(rec->action));
	json_add_str(o, "subject", text(rec->subject));
	json_add_str(o, "outcome", text(rec->outcome));
	json_add_str(o, "detail", rec->detail);
	add_hash(o, "prev", rec->prev);
	return o;
}

int
audit_record_hash(const struct audit_record *rec, uint8_t out[DIGEST_SIZE])
{
	struct json_object *o = object_of(rec);
	struct buf b = BUF_INIT;
	int r;

	buf_puts(&b, DOMAIN);
	if ((r = json_canon(o, &b)) == 0)
		r = digest_memory(b.data, b.len, out);
	buf_fini(&b);
	json_object_put(o);
	return r;
}

int
audit_record_line(const struct audit_record *rec, struct buf *out)
{
	struct json_object *o = object_of(rec);
	int r;

	add_hash(o, "hash", rec->hash);
	r = json_canon(o, out);
	json_object_put(o);
	return r;
}

/* --- reading -------------------------------------------------------------- */

static int
take_text(struct json_object *o, const char *key, const char **out)
{
	struct json_object *v = json_get(o, key);

	if (!json_is_string(v))
		return err_set(ERR_FORMAT, "%s is no text", key);
	*out = json_object_get_string(v);
	return 0;
}

static int
take_hash(struct json_object *o, const char *key, uint8_t out[DIGEST_SIZE])
{
	if (str_from_hex(json_get_str(o, key, ""), out, DIGEST_SIZE) != 0)
		return err_set(ERR_FORMAT, "%s is not 64 hex digits", key);
	return 0;
}

int
audit_record_parse(struct json_object *o, struct audit_record *rec)
{
	int r;

	memset(rec, 0, sizeof(*rec));
	rec->seq = json_get_int(o, "seq", 0);
	if (rec->seq < 1 || rec->seq > AUDIT_SEQ_MAX)
		return err_set(ERR_FORMAT, "seq is no number from 1");
	if (!json_has(o, "detail"))
		return err_set(ERR_FORMAT, "detail is missing");
	if (json_get(o, "detail") != NULL &&
	    (r = take_text(o, "detail", &rec->detail)) != 0)
		return r;
	if ((r = take_text(o, "at", &rec->at)) != 0 ||
	    (r = take_text(o, "actor", &rec->actor)) != 0 ||
	    (r = take_text(o, "action", &rec->action)) != 0 ||
	    (r = take_text(o, "subject", &rec->subject)) != 0 ||
	    (r = take_text(o, "outcome", &rec->outcome)) != 0 ||
	    (r = take_hash(o, "prev", rec->prev)) != 0 ||
	    (r = take_hash(o, "hash", rec->hash)) != 0)
		return r;
	if (json_object_object_length(o) != 9)
		return err_set(ERR_FORMAT,
		    "a record has nine members, not %d: one is not covered by "
		    "its hash",
		    json_object_object_length(o));
	return 0;
}
