/*
 * Called by the handlers that look providers up.
 */
#include "fcgi-app/provider_set.h"

#include "lib/base/log.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_provider.h"
#include "lib/provider/measure.h"

int
provider_set_refresh(struct app *app)
{
	struct providers *fresh;
	int64_t generation;
	int r;

	if ((r = db_provider_generation(app->db, &generation)) != 0 ||
	    generation == app->providers_generation)
		return r;
	/* Tried once for each registration, not with each request. */
	app->providers_generation = generation;
	if (providers_load(app->conf->providers_dir, &fresh) != 0) {
		log_err("providers stay as they were");
		return 0;
	}
	providers_measure(fresh);
	providers_free(app->providers);
	app->providers = fresh;
	log_info("%zu versions of providers", providers_count(fresh));
	return 0;
}
