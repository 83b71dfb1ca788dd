/*
 * statvfs() of the site's folders.  Called before work is taken, and by a
 * detector.
 */
#include "lib/conf/site_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define MEMORY_KEEP_MB 16

/* A folder that is made when it is needed will be where its parent is. */
static int
stat_or_parent(struct site_disk *d, struct statvfs *fs)
{
	char *slash;

	while (statvfs(d->path, fs) != 0) {
		slash = strrchr(d->path, '/');
		if (errno != ENOENT || slash == NULL || slash == d->path)
			return -1;
		*slash = '\0';
	}
	return 0;
}

static void
look(struct site_disk *d, int64_t keep_mb)
{
	struct statvfs fs;
	int64_t free_mb;

	d->free_bytes = d->inodes_free = -1;
	if (stat_or_parent(d, &fs) != 0) {
		d->is_full = true;
		(void)snprintf(d->need, sizeof(d->need),
		    "it cannot be seen: %s", strerror(errno));
		return;
	}
	d->free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	if (fs.f_files > 0)
		d->inodes_free = (int64_t)fs.f_favail;
	free_mb = d->free_bytes >> 20;
	if (free_mb < keep_mb)
		(void)snprintf(d->need, sizeof(d->need),
		    "%lld MB are free, %lld MB must stay", (long long)free_mb,
		    (long long)keep_mb);
	else if (d->inodes_free == 0)
		(void)snprintf(
		    d->need, sizeof(d->need), "no more files can be made");
	else
		return;
	d->is_full = true;
}

void
site_disks(const struct site_conf *c, struct site_disk out[SITE_DISKS])
{
	int64_t keep = c->upload_keep_free_mb, small = keep;
	char *spool = site_path(c, "%s/upload", SITE_SPOOL);
	const struct {
		const char *name;
		const char *path;
	} all[SITE_DISKS] = { { "home", c->home }, { "spool", spool },
		{ "memory", c->mailbox_memory_dir } };
	int i;

	if (small > MEMORY_KEEP_MB)
		small = MEMORY_KEEP_MB;
	for (i = 0; i < SITE_DISKS; i++) {
		out[i] = (struct site_disk){ .name = all[i].name };
		(void)snprintf(
		    out[i].path, sizeof(out[i].path), "%s", all[i].path);
		look(&out[i], i == SITE_DISKS - 1 ? small : keep);
	}
	free(spool);
}

int
site_disk_check(const struct site_conf *c)
{
	struct site_disk disks[SITE_DISKS];
	int i;

	site_disks(c, disks);
	for (i = 0; i < SITE_DISKS; i++)
		if (disks[i].is_full)
			return err_set(ERR_BUSY,
			    "this site takes no work now: its disk for %s is "
			    "full (%s)",
			    disks[i].name, disks[i].need);
	return 0;
}
