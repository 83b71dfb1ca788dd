/*
 * The order in which commands leave for a partner, without a clock and a
 * wire; then with both: what waited while its job was taken over stays here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/sign/keys.h"
#include "lib/http/tls_cert.h"
#include "supervisor/finding.h"
#include "supervisor/outbox.h"
#include "supervisor/partners.h"
#include "supervisor/partners_private.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"
#include "tests/lib/tls_server.h"

#define N 64

struct line {
	struct outbox box;
	struct outbox_item items[N];
	size_t n;
};

/* Those under way, of which only their number counts. */
static struct outbox_item of_new = { .lane = OUTBOX_NEW, .key = "" };
static struct outbox_item of_work = { .lane = OUTBOX_WORK, .key = "" };

static void
begin(struct line *l)
{
	memset(l, 0, sizeof(*l));
	outbox_init(&l->box);
}

static struct outbox_item *
push(struct line *l, enum outbox_lane lane, const char *key)
{
	struct outbox_item *item = &l->items[l->n++];

	assert_true(l->n <= N);
	*item = (struct outbox_item){ .lane = lane, .key = key, .bytes = 10 };
	assert_true(outbox_push(&l->box, item));
	return item;
}

/* All places are taken, of new jobs and of others. */
static void
fill(struct line *l)
{
	int i;

	for (i = 0; i < OUTBOX_NEW_UNDER_WAY; i++)
		outbox_begin(&l->box, &of_new);
	for (; i < OUTBOX_UNDER_WAY; i++)
		outbox_begin(&l->box, &of_work);
}

static struct outbox_item *
next(struct line *l)
{
	return outbox_pop(&l->box, 1);
}

static void
within_a_lane_they_leave_in_their_order(void **state)
{
	struct outbox_item *a, *b, *c;
	struct line l;

	(void)state;
	begin(&l);
	a = push(&l, OUTBOX_WORK, "a");
	b = push(&l, OUTBOX_WORK, "b");
	c = push(&l, OUTBOX_WORK, "a");
	assert_ptr_equal(next(&l), a);
	assert_ptr_equal(next(&l), b);
	assert_ptr_equal(next(&l), c);
	assert_null(next(&l));
	/* What became empty can be filled again. */
	a = push(&l, OUTBOX_WORK, "d");
	assert_ptr_equal(next(&l), a);
}

static void
no_more_than_so_many_are_under_way(void **state)
{
	struct outbox_item work = { .lane = OUTBOX_WORK, .key = "w" };
	struct line l;

	(void)state;
	begin(&l);
	fill(&l);
	assert_false(outbox_is_clear(&l.box, &work));
	push(&l, OUTBOX_WORK, "w");
	assert_null(next(&l));
	outbox_done(&l.box, &of_new);
	assert_non_null(next(&l));
	assert_null(next(&l));
}

static void
a_flood_of_new_jobs_leaves_places_for_the_work_of_others(void **state)
{
	struct outbox_item work = { .lane = OUTBOX_WORK, .key = "w" };
	struct line l;
	int i;

	(void)state;
	begin(&l);
	for (i = 0; i < 40; i++)
		push(&l, OUTBOX_NEW, "new");
	for (i = 0; i < OUTBOX_NEW_UNDER_WAY; i++)
		assert_int_equal(next(&l)->lane, OUTBOX_NEW);
	assert_null(next(&l));
	assert_true(outbox_is_clear(&l.box, &work));
}

static void
work_passes_new_jobs_that_wait(void **state)
{
	struct outbox_item *work;
	struct line l;

	(void)state;
	begin(&l);
	fill(&l);
	push(&l, OUTBOX_NEW, "a");
	push(&l, OUTBOX_NEW, "b");
	work = push(&l, OUTBOX_WORK, "c");
	outbox_done(&l.box, &of_new);
	assert_ptr_equal(next(&l), work);
}

static void
new_jobs_have_their_turn_however_much_work_comes(void **state)
{
	struct outbox_item *new, *got = NULL;
	struct line l;
	int i;

	(void)state;
	begin(&l);
	fill(&l);
	new = push(&l, OUTBOX_NEW, "new");
	for (i = 0; i <= OUTBOX_TURNS && got != new; i++) {
		push(&l, OUTBOX_WORK, "w");
		push(&l, OUTBOX_WORK, "w");
		outbox_done(&l.box, i == 0 ? &of_new : &of_work);
		assert_non_null(got = next(&l));
	}
	assert_ptr_equal(got, new);
	assert_int_equal(i, OUTBOX_TURNS + 1);
}

