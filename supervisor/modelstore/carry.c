/*
 * Called by main.c.  The archive stands in a file without a name meanwhile,
 * so that nothing stays behind however this ends.
 */
#include "supervisor/modelstore/carry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/archive/model_archive.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/json/decode.h"
#include "lib/store/store.h"

struct wish {
	const char *model_id;
	const char *model_version;
	const char *role;
	char party_id[JSON_PARTY_SIZE];
	bool force_update;
	const char *sha256; /* NULL: not said */
};

static const struct json_field fields[] = {
	JSON_STR(struct wish, model_id, 1, 255, JSON_REQUIRED),
	JSON_STR(struct wish, model_version, 1, 100, JSON_REQUIRED),
	JSON_STR(struct wish, role, 1, 20, JSON_REQUIRED),
	JSON_PARTY(struct wish, party_id, JSON_REQUIRED),
	JSON_BOOL(struct wish, force_update, JSON_LENIENT | JSON_NULLABLE),
	JSON_STR(struct wish, sha256, 64, 64, JSON_NULLABLE),
};

struct carrying {
	struct site_conf *conf;
	struct db *db;
	struct arena *arena;
	struct store *store;
	struct wish wish;
	struct db_model_key key;
	struct store_item item;
	int fd; /* of the archive */
};

/* A file that is gone with its descriptor. */
static int
open_nameless(const struct site_conf *conf, int *out)
{
	char *path = site_path(conf, "%s/archive-XXXXXX", SITE_SPOOL);
	int r = 0;

	*out = mkostemp(path, O_CLOEXEC);
	if (*out < 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else if (unlink(path) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	free(path);
	return r;
}

static int
write_fd(void *ctx, const void *data, size_t len)
{
	return fd_write_all(*(int *)ctx, data, len);
}

static int
pack(struct carrying *c)
{
	struct archive_sink sink = { write_fd, NULL, &c->fd };
	struct archive_out *out;
	struct model_export e;
	int r;

	if ((r = model_export_load(c->db, c->arena, &c->key, &e)) != 0 ||
	    (r = archive_open(&sink, ARCHIVE_KIND_ZIP, &out)) != 0)
		return r;
	if ((r = model_export_write(c->conf, &e, out)) != 0) {
		archive_abort(out);
		return r;
	}
	if ((r = archive_end(out)) != 0)
		return r;
	c->item.bytes = lseek(c->fd, 0, SEEK_CUR);
	return 0;
}

static int
store_model(struct carrying *c)
{
	int r;

	if ((r = pack(c)) != 0)
		return r;
	return store_put(c->store, &c->item, c->fd, c->wish.force_update);
}

/* What the user says counts beside what the store says. */
static int
check_wanted(const struct carrying *c)
{
	char found[2 * DIGEST_SIZE + 1];

	str_to_hex(c->item.sha256, DIGEST_SIZE, found);
	if (c->wish.sha256 == NULL || strcasecmp(c->wish.sha256, found) == 0)
		return 0;
	return err_set(ERR_FORMAT,
	    "the stored archive has the SHA-256 %s, not %s", found,
	    c->wish.sha256);
}

static int
restore_model(struct carrying *c)
{
	struct model_import im = {
		.key = c->key, .fd = c->fd, .force = c->wish.force_update
	};
	struct model_imported done;
	int r;

	if ((r = store_get(c->store, &c->item, c->fd)) != 0 ||
	    (r = check_wanted(c)) != 0)
		return r;
	im.len = (uint64_t)c->item.bytes;
	r = model_import(c->db, c->conf, c->arena, &im, &done);
	if (r == 0 && !done.has_root)
		log_warn("the archive has no manifest: its root is unknown");
	return r;
}

static struct json_object *
describe(const struct carrying *c)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * DIGEST_SIZE + 1];

	str_to_hex(c->item.sha256, DIGEST_SIZE, hex);
	json_add_str(o, "party_model_id", c->item.model_id);
	json_add_str(o, "model_version", c->item.model_version);
	json_add_str(o, "store", store_name(c->store));
	json_add_int(o, "bytes", c->item.bytes);
	json_add_str(o, "sha256", hex);
	return o;
}

static int
decode(struct carrying *c, struct json_object *parameters)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(parameters, JSON_FIELDS(fields), JSON_IGNORE_UNKNOWN,
		NULL, &faults, &c->wish) != 0)
		r = faults_err(&faults, "parameters");
	faults_fini(&faults);
	c->key = (struct db_model_key){ c->wish.model_id, c->wish.model_version,
		c->wish.role, c->wish.party_id };
	c->item.model_version = c->wish.model_version;
	c->item.model_id = arena_printf(c->arena, "%s#%s#%s", c->wish.role,
	    c->wish.party_id, c->wish.model_id);
	return r;
}

static int
open_all(struct carrying *c, const char *config)
{
	int r;

	if ((r = site_conf_load(config, &c->conf)) != 0)
		return r;
	site_conf_act_as(c->conf, SITE_SUPERVISOR);
	if ((r = db_open(c->conf, &c->db)) != 0)
		return r;
	db_set_actor(c->db, "model store");
	if ((r = store_open(c->conf, &c->store)) != 0)
		return r;
	return open_nameless(c->conf, &c->fd);
}

static void
close_all(struct carrying *c)
{
	fd_close(&c->fd);
	store_close(c->store);
	db_close(c->db);
	site_conf_free(c->conf);
	arena_free(c->arena);
}

int
carry(const char *config, const char *module, const char *parameters,
    struct json_object **summary)
{
	struct carrying c = { .fd = -1, .arena = arena_new() };
	struct json_object *o = NULL;
	int r;

	*summary = NULL;
	if ((r = json_parse_text(parameters, &o)) != 0 ||
	    (r = decode(&c, o)) != 0 || (r = open_all(&c, config)) != 0)
		goto out;
	if (str_eq(module, "ModelStore"))
		r = store_model(&c);
	else if (str_eq(module, "ModelRestore"))
		r = restore_model(&c);
	else
		r = err_set(ERR_UNSUPPORTED, "no module of this: %s", module);
	if (r == 0)
		*summary = describe(&c);
out:
	json_object_put(o);
	close_all(&c);
	return r == 0 ? 0 : err_wrap("%s", module);
}
