/*
 * A file in the memory folder counts bytes and objects.  It is changed under
 * its flock, which also orders deposits of one identity.  A program that dies
 * between link and count leaves the count wrong until a deposit is refused for
 * it: the refusal counts anew first.
 */
#include "lib/mailbox/mailbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

int
mailbox_lock(struct mailbox *mb, struct usage *u)
{
	ssize_t n;

	memset(u, 0, sizeof(*u));
	while (flock(mb->usage_fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return err_set_errno(ERR_IO, "lock mailbox");
	n = pread(mb->usage_fd, u, sizeof(*u), 0);
	if (n == sizeof(*u) || n == 0) /* empty: nothing counted yet */
		return 0;
	(void)flock(mb->usage_fd, LOCK_UN);
	return err_set_errno(ERR_IO, "read the mailbox's count");
}

void
mailbox_unlock(struct mailbox *mb)
{
	(void)flock(mb->usage_fd, LOCK_UN);
}

int
mailbox_count(struct mailbox *mb, struct usage *u)
{
	/* The files are right, whatever a dead program left in the count. */
	if (u->objects < 0)
		u->objects = 0;
	if (u->bytes < 0)
		u->bytes = 0;
	if (pwrite(mb->usage_fd, u, sizeof(*u), 0) != sizeof(*u))
		return err_set_errno(ERR_IO, "write the mailbox's count");
	return 0;
}

int
mailbox_list(int dir, DIR **out)
{
	/* Not dup(): the two would share the place in the listing. */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (*out = fdopendir(fd)) == NULL) {
		fd_close(&fd);
		*out = NULL;
		return err_set_errno(ERR_IO, "list mailbox");
	}
	return 0;
}

static int
count_folder(int dir, struct usage *u)
{
	struct dirent *e;
	struct stat st;
	DIR *d;
	int r;

	if ((r = mailbox_list(dir, &d)) != 0)
		return r;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' ||
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		u->objects++;
		u->bytes += st.st_size;
	}
	(void)closedir(d);
	return 0;
}

static bool
has_room(const struct mailbox *mb, const struct usage *u, uint64_t len)
{
	return u->objects < mb->max_objects &&
	       u->bytes + (int64_t)len <= mb->max_bytes;
}

/* Reserve room for one file of len bytes; the lock is held. */
int
mailbox_count_add(struct mailbox *mb, struct usage *u, uint64_t len)
{
	int r;

	if (len > INT64_MAX / 2 || (int64_t)len > mb->max_bytes)
		return err_set(ERR_LIMIT,
		    "object of %llu bytes, a mailbox "
		    "holds %lld",
		    (unsigned long long)len, (long long)mb->max_bytes);
	if (!has_room(mb, u, len)) {
		memset(u, 0, sizeof(*u));
		if ((r = count_folder(mb->mem_fd, u)) != 0 ||
		    (r = count_folder(mb->disk_fd, u)) != 0)
			return r;
		if ((r = mailbox_count(mb, u)) != 0)
			return r;
	}
	if (!has_room(mb, u, len))
		return err_set(ERR_BUSY,
		    "mailbox is full: %lld objects, "
		    "%lld bytes",
		    (long long)u->objects, (long long)u->bytes);
	u->objects++;
	u->bytes += (int64_t)len;
	return mailbox_count(mb, u);
}
