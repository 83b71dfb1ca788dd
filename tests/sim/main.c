/*
 * The simulation: seeds one after the other, and the word on each.
 *
 *   simulation --bench
 *   simulation [--seeds N] [--first N] [--list FILE] [--traces FOLDER]
 *              [--trace] [--stop] [--jobs N] [--each-point] [--points]
 *              [--seconds N] [--told N]
 *
 * --stop ends with the first seed that fails.  --list adds the seeds of a
 * file (one a line, # begins a comment): those that found something once.  A
 * seed that fails is run again with a trace; so is the first seed, twice,
 * whose traces must be the same.  --jobs: that many processes side by side.
 * --seconds: none of N begins later than that, by the clock on the wall.
 * --points lists the points between two steps, and how many kills each saw.
 *
 * --told: as many seeds in which nothing goes wrong and supervisors poll every
 * ten minutes, so that all hangs on who tells whom: jobs come to rest as fast as
 * their executors let them, or something was lost.
 *
 * --each-point is another kind of run: nothing goes wrong by chance; a seed is
 * told once to learn which points it passes, then once for each of them, and
 * whoever comes to that point first is killed there.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/lib/mariadb.h"
#include "tests/sim/world.h"
#include "tests/sim/wrap.h"

#define LAST_LINES 40
#define PROGRESS 500

struct world world;

static const char *folder = "/tmp";
static int64_t ends_s; /* with options.seconds */
static bool shows_all;
static bool is_told; /* the seeds of --told */

static struct {
	uint64_t first, n, told;
	const char *list;
	int jobs;
	int64_t seconds; /* 0: as many as it takes */
	bool stops, each_point, shows_points, bench;
} options = { .first = 1, .n = 100, .jobs = 1 };

/* --- the world -------------------------------------------------------------------- */

bool
world_is_rough(void)
{
	return !world.over && sim_now() < world.faults_end;
}

void
trace(const char *fmt, ...)
{
	static int64_t began;
	va_list ap;

	if (!world.keep_trace)
		return;
	if (world.trace.len == 0)
		began = sim_now();
	buf_printf(&world.trace, "%9.3f %-14s ",
	    (double)(sim_now() - began) / 1e6, self != NULL ? self->name : "");
	va_start(ap, fmt);
	buf_vprintf(&world.trace, fmt, ap);
	va_end(ap);
	buf_putc(&world.trace, '\n');
}

static char reason[400];

