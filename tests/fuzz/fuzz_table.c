/*
 * Fuzz target: text on its way into a table and rows on their way out.
 *
 * The first byte chooses delimiter and quoting; the rest is read as a file of
 * lines, cut into cells and numbers, and then once more as an encoded row
 * and as a schema.  Beside crashes it looks for broken promises: a decoded
 * row must encode to the same bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/engine/cell.h"
#include "lib/engine/csv.h"
#include "lib/engine/render.h"
#include "lib/engine/row.h"
#include "lib/engine/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
cells(const char *delimiter, struct span line)
{
	struct span cell[8];
	size_t i, n = cell_split(line, delimiter, cell, 8);
	double v;

	if (n != csv_count(delimiter, line))
		abort();
	for (i = 0; i < n && i < 8; i++)
		(void)cell_number(cell[i], &v);
}

static void
text(const uint8_t *data, size_t size, const struct csv_options *options)
{
	const struct span *fields;
	struct span line;
	struct csv *c;
	size_t n;
	int fd;

	if (fd_memfd("fuzz", data, size, &fd) != 0)
		abort();
	if (lseek(fd, 0, SEEK_SET) != 0 || csv_open(fd, options, &c) != 0)
		abort();
	while (csv_line(c, &line) == 1) {
		cells(options->delimiter, line);
		if (csv_split(c, line, &fields, &n) != 0 || n == 0)
			abort();
	}
	csv_free(c);
	close(fd);
}

/* What was decoded from again must be what r has. */
static void
same(const struct row *r, const struct buf *again)
{
	struct row_scratch scratch = { 0 };
	struct row s;

	if (row_decode(again->data, again->len, &scratch, &s) != 0 ||
	    s.n_values != r->n_values)
		abort();
	if (s.n_values > 0 &&
	    memcmp(s.values, r->values, s.n_values * sizeof(double)) != 0) {
		/* -0.0 is 0 to a sparse row, and only to it. */
		for (uint32_t i = 0; i < s.n_values; i++)
			if (s.values[i] != r->values[i] &&
			    s.values[i] == s.values[i])
				abort();
	}
	row_scratch_fini(&scratch);
}

static void
row(const uint8_t *data, size_t size)
{
	struct row_scratch scratch = { 0 };
	struct buf again = BUF_INIT;
	struct row r;

	if (row_decode(data, size, &scratch, &r) == 0) {
		if (row_encode(&again, &r) != 0)
			abort();
		/* Sparse rows have several forms; text rows drop flags. */
		if (r.flags & ROW_SPARSE)
			same(&r, &again);
		else if (again.len != size ||
			 memcmp(again.data + 2, data + 2, size - 2) != 0)
			abort();
		buf_clear(&again);
		render_row_csv(&again, &r, ",");
		json_object_put(render_row_json(&r, ","));
	}
	buf_fini(&again);
	row_scratch_fini(&scratch);
}

static void
schema(const uint8_t *data, size_t size)
{
	char *json = xstrndup((const char *)data, size);
	struct json_object *o = json_tokener_parse(json);
	struct schema s;

	if (schema_parse(json, ",", &s) == 0) {
		json_object_put(render_columns(s.json, ","));
		schema_fini(&s);
		(void)schema_generate(o, ",");
		schema_prefix(o, "guest", "9999");
	}
	json_object_put(o);
	free(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const delimiters[] = { ",", "||", "\t", ";" };
	struct csv_options options = { NULL, false, 4096 };

	if (size == 0)
		return 0;
	options.delimiter = delimiters[data[0] % 4];
	options.is_quoted = (data[0] & 4) != 0;
	text(data + 1, size - 1, &options);
	row(data, size);
	schema(data, size);
	return 0;
}
