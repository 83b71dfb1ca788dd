/*
 * template/download: example data, DSL and configuration as an archive.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/archive.h"
#include "fcgi-app/route.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"

/* Where the parts of the examples folder lie in the archive. */
static const struct {
	const char *folder;
	const char *name;
	bool is_data;
} trees[] = {
	{ "data", "fate_examples/data", true },
	{ "hetero_lr", "fateflow_examples/hetero_lr", false },
};
#define N_TREES (sizeof(trees) / sizeof(trees[0]))

/* The two tables that the example job reads. */
static bool
is_wanted(const char *name, bool is_data, bool min_data)
{
	if (name[0] == '.')
		return false;
	return !is_data || !min_data || str_eq(name, "breast_guest.csv") ||
	       str_eq(name, "breast_host.csv");
}

static int
add_file(
    struct archive_out *out, int folder, const char *file, const char *tree)
{
	int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *name;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) != 0) {
		r = err_set_errno(ERR_IO, "example %s", file);
	} else if (S_ISREG(st.st_mode)) {
		name = xasprintf("%s/%s", tree, file);
		r = archive_file(out, name, fd);
		free(name);
	}
	fd_close(&fd);
	return r;
}

static int
add_tree(
    struct archive_out *out, const char *examples, size_t tree, bool min_data)
{
	char *path = xasprintf("%s/%s", examples, trees[tree].folder);
	DIR *dir = opendir(path);
	struct dirent *e;
	int r = 0;

	if (dir == NULL)
		r = err_set_errno(ERR_IO, "examples %s", path);
	while (r == 0 && (e = readdir(dir)) != NULL)
		if (is_wanted(e->d_name, trees[tree].is_data, min_data))
			r = add_file(
			    out, dirfd(dir), e->d_name, trees[tree].name);
	if (dir != NULL)
		(void)closedir(dir);
	free(path);
	return r;
}

static int
send_templates(struct request *req, struct reply *rp)
{
	const char *examples = req->app->conf->examples_dir;
	bool min_data = request_flag(req, "min_data", false);
	struct archive_out *out = NULL;
	size_t i;
	int r;

	if ((r = archive_begin(rp, "template.tar.gz", &out)) != 0)
		return r;
	for (i = 0; i < N_TREES && r == 0; i++)
		r = add_tree(out, examples, i, min_data);
	if (r == 0) {
		r = archive_end(out);
		out = NULL;
	}
	archive_abort(out);
	return r;
}

int
api_template_download(struct request *req, struct reply *rp)
{
	const char *examples = req->app->conf->examples_dir;
	int r;

	/* Before the answer begins, which cannot be taken back. */
	if (access(examples, R_OK | X_OK) != 0)
		return reply_status(rp, 404,
		    "this site has no examples installed (examples_dir)");
	if ((r = turns_take(req->app->downloads)) == 0) {
		r = send_templates(req, rp);
		turns_give(req->app->downloads);
	} else if (r == ERR_BUSY) {
		r = reply_busy(rp);
	}
	return r;
}
