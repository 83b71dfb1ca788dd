/*
 * Disk, database, schema, supervisor, keys.  Called by dispatch.c and
 * api_monitor.c.
 */
#include "fcgi-app/intake.h"

#include <stdlib.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/probe.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conf/site_disk.h"
#include "lib/db/db.h"
#include "lib/db/db_operations.h"
#include "lib/db/migrate.h"

#define RETRY_AFTER_S 30 /* a disk is not emptied in a second */
#define NOT_NOW 103
/* A supervisor says every five seconds that it runs. */
#define SUPERVISOR_MS 20000

/* What leaves something on a disk here. */
static route_fn *const work[] = { api_job_submit, api_job_rerun,
	api_data_upload, api_data_writer, api_data_download, api_model_import,
	api_party_job_create };

static bool
brings_work(const struct route *r)
{
	size_t i;

	for (i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		if (r->handler == work[i])
			return true;
	return false;
}

bool
intake_refuses(struct request *req, struct reply *rp)
{
	if (!brings_work(req->route) || site_disk_check(req->app->conf) == 0)
		return false;
	(void)reply_busy(rp);
	rp->retry_after_s = RETRY_AFTER_S;
	if (req->listener == LISTENER_PARTNER)
		rp->retcode = NOT_NOW;
	return true;
}

/* --- readiness -------------------------------------------------------------- */

static struct intake_check
result(struct request *req, const char *name, int r)
{
	return (struct intake_check){ .name = name,
		.ok = r == 0,
		.detail = r == 0 ? "" : arena_strdup(req->arena, err_text()) };
}

static int
check_supervisor(struct request *req)
{
	struct db_supervisor *rows;
	size_t i, n;
	int r;

	r = db_supervisor_list(req->app->db, req->arena, false, &rows, &n);
	for (i = 0; r == 0 && i < n; i++)
		if (rows[i].age_ms < SUPERVISOR_MS)
			return 0;
	return r != 0 ? r
		      : err_set(ERR_NOT_FOUND,
			    "no supervisor has given a sign "
			    "of life in %d s",
			    SUPERVISOR_MS / 1000);
}

/* Those that this program needs; it cannot see the private ones. */
static int
check_keys(struct request *req)
{
	static const char *const needed[] = { "sign.pub", "tls.crt",
		"partners.pem", "vault.pub" };
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		char *path =
		    site_path(req->app->conf, "%s/%s", SITE_KEYS, needed[i]);
		int missing = access(path, R_OK);

		free(path);
		if (missing != 0)
			return err_set_errno(ERR_IO, "keys/%s", needed[i]);
	}
	return 0;
}

void
intake_checks(struct request *req, struct intake_check out[INTAKE_CHECKS])
{
	int r = probe_database(req->app), i = 0;

	/* Whoever waits for a server that hangs says nothing to the probe. */
	if (r == 0)
		r = db_ping(req->app->db);
	out[i++] = result(req, "database", r);
	/* Without it the others would only say the same. */
	out[i++] =
	    result(req, "schema", r != 0 ? r : db_schema_check(req->app->db));
	out[i++] =
	    result(req, "supervisor", r != 0 ? r : check_supervisor(req));
	out[i++] = result(req, "disk", site_disk_check(req->app->conf));
	out[i++] = result(req, "keys", check_keys(req));
	out[i] = (struct intake_check){ .name = "providers",
		.ok = req->app->providers != NULL,
		.detail = "" };
}
