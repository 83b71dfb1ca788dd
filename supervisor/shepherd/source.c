/*
 * Rows from outside.  Called by attempt.c before the executor starts.
 *
 * The executor has no network: the thread here is the client of the server
 * and writes lines of text, as a file would have them, into a pipe.  Memory
 * is bounded by a row and the pipe.  What a line cannot say (a value with the
 * delimiter or a line end in it) is an error that names row and column.
 */
#include "supervisor/shepherd/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/schema.h"
#include "supervisor/shepherd/background.h"
#include "supervisor/shepherd/outside.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

#define PIECE ((size_t)64 * 1024)

struct source {
	struct shepherd *shepherd;
	struct background *thread;
	struct outside outside;
	struct arena *arena; /* of the thread once it runs */
	char *delimiter;
	char *schema_json;
	int pipe; /* writing end */

	const char *const *columns;
	size_t n_columns;
	struct buf piece;
	uint64_t rows;
};

/* --- in the thread -------------------------------------------------------------- */

static int
flush(struct source *s)
{
	int r = fd_write_all(s->pipe, buf_str(&s->piece), s->piece.len);

	buf_clear(&s->piece);
	return r;
}

static int
check_value(const struct source *s, uint64_t number, size_t column,
    const struct remote_value *v)
{
	const char *what = NULL;

	if (v->data == NULL || v->len == 0)
		return 0;
	if (memmem(v->data, v->len, s->delimiter, strlen(s->delimiter)) != NULL)
		what = "the table's id_delimiter";
	else if (memchr(v->data, '\n', v->len) != NULL ||
		 memchr(v->data, '\r', v->len) != NULL)
		what = "a line end";
	else if (memchr(v->data, '\0', v->len) != NULL)
		what = "a NUL byte";
	else if (!str_is_utf8(v->data, v->len))
		what = "bytes that are no UTF-8";
	if (what == NULL)
		return 0;
	return err_set(ERR_FORMAT,
	    "row %" PRIu64 ": column '%s' holds %s; bind the table with "
	    "another id_delimiter or leave the column out of feature_column",
	    number, s->columns[column], what);
}

static int
put_row(void *ctx, uint64_t number, const struct remote_value *values, size_t n)
{
	struct source *s = ctx;
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		if ((r = check_value(s, number, i, &values[i])) != 0)
			return r;
		if (i > 0)
			buf_puts(&s->piece, s->delimiter);
		/* NULL is what is missing: nothing. */
		if (values[i].data != NULL)
			buf_append(&s->piece, values[i].data, values[i].len);
	}
	buf_putc(&s->piece, '\n');
	s->rows = number;
	return s->piece.len >= PIECE ? flush(s) : 0;
}

/* The bound names, else all columns of the table in their order. */
static int
choose_columns(struct source *s, struct db_remote *remote)
{
	const char *const *have;
	const char **list;
	struct schema schema;
	bool has_id;
	size_t n, i;
	int r;

	if ((r = db_remote_columns(
		 remote, s->outside.address.name, s->arena, &have, &n)) != 0 ||
	    (r = schema_parse(s->schema_json, s->delimiter, &schema)) != 0)
		return r;
	list = arena_alloc(s->arena, (schema.n_header + n + 1) * sizeof(*list));
	has_id = schema.sid[0] != '\0' && !str_eq(schema.sid, "extend_sid");
	if (has_id)
		list[s->n_columns++] = arena_strdup(s->arena, schema.sid);
	for (i = 0; i < schema.n_header; i++)
		list[s->n_columns++] = arena_strdup(s->arena, schema.header[i]);
	/* With the id's name alone, the others follow as they are. */
	for (i = 0; schema.n_header == 0 && i < n; i++)
		if (!has_id || strcasecmp(list[0], have[i]) != 0)
			list[s->n_columns++] = have[i];
	s->columns = list;
	schema_fini(&schema);
	return 0;
}

static void
put_head(struct source *s)
{
	size_t i;

	for (i = 0; i < s->n_columns; i++) {
		if (i > 0)
			buf_puts(&s->piece, s->delimiter);
		buf_puts(&s->piece, s->columns[i]);
	}
	buf_putc(&s->piece, '\n');
}

static int
read_server(struct background *b, void *ctx)
{
	struct source *s = ctx;
	struct remote_server server;
	struct db_remote *remote;
	int r;

	outside_server(&s->outside, &server);
	if ((r = background_connect(b, &server, &remote)) != 0)
		return r;
	if ((r = choose_columns(s, remote)) == 0) {
		put_head(s);
		r = db_remote_read(remote, s->outside.address.name, s->columns,
		    s->n_columns, put_row, s);
	}
	if (r == 0)
		r = flush(s);
	background_disconnect(b, remote);
	if (r == 0)
		fd_close(&s->pipe);
	return r;
}

/* --- in the loop ------------------------------------------------------------------ */

static void
on_done(void *ctx, int code)
{
	struct source *s = ctx;

	if (code == 0)
		tasklog_printf(s->shepherd->log, TASKLOG_INFO,
		    "%" PRIu64 " rows read from %s", s->rows,
		    s->outside.address.host);
	else
		control_fail(s->shepherd, "table on a server");
}

static int
open_pipe(struct source *s, int *fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set_errno(ERR_IO, "pipe");
	*fd = ends[0];
	s->pipe = ends[1];
	return 0;
}

static int
open_server(struct shepherd *sh, const struct db_table *t,
    struct json_object *address, int *fd, struct source **out)
{
	struct source *s = xcalloc(1, sizeof(*s));
	int r;

	s->shepherd = sh;
	s->pipe = -1;
	s->arena = arena_new();
	s->delimiter = xstrdup(t->id_delimiter);
	s->schema_json = xstrdup(t->schema_json);
	if ((r = outside_open(
		 sh->db, sh->conf, DATA_MYSQL, address, &s->outside)) == 0 &&
	    (r = open_pipe(s, fd)) == 0)
		r = background_start(
		    sh->loop, read_server, on_done, s, &s->thread);
	if (r != 0) {
		fd_close(fd);
		source_close(s);
		return r;
	}
	*out = s;
	return 0;
}

int
source_open(
    struct shepherd *sh, const struct db_table *t, int *fd, struct source **out)
{
	struct json_object *address = NULL;
	enum data_engine engine;
	int r;

	*fd = -1;
	*out = NULL;
	if ((r = data_engine_parse(t->engine, &engine)) != 0 ||
	    (r = json_parse_text(t->address, &address)) != 0)
		return r;
	if (data_engine_is_file(engine))
		r = data_file_open(
		    sh->conf, json_get_str(address, "path", ""), fd);
	else if (engine == DATA_MYSQL)
		r = open_server(sh, t, address, fd, out);
	else
		r = err_set(ERR_UNSUPPORTED, "%s is no engine outside",
		    data_engine_name(engine));
	json_object_put(address);
	return r == 0 ? 0
		      : err_wrap("table %s %s", t->table_namespace, t->name);
}

void
source_close(struct source *s)
{
	if (s == NULL)
		return;
	background_free(s->thread);
	fd_close(&s->pipe);
	outside_fini(&s->outside);
	arena_free(s->arena);
	buf_fini(&s->piece);
	free(s->delimiter);
	free(s->schema_json);
	free(s);
}
