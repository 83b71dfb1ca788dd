/*
 * From an archive to files and rows.  Called by fcgi-app (import) and by the
 * program that reads the model store.
 *
 * The archive is read twice: first for what it says about itself, then for
 * its buffers, each of which is compared with what was said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/archive/archive_in.h"
#include "lib/archive/import_plan.h"
#include "lib/archive/model_archive.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_tx.h"
#include "lib/model/model_object_in.h"
#include "lib/model/model_version.h"
#include "lib/model/state.h"
#include "lib/sign/digest.h"

#define LOCK_WAIT_S 30

/* --- first: what the archive says ------------------------------------------------- */

static int
read_texts(struct archive_in *in, struct import_plan *plan)
{
	const char *name;
	struct buf *to;
	int r;

	while ((r = archive_in_next(in, &name)) == 1) {
		if ((r = import_plan_member(plan, name, &to)) != 0)
			return r;
		if (to != NULL &&
		    (r = archive_in_read(in, IMPORT_TEXT_MAX, to)) != 0)
			return r;
	}
	return r;
}

static int
first_pass(const struct model_import *im, struct import_plan *plan)
{
	struct archive_in *in;
	int r;

	if ((r = archive_in_open(im->fd, im->offset, im->len, &in)) != 0)
		return r;
	r = read_texts(in, plan);
	archive_in_close(in);
	return r;
}

/* --- then: its buffers -------------------------------------------------------------- */

static int
differs(const struct import_buffer *b, const unsigned char found[])
{
	char want[2 * DIGEST_SIZE + 1], have[2 * DIGEST_SIZE + 1];

	str_to_hex(b->sha256, DIGEST_SIZE, want);
	str_to_hex(found, DIGEST_SIZE, have);
	return err_set(ERR_FORMAT,
	    "member %s is not what the manifest says: expected SHA-256 %s, "
	    "found %s",
	    b->path, want, have);
}

static int
copy_member(struct archive_in *in, const struct import_buffer *b,
    struct model_object_in *o, uint64_t *size)
{
	const void *data;
	size_t n;
	int r;

	*size = 0;
	while ((r = archive_in_data(in, &data, &n)) == 0 && n > 0) {
		*size += n;
		if (*size > (uint64_t)b->bytes)
			return err_set(ERR_FORMAT,
			    "member %s is longer than the %lld bytes of the "
			    "manifest",
			    b->path, (long long)b->bytes);
		if ((r = model_object_add(o, data, n)) != 0)
			return r;
	}
	return r;
}

/* Compared before it is kept; of an unknown one the digest is taken. */
static int
take_buffer(const struct site_conf *conf, struct archive_in *in,
    struct import_buffer *b)
{
	unsigned char found[DIGEST_SIZE];
	struct model_object_in *o;
	uint64_t size;
	int r;

	if ((r = model_object_begin(conf, &o)) != 0)
		return r;
	if ((r = copy_member(in, b, o, &size)) != 0 ||
	    (r = model_object_digest(o, found)) != 0)
		goto fail;
	if (b->is_known && memcmp(found, b->sha256, DIGEST_SIZE) != 0) {
		r = differs(b, found);
		goto fail;
	}
	memcpy(b->sha256, found, DIGEST_SIZE);
	b->bytes = (int64_t)size;
	b->is_here = true;
	return model_object_end(o);
fail:
	model_object_abort(o);
	return r;
}

static int
take_buffers(const struct site_conf *conf, struct archive_in *in,
    struct import_plan *plan)
{
	struct import_buffer *b;
	const char *name;
	int r;

	while ((r = archive_in_next(in, &name)) == 1) {
		b = import_plan_find(plan, name);
		if (b != NULL && (r = take_buffer(conf, in, b)) != 0)
			return r;
	}
	return r;
}

static int
second_pass(const struct site_conf *conf, const struct model_import *im,
    struct import_plan *plan)
{
	struct archive_in *in;
	int r;

	if ((r = archive_in_open(im->fd, im->offset, im->len, &in)) != 0)
		return r;
	r = take_buffers(conf, in, plan);
	archive_in_close(in);
	if (r == 0)
		r = import_plan_complete(plan);
	return r;
}

/* --- rows ------------------------------------------------------------------------- */

struct writing {
	const struct model_import *im;
	struct import_plan *plan;
	struct arena *arena; /* of one run of the transaction */
	bool is_here;
};

/* A version that a job is still making is the job's. */
static int
check_job(struct db *db, struct writing *w)
{
	struct db_job *job;
	int r;

	r = db_job_get(db, w->arena, w->plan->model.job_id, &job);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r == 0 && !state_is_end(job->status))
		r = err_set(ERR_CONFLICT,
		    "job %s, which makes this version, is %s here: it has to "
		    "end first",
		    job->job_id, state_name(job->status));
	return r;
}

