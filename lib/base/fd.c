/*
 * Descriptors and files.
 */
#include "lib/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/* Of a file that is copied. */
#define COPY_AT_ONCE (1u << 20)

void
fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

bool
fd_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int
fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(ERR_IO, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fd_read_exact(int fd, void *data, size_t len)
{
	char *p = data;
	ssize_t n;

	while (len > 0) {
		n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(ERR_IO, "read");
		if (n == 0)
			return err_set(ERR_CLOSED,
			    "end of file, %zu bytes "
			    "missing",
			    len);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set_errno(ERR_IO, "set non-blocking");
	return 0;
}

static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

int
fd_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0 || fsync(fd) != 0)
		r = err_set_errno(ERR_IO, "sync folder %s", path);
	fd_close(&fd);
	return r;
}

/* path: for messages. */
static int
write_synced(
    int fd, const char *path, const void *data, size_t len, mode_t mode)
{
	if (fd_write_all(fd, data, len) != 0)
		return err_wrap("%s", path);
	if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
		return err_set_errno(ERR_IO, "%s", path);
	return 0;
}

int
fd_replace_file(const char *path, const void *data, size_t len, mode_t mode)
{
	char *tmp = xasprintf("%s.tmpXXXXXX", path);
	char *dir = parent_of(path);
	int fd, r;

	if ((fd = mkostemp(tmp, O_CLOEXEC)) < 0) {
		r = err_set_errno(ERR_IO, "create %s", tmp);
		goto out;
	}
	r = write_synced(fd, tmp, data, len, mode);
	if (r == 0 && rename(tmp, path) != 0)
		r = err_set_errno(ERR_IO, "rename %s to %s", tmp, path);
	fd_close(&fd);
	if (r == 0)
		r = fd_sync_dir(dir);
	else
		(void)unlink(tmp);
out:
	free(tmp);
	free(dir);
	return r;
}

int
fd_new_file(const char *path, const void *data, size_t len, mode_t mode)
{
	char *dir;
	int fd, r;

	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(ERR_EXISTS, "%s is there already", path);
	if (fd < 0)
		return err_set_errno(ERR_IO, "create %s", path);
	r = write_synced(fd, path, data, len, mode);
	fd_close(&fd);
	if (r != 0) {
		(void)unlink(path);
		return r;
	}
	dir = parent_of(path);
	r = fd_sync_dir(dir);
	free(dir);
	return r;
}

/* From the end: mostly all but the last one or two are there. */
static int
make_folders(char *path, mode_t mode)
{
	char *slash;
	int r;

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	slash = strrchr(path, '/');
	if (errno != ENOENT || slash == NULL || slash == path)
		return err_set_errno(ERR_IO, "create folder %s", path);
	*slash = '\0';
	r = make_folders(path, mode);
	*slash = '/';
	if (r == 0 && mkdir(path, mode) != 0 && errno != EEXIST)
		r = err_set_errno(ERR_IO, "create folder %s", path);
	return r;
}

