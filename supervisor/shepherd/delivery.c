/*
 * Files and rows for outside.  Driven by session.c (the frame) and control.c
 * (the end).
 */
#include "supervisor/shepherd/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/data/export.h"
#include "lib/engine/csv.h"
#include "supervisor/shepherd/background.h"
#include "supervisor/shepherd/outside.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

struct delivery {
	struct shepherd *shepherd;
	struct background *thread;
	bool has_file;
	bool is_done;
	char *file; /* below /out */
	char *delimiter;
	char *export_path;     /* below the folder for exports, or NULL */
	struct outside server; /* else */
	uint64_t rows;
};

/* --- what and where -------------------------------------------------------------- */

static int
take_place(struct delivery *d)
{
	const struct subject *t = d->shepherd->subject;
	struct json_object *p = t->parameters, *address;
	const char *path = NULL;
	enum data_engine engine;
	int r;

	if (str_eq(t->module->name, "Download")) {
		path = json_get_str(p, "output_path", "");
	} else {
		address = json_get(p, "address");
		if ((r = data_engine_parse(
			 json_get_str(p, "storage_engine", ""), &engine)) != 0)
			return r;
		if (engine == DATA_MYSQL)
			return outside_open(d->shepherd->db, d->shepherd->conf,
			    engine, address, &d->server);
		path = json_get_str(address, "path", "");
	}
	return export_path(d->shepherd->conf, path, &d->export_path);
}

int
delivery_file(struct delivery *d, const Sluice__Executor__OutputFile *m)
{
	const struct subject *t = d->shepherd->subject;
	int r;

	if (!str_eq(t->module->name, "Download") &&
	    !str_eq(t->module->name, "Writer"))
		return err_set(
		    ERR_DENIED, "%s may not put out files", t->module->name);
	if (!t->job->is_initiator)
		return err_set(ERR_DENIED,
		    "a partner's job may not write to a place outside");
	if (d->has_file)
		return err_set(ERR_EXISTS, "a second file was put out");
	if ((r = take_place(d)) != 0)
		return r;
	d->has_file = true;
	d->file = xstrdup(m->file);
	d->delimiter = xstrdup(m->delimiter);
	return 0;
}

/* --- in the thread ------------------------------------------------------------------ */

