/*
 * Jobs and their members: inserts, moves, lists, scheduling leases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_event.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_job.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"
#include "lib/db/migrate.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define J2 "202601010000000000002"
#define J3 "202601010000000000003"
#define LEASE_MS 60000

static struct db *db;
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	db_set_actor(db, "test");
	arena = arena_new();
	if (rows_initiated(db, J1) == 0)
		return 0;
	print_error("%s\n", err_text());
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static struct db_job *
job(const char *id)
{
	struct db_job *j;

	assert_int_equal(db_job_get(db, arena, id, &j), 0);
	return j;
}

static size_t
events(const char *id, const char *kind)
{
	struct db_event *rows;
	size_t n, found = 0;

	assert_int_equal(db_event_list(db, arena, id, 0, 1000, &rows, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(rows[i].actor, "test");
		found += strcmp(rows[i].kind, kind) == 0;
	}
	return found;
}

static void
job_is_read_as_it_was_inserted(void **state)
{
	struct db_party *p;
	struct db_task *t;
	struct db_job *j = job(J1);
	unsigned char hash[DB_HASH_SIZE];
	size_t n;

	(void)state;
	memset(hash, 7, sizeof(hash));
	assert_string_equal(j->job_id, J1);
	assert_int_equal(j->status, STATE_WAITING);
	assert_true(j->is_initiator);
	assert_string_equal(j->initiator_party, ROWS_GUEST);
	assert_memory_equal(j->contract_hash, hash, sizeof(hash));
	assert_string_equal(j->runtime_conf, "{\"dsl_version\":2}");
	assert_null(j->train_conf);
	assert_int_equal(j->timeout_s, 3600);
	assert_true(j->created_ms > 1700000000000 && j->age_ms >= 0);
	assert_int_equal(j->started_ms, 0);
	assert_int_equal(j->cancel_status, STATE_NONE);
	assert_int_equal(db_party_list(db, arena, J1, &p, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(p[1].role, "guest");
	assert_true(p[1].is_local && p[1].created && p[1].cores == 4);
	assert_false(p[0].is_local || p[0].created);
	assert_int_equal(db_task_list(db, arena, J1, true, &t, &n), 0);
	assert_int_equal(n, 6);
	assert_string_equal(t[0].key.component, "reader_0");
	assert_string_equal(t[0].key.role, "arbiter");
	assert_false(t[0].run_here);
	assert_int_equal(events(J1, "job"), 1);
}

static void
brief_job_has_no_documents(void **state)
{
	struct db_job *j;

	(void)state;
	assert_int_equal(db_job_get_brief(db, arena, J1, &j), 0);
	assert_null(j->dsl);
	assert_null(j->contract);
	assert_int_equal(j->status, STATE_WAITING);
	assert_int_equal(db_job_get(db, arena, J2, &j), ERR_NOT_FOUND);
}

static void
same_job_again_is_completed_and_another_is_refused(void **state)
{
	struct rows_partner p;
	struct db_party *m;
	struct db_task *t;
	bool created;
	size_t n;

	(void)state;
	rows_partner_init(&p, J2, "host");
	assert_int_equal(db_job_insert(db, &p.job, &created), 0);
	assert_true(created);
	assert_int_equal(db_job_insert(db, &p.job, &created), 0);
	assert_false(created);
	assert_int_equal(db_task_list(db, arena, J2, true, &t, &n), 0);
	assert_int_equal(n, 2);
	rows_partner_init(&p, J2, "arbiter");
	assert_int_equal(db_job_insert(db, &p.job, &created), 0);
	assert_false(created);
	assert_int_equal(db_task_list(db, arena, J2, true, &t, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(db_party_list(db, arena, J2, &m, &n), 0);
	assert_int_equal(n, 3);
	assert_true(m[0].created && m[2].created);
	assert_false(m[1].created);
	assert_int_equal(events(J2, "job"), 1);
	p.job.contract_hash[0] ^= 1;
	assert_int_equal(db_job_insert(db, &p.job, &created), ERR_EXISTS);
}

/* Two requests that drew one id: equal documents must not make them one job. */
static void
a_job_that_has_to_be_new_is_no_second_time(void **state)
{
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, J2, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	assert_int_equal(db_job_insert(db, &p.job, NULL), ERR_EXISTS);
	assert_int_equal(events(J2, "job"), 1);
}

struct telling {
	int64_t n;
	int end;
};

static int
tell_tx(struct db *to, void *ctx)
{
	const struct telling *t = ctx;
	int r = 0;

	for (int64_t i = 0; r == 0 && i < t->n; i++)
		r = db_event_add(
		    to, &(struct db_event){
			    .job_id = J2, .kind = "test", .version = i });
	return r == 0 ? t->end : r;
}

