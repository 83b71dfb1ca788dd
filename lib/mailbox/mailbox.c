/*
 * Mailbox folders: deposit, look, consume.  fcgi-app deposits what partners
 * send, a shepherd what stays inside the site; the receiving shepherd reads.
 */
#include "lib/mailbox/mailbox_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/mailbox/name.h"

#define USAGE_FILE ".usage"
#define NEW_FILE ".new-"
#define FOLDER_MODE 0770
#define FILE_MODE 0640
#define USAGE_MODE 0660 /* changed by fcgi-app and shepherds */
#define COPY_STEP (64u << 10)

struct folders {
	char *mem;
	char *disk;
};

static void
folders_free(struct folders *f)
{
	free(f->mem);
	free(f->disk);
	f->mem = f->disk = NULL;
}

static int
folders_of(const struct site_conf *conf, const struct mailbox_task *t,
    struct folders *f)
{
	char task[MAILBOX_TASK_SIZE];
	int r;

	f->mem = f->disk = NULL;
	if ((r = mailbox_task_name(t, task)) != 0)
		return r;
	f->mem = xasprintf("%s/%s", conf->mailbox_memory_dir, task);
	f->disk = site_path(conf, "%s/%s", SITE_MAILBOX, task);
	return 0;
}

int
mailbox_create(const struct site_conf *conf, const struct mailbox_task *t)
{
	struct folders f;
	char *usage = NULL;
	int fd = -1, r;

	if ((r = folders_of(conf, t, &f)) != 0)
		return r;
	if ((r = fd_mkdirs(f.disk, FOLDER_MODE)) != 0 ||
	    (r = fd_mkdirs(f.mem, FOLDER_MODE)) != 0)
		goto out;
	usage = xasprintf("%s/%s", f.mem, USAGE_FILE);
	fd = open(usage, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, USAGE_MODE);
	if (fd < 0)
		r = err_set_errno(ERR_IO, "create %s", usage);
out:
	fd_close(&fd);
	free(usage);
	folders_free(&f);
	return r;
}

int
mailbox_remove(const struct site_conf *conf, const struct mailbox_task *t)
{
	struct folders f;
	int r, r2;

	if ((r = folders_of(conf, t, &f)) != 0)
		return r;
	r = fd_remove_tree(f.mem);
	r2 = fd_remove_tree(f.disk);
	folders_free(&f);
	return r != 0 ? r : r2;
}

static int
open_folder(int at, const char *path, int flags, int *out)
{
	*out = openat(at, path, flags | O_CLOEXEC | O_NOFOLLOW);
	if (*out >= 0)
		return 0;
	if (errno == ENOENT)
		return err_set(ERR_NOT_FOUND, "the task has no mailbox");
	return err_set_errno(ERR_IO, "open %s", path);
}

int
mailbox_open(const struct site_conf *conf, const struct mailbox_task *t,
    struct mailbox **out)
{
	struct mailbox *mb = xcalloc(1, sizeof(*mb));
	struct folders f;
	int r;

	*out = NULL;
	mb->mem_fd = mb->disk_fd = mb->usage_fd = -1;
	mb->max_bytes = conf->mailbox_max_bytes;
	mb->max_objects = conf->mailbox_max_objects;
	if ((r = folders_of(conf, t, &f)) != 0)
		goto out;
	if ((r = open_folder(
		 AT_FDCWD, f.mem, O_RDONLY | O_DIRECTORY, &mb->mem_fd)) != 0 ||
	    (r = open_folder(AT_FDCWD, f.disk, O_RDONLY | O_DIRECTORY,
		 &mb->disk_fd)) != 0 ||
	    (r = open_folder(mb->mem_fd, USAGE_FILE, O_RDWR, &mb->usage_fd)) !=
		0)
		goto out;
	*out = mb;
	mb = NULL;
out:
	folders_free(&f);
	mailbox_close(mb);
	return r;
}

