/*
 * What a seed is about: how many sites, which jobs, what its users want, what
 * goes wrong and until when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "tests/sim/world.h"

/* By then a job has ended, where nothing goes wrong by chance. */
#define CALM_END (15 * SECOND)
/* What a job and a task of it take beside their executors, where all are told. */
#define TOLD_JOB_MS 1000
#define TOLD_TASK_MS 300

/* A user and the request that is sent. */
struct wish {
	struct actor actor;
	struct sim_job *job;
	int site;
	bool was_rough; /* as it began: it may have been in the middle */
	char *path, *body;
	void (*then)(struct wish *, int64_t retcode, struct json_object *reply);
};

/* --- what goes wrong ---------------------------------------------------------------- */

/* Nothing in half of the seeds, else between low and high, mostly low. */
static int64_t
maybe(int64_t low, int64_t high)
{
	int64_t v;

	if (sim_draw(2) == 0)
		return 0;
	v = sim_between(low, high);
	return sim_draw(2) == 0 ? v : sim_between(low, v);
}

/* Commands whose being late is a story of its own. */
static const char *const kinds[] = { "/create", "/reopen", "/start", "/stop/",
	"/report", "/apply" };
#define KINDS (int64_t)(sizeof(kinds) / sizeof(kinds[0]))

static void
draw_faults(void)
{
	struct faults *f = &world.faults;

	memset(f, 0, sizeof(*f));
	world.faults_end = sim_now() + sim_between(4, 20) * SECOND;
	if (world.is_calm)
		world.faults_end = sim_now() + CALM_END;
	if (world.is_calm || sim_draw(12) == 0)
		return;
	f->crash = maybe(200, 6000);
	f->hold = maybe(5000, 100000);
	f->freeze = maybe(200, 4000);
	f->lose = maybe(5000, 250000);
	f->duplicate = maybe(10000, 300000);
	f->delay = maybe(10000, 200000);
	f->lapse = maybe(20000, 400000);
	f->poke_lost = maybe(50000, 500000);
	f->unruly = sim_draw(2) == 0 ? NULL : kinds[sim_draw(KINDS)];
	if (sim_draw(3) == 0)
		f->spawn = maybe(5000, 50000);
	if (sim_draw(3) == 0)
		f->shepherd = maybe(20000, 300000);
}

static int64_t
some_time(void)
{
	return sim_now() + sim_draw(world.faults_end - sim_now());
}

struct outage {
	int from, to;
	int64_t for_us;
};

static void
begin_cut(void *ctx)
{
	struct outage *o = ctx;

	trace("cut: nothing from s%d reaches s%d for %lld ms", o->from, o->to,
	    (long long)(o->for_us / MS));
	net_cut(o->from, o->to, sim_now() + o->for_us);
	free(o);
}

static void
begin_down(void *ctx)
{
	struct outage *o = ctx;

	trace("down: s%d cannot be reached for %lld ms", o->from,
	    (long long)(o->for_us / MS));
	sites[o->from].down_until = sim_now() + o->for_us;
	free(o);
}

static void
begin_db_down(void *ctx)
{
	struct outage *o = ctx;

	trace("down: s%d has no database for %lld ms", o->from,
	    (long long)(o->for_us / MS));
	sites[o->from].db_down_until = sim_now() + o->for_us;
	/* Longer than a heartbeat less than a lease is gone with the task. */
	if (o->for_us > 2 * SECOND)
		world.may_fail = true;
	free(o);
}

/*
 * Sites get an older copy of their databases: what they said of jobs of this
 * one's is above what they know.
 */
static void
forget_fences(void *ctx)
{
	struct site *s = ctx;

	if (site_change(s, "UPDATE job SET lease_fence = lease_fence + 100000"
			   " WHERE is_initiator = 0"))
		trace("backup: initiators of the jobs at s%d have lost fences",
		    s->number);
	else
		sim_at(sim_now() + 10 * MS, forget_fences, s);
}

/* Drawn apart: older seeds stay what they were, as far as that goes. */
static void
plan_backup(void)
{
	int64_t span = world.faults_end - sim_now();

	if (sim_pick("backup", 0, 3) != 0)
		return;
	for (int i = 0; i < nsites; i++)
		sim_at(sim_now() + sim_pick("backup at", i, span),
		    forget_fences, &sites[i]);
}

static void
plan_outage(sim_fn *fn, int64_t longest_us)
{
	struct outage *o = xcalloc(1, sizeof(*o));

	o->from = (int)sim_draw(nsites);
	o->to = (int)sim_draw(nsites);
	o->for_us = sim_between(MS, longest_us);
	sim_at(some_time(), fn, o);
}

static void
plan_outages(void)
{
	int64_t n;

	if (world.faults.crash + world.faults.lose + world.faults.hold == 0)
		return;
	for (n = maybe(1, 5); n > 0; n--)
		plan_outage(begin_cut, 15 * SECOND);
	for (n = maybe(1, 2); n > 0; n--)
		plan_outage(begin_down, 10 * SECOND);
	if (sim_draw(4) == 0)
		plan_outage(begin_db_down, 8 * SECOND);
	plan_backup();
}

