/*
 * Upload configurations.  Called by api_data.c.
 *
 * The platform's client puts its JSON into the query as it is, escaped by
 * halves: "&", "=" and "+" stand bare, only some characters are %XX.  So the
 * query is decoded as one text and never split when it is JSON.
 */
#include "fcgi-app/upload.h"

#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/csv.h"
#include "lib/json/decode.h"

#define QUERY_MAX ((size_t)64 * 1024)

static const struct json_field fields[] = {
	JSON_STR(struct upload, file, 0, 4096, 0),
	JSON_STR_AS(
	    struct upload, table_namespace, "namespace", 1, 255, JSON_LENIENT),
	JSON_STR(struct upload, table_name, 1, 255, JSON_LENIENT),
	JSON_INT(struct upload, head, INT32_MIN, INT32_MAX, JSON_LENIENT),
	JSON_INT(struct upload, partition, INT32_MIN, INT32_MAX, JSON_LENIENT),
	JSON_STR(struct upload, id_delimiter, 1, 20, JSON_NULLABLE),
	JSON_BOOL(struct upload, drop, JSON_LENIENT | JSON_NULLABLE),
	JSON_BOOL(struct upload, extend_sid, JSON_LENIENT | JSON_NULLABLE),
	JSON_BOOL(
	    struct upload, auto_increasing_sid, JSON_LENIENT | JSON_NULLABLE),
	JSON_STR(struct upload, storage_engine, 0, 20, JSON_NULLABLE),
	JSON_OBJ(struct upload, storage_address, JSON_NULLABLE),
	JSON_INT(
	    struct upload, block_size, 1, 1024, JSON_LENIENT | JSON_NULLABLE),
	JSON_OBJ(struct upload, schema, JSON_NULLABLE),
	JSON_BOOL(struct upload, with_meta, JSON_LENIENT | JSON_NULLABLE),
	JSON_OBJ(struct upload, meta, JSON_NULLABLE),
	JSON_INT(
	    struct upload, task_cores, 1, 4096, JSON_LENIENT | JSON_NULLABLE),
};

/* name=value pairs, as older clients send them; "+" is no blank here. */
static void
add_pairs(const char *s, struct json_object *into)
{
	struct buf name = BUF_INIT, value = BUF_INIT;
	size_t n, eq;

	for (; *s != '\0'; s += n + (s[n] == '&')) {
		n = strcspn(s, "&");
		eq = strcspn(s, "=&");
		if (eq >= n)
			continue;
		buf_clear(&name);
		buf_clear(&value);
		str_percent_decode(&name, s, eq);
		str_percent_decode(&value, s + eq + 1, n - eq - 1);
		if (str_is_utf8(buf_str(&name), strlen(buf_str(&name))) &&
		    str_is_utf8(buf_str(&value), strlen(buf_str(&value))))
			json_add_str(into, buf_str(&name), buf_str(&value));
	}
	buf_fini(&name);
	buf_fini(&value);
}

static void
add_all(struct json_object *from, struct json_object *into)
{
	json_object_object_foreach(from, key, value)
	{
		json_add(into, key, json_copy(value));
	}
}

/*
 * The query as the client wrote it.  A stray "%" in a name makes the client's
 * HTTP library escape all that it had escaped before once more.
 */
static void
decode_query(const char *query, struct buf *out)
{
	struct buf once = BUF_INIT;

	str_percent_decode(out, query, strlen(query));
	if (strncasecmp(buf_str(out), "%7B", 3) == 0) {
		buf_puts(&once, buf_str(out));
		buf_clear(out);
		str_percent_decode(out, once.data, once.len);
	}
	buf_fini(&once);
}

int
upload_config(const struct request *req, struct json_object *form,
    struct json_object **out)
{
	struct buf text = BUF_INIT;
	int r = 0;

	*out = NULL;
	decode_query(req->query, &text);
	if (request_query_is_json(req)) {
		r = json_parse(text.data, text.len, QUERY_MAX, out);
		if (r != 0)
			r = err_set(ERR_FORMAT,
			    "the query holds no proper "
			    "configuration: %s",
			    err_text());
	} else {
		*out = json_object_new_object();
		add_all(req->json, *out);
		if (form != NULL)
			add_all(form, *out);
		add_pairs(req->query, *out);
	}
	buf_fini(&text);
	return r;
}

static int
check_required(struct json_object *config)
{
	static const char *const required[] = { "file", "namespace",
		"table_name", "head", "partition" };
	struct buf missing = BUF_INIT;
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (json_get(config, required[i]) != NULL)
			continue;
		if (missing.len != 0)
			buf_putc(&missing, ',');
		buf_puts(&missing, required[i]);
	}
	if (missing.len != 0)
		r = err_set(ERR_INVALID,
		    "the following arguments are required: %s",
		    buf_str(&missing));
	buf_fini(&missing);
	return r;
}