/* Written together at the end, however many they are. */
static void
events_of_a_transaction_are_all_there_in_order_or_none(void **state)
{
	struct telling t = { .n = 7, .end = ERR_BUSY };
	struct db_event *rows;
	size_t n;

	(void)state;
	assert_int_equal(db_tx(db, tell_tx, &t), ERR_BUSY);
	assert_int_equal(events(J2, "test"), 0);
	t = (struct telling){ .n = 7 };
	assert_int_equal(db_tx(db, tell_tx, &t), 0);
	assert_int_equal(db_event_list(db, arena, J2, 0, 100, &rows, &n), 0);
	assert_int_equal(n, 7);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rows[i].version, i);
	assert_int_equal(tell_tx(db, &t), 0);
	assert_int_equal(events(J2, "test"), 14);
}

static void
failed_insert_leaves_nothing(void **state)
{
	struct rows_partner p;
	struct db_job *j;
	char longer[200];

	(void)state;
	rows_partner_init(&p, J2, "host");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	p.tasks[1].component = longer;
	assert_int_equal(db_job_insert(db, &p.job, NULL), ERR_DB);
	assert_int_equal(db_job_get(db, arena, J2, &j), ERR_NOT_FOUND);
}

static void
moves_keep_to_the_table_and_leave_events(void **state)
{
	bool moved;

	(void)state;
	assert_int_equal(db_job_move(db, J1, STATE_READY, 0, NULL, &moved), 0);
	assert_false(moved);
	assert_int_equal(
	    db_job_move(db, J1, STATE_RUNNING, 0, "go", &moved), 0);
	assert_true(moved);
	assert_true(job(J1)->started_ms > 0);
	assert_int_equal(job(J1)->ended_ms, 0);
	assert_int_equal(
	    db_job_move(db, J1, STATE_RUNNING, 0, "go", &moved), 0);
	assert_false(moved);
	assert_int_equal(
	    db_job_move(db, J1, STATE_FAILED, 0, "broken", &moved), 0);
	assert_true(moved);
	assert_true(job(J1)->ended_ms >= job(J1)->started_ms);
	assert_string_equal(job(J1)->reason, "broken");
	assert_int_equal(
	    db_job_move(db, J1, STATE_SUCCESS, 0, NULL, &moved), 0);
	assert_false(moved);
	/* inserted, running, failed: nothing for what did not happen */
	assert_int_equal(events(J1, "job"), 3);
	assert_int_equal(db_job_set_progress(db, J1, 50), 0);
	assert_int_equal(
	    db_job_move(db, J1, STATE_WAITING, 0, "rerun", &moved), 0);
	assert_true(moved);
	assert_int_equal(job(J1)->started_ms, 0);
	assert_int_equal(job(J1)->ended_ms, 0);
	assert_int_equal(job(J1)->progress, 0);
	assert_int_equal(
	    db_job_move(db, J3, STATE_FAILED, 0, "", &moved), ERR_NOT_FOUND);
}

static void
end_of_a_job_returns_its_resources_with_it(void **state)
{
	struct db_resource *r;
	struct db_grant g = { .job_id = J1,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.engine = DB_ENGINE_DEFAULT,
		.cores = 4 };

	(void)state;
	assert_int_equal(db_resource_set(db, DB_ENGINE_DEFAULT, 8, 1000), 0);
	assert_int_equal(db_resource_apply(db, &g, 1000, NULL), 0);
	assert_int_equal(db_job_move(db, J1, STATE_CANCELED, 0, "", NULL), 0);
	assert_int_equal(db_resource_get(db, arena, DB_ENGINE_DEFAULT, &r), 0);
	assert_int_equal(r->free_cores, 8);
	assert_int_equal(events(J1, "resource"), 2);
}

static void
first_wish_to_end_a_job_decides(void **state)
{
	bool effective;

	(void)state;
	assert_int_equal(
	    db_job_cancel(db, J1, STATE_SUCCESS, "x", &effective), ERR_INVALID);
	assert_int_equal(
	    db_job_cancel(db, J1, STATE_CANCELED, "by hand", &effective), 0);
	assert_true(effective);
	assert_int_equal(
	    db_job_cancel(db, J1, STATE_FAILED, "later", &effective), 0);
	assert_false(effective);
	assert_int_equal(job(J1)->cancel_status, STATE_CANCELED);
	assert_true(job(J1)->cancel_signal);
	assert_string_equal(job(J1)->reason, "by hand");
	assert_int_equal(events(J1, "cancel"), 1);
	assert_int_equal(db_job_move(db, J1, STATE_CANCELED, 0, NULL, NULL), 0);
	assert_int_equal(
	    db_job_cancel(db, J3, STATE_CANCELED, "", NULL), ERR_NOT_FOUND);
}

static void
job_that_was_asked_to_end_does_not_succeed_any_more(void **state)
{
	struct db_job_claim *rows;
	size_t n;

	(void)state;
	assert_int_equal(
	    db_job_claim(db, arena, "s", 60000, 100, &rows, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].job_id, J1) != 0)
			continue;
		assert_int_equal(
		    db_job_cancel(db, J1, STATE_CANCELED, "by hand", NULL), 0);
		assert_int_equal(db_job_move(db, J1, STATE_SUCCESS,
				     rows[i].fence, NULL, NULL),
		    ERR_CONFLICT);
		assert_int_equal(db_job_move(db, J1, STATE_CANCELED,
				     rows[i].fence, NULL, NULL),
		    0);
	}
	assert_int_equal(job(J1)->status, STATE_CANCELED);
}

