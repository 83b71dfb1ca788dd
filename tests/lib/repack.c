#include "tests/lib/repack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

struct packing {
	struct archive *out;
	const struct repack *how;
};

static void
put(struct packing *p, const char *name, const char *data, size_t len,
    const char *link)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_filetype(e, link != NULL ? AE_IFLNK : AE_IFREG);
	if (link != NULL)
		archive_entry_set_symlink(e, link);
	archive_entry_set_size(e, link != NULL ? 0 : (int64_t)len);
	assert_int_equal(archive_write_header(p->out, e), ARCHIVE_OK);
	if (link == NULL && len > 0)
		assert_int_equal(
		    archive_write_data(p->out, data, len), (int64_t)len);
	archive_entry_free(e);
}

static void
edit(const struct repack *how, const char *name, struct buf *data)
{
	struct buf with = BUF_INIT;
	const char *at;

	if (str_eq(name, how->flip))
		data->data[0] ^= 1;
	if (!str_eq(name, how->replace))
		return;
	at = strstr(buf_str(data), how->from);
	assert_non_null(at);
	buf_append(&with, data->data, (size_t)(at - data->data));
	buf_puts(&with, how->by);
	buf_puts(&with, at + strlen(how->from));
	buf_fini(data);
	*data = with;
}

static void
copy(struct packing *p, struct archive *in)
{
	const struct repack *how = p->how;
	struct archive_entry *e;

	while (archive_read_next_header(in, &e) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(e);
		size_t len = (size_t)archive_entry_size(e);
		struct buf data = BUF_INIT;

		buf_reserve(&data, len + 1);
		assert_int_equal(
		    archive_read_data(in, data.data, len), (int64_t)len);
		data.len = len;
		data.data[len] = '\0';
		edit(how, name, &data);
		if (str_eq(name, how->rename))
			put(p, how->to, data.data, data.len, NULL);
		else if (!str_eq(name, how->drop))
			put(p, name, data.data, data.len, NULL);
		if (str_eq(name, how->twice))
			put(p, name, data.data, data.len, NULL);
		buf_fini(&data);
	}
}

/* In pieces: a test looks at how much memory is used. */
static void
put_zeros(struct packing *p, const char *name, size_t len)
{
	static const char zeros[65536];
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_size(e, (int64_t)len);
	assert_int_equal(archive_write_header(p->out, e), ARCHIVE_OK);
	for (; len > 0; len -= sizeof(zeros) < len ? sizeof(zeros) : len)
		assert_true(archive_write_data(p->out, zeros,
				sizeof(zeros) < len ? sizeof(zeros) : len) > 0);
	archive_entry_free(e);
}

static void
add(struct packing *p)
{
	const struct repack *how = p->how;

	if (how->add != NULL && how->zeros > 0)
		put_zeros(p, how->add, how->zeros);
	else if (how->add != NULL)
		put(p, how->add, how->content,
		    how->content != NULL ? strlen(how->content) : 0, how->link);
}

void
repack(const char *from, const char *to, const struct repack *how)
{
	struct archive *in = archive_read_new(), *out = archive_write_new();
	struct packing p = { out, how };
	struct stat st;

	archive_read_support_format_zip(in);
	assert_int_equal(
	    archive_read_open_filename(in, from, 65536), ARCHIVE_OK);
	if (how->tar) {
		archive_write_add_filter_gzip(out);
		archive_write_set_format_pax_restricted(out);
	} else {
		archive_write_set_format_zip(out);
	}
	assert_int_equal(archive_write_open_filename(out, to), ARCHIVE_OK);
	copy(&p, in);
	add(&p);
	assert_int_equal(archive_write_close(out), ARCHIVE_OK);
	archive_write_free(out);
	archive_read_free(in);
	if (how->cut > 0) {
		assert_int_equal(stat(to, &st), 0);
		assert_int_equal(truncate(to, st.st_size - (off_t)how->cut), 0);
	}
}
