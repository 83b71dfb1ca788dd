/*
 * Content-addressed files of models.  Called by shepherds (what tasks put
 * out and read), by lib/party and imports, by the supervisor's sweep.
 */
#include "lib/model/model_object.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/model_object_in.h"
#include "lib/sign/digest.h"

#define OBJECTS SITE_MODELS "/objects"

char *
model_object_path(
    const struct site_conf *conf, const unsigned char sha256[DB_HASH_SIZE])
{
	char hex[2 * DB_HASH_SIZE + 1];

	str_to_hex(sha256, DB_HASH_SIZE, hex);
	return site_path(conf, "%s/%.2s/%s", OBJECTS, hex, hex);
}

int
model_object_keep(const struct site_conf *conf, const void *data, size_t len,
    unsigned char sha256[DB_HASH_SIZE])
{
	char *dir, *path;
	int r;

	if ((r = digest_memory(data, len, sha256)) != 0)
		return r;
	path = model_object_path(conf, sha256);
	dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	if ((r = fd_mkdirs(dir, 0770)) == 0)
		r = fd_replace_file(path, data, len, 0640);
	free(dir);
	free(path);
	return r;
}

/* --- reading --- */

static int
damaged(const struct db_model_part *p, const char *how)
{
	return err_set(ERR_FORMAT, "the file of model part %s.%s %s is %s",
	    p->component, p->alias, p->buffer_name, how);
}

static int
open_part(const struct site_conf *conf, const struct db_model_part *p, int *out)
{
	char *path = model_object_path(conf, p->sha256);
	struct stat st;
	int r = 0;

	*out = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*out < 0)
		r = errno == ENOENT ? damaged(p, "missing")
				    : err_set_errno(ERR_IO, "%s", path);
	else if (fstat(*out, &st) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size != p->bytes)
		r = damaged(p, "damaged: it has not the size it had");
	if (r != 0)
		fd_close(out);
	free(path);
	return r;
}

static int
compare(const struct db_model_part *p, const unsigned char sum[])
{
	return memcmp(sum, p->sha256, DB_HASH_SIZE) == 0
		   ? 0
		   : damaged(p, "damaged: its content has changed");
}

int
model_object_check(const struct site_conf *conf, const struct db_model_part *p)
{
	unsigned char sum[DIGEST_SIZE];
	int fd, r;

	if ((r = open_part(conf, p, &fd)) != 0)
		return r;
	if ((r = digest_fd(fd, (uint64_t)p->bytes, sum)) == 0)
		r = compare(p, sum);
	fd_close(&fd);
	return r;
}

int
model_object_read(const struct site_conf *conf, const struct db_model_part *p,
    size_t max, struct buf *out)
{
	unsigned char sum[DIGEST_SIZE];
	size_t start = out->len;
	int fd, r;

	if ((r = open_part(conf, p, &fd)) != 0)
		return r;
	if ((r = buf_read_fd(out, fd, max)) == 0 &&
	    (r = digest_memory(buf_str(out) + start, out->len - start, sum)) ==
		0)
		r = compare(p, sum);
	fd_close(&fd);
	return r;
}

/* --- the sweep --- */

struct sweep {
	int64_t min_age_s;
	model_object_used_fn *used;
	void *ctx;
	size_t removed;
};

static bool
is_old(const struct sweep *s, int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       clock_file_ms() / 1000 - st.st_mtime >= s->min_age_s;
}

/*
 * The file is set aside before it is looked at for the last time: whoever
 * writes the same content meanwhile makes a file of its own.
 */
static int
remove_object(
    struct sweep *s, int dir, const char *name, const unsigned char sha256[])
{
	char *aside = xasprintf("%s.gone", name);
	bool used = false;
	int r = 0;

	if (renameat(dir, name, dir, aside) != 0) {
		r = errno == ENOENT ? 0
				    : err_set_errno(ERR_IO,
					  "set aside model file %s", name);
		goto out;
	}
	r = s->used(s->ctx, sha256, &used);
	if (r != 0 || used || !is_old(s, dir, aside)) {
		if (renameat(dir, aside, dir, name) != 0)
			log_warn("model file %s: %s", aside, strerror(errno));
	} else if (unlinkat(dir, aside, 0) != 0)
		r = err_set_errno(ERR_IO, "remove model file %s", aside);
	else
		s->removed++;
out:
	free(aside);
	return r;
}

static int
sweep_file(struct sweep *s, int dir, const char *name)
{
	unsigned char sha256[DB_HASH_SIZE];
	bool used;
	int r;

	/* A sweep that was killed may have left one aside. */
	if (str_ends(name, ".gone")) {
		char *back = xstrndup(name, strlen(name) - strlen(".gone"));

		if (renameat(dir, name, dir, back) != 0)
			log_warn("model file %s: %s", name, strerror(errno));
		free(back);
		return 0;
	}
	if (strlen(name) != 2 * sizeof(sha256) || !is_old(s, dir, name))
		return 0;
	if (str_from_hex(name, sha256, sizeof(sha256)) != 0) {
		err_clear();
		return 0;
	}
	if ((r = s->used(s->ctx, sha256, &used)) != 0 || used)
		return r;
	return remove_object(s, dir, name, sha256);
}

static int
sweep_folder(struct sweep *s, const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	int r = 0;

	if (d == NULL)
		return err_set_errno(ERR_IO, "%s", path);
	while (r == 0 && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			r = sweep_file(s, dirfd(d), e->d_name);
	(void)closedir(d);
	return r;
}

int
model_object_sweep(const struct site_conf *conf, int64_t min_age_s,
    model_object_used_fn *used, void *ctx, size_t *removed)
{
	struct sweep s = { .min_age_s = min_age_s, .used = used, .ctx = ctx };
	char *path = site_path(conf, "%s", OBJECTS), *folder;
	struct dirent *e;
	DIR *d = opendir(path);
	int r = 0;

	if (d == NULL && errno != ENOENT)
		r = err_set_errno(ERR_IO, "%s", path);
	while (d != NULL && r == 0 && (e = readdir(d)) != NULL) {
		if (str_starts(e->d_name, MODEL_OBJECT_INCOMING) &&
		    is_old(&s, dirfd(d), e->d_name) &&
		    unlinkat(dirfd(d), e->d_name, 0) != 0)
			log_warn("%s: %s", e->d_name, strerror(errno));
		if (e->d_name[0] == '.' || strlen(e->d_name) != 2)
			continue;
		folder = xasprintf("%s/%s", path, e->d_name);
		r = sweep_folder(&s, folder);
		free(folder);
	}
	if (d != NULL)
		(void)closedir(d);
	free(path);
	if (removed != NULL)
		*removed = s.removed;
	return r;
}
