/*
 * Writing and reading small tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "tests/lib/dense_table.h"

char *
dense_table(struct loopback *lb, const struct dense_row *rows, size_t n,
    unsigned n_values, const char *schema)
{
	static int made;
	char *path = xasprintf("%s/input-%d", loopback_folder(lb), made++);
	struct table_writer *w;
	size_t i;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	for (i = 0; i < n; i++) {
		struct row row = { .kind = ROW_DENSE,
			.id = { rows[i].id, strlen(rows[i].id) },
			.values = rows[i].values,
			.n_values = n_values };

		if (rows[i].text != NULL) {
			row.flags |= ROW_LABEL_TEXT;
			row.label_text.data = rows[i].text;
			row.label_text.len = strlen(rows[i].text);
		} else if (!isnan(rows[i].label)) {
			row.flags |= ROW_LABEL;
			row.label = rows[i].label;
		}
		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(table_seal(w, schema, 2), 0);
	return path;
}

void
dense_input(struct loopback *lb, struct member *m, const char *data_key,
    const char *upstream, const struct dense_row *rows, size_t n,
    unsigned n_values, const char *schema)
{
	char *path = dense_table(lb, rows, n, n_values, schema);

	loopback_input(m, data_key, upstream, path);
	free(path);
}

double
dense_output(const struct member *m, size_t output, const char *id, unsigned i)
{
	struct table *t = loopback_output(m, output);
	struct table_cursor *c;
	struct row row;
	double v;

	assert_non_null(t);
	assert_int_equal(table_scan(t, 0, UINT64_MAX, &c), 0);
	assert_int_equal(cursor_get(c, id, strlen(id), &row), 0);
	assert_true(i < row.n_values);
	v = row.values[i];
	cursor_free(c);
	return v;
}

char *
dense_ids(const struct member *m, size_t output)
{
	struct table *t = loopback_output(m, output);
	struct buf ids = BUF_INIT;
	struct table_cursor *c;
	struct row row;

	assert_non_null(t);
	assert_int_equal(table_scan(t, 0, UINT64_MAX, &c), 0);
	while (cursor_next(c, &row) == 1) {
		if (ids.len > 0)
			buf_putc(&ids, ' ');
		buf_append(&ids, row.id.data, row.id.len);
	}
	cursor_free(c);
	return buf_steal(&ids);
}
