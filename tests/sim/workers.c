/*
 * Several processes side by side, each with a server of its own.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "tests/sim/world.h"

#define OUTPUT (1 << 20) /* what one seed says comes in one piece */

struct tally *tally;

static struct tally *tallies;
static int nworkers;

/*
 * Its server and its routines take turns and never run at once: on one
 * processor they need not wake another one for every statement.
 */
static void
settle(int i, int n)
{
	cpu_set_t all, one;
	int k = -1;

	if (sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) > n)
		return;
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE && k < i % CPU_COUNT(&all); cpu++)
		if (CPU_ISSET(cpu, &all) && ++k == i % CPU_COUNT(&all))
			CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void
add_points(struct tally *sum, const struct tally *t)
{
	for (size_t i = 0; i < t->npoints; i++) {
		size_t k = 0;

		while (
		    k < sum->npoints && sum->points[k].key != t->points[i].key)
			k++;
		if (k == POINTS_MAX)
			abort();
		if (k == sum->npoints)
			sum->points[sum->npoints++] = t->points[i];
		else {
			sum->points[k].passes += t->points[i].passes;
			sum->points[k].kills += t->points[i].kills;
		}
	}
}

static void
add(struct tally *sum, const struct tally *t)
{
	sum->passed += t->passed;
	sum->failed += t->failed;
	sum->virtual_s += t->virtual_s;
	sum->statements += t->statements;
	sum->messages += t->messages;
	sum->shepherds += t->shepherds;
	sum->crashes += t->crashes;
	sum->freezes += t->freezes;
	add_points(sum, t);
}

bool
workers_have_failed(void)
{
	for (int i = 0; i < nworkers; i++)
		if (tallies[i].failed > 0)
			return true;
	return false;
}

void
workers_run(int n, worker_fn *fn, void *ctx)
{
	int status;

	nworkers = n;
	tallies = mmap(NULL, (size_t)n * sizeof(*tallies),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		abort();
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == -1)
			abort();
		if (pid > 0)
			continue;
		(void)setvbuf(stdout, NULL, _IOFBF, OUTPUT);
		tally = &tallies[i];
		settle(i, n);
		fn(ctx, i, n);
		exit(0);
	}
	tally = xcalloc(1, sizeof(*tally));
	while (wait(&status) > 0)
		if (status != 0) {
			(void)printf("a worker ended with %d\n", status);
			tally->failed++;
		}
	for (int i = 0; i < n; i++)
		add(tally, &tallies[i]);
}
