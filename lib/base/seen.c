/*
 * What stat(2) said about a list of paths.  The time of the inode's change
 * (ctime) is among it: unlike that of the content's, no program can set it.
 */
#include "lib/base/seen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

/* Some file systems keep even seconds only. */
#define SETTLED_MS 2000

struct seen_file {
	char *path;
	struct stat st;
	bool is_there;
	bool is_settled;
};

struct seen {
	struct seen_file *files;
	size_t n;
};

struct seen *
seen_new(void)
{
	return xcalloc(1, sizeof(struct seen));
}

void
seen_free(struct seen *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->files[i].path);
	free(s->files);
	free(s);
}

void
seen_add(struct seen *s, const char *path)
{
	struct seen_file *f;
	int64_t now = clock_file_ms(), changed;

	s->files = xrealloc(s->files, (s->n + 1) * sizeof(*s->files));
	f = &s->files[s->n++];
	memset(f, 0, sizeof(*f));
	f->path = xstrdup(path);
	f->is_there = stat(path, &f->st) == 0;
	changed = (int64_t)f->st.st_ctim.tv_sec * 1000 +
		  f->st.st_ctim.tv_nsec / 1000000;
	f->is_settled = !f->is_there || changed <= now - SETTLED_MS;
}

static bool
is_same(const struct seen_file *f)
{
	struct stat st;

	if (stat(f->path, &st) != 0)
		return !f->is_there;
	return f->is_there && f->is_settled && fd_same_file(&st, &f->st) &&
	       st.st_ctim.tv_sec == f->st.st_ctim.tv_sec &&
	       st.st_ctim.tv_nsec == f->st.st_ctim.tv_nsec;
}

bool
seen_is_same(const struct seen *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!is_same(&s->files[i]))
			return false;
	return true;
}
