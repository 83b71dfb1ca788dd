/*
 * Tables that are kept elsewhere: bind a name to an address; connectors.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/outside.h"
#include "fcgi-app/route.h"
#include "fcgi-app/table_files.h"
#include "fcgi-app/upload.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_connector.h"
#include "lib/db/db_remote.h"
#include "lib/db/db_table.h"
#include "lib/engine/csv.h"
#include "lib/engine/storage.h"
#include "lib/json/decode.h"

#define PARTITIONS 4 /* when the caller does not say */
#define COLUMNS_MAX 100000

struct bind {
	const char *engine_name;
	enum data_engine engine;
	struct json_object *address;
	const char *table_namespace;
	const char *name;
	bool drop;
	const char *id_column;
	const char *features; /* "x0,x1" */
	int64_t partitions;
	bool head;
	const char *id_delimiter;
	struct json_object *schema; /* given */
	bool extend_sid;
	bool auto_increasing_sid;
	bool with_meta;
	struct json_object *meta;

	/* Made from these; in the request's arena. */
	const char **columns; /* id first, NULL at the end */
	size_t n_columns;
};

#define MAYBE (JSON_LENIENT | JSON_NULLABLE)
static const struct json_field fields[] = {
	JSON_STR_AS(struct bind, engine_name, "engine", 1, 40, 0),
	JSON_OBJ(struct bind, address, 0),
	JSON_STR_AS(
	    struct bind, table_namespace, "namespace", 1, 255, JSON_LENIENT),
	JSON_STR(struct bind, name, 1, 255, JSON_LENIENT),
	JSON_BOOL(struct bind, drop, MAYBE),
	JSON_STR_AS(struct bind, id_column, "id_name", 1, 255, MAYBE),
	JSON_STR(struct bind, id_column, 1, 255, MAYBE),
	JSON_STR_AS(struct bind, features, "feature_name", 1, 4 << 20, MAYBE),
	JSON_STR_AS(struct bind, features, "feature_column", 1, 4 << 20, MAYBE),
	JSON_INT(struct bind, partitions, 1, STORAGE_PARTITIONS_MAX, MAYBE),
	JSON_BOOL(struct bind, head, MAYBE),
	JSON_STR(struct bind, id_delimiter, 1, CSV_DELIMITER_MAX, MAYBE),
	JSON_OBJ(struct bind, schema, JSON_NULLABLE),
	JSON_BOOL(struct bind, extend_sid, MAYBE),
	JSON_BOOL(struct bind, auto_increasing_sid, MAYBE),
	JSON_BOOL(struct bind, with_meta, MAYBE),
	JSON_OBJ(struct bind, meta, JSON_NULLABLE),
};

static int
decode(struct request *req, struct bind *b)
{
	struct faults faults = FAULTS_INIT;
	int r;

	*b = (struct bind){
		.partitions = PARTITIONS, .head = true, .id_delimiter = ","
	};
	if ((r = request_require(req, "engine,address,namespace,name")) != 0)
		return r;
	if (json_decode(req->json, JSON_FIELDS(fields), JSON_IGNORE_UNKNOWN,
		NULL, &faults, b) != 0)
		r = faults_err(&faults, "bind");
	faults_fini(&faults);
	if (r != 0)
		return r;
	if (b->with_meta)
		b->id_delimiter = json_get_str(b->meta, "delimiter", ",");
	if ((r = upload_meta_check(b->meta, b->id_delimiter)) != 0)
		return r;
	return data_engine_parse(b->engine_name, &b->engine);
}

/* --- the schema ---------------------------------------------------------------- */

/* "x0,x1" is cut at commas whatever the table's own delimiter is. */
static int
split_columns(struct request *req, struct bind *b)
{
	const char *s = b->features != NULL ? b->features : "";
	size_t room = 3, n;
	const char *p;
	char *name;

	for (p = s; *p != '\0'; p++)
		room += *p == ',';
	if (room > COLUMNS_MAX)
		return err_set(ERR_LIMIT, "more than %d columns", COLUMNS_MAX);
	b->columns = arena_alloc(req->arena, room * sizeof(*b->columns));
	if (b->id_column != NULL)
		b->columns[b->n_columns++] = b->id_column;
	for (; *s != '\0'; s += n + (s[n] == ',')) {
		struct span one;

		n = strcspn(s, ",");
		one = span_trim((struct span){ s, n });
		name = arena_strndup(req->arena, one.data, one.len);
		if (name[0] == '\0' ||
		    (b->engine == DATA_MYSQL && !db_remote_is_name(name)))
			return err_set(ERR_INVALID,
			    "feature_column: column %zu has %s",
			    b->n_columns + 1 - (b->id_column != NULL),
			    name[0] == '\0' ? "no name"
					    : "a name that no column can have");
		if (strstr(name, b->id_delimiter) != NULL)
			return err_set(ERR_INVALID,
			    "feature_column: the name '%.64s' has the table's "
			    "delimiter in it",
			    name);
		b->columns[b->n_columns++] = name;
	}
	if (b->features != NULL && b->id_column == NULL && !b->extend_sid)
		return err_set(ERR_INVALID,
		    "feature_column without id_column: name the column that "
		    "holds the id");
	return 0;
}

static void
join(struct buf *out, const struct bind *b, size_t from)
{
	size_t i;

	for (i = from; i < b->n_columns; i++) {
		if (i > from)
			buf_puts(out, b->id_delimiter);
		buf_puts(out, b->columns[i]);
	}
}

