/*
 * Called by the supervisor for own members and by fcgi-app for partners.
 */
#include "lib/party/model_migrate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/archive/model_archive.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/model/job_spec.h"
#include "lib/model/model_object.h"
#include "lib/model/model_pipeline.h"
#include "lib/model/model_version.h"
#include "lib/party/migrate_text.h"
#include "lib/party/party_private.h"
#include "lib/sign/digest.h"
#include "lib/wire/messages.h"

/* Archives that may be here when a partner asks for one more: they stay until
 * this site's people take them away. */
#define MIGRATED_MAX 64

struct body {
	const char *model_id, *model_version, *root, *new_version;
	const char *initiator_role;
	char initiator_party[JSON_PARTY_SIZE];
	struct json_object *role, *migrate_role, *members;
	bool write;
};

static const struct json_field fields[] = {
	JSON_STR(struct body, model_id, 1, 255, JSON_REQUIRED),
	JSON_STR(struct body, model_version, 1, 100, JSON_REQUIRED),
	JSON_STR(struct body, root, 64, 64, JSON_REQUIRED),
	JSON_STR(struct body, new_version, 1, 25, JSON_REQUIRED),
	JSON_STR(struct body, initiator_role, 1, 20, JSON_REQUIRED),
	JSON_PARTY(struct body, initiator_party, JSON_REQUIRED),
	JSON_OBJ(struct body, role, JSON_REQUIRED),
	JSON_OBJ(struct body, migrate_role, JSON_REQUIRED),
	JSON_OBJ(struct body, members, JSON_NULLABLE),
	JSON_BOOL(struct body, write, 0),
};

struct migration {
	const struct errand_ask *ask;
	struct body body;
	struct db_model *old;
	struct db_model fresh; /* what the archive is of */
	struct db_model_part *parts;
	size_t n;
};

/* --- what is asked for --- */

/* They become the model's id, and so part of a file's name. */
static void
check_roles(struct json_object *roles, const char *field, struct faults *faults)
{
	struct json_path path = { NULL, field, 0 };
	char party[JSON_PARTY_SIZE];

	json_object_object_foreach(roles, role, list)
	{
		struct json_path at = { &path, role, 0 };
		size_t n =
		    json_is_array(list) ? json_object_array_length(list) : 0;

		if (!str_is_name(role, JOB_ROLE_MAX))
			faults_add(faults, &at, "is no name of a role");
		if (n == 0 || n >= MODEL_MEMBERS_MAX)
			faults_add(faults, &at, "must be a list of party ids");
		for (size_t i = 0; i < n && !faults_any(faults); i++)
			if (!json_party_id(
				json_object_array_get_idx(list, i), party))
				faults_add(faults, JSON_PATH_AT(&at, i),
				    "must be a party id");
	}
}

static int
read_body(struct migration *m)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(m->ask->body, JSON_FIELDS(fields), JSON_FAULT_UNKNOWN,
		NULL, &faults, &m->body) == 0) {
		check_roles(m->body.role, "role", &faults);
		check_roles(m->body.migrate_role, "migrate_role", &faults);
	}
	if (faults_any(&faults))
		r = faults_err(&faults, "body");
	else if (!str_is_job_id(m->body.new_version))
		r = err_set(ERR_INVALID, "new_version: '%s' is no job id",
		    m->body.new_version);
	faults_fini(&faults);
	return r;
}

static int
find_old(struct migration *m)
{
	const struct db_model_key key = { m->body.model_id,
		m->body.model_version, m->ask->role, m->ask->party_id };
	int r;

	if ((r = db_model_get(m->ask->db, m->ask->arena, &key, &m->old)) != 0 ||
	    (r = party_check_model(m->ask->caller, m->old)) != 0)
		return r;
	return party_check_root(m->old, m->body.root);
}

/* --- documents --- */

/* A configuration of the training with other parties; in the arena. */
static int
migrate_conf(struct migration *m, const char *text, const char **out)
{
	struct json_object *o = NULL, *initiator;
	int64_t party = 0;
	int r;

	if ((r = json_parse_text(text, &o)) != 0)
		return r;
	if (json_get(o, "role") != NULL) {
		initiator = json_object_new_object();
		(void)str_to_int64(
		    m->body.initiator_party, 0, INT64_MAX, &party);
		json_add_str(initiator, "role", m->body.initiator_role);
		json_add_int(initiator, "party_id", party);
		json_add(o, "initiator", initiator);
		json_add(o, "role", json_copy(m->body.migrate_role));
	}
	*out = arena_strdup(m->ask->arena, json_text(o));
	json_object_put(o);
	return 0;
}

