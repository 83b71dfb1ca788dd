/*
 * Tags and what they are on.  Called by fcgi-app.
 */
#include "lib/db/db_tag.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define TAG_COLS(X)                                                            \
	X(STR, name, "t.name")                                                 \
	X(STR, description, "t.description")                                   \
	X(INT, models,                                                         \
	    "(SELECT COUNT(*) FROM model_tag m WHERE m.tag_id = t.id)")
#define MODEL_COLS(X)                                                          \
	X(STR, model_id, "m.model_id")                                         \
	X(STR, model_version, "m.model_version")                               \
	X(STR, role, "m.role")                                                 \
	X(STR, party_id, "m.party_id")                                         \
	X(INT, bytes, "m.size_bytes")

#define COL(type, field, column) { DB_##type, offsetof(struct db_tag, field) },
static const struct db_col tag_cols[] = { TAG_COLS(COL) };
#undef COL
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_tagged_model, field) },
static const struct db_col model_cols[] = { MODEL_COLS(COL) };
#undef COL
static const struct db_shape tag_shape = DB_SHAPE(struct db_tag, tag_cols);
static const struct db_shape model_shape =
    DB_SHAPE(struct db_tagged_model, model_cols);

/* The formatter takes the macros between the texts for code. */
/* clang-format off */
static const struct db_stmt create = {
	"tag.create", "ss",
	"INSERT INTO tag (name, description) VALUES (?, ?)"
};
static const struct db_stmt id_of = {
	"tag.id", "s",
	"SELECT id FROM tag WHERE name = ? FOR UPDATE"
};
static const struct db_stmt get = {
	"tag.get", "s",
	"SELECT 1" TAG_COLS(DB_SQL) " FROM tag t WHERE t.name = ?"
};
static const struct db_stmt list = {
	"tag.list", "ssi",
	"SELECT 1" TAG_COLS(DB_SQL) " FROM tag t"
	" WHERE (? IS NULL OR INSTR(t.name, ?) > 0) ORDER BY t.id LIMIT ?"
};
static const struct db_stmt update = {
	"tag.update", "sss",
	"UPDATE tag SET name = ?, description = ? WHERE name = ?"
};
static const struct db_stmt destroy = {
	"tag.destroy", "s",
	"DELETE FROM tag WHERE name = ?"
};
static const struct db_stmt models = {
	"tag.models", "s",
	"SELECT 1" MODEL_COLS(DB_SQL) " FROM tag t"
	" JOIN model_tag l ON l.tag_id = t.id"
	" JOIN model m ON m.model_version = l.model_version"
	" WHERE t.name = ? AND m.state = 'sealed'"
	" ORDER BY m.model_version, m.role, m.party_id"
};
static const struct db_stmt is_here = {
	"tag.model_here", "s",
	"SELECT EXISTS (SELECT 1 FROM model WHERE model_version = ?"
	" AND state = 'sealed')"
};
static const struct db_stmt link = {
	"tag.link", "si",
	"INSERT INTO model_tag (model_version, tag_id) VALUES (?, ?)"
};
static const struct db_stmt unlink_ = {
	"tag.unlink", "ss",
	"DELETE l FROM model_tag l JOIN tag t ON t.id = l.tag_id"
	" WHERE l.model_version = ? AND t.name = ?"
};
static const struct db_stmt of_model = {
	"tag.of_model", "s",
	"SELECT 1" TAG_COLS(DB_SQL) " FROM tag t"
	" JOIN model_tag l ON l.tag_id = t.id WHERE l.model_version = ?"
	" ORDER BY t.id"
};
/* clang-format on */

int
db_tag_create(struct db *db, const char *name, const char *description)
{
	int r = db_exec(db, &create, NULL, name, description);

	return r == ERR_EXISTS ? err_set(r, "there is a tag '%s' already", name)
			       : r;
}

int
db_tag_get(
    struct db *db, struct arena *a, const char *name, struct db_tag **out)
{
	int r = db_select_one(db, &get, &tag_shape, a, out, name);

