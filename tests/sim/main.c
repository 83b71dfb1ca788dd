/*
 * The simulation: seeds one after the other, and the word on each.
 *
 *   simulation [--seeds N] [--first N] [--list FILE] [--traces FOLDER]
 *              [--trace] [--stop]
 *
 * --stop ends with the first seed that fails.  --list adds the seeds of a file (one a line, # begins a comment): those
 * that found something once.  A seed that fails is run again with a trace;
 * so is the first seed, twice, whose traces must be the same.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/lib/mariadb.h"
#include "tests/sim/world.h"
#include "tests/sim/wrap.h"

#define LAST_LINES 40

struct world world;

static const char *folder = "/tmp";
static int64_t passed, failed;
static bool shows_all, stops;
/* Of all seeds. */
static struct {
	int64_t statements, messages, crashes, freezes, virtual_s;
} totals;

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
	if (!world_is_rough() && !world.failed)
		world.over = check_at_rest();
	if (sim_now() > world.bound)
		world.over = true;
	sim_at(sim_now() + SECOND, on_second, NULL);
}

static void
nothing(void *ctx)
{
	(void)ctx;
}

static void
begin(uint64_t seed)
{
	char id[ID_JOB_SIZE];

	buf_clear(&world.trace);
	world = (struct world){ .seed = seed,
		.keep_trace = world.keep_trace,
		.trace = world.trace };
	sim_time_reset(seed);
	/* What it keeps of its last call must not be of an equal one. */
	id_job(id);
	sim_at(sim_now() + MS, nothing, NULL);
	(void)sim_next();
	net_reset();
	procs_reset();
	check_reset();
	/* Mostly small, that more of them can be told. */
	sites_reset((int)(sim_draw(2) == 0 ? 2 : sim_between(2, SITES_MAX)));
}

/* Whoever still stands somewhere finds its way out. */
static void
finish(void)
{
	bool was_over = world.over, kept = world.keep_trace;

	world.over = true;
	world.keep_trace = false;
	routine_finish_all();
	sim_time_clear();
	net_clear();
	sites_clear();
	world.over = was_over;
	world.keep_trace = kept;
}

bool
world_run(uint64_t seed)
{
	int64_t began;

	begin(seed);
	began = sim_now();
	story_tell();
	sites_start();
	sim_at(sim_now() + SECOND, on_second, NULL);
	while (!world.over && !world.failed)
		if (!sim_next())
			world_fail("nothing happens any more");
	if (!world.failed)
		check_end();
	totals.virtual_s += (sim_now() - began) / SECOND;
	totals.statements += world.statements;
	totals.messages += world.messages;
	totals.crashes += world.crashes;
	totals.freezes += world.freezes;
	finish();
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

static void
try_seed(uint64_t seed)
{
	if (world_run(seed)) {
		passed++;
		if (shows_all)
			(void)fwrite(
			    world.trace.data, 1, world.trace.len, stdout);
		return;
	}
	failed++;
	explain(seed);
	(void)fflush(stdout);
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
		passed++;
	} else {
		failed++;
		(void)printf("seed %" PRIu64 " is another story when it is "
			     "told again: see first.trace and again.trace\n",
		    seed);
		save("first", &first);
		save("again", &world.trace);
	}
	buf_fini(&first);
}

static void
try_list(const char *path)
{
	struct buf text = BUF_INIT;
	char *line, *rest;

	if (buf_read_file(&text, path, 1 << 20) != 0) {
		(void)printf("%s\n", err_text());
		failed++;
		return;
	}
	for (line = strtok_r(text.data, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		if (*line >= '0' && *line <= '9')
			try_seed(strtoull(line, NULL, 10));
	buf_fini(&text);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "list", required_argument, NULL, 'l' },
		{ "traces", required_argument, NULL, 't' },
		{ "trace", no_argument, NULL, 'v' },
		{ "stop", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t first = 1, n = 100;
	const char *list = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "n:f:l:t:vs", options, NULL)) != -1)
		switch (c) {
		case 'n':
			n = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'l':
			list = optarg;
			break;
		case 't':
			folder = optarg;
			break;
		case 'v':
			shows_all = true;
			break;
		case 's':
			stops = true;
			break;
		default:
			return 2;
		}
	mariadb_in_memory();
	sites_make();
	wrap_chance();
	world.keep_trace = shows_all;
	if (n > 0)
		try_replay(first);
	if (list != NULL)
		try_list(list);
	for (uint64_t i = 0; i < n && !(stops && failed > 0); i++) {
		world.keep_trace = shows_all;
		try_seed(first + i);
	}
	(void)printf("%" PRId64 " s of virtual time, %" PRId64
		     " statements, %" PRId64 " messages, %" PRId64
		     " shepherds, %" PRId64 " kills, %" PRId64 " freezes\n",
	    totals.virtual_s, totals.statements, totals.messages, procs_started,
	    totals.crashes, totals.freezes);
	(void)printf(
	    "%" PRId64 " passed, %" PRId64 " failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
