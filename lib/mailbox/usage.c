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
#include "lib/mailbox/name.h"

#define WISH ".wish"
#define WISH_MODE 0660

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
has_room(const struct mailbox *mb, const struct usage *u, uint64_t len,
    int64_t times)
{
	return u->objects < mb->max_objects * times &&
	       u->bytes + (int64_t)len <= mb->max_bytes * times;
}

int
mailbox_wish(struct mailbox *mb, const struct mailbox_object *o)
{
	char id[MAILBOX_ID_SIZE] = "";
	int fd, r;

	if (o == NULL) {
		(void)unlinkat(mb->mem_fd, WISH, 0);
		return 0;
	}
	if ((r = mailbox_object_id(o, id)) != 0)
		return r;
	fd = openat(mb->mem_fd, WISH,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, WISH_MODE);
	if (fd < 0 || pwrite(fd, id, sizeof(id), 0) != (ssize_t)sizeof(id))
		r = err_set_errno(ERR_IO, "write the mailbox's wish");
	fd_close(&fd);
	return r;
}

static bool
is_wished(const struct mailbox *mb, const struct mailbox_object *o)
{
	char id[MAILBOX_ID_SIZE], wish[MAILBOX_ID_SIZE];
	int fd = openat(mb->mem_fd, WISH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is = fd >= 0 &&
		  pread(fd, wish, sizeof(wish), 0) == (ssize_t)sizeof(wish) &&
		  mailbox_object_id(o, id) == 0 &&
		  memcmp(id, wish, sizeof(id)) == 0;

	fd_close(&fd);
	return is;
}

int
mailbox_count_add(struct mailbox *mb, struct usage *u,
    const struct mailbox_object *o, uint64_t len)
{
	int r;

	if (len > INT64_MAX / 4 ||
	    (int64_t)len > mb->max_bytes / (int64_t)o->parts)
		return err_set(ERR_LIMIT,
		    "object of %u times %llu bytes, a mailbox "
		    "holds %lld",
		    o->parts, (unsigned long long)len,
		    (long long)mb->max_bytes);
	if (!has_room(mb, u, len, 1)) {
		memset(u, 0, sizeof(*u));
		if ((r = count_folder(mb->mem_fd, u)) != 0 ||
		    (r = count_folder(mb->disk_fd, u)) != 0)
			return r;
		if ((r = mailbox_count(mb, u)) != 0)
			return r;
	}
	if (!has_room(mb, u, len, 1) &&
	    !(is_wished(mb, o) && has_room(mb, u, len, 2)))
		return err_set(ERR_BUSY,
		    "mailbox is full: %lld objects, "
		    "%lld bytes",
		    (long long)u->objects, (long long)u->bytes);
	u->objects++;
	u->bytes += (int64_t)len;
	return mailbox_count(mb, u);
}