void
world_fail(const char *fmt, ...)
{
	char text[sizeof(reason)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	trace("VIOLATED: %s", text);
	if (!world.failed)
		(void)snprintf(reason, sizeof(reason), "%s", text);
	world.failed = true;
}

static void
on_second(void *ctx)
{
	(void)ctx;
	check_step();
	people_decide();
	if (!world_is_rough() && !world.failed)
		world.over = check_at_rest();
	if (sim_now() > world.bound)
		world.over = true;
	sim_at(sim_now() + SECOND, on_second, NULL);
}

void
world_begin(uint64_t seed, int n)
{
	buf_clear(&world.trace);
	world = (struct world){ .seed = seed,
		.is_calm = options.each_point || is_told,
		.is_told = is_told,
		.keep_trace = world.keep_trace,
		.trace = world.trace };
	sim_time_reset(seed);
	world.is_tight = sim_pick("tight", 0, 4) == 0;
	net_reset();
	procs_reset();
	check_reset();
	point_reset();
	/* Mostly small, that more of them can be told. */
	if (n == 0)
		n = (int)(sim_draw(2) == 0 ? 2 : sim_between(2, STORY_SITES));
	sites_reset(n);
}

void
world_end(void)
{
	bool was_over = world.over, kept = world.keep_trace;

	world.over = true;
	world.keep_trace = false;
	routine_finish_all();
	sim_time_clear();
	net_clear();
	sites_clear();
	pools_check();
	world.over = was_over;
	world.keep_trace = kept;
}

bool
world_run(uint64_t seed)
{
	int64_t began;

	world_begin(seed, 0);
	began = sim_now();
	story_tell();
	sites_start();
	sim_at(sim_now() + SECOND, on_second, NULL);
	while (!world.over && !world.failed)
		if (!sim_next())
			world_fail("nothing happens any more");
	if (!world.failed)
		check_end();
	tally->virtual_s += (sim_now() - began) / SECOND;
	tally->statements += world.statements;
	tally->messages += world.messages;
	tally->crashes += world.crashes;
	tally->freezes += world.freezes;
	world_end();
	return !world.failed;
}

/* --- seeds ------------------------------------------------------------------------ */

static void
show_end(const struct buf *text)
{
	const char *at = text->data + text->len;
	int lines = 0;

	while (at > text->data && lines <= LAST_LINES)
		if (*--at == '\n')
			lines++;
	(void)printf("%s\n", at);
}

static void
save(const char *name, const struct buf *text)
{
	char *path = xasprintf("%s/%s.trace", folder, name);

	if (fd_replace_file(path, buf_str(text), text->len, 0644) != 0)
		(void)printf("%s\n", err_text());
	free(path);
}

static void
explain(uint64_t seed)
{
	char name[40];

	(void)snprintf(name, sizeof(name), "sim-%" PRIu64, seed);
	(void)printf("seed %" PRIu64 ": %s\n", seed, reason);
	world.keep_trace = true;
	if (world_run(seed))
		(void)printf("seed %" PRIu64 " passes the second time\n", seed);
	world.keep_trace = false;
	save(name, &world.trace);
	if (shows_all)
		(void)fwrite(world.trace.data, 1, world.trace.len, stdout);
	else
		show_end(&world.trace);
	(void)printf("seed %" PRIu64 ": %s\n  trace: %s/%s.trace\n", seed,
	    reason, folder, name);
}

static bool
try_seed(uint64_t seed)
{
	world.keep_trace = shows_all;
	if (world_run(seed)) {
		tally->passed++;
		if (shows_all)
			(void)fwrite(
			    world.trace.data, 1, world.trace.len, stdout);
		return true;
	}
	tally->failed++;
	explain(seed);
	(void)fflush(stdout);
	return false;
}

/* The same seed is the same story, to the byte. */
static void
try_replay(uint64_t seed)
{
	struct buf first = BUF_INIT;

	world.keep_trace = true;
	(void)world_run(seed);
	buf_append(&first, world.trace.data, world.trace.len);
	(void)world_run(seed);
	world.keep_trace = false;
	if (first.len == world.trace.len &&
	    memcmp(first.data, world.trace.data, first.len) == 0) {
		tally->passed++;
	} else {
		tally->failed++;
		(void)printf("seed %" PRIu64 " is another story when it is "
			     "told again: see first.trace and again.trace\n",
		    seed);
		save("first", &first);
		save("again", &world.trace);
	}
	buf_fini(&first);
}

/* Those lines that are ours. */
static void
try_list(const char *path, int job, int jobs)
{
	struct buf text = BUF_INIT;
	char *line, *rest;
	int i = 0;

	if (buf_read_file(&text, path, 1 << 20) != 0) {
		(void)printf("%s\n", err_text());
		tally->failed++;
		return;
	}
	for (line = strtok_r(text.data, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		if (*line >= '0' && *line <= '9' && i++ % jobs == job)
			(void)try_seed(strtoull(line, NULL, 10));
	buf_fini(&text);
}

static bool
has_to_stop(void)
{
	return (options.seconds > 0 && wrap_real_s() >= ends_s) ||
	       (options.stops && workers_have_failed());
}

/* The same seeds, with nothing wrong. */
static void
try_told(int job, int jobs)
{
	is_told = true;
	for (uint64_t i = (uint64_t)job; i < options.told && !has_to_stop();
	     i += (uint64_t)jobs)
		(void)try_seed(options.first + i);
	is_told = false;
}

/* Kill at one point after the other, all that this seed passes. */
static void
try_points(uint64_t seed, int job, int jobs)
{
	static struct point points[POINTS_MAX];
	size_t n;

	tally->npoints = 0;
	if (!try_seed(seed))
		return;
	n = tally->npoints;
	memcpy(points, tally->points, n * sizeof(points[0]));
	for (size_t i = (size_t)job; i < n && !has_to_stop();
	     i += (size_t)jobs) {
		point_kill_at(points[i].key);
		if (!try_seed(seed))
			(void)printf("  killed: %s\n", points[i].label);
		if (!point_was_fatal()) {
			(void)printf("seed %" PRIu64 ": nobody came to: %s\n",
			    seed, points[i].label);
			tally->failed++;
		}
		point_kill_at(0);
	}
}

static void
work(void *ctx, int job, int jobs)
{
	(void)ctx;
	mariadb_sysdate_is_now();
	wrap_chance();
	if (options.bench) {
		if (bench_run() != 0)
			tally->failed++;
		return;
	}
	sites_make(STORY_SITES);
	if (options.each_point) {
		for (uint64_t i = 0; i < options.n; i++)
			try_points(options.first + i, job, jobs);
		return;
	}
	if (options.n > 0 && job == 0)
		try_replay(options.first);
	try_told(job, jobs);
	if (options.list != NULL)
		try_list(options.list, job, jobs);
	for (uint64_t i = (uint64_t)job; i < options.n && !has_to_stop();
	     i += (uint64_t)jobs) {
		(void)try_seed(options.first + i);
		if (i > 0 && i % PROGRESS == 0) {
			(void)printf("%" PRIu64 " seeds\n", i);
			(void)fflush(stdout);
		}
	}
}

/* --- the word on all ------------------------------------------------------------------ */

static void
show_points(void)
{
	const struct point *p;

	for (size_t i = 0; i < tally->npoints; i++) {
		p = &tally->points[i];
		(void)printf("%8" PRId64 " passed %5" PRId64 " killed  %s\n",
		    p->passes, p->kills, p->label);
	}
}

static void
sum_up(void)
{
	size_t killed = 0;

	for (size_t i = 0; i < tally->npoints; i++)
		killed += tally->points[i].kills > 0;
	if (options.shows_points)
		show_points();
	(void)printf("%" PRId64 " s of virtual time, %" PRId64
		     " statements, %" PRId64 " messages, %" PRId64
		     " shepherds, %" PRId64 " kills, %" PRId64 " freezes\n",
	    tally->virtual_s, tally->statements, tally->messages,
	    tally->shepherds, tally->crashes, tally->freezes);
	(void)printf("%zu points between two steps, somebody was killed at "
		     "%zu of them\n",
	    tally->npoints, killed);
	(void)printf("%" PRId64 " passed, %" PRId64 " failed\n", tally->passed,
	    tally->failed);
}

static bool
parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "list", required_argument, NULL, 'l' },
		{ "traces", required_argument, NULL, 't' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "trace", no_argument, NULL, 'v' },
		{ "stop", no_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 'd' },
		{ "told", required_argument, NULL, 'o' },
		{ "each-point", no_argument, NULL, 'e' },
		{ "points", no_argument, NULL, 'p' },
		{ "bench", no_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(
		    argc, argv, "n:f:l:t:j:d:o:vsepb", known, NULL)) != -1)
		switch (c) {
		case 'n':
			options.n = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			options.first = strtoull(optarg, NULL, 10);
			break;
		case 'l':
			options.list = optarg;
			break;
		case 't':
			folder = optarg;
			break;
		case 'j':
			options.jobs = (int)strtol(optarg, NULL, 10);
			break;
		case 'o':
			options.told = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			options.seconds = strtoll(optarg, NULL, 10);
			break;
		case 'v':
			shows_all = true;
			break;
		case 's':
			options.stops = true;
			break;
		case 'e':
			options.each_point = true;
			break;
		case 'p':
			options.shows_points = true;
			break;
		case 'b':
			options.bench = true;
			break;
		default:
			return false;
		}
	return optind == argc && options.jobs >= 1 && options.jobs <= 64;
}

int
main(int argc, char **argv)
{
	if (!parse(argc, argv))
		return 2;
	ends_s = wrap_real_s() + options.seconds;
	workers_run(options.jobs, work, NULL);
	sum_up();
	return tally->failed == 0 ? 0 : 1;
}