/* --- jobs -------------------------------------------------------------------------------- */

static void
dsl_of(const struct sim_job *j, struct buf *b)
{
	buf_puts(b, "{\"components\":{");
	for (int i = 0; i < j->ntasks; i++) {
		buf_printf(b, "%s\"c_%d\":{\"module\":\"TestEmpty\"",
		    i == 0 ? "" : ",", i);
		/* All after the first, or each after the one before. */
		if (i > 0)
			buf_printf(b,
			    ",\"input\":{\"data\":{\"data\":[\"c_%d.data\"]}}",
			    j->is_chain ? i - 1 : 0);
		buf_puts(b, ",\"output\":{\"data\":[\"data\"]}}");
	}
	buf_puts(b, "}}");
}

static void
roles_of(const struct sim_job *j, struct buf *b)
{
	int hosts = 0, arbiter = -1, most = (int)sim_between(1, nsites - 1);

	if (j->partner != 0) {
		buf_printf(b, "{\"guest\":[%s],\"host\":[%s]}",
		    sites[j->site].party, sites[j->partner].party);
		return;
	}
	if (sim_draw(3) == 0)
		arbiter = (int)sim_draw(nsites);
	buf_printf(b, "{\"guest\":[%s],\"host\":[", sites[j->site].party);
	for (int i = 1; i <= most; i++) {
		int s = (j->site + i) % nsites;

		buf_printf(b, "%s%s", hosts++ == 0 ? "" : ",", sites[s].party);
	}
	buf_puts(b, "]");
	if (arbiter >= 0)
		buf_printf(b, ",\"arbiter\":[%s]", sites[arbiter].party);
	buf_puts(b, "}");
}

static char *
documents_of(const struct sim_job *j)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "{\"job_dsl\":");
	dsl_of(j, &b);
	buf_printf(&b,
	    ",\"job_runtime_conf\":{\"dsl_version\":2,"
	    "\"initiator\":{\"role\":\"guest\",\"party_id\":%s},\"role\":",
	    sites[j->site].party);
	roles_of(j, &b);
	buf_printf(&b,
	    ",\"job_parameters\":{\"common\":{\"job_type\":\"train\","
	    "\"task_cores\":1,\"task_parallelism\":%d,\"auto_retries\":%lld,"
	    "\"auto_retry_delay\":1,\"timeout\":%lld,\"priority\":%lld}}}}",
	    (int)sim_between(1, 2), (long long)j->retries,
	    (long long)j->timeout_s,
	    (long long)sim_pick("priority", j->number, 4));
	return buf_steal(&b);
}

/* --- users -------------------------------------------------------------------------------- */

static void
wish_run(void *ctx)
{
	struct wish *w = ctx;
	struct buf reply = BUF_INIT;
	struct json_object *json = NULL;
	int status;

	w->was_rough = world_is_rough();
	if (!site_request(
		&sites[w->site], NULL, w->path, w->body, &status, &reply) ||
	    json_parse_text(buf_str(&reply), &json) != 0)
		trace("a user hears nothing of %s", w->path);
	else {
		trace("a user hears of %s: %s", w->path, buf_str(&reply));
		w->then(w, json_get_int(json, "retcode", -1), json);
	}
	json_object_put(json);
	buf_fini(&reply);
	free(w->path);
	free(w->body);
	free(w);
}

static void
wish_make(struct sim_job *j, int site, const char *path, char *body,
    void (*then)(struct wish *, int64_t, struct json_object *))
{
	struct wish *w = xcalloc(1, sizeof(*w));

	w->job = j;
	w->site = site;
	w->path = xstrdup(path);
	w->body = body;
	w->then = then;
	w->actor = (struct actor){ .kind = KIND_WORKER, .site = &sites[site] };
	(void)snprintf(w->actor.name, sizeof(w->actor.name), "s%d user", site);
	routine_start(&w->actor, wish_run, w);
}

static void
heard(struct wish *w, int64_t retcode, struct json_object *reply)
{
	(void)w, (void)retcode, (void)reply;
}

void
story_ask(struct sim_job *j, int site, const char *path, char *body)
{
	wish_make(j, site, path, body, heard);
}

struct sim_job *
story_job(const char *id)
{
	for (int i = 0; i < world.njobs; i++)
		if (str_eq(world.jobs[i].id, id))
			return &world.jobs[i];
	return NULL;
}

static void
submitted(struct wish *w, int64_t retcode, struct json_object *reply)
{
	if (retcode != 0) {
		if (!w->was_rough)
			world_fail("submit is refused: %s",
			    json_get_str(reply, "retmsg", ""));
		return;
	}
	(void)snprintf(w->job->id, sizeof(w->job->id), "%s",
	    json_get_str(reply, "jobId", ""));
}

void
story_submit(struct sim_job *j)
{
	wish_make(j, j->site, "/v1/job/submit", documents_of(j), submitted);
}

static void
submit(void *ctx)
{
	story_submit(ctx);
}

