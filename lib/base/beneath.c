/*
 * openat2(2).  Called for files that tables are bound to, and exports.
 */
#include "lib/base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

/* EAGAIN: something was renamed meanwhile, the kernel could not be sure. */
#define TRIES 16

int
beneath_open_at(
    int root, const char *path, int flags, unsigned int mode, int *out)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int i;

	*out = -1;
	for (i = 0; i < TRIES && *out < 0; i++) {
		*out = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (*out < 0 && errno != EAGAIN && errno != EINTR)
			break;
	}
	if (*out >= 0)
		return 0;
	switch (errno) {
	case EXDEV:
	case ELOOP:
		return err_set(
		    ERR_DENIED, "'%.200s' leads out of the folder", path);
	case ENOENT:
	case ENOTDIR:
		return err_set(ERR_NOT_FOUND, "there is no '%.200s'", path);
	case ENOSYS:
		return err_set(ERR_UNSUPPORTED,
		    "this kernel cannot open files beneath a folder");
	default:
		return err_set_errno(ERR_IO, "open '%.200s'", path);
	}
}

int
beneath_open(
    const char *root, const char *path, int flags, unsigned int mode, int *out)
{
	int fd, r;

	*out = -1;
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "folder %s", root);
	r = beneath_open_at(fd, path, flags, mode, out);
	fd_close(&fd);
	return r;
}

const char *
beneath_rest(const char *root, const char *path)
{
	size_t n = strlen(root);

	if (path[0] != '/')
		return path;
	while (n > 0 && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0 || path[n] != '/')
		return NULL;
	path += n;
	return path + strspn(path, "/");
}