static int
fill_fresh(struct migration *m)
{
	struct arena *a = m->ask->arena;
	struct db_model *f = &m->fresh;
	char *id = job_model_id(m->body.migrate_role);
	int r;

	*f = *m->old;
	f->model_id = arena_strdup(a, id);
	free(id);
	f->model_version = m->body.new_version;
	f->job_id = m->body.new_version;
	f->party_id = migrate_party(a, m->body.role, m->body.migrate_role,
	    m->ask->role, m->ask->party_id);
	if (f->party_id == NULL)
		return err_set(ERR_INVALID, "role does not name %s %s",
		    m->ask->role, m->ask->party_id);
	f->roles = arena_strdup(a, json_text(m->body.migrate_role));
	f->initiator_role = m->body.initiator_role;
	f->initiator_party = m->body.initiator_party;
	f->members = NULL;
	memset(f->root_hash, 0, sizeof(f->root_hash));
	if ((r = migrate_conf(
		 m, m->old->train_runtime_conf, &f->train_runtime_conf)) != 0)
		return r;
	return migrate_conf(
	    m, m->old->runtime_conf_on_party, &f->runtime_conf_on_party);
}

/* Neither a version nor an archive of that name may be here. */
static int
check_free(struct migration *m, const char *path)
{
	const struct db_model_key key = { m->fresh.model_id,
		m->fresh.model_version, m->fresh.role, m->fresh.party_id };
	struct db_model *there;
	int r = db_model_get(m->ask->db, m->ask->arena, &key, &there);

	if (r == 0 ||
	    (r == ERR_NOT_FOUND && !m->body.write && access(path, F_OK) == 0))
		return err_set(ERR_EXISTS,
		    "version %s of model %s is taken here", key.model_version,
		    key.model_id);
	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return 0;
}

/* Partners do not fill the disk; one's own users see what they do. */
static int
check_room(const struct migration *m)
{
	char *dir = site_path(m->ask->conf, "%s", SITE_MIGRATED);
	struct dirent *e;
	size_t n = 0;
	DIR *d = opendir(dir);
	int r = 0;

	if (d == NULL && errno != ENOENT)
		r = err_set_errno(ERR_IO, "%s", dir);
	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d != NULL)
		(void)closedir(d);
	free(dir);
	if (r == 0 && n >= MIGRATED_MAX)
		r = err_set(ERR_LIMIT,
		    "%zu migrated models lie here already: party %s has to "
		    "take them away first",
		    n, m->ask->party_id);
	return r;
}

/* --- parts --- */

static int
migrate_part(struct migration *m, struct db_model_part *p)
{
	const ProtobufCMessageDescriptor *d = messages_find(p->message);
	struct buf data = BUF_INIT, fresh = BUF_INIT;
	int r;

	if ((r = model_object_read(m->ask->conf, p, MODEL_OBJECT_MAX, &data)) !=
	    0)
		goto out;
	if (str_eq(p->component, MODEL_PIPELINE))
		model_pipeline_pack(&m->fresh, &fresh);
	else if (d == NULL)
		r = err_set(ERR_UNSUPPORTED,
		    "the message %s of %s is not known to this version: its "
		    "party ids cannot be changed",
		    p->message, p->component);
	else
		r = migrate_message(d, buf_str(&data), data.len, m->body.role,
		    m->body.migrate_role, &fresh);
	if (r == 0)
		r = m->body.write
			? model_object_keep(m->ask->conf, buf_str(&fresh),
			      fresh.len, p->sha256)
			: digest_memory(buf_str(&fresh), fresh.len, p->sha256);
	p->bytes = (int64_t)fresh.len;
out:
	buf_fini(&data);
	buf_fini(&fresh);
	return r;
}

static int
migrate_parts(struct migration *m)
{
	const struct db_model_key key = { m->old->model_id,
		m->old->model_version, m->old->role, m->old->party_id };
	int r;

	if ((r = db_model_part_sealed(
		 m->ask->db, m->ask->arena, &key, NULL, &m->parts, &m->n)) != 0)
		return r;
	m->fresh.size_bytes = 0;
	for (size_t i = 0; r == 0 && i < m->n; i++) {
		struct db_model_part *p = &m->parts[i];

		r = migrate_part(m, p);
		p->model_id = m->fresh.model_id;
		p->model_version = m->fresh.model_version;
		p->party_id = m->fresh.party_id;
		m->fresh.size_bytes += p->bytes;
	}
	return r;
}

static int
make_manifest(struct migration *m)
{
	struct model_manifest manifest = {
		.key = { m->fresh.model_id, m->fresh.model_version,
		    m->fresh.role, m->fresh.party_id },
		.parent_version = m->fresh.parent_version,
		.parts = m->parts,
		.n = m->n
	};
	struct buf text = BUF_INIT;
	int r = model_manifest_text(&manifest, &text, m->fresh.manifest_hash);

	m->fresh.manifest = arena_strdup(m->ask->arena, buf_str(&text));
	buf_fini(&text);
	return r;
}