int
fd_mkdirs(const char *path, mode_t mode)
{
	char *p = xstrdup(path);
	struct stat st;
	int r = make_folders(p, mode);

	if (r == 0 && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
		r = err_set(ERR_IO, "%s is not a folder", path);
	free(p);
	return r;
}

/* What is deeper is moved up to the tree's root, and goes from there. */
#define DEPTH_MAX 16

struct removal {
	int top; /* the root */
	unsigned moved;
};

static int remove_at(
    struct removal *, int dir, const char *name, bool is_folder, int depth);

/* Whoever made it may not have let anybody list it. */
static int
open_folder(int dir, const char *name)
{
	const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, how);

	if (fd < 0 && errno == EACCES &&
	    fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(dir, name, how);
	return fd;
}

/* Nor to take anything out of the folder that is open as dir. */
static int
unlink_from(int dir, const char *name, int how)
{
	int r = unlinkat(dir, name, how);

	if (r != 0 && errno == EACCES && dir != AT_FDCWD) {
		if (fchmod(dir, 0700) == 0)
			r = unlinkat(dir, name, how);
		else
			errno = EACCES;
	}
	return r;
}

/* To a name that nobody has there.  It has another folder above it then. */
static int
move_up(struct removal *rm, int dir, const char *name)
{
	char to[32];

	if (fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set_errno(ERR_IO, "remove %s", name);
	do {
		(void)snprintf(to, sizeof(to), ".deep-%u", rm->moved++);
		if (renameat(dir, name, rm->top, to) == 0)
			return 0;
	} while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
	return err_set_errno(ERR_IO, "remove %s", name);
}

static int
remove_entries(struct removal *rm, DIR *d, int depth)
{
	struct dirent *e;
	int r = 0;

	while (r == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = remove_at(rm, dirfd(d), e->d_name,
			    e->d_type == DT_DIR, depth);
	return r;
}

static int
remove_full(struct removal *rm, int dir, const char *name, int depth)
{
	unsigned before;
	DIR *d;
	int fd, r;

	if (depth > DEPTH_MAX)
		return move_up(rm, dir, name);
	if ((fd = open_folder(dir, name)) < 0)
		return err_set_errno(ERR_IO, "remove %s", name);
	if ((d = fdopendir(fd)) == NULL) {
		fd_close(&fd);
		return err_set_errno(ERR_IO, "remove %s", name);
	}
	if (depth == 0)
		rm->top = fd;
	do {
		before = rm->moved;
		rewinddir(d);
		r = remove_entries(rm, d, depth + 1);
	} while (r == 0 && depth == 0 && rm->moved != before);
	(void)closedir(d);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		r = err_set_errno(ERR_IO, "remove folder %s", name);
	return r;
}

/* is_folder: so we think; most of those that are removed are empty. */
static int
remove_at(
    struct removal *rm, int dir, const char *name, bool is_folder, int depth)
{
	if (unlink_from(dir, name, is_folder ? AT_REMOVEDIR : 0) == 0 ||
	    errno == ENOENT)
		return 0;
	if (is_folder && errno == ENOTDIR)
		return remove_at(rm, dir, name, false, depth);
	if (is_folder ? errno == ENOTEMPTY || errno == EEXIST
		      : errno == EISDIR || errno == EPERM)
		return remove_full(rm, dir, name, depth);
	return err_set_errno(ERR_IO, "remove %s", name);
}

int
fd_each(const char *path, int most, fd_entry_fn *fn, void *ctx)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;

	if (d == NULL)
		return errno == ENOENT ? 0 : err_set_errno(ERR_IO, "%s", path);
	while (r == 0 && most > 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0) {
			r = fn(ctx, dirfd(d), e->d_name);
			most--;
		}
	(void)closedir(d);
	return r;
}

int
fd_remove_tree(const char *path)
{
	struct removal rm = { -1, 0 };

	return remove_at(&rm, AT_FDCWD, path, true, 0);
}

static int
copy_file(int from, int to, const char *name, mode_t mode)
{
	int in, out = -1, r = 0;
	ssize_t n = 1;
	struct stat st;

	in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (in < 0 || fstat(in, &st) != 0)
		r = err_set_errno(ERR_IO, "open %s", name);
	else if (!S_ISREG(st.st_mode))
		r = err_set(ERR_FORMAT, "%s is no plain file", name);
	else if ((out = openat(to, name,
		      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)) < 0)
		r = err_set_errno(ERR_IO, "create %s", name);
	while (r == 0 && n != 0)
		if ((n = sendfile(out, in, NULL, COPY_AT_ONCE)) < 0 &&
		    errno != EINTR)
			r = err_set_errno(ERR_IO, "copy %s", name);
	if (r == 0 && (fchmod(out, mode) != 0 || fsync(out) != 0))
		r = err_set_errno(ERR_IO, "write %s", name);
	fd_close(&in);
	fd_close(&out);
	return r;
}

int
fd_copy_folder(int from, const char *to, mode_t folder, mode_t file)
{
	int dir = -1, list, r = 0;
	struct dirent *e;
	DIR *d = NULL;

	/* Not dup(): the two would share the place in the listing. */
	list = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list < 0 || (d = fdopendir(list)) == NULL) {
		fd_close(&list);
		return err_set_errno(ERR_IO, "list folder");
	}
	if (mkdir(to, folder) != 0 || chmod(to, folder) != 0 ||
	    (dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = err_set_errno(ERR_IO, "create folder %s", to);
	while (r == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = copy_file(from, dir, e->d_name, file);
	if (r == 0 && fsync(dir) != 0)
		r = err_set_errno(ERR_IO, "sync folder %s", to);
	(void)closedir(d);
	if (r != 0 && dir >= 0)
		(void)fd_remove_tree(to);
	fd_close(&dir);
	return r;
}

int
fd_memfd(const char *name, const void *data, size_t len, int *out)
{
	int fd, r;

	*out = -1;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set_errno(ERR_IO, "memfd_create");
	if ((r = fd_write_all(fd, data, len)) == 0 &&
	    (lseek(fd, 0, SEEK_SET) != 0 ||
		fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) !=
		    0))
		r = err_set_errno(ERR_IO, "seal memfd");
	if (r != 0) {
		fd_close(&fd);
		return r;
	}
	*out = fd;
	return 0;
}

static int
unix_address(const char *path, struct sockaddr_un *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path))
		return err_set(ERR_INVALID, "socket path longer than %zu: %s",
		    sizeof(sa->sun_path) - 1, path);
	memcpy(sa->sun_path, path, strlen(path));
	return 0;
}

int
fd_dgram_bind(const char *path, int *out)
{
	struct sockaddr_un sa;
	int fd, r;

	*out = -1;
	if ((r = unix_address(path, &sa)) != 0)
		return r;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(ERR_IO, "socket");
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		r = err_set_errno(ERR_IO, "bind %s", path);
		fd_close(&fd);
		return r;
	}
	*out = fd;
	return 0;
}

int
fd_dgram_send(const char *path, const void *data, size_t len)
{
	struct sockaddr_un sa;
	int fd, r;

	if ((r = unix_address(path, &sa)) != 0)
		return r;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(ERR_IO, "socket");
	if (sendto(fd, data, len, MSG_NOSIGNAL, (struct sockaddr *)&sa,
		sizeof(sa)) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS)
			r = err_set_errno(ERR_BUSY, "%s", path);
		else
			r = err_set_errno(ERR_CLOSED, "%s", path);
	}
	fd_close(&fd);
	return r;
}
