/*
 * Preparing what all tasks of a site have in common.
 */
#include "supervisor/shepherd/ready.h"

#include <stdint.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/http/curl_load.h"
#include "lib/provider/measure.h"
#include "supervisor/shepherd/limits.h"
#include "supervisor/shepherd/seccomp.h"

/* Larger programs are hashed by each task: nobody should wait for it here. */
#define MEASURE_MAX_BYTES ((int64_t)64 << 20)

int
ready_load(const char *config, struct ready *out)
{
	enum log_level level = LOG_INFO_;
	int r;

	*out = (struct ready){ .loan = LOAN_INIT };
	if ((r = site_conf_load(config, &out->conf)) != 0)
		return r;
	site_conf_act_as(out->conf, SITE_SUPERVISOR);
	if (log_level_parse(out->conf->log_level, &level) == 0)
		log_init("shepherd", level);
	return 0;
}

void
ready_warm(struct ready *w)
{
	if (providers_load(w->conf->providers_dir, &w->providers) == 0)
		providers_measure_small(w->providers, MEASURE_MAX_BYTES);
	(void)seccomp_filter_make();
	/* Most tasks send something, and each would load it by itself. */
	(void)curl_load();
	tzset();
	cgroup_sweep(w->conf->cgroup_dir);
	err_clear();
}

void
ready_fini(struct ready *w)
{
	providers_free(w->providers);
	site_conf_free(w->conf);
	*w = (struct ready){ .loan = LOAN_INIT };
}