static void
what_is_about_a_job_stays_behind_its_create(void **state)
{
	struct outbox_item stop = { .lane = OUTBOX_WORK, .key = "job" };
	struct outbox_item *create, *other, *behind;
	struct line l;

	(void)state;
	begin(&l);
	/* There are places, though none for new jobs. */
	for (int i = 0; i < OUTBOX_NEW_UNDER_WAY; i++)
		outbox_begin(&l.box, &of_new);
	create = push(&l, OUTBOX_NEW, "job");
	assert_false(outbox_is_clear(&l.box, &stop));
	behind = push(&l, OUTBOX_WORK, "job");
	other = push(&l, OUTBOX_WORK, "other");
	assert_ptr_equal(next(&l), other);
	assert_null(next(&l));
	outbox_done(&l.box, &of_new);
	assert_ptr_equal(next(&l), create);
	outbox_done(&l.box, &of_new);
	assert_ptr_equal(next(&l), behind);
}

static struct outbox_item
ask_of(const char *key, int64_t queue_us, int64_t priority)
{
	return (struct outbox_item){ .lane = OUTBOX_ASKS,
		.key = key,
		.bytes = 10,
		.queue_us = queue_us,
		.priority = priority };
}

static void
an_ask_waits_for_the_answer_to_one_of_another_priority_before_it(void **state)
{
	struct outbox_item high = ask_of("high", 10, 5),
			   low = ask_of("low", 30, 1),
			   alike = ask_of("alike", 40, 5),
			   higher = ask_of("higher", 5, 9),
			   stop = { .lane = OUTBOX_WORK, .key = "low" };
	struct line l;

	(void)state;
	begin(&l);
	assert_true(outbox_is_clear(&l.box, &high));
	outbox_begin(&l.box, &high);
	assert_false(outbox_is_clear(&l.box, &low));
	assert_true(outbox_push(&l.box, &low));
	assert_null(next(&l));
	/* What is about it goes behind it, other work goes on. */
	assert_false(outbox_is_clear(&l.box, &stop));
	assert_true(outbox_push(&l.box, &stop));
	assert_null(next(&l));
	assert_true(outbox_is_clear(&l.box, &of_work));
	/* Whom nobody stands before waits for nobody. */
	assert_true(outbox_is_clear(&l.box, &higher));
	outbox_begin(&l.box, &higher);
	outbox_done(&l.box, &high);
	assert_null(next(&l));
	outbox_done(&l.box, &higher);
	assert_ptr_equal(next(&l), &low);
	assert_ptr_equal(next(&l), &stop);
	assert_false(outbox_is_clear(&l.box, &alike));
	outbox_done(&l.box, &low);
	outbox_done(&l.box, &stop);
	assert_true(outbox_is_clear(&l.box, &alike));
}

static void
work_has_its_turn_however_many_ask(void **state)
{
	struct outbox_item asks[2 * OUTBOX_TURNS], *stop, *got = NULL;
	struct line l;
	size_t i;

	(void)state;
	begin(&l);
	fill(&l);
	for (i = 0; i < 2 * OUTBOX_TURNS; i++) {
		asks[i] = ask_of("a", (int64_t)i, 0);
		assert_true(outbox_push(&l.box, &asks[i]));
	}
	stop = push(&l, OUTBOX_WORK, "stop");
	for (i = 0; i < 2 * OUTBOX_TURNS && got != stop; i++) {
		outbox_done(&l.box, got == NULL ? &of_new : got);
		assert_non_null(got = next(&l));
	}
	assert_ptr_equal(got, stop);
	assert_int_equal(i, OUTBOX_TURNS + 1);
	/* And they go on. */
	outbox_done(&l.box, stop);
	assert_ptr_equal(next(&l), &asks[OUTBOX_TURNS]);
}