	return r == ERR_NOT_FOUND ? err_set(r, "there is no tag '%s'", name)
				  : r;
}

int
db_tag_list(struct db *db, struct arena *a, const char *part, int64_t limit,
    struct db_tag **rows, size_t *n)
{
	return db_select(db, &list, &tag_shape, a, rows, n, part, part, limit);
}

int
db_tag_models(struct db *db, struct arena *a, const char *name,
    struct db_tagged_model **rows, size_t *n)
{
	return db_select(db, &models, &model_shape, a, rows, n, name);
}

/* --- changes of a tag --------------------------------------------------------- */

struct change {
	const char *name;
	const char *new_name;
	const char *description;
};

static int
update_tx(struct db *db, void *ctx)
{
	const struct change *c = ctx;
	struct arena *a = arena_new();
	struct db_tag *old;
	int64_t id;
	int r;

	/* The row is locked first: what is compared stays so. */
	if ((r = db_query_int(db, &id_of, &id, c->name)) == ERR_NOT_FOUND)
		r = err_set(r, "there is no tag '%s'", c->name);
	if (r != 0 || (r = db_tag_get(db, a, c->name, &old)) != 0)
		goto out;
	if (str_eq(c->name, c->new_name) &&
	    str_eq(old->description, c->description)) {
		r = err_set(ERR_INVALID,
		    "the tag '%s' has this name and description already",
		    c->name);
		goto out;
	}
	r = db_exec(db, &update, NULL, c->new_name, c->description, c->name);
	if (r == ERR_EXISTS)
		r = err_set(r, "there is a tag '%s' already", c->new_name);
out:
	arena_free(a);
	return r;
}

int
db_tag_update(struct db *db, const char *name, const char *new_name,
    const char *description)
{
	struct change c = { name, new_name != NULL ? new_name : name,
		description };

	return db_tx(db, update_tx, &c);
}

int
db_tag_destroy(struct db *db, const char *name)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &destroy, &n, name)) != 0)
		return r;
	return n > 0 ? 0 : err_set(ERR_NOT_FOUND, "there is no tag '%s'", name);
}

/* --- tags of a version -------------------------------------------------------- */

struct tagging {
	const char *version;
	const char *name;
};

static int
check_version(struct db *db, const char *version)
{
	int64_t here;
	int r;

	if ((r = db_query_int(db, &is_here, &here, version)) != 0 || here != 0)
		return r;
	return err_set(
	    ERR_NOT_FOUND, "no model of version '%s' is at this site", version);
}

static int
add_tx(struct db *db, void *ctx)
{
	const struct tagging *t = ctx;
	int64_t id;
	int r;

	if ((r = check_version(db, t->version)) != 0)
		return r;
	r = db_query_int(db, &id_of, &id, t->name);
	if (r == ERR_NOT_FOUND) {
		r = db_exec(db, &create, NULL, t->name, NULL);
		id = db_insert_id(db);
		/* Somebody made it between the two: look again. */
		if (r == ERR_EXISTS)
			r = db_query_int(db, &id_of, &id, t->name);
	}
	if (r != 0)
		return r;
	r = db_exec(db, &link, NULL, t->version, id);
	return r == ERR_EXISTS
		   ? err_set(r, "version %s has the tag '%s' already",
			 t->version, t->name)
		   : r;
}

int
db_model_tag_add(struct db *db, const char *model_version, const char *name)
{
	struct tagging t = { model_version, name };

	return db_tx(db, add_tx, &t);
}

int
db_model_tag_remove(struct db *db, const char *model_version, const char *name)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &unlink_, &n, model_version, name)) != 0)
		return r;
	return n > 0 ? 0
		     : err_set(ERR_NOT_FOUND, "version %s has no tag '%s'",
			   model_version, name);
}

int
db_model_tag_list(struct db *db, struct arena *a, const char *model_version,
    struct db_tag **rows, size_t *n)
{
	int r;

	if ((r = check_version(db, model_version)) != 0)
		return r;
	return db_select(db, &of_model, &tag_shape, a, rows, n, model_version);
}
