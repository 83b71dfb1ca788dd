/*
 * Metrics of tasks (series of points) and summaries.
 */
#ifndef LIB_DB_DB_METRIC_H
#define LIB_DB_DB_METRIC_H

#include "lib/db/db_task.h"

struct db_series {
	struct db_task_key key;
	const char *metric_namespace; /* "train" */
	const char *name;	      /* "loss" */
	const char *meta;	      /* JSON, may be NULL */
	int64_t id;		      /* never used again for another series */
	int64_t revision; /* grows with every write to it or its points */
};

struct db_point {
	int64_t series_id;
	const char *point_key;	 /* JSON: 3 or "auc", at most 200 bytes */
	double sort_key;	 /* NAN: the key is no number */
	const char *point_value; /* JSON */
};

/*
 * Add points to a series, creating it when needed; a point that is there
 * already takes the new value, so repeating is harmless.  meta (may be NULL)
 * replaces the series' meta.  One transaction.
 */
int db_metric_add(
    struct db *, const struct db_series *, const struct db_point *, size_t n);

/*
 * Series of a component at one member: those of its newest version that has
 * any (version < 0) or of the given one.  namespace and name may be NULL.
 */
int db_metric_series(struct db *, struct arena *, const char *job_id,
    const char *component, int64_t version, const char *role,
    const char *party_id, const char *metric_namespace, const char *name,
    struct db_series **rows, size_t *n);
/* The points of the same series, by series, then number, then text of key. */
int db_metric_points(struct db *, struct arena *, const char *job_id,
    const char *component, int64_t version, const char *role,
    const char *party_id, const char *metric_namespace, const char *name,
    struct db_point **rows, size_t *n);
/* Remove metrics of versions below key->version (a rerun). */
int db_metric_delete_older(struct db *, const struct db_task_key *);
/* Remove the metrics of one task version; *n (may be NULL) series went. */
int db_metric_delete_task(struct db *, const struct db_task_key *, int64_t *n);
/* Remove all metrics of a job; *n (may be NULL) series went. */
int db_metric_delete_job(struct db *, const char *job_id, int64_t *n);

/* Put or merge nothing: the given JSON replaces what is there. */
int db_summary_put(
    struct db *, const struct db_task_key *, const char *summary);
/* version < 0: the newest that has one.  ERR_NOT_FOUND when there is none. */
int db_summary_get(struct db *, struct arena *, const char *job_id,
    const char *component, int64_t version, const char *role,
    const char *party_id, const char **summary);
/* Remove that of one task version; *n (may be NULL) went. */
int db_summary_delete_task(struct db *, const struct db_task_key *, int64_t *n);

#endif
