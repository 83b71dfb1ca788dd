/*
 * Checkpoints: from a frame to a file and rows, and back out to a user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_checkpoint.h"
#include "lib/db/db_model.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"
#include "lib/model/model_object.h"
#include "lib/model/model_object_in.h"
#include "lib/wire/check.h"
#include "supervisor/shepherd/checkpoint.h"
#include "supervisor/shepherd/shepherd.h"
#include "tests/lib/api_call.h"
#include "tests/lib/claim.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define MODEL "arbiter-10000#guest-9999#host-10000#model"
#define OF_LR                                                                  \
	"\"role\":\"guest\",\"party_id\":9999,\"model_id\":\"" MODEL           \
	"\",\"model_version\":\"" J1 "\",\"component_name\":\"lr_0\""

static char home[] = "/tmp/sluice-checkpoint-XXXXXX";
static char none[] = "";
static struct site_conf conf;
static struct app app;
static struct arena *arena;
static struct shepherd shepherd;
static struct subject subject;
static struct db_job job = {
	.model_id = MODEL, .model_version = J1, .job_type = "train"
};
static struct db_task task = { .key = { J1, "lr_0", 0, "guest", ROWS_GUEST } };

static int
set_up(void **state)
{
	struct db_attempt *rows;
	size_t n;

	(void)state;
	mariadb_fresh();
	conf = *mariadb_conf();
	memcpy(home + strlen(home) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(home));
	conf.home = home;
	conf.board_url = none;
	conf.fcgi_max_body = 1 << 20;
	conf.client_auth_off_on_loopback = true;
	app = (struct app){ .conf = &conf, .db = mariadb_connect() };
	assert_int_equal(turns_new(1, "downloads", &app.downloads), 0);
	arena = arena_new();
	assert_int_equal(rows_initiated(app.db, J1), 0);
	assert_int_equal(
	    db_job_move(app.db, J1, STATE_WAITING, 0, "", NULL), 0);
	assert_int_equal(
	    db_job_move(app.db, J1, STATE_RUNNING, 0, "", NULL), 0);
	assert_int_equal(db_task_want_launch(app.db, &task.key, NULL), 0);
	assert_int_equal(
	    claim_any(app.db, arena, "s", "h", 60000, 10, &rows, &n), 0);
	assert_int_equal(n, 1);
	job.job_type = "train";
	subject =
	    (struct subject){ .attempt = rows, .task = &task, .job = &job };
	shepherd = (struct shepherd){
		.conf = &conf, .db = app.db, .subject = &subject
	};
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(fd_remove_tree(home), 0);
	arena_free(arena);
	turns_free(app.downloads);
	db_close(app.db);
	return 0;
}

/* A checkpoint of one buffer. */
static int
write_one(uint64_t step, const char *name, const char *content, uint32_t keep)
{
	Sluice__Executor__Checkpoint m = SLUICE__EXECUTOR__CHECKPOINT__INIT;
	Sluice__Executor__NamedBuffer b = SLUICE__EXECUTOR__NAMED_BUFFER__INIT;
	Sluice__Executor__NamedBuffer *buffers[] = { &b };
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;
	int r;

	b.name = (char *)(uintptr_t) "LRModelParam";
	b.message = b.name;
	b.content.data = (uint8_t *)(uintptr_t)content;
	b.content.len = strlen(content);
	m.step_index = step;
	m.step_name = (char *)(uintptr_t)name;
	m.buffers = buffers;
	m.n_buffers = 1;
	m.keep = keep;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_CHECKPOINT;
	f.checkpoint = &m;
	r = wire_check_executor(&f, 0);
	return r != 0 ? r : checkpoint_write(&shepherd, &m);
}