static void
asks_of_one_priority_leave_at_once_and_those_that_wait_in_the_queues_order(
    void **state)
{
	struct outbox_item first = ask_of("a", 10, 0),
			   second = ask_of("b", 20, 0),
			   low = ask_of("c", 90, -3),
			   next_one = ask_of("d", 30, 1);
	struct line l;

	(void)state;
	begin(&l);
	outbox_begin(&l.box, &second);
	assert_true(outbox_is_clear(&l.box, &first));
	outbox_begin(&l.box, &first);
	assert_true(outbox_push(&l.box, &low));
	assert_true(outbox_push(&l.box, &next_one));
	outbox_done(&l.box, &second);
	assert_null(next(&l));
	outbox_done(&l.box, &first);
	assert_ptr_equal(next(&l), &next_one);
	assert_null(next(&l));
	outbox_done(&l.box, &next_one);
	assert_ptr_equal(next(&l), &low);
	outbox_done(&l.box, &low);
}

static void
what_waits_is_bounded_in_number_and_bytes(void **state)
{
	struct outbox_item *many = xcalloc(OUTBOX_MAX, sizeof(*many)), *all;
	struct outbox_item more = { .lane = OUTBOX_NEW, .key = "" };
	struct outbox_item work = { .lane = OUTBOX_WORK, .key = "" };
	struct outbox box;
	size_t n = 0;

	(void)state;
	outbox_init(&box);
	for (int i = 0; i < OUTBOX_MAX; i++) {
		many[i].lane = OUTBOX_NEW;
		many[i].key = "";
		assert_true(outbox_push(&box, &many[i]));
	}
	assert_false(outbox_push(&box, &more));
	/* The other lane has bounds of its own. */
	work.bytes = OUTBOX_BYTES_MAX + 1;
	assert_false(outbox_push(&box, &work));
	work.bytes = OUTBOX_BYTES_MAX;
	assert_true(outbox_push(&box, &work));
	for (all = outbox_take_all(&box); all != NULL; all = all->next)
		n++;
	assert_int_equal(n, OUTBOX_MAX + 1);
	assert_true(outbox_push(&box, &more));
	free(many);
}

static void
who_finds_it_full_is_told_when_to_come_again(void **state)
{
	struct line l;
	int64_t fast, slow;

	(void)state;
	begin(&l);
	for (int i = 0; i < 40; i++)
		push(&l, OUTBOX_WORK, "");
	for (int i = 0; i < 15; i++)
		(void)outbox_pop(&l.box, 100 + i);
	fast = outbox_rest_ms(&l.box, OUTBOX_WORK);
	(void)outbox_pop(&l.box, 5000);
	for (int i = 0; i < 8; i++) {
		outbox_done(&l.box, &of_work);
		(void)outbox_pop(&l.box, 6000 + i * 1000);
	}
	slow = outbox_rest_ms(&l.box, OUTBOX_WORK);
	assert_true(fast >= 1000 && slow > fast && slow <= 30000);
}

/* --- on the wire ------------------------------------------------------------- */

#define THAW_JOB "202601010000000000030"

struct site {
	struct supervisor super;
	struct site_conf conf;
	struct tls_server *server;
	char *folder, *cert, *key;
	unsigned sent, kept;
};

static void
make_partner(struct site *s)
{
	struct buf pem = BUF_INIT;
	char *url;
	struct db_partner p = {
		.party_id = ROWS_HOST, .name = "host", .enabled = true
	};

	s->cert = xasprintf("%s/tls.crt", s->folder);
	s->key = xasprintf("%s/tls.key", s->folder);
	assert_int_equal(tls_cert_make(ROWS_HOST, s->key, s->cert), 0);
	s->server = tls_server_start(s->cert, s->key, NULL);
	url = xasprintf("https://127.0.0.1:%d", tls_server_port(s->server));
	assert_int_equal(buf_read_file(&pem, s->cert, 65536), 0);
	p.url = url;
	p.tls_cert = buf_str(&pem);
	assert_int_equal(db_partner_put(s->super.db, &p), 0);
	buf_fini(&pem);
	free(url);
}

