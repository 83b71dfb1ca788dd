/*
 * Files of models: kept under their hash, refused when they changed, removed
 * when nobody names them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/model/model_object.h"

static char home[] = "/tmp/test_model_object.XXXXXX";
static struct site_conf conf = { .home = home };

static int
set_up(void **state)
{
	(void)state;
	memcpy(home + strlen(home) - 6, "XXXXXX", 6);
	return mkdtemp(home) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return fd_remove_tree(home);
}

static struct db_model_part
keep(const char *content)
{
	struct db_model_part p = { .component = "lr_0",
		.alias = "model",
		.buffer_name = "LRParam",
		.bytes = (int64_t)strlen(content) };

	assert_int_equal(
	    model_object_keep(&conf, content, strlen(content), p.sha256), 0);
	return p;
}

static void
put_in_place(const struct db_model_part *p, const char *content)
{
	char *path = model_object_path(&conf, p->sha256);

	assert_int_equal(
	    fd_replace_file(path, content, strlen(content), 0640), 0);
	free(path);
}

static void
what_was_kept_is_read_back(void **state)
{
	struct db_model_part p = keep("some weights");
	struct buf out = BUF_INIT;

	(void)state;
	buf_puts(&out, "before ");
	assert_int_equal(model_object_check(&conf, &p), 0);
	assert_int_equal(model_object_read(&conf, &p, 100, &out), 0);
	assert_string_equal(buf_str(&out), "before some weights");
	assert_int_equal(model_object_read(&conf, &p, 5, &out), ERR_LIMIT);
	buf_fini(&out);
}

static void
file_that_changed_is_noticed(void **state)
{
	struct db_model_part p = keep("some weights");
	struct buf out = BUF_INIT;
	char *path = model_object_path(&conf, p.sha256);

	(void)state;
	put_in_place(&p, "other weight");
	assert_int_equal(model_object_check(&conf, &p), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "lr_0.model LRParam"));
	assert_int_equal(model_object_read(&conf, &p, 100, &out), ERR_FORMAT);
	put_in_place(&p, "short");
	assert_int_equal(model_object_check(&conf, &p), ERR_FORMAT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(model_object_check(&conf, &p), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "missing"));
	/* The same content again mends it. */
	p = keep("some weights");
	assert_int_equal(model_object_check(&conf, &p), 0);
	free(path);
	buf_fini(&out);
}

static int
is_wanted(void *ctx, const unsigned char sha256[], bool *used)
{
	const struct db_model_part *p = ctx;

	*used = memcmp(sha256, p->sha256, DB_HASH_SIZE) == 0;
	return 0;
}

static void
sweep_removes_what_nobody_names_and_is_not_fresh(void **state)
{
	struct db_model_part a = keep("wanted"), b = keep("forgotten");
	char *path = model_object_path(&conf, a.sha256), *aside;
	size_t n;

	(void)state;
	assert_int_equal(model_object_sweep(&conf, 3600, is_wanted, &a, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(model_object_check(&conf, &b), 0);
	/* Nor is it old because the database's clock is ahead. */
	clock_anchor((clock_file_ms() + 7200 * 1000) * 1000);
	assert_int_equal(model_object_sweep(&conf, 3600, is_wanted, &a, &n), 0);
	clock_anchor(clock_file_ms() * 1000);
	assert_int_equal(n, 0);
	assert_int_equal(model_object_sweep(&conf, 0, is_wanted, &a, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(model_object_check(&conf, &a), 0);
	assert_int_equal(model_object_check(&conf, &b), ERR_FORMAT);
	/* Left aside by a sweep that was killed. */
	aside = malloc(strlen(path) + 6);
	assert_non_null(aside);
	(void)snprintf(aside, strlen(path) + 6, "%s.gone", path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(model_object_sweep(&conf, 3600, is_wanted, &a, &n), 0);
	assert_int_equal(model_object_check(&conf, &a), 0);
	free(aside);
	free(path);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(what_was_kept_is_read_back),
		T(file_that_changed_is_noticed),
		T(sweep_removes_what_nobody_names_and_is_not_fresh),
	};
#undef T

	log_init("test_model_object", LOG_ERROR_);
	return cmocka_run_group_tests_name("model_object", tests, NULL, NULL);
}
