/*
 * Bodies of uploads while they come: forms in pieces of any size, who is
 * asked before what, and what is left when they break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/form.h"
#include "fcgi-app/multipart.h"
#include "fcgi-app/patience.h"
#include "fcgi-app/receive.h"
#include "fcgi-app/route.h"
#include "fcgi-app/turns.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "tests/lib/mariadb.h"

#define TYPE "multipart/form-data; boundary=B"
#define FILE_PART                                                              \
	"--B\r\nContent-Disposition: form-data; name=\"file\"; "               \
	"filename=\"x.csv\"\r\nContent-Type: text/csv\r\n\r\n"
#define FIELD_PART(name, value)                                                \
	"--B\r\nContent-Disposition: form-data; name=\"" name                  \
	"\"\r\n\r\n" value "\r\n"

/* --- forms in pieces ---------------------------------------------------------- */

struct feed {
	const char *data;
	size_t left, piece; /* 0: as much as is wanted */
	size_t fields;	    /* when the file began */
	struct buf file;
};

static int
feed_read(void *ctx, char *data, size_t size, size_t *got)
{
	struct feed *f = ctx;
	size_t n = f->left < size ? f->left : size;

	if (f->piece > 0 && n > f->piece)
		n = f->piece;
	memcpy(data, f->data, n);
	f->data += n;
	f->left -= n;
	*got = n;
	return 0;
}

static struct multipart form;

static int
feed_begin(void *ctx)
{
	struct feed *f = ctx;

	f->fields = (size_t)json_object_object_length(form.fields);
	return 0;
}

static int
feed_write(void *ctx, const void *data, size_t len)
{
	struct feed *f = ctx;

	assert_true(len > 0);
	buf_append(&f->file, data, len);
	return 0;
}

/* The form is in `form` and the file's bytes in f->file afterwards. */
static int
take(struct feed *f, const char *text, size_t len, size_t piece)
{
	const struct multipart_io io = { feed_read, feed_begin, feed_write, f };

	memset(f, 0, sizeof(*f));
	memset(&form, 0, sizeof(form));
	f->data = text;
	f->left = len;
	f->piece = piece;
	return multipart_read(&io, TYPE, &form);
}

static void
done(struct feed *f)
{
	multipart_fini(&form);
	buf_fini(&f->file);
}

static void
the_file_comes_with_its_exact_bytes_however_it_is_cut(void **state)
{
	static const char text[] =
	    "--B\r\ncontent-disposition: form-data; name=\"head\"\r\n\r\n1"
	    "\r\n" FILE_PART
	    "a,1\r\n--b\r\n-\r\n" FIELD_PART("after", "") "--B--\r\n";
	struct feed f;
	size_t piece;

	(void)state;
	for (piece = 0; piece < sizeof(text); piece++) {
		assert_int_equal(take(&f, text, sizeof(text) - 1, piece), 0);
		assert_string_equal(form.filename, "x.csv");
		assert_string_equal(buf_str(&f.file), "a,1\r\n--b\r\n-");
		assert_int_equal(form.len, f.file.len);
		assert_int_equal(f.fields, 1);
		assert_string_equal(json_get_str(form.fields, "head", ""), "1");
		assert_string_equal(
		    json_get_str(form.fields, "after", "?"), "");
		done(&f);
	}
}

static void
an_empty_file_has_length_zero(void **state)
{
	static const char text[] = FILE_PART "\r\n--B--\r\n";
	struct feed f;
	size_t piece;

	(void)state;
	for (piece = 0; piece < sizeof(text); piece++) {
		assert_int_equal(take(&f, text, sizeof(text) - 1, piece), 0);
		assert_int_equal(form.len, 0);
		assert_int_equal(f.file.len, 0);
		done(&f);
	}
}

static void
boundaries_across_windows_are_seen(void **state)
{
	struct feed f;
	struct buf b = BUF_INIT;
	size_t pad, begin = strlen(FILE_PART);

	(void)state;
	/* The mark begins at every place around the end of the window. */
	for (pad = 262144 - 40; pad < 262144 + 40; pad++) {
		buf_clear(&b);
		buf_puts(&b, FILE_PART);
		while (b.len < pad)
			buf_puts(&b, "0123456789\r\n--");
		b.len = pad;
		buf_puts(&b, "\r\n--B--");
		assert_int_equal(take(&f, b.data, b.len, 0), 0);
		assert_int_equal(form.len, pad - begin);
		assert_memory_equal(f.file.data, b.data + begin, f.file.len);
		done(&f);
	}
	buf_fini(&b);
}