void
mailbox_close(struct mailbox *mb)
{
	if (mb == NULL)
		return;
	fd_close(&mb->mem_fd);
	fd_close(&mb->disk_fd);
	fd_close(&mb->usage_fd);
	free(mb);
}

/* --- deposit ------------------------------------------------------------ */

static int
same_content(int a, int b, bool *same)
{
	struct stat sa, sb;
	char *x = NULL, *y = NULL;
	ssize_t n, m;
	off_t at = 0;
	int r = 0;

	*same = false;
	if (fstat(a, &sa) != 0 || fstat(b, &sb) != 0)
		return err_set_errno(ERR_IO, "compare objects");
	if (sa.st_size != sb.st_size)
		return 0;
	x = xmalloc(COPY_STEP);
	y = xmalloc(COPY_STEP);
	while (at < sa.st_size) {
		n = pread(a, x, COPY_STEP, at);
		m = pread(b, y, COPY_STEP, at);
		if (n <= 0 || m <= 0) {
			r = err_set_errno(ERR_IO, "compare objects");
			goto out;
		}
		n = n < m ? n : m;
		if (memcmp(x, y, (size_t)n) != 0)
			goto out;
		at += n;
	}
	*same = true;
out:
	free(x);
	free(y);
	return r;
}

/*
 * 0 and *there when dir holds the same content under file; ERR_CONFLICT when
 * it holds another.
 */
static int
check_existing(int dir, const char *file, int fd, bool *there)
{
	int old = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	*there = false;
	if (old < 0 && errno == ENOENT)
		return 0;
	if (old < 0)
		return err_set_errno(ERR_IO, "open %s in mailbox", file);
	r = same_content(old, fd, there);
	fd_close(&old);
	if (r == 0 && !*there)
		r = err_set(ERR_CONFLICT,
		    "object %s is there with other "
		    "content",
		    file);
	return r;
}

/* Give an open file a name; the source may have none yet (O_TMPFILE). */
static int
link_fd(int fd, int dir, const char *file)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dir, file, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno == ENOENT)
		return err_set(ERR_NOT_FOUND, "the mailbox went away");
	return err_set_errno(ERR_IO, "keep object %s", file);
}

/* Name fd's file of len bytes in one of the two folders. */
static int
keep(struct mailbox *mb, const struct mailbox_object *o, int fd, uint64_t len,
    bool small)
{
	int dir = small ? mb->mem_fd : mb->disk_fd;
	int other = small ? mb->disk_fd : mb->mem_fd;
	char file[MAILBOX_FILE_SIZE];
	struct usage u;
	bool there;
	int r;

	if ((r = mailbox_file_name(o, file)) != 0)
		return r;
	if ((r = mailbox_lock(mb, &u)) != 0)
		return r;
	if ((r = check_existing(dir, file, fd, &there)) != 0 || there)
		goto out;
	if ((r = check_existing(other, file, fd, &there)) != 0 || there)
		goto out;
	if ((r = mailbox_count_add(mb, &u, o, len)) != 0)
		goto out;
	if ((r = link_fd(fd, dir, file)) != 0) {
		u.objects--;
		u.bytes -= (int64_t)len;
		(void)mailbox_count(mb, &u);
	}
out:
	mailbox_unlock(mb);
	return r;
}

/* A removed folder stays open; file systems differ in what they say then. */
static bool
is_removed(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_nlink == 0;
}

/* A file that is in the mailbox only when it is complete. */
struct fresh {
	int dir;
	int fd;
	char name[sizeof(NEW_FILE) + ID_RANDOM_SIZE]; /* "": it has none */
};

static void
fresh_close(struct fresh *f)
{
	if (f->fd >= 0 && f->name[0] != '\0')
		(void)unlinkat(f->dir, f->name, 0);
	fd_close(&f->fd);
}

/*
 * Where the file system has no files without a name (those of networks), the
 * name begins with a dot, is not counted, and goes when the object has its own.
 */