/* With all members' manifests the root is known. */
static int
take_members(struct migration *m)
{
	struct faults faults = FAULTS_INIT;
	const struct model_member *own;
	struct model_member *members;
	size_t n;
	int r;

	if (m->body.members == NULL)
		return 0;
	r = model_members_read(m->body.members, JSON_PATH_KEY(NULL, "members"),
	    &faults, m->ask->arena, &members, &n);
	faults_fini(&faults);
	if (r != 0)
		return r;
	own = model_members_find(members, n, m->fresh.role, m->fresh.party_id);
	if (own == NULL || memcmp(own->manifest_hash, m->fresh.manifest_hash,
			       MODEL_HASH_SIZE) != 0)
		return err_set(ERR_DENIED,
		    "members does not name the manifest that is made here");
	m->fresh.members =
	    arena_strdup(m->ask->arena, json_text(m->body.members));
	return model_root(members, n, m->fresh.root_hash);
}

/* --- the archive --- */

static int
write_fd(void *ctx, const void *data, size_t len)
{
	return fd_write_all(*(int *)ctx, data, len);
}

static int
write_archive(struct migration *m, int fd)
{
	const struct archive_sink sink = { write_fd, NULL, &fd };
	struct model_export e = {
		.model = &m->fresh, .parts = m->parts, .n_parts = m->n
	};
	struct archive_out *out;
	int r;

	if ((r = archive_open(&sink, ARCHIVE_KIND_ZIP, &out)) != 0)
		return r;
	if ((r = model_export_write(m->ask->conf, &e, out)) != 0) {
		archive_abort(out);
		return r;
	}
	return archive_end(out);
}

static int
hash_file(int fd, uint8_t sum[DIGEST_SIZE])
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(ERR_IO, "archive");
	return digest_fd(fd, (uint64_t)st.st_size, sum);
}

/* One that is there must be the same: the errand came twice. */
static int
put_in_place(const char *made, const char *path, const uint8_t sum[])
{
	uint8_t there[DIGEST_SIZE];
	int fd, r;

	if (link(made, path) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set_errno(ERR_IO, "%s", path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_set_errno(ERR_IO, "%s", path);
	r = hash_file(fd, there);
	fd_close(&fd);
	if (r != 0 || memcmp(there, sum, DIGEST_SIZE) == 0)
		return r;
	return err_set(ERR_EXISTS, "an archive of that version is here");
}

static int
save(struct migration *m, const char *path, uint8_t sum[DIGEST_SIZE])
{
	char *dir = site_path(m->ask->conf, "%s", SITE_MIGRATED);
	char *made = xasprintf("%s/" MODEL_MIGRATED_MADE "XXXXXX", dir);
	int fd = -1, r;

	/* Two programs make archives, which may have users of their own. */
	if ((r = fd_mkdirs(dir, 0770)) != 0)
		goto out;
	if ((fd = mkostemp(made, O_CLOEXEC)) < 0) {
		r = err_set_errno(ERR_IO, "%s", made);
		goto out;
	}
	if ((r = write_archive(m, fd)) == 0 && (r = hash_file(fd, sum)) == 0) {
		if (fchmod(fd, 0640) != 0 || fsync(fd) != 0)
			r = err_set_errno(ERR_IO, "%s", made);
		else if ((r = put_in_place(made, path, sum)) == 0)
			r = fd_sync_dir(dir);
	}
	(void)unlink(made);
	fd_close(&fd);
out:
	free(made);
	free(dir);
	return r;
}

static void
add_hex(struct json_object *o, const char *key, const uint8_t hash[])
{
	char hex[MODEL_HEX_SIZE];

	str_to_hex(hash, MODEL_HASH_SIZE, hex);
	json_add_str(o, key, hex);
}

static int
answer(struct migration *m, const char *name, const char *path)
{
	struct json_object *o;
	uint8_t sum[DIGEST_SIZE];
	char *below;
	int r;

	if (m->body.write && (r = save(m, path, sum)) != 0)
		return r;
	o = json_object_new_object();
	add_hex(o, "manifest_hash", m->fresh.manifest_hash);
	if (m->body.write) {
		below = xasprintf("%s/%s", SITE_MIGRATED, name);
		json_add_str(o, "path", below);
		free(below);
		add_hex(o, "sha256", sum);
	}
	*m->ask->data = o;
	return 0;
}

int
model_migrate(const struct errand_ask *ask)
{
	struct migration m = { .ask = ask };
	struct db_model_key key;
	char *name, *path;
	int r;

	if ((r = read_body(&m)) != 0 || (r = find_old(&m)) != 0 ||
	    (r = fill_fresh(&m)) != 0)
		return r;
	key = (struct db_model_key){ m.fresh.model_id, m.fresh.model_version,
		m.fresh.role, m.fresh.party_id };
	name = model_archive_name(&key);
	path = site_path(ask->conf, "%s/%s", SITE_MIGRATED, name);
	if ((r = check_free(&m, path)) == 0 &&
	    (ask->caller->is_site || (r = check_room(&m)) == 0) &&
	    (r = migrate_parts(&m)) == 0 && (r = make_manifest(&m)) == 0 &&
	    (r = take_members(&m)) == 0)
		r = answer(&m, name, path);
	free(path);
	free(name);
	return r;
}