static void
malformed_forms_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"--B",
		"--B--",
		"--B--\r\n",
		"--C\r\n\r\n\r\n--C--",
		FILE_PART,
		FILE_PART "abc",
		FILE_PART "abc\r\n--B",
		FILE_PART "abc\r\n--Bx",
		"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
		"--B\r\nX: y\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=\"file\r\n\r\nx"
		"\r\n--B--",
		FILE_PART "1\r\n" FILE_PART "2\r\n--B--",
	};
	struct feed f;
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (piece = 0; piece < 4; piece++) {
			assert_int_equal(
			    take(&f, bad[i], strlen(bad[i]), piece),
			    ERR_FORMAT);
			done(&f);
		}
}

static void
fields_and_headers_are_bounded(void **state)
{
	struct feed f;
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		buf_puts(&b, FIELD_PART("a", "1"));
	buf_puts(&b, FILE_PART "1\r\n--B--");
	assert_int_equal(take(&f, b.data, b.len, 0), ERR_LIMIT);
	done(&f);
	buf_clear(&b);
	buf_puts(&b, "--B\r\n");
	for (i = 0; i < 9000; i++)
		buf_putc(&b, 'h');
	assert_int_equal(take(&f, b.data, b.len, 0), ERR_LIMIT);
	done(&f);
	buf_clear(&b);
	buf_puts(&b, "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n");
	for (i = 0; i < 65537; i++)
		buf_putc(&b, 'v');
	buf_puts(&b, "\r\n" FILE_PART "1\r\n--B--");
	assert_int_equal(take(&f, b.data, b.len, 0), ERR_LIMIT);
	done(&f);
	buf_fini(&b);
}

/* --- whole requests ------------------------------------------------------------ */

struct fake {
	struct site_conf conf;
	struct app app;
	char *env[16];
	int n;
	const char *body;
	size_t left, stop_at; /* the peer says no more when so much is left */
	int at_stop;	      /* what reading gives then */
	size_t given;
	int64_t patience_ms; /* as last set */
	struct request_source source;
	struct request req;
};

static struct db *db;
static char home[] = "/tmp/sluice-receive-XXXXXX";

static int
fake_read(void *ctx, char *data, int size)
{
	struct fake *f = ctx;
	size_t n = f->left - f->stop_at;

	if (n == 0)
		return f->at_stop;
	if (n > (size_t)size)
		n = (size_t)size;
	memcpy(data, f->body, n);
	f->body += n;
	f->left -= n;
	f->given += n;
	return (int)n;
}

static void
fake_patience(void *ctx, int64_t ms)
{
	struct fake *f = ctx;

	if (ms > 0)
		f->patience_ms = ms;
}

static void
begin(struct fake *f, const char *target, const char *body, size_t len)
{
	memset(f, 0, sizeof(*f));
	f->conf.home = home;
	f->conf.board_url = home;
	f->conf.fcgi_max_body = 1000;
	f->conf.upload_max_mb = 1;
	f->conf.client_auth_off_on_loopback = true;
	f->app.conf = &f->conf;
	f->app.db = db;
	f->body = body;
	f->left = len;
	f->at_stop = -1;
	f->env[f->n++] = xstrdup("REQUEST_METHOD=POST");
	f->env[f->n++] = xasprintf("REQUEST_URI=%s", target);
	f->env[f->n++] = xstrdup("LISTENER=client-loopback");
	f->env[f->n++] = xstrdup("REMOTE_ADDR=127.0.0.1");
	f->env[f->n++] = xstrdup("CONTENT_TYPE=" TYPE);
	f->env[f->n++] = xasprintf("CONTENT_LENGTH=%zu", len);
	f->source = (struct request_source){ .envp = f->env,
		.read = fake_read,
		.ctx = f,
		.patience = fake_patience };
	assert_int_equal(request_init(&f->req, &f->app, &f->source), 0);
	f->req.route = route_find(&f->req);
	assert_non_null(f->req.route);
	assert_int_equal(f->req.route->body, BODY_UPLOAD);
}

static void
end(struct fake *f)
{
	request_fini(&f->req);
	for (int i = 0; i < f->n; i++)
		free(f->env[i]);
}

