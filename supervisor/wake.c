/*
 * The supervisor's wake-up socket.  Owned by main.c; fcgi-app and shepherds
 * send to it.
 */
#include "supervisor/wake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

/* Datagrams read in one go; more wait for the loop's next turn. */
#define WAKE_BATCH 64

struct wake {
	struct loop_fd *watch;
	char *path;
	int fd;
	wake_fn *fn;
	void *ctx;
};

/* False when nothing is waiting. */
static bool
receive(struct wake *w, char text[WAKE_SIZE])
{
	ssize_t n = recv(w->fd, text, WAKE_SIZE - 1, MSG_DONTWAIT);

	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

static bool
is_known(char texts[][WAKE_SIZE], size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return true;
	return false;
}

static void
readable(void *ctx, int fd, int events)
{
	struct wake *w = ctx;
	char texts[WAKE_BATCH][WAKE_SIZE], job_id[ID_JOB_SIZE];
	unsigned what;
	size_t n = 0;

	(void)fd;
	(void)events;
	for (int i = 0; i < WAKE_BATCH && receive(w, texts[n]); i++)
		if (!is_known(texts, n, texts[n]))
			n++;
	for (size_t i = 0; i < n; i++) {
		site_wake_read(texts[i], job_id, &what);
		w->fn(w->ctx, job_id, what);
	}
}

int
wake_open(struct loop *loop, const char *path, wake_fn *fn, void *ctx,
    struct wake **out)
{
	struct wake *w = xcalloc(1, sizeof(*w));
	int r;

	*out = NULL;
	w->fd = -1;
	w->fn = fn;
	w->ctx = ctx;
	w->path = xstrdup(path);
	if ((r = fd_dgram_bind(path, &w->fd)) != 0 ||
	    (r = fd_set_nonblock(w->fd)) != 0 ||
	    (r = loop_fd_add(loop, w->fd, LOOP_READ, readable, w, &w->watch)) !=
		0) {
		wake_close(w);
		return err_wrap("wake-up socket %s", path);
	}
	*out = w;
	return 0;
}

void
wake_close(struct wake *w)
{
	if (w == NULL)
		return;
	loop_fd_del(w->watch);
	if (w->fd >= 0)
		(void)unlink(w->path);
	fd_close(&w->fd);
	free(w->path);
	free(w);
}