static int
check_free(struct db *db, struct writing *w)
{
	const struct db_model_key *k = &w->im->key;
	struct db_model *m;
	int r = db_model_get(db, w->arena, k, &m);

	w->is_here = r == 0;
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 || w->im->force)
		return r;
	return err_set(ERR_EXISTS,
	    "version %s of model %s is here for %s %s already; force_update "
	    "replaces it",
	    k->model_version, k->model_id, k->role, k->party_id);
}

static int
put_checkpoints(struct db *db, const struct import_plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_checkpoints; i++)
		r = db_checkpoint_put(db, NULL, &plan->checkpoints[i].row,
		    plan->checkpoints[i].parts, plan->checkpoints[i].n_parts,
		    IMPORT_CHECKPOINTS_MAX);
	return r;
}

static int
write_tx(struct db *db, void *ctx)
{
	struct writing *w = ctx;
	const struct import_plan *plan = w->plan;
	const struct db_model_key *k = &w->im->key;
	int r;

	arena_reset(w->arena);
	if ((r = check_job(db, w)) != 0 || (r = check_free(db, w)) != 0)
		return r;
	if ((w->is_here && (r = db_model_delete(db, k)) != 0) ||
	    (r = db_checkpoint_delete(db, k->model_id, k->model_version,
		 k->role, k->party_id)) != 0 ||
	    (r = db_model_stage(
		 db, &plan->model, plan->parts, plan->n_parts)) != 0 ||
	    (r = db_model_seal(db, k, plan->model.manifest_hash, plan->root,
		 plan->parts, plan->n_parts, NULL)) != 0)
		return r;
	if (plan->model.members != NULL &&
	    (r = db_model_set_members(db, k, plan->model.members)) != 0)
		return r;
	return put_checkpoints(db, plan);
}

/* Two imports of one version take turns. */
static int
write_rows(
    struct db *db, const struct model_import *im, struct import_plan *plan)
{
	struct writing w = { .im = im, .plan = plan, .arena = arena_new() };
	unsigned char sum[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1], lock[60], *name;
	int r;

	name = model_archive_name(&im->key);
	r = digest_memory(name, strlen(name), sum);
	free(name);
	if (r != 0)
		goto out;
	str_to_hex(sum, DIGEST_SIZE, hex);
	(void)snprintf(lock, sizeof(lock), "sluice import %.40s", hex);
	if ((r = db_named_lock(db, lock, LOCK_WAIT_S)) != 0)
		goto out;
	r = db_tx(db, write_tx, &w);
	db_named_unlock(db, lock);
out:
	arena_free(w.arena);
	return r;
}

/* --- all of it ---------------------------------------------------------------------- */

static int
hash_archive(const struct model_import *im, struct db_model *m)
{
	struct digest *d;
	int r;

	if ((r = digest_begin(&d)) != 0)
		return r;
	if ((r = digest_add_fd(d, im->fd, im->offset, im->len)) != 0) {
		digest_free(d);
		return r;
	}
	m->has_archive = true;
	return digest_end(d, m->archive_sha256);
}

/* Told early, before much is read: the transaction looks again. */
static int
check_early(
    struct db *db, const struct model_import *im, struct import_plan *plan)
{
	struct writing w = { .im = im, .plan = plan, .arena = arena_new() };
	int r = check_free(db, &w);

	arena_free(w.arena);
	return r;
}

int
model_import(struct db *db, const struct site_conf *conf, struct arena *a,
    const struct model_import *im, struct model_imported *out)
{
	struct import_plan *plan = import_plan_new(a, &im->key);
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = import_plan_check_site(plan, conf->party_id)) != 0 ||
	    (r = first_pass(im, plan)) != 0 ||
	    (r = import_plan_resolve(plan)) != 0 ||
	    (r = check_early(db, im, plan)) != 0 ||
	    (r = second_pass(conf, im, plan)) != 0 ||
	    (r = hash_archive(im, &plan->model)) != 0 ||
	    (r = import_plan_rows(plan)) != 0 ||
	    (r = write_rows(db, im, plan)) != 0)
		goto out;
	out->job_id = plan->model.job_id;
	out->has_root = plan->has_root;
	log_info("model %s version %s imported: %zu buffers%s",
	    im->key.model_id, im->key.model_version, plan->n_parts,
	    plan->has_root ? "" : ", root unknown");
out:
	import_plan_free(plan);
	return r;
}