static void
ended_job_cannot_be_canceled(void **state)
{
	bool effective;

	(void)state;
	assert_int_equal(db_job_move(db, J1, STATE_FAILED, 0, "", NULL), 0);
	assert_int_equal(
	    db_job_cancel(db, J1, STATE_CANCELED, "", &effective), 0);
	assert_false(effective);
	assert_false(job(J1)->cancel_signal);
}

static void
progress_only_grows(void **state)
{
	(void)state;
	assert_int_equal(db_job_set_progress(db, J1, 40), 0);
	assert_int_equal(db_job_set_progress(db, J1, 20), 0);
	assert_int_equal(job(J1)->progress, 40);
	assert_int_equal(db_job_set_progress(db, J1, 1000), 0);
	assert_int_equal(job(J1)->progress, 100);
}

/* --- leases --- */

static size_t
claim(const char *owner, struct db_job_claim **rows)
{
	size_t n;

	assert_int_equal(
	    db_job_claim(db, arena, owner, LEASE_MS, 100, rows, &n), 0);
	return n;
}

static void
due_jobs_are_claimed_in_one_batch_once(void **state)
{
	struct rows_partner p;
	struct db_job_claim *c;

	(void)state;
	assert_int_equal(rows_initiated(db, J2), 0);
	rows_partner_init(&p, J3, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	/* Those initiated here, not the partner's. */
	assert_int_equal(claim("a", &c), 2);
	assert_int_equal(c[0].fence, 1);
	assert_int_equal(claim("b", &c), 0);
	assert_int_equal(claim("a", &c), 0);
}

static void
what_one_wake_made_due_is_claimed_in_the_order_of_the_queue(void **state)
{
	static const struct db_stmt due = { "test.due", "s",
		"UPDATE job SET next_look_at = TIMESTAMP'2026-01-01 00:00:00',"
		" queue_at = TIMESTAMP'2026-01-01 00:00:00'"
		" + INTERVAL (job_id <> ?) SECOND" };
	struct db_job_claim *c;

	(void)state;
	assert_int_equal(rows_initiated(db, J2), 0);
	assert_int_equal(db_exec(db, &due, NULL, J2), 0);
	assert_int_equal(claim("a", &c), 2);
	assert_string_equal(c[0].job_id, J2);
	assert_string_equal(c[1].job_id, J1);
}

static void
released_job_is_due_again_after_its_delay(void **state)
{
	static const struct db_stmt due_in = { "due in", "",
		"SELECT TIMESTAMPDIFF(MICROSECOND, NOW(6), next_look_at) DIV"
		" 1000 FROM job WHERE job_id = '" J1 "'" };
	struct db_job_claim *c;
	int64_t ms;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_release(db, J1, c->fence, 60000, 0), 0);
	assert_int_equal(claim("a", &c), 0);
	assert_int_equal(db_query_int(db, &due_in, &ms), 0);
	assert_true(ms > 50000 && ms <= 60000);
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(db_query_int(db, &due_in, &ms), 0);
	assert_true(ms <= 0);
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(c->fence, 2);
	assert_int_equal(db_job_release(db, J1, c->fence, 0, 0), 0);
	assert_int_equal(claim("b", &c), 1);
}

static void
wake_during_a_look_is_not_lost(void **state)
{
	struct db_job_claim *c;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_wake(db, J1), 0);
	/* A renewal in between must not lose it either. */
	assert_int_equal(db_job_renew(db, "a", LEASE_MS, NULL), 0);
	assert_int_equal(db_job_release(db, J1, c->fence, 60000, 0), 0);
	assert_int_equal(claim("a", &c), 1);
}

static void
a_job_that_is_woken_stays_with_whom_looks_at_it(void **state)
{
	struct db_job_claim *c, *none;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(claim("b", &none), 0);
	assert_int_equal(db_job_release(db, J1, c->fence, 60000, 0), 0);
	assert_int_equal(claim("b", &c), 1);
}

