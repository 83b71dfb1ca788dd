/*
 * Following a file through its rotations.  Owned by refusals.c.
 */
#include "supervisor/refused_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define BITE (256 * 1024)
/* nginx goes on writing to a file that was renamed until it is told. */
#define QUIET_S 3
#define PUNCH_BYTES (INT64_C(1) << 20)
#define PAGE 4096

struct refused_log {
	char *folder;
	const char *name;
	struct db_front_at given; /* back to the disk, up to there */
};

struct refused_log *
refused_log_new(const char *folder, const char *name)
{
	struct refused_log *l = xcalloc(1, sizeof(*l));

	l->folder = xstrdup(folder);
	l->name = name;
	return l;
}

void
refused_log_free(struct refused_log *l)
{
	if (l == NULL)
		return;
	free(l->folder);
	free(l);
}

/*
 * A plain file with one name, whatever was put in its place: the folder is
 * not ours alone.  -1 when there is none.
 */
static int
open_file(int dir, const char *name, int mode, struct stat *st)
{
	int fd = openat(
	    dir, name, mode | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 &&
	    (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || st->st_nlink != 1))
		fd_close(&fd);
	return fd;
}

/* --- which file --------------------------------------------------------------- */

/* The names of all, the oldest first; the present one is the last. */
struct names {
	char **list;
	size_t n;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

/* Stamps are times: their order is that of the alphabet. */
static void
names_read(int dir, const char *name, struct names *names)
{
	size_t len = strlen(name);
	int copy = dup(dir);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;

	*names = (struct names){ NULL, 0 };
	while (d != NULL && (e = readdir(d)) != NULL)
		if (str_starts(e->d_name, name) && e->d_name[len] == '.') {
			names->list = xrealloc(
			    names->list, (names->n + 1) * sizeof(*names->list));
			names->list[names->n++] = xstrdup(e->d_name);
		}
	if (d != NULL)
		(void)closedir(d);
	else
		fd_close(&copy);
	if (names->n > 1)
		qsort(names->list, names->n, sizeof(*names->list), by_name);
	names->list =
	    xrealloc(names->list, (names->n + 1) * sizeof(*names->list));
	names->list[names->n++] = xstrdup(name);
}

/*
 * Open the file of that inode; *next is the one behind it, 0 when it is the
 * present one or gone.  -1 when it is gone.
 */
static int
find(int dir, const char *name, int64_t inode, int mode, struct stat *st,
    int64_t *next)
{
	struct names names;
	int fd = open_file(dir, name, mode, st), other;
	struct stat behind;

	*next = 0;
	if (fd >= 0 && (int64_t)st->st_ino == inode)
		return fd;
	fd_close(&fd);
	names_read(dir, name, &names);
	for (size_t i = 0; i < names.n && (fd < 0 || *next == 0); i++) {
		if (fd < 0) {
			fd = open_file(dir, names.list[i], mode, st);
			if (fd >= 0 && (int64_t)st->st_ino != inode)
				fd_close(&fd);
		} else if ((other = open_file(
				dir, names.list[i], O_RDONLY, &behind)) >= 0) {
			*next = (int64_t)behind.st_ino;
			fd_close(&other);
		}
	}
	names_free(&names);
	return fd;
}

/* --- reading ------------------------------------------------------------------- */

static bool
is_quiet(const struct stat *st)
{
	time_t last = st->st_mtime > st->st_ctime ? st->st_mtime : st->st_ctime;

	return time(NULL) - last > QUIET_S;
}

/*
 * Whole lines; a piece as long as a bite without an end of line is no line,
 * and is passed over as one.
 */
static int
read_lines(
    int fd, const char *name, int64_t offset, struct buf *out, int64_t *end)
{
	char *to = buf_reserve(out, BITE), *last;
	ssize_t n;

	while ((n = pread(fd, to, BITE, (off_t)offset)) < 0 && errno == EINTR)
		;
	if (n < 0)
		return err_set_errno(ERR_IO, "%s", name);
	last = memrchr(to, '\n', (size_t)n);
	if (last != NULL)
		n = last + 1 - to;
	else if (n < BITE)
		n = 0;
	out->len += (size_t)n;
	*end = offset + n;
	return 0;
}

static int
present(int dir, const char *name, int64_t *inode)
{
	struct stat st;
	int fd = open_file(dir, name, O_RDONLY, &st);

	*inode = fd >= 0 ? (int64_t)st.st_ino : 0;
	fd_close(&fd);
	return 0;
}

static int
read_from(int dir, const char *name, const struct db_front_at *from,
    struct buf *lines, struct db_front_at *to, bool *more)
{
	struct stat st;
	int64_t next;
	int fd, r;

	*to = *from;
	*more = false;
	if (to->inode == 0 && (r = present(dir, name, &to->inode)) != 0)
		return r;
	if (to->inode == 0)
		return 0; /* there is no file yet */
	if ((fd = find(dir, name, to->inode, O_RDONLY, &st, &next)) < 0) {
		log_warn("a rotated %s is gone before it was read", name);
		to->offset = 0;
		r = present(dir, name, &to->inode);
		*more = to->inode != 0;
		if (to->inode == 0)
			*to = *from; /* until there is one */
		return r;
	}
	if (st.st_size < to->offset)
		to->offset = 0; /* emptied in place */
	r = read_lines(fd, name, to->offset, lines, &to->offset);
	*more = to->offset != from->offset && st.st_size - to->offset > 0;
	if (r == 0 && lines->len == 0 && next != 0 && is_quiet(&st)) {
		*to = (struct db_front_at){ next, 0 };
		*more = true;
	}
	fd_close(&fd);
	return r;
}

int
refused_log_read(struct refused_log *l, const struct db_front_at *from,
    struct buf *lines, struct db_front_at *to, bool *more)
{
	int dir = open(l->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (dir < 0)
		return err_set_errno(ERR_IO, "%s", l->folder);
	r = read_from(dir, l->name, from, lines, to, more);
	fd_close(&dir);
	return r;
}

/* --- giving back ------------------------------------------------------------------- */

void
refused_log_done(struct refused_log *l, const struct db_front_at *at)
{
	int64_t end = at->offset / PAGE * PAGE, next;
	struct stat st;
	int dir, fd;

	if (l->given.inode != at->inode)
		l->given = (struct db_front_at){ at->inode, 0 };
	if (end < l->given.offset)
		l->given.offset = 0; /* emptied in place */
	if (end - l->given.offset < PUNCH_BYTES ||
	    (dir = open(l->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return;
	fd = find(dir, l->name, at->inode, O_RDWR, &st, &next);
	if (fd >= 0 &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		(off_t)l->given.offset, (off_t)(end - l->given.offset)) != 0)
		log_debug("%s keeps its room: %s", l->name, strerror(errno));
	l->given.offset = end;
	fd_close(&fd);
	fd_close(&dir);
}
