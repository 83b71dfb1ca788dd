/*
 * lib/engine: the promises of tables, kept by every engine; what the LMDB
 * engine says about damaged and unfinished tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/engine/row.h"
#include "lib/engine/standalone_check.h"
#include "lib/engine/storage.h"

static char folder[] = "/tmp/storage-XXXXXX";
static int counter;

struct fixture {
	const struct storage_ops *ops;
	char *address;
};

static struct fixture
fresh(void **state)
{
	struct fixture f = { *state, NULL };

	f.address = xasprintf("%s/%d", folder, counter++);
	return f;
}

static void
done(struct fixture *f)
{
	assert_int_equal(table_destroy(f->ops, f->address), 0);
	free(f->address);
}

static struct span
span(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static struct row
text_row(const char *id, const char *text)
{
	return (
	    struct row){ .kind = ROW_TEXT, .id = span(id), .text = span(text) };
}

/* rows "r0" … with text equal to the number */
static void
write_text(struct fixture *f, size_t n, uint32_t partitions)
{
	struct table_writer *w;
	struct row row;
	char id[32], text[32];
	size_t i;

	assert_int_equal(table_create(f->ops, f->address, &w), 0);
	for (i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "r%zu", i);
		(void)snprintf(text, sizeof(text), "%zu", i);
		row = text_row(id, text);
		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(table_seal(w, "{\"sid\":\"id\"}", partitions), 0);
}

static void
rows_come_back_in_the_order_they_were_appended(void **state)
{
	struct fixture f = fresh(state);
	struct table *t;
	struct table_cursor *c;
	struct row row;
	char want[32];
	size_t i;

	write_text(&f, 140000, 4);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	assert_int_equal(table_count(t), 140000);
	assert_int_equal(table_stat(t)->partitions, 4);
	assert_int_equal(table_stat(t)->kind, ROW_TEXT);
	assert_string_equal(table_stat(t)->schema_json, "{\"sid\":\"id\"}");
	assert_int_equal(table_scan(t, 0, UINT64_MAX, &c), 0);
	for (i = 0; cursor_next(c, &row) == 1; i++) {
		(void)snprintf(want, sizeof(want), "r%zu", i);
		assert_int_equal(row.number, i);
		assert_int_equal(row.id.len, strlen(want));
		assert_memory_equal(row.id.data, want, row.id.len);
		assert_memory_equal(row.text.data, want + 1, row.text.len);
	}
	assert_int_equal(i, 140000);
	assert_int_equal(cursor_next(c, &row), 0);
	cursor_free(c);
	table_close(t);
	done(&f);
}

static void
rows_are_found_by_id_without_moving_the_cursor(void **state)
{
	struct fixture f = fresh(state);
	struct table *t;
	struct table_cursor *c;
	struct row row;

	write_text(&f, 1000, 1);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	assert_int_equal(table_scan(t, 5, 7, &c), 0);
	assert_int_equal(cursor_next(c, &row), 1);
	assert_int_equal(cursor_get(c, "r999", 4, &row), 0);
	assert_int_equal(row.number, 999);
	assert_memory_equal(row.text.data, "999", 3);
	assert_int_equal(cursor_get(c, "r1000", 5, &row), ERR_NOT_FOUND);
	assert_int_equal(cursor_get(c, "", 0, &row), ERR_NOT_FOUND);
	assert_int_equal(cursor_next(c, &row), 1);
	assert_int_equal(row.number, 6);
	assert_int_equal(cursor_next(c, &row), 0);
	cursor_free(c);
	table_close(t);
	done(&f);
}

