/*
 * Turns are record locks on the bytes of a file without a name: the kernel
 * gives back those of a process that dies.  Called by the downloads and errands.
 */
#include "fcgi-app/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

struct turns {
	int fd;
	int max;
	const char *what;
	int mine; /* the byte locked by this process, or -1 */
};

int
turns_new(int max, const char *what, struct turns **out)
{
	struct turns *t = xcalloc(1, sizeof(*t));

	*out = NULL;
	t->max = max;
	t->what = what;
	t->mine = -1;
	if ((t->fd = memfd_create("turns", MFD_CLOEXEC)) < 0) {
		free(t);
		return err_set_errno(ERR_INTERNAL, "memfd_create");
	}
	*out = t;
	return 0;
}

void
turns_free(struct turns *t)
{
	if (t == NULL)
		return;
	fd_close(&t->fd);
	free(t);
}

/* The lock is the process's, so a worker inherits none from its parent. */
static int
set_lock(const struct turns *t, int byte, short type)
{
	struct flock lock = { .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1 };

	return fcntl(t->fd, F_SETLK, &lock);
}

int
turns_take(struct turns *t)
{
	int i;

	if (t->mine >= 0)
		return 0;
	for (i = 0; i < t->max; i++) {
		if (set_lock(t, i, F_WRLCK) == 0) {
			t->mine = i;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return err_set_errno(ERR_INTERNAL, "turn");
	}
	return err_set(ERR_BUSY, "%d %s are under way already, try again later",
	    t->max, t->what);
}

bool
turns_has(const struct turns *t)
{
	return t->mine >= 0;
}

void
turns_give(struct turns *t)
{
	if (t->mine >= 0)
		(void)set_lock(t, t->mine, F_UNLCK);
	t->mine = -1;
}