static void
a_wake_that_was_looked_at_is_none_any_more(void **state)
{
	struct db_job_claim *c;
	struct db_job_plan *seen;
	struct db_party *members;
	struct db_job_woken *w;
	size_t n;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_woken(db, arena, "a", 10, &w, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(db_job_woken(db, arena, "b", 10, &w, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_job_woken(db, arena, "a", 10, &w, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    db_job_get_plan(db, arena, J1, &seen, &members, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(members[0].role, "arbiter");
	assert_string_equal(members[2].role, "host");
	assert_string_equal(w->job_id, J1);
	assert_int_equal(w->look_us, seen->look_us);
	assert_int_equal(seen->lease_fence, c->fence);
	assert_int_equal(
	    db_job_release(db, J1, c->fence, 60000, seen->look_us), 0);
	assert_int_equal(claim("a", &c), 0);
	/* Another one after it is. */
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(
	    db_job_release(db, J1, c->fence, 60000, seen->look_us), 0);
	assert_int_equal(claim("a", &c), 1);
}

static void
a_plan_knows_since_when_its_job_is_over(void **state)
{
	static const struct db_stmt earlier = { "test.earlier", "s",
		"UPDATE job SET ended_at = ended_at - INTERVAL 1 HOUR"
		" WHERE job_id = ?" };
	struct db_job_plan *seen;
	struct db_party *members;
	size_t n;

	(void)state;
	assert_int_equal(
	    db_job_get_plan(db, arena, J1, &seen, &members, &n), 0);
	assert_int_equal(seen->over_ms, 0);
	assert_int_equal(db_job_move(db, J1, STATE_CANCELED, 0, "", NULL), 0);
	assert_int_equal(db_exec(db, &earlier, NULL, J1), 0);
	assert_int_equal(
	    db_job_get_plan(db, arena, J1, &seen, &members, &n), 0);
	assert_in_range(seen->over_ms, 3600 * 1000, 3660 * 1000);
}

static void
renewed_lease_is_kept_and_not_seen_as_a_wake(void **state)
{
	struct db_job_claim *c;
	int64_t n;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_renew(db, "a", LEASE_MS, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_job_renew(db, "b", LEASE_MS, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_job_release(db, J1, c->fence, 60000, 0), 0);
	assert_int_equal(claim("b", &c), 0);
}

/* As after a backup of its database, which has lost what was claimed since. */
static void
a_fence_is_raised_above_what_was_heard_by_who_holds_it(void **state)
{
	struct db_job_claim *c;
	int64_t mine;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	mine = c->fence;
	assert_int_equal(
	    db_job_raise_fence(db, J1, mine + 1, 50, 0), ERR_CONFLICT);
	assert_int_equal(
	    db_job_raise_fence(db, J1, mine, mine, 0), ERR_CONFLICT);
	assert_int_equal(
	    db_job_raise_fence(db, J1, mine, mine + (INT64_C(1) << 32) + 1, 0),
	    ERR_LIMIT);
	assert_int_equal(db_job_hold(db, J1, mine), 0);
	assert_int_equal(db_job_raise_fence(db, J1, mine, 50, 60000), 0);
	/* It is nobody's, and is taken above it, not at once. */
	assert_int_equal(db_job_hold(db, J1, mine), ERR_CONFLICT);
	assert_int_equal(claim("a", &c), 0);
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(claim("b", &c), 1);
	assert_int_equal(c->fence, 51);
	assert_int_equal(db_job_settle(db, J1, c->fence), 0);
	assert_int_equal(
	    db_job_raise_fence(db, J1, c->fence, 90, 0), ERR_CONFLICT);
}

/* The first owner sleeps through its lease; the second takes over. */
static void
stale_scheduler_changes_nothing(void **state)
{
	static const struct db_stmt expire = { "expire", "",
		"UPDATE job SET lease_until = NOW(6) - INTERVAL 1 SECOND,"
		" next_look_at = NOW(6) - INTERVAL 1 SECOND" };
	struct db_job_claim *c;
	int64_t old, n;
	bool moved;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	old = c->fence;
	assert_int_equal(db_exec(db, &expire, NULL), 0);
	assert_int_equal(db_job_renew(db, "a", LEASE_MS, &n), 0);
	assert_int_equal(n, 0);
	/* Nobody has acted in its place yet. */
	assert_int_equal(db_job_hold(db, J1, old), 0);
	assert_int_equal(claim("b", &c), 1);
	assert_int_equal(db_job_hold(db, J1, old), ERR_CONFLICT);
	assert_int_equal(db_job_hold(db, J1, c->fence), 0);
	assert_true(c->fence > old);
	assert_int_equal(
	    db_job_move(db, J1, STATE_RUNNING, old, "", &moved), ERR_CONFLICT);
	assert_false(moved);
	assert_int_equal(db_party_mark(db, J1, "host", ROWS_HOST,
			     DB_PARTY_CREATED, true, NULL, old),
	    ERR_CONFLICT);
	assert_int_equal(
	    db_party_clear(db, J1, DB_PARTY_CREATED, old), ERR_CONFLICT);
	assert_int_equal(db_job_settle(db, J1, old), ERR_CONFLICT);
	assert_int_equal(db_job_release(db, J1, old, 0, 0), ERR_CONFLICT);
	assert_int_equal(job(J1)->status, STATE_WAITING);
	assert_int_equal(events(J1, "job"), 1);
	assert_int_equal(
	    db_job_move(db, J1, STATE_RUNNING, c->fence, "", &moved), 0);
	assert_true(moved);
	assert_int_equal(db_party_mark(db, J1, "host", ROWS_HOST,
			     DB_PARTY_CREATED, true, NULL, c->fence),
	    0);
}

static void
settled_job_is_never_due_but_for_a_rerun(void **state)
{
	struct db_job_claim *c;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(db_job_settle(db, J1, c->fence), 0);
	assert_int_equal(db_job_wake(db, J1), 0);
	assert_int_equal(claim("a", &c), 0);
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), 0);
	assert_int_equal(claim("a", &c), 0);
	assert_int_equal(
	    db_job_move(db, J1, STATE_FAILED, 0, "for a test", NULL), 0);
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), 0);
	assert_int_equal(claim("a", &c), 1);
}

static void
another_run_is_as_if_no_member_had_the_job(void **state)
{
	struct db_party *party;
	struct db_job_claim *c;
	bool was_ended;

	(void)state;
	assert_int_equal(db_job_rerun(db, J3, "again", NULL), ERR_NOT_FOUND);
	assert_int_equal(db_party_mark(db, J1, "host", ROWS_HOST,
			     DB_PARTY_STARTED, true, "old words", 0),
	    0);
	assert_int_equal(
	    db_job_cancel(db, J1, STATE_CANCELED, "by hand", NULL), 0);
	/* It is being stopped: that goes first. */
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), ERR_BUSY);
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(
	    db_job_move(db, J1, STATE_CANCELED, c->fence, NULL, NULL), 0);
	assert_int_equal(db_job_rerun(db, J1, "again", &was_ended), 0);
	assert_true(was_ended);
	assert_int_equal(job(J1)->status, STATE_WAITING);
	assert_false(job(J1)->cancel_signal);
	assert_int_equal(job(J1)->run, 1);
	assert_int_equal(
	    db_party_get(db, arena, J1, "host", ROWS_HOST, &party), 0);
	assert_false(party->created || party->started || party->ended);
	assert_null(party->last_error);
	/* Whoever planned before plans anew: the lease is over. */
	assert_int_equal(db_job_move(db, J1, STATE_RUNNING, c->fence, "", NULL),
	    ERR_CONFLICT);
	assert_int_equal(claim("b", &c), 1);
}