static void
dense_rows_keep_every_part(void **state)
{
	struct fixture f = fresh(state);
	const double values[] = { 1.5, -0.0, NAN, 1e300 };
	struct row in = { .kind = ROW_DENSE,
		.id = span("a"),
		.flags = ROW_LABEL | ROW_WEIGHT | ROW_MATCH_ID,
		.label = 3,
		.weight = 0.5,
		.match_id = span("m"),
		.values = values,
		.n_values = 4 };
	struct row bare = { .kind = ROW_DENSE,
		.id = span("b"),
		.flags = ROW_LABEL_TEXT,
		.label_text = span("yes") };
	struct table_writer *w;
	struct table_cursor *c;
	struct table *t;
	struct row out;

	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	assert_int_equal(table_append(w, &in), 0);
	assert_int_equal(table_append(w, &bare), 0);
	assert_int_equal(table_seal(w, "{}", 1), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	assert_int_equal(table_scan(t, 0, 2, &c), 0);
	assert_int_equal(cursor_next(c, &out), 1);
	assert_int_equal(out.flags, in.flags);
	assert_true(out.label == 3 && out.weight == 0.5);
	assert_int_equal(out.match_id.len, 1);
	assert_int_equal(out.n_values, 4);
	assert_memory_equal(out.values, values, sizeof(values));
	assert_int_equal(cursor_next(c, &out), 1);
	assert_int_equal(out.flags, ROW_LABEL_TEXT);
	assert_memory_equal(out.label_text.data, "yes", 3);
	assert_int_equal(out.n_values, 0);
	cursor_free(c);
	table_close(t);
	done(&f);
}

static void
predict_rows_keep_every_part(void **state)
{
	struct fixture f = fresh(state);
	struct row in = { .kind = ROW_PREDICT,
		.id = span("a"),
		.flags = ROW_LABEL,
		.label = 1,
		.result = 0,
		.score = 0.25,
		.detail = span("{\"0\":0.75,\"1\":0.25}"),
		.type = span("train") };
	struct table_writer *w;
	struct table_cursor *c;
	struct table *t;
	struct row out;

	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	assert_int_equal(table_append(w, &in), 0);
	assert_int_equal(table_seal(w, "{}", 1), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	assert_int_equal(table_scan(t, 0, 1, &c), 0);
	assert_int_equal(cursor_next(c, &out), 1);
	assert_true(out.score == 0.25 && out.label == 1 && out.result == 0);
	assert_int_equal(out.detail.len, in.detail.len);
	assert_memory_equal(out.detail.data, in.detail.data, in.detail.len);
	assert_memory_equal(out.type.data, "train", 5);
	cursor_free(c);
	table_close(t);
	done(&f);
}

static void
duplicate_ids_are_refused_naming_both_rows(void **state)
{
	struct fixture f = fresh(state);
	struct table_writer *w;
	struct row row;
	char id[16];
	int i;

	/* The second one comes in a later batch than the first. */
	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	table_writer_name_rows(w, "line", 2);
	for (i = 0; i < 80000; i++) {
		(void)snprintf(id, sizeof(id), "%d", i == 79000 ? 17 : i);
		row = text_row(id, "x");
		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(table_seal(w, "{}", 1), ERR_EXISTS);
	assert_non_null(strstr(err_text(), "line 79002 (row 79001)"));
	assert_non_null(strstr(err_text(), "line 19 (row 18);"));
	done(&f);

	f = fresh(state);
	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	row = text_row("a", "1");
	assert_int_equal(table_append(w, &row), 0);
	assert_int_equal(table_append(w, &row), 0);
	assert_int_equal(table_seal(w, "{}", 1), ERR_EXISTS);
	assert_non_null(strstr(err_text(), "row 2"));
	done(&f);
}

static void
impossible_rows_are_refused_naming_the_row(void **state)
{
	struct fixture f = fresh(state);
	struct table_writer *w;
	struct row row;
	char id[STORAGE_ID_MAX + 2];

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	row = text_row(id + 1, "longest id there is");
	assert_int_equal(table_append(w, &row), 0);
	row = text_row(id, "too long");
	assert_int_equal(table_append(w, &row), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "row 2"));
	table_writer_free(w);

	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	row = text_row("", "no id");
	assert_int_equal(table_append(w, &row), ERR_FORMAT);
	table_writer_free(w);

	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	row = text_row("a", "");
	assert_int_equal(table_append(w, &row), 0);
	row.kind = ROW_DENSE;
	row.id = span("b");
	assert_int_equal(table_append(w, &row), ERR_FORMAT);
	table_writer_free(w);
	done(&f);
}

static void
a_table_is_there_only_after_its_seal(void **state)
{
	struct fixture f = fresh(state);
	struct table_writer *w, *w2;
	struct table *t;
	struct row row = text_row("a", "b");

	assert_int_equal(table_open(f.ops, f.address, &t), ERR_NOT_FOUND);
	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	assert_int_equal(table_create(f.ops, f.address, &w2), ERR_EXISTS);
	assert_int_equal(table_append(w, &row), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), ERR_CONFLICT);
	table_writer_free(w);
	assert_int_equal(table_open(f.ops, f.address, &t), ERR_NOT_FOUND);
	assert_null(t);
	done(&f);
}

static void
a_table_without_rows_is_a_table(void **state)
{
	struct fixture f = fresh(state);
	struct table_cursor *c;
	struct table *t;
	struct row row;

	write_text(&f, 0, 7);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	assert_int_equal(table_count(t), 0);
	assert_int_equal(table_scan(t, 0, 10, &c), 0);
	assert_int_equal(cursor_next(c, &row), 0);
	cursor_free(c);
	table_close(t);
	done(&f);
}

static void
impossible_partitions_are_refused(void **state)
{
	struct fixture f = fresh(state);
	struct table_writer *w;

	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	assert_int_equal(table_seal(w, "{}", 0), ERR_INVALID);
	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	assert_int_equal(table_seal(w, "{}", 1024), ERR_INVALID);
	done(&f);
}

struct scan {
	struct table *table;
	uint32_t partition;
	uint64_t rows;
};

static void *
scan_partition(void *arg)
{
	struct scan *s = arg;
	struct table_cursor *c;
	struct row row;
	const struct table_stat *st = table_stat(s->table);
	uint64_t first = st->rows * s->partition / st->partitions;
	uint64_t end = st->rows * (s->partition + 1) / st->partitions;

	if (table_scan(s->table, first, end, &c) != 0)
		return NULL;
	while (cursor_next(c, &row) == 1)
		s->rows++;
	cursor_free(c);
	return NULL;
}

static void
threads_read_partitions_at_once(void **state)
{
	struct fixture f = fresh(state);
	struct scan s[4];
	pthread_t threads[4];
	struct table *t;
	uint64_t total = 0;
	uint32_t i;

	write_text(&f, 20000, 4);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	for (i = 0; i < 4; i++) {
		s[i] = (struct scan){ t, i, 0 };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, scan_partition, &s[i]),
		    0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		total += s[i].rows;
	}
	assert_int_equal(total, 20000);
	table_close(t);
	done(&f);
}