/* Files and folders in a folder. */
static int
count_files(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static struct json_object *
listed(struct api_answer *a)
{
	api_want(&app, 0, "/v1/checkpoint/list", "{" OF_LR "}", a);
	return json_get(a->json, "data");
}

static void
the_newest_checkpoints_are_kept_and_listed(void **state)
{
	struct json_object *list;
	struct api_answer a;
	char name[20];

	(void)state;
	for (int i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "round_%d", i);
		assert_int_equal(write_one((uint64_t)i, name, name, 3), 0);
	}
	list = listed(&a);
	assert_int_equal(json_object_array_length(list), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    json_get_int(json_object_array_get_idx(list, (size_t)i),
			"step_index", -1),
		    i + 2);
	list = json_object_array_get_idx(list, 0);
	assert_string_equal(json_get_str(list, "step_name", ""), "round_2");
	assert_true(json_get_int(list, "create_time", 0) > 0);
	assert_int_equal(
	    json_get_int(
		json_path_get(list, "models", "LRModelParam"), "bytes", -1),
	    7);
	api_answer_fini(&a);
}

static void
a_checkpoint_comes_back_with_its_content(void **state)
{
	struct api_answer a;

	(void)state;
	assert_int_equal(write_one(4, "four", "state four", 0), 0);
	assert_int_equal(write_one(5, "five", "state five", 0), 0);
	api_want(
	    &app, 0, "/v1/checkpoint/get", "{" OF_LR ",\"step_index\":4}", &a);
	assert_string_equal(
	    json_get_str(
		json_path_get(a.json, "data", "models"), "LRModelParam", ""),
	    "c3RhdGUgZm91cg==");
	api_answer_fini(&a);
	api_want(&app, 0, "/v1/checkpoint/get",
	    "{" OF_LR ",\"step_name\":\"five\"}", &a);
	assert_int_equal(
	    json_get_int(json_get(a.json, "data"), "step_index", -1), 5);
	api_answer_fini(&a);
}

static void
the_same_step_again_replaces_it_and_becomes_the_newest(void **state)
{
	struct json_object *list;
	struct api_answer a;

	(void)state;
	assert_int_equal(write_one(0, "zero", "first", 2), 0);
	assert_int_equal(write_one(1, "one", "first", 2), 0);
	assert_int_equal(write_one(0, "zero", "second", 2), 0);
	assert_int_equal(write_one(2, "two", "first", 2), 0);
	list = listed(&a);
	assert_int_equal(json_object_array_length(list), 2);
	assert_int_equal(
	    json_get_int(json_object_array_get_idx(list, 0), "step_index", -1),
	    0);
	api_answer_fini(&a);
	api_want(
	    &app, 0, "/v1/checkpoint/get", "{" OF_LR ",\"step_index\":0}", &a);
	assert_string_equal(
	    json_get_str(
		json_path_get(a.json, "data", "models"), "LRModelParam", ""),
	    "c2Vjb25k");
	api_answer_fini(&a);
}

static void
wrong_questions_are_told_by_status(void **state)
{
	struct api_answer a;

	(void)state;
	assert_int_equal(write_one(4, "four", "state", 0), 0);
	api_want(&app, 400, "/v1/checkpoint/list", "{\"role\":\"guest\"}", &a);
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(buf_str(&a.body), "component_name"));
	api_answer_fini(&a);
	api_want(&app, 400, "/v1/checkpoint/get", "{" OF_LR "}", &a);
	assert_int_equal(a.status, 400);
	api_answer_fini(&a);
	api_want(&app, 400, "/v1/checkpoint/get",
	    "{" OF_LR ",\"step_index\":\"x\"}", &a);
	api_answer_fini(&a);
	api_want(&app, 404, "/v1/checkpoint/get",
	    "{" OF_LR ",\"step_index\":5}", &a);
	assert_int_equal(a.status, 404);
	api_answer_fini(&a);
}

static void
a_damaged_file_is_not_handed_out(void **state)
{
	unsigned char sha256[DIGEST_SIZE];
	struct api_answer a;
	char *path;

	(void)state;
	assert_int_equal(write_one(4, "four", "state", 0), 0);
	assert_int_equal(digest_memory("state", 5, sha256), 0);
	path = model_object_path(&conf, sha256);
	assert_int_equal(fd_replace_file(path, "stat!", 5, 0640), 0);
	free(path);
	api_call(&app, "POST", "/v1/checkpoint/get",
	    "{" OF_LR ",\"step_index\":4}", &a);
	assert_int_equal(a.retcode, err_retcode(ERR_FORMAT));
	assert_non_null(strstr(buf_str(&a.body), "damaged"));
	api_answer_fini(&a);
}