static int
fresh_open(int dir, struct fresh *f)
{
	char id[ID_RANDOM_SIZE];

	f->dir = dir;
	f->name[0] = '\0';
	f->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		id_random(id);
		(void)snprintf(f->name, sizeof(f->name), "%s%s", NEW_FILE, id);
		f->fd = openat(dir, f->name,
		    O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, FILE_MODE);
	}
	if (f->fd >= 0)
		return 0;
	if (errno == ENOENT || is_removed(dir))
		return err_set(ERR_NOT_FOUND, "the mailbox went away");
	return err_set_errno(ERR_IO, "new object in mailbox");
}

int
mailbox_put_bytes(struct mailbox *mb, const struct mailbox_object *o,
    const void *data, size_t len)
{
	struct fresh f;
	int r;

	if (len > MAILBOX_SMALL_MAX)
		return err_set(ERR_LIMIT,
		    "small object of %zu bytes, limit "
		    "%u",
		    len, MAILBOX_SMALL_MAX);
	if (o->parts != 1)
		return err_set(ERR_INVALID, "a small object has one part");
	if ((r = fresh_open(mb->mem_fd, &f)) != 0)
		return r;
	if ((r = fd_write_all(f.fd, data, len)) == 0)
		r = keep(mb, o, f.fd, len, true);
	fresh_close(&f);
	return r;
}

/* A host's own spool, and a mailbox that all hosts share. */
static bool
is_elsewhere(int dir, const struct stat *file)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_dev != file->st_dev;
}

int
mailbox_put_file(
    struct mailbox *mb, const struct mailbox_object *o, const char *path)
{
	struct stat st;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set_errno(ERR_IO, "open %s", path);
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else if (!S_ISREG(st.st_mode))
		r = err_set(ERR_INVALID, "%s is no plain file", path);
	else if (is_elsewhere(mb->disk_fd, &st))
		r = mailbox_put_fd(mb, o, fd, 0, (uint64_t)st.st_size);
	else
		r = keep(mb, o, fd, (uint64_t)st.st_size, false);
	fd_close(&fd);
	return r;
}

/* Copy len bytes of in from offset to the place out stands at. */
static int
copy_range(int in, uint64_t offset, uint64_t len, int out)
{
	char *p = xmalloc(COPY_STEP);
	ssize_t n;
	int r = 0;

	while (r == 0 && len > 0) {
		n = pread(in, p, len < COPY_STEP ? (size_t)len : COPY_STEP,
		    (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_set_errno(ERR_IO, "read object");
		} else if (n == 0) {
			r = err_set(ERR_FORMAT,
			    "object is %llu bytes shorter "
			    "than said",
			    (unsigned long long)len);
		} else {
			r = fd_write_all(out, p, (size_t)n);
			offset += (uint64_t)n;
			len -= (uint64_t)n;
		}
	}
	free(p);
	return r;
}

int
mailbox_put_fd(struct mailbox *mb, const struct mailbox_object *o, int in,
    uint64_t offset, uint64_t len)
{
	bool small = len <= MAILBOX_SMALL_MAX && o->parts == 1;
	struct fresh f;
	int r;

	if ((r = fresh_open(small ? mb->mem_fd : mb->disk_fd, &f)) != 0)
		return r;
	if ((r = copy_range(in, offset, len, f.fd)) == 0)
		r = keep(mb, o, f.fd, len, small);
	fresh_close(&f);
	return r;
}

/* --- look and consume --------------------------------------------------- */

/*
 * In how many parts the object id was cut, by any part that is there; 0 when
 * there is none.
 */
static int
find_parts(int dir, const char *id, uint32_t *parts)
{
	struct dirent *e;
	const char *dash;
	int64_t m;
	DIR *d;
	int r;

	*parts = 0;
	if ((r = mailbox_list(dir, &d)) != 0)
		return r;
	while (r == 0 && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, id, MAILBOX_ID_SIZE - 1) != 0 ||
		    (dash = strchr(e->d_name, '-')) == NULL)
			continue;
		if ((r = str_to_int64(dash + 1, 2, MAILBOX_MAX_PARTS, &m)) != 0)
			break;
		if (*parts != 0 && *parts != (uint32_t)m)
			r = err_set(ERR_FORMAT,
			    "object %s came cut in %u and "
			    "in %u parts",
			    id, *parts, (uint32_t)m);
		*parts = (uint32_t)m;
	}
	(void)closedir(d);
	return r;
}