/* head may be said as truth, but 2 must stay what it is: the job says so. */
static void
number_truth(struct json_object *config, const char *name)
{
	struct json_object *v = json_get(config, name);
	int64_t number;
	bool truth;

	if (!json_whole_number(v, true, &number) && json_truth(v, true, &truth))
		json_add_int(config, name, truth);
}

/* There is one engine that uploads are written to. */
static int
check_engine(const struct upload *up)
{
	if (up->storage_engine[0] == '\0' ||
	    strcasecmp(up->storage_engine, "STANDALONE") == 0)
		return 0;
	return err_set(ERR_INVALID,
	    "storage_engine %s is not offered for uploads: leave it out, or "
	    "say STANDALONE",
	    up->storage_engine);
}

static const char *
delimiter_of(const struct upload *up)
{
	return up->with_meta ? json_get_str(up->meta, "delimiter", ",")
			     : up->id_delimiter;
}

int
upload_decode(struct json_object *config, struct upload *out)
{
	struct faults faults = FAULTS_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	out->id_delimiter = ",";
	out->storage_engine = "";
	out->block_size = 1;
	if ((r = check_required(config)) != 0)
		return r;
	number_truth(config, "head");
	if (json_decode(config, JSON_FIELDS(fields), JSON_IGNORE_UNKNOWN, NULL,
		&faults, out) != 0)
		r = faults_err(&faults, "upload");
	faults_fini(&faults);
	if (r == 0)
		r = upload_meta_check(out->meta, delimiter_of(out));
	return r == 0 ? check_engine(out) : r;
}

struct meta {
	const char *text;
	bool truth;
	int64_t number;
	struct json_object *list;
	struct json_object *object;
};

/* Checked here, kept as they came: values are not needed. */
#define META_TEXT(key)                                                         \
	JSON_STR_AS(struct meta, text, key, 1, 255, JSON_NULLABLE)
#define META_TRUTH(key) JSON_BOOL_AS(struct meta, truth, key, META_MAYBE)
#define META_MAYBE (JSON_LENIENT | JSON_NULLABLE)
static const struct json_field meta_fields[] = {
	META_TEXT("delimiter"),
	META_TEXT("input_format"),
	META_TEXT("tag_value_delimiter"),
	META_TEXT("data_type"),
	META_TEXT("label_name"),
	META_TEXT("label_type"),
	META_TRUTH("tag_with_value"),
	META_TRUTH("with_match_id"),
	META_TRUTH("with_label"),
	JSON_INT_AS(struct meta, number, "id_range", 0, INT32_MAX, META_MAYBE),
	JSON_ARR_AS(struct meta, list, "id_list", 0, 10000, JSON_NULLABLE),
	JSON_ANY_AS(struct meta, object, "exclusive_data_type", JSON_NULLABLE),
};

int
upload_meta_check(struct json_object *meta, const char *delimiter)
{
	struct faults faults = FAULTS_INIT;
	struct meta unused;
	int r = 0;

	if (meta != NULL &&
	    json_decode(meta, JSON_FIELDS(meta_fields), JSON_IGNORE_UNKNOWN,
		JSON_PATH_KEY(NULL, "meta"), &faults, &unused) != 0)
		r = faults_err(&faults, "meta");
	faults_fini(&faults);
	return r != 0 ? r : csv_delimiter_check(delimiter);
}

/* Nulls of meta mean "not said"; label keys mean nothing without a label. */
struct json_object *
upload_meta(struct json_object *meta, bool extend_sid)
{
	struct json_object *o = json_object_new_object();
	bool labels = json_get_bool(meta, "with_label", false);

	if (meta != NULL) {
		json_object_object_foreach(meta, key, value)
		{
			if (value != NULL &&
			    (labels || (strcmp(key, "label_name") != 0 &&
					   strcmp(key, "label_type") != 0)))
				json_add(o, key, json_copy(value));
		}
	}
	if (extend_sid)
		json_add_bool(o, "with_match_id", true);
	return o;
}

struct json_object *
upload_parameters(const struct upload *up, const char *path)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "file", path);
	json_add_str(o, "namespace", up->table_namespace);
	json_add_str(o, "name", up->table_name);
	json_add_int(o, "head", up->head);
	json_add_int(o, "partition", up->partition);
	json_add_str(o, "id_delimiter", delimiter_of(up));
	if (up->storage_engine[0] != '\0')
		json_add_str(o, "storage_engine", up->storage_engine);
	if (up->storage_address != NULL)
		json_add(o, "storage_address", json_copy(up->storage_address));
	json_add_bool(o, "destroy", up->drop);
	json_add_bool(o, "extend_sid", up->extend_sid);
	json_add_bool(o, "auto_increasing_sid", up->auto_increasing_sid);
	json_add_int(o, "block_size", up->block_size);
	json_add(o, "schema",
	    up->schema != NULL ? json_copy(up->schema)
			       : json_object_new_object());
	json_add_bool(o, "with_meta", up->with_meta);
	if (up->with_meta)
		json_add(o, "meta", upload_meta(up->meta, up->extend_sid));
	return o;
}