static void
an_attempt_that_was_ended_writes_none(void **state)
{
	static const struct db_stmt expire = { "expire", "",
		"UPDATE attempt SET ended_at = NOW(6)" };
	struct json_object *list;
	struct api_answer a;

	(void)state;
	assert_int_equal(write_one(1, "one", "state", 0), 0);
	assert_int_equal(db_exec(app.db, &expire, NULL), 0);
	assert_int_equal(write_one(2, "two", "state", 0), ERR_CONFLICT);
	list = listed(&a);
	assert_int_equal(json_object_array_length(list), 1);
	api_answer_fini(&a);
}

static void
predict_jobs_keep_none(void **state)
{
	struct json_object *list;
	struct api_answer a;

	(void)state;
	job.job_type = "predict";
	assert_int_equal(write_one(1, "one", "state", 0), 0);
	list = listed(&a);
	assert_int_equal(json_object_array_length(list), 0);
	api_answer_fini(&a);
}

static void
files_of_checkpoints_count_as_used(void **state)
{
	unsigned char sha256[DIGEST_SIZE];
	bool used;

	(void)state;
	assert_int_equal(write_one(1, "one", "first", 1), 0);
	assert_int_equal(digest_memory("first", 5, sha256), 0);
	assert_int_equal(db_model_object_used(app.db, sha256, &used), 0);
	assert_true(used);
	assert_int_equal(write_one(2, "two", "second", 1), 0);
	assert_int_equal(db_model_object_used(app.db, sha256, &used), 0);
	assert_false(used);
}

static void
frames_that_name_impossible_steps_are_refused(void **state)
{
	(void)state;
	assert_int_equal(write_one(1, "../one", "state", 0), ERR_FORMAT);
	assert_int_equal(write_one(1, "", "state", 0), ERR_FORMAT);
	assert_int_equal(write_one(1, "a#b", "state", 0), ERR_FORMAT);
	assert_int_equal(
	    write_one((uint64_t)1 << 40, "one", "state", 0), ERR_FORMAT);
	assert_int_equal(write_one(1, "one", "state", 101), ERR_FORMAT);
}

static void
an_object_in_pieces_is_the_same_as_one_at_once(void **state)
{
	unsigned char whole[DIGEST_SIZE], pieces[DIGEST_SIZE];
	struct db_model_part part = { .component = "lr_0",
		.alias = "model",
		.buffer_name = "P",
		.bytes = 7 };
	struct model_object_in *in;
	struct buf out = BUF_INIT;
	char *path;

	(void)state;
	assert_int_equal(model_object_begin(&conf, &in), 0);
	assert_int_equal(model_object_add(in, "one", 3), 0);
	assert_int_equal(model_object_add(in, " two", 4), 0);
	assert_int_equal(model_object_digest(in, pieces), 0);
	assert_int_equal(digest_memory("one two", 7, whole), 0);
	assert_memory_equal(whole, pieces, DIGEST_SIZE);
	memcpy(part.sha256, whole, DIGEST_SIZE);
	assert_int_equal(model_object_read(&conf, &part, 7, &out), ERR_FORMAT);
	assert_int_equal(model_object_end(in), 0);
	assert_int_equal(model_object_read(&conf, &part, 7, &out), 0);
	assert_string_equal(buf_str(&out), "one two");
	buf_fini(&out);
	/* One that is given up leaves nothing. */
	assert_int_equal(model_object_begin(&conf, &in), 0);
	path = xasprintf("%s/models/objects", home);
	assert_int_equal(count_files(path), 2);
	model_object_abort(in);
	assert_int_equal(count_files(path), 1);
	free(path);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(the_newest_checkpoints_are_kept_and_listed),
		T(a_checkpoint_comes_back_with_its_content),
		T(the_same_step_again_replaces_it_and_becomes_the_newest),
		T(wrong_questions_are_told_by_status),
		T(a_damaged_file_is_not_handed_out),
		T(an_attempt_that_was_ended_writes_none),
		T(predict_jobs_keep_none),
		T(files_of_checkpoints_count_as_used),
		T(frames_that_name_impossible_steps_are_refused),
		T(an_object_in_pieces_is_the_same_as_one_at_once),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