static int
open_site(void **state)
{
	char template[] = "/tmp/sluice-outbox-XXXXXX";
	struct site *s = xcalloc(1, sizeof(*s));
	struct http_client_conf conf = { .party = ROWS_GUEST };

	mariadb_fresh();
	assert_non_null(mkdtemp(template));
	s->folder = xstrdup(template);
	s->conf.partner_timeout_ms = 300000;
	s->super.conf = &s->conf;
	s->super.db = mariadb_connect();
	s->super.metrics = metrics_new();
	s->super.findings = findings_new();
	assert_int_equal(loop_new(&s->super.loop), 0);
	make_partner(s);
	assert_int_equal(keys_generate(&s->super.keys), 0);
	conf.keys = s->super.keys;
	conf.tls_cert = s->cert;
	conf.tls_key = s->key;
	conf.partners_pem = s->cert;
	assert_int_equal(
	    http_client_new(s->super.loop, &conf, &s->super.http), 0);
	s->super.partners = partners_open(&s->super, s->super.http);
	assert_int_equal(rows_initiated(s->super.db, THAW_JOB), 0);
	*state = s;
	return 0;
}

static int
close_site(void **state)
{
	struct site *s = *state;

	partners_close(s->super.partners);
	http_client_free(s->super.http);
	keys_free(s->super.keys);
	loop_free(s->super.loop);
	findings_free(s->super.findings);
	metrics_free(s->super.metrics);
	db_close(s->super.db);
	tls_server_stop(s->server);
	(void)fd_remove_tree(s->folder);
	free(s->folder);
	free(s->cert);
	free(s->key);
	free(s);
	return 0;
}

static void
on_reply(void *ctx, const struct partner_reply *reply)
{
	struct site *s = ctx;

	if (reply->error == 0)
		s->sent++;
	else if (reply->error == ERR_CONFLICT)
		s->kept++;
	else
		fail_msg("%s", reply->retmsg);
}

static void
post(struct site *s, int64_t fence)
{
	struct partners_job of = { .job_id = THAW_JOB, .fence = fence };

	assert_int_equal(partners_post_job(s->super.partners, &of, ROWS_HOST,
			     "/echo", "{\"retcode\":0}", on_reply, s),
	    0);
}

static int64_t
claim(struct site *s, const char *who)
{
	struct arena *a = arena_new();
	struct db_job_claim *claims;
	int64_t fence;
	size_t n;

	assert_int_equal(db_job_wake(s->super.db, THAW_JOB), 0);
	assert_int_equal(
	    db_job_claim(s->super.db, a, who, 60000, 1, &claims, &n), 0);
	assert_int_equal(n, 1);
	fence = claims[0].fence;
	arena_free(a);
	return fence;
}

static void
what_waited_while_its_job_was_taken_over_is_not_sent(void **state)
{
	struct site *s = *state;
	int64_t lost = claim(s, "frozen"), held;

	for (int i = 0; i < OUTBOX_UNDER_WAY + 3; i++)
		post(s, lost);
	/* As if it had stood still here. */
	assert_int_equal(db_job_release(s->super.db, THAW_JOB, lost, 0, 0), 0);
	held = claim(s, "other");
	assert_true(held > lost);
	post(s, held);
	while (s->sent + s->kept < OUTBOX_UNDER_WAY + 4)
		assert_int_equal(loop_once(s->super.loop, 10000), 0);
	assert_int_equal(s->kept, 3);
	assert_int_equal(tls_server_requests(s->server), OUTBOX_UNDER_WAY + 1);
}

static bool
is_away(struct site *s)
{
	const char *why;
	int64_t ms;

	return partners_away(s->super.partners, ROWS_HOST, &ms, &why);
}

/*
 * As a database answers that was started in the second in which the command
 * was signed: nobody is away, and the command arrives.
 */
static void
what_is_to_be_signed_anew_is_and_its_partner_is_not_away(void **state)
{
	struct site *s = *state;

	assert_int_equal(partners_post(s->super.partners, ROWS_HOST, "/anew",
			     "{\"retcode\":0}", on_reply, s),
	    0);
	while (s->sent == 0) {
		assert_int_equal(loop_once(s->super.loop, 10000), 0);
		assert_false(is_away(s));
	}
	assert_int_equal(tls_server_requests(s->server), 2);
}

static void
on_silence(void *ctx, const struct partner_reply *reply)
{
	struct site *s = ctx;

	assert_true(partners_is_silence(reply));
	s->kept++;
}