static void
canceled(struct wish *w, int64_t retcode, struct json_object *reply)
{
	if (retcode == 0 &&
	    str_starts(json_get_str(reply, "retmsg", ""), "stop job")) {
		w->job->ends_well = false;
		w->job->cancel_taken = w->site == w->job->site;
	}
}

/* At the initiator, or at a member: then its tasks alone end. */
static void
cancel(void *ctx)
{
	struct sim_job *j = ctx;
	int site = sim_draw(3) == 0 ? (int)sim_draw(nsites) : j->site;

	/* Whoever dies over it may have done it. */
	j->ends_well = false;
	if (j->id[0] != '\0')
		wish_make(j, site, "/v1/job/stop",
		    xasprintf("{\"job_id\":\"%s\"}", j->id), canceled);
}

/*
 * A success is on its way to a site, and a user there stops the job: a race
 * that chance alone seldom runs.
 */
void
story_success_sent(const char *path, int site)
{
	char id[ID_JOB_SIZE], role[20], party[11];
	struct sim_job *j;
	int end = 0;

	/* Of the job: a task's path is longer. */
	(void)sscanf(path,
	    "/v1/party/%25[0-9]/%19[a-z]/%10[0-9]/status/success%n", id, role,
	    party, &end);
	if (world.is_calm || end == 0 || (j = story_job(id)) == NULL ||
	    j->site == site || sim_pick(id, site, 4) != 0)
		return;
	j->ends_well = false;
	wish_make(j, site, "/v1/job/stop",
	    xasprintf("{\"job_id\":\"%s\"}", j->id), canceled);
}

static void
rerun_done(struct wish *w, int64_t retcode, struct json_object *reply)
{
	(void)reply;
	if (retcode == 0)
		w->job->cancel_taken = false;
}

static void
rerun(void *ctx)
{
	struct sim_job *j = ctx;

	j->was_rerun = true;
	if (j->id[0] != '\0')
		wish_make(j, j->site, "/v1/job/rerun",
		    xasprintf("{\"job_id\":\"%s\"%s}", j->id,
			sim_draw(2) == 0 ? "" : ",\"force\":true"),
		    rerun_done);
}

static void
plan_job(struct sim_job *j, int number)
{
	int64_t span = world.faults_end - sim_now();

	*j = (struct sim_job){ .number = number,
		.site = (int)sim_draw(nsites),
		.ntasks = (int)sim_between(1, sim_between(1, TASKS_MAX)),
		.is_chain = sim_draw(2) == 0,
		.ends_well = true,
		.retries = sim_draw(3) == 0 ? sim_between(1, 2) : 0,
		.timeout_s = sim_between(90, 120) };
	/* Most at the same two sites. */
	if (world.is_tight && j->site == 0)
		j->partner = 1;
	j->submit_at = sim_now() + sim_draw(world.is_tight ? SECOND : span / 2);
	sim_at(j->submit_at, submit, j);
	if (sim_draw(4) == 0) {
		j->cancel_at = j->submit_at + sim_draw(span);
		sim_at(j->cancel_at, cancel, j);
	}
	if (sim_draw(4) == 0) {
		j->rerun_at = j->submit_at + sim_between(span / 4, 2 * span);
		sim_at(j->rerun_at, rerun, j);
	}
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/*
 * After the last wish of a user all that is left is done as fast as it can be,
 * one job after the other at worst.
 */
static void
bound_told(void)
{
	int64_t takes = 0;

	world.faults_end = sim_now();
	for (int i = 0; i < world.njobs; i++) {
		const struct sim_job *j = &world.jobs[i];

		world.faults_end = later(later(world.faults_end, j->submit_at),
		    later(j->cancel_at, j->rerun_at));
		takes += TOLD_JOB_MS * MS +
			 j->ntasks * (world.executor_ms + TOLD_TASK_MS) * MS;
	}
	world.bound = world.faults_end + takes;
}

void
story_tell(void)
{
	draw_faults();
	world.executor_ms = sim_draw(3) == 0 ? 4000 : 400;
	world.njobs = (int)(sim_draw(2) == 0 ? 1 : sim_between(1, JOBS_MOST));
	if (world.is_tight)
		world.njobs = JOBS_MAX;
	plan_outages();
	for (int i = 0; i < world.njobs; i++)
		plan_job(&world.jobs[i], i);
	world.bound = world.faults_end + 300 * SECOND;
	if (world.is_told)
		bound_told();
	trace("seed %llu: %d sites, %d jobs, faults until %lld ms: crash %lld "
	      "hold %lld freeze %lld lapse %lld lose %lld duplicate %lld delay "
	      "%lld poke %lld spawn %lld shepherd %lld unruly %s",
	    (unsigned long long)world.seed, nsites, world.njobs,
	    (long long)((world.faults_end - sim_now()) / MS),
	    (long long)world.faults.crash, (long long)world.faults.hold,
	    (long long)world.faults.freeze, (long long)world.faults.lapse,
	    (long long)world.faults.lose, (long long)world.faults.duplicate,
	    (long long)world.faults.delay, (long long)world.faults.poke_lost,
	    (long long)world.faults.spawn, (long long)world.faults.shepherd,
	    world.faults.unruly == NULL ? "none" : world.faults.unruly);
}