static void
a_running_job_keeps_its_run_and_loses_its_lease(void **state)
{
	struct db_job_claim *c;
	bool was_ended;

	(void)state;
	assert_int_equal(claim("a", &c), 1);
	assert_int_equal(
	    db_job_move(db, J1, STATE_RUNNING, c->fence, "", NULL), 0);
	assert_int_equal(db_job_rerun(db, J1, "again", &was_ended), 0);
	assert_false(was_ended);
	assert_int_equal(job(J1)->run, 0);
	assert_int_equal(job(J1)->status, STATE_RUNNING);
	assert_int_equal(db_job_move(db, J1, STATE_FAILED, c->fence, "", NULL),
	    ERR_CONFLICT);
}

static void
another_run_waits_until_every_member_has_sealed(void **state)
{
	unsigned char hash[DB_HASH_SIZE] = { 1 };
	struct db_party *party;

	(void)state;
	assert_int_equal(
	    db_party_set_manifest(db, J1, "host", ROWS_HOST, hash, 0), 0);
	assert_int_equal(
	    db_job_move(db, J1, STATE_SUCCESS, 0, "for a test", NULL), 0);
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), ERR_BUSY);
	assert_int_equal(job(J1)->status, STATE_SUCCESS);
	assert_int_equal(db_party_mark(db, J1, "host", ROWS_HOST,
			     DB_PARTY_ENDED, true, NULL, 0),
	    0);
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), 0);
	/* It may come to nothing: its plan forgets what was staged. */
	assert_int_equal(
	    db_party_get(db, arena, J1, "host", ROWS_HOST, &party), 0);
	assert_true(party->staged);
}

static void
a_run_that_comes_to_nothing_leaves_the_job_as_it_was(void **state)
{
	static const struct db_stmt was_half_done = { "test.half_done", "",
		"UPDATE job SET before_progress = 50" };
	static const struct db_stmt ended_long_ago = { "test.long_ago", "",
		"UPDATE job SET ended_at = NOW(6) - INTERVAL 2 HOUR" };
	struct db_job_plan *plan;
	struct db_party *parties;
	struct db_task_new next = { .component = "lr_0",
		.version = 1,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.module = "HeteroLR",
		.run_here = true };
	struct db_job *before, *after;
	struct db_task *rows;
	size_t n, again;

	(void)state;
	assert_int_equal(db_job_move(db, J1, STATE_RUNNING, 0, "", NULL), 0);
	assert_int_equal(db_job_set_progress(db, J1, 100), 0);
	assert_int_equal(db_job_move(db, J1, STATE_SUCCESS, 0, "", NULL), 0);
	before = job(J1);
	assert_int_equal(db_task_list(db, arena, J1, false, &rows, &n), 0);
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), 0);
	assert_int_equal(db_task_insert(db, J1, &next, 1), 0);
	assert_int_equal(db_job_cancel(db, J1, STATE_FAILED, "no", NULL), 0);
	assert_int_equal(db_job_undo(db, J1, STATE_SUCCESS, "refused"), 0);
	after = job(J1);
	assert_int_equal(after->status, STATE_SUCCESS);
	assert_string_equal(after->reason, "refused");
	assert_int_equal(after->progress, 100);
	assert_true(after->started_ms == before->started_ms);
	assert_true(after->ended_ms == before->ended_ms);
	assert_false(after->cancel_signal);
	assert_int_equal(after->run, 1);
	assert_int_equal(db_task_list(db, arena, J1, false, &rows, &again), 0);
	assert_int_equal(again, n);
	/* A success is whole, also where the end before was not heard. */
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), 0);
	assert_int_equal(db_exec(db, &was_half_done, NULL), 0);
	assert_int_equal(db_job_undo(db, J1, STATE_SUCCESS, "refused"), 0);
	assert_int_equal(job(J1)->progress, 100);
	/* It is over since now, whenever it ended. */
	assert_int_equal(db_exec(db, &ended_long_ago, NULL), 0);
	assert_int_equal(
	    db_job_get_plan(db, arena, J1, &plan, &parties, &n), 0);
	assert_in_range(plan->over_ms, 0, 60000);
	/* Once; and what a user ended is no matter of it. */
	assert_int_equal(
	    db_job_undo(db, J1, STATE_SUCCESS, "refused"), ERR_CONFLICT);
	assert_int_equal(db_job_rerun(db, J1, "again", NULL), 0);
	assert_int_equal(db_job_cancel(db, J1, STATE_CANCELED, "me", NULL), 0);
	assert_int_equal(
	    db_job_undo(db, J1, STATE_SUCCESS, "refused"), ERR_CONFLICT);
}

