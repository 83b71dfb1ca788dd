/*
 * Hashing what is in a provider's folder.
 */
#include "lib/provider/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/seen.h"
#include "lib/base/str.h"
#include "lib/sign/digest.h"

static char *
manifest_path(const struct provider *p)
{
	return xasprintf("%s/manifest.json", p->folder);
}

static int
measure_file(const char *path, uint8_t out[DIGEST_SIZE])
{
	struct stat st;
	int fd, r;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s", path);
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else
		r = digest_fd(fd, (uint64_t)st.st_size, out);
	fd_close(&fd);
	return r;
}

int
provider_measure(const struct provider *p, char digest[PROVIDER_DIGEST_SIZE])
{
	uint8_t parts[2][DIGEST_SIZE], all[DIGEST_SIZE];
	char *manifest = manifest_path(p);
	int r;

	*digest = '\0';
	if ((r = measure_file(manifest, parts[0])) == 0 &&
	    (r = measure_file(p->program, parts[1])) == 0 &&
	    (r = digest_memory(parts, sizeof(parts), all)) == 0)
		str_to_hex(all, sizeof(all), digest);
	free(manifest);
	return r;
}

/* Looked at before they are read: what changes meanwhile is noticed later. */
static void
measure(struct provider *p)
{
	char *manifest = manifest_path(p);

	seen_free(p->measured);
	p->measured = seen_new();
	seen_add(p->measured, manifest);
	seen_add(p->measured, p->program);
	if (provider_measure(p, p->digest) != 0)
		err_clear();
	free(manifest);
}

void
providers_measure_small(struct providers *ps, int64_t max_bytes)
{
	struct stat st;

	for (size_t i = 0; i < providers_count(ps); i++) {
		struct provider *p = providers_item(ps, i);

		if (stat(p->program, &st) == 0 && st.st_size <= max_bytes)
			measure(p);
	}
}

void
providers_measure(struct providers *ps)
{
	for (size_t i = 0; i < providers_count(ps); i++)
		measure(providers_item(ps, i));
}

int
provider_digest(const struct provider *p, char digest[PROVIDER_DIGEST_SIZE])
{
	if (*p->digest == '\0' || p->measured == NULL ||
	    !seen_is_same(p->measured))
		return provider_measure(p, digest);
	memcpy(digest, p->digest, PROVIDER_DIGEST_SIZE);
	return 0;
}