static void
a_received_file_has_no_name_and_its_bytes(void **state)
{
	static const char text[] = FIELD_PART("head", "1") FILE_PART
	    "id,x\n1,2\n\r\n--B--\r\nepilogue";
	const struct multipart *m;
	struct buf b = BUF_INIT;
	struct fake f;
	struct stat st;

	(void)state;
	begin(&f, "/v1/model/import", text, sizeof(text) - 1);
	assert_int_equal(receive_body(&f.req), 0);
	assert_true(f.req.is_proven);
	assert_int_equal(f.left, 0);
	assert_int_equal(form_multipart(&f.req, &m), 0);
	assert_int_equal(fstat(m->fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_size, m->len);
	assert_int_equal(lseek(m->fd, 0, SEEK_SET), 0);
	assert_int_equal(buf_read_fd(&b, m->fd, 100), 0);
	assert_string_equal(buf_str(&b), "id,x\n1,2\n");
	buf_fini(&b);
	end(&f);
}

/* The vector of the classic client's import, sent as it sends it. */
static void
a_form_is_signed_by_its_text_fields(void **state)
{
	static const char text[] =
	    FIELD_PART("b", "x y/~") FIELD_PART("a", "\xc3\xa9&=")
		FIELD_PART("file", "/tmp/m.zip") FILE_PART "PK\r\n--B--\r\n";
	struct buf canonical = BUF_INIT;
	struct fake f;

	(void)state;
	begin(&f, "/v1/model/import", text, sizeof(text) - 1);
	assert_int_equal(receive_body(&f.req), 0);
	form_canonical(&f.req, &canonical);
	assert_string_equal(buf_str(&canonical),
	    "a=%C3%A9%26%3D&b=x%20y%2F~&file=%2Ftmp%2Fm.zip");
	buf_fini(&canonical);
	end(&f);
}

static void
who_may_not_is_refused_before_a_byte_is_read(void **state)
{
	static const char text[] = FILE_PART "1\r\n--B--";
	struct fake f;

	(void)state;
	begin(&f, "/v1/data/upload", text, sizeof(text) - 1);
	free(f.env[3]);
	f.env[3] = xstrdup("REMOTE_ADDR=192.0.2.1");
	assert_int_equal(receive_body(&f.req), ERR_AUTH);
	assert_int_equal(f.given, 0);
	assert_false(f.req.is_proven);
	end(&f);
}

static void
what_is_too_large_is_refused_before_a_byte_is_read(void **state)
{
	static const char text[] = FILE_PART "1\r\n--B--";
	struct fake f;

	(void)state;
	begin(&f, "/v1/data/upload", text, sizeof(text) - 1);
	free(f.env[5]);
	f.env[5] = xasprintf("CONTENT_LENGTH=%d", (1 << 20) + 1);
	assert_int_equal(receive_body(&f.req), ERR_LIMIT);
	assert_non_null(strstr(err_text(), "upload_max_mb"));
	assert_int_equal(f.given, 0);
	end(&f);
}

static void
a_full_disk_is_said_and_keeps_nothing(void **state)
{
	static const char text[] = FILE_PART "1\r\n--B--";
	struct fake f;

	(void)state;
	begin(&f, "/v1/data/upload", text, sizeof(text) - 1);
	f.conf.upload_keep_free_mb = INT64_C(1) << 30;
	assert_int_equal(receive_body(&f.req), ERR_BUSY);
	assert_non_null(strstr(err_text(), "disk"));
	end(&f);
}

static void
a_body_that_breaks_is_refused_at_every_byte(void **state)
{
	static const char text[] =
	    FIELD_PART("a", "1") FILE_PART "1,2\n\r\n--B--\r\n";
	struct fake f;
	size_t left;

	(void)state;
	for (left = 1; left < sizeof(text) - 1; left++) {
		begin(&f, "/v1/data/upload", text, sizeof(text) - 1);
		f.stop_at = left;
		assert_int_equal(receive_body(&f.req), ERR_INVALID);
		end(&f);
	}
}

static void
who_has_sent_more_may_take_longer(void **state)
{
	struct buf b = BUF_INIT;
	struct fake f;

	(void)state;
	buf_puts(&b, FILE_PART);
	while (b.len < 600000)
		buf_puts(&b, "0123456789\n");
	begin(&f, "/v1/data/upload", b.data, b.len);
	f.stop_at = 8;
	f.at_stop = REQUEST_LATE;
	assert_int_equal(receive_body(&f.req), ERR_TIMEOUT);
	assert_non_null(strstr(err_text(), "too slowly"));
	assert_in_range(f.patience_ms,
	    RECEIVE_GRACE_MS + 590000 * INT64_C(1000) / RECEIVE_BYTES_PER_S -
		2000,
	    RECEIVE_GRACE_MS + 600000 * INT64_C(1000) / RECEIVE_BYTES_PER_S);
	end(&f);
	buf_fini(&b);
}

/* A body that lies in memory has its time, too. */
static void
a_configuration_that_does_not_come_is_given_up(void **state)
{
	struct fake f;

	(void)state;
	begin(&f, "/v1/data/upload", "{\"a\":1}", 7);
	free(f.env[4]);
	f.env[4] = xstrdup("CONTENT_TYPE=application/json");
	f.stop_at = 3;
	f.at_stop = REQUEST_LATE;
	assert_int_equal(receive_body(&f.req), ERR_TIMEOUT);
	end(&f);
}

/* Turns are of processes: another one has to hold it. */
static void
one_worker_stays_for_others(void **state)
{
	static const char text[] = FILE_PART "1\r\n--B--";
	struct turns *turns;
	struct fake f;
	int pair[2];
	pid_t pid;
	char c = 'x';

	(void)state;
	assert_int_equal(turns_new(1, "uploads", &turns), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if ((pid = fork()) == 0) {
		(void)close(pair[0]);
		c = turns_take(turns) == 0 ? 'x' : '!';
		(void)!write(pair[1], &c, 1);
		(void)!read(pair[1], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(pair[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	begin(&f, "/v1/data/upload", text, sizeof(text) - 1);
	f.app.downloads = turns;
	/* What is small and comes from this machine needs none. */
	assert_int_equal(receive_body(&f.req), 0);
	end(&f);
	begin(&f, "/v1/data/upload", text, sizeof(text) - 1);
	f.conf.upload_max_mb = 100;
	free(f.env[5]);
	f.env[5] = xstrdup("CONTENT_LENGTH=2000000");
	f.app.downloads = turns;
	assert_int_equal(receive_body(&f.req), ERR_BUSY);
	assert_int_equal(f.given, 0);
	end(&f);
	assert_int_equal(write(pair[0], &c, 1), 1);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	turns_free(turns);
}

/* --- patience -------------------------------------------------------------------- */

static void
waiting_for_a_silent_peer_ends(void **state)
{
	int64_t begun = clock_mono_ms();
	int pair[2];
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	patience_set(pair[0], 50);
	assert_int_equal(read(pair[0], &c, 1), 0);
	assert_true(patience_over());
	assert_true(clock_mono_ms() - begun >= 45);
	/* An answer gets through still. */
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(read(pair[1], &c, 1), 1);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	patience_set(pair[0], 60000);
	assert_false(patience_over());
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(read(pair[0], &c, 1), 1);
	patience_set(pair[0], 0);
	assert_false(patience_over());
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static int
make_home(void **state)
{
	char *spool;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	if (mkdtemp(home) == NULL)
		return -1;
	spool = xasprintf("%s/spool/upload", home);
	assert_int_equal(fd_mkdirs(spool, 0700), 0);
	free(spool);
	return 0;
}

/* rmdir() wants them empty: nothing was left by any test. */
static int
remove_home(void **state)
{
	static const char *const dirs[] = { "/spool/upload", "/spool", "" };
	char *dir;
	size_t i;

	(void)state;
	db_close(db);
	for (i = 0; i < 3; i++) {
		dir = xasprintf("%s%s", home, dirs[i]);
		assert_int_equal(rmdir(dir), 0);
		free(dir);
	}
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_file_comes_with_its_exact_bytes_however_it_is_cut),
		cmocka_unit_test(an_empty_file_has_length_zero),
		cmocka_unit_test(boundaries_across_windows_are_seen),
		cmocka_unit_test(malformed_forms_are_refused),
		cmocka_unit_test(fields_and_headers_are_bounded),
		cmocka_unit_test(a_received_file_has_no_name_and_its_bytes),
		cmocka_unit_test(a_form_is_signed_by_its_text_fields),
		cmocka_unit_test(who_may_not_is_refused_before_a_byte_is_read),
		cmocka_unit_test(
		    what_is_too_large_is_refused_before_a_byte_is_read),
		cmocka_unit_test(a_full_disk_is_said_and_keeps_nothing),
		cmocka_unit_test(a_body_that_breaks_is_refused_at_every_byte),
		cmocka_unit_test(who_has_sent_more_may_take_longer),
		cmocka_unit_test(
		    a_configuration_that_does_not_come_is_given_up),
		cmocka_unit_test(one_worker_stays_for_others),
		cmocka_unit_test(waiting_for_a_silent_peer_ends),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
