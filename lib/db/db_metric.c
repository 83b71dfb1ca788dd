/*
 * Metrics and summaries of tasks.  Written by shepherds, read by fcgi-app.
 */
#include "lib/db/db_metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_tx.h"

#define KEY_BYTES_MAX 200 /* metric_point.point_key */

#define SERIES_COLS(X)                                                         \
	KEY_COLS(X, key., "m.")                                                \
	X(STR, metric_namespace, "m.namespace")                                \
	X(STR, name, "m.name")                                                 \
	X(STR, meta, "m.meta")                                                 \
	X(INT, id, "m.id")                                                     \
	X(INT, revision, "m.revision")
static const struct db_col series_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_series, field) },
	SERIES_COLS(COL)
#undef COL
};
static const struct db_shape series_shape =
    DB_SHAPE(struct db_series, series_cols);

#define POINT_COLS(X)                                                          \
	X(INT, series_id, "p.metric_id")                                       \
	X(STR, point_key, "p.point_key")                                       \
	X(DBL, sort_key, "p.sort_key")                                         \
	X(STR, point_value, "p.point_value")
static const struct db_col point_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_point, field) },
	POINT_COLS(COL)
#undef COL
};
static const struct db_shape point_shape =
    DB_SHAPE(struct db_point, point_cols);

/* LAST_INSERT_ID(id) makes the id of an existing series known as well. */
static const struct db_stmt put_series = { "metric.put", KEY_PARAMS "sss",
	"INSERT INTO metric (job_id, component, version, role, party_id,"
	" namespace, name, meta) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id),"
	" meta = COALESCE(VALUES(meta), meta), revision = revision + 1" };
#define POINT_INSERT                                                           \
	"INSERT INTO metric_point"                                             \
	" (metric_id, point_key, sort_key, point_value) VALUES "
#define POINT_UPDATE                                                           \
	" ON DUPLICATE KEY UPDATE"                                             \
	" sort_key = VALUES(sort_key), point_value = VALUES(point_value)"
static const struct db_stmt put_point = { "metric.point", "isDs",
	POINT_INSERT "(?, ?, ?, ?)" POINT_UPDATE };
/* Curves come with hundreds of points: eight to a statement. */
#define BATCH 8
#define FOUR "(?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?)"
static const struct db_stmt put_points = { "metric.points",
	"isDsisDsisDsisDsisDsisDsisDsisDs",
	POINT_INSERT FOUR ", " FOUR POINT_UPDATE };

/*
 * Series of one version: the one given, or the newest that has any series of
 * this component and member.
 */
#define SERIES_WHERE                                                           \
	" m.job_id = ? AND m.component = ? AND m.role = ?"                     \
	" AND m.party_id = ? AND m.version = IF(? >= 0, ?,"                    \
	"  (SELECT MAX(n.version) FROM metric n WHERE n.job_id = ?"            \
	"   AND n.component = ? AND n.role = ? AND n.party_id = ?))"           \
	" AND (? IS NULL OR m.namespace = ?) AND (? IS NULL OR m.name = ?)"
#define SERIES_PARAMS "ssssiissssssss"
#define SERIES_ARGS                                                            \
	job_id, component, role, party_id, version, version, job_id,           \
	    component, role, party_id, metric_namespace, metric_namespace,     \
	    name, name

static const struct db_stmt list_series = { "metric.series", SERIES_PARAMS,
	"SELECT 1" SERIES_COLS(DB_SQL) " FROM metric m WHERE" SERIES_WHERE
				       " ORDER BY m.namespace, m.name" };
/* In no order: the server would sort the values along, from disk. */
static const struct db_stmt list_points = { "metric.list_points", SERIES_PARAMS,
	"SELECT 1" POINT_COLS(
	    DB_SQL) " FROM metric m JOIN metric_point p"
		    " ON p.metric_id = m.id WHERE" SERIES_WHERE };
#define OLDER                                                                  \
	" m.job_id = ? AND m.component = ? AND m.version < ?"                  \
	" AND m.role = ? AND m.party_id = ?"