/* --- LMDB only ---------------------------------------------------------------- */

static void
write_slowly(const char *address, int ready)
{
	struct table_writer *w;
	struct row row;
	char id[32];
	int i;

	if (table_create(&storage_standalone, address, &w) != 0)
		_exit(1);
	(void)!write(ready, "x", 1);
	for (i = 0; i < 300000; i++) {
		(void)snprintf(id, sizeof(id), "%lld", i * 7919LL % 300007);
		row = text_row(id, "some text that takes room in the file");
		if (table_append(w, &row) != 0)
			_exit(1);
	}
	_exit(table_seal(w, "{}", 2) == 0 ? 0 : 1);
}

/* Where the kill falls differs from run to run; the promise does not. */
static void
a_killed_writer_leaves_nothing_that_opens(void **state)
{
	struct table *t;
	char *address;
	int ready[2], i, status, r;
	int unsealed = 0;
	char byte;
	pid_t pid;

	(void)state;
	for (i = 0; i < 12; i++) {
		address = xasprintf("%s/killed-%d", folder, i);
		assert_int_equal(pipe(ready), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			write_slowly(address, ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		usleep((useconds_t)(rand() % 200000));
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		r = table_open(&storage_standalone, address, &t);
		if (r == 0)
			/* It was faster than the signal. */
			assert_int_equal(table_count(t), 300000);
		else
			assert_true(r == ERR_CONFLICT);
		unsealed += r != 0;
		table_close(t);
		close(ready[0]);
		close(ready[1]);
		assert_int_equal(
		    table_destroy(&storage_standalone, address), 0);
		free(address);
	}
	assert_true(unsealed > 0);
}

static void
damage_file(const char *address, off_t at, const void *bytes, size_t n)
{
	char *path = xasprintf("%s/data.mdb", address);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
	free(path);
}

static void
damaged_heads_and_cut_files_are_errors(void **state)
{
	static const off_t offsets[] = { 16, 20, 40 };
	const uint32_t rubbish = 0x12345678;
	struct fixture f;
	struct table *t;
	char *path;
	size_t i;

	for (i = 0; i < 3; i++) {
		f = fresh(state);
		write_text(&f, 5000, 1);
		damage_file(f.address, offsets[i], &rubbish, sizeof(rubbish));
		assert_int_equal(table_open(f.ops, f.address, &t), ERR_FORMAT);
		done(&f);
	}
	f = fresh(state);
	write_text(&f, 5000, 1);
	path = xasprintf("%s/data.mdb", f.address);
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), ERR_FORMAT);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), ERR_CONFLICT);
	free(path);
	done(&f);
}

