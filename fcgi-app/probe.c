/*
 * Called by intake.c; worker.c ends it.
 */
#include "fcgi-app/probe.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"

struct probe {
	struct site_conf conf; /* the app's but for its patience; borrowed */
	struct db *db;	       /* connects when it is asked, as any */
};

static struct probe *
probe_new(const struct site_conf *conf)
{
	struct probe *p = xcalloc(1, sizeof(*p));
	int64_t *patience = &p->conf.db_answer_timeout_s;

	p->conf = *conf;
	if (*patience == 0 || *patience > PROBE_ANSWER_S)
		*patience = PROBE_ANSWER_S;
	p->db = db_new(&p->conf, NULL);
	return p;
}

int
probe_database(struct app *app)
{
	if (app->probe == NULL)
		app->probe = probe_new(app->conf);
	return db_ping(app->probe->db);
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	db_close(p->db);
	free(p);
}