/* Where a clock is wrong. */
static void
who_refuses_what_was_signed_anew_too_is_away(void **state)
{
	struct site *s = *state;

	assert_int_equal(partners_post(s->super.partners, ROWS_HOST,
			     "/status/401", "{}", on_silence, s),
	    0);
	while (s->kept == 0)
		assert_int_equal(loop_once(s->super.loop, 10000), 0);
	assert_true(is_away(s));
	assert_int_equal(tls_server_requests(s->server), 2);
}

/* Whether it has begun would not be known. */
static void
who_does_not_answer_is_sent_nothing_that_begins(void **state)
{
	struct site *s = *state;
	struct partners *ps = s->super.partners;

	assert_false(partners_wants_plain_starts(ps, ROWS_HOST));
	assert_int_equal(
	    partners_post(ps, ROWS_HOST, "/status/502", "{}", on_silence, s),
	    0);
	while (s->kept == 0)
		assert_int_equal(loop_once(s->super.loop, 10000), 0);
	assert_true(partners_wants_plain_starts(ps, ROWS_HOST));
	post(s, 0);
	while (s->sent == 0)
		assert_int_equal(loop_once(s->super.loop, 10000), 0);
	assert_false(partners_wants_plain_starts(ps, ROWS_HOST));
}

static void
what_rested_while_its_job_was_taken_over_is_not_signed_anew(void **state)
{
	struct partners_job of = { .job_id = THAW_JOB };
	struct site *s = *state;

	of.fence = claim(s, "frozen");
	assert_int_equal(partners_post_job(s->super.partners, &of, ROWS_HOST,
			     "/anew", "{\"retcode\":0}", on_reply, s),
	    0);
	while (tls_server_requests(s->server) == 0)
		assert_int_equal(loop_once(s->super.loop, 100), 0);
	assert_int_equal(
	    db_job_release(s->super.db, THAW_JOB, of.fence, 0, 0), 0);
	(void)claim(s, "other");
	while (s->sent + s->kept == 0)
		assert_int_equal(loop_once(s->super.loop, 10000), 0);
	assert_int_equal(s->kept, 1);
	assert_int_equal(tls_server_requests(s->server), 1);
	/* Whoever closes leaves none that rests behind. */
	assert_int_equal(partners_post(s->super.partners, ROWS_HOST,
			     "/status/401", "{}", on_silence, s),
	    0);
	while (partners_get(s->super.partners, ROWS_HOST)->anew == NULL)
		assert_int_equal(loop_once(s->super.loop, 100), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(within_a_lane_they_leave_in_their_order),
		cmocka_unit_test(no_more_than_so_many_are_under_way),
		cmocka_unit_test(
		    a_flood_of_new_jobs_leaves_places_for_the_work_of_others),
		cmocka_unit_test(work_passes_new_jobs_that_wait),
		cmocka_unit_test(
		    new_jobs_have_their_turn_however_much_work_comes),
		cmocka_unit_test(what_is_about_a_job_stays_behind_its_create),
		cmocka_unit_test(
		    an_ask_waits_for_the_answer_to_one_of_another_priority_before_it),
		cmocka_unit_test(work_has_its_turn_however_many_ask),
		cmocka_unit_test(
		    asks_of_one_priority_leave_at_once_and_those_that_wait_in_the_queues_order),
		cmocka_unit_test(what_waits_is_bounded_in_number_and_bytes),
		cmocka_unit_test(who_finds_it_full_is_told_when_to_come_again),
		cmocka_unit_test_setup_teardown(
		    what_waited_while_its_job_was_taken_over_is_not_sent,
		    open_site, close_site),
		cmocka_unit_test_setup_teardown(
		    what_is_to_be_signed_anew_is_and_its_partner_is_not_away,
		    open_site, close_site),
		cmocka_unit_test_setup_teardown(
		    who_refuses_what_was_signed_anew_too_is_away, open_site,
		    close_site),
		cmocka_unit_test_setup_teardown(
		    who_does_not_answer_is_sent_nothing_that_begins, open_site,
		    close_site),
		cmocka_unit_test_setup_teardown(
		    what_rested_while_its_job_was_taken_over_is_not_signed_anew,
		    open_site, close_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