/* The executor's folder is hostile ground: see outputs.c. */
static int
open_output(const struct delivery *d, int *out)
{
	struct stat st;
	int dir;

	*out = -1;
	dir = open(d->shepherd->work_dir,
	    O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_set_errno(ERR_IO, "%s", d->shepherd->work_dir);
	*out = openat(
	    dir, d->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	fd_close(&dir);
	if (*out < 0 || fstat(*out, &st) != 0)
		return err_set_errno(ERR_FORMAT, "output file %s", d->file);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(
		    ERR_FORMAT, "output file %s is no plain file", d->file);
	return 0;
}

static int
copy_file(struct background *b, const struct delivery *d, int from)
{
	struct export_file *x = NULL;
	char *block;
	ssize_t n;
	int r;

	if ((r = export_begin(d->shepherd->conf, d->export_path, &x)) != 0)
		return r;
	block = xmalloc(EXPORT_BLOCK);
	while (r == 0 && (n = read(from, block, EXPORT_BLOCK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_set_errno(ERR_IO, "output file");
		else if (background_is_stopped(b))
			r = err_set(ERR_CANCELED, "the task ends");
		else
			r = export_write(x, block, (size_t)n);
	}
	free(block);
	if (r != 0) {
		export_abort(x);
		return r;
	}
	return export_end(x);
}

/* Cells of the line; an empty one is what is missing: NULL. */
static int
write_line(struct csv *csv, struct remote_writer *w, size_t columns,
    struct remote_value *values)
{
	const struct span *cells;
	size_t n, i;
	struct span line;
	int r;

	if ((r = csv_line(csv, &line)) != 1)
		return r;
	if ((r = csv_split(csv, line, &cells, &n)) != 0)
		return r;
	if (n != columns)
		return err_set(ERR_FORMAT,
		    "line %" PRIu64 " of the output file has %zu columns, its "
		    "head has %zu",
		    csv_line_number(csv), n, columns);
	for (i = 0; i < n; i++) {
		bool is_missing = cells[i].len == 0 && i > 0;

		values[i] =
		    (struct remote_value){ is_missing ? NULL : cells[i].data,
			    cells[i].len };
	}
	r = db_remote_write_row(w, values);
	return r == 0 ? 1 : r;
}

static int
read_head(struct csv *csv, struct arena *a, const char ***names, size_t *n)
{
	const struct span *cells;
	struct span line;
	size_t i;
	int r;

	if ((r = csv_line(csv, &line)) != 1)
		return r < 0
			   ? r
			   : err_set(ERR_FORMAT, "the output file has no head");
	if ((r = csv_split(csv, line, &cells, n)) != 0)
		return r;
	*names = arena_alloc(a, *n * sizeof(**names));
	for (i = 0; i < *n; i++)
		(*names)[i] = arena_strndup(a, cells[i].data, cells[i].len);
	return 0;
}

static int
write_rows(struct background *b, struct delivery *d, struct csv *csv,
    struct db_remote *remote, struct arena *a)
{
	const struct db_task_key *key = subject_key(d->shepherd->subject);
	struct remote_writer *w = NULL;
	struct remote_value *values;
	const char **names = NULL;
	size_t n = 0;
	int r;

	if ((r = read_head(csv, a, &names, &n)) != 0)
		return r;
	/* Of this task's own, so that a second try finds the first one's. */
	if ((r = db_remote_write_begin(remote, d->server.address.name, names, n,
		 arena_printf(
		     a, "sluice_%s_%.24s", key->job_id, key->component),
		 &w)) != 0)
		return r;
	values = arena_alloc(a, n * sizeof(*values));
	while ((r = write_line(csv, w, n, values)) == 1) {
		d->rows++;
		if (background_is_stopped(b)) {
			r = err_set(ERR_CANCELED, "the task ends");
			break;
		}
	}
	if (r == 0)
		return db_remote_write_end(w);
	db_remote_write_abort(w);
	return r;
}

static int
write_table(struct background *b, struct delivery *d, int from)
{
	struct csv_options options = { .delimiter = d->delimiter,
		.is_quoted = true };
	struct remote_server server;
	struct db_remote *remote = NULL;
	struct csv *csv = NULL;
	struct arena *a = arena_new();
	int r;

	outside_server(&d->server, &server);
	if ((r = csv_open(from, &options, &csv)) == 0 &&
	    (r = background_connect(b, &server, &remote)) == 0) {
		r = write_rows(b, d, csv, remote, a);
		background_disconnect(b, remote);
	}
	csv_free(csv);
	arena_free(a);
	return r;
}

static int
deliver(struct background *b, void *ctx)
{
	struct delivery *d = ctx;
	int from, r;

	if ((r = open_output(d, &from)) == 0)
		r = d->export_path != NULL ? copy_file(b, d, from)
					   : write_table(b, d, from);
	fd_close(&from);
	return r;
}

/* --- in the loop ---------------------------------------------------------------------- */

static void
on_done(void *ctx, int code)
{
	struct delivery *d = ctx;

	background_free(d->thread);
	d->thread = NULL;
	d->is_done = true;
	if (code != 0)
		control_fail(d->shepherd, d->export_path != NULL
					      ? "file for export"
					      : "table on a server");
	else if (d->export_path != NULL)
		tasklog_printf(d->shepherd->log, TASKLOG_INFO,
		    "written to %s in the folder for exports", d->export_path);
	else
		tasklog_printf(d->shepherd->log, TASKLOG_INFO,
		    "%" PRIu64 " rows written to table %s of %s", d->rows,
		    d->server.address.name, d->server.address.host);
	control_poke(d->shepherd);
}

bool
delivery_is_done(struct delivery *d)
{
	if (!d->has_file || d->is_done)
		return true;
	if (d->thread == NULL && background_start(d->shepherd->loop, deliver,
				     on_done, d, &d->thread) != 0) {
		d->is_done = true;
		control_fail(d->shepherd, "file for outside");
	}
	return false;
}

bool
delivery_is_stopped(struct delivery *d)
{
	if (d->thread == NULL)
		return true;
	background_stop(d->thread);
	return false;
}

struct delivery *
delivery_new(struct shepherd *s)
{
	struct delivery *d = xcalloc(1, sizeof(*d));

	d->shepherd = s;
	return d;
}

void
delivery_free(struct delivery *d)
{
	if (d == NULL)
		return;
	background_free(d->thread);
	outside_fini(&d->server);
	free(d->file);
	free(d->delimiter);
	free(d->export_path);
	free(d);
}