static const struct db_stmt delete_older_points = {
	"metric.delete_older_points", KEY_PARAMS,
	"DELETE p FROM metric_point p JOIN metric m ON m.id = p.metric_id"
	" WHERE" OLDER
};
static const struct db_stmt delete_older = { "metric.delete_older", KEY_PARAMS,
	"DELETE m FROM metric m WHERE" OLDER };
#define EXACT                                                                  \
	" m.job_id = ? AND m.component = ? AND m.version = ?"                  \
	" AND m.role = ? AND m.party_id = ?"
static const struct db_stmt delete_task_points = { "metric.delete_task_points",
	KEY_PARAMS,
	"DELETE p FROM metric_point p JOIN metric m ON m.id = p.metric_id"
	" WHERE" EXACT };
static const struct db_stmt delete_task = { "metric.delete_task", KEY_PARAMS,
	"DELETE m FROM metric m WHERE" EXACT };
static const struct db_stmt delete_job_points = { "metric.delete_job_points",
	"s",
	"DELETE p FROM metric_point p JOIN metric m ON m.id = p.metric_id"
	" WHERE m.job_id = ?" };
static const struct db_stmt delete_job = { "metric.delete_job", "s",
	"DELETE FROM metric WHERE job_id = ?" };
static const struct db_stmt put_summary = { "summary.put", KEY_PARAMS "ss",
	"INSERT INTO summary (job_id, component, version, role, party_id,"
	" summary) VALUES (?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE summary = ?" };
static const struct db_stmt delete_summary = { "summary.delete_task",
	KEY_PARAMS, "DELETE FROM summary WHERE" KEY_WHERE };
static const struct db_stmt get_summary = { "summary.get", "ssssii",
	"SELECT 1, summary FROM summary WHERE job_id = ? AND component = ?"
	" AND role = ? AND party_id = ? AND (? < 0 OR version = ?)"
	" ORDER BY version DESC LIMIT 1" };

struct adding {
	const struct db_series *series;
	const struct db_point *points;
	size_t n;
};

static const double *
sort_of(const struct db_point *p)
{
	return isfinite(p->sort_key) ? &p->sort_key : NULL;
}

#define POINT_ARGS(id, p) (id), (p)->point_key, sort_of(p), (p)->point_value

static int
add_points(struct db *db, int64_t id, const struct db_point *p, size_t n)
{
	int r;

	for (; n >= BATCH; p += BATCH, n -= BATCH) {
		if ((r = db_exec(db, &put_points, NULL, POINT_ARGS(id, &p[0]),
			 POINT_ARGS(id, &p[1]), POINT_ARGS(id, &p[2]),
			 POINT_ARGS(id, &p[3]), POINT_ARGS(id, &p[4]),
			 POINT_ARGS(id, &p[5]), POINT_ARGS(id, &p[6]),
			 POINT_ARGS(id, &p[7]))) != 0)
			return r;
	}
	for (; n > 0; p++, n--) {
		if ((r = db_exec(db, &put_point, NULL, POINT_ARGS(id, p))) != 0)
			return r;
	}
	return 0;
}

static int
add_tx(struct db *db, void *ctx)
{
	const struct adding *ad = ctx;
	const struct db_series *s = ad->series;
	int r;

	if ((r = db_exec(db, &put_series, NULL, KEY_ARGS(&s->key),
		 s->metric_namespace, s->name, s->meta)) != 0)
		return r;
	return add_points(db, db_insert_id(db), ad->points, ad->n);
}

int
db_metric_add(struct db *db, const struct db_series *s,
    const struct db_point *points, size_t n)
{
	struct adding ad = { s, points, n };

	for (size_t i = 0; i < n; i++) {
		if (strlen(points[i].point_key) > KEY_BYTES_MAX)
			return err_set(ERR_LIMIT,
			    "metric %s: a key of more "
			    "than %d bytes",
			    s->name, KEY_BYTES_MAX);
	}
	return db_tx(db, add_tx, &ad);
}

int
db_metric_series(struct db *db, struct arena *a, const char *job_id,
    const char *component, int64_t version, const char *role,
    const char *party_id, const char *metric_namespace, const char *name,
    struct db_series **rows, size_t *n)
{
	return db_select(
	    db, &list_series, &series_shape, a, rows, n, SERIES_ARGS);
}

