/*
 * For those who watch over the site: is it ready, and its numbers.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/intake.h"
#include "fcgi-app/route.h"
#include "fcgi-app/tally.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_resource.h"
#include "lib/json/json.h"

/* --- readiness -------------------------------------------------------------- */

static bool
all_ok(const struct intake_check c[INTAKE_CHECKS])
{
	int i;

	for (i = 0; i < INTAKE_CHECKS; i++)
		if (!c[i].ok)
			return false;
	return true;
}

/* Strangers hear yes or no. */
int
api_ready(struct request *req, struct reply *rp)
{
	struct intake_check c[INTAKE_CHECKS];

	intake_checks(req, c);
	if (all_ok(c))
		return reply_message(rp, "ready");
	(void)err_set(ERR_BUSY, "this site cannot take work now");
	return reply_busy(rp);
}

int
api_ready_checks(struct request *req, struct reply *rp)
{
	struct intake_check c[INTAKE_CHECKS];
	struct json_object *data = json_object_new_object(), *o;
	int i;

	intake_checks(req, c);
	for (i = 0; i < INTAKE_CHECKS; i++) {
		o = json_object_new_object();
		json_add(o, "ok", json_object_new_boolean(c[i].ok));
		json_add_str(o, "detail", c[i].detail);
		json_add(data, c[i].name, o);
	}
	if (!all_ok(c)) {
		(void)err_set(ERR_BUSY, "this site cannot take work now");
		(void)reply_busy(rp);
	}
	return reply_data(rp, data);
}

/* --- numbers ------------------------------------------------------------------ */

typedef int counting_fn(
    struct db *, struct arena *, struct db_count **, size_t *);

static int
counted(struct request *req, struct metrics *m, counting_fn *fn,
    enum metric family, const char *label)
{
	struct db_count *rows;
	size_t i, n;
	int r;

	if ((r = fn(req->app->db, req->arena, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		metrics_set(
		    m, family, (double)rows[i].n, label, rows[i].name, NULL);
	return 0;
}

static void
one_of_the_rest(struct metrics *m, const struct db_count *c)
{
	double n = (double)c->n;

	if (str_eq(c->name, "oldest"))
		metrics_set(m, METRIC_queue_oldest_seconds, n / 1000, NULL);
	else if (str_eq(c->name, "reports"))
		metrics_set(m, METRIC_reports_due, n, NULL);
	else if (str_eq(c->name, "launches"))
		metrics_set(m, METRIC_launches_due, n, NULL);
	else if (str_eq(c->name, "errands"))
		metrics_set(m, METRIC_errands_open, n, NULL);
	else if (str_eq(c->name, "audit"))
		metrics_set(m, METRIC_audit_records, n, NULL);
	else if (str_eq(c->name, "heartbeat"))
		metrics_set(m, METRIC_heartbeat_age_seconds, n / 1000, "of",
		    "shepherd", NULL);
	else if (str_eq(c->name, "progress"))
		metrics_set(m, METRIC_progress_age_seconds, n / 1000, NULL);
}

static int
add_rest(struct request *req, struct metrics *m)
{
	struct db_count *rows;
	size_t i, n;
	int r;

	if ((r = db_count_rest(req->app->db, req->arena, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		one_of_the_rest(m, &rows[i]);
	return 0;
}

static int
add_resources(struct request *req, struct metrics *m)
{
	struct db_resource *have;
	int r;

	r = db_resource_get(req->app->db, req->arena, DB_ENGINE_DEFAULT, &have);
	if (r != 0)
		return r == ERR_NOT_FOUND ? 0 : r;
#define KIND(kind, cores, memory)                                              \
	metrics_set(m, METRIC_resource_cores, (double)(cores), "engine",       \
	    have->engine, "kind", kind, NULL);                                 \
	metrics_set(m, METRIC_resource_memory_bytes, (double)(memory)*1048576, \
	    "engine", have->engine, "kind", kind, NULL)
	KIND("total", have->cores, have->memory_mb);
	KIND("free", have->free_cores, have->free_memory_mb);
	KIND("granted", have->cores - have->free_cores,
	    have->memory_mb - have->free_memory_mb);
#undef KIND
	return 0;
}

static int
add_partners(struct request *req, struct metrics *m)
{
	struct db_partner_state *rows;
	size_t i, n;
	int r;

	r = db_partner_state_list(req->app->db, req->arena, &rows, &n);
	for (i = 0; r == 0 && i < n; i++) {
		metrics_set(m, METRIC_partner_up, rows[i].answers, "partner",
		    rows[i].party_id, NULL);
		metrics_set(m, METRIC_partner_since_seconds,
		    (double)rows[i].since_ms / 1000, "partner",
		    rows[i].party_id, NULL);
	}
	return r != 0 ? r
		      : counted(req, m, db_count_trusted,
			    METRIC_partner_trusted, "partner");
}

/* What each supervisor counted, and how old its word is. */
static int
add_supervisors(struct request *req, struct metrics *m)
{
	struct db_supervisor *rows;
	size_t i, n;
	int r;

	r = db_supervisor_list(req->app->db, req->arena, true, &rows, &n);
	for (i = 0; r == 0 && i < n; i++) {
		metrics_read(
		    m, rows[i].metrics, "supervisor", rows[i].instance);
		metrics_set(m, METRIC_heartbeat_age_seconds,
		    (double)rows[i].age_ms / 1000, "of", "supervisor",
		    "supervisor", rows[i].instance, NULL);
	}
	return r;
}

static void
add_checks(struct request *req, struct metrics *m)
{
	struct intake_check c[INTAKE_CHECKS];
	int i;

	intake_checks(req, c);
	for (i = 0; i < INTAKE_CHECKS; i++)
		metrics_set(m, METRIC_ready, c[i].ok, "check", c[i].name, NULL);
}

static int
collect(struct request *req, struct metrics *m)
{
	int r;

	metrics_set(m, METRIC_site_info, 1, "party", req->app->conf->party_id,
	    "version", SLUICE_VERSION, NULL);
	add_checks(req, m);
	tally_metrics(req->app->tally, m);
	if ((r = counted(req, m, db_count_jobs, METRIC_jobs, "state")) != 0 ||
	    (r = counted(req, m, db_count_tasks, METRIC_tasks, "state")) != 0 ||
	    (r = counted(
		 req, m, db_count_waits, METRIC_queue_jobs, "reason")) != 0 ||
	    (r = counted(req, m, db_count_stored, METRIC_partner_stored_bytes,
		 "partner")) != 0 ||
	    (r = add_rest(req, m)) != 0 || (r = add_resources(req, m)) != 0 ||
	    (r = add_partners(req, m)) != 0)
		return r;
	return add_supervisors(req, m);
}

/* What can be known is told even when the database cannot be asked. */
int
api_metrics_text(struct request *req, struct reply *rp)
{
	struct metrics *m = metrics_new();
	struct buf text = BUF_INIT;
	int r;

	if (collect(req, m) != 0)
		err_clear();
	metrics_render(m, &text);
	r = reply_text(rp, "text/plain; version=0.0.4; charset=utf-8", &text);
	buf_fini(&text);
	metrics_free(m);
	return r;
}