static int
open_piece(int dir, const char *file, struct mailbox_found *f, uint32_t i)
{
	struct stat st;

	f->fd[i] = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd[i] < 0 && errno == ENOENT)
		return ERR_NOT_FOUND;
	if (f->fd[i] < 0 || fstat(f->fd[i], &st) != 0)
		return err_set_errno(ERR_IO, "open object %s", file);
	f->bytes += (uint64_t)st.st_size;
	return 0;
}

int
mailbox_get(
    struct mailbox *mb, const struct mailbox_object *o, struct mailbox_found *f)
{
	struct mailbox_object part = *o;
	char id[MAILBOX_ID_SIZE], file[MAILBOX_FILE_SIZE];
	uint32_t i, parts = 0;
	int r;

	f->parts = 0;
	f->bytes = 0;
	f->fd[0] = -1;
	if ((r = mailbox_object_id(o, id)) != 0)
		return r;
	f->parts = 1;
	r = open_piece(mb->mem_fd, id, f, 0);
	if (r == ERR_NOT_FOUND)
		r = open_piece(mb->disk_fd, id, f, 0);
	if (r == 0)
		return 0;
	if (r == ERR_NOT_FOUND)
		r = find_parts(mb->disk_fd, id, &parts);
	if (r == 0 && parts == 0)
		r = ERR_NOT_FOUND;
	if (r != 0)
		goto fail;
	f->parts = part.parts = parts;
	for (i = 0; i < parts; i++)
		f->fd[i] = -1;
	for (i = 0; r == 0 && i < parts; i++) {
		part.part = i;
		if ((r = mailbox_file_name(&part, file)) == 0)
			r = open_piece(mb->disk_fd, file, f, i);
	}
	if (r == 0)
		return 0;
fail:
	mailbox_found_close(f);
	return r;
}

void
mailbox_found_close(struct mailbox_found *f)
{
	uint32_t i;

	for (i = 0; i < f->parts; i++)
		fd_close(&f->fd[i]);
	f->parts = 0;
}

static void
drop_file(int dir, const char *file, struct usage *u)
{
	struct stat st;

	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    unlinkat(dir, file, 0) != 0)
		return;
	u->objects--;
	u->bytes -= st.st_size;
}

int
mailbox_consume(struct mailbox *mb, const struct mailbox_object *o)
{
	struct mailbox_object part = *o;
	char id[MAILBOX_ID_SIZE], file[MAILBOX_FILE_SIZE];
	struct usage u;
	uint32_t parts;
	int r;

	if ((r = mailbox_object_id(o, id)) != 0)
		return r;
	if ((r = mailbox_lock(mb, &u)) != 0)
		return r;
	drop_file(mb->mem_fd, id, &u);
	drop_file(mb->disk_fd, id, &u);
	if ((r = find_parts(mb->disk_fd, id, &parts)) != 0)
		goto out;
	part.parts = parts;
	for (part.part = 0; part.part < parts; part.part++)
		if (mailbox_file_name(&part, file) == 0)
			drop_file(mb->disk_fd, file, &u);
	r = mailbox_count(mb, &u);
out:
	mailbox_unlock(mb);
	return r;
}

int
mailbox_drop(struct mailbox *mb, const char *file)
{
	struct usage u;
	int r;

	if (strspn(file, "0123456789abcdef.-") != strlen(file) ||
	    strlen(file) < MAILBOX_ID_SIZE - 1 || file[0] == '.')
		return err_set(ERR_INVALID, "no name of an object");
	if ((r = mailbox_lock(mb, &u)) != 0)
		return r;
	drop_file(mb->mem_fd, file, &u);
	drop_file(mb->disk_fd, file, &u);
	r = mailbox_count(mb, &u);
	mailbox_unlock(mb);
	return r;
}