struct claimer {
	const char *owner;
	size_t got;
};

static void *
claim_all(void *arg)
{
	struct claimer *c = arg;
	struct arena *a = arena_new();
	struct db *d = mariadb_connect();
	struct db_job_claim *rows;
	size_t n;

	do {
		if (db_job_claim(d, a, c->owner, LEASE_MS, 3, &rows, &n) != 0)
			break;
		c->got += n;
	} while (n > 0);
	db_close(d);
	arena_free(a);
	return NULL;
}

static void
many_claimers_share_the_jobs_without_overlap(void **state)
{
	struct claimer c[4] = { { "a", 0 }, { "b", 0 }, { "c", 0 },
		{ "d", 0 } };
	pthread_t t[4];
	size_t all = 0;
	char id[32];

	(void)state;
	for (int i = 0; i < 29; i++) {
		(void)snprintf(id, sizeof(id), "2026020100000000000%02d", i);
		assert_int_equal(rows_initiated(db, id), 0);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, claim_all, &c[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		all += c[i].got;
	}
	assert_int_equal(all, 30);
}

static void
overdue_and_stale_jobs_are_found(void **state)
{
	static const struct db_stmt age = { "age", "s",
		"UPDATE job SET started_at = NOW(6) - INTERVAL 2 HOUR,"
		" updated_at = NOW(6) - INTERVAL 2 HOUR WHERE job_id = ?" };
	struct rows_partner p;
	struct db_partner_job *rows;
	const char **ids;
	size_t n;

	(void)state;
	assert_int_equal(rows_initiated(db, J2), 0);
	rows_partner_init(&p, J3, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	assert_int_equal(db_job_move(db, J1, STATE_RUNNING, 0, "", NULL), 0);
	assert_int_equal(db_job_move(db, J2, STATE_RUNNING, 0, "", NULL), 0);
	assert_int_equal(db_exec(db, &age, NULL, J1), 0);
	assert_int_equal(db_job_overdue(db, arena, 10, &ids, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(ids[0], J1);
	assert_int_equal(db_detect_stale(db, arena, 3600000, 10, &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_exec(db, &age, NULL, J3), 0);
	assert_int_equal(db_detect_stale(db, arena, 3600000, 10, &rows, &n), 0);
	/* Two members are here. */
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].job_id, J3);
}

/* --- lists --- */

static size_t
listed(const struct db_job_filter *f)
{
	struct db_job_row *rows;
	int64_t total;
	size_t n;

	assert_int_equal(db_job_list(db, arena, f, &rows, &n, &total), 0);
	assert_int_equal(n, total);
	return n;
}
#define LISTED(...) listed(&(struct db_job_filter){ __VA_ARGS__ })

static void
each_filter_of_a_job_list_filters(void **state)
{
	struct rows_partner p;
	int64_t yes = 1, no = 0;

	(void)state;
	rows_partner_init(&p, J2, "host");
	p.job.description = "with 100% 'quotes'";
	p.job.tag = "submit_failed";
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	/* J1 has one local member, J2 two. */
	assert_int_equal(LISTED(.job_id = NULL), 3);
	assert_int_equal(LISTED(.job_id = J1), 1);
	assert_int_equal(LISTED(.job_id = J3), 0);
	assert_int_equal(LISTED(.job_ids = J1 "," J2), 3);
	assert_int_equal(LISTED(.job_id_part = "0000000000002"), 2);
	assert_int_equal(LISTED(.description_part = "100% 'q"), 2);
	assert_int_equal(LISTED(.description_part = "%"), 2);
	assert_int_equal(LISTED(.description_part = "_"), 0);
	assert_int_equal(LISTED(.party_part = "99"), 1);
	assert_int_equal(LISTED(.roles = "guest"), 1);
	assert_int_equal(LISTED(.roles = "guest,arbiter"), 2);
	assert_int_equal(LISTED(.parties = "9999,1"), 1);
	assert_int_equal(LISTED(.statuses = "waiting"), 1);
	assert_int_equal(LISTED(.statuses = "ready,waiting"), 3);
	assert_int_equal(LISTED(.partner = ROWS_HOST), 3);
	assert_int_equal(LISTED(.partner = "777"), 0);
	assert_int_equal(LISTED(.name = "a job"), 3);
	assert_int_equal(LISTED(.tag = "submit_failed"), 2);
	assert_int_equal(LISTED(.without_tag = "submit_failed"), 1);
	assert_int_equal(LISTED(.model_version = J2), 2);
	assert_int_equal(LISTED(.model_id = "none"), 0);
	assert_int_equal(LISTED(.initiator_role = "guest"), 3);
	assert_int_equal(LISTED(.initiator_party = ROWS_HOST), 0);
	assert_int_equal(LISTED(.is_initiator = &yes), 1);
	assert_int_equal(LISTED(.is_initiator = &no), 2);
	assert_int_equal(LISTED(.created_from_ms = 1), 3);
	assert_int_equal(LISTED(.created_to_ms = 1), 0);
	assert_int_equal(LISTED(.started_from_ms = 1), 0);
	assert_int_equal(LISTED(.job_id = "' OR 1=1 -- "), 0);
}

static void
job_lists_are_ordered_and_paged(void **state)
{
	struct db_job_row *rows;
	int64_t total;
	size_t n;

	(void)state;
	assert_int_equal(rows_initiated(db, J2), 0);
	assert_int_equal(rows_initiated(db, J3), 0);
	for (int order = 0; order < DB_JOB_ORDERS; order++) {
		for (int d = 0; d < 2; d++) {
			struct db_job_filter f = { .order =
						       (enum db_job_order)order,
				.descending = d == 1,
				.limit = 2 };

			assert_int_equal(
			    db_job_list(db, arena, &f, &rows, &n, &total), 0);
			assert_int_equal(n, 2);
			assert_int_equal(total, 3);
			assert_string_equal(
			    rows[0].job.job_id, d == 1 ? J3 : J1);
			f.offset = 2;
			assert_int_equal(
			    db_job_list(db, arena, &f, &rows, &n, &total), 0);
			assert_int_equal(n, 1);
			assert_int_equal(total, 3);
		}
	}
	assert_int_equal(db_job_list(db, arena,
			     &(struct db_job_filter){ .order = DB_JOB_ORDERS },
			     &rows, &n, &total),
	    ERR_INVALID);
}

static void
marks_say_whose_rows_a_first_page_has(void **state)
{
	struct db_job_filter f = { .without_tag = "hidden",
		.descending = true,
		.limit = 2,
		.detail = DB_JOB_MARK };
	struct db_job_row *rows;
	struct rows_partner p;
	int64_t total;
	size_t n;

	(void)state;
	rows_partner_init(&p, J2, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	for (int i = 0; i < 2; i++) {
		/* J1 has one local member, J2 two. */
		assert_int_equal(
		    db_job_list(db, arena, &f, &rows, &n, &total), 0);
		assert_int_equal(n, 2);
		assert_int_equal(total, 3);
		assert_string_equal(rows[0].job.job_id, J2);
		assert_string_equal(rows[1].job.job_id, J2);
		assert_true(strcmp(rows[0].party.role, rows[1].party.role) < 0);
		assert_int_equal(rows[0].job.status, STATE_NONE);
		assert_true(rows[0].job.updated_ms > 0);
		/* One that is not counted changes nothing. */
		rows_partner_init(&p, J3, "host");
		p.job.tag = "hidden";
		if (i == 0)
			assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	}
	/* Later pages and lists of some are read, as ever. */
	f.offset = 2;
	assert_int_equal(db_job_list(db, arena, &f, &rows, &n, &total), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].job.job_id, J1);
	assert_int_equal(rows[0].job.status, STATE_WAITING);
	f.offset = 0;
	f.roles = "guest";
	assert_int_equal(db_job_list(db, arena, &f, &rows, &n, &total), 0);
	assert_non_null(rows[0].job.dsl);
}

static const struct db_stmt make_old = { "test.make_old", "s",
	"UPDATE job SET created_at = created_at - INTERVAL 1 DAY"
	" WHERE job_id = ?" };

static int64_t
counted(struct db *reader, const char *without_tag, int64_t offset)
{
	struct db_job_filter f = {
		.without_tag = without_tag, .limit = 1, .offset = offset
	};
	struct db_job_row *rows;
	int64_t total;
	size_t n;

	assert_int_equal(db_job_list(reader, arena, &f, &rows, &n, &total), 0);
	assert_int_equal(n, 1);
	return total;
}

static void
a_count_of_all_jobs_is_right_at_once(void **state)
{
	static const struct db_stmt tag = { "tag", "s",
		"UPDATE job SET tag = 'x' WHERE job_id = ?" };
	struct db *reader = mariadb_connect();
	struct rows_partner p;

	(void)state;
	/* Two old jobs, counted once; then others make more. */
	assert_int_equal(rows_initiated(db, J2), 0);
	assert_int_equal(db_exec(db, &make_old, NULL, J1), 0);
	assert_int_equal(db_exec(db, &make_old, NULL, J2), 0);
	assert_int_equal(counted(reader, NULL, 0), 2);
	rows_partner_init(&p, J3, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	assert_int_equal(counted(reader, NULL, 0), 4);
	assert_int_equal(counted(reader, "x", 3), 4);
	/* The tag of an old one and that of a new one. */
	assert_int_equal(db_exec(db, &tag, NULL, J1), 0);
	assert_int_equal(counted(reader, "x", 0), 3);
	assert_int_equal(db_exec(db, &tag, NULL, J3), 0);
	assert_int_equal(counted(reader, "x", 0), 1);
	assert_int_equal(counted(reader, NULL, 1), 4);
	db_close(reader);
}

static void
listed_job_shows_its_grant(void **state)
{
	struct db_job_row *rows;
	struct db_grant g = { .job_id = J1,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.engine = DB_ENGINE_DEFAULT,
		.cores = 4 };
	size_t n;

	(void)state;
	assert_int_equal(db_resource_set(db, DB_ENGINE_DEFAULT, 8, 1000), 0);
	assert_int_equal(db_resource_apply(db, &g, 60000, NULL), 0);
	assert_int_equal(db_job_list(db, arena, &(struct db_job_filter){ 0 },
			     &rows, &n, NULL),
	    0);
	assert_int_equal(n, 1);
	assert_true(rows->resource_in_use && rows->applied_ms > 0);
	assert_int_equal(rows->returned_ms, 0);
	assert_string_equal(rows->party.role, "guest");
	assert_string_equal(rows->job.dsl, "{\"components\":{}}");
}

/* Where it takes a table for empty the server sorts all jobs for each page. */
static void
the_server_knows_how_many_jobs_there_are_whatever_their_documents(void **state)
{
	static const struct db_stmt copy = { "test.copy", "",
		"CREATE TEMPORARY TABLE copy AS SELECT * FROM job" };
	static const struct db_stmt change = { "test.change", "i",
		"UPDATE copy SET job_id = ?, dsl = REPEAT('x', 7600)" };
	static const struct db_stmt insert = { "test.insert", "",
		"INSERT INTO job SELECT * FROM copy" };
	static const struct db_stmt analyze = { "test.analyze", "",
		"ANALYZE TABLE job" };
	static const struct db_stmt known = { "test.known", "",
		"SELECT table_rows FROM information_schema.tables"
		" WHERE table_schema = DATABASE() AND table_name = 'job'" };
	int64_t n = 0;

	(void)state;
	assert_int_equal(db_exec(db, &copy, NULL), 0);
	for (int64_t i = 1; i <= 200; i++) {
		assert_int_equal(db_exec(db, &change, NULL, i), 0);
		assert_int_equal(db_exec(db, &insert, NULL), 0);
	}
	assert_int_equal(db_query(db, &analyze, NULL, NULL, NULL), 0);
	assert_int_equal(db_query_int(db, &known, &n), 0);
	assert_in_range(n, 100, 400);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(job_is_read_as_it_was_inserted),
		T(brief_job_has_no_documents),
		T(same_job_again_is_completed_and_another_is_refused),
		T(a_job_that_has_to_be_new_is_no_second_time),
		T(events_of_a_transaction_are_all_there_in_order_or_none),
		T(failed_insert_leaves_nothing),
		T(moves_keep_to_the_table_and_leave_events),
		T(end_of_a_job_returns_its_resources_with_it),
		T(first_wish_to_end_a_job_decides),
		T(job_that_was_asked_to_end_does_not_succeed_any_more),
		T(ended_job_cannot_be_canceled),
		T(progress_only_grows),
		T(due_jobs_are_claimed_in_one_batch_once),
		T(released_job_is_due_again_after_its_delay),
		T(wake_during_a_look_is_not_lost),
		T(what_one_wake_made_due_is_claimed_in_the_order_of_the_queue),
		T(a_job_that_is_woken_stays_with_whom_looks_at_it),
		T(a_wake_that_was_looked_at_is_none_any_more),
		T(a_plan_knows_since_when_its_job_is_over),
		T(renewed_lease_is_kept_and_not_seen_as_a_wake),
		T(a_fence_is_raised_above_what_was_heard_by_who_holds_it),
		T(stale_scheduler_changes_nothing),
		T(settled_job_is_never_due_but_for_a_rerun),
		T(another_run_is_as_if_no_member_had_the_job),
		T(another_run_waits_until_every_member_has_sealed),
		T(a_run_that_comes_to_nothing_leaves_the_job_as_it_was),
		T(a_running_job_keeps_its_run_and_loses_its_lease),
		T(many_claimers_share_the_jobs_without_overlap),
		T(overdue_and_stale_jobs_are_found),
		T(each_filter_of_a_job_list_filters),
		T(a_count_of_all_jobs_is_right_at_once),
		T(job_lists_are_ordered_and_paged),
		T(marks_say_whose_rows_a_first_page_has),
		T(listed_job_shows_its_grant),
		T(the_server_knows_how_many_jobs_there_are_whatever_their_documents),
	};
#undef T

	log_init("test_db_job", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_job", tests, NULL, NULL);
}