/* By series, then numbers before texts, each in its own order. */
static int
by_series_and_key(const void *a, const void *b)
{
	const struct db_point *x = a, *y = b;
	bool m = isfinite(x->sort_key), n = isfinite(y->sort_key);

	if (x->series_id != y->series_id)
		return x->series_id < y->series_id ? -1 : 1;
	if (m != n)
		return m ? -1 : 1;
	if (m && x->sort_key != y->sort_key)
		return x->sort_key < y->sort_key ? -1 : 1;
	return strcmp(x->point_key, y->point_key);
}

int
db_metric_points(struct db *db, struct arena *a, const char *job_id,
    const char *component, int64_t version, const char *role,
    const char *party_id, const char *metric_namespace, const char *name,
    struct db_point **rows, size_t *n)
{
	int r;

	if ((r = db_select(db, &list_points, &point_shape, a, rows, n,
		 SERIES_ARGS)) == 0 &&
	    *n > 1)
		qsort(*rows, *n, sizeof(**rows), by_series_and_key);
	return r;
}

static int
delete_older_tx(struct db *db, void *ctx)
{
	const struct db_task_key *k = ctx;
	int r;

	if ((r = db_exec(db, &delete_older_points, NULL, KEY_ARGS(k))) != 0)
		return r;
	return db_exec(db, &delete_older, NULL, KEY_ARGS(k));
}

int
db_metric_delete_older(struct db *db, const struct db_task_key *k)
{
	struct db_task_key key = *k;

	return db_tx(db, delete_older_tx, &key);
}

struct deleting_task {
	const struct db_task_key *key;
	int64_t n;
};

static int
delete_task_tx(struct db *db, void *ctx)
{
	struct deleting_task *d = ctx;
	int r;

	if ((r = db_exec(db, &delete_task_points, NULL, KEY_ARGS(d->key))) != 0)
		return r;
	return db_exec(db, &delete_task, &d->n, KEY_ARGS(d->key));
}

int
db_metric_delete_task(struct db *db, const struct db_task_key *k, int64_t *n)
{
	struct deleting_task d = { k, 0 };
	int r = db_tx(db, delete_task_tx, &d);

	if (n != NULL)
		*n = r == 0 ? d.n : 0;
	return r;
}

struct deleting {
	const char *job_id;
	int64_t n;
};

static int
delete_job_tx(struct db *db, void *ctx)
{
	struct deleting *d = ctx;
	int r;

	if ((r = db_exec(db, &delete_job_points, NULL, d->job_id)) != 0)
		return r;
	return db_exec(db, &delete_job, &d->n, d->job_id);
}

int
db_metric_delete_job(struct db *db, const char *job_id, int64_t *n)
{
	struct deleting d = { job_id, 0 };
	int r;

	r = db_tx(db, delete_job_tx, &d);
	if (n != NULL)
		*n = r == 0 ? d.n : 0;
	return r;
}

int
db_summary_put(struct db *db, const struct db_task_key *k, const char *summary)
{
	return db_exec(db, &put_summary, NULL, KEY_ARGS(k), summary, summary);
}

int
db_summary_delete_task(struct db *db, const struct db_task_key *k, int64_t *n)
{
	return db_exec(db, &delete_summary, n, KEY_ARGS(k));
}

struct text_row {
	const char *text;
};

int
db_summary_get(struct db *db, struct arena *a, const char *job_id,
    const char *component, int64_t version, const char *role,
    const char *party_id, const char **summary)
{
	static const struct db_col col = { DB_STR,
		offsetof(struct text_row, text) };
	static const struct db_shape shape = { sizeof(struct text_row), &col,
		1 };
	struct text_row *row;
	int r;

	*summary = NULL;
	r = db_select_one(db, &get_summary, &shape, a, &row, job_id, component,
	    role, party_id, version, version);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no summary of %.100s of %.20s %.10s",
		    component, role, party_id);
	if (r == 0)
		*summary = row->text;
	return r;
}
