/*
 * What a decision costs while ended jobs pile up: a hundred parties, a
 * thousand jobs of one of them, each with another of the others.  Nothing
 * goes wrong.  Jobs come at a steady pace in virtual time, so what supervisors
 * do without being asked is the same in every hundred of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "tests/lib/mariadb.h"
#include "tests/sim/world.h"

#define PARTIES 100
#define JOBS 1000
#define BATCH 100
#define BATCHES (JOBS / BATCH)
#define PACE (100 * MS) /* between two submits */
#define REST (20 * SECOND)
/* The first batch prepares statements; the growth from second to last. */
#define FIRST 1
#define GROWTH_MAX 1.25
#define TIME_GROWTH_MAX 1.5 /* others may run on the same cores */

static struct sim_job jobs[JOBS];

struct sample {
	int64_t statements, own_statements; /* of all sites, of the first */
	int64_t rows; /* read by the server, index entries too */
	int64_t decisions;
	double cpu_s;
};

static struct sample samples[BATCHES + 1];

/* --- counting ---------------------------------------------------------------------- */

static double
own_cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double
server_cpu_s(void)
{
	char path[40], text[1024], *at;
	unsigned long user = 0, sys = 0;
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", mariadb_pid());
	if ((f = fopen(path, "re")) == NULL)
		abort();
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	if ((at = strrchr(text, ')')) == NULL ||
	    sscanf(at + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		&sys) != 2)
		abort();
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

/* What a server reads does not depend on who else has the processors. */
static int64_t
rows_read(void)
{
	return site_count(&sites[0],
	    "SELECT CAST(SUM(variable_value) AS SIGNED)"
	    " FROM information_schema.global_status"
	    " WHERE variable_name LIKE 'HANDLER_READ_%'"
	    " OR variable_name = 'HANDLER_ICP_ATTEMPTS'");
}

/* What supervisors wrote down of what they decided. */
static int64_t
decisions(void)
{
	int64_t n = 0;

	for (int i = 0; i < nsites; i++)
		n += site_count(&sites[i], "SELECT COUNT(*) FROM event"
					   " WHERE actor LIKE 'supervisor%'");
	return n;
}

static void
take_sample(int i)
{
	samples[i] = (struct sample){ .statements = world.statements,
		.own_statements = sites[0].statements,
		.rows = rows_read(),
		.cpu_s = own_cpu_s() + server_cpu_s() };
	samples[i].decisions = decisions();
	(void)printf("%4d submitted, %" PRId64 " decisions, %" PRId64
		     " statements, %" PRId64 " rows, %.1f s\n",
	    i * BATCH, samples[i].decisions, samples[i].statements,
	    samples[i].rows, samples[i].cpu_s);
	(void)fflush(stdout);
}

/* --- the jobs ---------------------------------------------------------------------- */

static void
submit_next(void *ctx)
{
	static int next;
	struct sim_job *j = &jobs[next];

	(void)ctx;
	if (next % BATCH == 0)
		take_sample(next / BATCH);
	if (next == JOBS)
		return;
	*j = (struct sim_job){ .number = next,
		.ntasks = 2,
		.is_chain = true,
		.ends_well = true,
		.partner = 1 + next % (PARTIES - 1),
		.timeout_s = 600 };
	story_submit(j);
	next++;
	sim_at(sim_now() + PACE, submit_next, NULL);
}

/* All are of hosts that look only when they are told to. */
static void
calm(void)
{
	for (int i = 0; i < nsites; i++) {
		struct site *s = &sites[i];

		s->nhosts = 1;
		s->skew_us = 0;
		s->hosts[0]->conf->cores = 256;
		s->hosts[0]->conf->poll_ms = 60000;
		s->hosts[0]->conf->partner_cores = 0;
		s->hosts[0]->conf->partner_running_jobs = 0;
	}
	world.executor_ms = 200;
	world.faults_end = sim_now();
}

static int64_t
succeeded(void)
{
	return site_count(
	    &sites[0], "SELECT COUNT(*) FROM job WHERE status = 'success'");
}

/* --- the word on it ------------------------------------------------------------------ */

static double
per_decision(int batch, double (*of)(const struct sample *))
{
	const struct sample *a = &samples[batch], *b = &samples[batch + 1];

	return (of(b) - of(a)) / (double)(b->decisions - a->decisions);
}

static double
of_statements(const struct sample *s)
{
	return (double)s->statements;
}

static double
of_own_statements(const struct sample *s)
{
	return (double)s->own_statements;
}

static double
of_rows(const struct sample *s)
{
	return (double)s->rows;
}

static double
of_cpu(const struct sample *s)
{
	return 1e6 * s->cpu_s;
}

/* 1 when it grew. */
static int
compare(const char *what, double (*of)(const struct sample *), double most)
{
	double first = per_decision(FIRST, of),
	       last = per_decision(BATCHES - 1, of);

	(void)printf(
	    "%-28s %10.1f %10.1f %8.2f\n", what, first, last, last / first);
	return last > most * first;
}

int
bench_run(void)
{
	int64_t n, until;
	int grown = 0;

	sites_make(PARTIES);
	world_begin(1, PARTIES);
	calm();
	/* What is gone is cleared away, as anywhere. */
	server_let_go();
	sites_start();
	sim_at(sim_now() + REST, submit_next, NULL);
	until = sim_now() + REST + JOBS * PACE + REST;
	while (sim_now() < until && !world.failed && sim_next())
		continue;
	n = succeeded();
	(void)printf("%d parties, %" PRId64 " of %d jobs succeeded, %" PRId64
		     " decisions, %" PRId64 " statements\n",
	    PARTIES, n, JOBS, samples[BATCHES].decisions,
	    samples[BATCHES].statements);
	(void)printf("%-28s %10s %10s %8s\n", "for a decision", "jobs 100-199",
	    "900-999", "growth");
	grown += compare("statements, all sites", of_statements, GROWTH_MAX);
	grown +=
	    compare("statements, the initiator", of_own_statements, GROWTH_MAX);
	grown += compare("rows read, all sites", of_rows, GROWTH_MAX);
	grown += compare("processor time, us", of_cpu, TIME_GROWTH_MAX);
	world_end();
	return n == JOBS && grown == 0 ? 0 : 1;
}
