/*
 * Fuzz target: an executor's data.mdb.  The input is a list of words that are
 * written over an honest table, each a place (3 bytes) and a value (2); what
 * standalone_check() lets pass is then read to the end.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/engine/standalone_check.h"
#include "lib/engine/storage.h"

#define ROWS 400
#define EDIT 5 /* bytes of input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz-pages-XXXXXX";
static char *address;
static char *honest;
static size_t honest_len;
static int file;
static volatile unsigned sum; /* so that every byte is read */

static void
clean_up(void)
{
	(void)fd_remove_tree(folder);
}

static void
write_table(void)
{
	struct table_writer *w;
	struct row row = { .kind = ROW_TEXT };
	char id[32], *text = xcalloc(1, 9000);
	size_t i;

	memset(text, 'x', 8999);
	if (table_create(&storage_standalone, address, &w) != 0)
		abort();
	for (i = 0; i < ROWS; i++) {
		(void)snprintf(id, sizeof(id), "r%zu", i);
		row.id = (struct span){ id, strlen(id) };
		row.text = (struct span){ text, i % 40 == 0 ? 8999 : i % 90 };
		if (table_append(w, &row) != 0)
			abort();
	}
	if (table_seal(w, "{}", 1) != 0)
		abort();
	free(text);
}

static void
set_up(void)
{
	char *path;

	if (mkdtemp(folder) == NULL)
		abort();
	(void)atexit(clean_up);
	address = xasprintf("%s/table", folder);
	write_table();
	path = xasprintf("%s/data.mdb", address);
	if ((file = open(path, O_RDWR | O_CLOEXEC)) < 0)
		abort();
	free(path);
	honest_len = (size_t)lseek(file, 0, SEEK_END);
	honest = xmalloc(honest_len);
	if (pread(file, honest, honest_len, 0) != (ssize_t)honest_len)
		abort();
}

static void
read_table(void)
{
	struct table_cursor *c;
	struct table *t;
	struct row row;
	size_t i;

	if (table_open(&storage_standalone, address, &t) != 0)
		return;
	if (table_scan(t, 0, UINT64_MAX, &c) == 0) {
		while (cursor_next(c, &row) == 1)
			for (i = 0; i < row.text.len; i++)
				sum += (unsigned char)row.text.data[i];
		(void)cursor_get(c, "r7", 2, &row);
		cursor_free(c);
	}
	table_close(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t i, at;

	if (honest == NULL)
		set_up();
	for (i = 0; i + EDIT <= size; i += EDIT) {
		at = (data[i] | (size_t)data[i + 1] << 8 |
			 (size_t)data[i + 2] << 16) %
		     (honest_len - 1);
		if (pwrite(file, data + i + 3, 2, (off_t)at) != 2)
			abort();
	}
	if (standalone_check(file) == 0)
		read_table();
	for (i = 0; i + EDIT <= size; i += EDIT) {
		at = (data[i] | (size_t)data[i + 1] << 8 |
			 (size_t)data[i + 2] << 16) %
		     (honest_len - 1);
		if (pwrite(file, honest + at, 2, (off_t)at) != 2)
			abort();
	}
	return 0;
}