static struct json_object *
make_schema(const struct bind *b)
{
	struct json_object *o = json_object_new_object();
	struct buf header = BUF_INIT;

	if (b->extend_sid) {
		join(&header, b, 0);
		json_add_str(o, "sid", "extend_sid");
		json_add_str(o, "header", buf_str(&header));
		json_add_bool(o, "extend_tag", true);
	} else if (b->n_columns > 0) {
		join(&header, b, 1);
		json_add_str(o, "sid", b->columns[0]);
		json_add_str(o, "header", buf_str(&header));
	}
	if (b->schema != NULL) {
		json_object_object_foreach(b->schema, key, value)
		{
			json_add(o, key, json_copy(value));
		}
	}
	if (b->with_meta)
		json_add(o, "meta", upload_meta(b->meta, b->extend_sid));
	buf_fini(&header);
	return o;
}

/* --- the row -------------------------------------------------------------------- */

/* Another name for a table of this site: what is known of it is known. */
static int
fill_own(struct request *req, const struct bind *b, struct db_table *t)
{
	struct db_table *of;
	int r;

	if ((r = db_table_get(req->app->db, req->arena,
		 json_get_str(b->address, "namespace", ""),
		 json_get_str(b->address, "name", ""), &of)) != 0)
		return r;
	if (of->folder[0] == '\0')
		return err_set(ERR_INVALID,
		    "table %s %s is bound itself; bind to the table that it "
		    "stands for",
		    of->table_namespace, of->name);
	t->partitions = of->partitions;
	t->row_count = of->row_count;
	t->id_delimiter = of->id_delimiter;
	t->have_head = of->have_head;
	t->extend_sid = of->extend_sid;
	t->schema_json = of->schema_json;
	t->preview = of->preview;
	return 0;
}

static int
put(struct request *req, struct bind *b, struct json_object *address)
{
	struct json_object *schema = make_schema(b);
	struct db_table t = {
		.table_namespace = b->table_namespace,
		.name = b->name,
		.engine = data_engine_name(b->engine),
		.address = arena_strdup(req->arena, json_text(address)),
		.partitions = b->partitions,
		.id_delimiter = b->id_delimiter,
		.have_head = b->head,
		.extend_sid = b->extend_sid,
		.auto_increasing_sid = b->auto_increasing_sid,
		.schema_json = arena_strdup(req->arena, json_text(schema)),
		.origin = "table_bind",
	};
	const char *old = NULL;
	int r = 0;

	if (b->engine == DATA_STANDALONE)
		r = fill_own(req, b, &t);
	if (r == 0)
		r = db_table_put(req->app->db, req->arena, &t, b->drop, &old);
	if (r == 0)
		table_files_remove(req, old);
	json_object_put(schema);
	return r;
}

static int
check_absent(struct request *req, const struct bind *b)
{
	struct db_table *t;
	int r;

	r = db_table_get(
	    req->app->db, req->arena, b->table_namespace, b->name, &t);
	if (r == ERR_NOT_FOUND || (r == 0 && b->drop))
		return 0;
	return r != 0 ? r
		      : err_set(ERR_EXISTS,
			    "table %s exists in namespace %s; drop: true "
			    "replaces it",
			    b->name, b->table_namespace);
}

int
api_table_bind(struct request *req, struct reply *rp)
{
	struct json_object *kept = NULL, *data;
	struct bind b;
	int r;

	if ((r = decode(req, &b)) != 0 || (r = split_columns(req, &b)) != 0 ||
	    (r = check_absent(req, &b)) != 0 ||
	    (r = outside_check(req, b.engine, b.address,
		 b.n_columns > 0 ? b.columns : NULL, &kept)) != 0 ||
	    (r = put(req, &b, kept)) != 0) {
		json_object_put(kept);
		return outside_refuse(rp, r);
	}
	json_object_put(kept);
	log_info("table %s %s bound to %s", b.table_namespace, b.name,
	    data_engine_name(b.engine));
	data = json_object_new_object();
	json_add_str(data, "table_name", b.name);
	json_add_str(data, "namespace", b.table_namespace);
	return reply_data(rp, data);
}

/* --- connectors --------------------------------------------------------------------- */

int
api_connector_create(struct request *req, struct reply *rp)
{
	struct json_object *info = request_field(req, "connector_info");
	const char *engine_name, *name;
	struct json_object *kept = NULL;
	struct db_connector c;
	enum data_engine engine;
	int r;

	if ((r = request_require(
		 req, "connector_name,engine,connector_info")) != 0)
		return r;
	name = request_text(req, "connector_name");
	engine_name = request_text(req, "engine");
	if (name == NULL || name[0] == '\0' || strlen(name) > 255)
		return err_set(
		    ERR_INVALID, "connector_name must have 1 to 255 bytes");
	if (!json_is_object(info))
		return err_set(ERR_INVALID, "connector_info must be an object");
	if ((r = data_engine_parse(
		 engine_name != NULL ? engine_name : "", &engine)) != 0 ||
	    (r = outside_check_connector(req, engine, info, &kept)) != 0)
		return outside_refuse(rp, r);
	c = (struct db_connector){ .name = name,
		.engine = data_engine_name(engine),
		.info = json_text(kept) };
	r = db_connector_put(req->app->db, &c);
	json_object_put(kept);
	return r;
}

/*
 * The platform gives the password out with the rest; here its member is
 * null, as in an address.
 */
int
api_connector_query(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "connector_name");
	struct json_object *info;
	struct db_connector *c;
	int r;

	r = db_connector_get(
	    req->app->db, req->arena, name != NULL ? name : "", &c);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return reply_data(rp, json_object_new_object());
	}
	if (r != 0)
		return r;
	info = view_document(c->info);
	reply_data(rp, data_address_shown(info));
	json_object_put(info);
	return 0;
}