static void
a_sealed_table_opens_where_nothing_can_be_written(void **state)
{
	struct fixture f = fresh(state);
	char *path;
	struct table *t;

	write_text(&f, 10, 1);
	path = xasprintf("%s/data.mdb", f.address);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(chmod(f.address, 0500), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	table_close(t);
	/* No lock file beside the data. */
	assert_int_equal(chmod(f.address, 0700), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(f.address), 0);
	free(path);
	done(&f);
}

/* --- rows as bytes ---------------------------------------------------------------- */

/* --- files made by somebody hostile ----------------------------------------- */

static int
check_file(const char *address)
{
	char *path = xasprintf("%s/data.mdb", address);
	int fd = open(path, O_RDONLY), r;

	assert_true(fd >= 0);
	r = standalone_check(fd);
	close(fd);
	free(path);
	return r;
}

/* Rows of all sizes: in their page, and in pages of their own. */
static void
write_mixed(struct fixture *f, size_t n, size_t every)
{
	struct table_writer *w;
	struct row row;
	char *large = xmalloc(20001), id[512];
	size_t i;

	memset(large, 'x', 20000);
	assert_int_equal(table_create(f->ops, f->address, &w), 0);
	for (i = 0; i < n; i++) {
		memset(id, 'i', sizeof(id));
		(void)snprintf(id + i % 400, 32, "-%zu", i);
		large[20000] = '\0';
		row = text_row(
		    id, i % every == 0 ? large + i % 20000 : large + 19990);
		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(table_seal(w, "{}", 2), 0);
	free(large);
}

static void
honest_tables_pass_the_check_of_their_pages(void **state)
{
	static const struct {
		size_t rows;
		size_t every;
	} sizes[] = { { 0, 1 }, { 1, 1 }, { 300, 3 }, { 5000, 50 },
		{ 150000, 30000 } };
	struct fixture f;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		f = fresh(state);
		write_mixed(&f, sizes[i].rows, sizes[i].every);
		assert_int_equal(check_file(f.address), 0);
		done(&f);
	}
	f = fresh(state);
	write_text(&f, 200000, 3);
	assert_int_equal(check_file(f.address), 0);
	done(&f);
}

static volatile unsigned sum_of_read;

/* All rows by number and by id; what they say is of no interest. */
static void
read_everything(const char *address)
{
	struct table *t;
	struct table_cursor *c;
	struct row row;
	char id[64];
	size_t i;

	if (table_open(&storage_standalone, address, &t) != 0)
		return;
	if (table_scan(t, 0, UINT64_MAX, &c) == 0) {
		while (cursor_next(c, &row) == 1)
			for (i = 0; i < row.text.len; i++)
				sum_of_read += (unsigned char)row.text.data[i];
		for (i = 0; i < 300; i++) {
			(void)snprintf(id, sizeof(id), "r%zu", i);
			(void)cursor_get(c, id, strlen(id), &row);
		}
		cursor_free(c);
	}
	table_close(t);
}

/* The signal that ended a child that read the table, or 0. */
static int
signal_of_reading(const char *address)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* The test library's handlers would go on with its tests. */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGBUS, SIG_DFL);
		(void)signal(SIGFPE, SIG_DFL);
		(void)signal(SIGILL, SIG_DFL);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		alarm(20);
		read_everything(address);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Small numbers and extremes hit where LMDB keeps its structure. */
static uint16_t
hostile_word(unsigned *seed)
{
	static const uint16_t words[] = { 0, 1, 2, 4, 7, 8, 16, 17, 255, 4080,
		4095, 4096, 32767, 32768, 65534, 65535 };

	if (rand_r(seed) % 4 == 0)
		return (uint16_t)rand_r(seed);
	return words[(size_t)rand_r(seed) % 16];
}

/* Where to write: heads of pages, offsets, nodes; in the first pages more. */
static off_t
hostile_place(unsigned *seed, off_t size)
{
	off_t page = rand_r(seed) % 3 == 0 ? rand_r(seed) % 2
					   : rand_r(seed) % (size / 4096);
	off_t in_page =
	    rand_r(seed) % 2 == 0 ? rand_r(seed) % 160 : rand_r(seed) % 4095;

	return page * 4096 + (in_page & ~1);
}

static void
what_passes_the_check_can_be_read_whatever_was_forged(void **state)
{
	struct fixture f = fresh(state);
	char *path, *honest;
	unsigned seed = 20231107;
	int fd, i, k, passed = 0, refused = 0, deadly = 0, r;
	uint16_t word;
	off_t size;

	write_mixed(&f, 1200, 100);
	path = xasprintf("%s/data.mdb", f.address);
	fd = open(path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	honest = xmalloc((size_t)size);
	assert_int_equal(pread(fd, honest, (size_t)size, 0), size);
	for (i = 0; i < 1500; i++) {
		for (k = 0; k <= i % 3; k++) {
			word = hostile_word(&seed);
			assert_int_equal(pwrite(fd, &word, sizeof(word),
					     hostile_place(&seed, size)),
			    2);
		}
		r = check_file(f.address);
		assert_true(r == 0 || r == ERR_FORMAT);
		passed += r == 0;
		refused += r != 0;
		if (r == 0)
			assert_int_equal(signal_of_reading(f.address), 0);
		else if (i % 10 == 0)
			deadly += signal_of_reading(f.address) != 0;
		assert_int_equal(pwrite(fd, honest, (size_t)size, 0), size);
	}
	/* Otherwise this would show nothing. */
	assert_true(passed > 100 && refused > 100 && deadly > 0);
	(void)close(fd);
	free(honest);
	free(path);
	done(&f);
}

static void
a_forged_page_size_in_the_second_head_is_refused(void **state)
{
	const uint32_t zero = 0;
	struct fixture f = fresh(state);

	write_text(&f, 100, 1);
	damage_file(f.address, 4096 + 40, &zero, sizeof(zero));
	assert_int_equal(check_file(f.address), ERR_FORMAT);
	done(&f);
}

/* Wide rows of few values between narrow and full ones. */
static void
sparse_rows_read_like_all_others(void **state)
{
	enum { WIDE = 5000 };
	struct fixture f = fresh(state);
	double wide[WIDE] = { 0 }, full[3] = { 1, 2, 3 };
	struct row row = { .kind = ROW_DENSE,
		.id = span("a"),
		.flags = ROW_SPARSE | ROW_LABEL,
		.label = 1,
		.values = wide,
		.n_values = WIDE };
	struct table_writer *w;
	struct table_cursor *c;
	struct table *t;
	struct row out;
	size_t i;

	assert_int_equal(table_create(f.ops, f.address, &w), 0);
	wide[0] = 7;
	wide[4999] = NAN;
	assert_int_equal(table_append(w, &row), 0);
	row.id = span("b");
	row.values = full;
	row.n_values = 3;
	assert_int_equal(table_append(w, &row), 0);
	row.id = span("c");
	row.values = wide;
	row.n_values = WIDE;
	wide[0] = 0;
	wide[17] = -2.5;
	assert_int_equal(table_append(w, &row), 0);
	assert_int_equal(table_seal(w, "{}", 1), 0);
	assert_int_equal(table_open(f.ops, f.address, &t), 0);
	assert_int_equal(table_scan(t, 0, 3, &c), 0);
	assert_int_equal(cursor_next(c, &out), 1);
	assert_int_equal(out.flags, ROW_SPARSE | ROW_LABEL);
	assert_int_equal(out.n_values, WIDE);
	assert_true(out.values[0] == 7 && isnan(out.values[4999]));
	assert_int_equal(cursor_next(c, &out), 1);
	assert_int_equal(out.flags, ROW_LABEL); /* not worth it */
	assert_memory_equal(out.values, full, sizeof(full));
	assert_int_equal(cursor_next(c, &out), 1);
	for (i = 0; i < WIDE; i++)
		assert_true(i == 17	? out.values[i] == -2.5
			    : i == 4999 ? isnan(out.values[i])
					: out.values[i] == 0);
	assert_int_equal(cursor_at(c, 0, &out), 0);
	assert_true(out.values[0] == 7 && out.values[17] == 0);
	assert_int_equal(cursor_at(c, 3, &out), ERR_FORMAT);
	cursor_free(c);
	table_close(t);
	done(&f);
}

static void
sparse_rows_with_impossible_places_are_refused(void **state)
{
	/* dense and sparse, id "a", 100 values, 2 of them, places 3 and 9 */
	unsigned char bytes[4 + 1 + 4 + 4 + 2 * 12] = { 2, 16, 1, 0, 'a', 100,
		0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0 };
	static const struct {
		size_t at;
		unsigned char value;
	} bad[] = { { 5, 9 }, { 5, 1 }, { 7, 17 }, { 8, 255 }, { 9, 1 },
		{ 9, 3 }, { 13, 9 }, { 13, 100 }, { 17, 100 }, { 20, 1 } };
	struct row_scratch scratch = { 0 };
	unsigned char old;
	struct row out;
	size_t i;

	(void)state;
	assert_int_equal(row_decode(bytes, sizeof(bytes), &scratch, &out), 0);
	assert_int_equal(out.n_values, 100);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		old = bytes[bad[i].at];
		bytes[bad[i].at] = bad[i].value;
		assert_int_equal(
		    row_decode(bytes, sizeof(bytes), &scratch, &out),
		    ERR_FORMAT);
		bytes[bad[i].at] = old;
	}
	row_scratch_fini(&scratch);
}

static void
every_prefix_of_a_row_is_refused(void **state)
{
	const double values[] = { 1, 2 };
	struct row rows[] = {
		{ .kind = ROW_DENSE,
		    .id = span("ab"),
		    .flags =
			ROW_LABEL | ROW_LABEL_TEXT | ROW_WEIGHT | ROW_MATCH_ID,
		    .label_text = span("l"),
		    .match_id = span("m"),
		    .values = values,
		    .n_values = 2 },
		{ .kind = ROW_PREDICT,
		    .id = span("ab"),
		    .flags = ROW_LABEL,
		    .type = span("train") },
		{ .kind = ROW_DENSE,
		    .id = span("ab"),
		    .flags = ROW_SPARSE,
		    .values = (double[]){ 0, 1, 0, 0 },
		    .n_values = 4 },
	};
	struct row_scratch scratch = { 0 };
	struct buf bytes = BUF_INIT;
	struct row out;
	char *copy;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&bytes);
		assert_int_equal(row_encode(&bytes, &rows[i]), 0);
		for (n = 0; n < bytes.len; n++) {
			copy = xmalloc(n); /* reading on is seen */
			memcpy(copy, bytes.data, n);
			assert_int_equal(
			    row_decode(copy, n, &scratch, &out), ERR_FORMAT);
			free(copy);
		}
		assert_int_equal(
		    row_decode(bytes.data, bytes.len, &scratch, &out), 0);
	}
	buf_fini(&bytes);
	row_scratch_fini(&scratch);
}

