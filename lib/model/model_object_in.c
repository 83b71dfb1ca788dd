/*
 * Called by imports of models.
 */
#include "lib/model/model_object_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/model/model_object.h"

struct model_object_in {
	const struct site_conf *conf;
	struct digest *digest; /* NULL once it was asked for */
	unsigned char sha256[DIGEST_SIZE];
	char *path;
	int fd;
};

int
model_object_begin(const struct site_conf *conf, struct model_object_in **out)
{
	struct model_object_in *o = xcalloc(1, sizeof(*o));
	char id[ID_RANDOM_SIZE], *dir;
	int r;

	*out = NULL;
	o->conf = conf;
	o->fd = -1;
	id_random(id);
	dir = site_path(conf, "%s/objects", SITE_MODELS);
	o->path = xasprintf("%s/" MODEL_OBJECT_INCOMING "%s", dir, id);
	if ((r = fd_mkdirs(dir, 0770)) == 0 &&
	    (r = digest_begin(&o->digest)) == 0) {
		o->fd = open(
		    o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (o->fd < 0)
			r = err_set_errno(ERR_IO, "%s", o->path);
	}
	free(dir);
	if (r != 0) {
		model_object_abort(o);
		return r;
	}
	*out = o;
	return 0;
}

int
model_object_add(struct model_object_in *o, const void *data, size_t len)
{
	int r = digest_add(o->digest, data, len);

	return r != 0 ? r : fd_write_all(o->fd, data, len);
}

int
model_object_digest(
    struct model_object_in *o, unsigned char sha256[DIGEST_SIZE])
{
	int r = 0;

	if (o->digest != NULL)
		r = digest_end(o->digest, o->sha256);
	o->digest = NULL;
	memcpy(sha256, o->sha256, DIGEST_SIZE);
	return r;
}

int
model_object_end(struct model_object_in *o)
{
	unsigned char sha256[DIGEST_SIZE];
	char *dir, *path;
	int r;

	if ((r = model_object_digest(o, sha256)) != 0) {
		model_object_abort(o);
		return r;
	}
	path = model_object_path(o->conf, sha256);
	dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	if ((r = fd_mkdirs(dir, 0770)) == 0) {
		if (fsync(o->fd) != 0 || rename(o->path, path) != 0)
			r = err_set_errno(ERR_IO, "%s", path);
		else
			r = fd_sync_dir(dir);
	}
	free(dir);
	free(path);
	model_object_abort(o);
	return r;
}

void
model_object_abort(struct model_object_in *o)
{
	if (o == NULL)
		return;
	digest_free(o->digest);
	/* After model_object_end() it has another name. */
	if (o->fd >= 0 && unlink(o->path) != 0 && errno != ENOENT)
		log_warn("%s stays: %s", o->path, strerror(errno));
	fd_close(&o->fd);
	free(o->path);
	free(o);
}
