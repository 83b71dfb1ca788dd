/*
 * sluice-shepherd: one task attempt from its launch to its end.
 *
 *   sluice-shepherd --config FILE --attempt ID
 *   sluice-shepherd --nursery --config FILE PLACE
 *
 * Started by the supervisor, which it may outlive: its claim is the lease on
 * the attempt's row.  With --nursery it is the process that the supervisor
 * asks for shepherds: nursery.h.
 */
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "supervisor/shepherd/attempt.h"
#include "supervisor/shepherd/nursery.h"

/* A received object may come in 250 descriptors, several at once. */
#define MAX_FILES 4096

struct options {
	const char *config;
	const char *attempt;
	bool is_nursery;
};

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = { { "config", required_argument,
						   NULL, 'c' },
		{ "attempt", required_argument, NULL, 'a' },
		{ "nursery", no_argument, NULL, 'n' }, { NULL, 0, NULL, 0 } };
	int c;

	memset(o, 0, sizeof(*o));
	/* "+": arguments stay where they are, nursery_run() counts on it. */
	while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		if (c == 'c')
			o->config = optarg;
		else if (c == 'a')
			o->attempt = optarg;
		else if (c == 'n')
			o->is_nursery = true;
		else
			return -1;
	}
	if (o->config == NULL || (o->attempt == NULL) != o->is_nursery)
		return -1;
	return optind + (o->is_nursery ? 1 : 0) == argc ? 0 : -1;
}

static void
raise_file_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return;
	rl.rlim_cur = rl.rlim_max < MAX_FILES ? rl.rlim_max : MAX_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

static int
run_one(const struct options *o)
{
	struct ready ready;
	int status;

	if (ready_load(o->config, &ready) != 0) {
		log_err("attempt %s", o->attempt);
		return EXIT_FAILURE;
	}
	status = attempt_run(&ready, o->attempt);
	ready_fini(&ready);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;

	proc_no_core();
	log_init("shepherd", LOG_INFO_);
	if (parse_options(argc, argv, &o) != 0) {
		(void)fprintf(stderr, "usage: sluice-shepherd --config FILE "
				      "--attempt ID\n");
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	if (sodium_init() < 0) {
		log_error("no randomness");
		return EXIT_FAILURE;
	}
	return o.is_nursery ? nursery_run(argv, o.config, attempt_run)
			    : run_one(&o);
}