static void
a_row_that_announces_more_values_than_it_has_is_refused(void **state)
{
	/* dense, no flags, id "a", 2^32 - 1 values, none there */
	const unsigned char bytes[] = { 2, 0, 1, 0, 'a', 255, 255, 255, 255 };
	struct row_scratch scratch = { 0 };
	struct row out;

	(void)state;
	assert_int_equal(
	    row_decode(bytes, sizeof(bytes), &scratch, &out), ERR_FORMAT);
	row_scratch_fini(&scratch);
}

#define BOTH(test)                                                             \
	{ #test " (standalone)", test, NULL, NULL,                             \
		(void *)(uintptr_t)&storage_standalone },                      \
	{                                                                      \
#test " (memory)", test, NULL, NULL,                           \
		    (void *)(uintptr_t)&storage_memory                         \
	}
#define LMDB(test)                                                             \
	{                                                                      \
#test, test, NULL, NULL,                                       \
		    (void *)(uintptr_t)&storage_standalone                     \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(sparse_rows_read_like_all_others),
		cmocka_unit_test(
		    sparse_rows_with_impossible_places_are_refused),
		BOTH(rows_come_back_in_the_order_they_were_appended),
		BOTH(rows_are_found_by_id_without_moving_the_cursor),
		BOTH(dense_rows_keep_every_part),
		BOTH(predict_rows_keep_every_part),
		BOTH(duplicate_ids_are_refused_naming_both_rows),
		BOTH(impossible_rows_are_refused_naming_the_row),
		BOTH(a_table_is_there_only_after_its_seal),
		BOTH(a_table_without_rows_is_a_table),
		BOTH(impossible_partitions_are_refused),
		BOTH(threads_read_partitions_at_once),
		LMDB(a_killed_writer_leaves_nothing_that_opens),
		LMDB(damaged_heads_and_cut_files_are_errors),
		LMDB(a_sealed_table_opens_where_nothing_can_be_written),
		LMDB(honest_tables_pass_the_check_of_their_pages),
		LMDB(what_passes_the_check_can_be_read_whatever_was_forged),
		LMDB(a_forged_page_size_in_the_second_head_is_refused),
		cmocka_unit_test(every_prefix_of_a_row_is_refused),
		cmocka_unit_test(
		    a_row_that_announces_more_values_than_it_has_is_refused),
	};
	int r;

	if (mkdtemp(folder) == NULL)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)fd_remove_tree(folder);
	return r;
}
