/*
 * What a training job came to, for people and as JSON: the intersection, the
 * loss curve, the scores, and a timeline of tasks per party.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/json/json.h"

#define REPORT_NONE (-1.0) /* a score that the job did not give */

struct report_task {
	char *component;
	char *module;
	char *role;
	char *party_id;
	char *status;
	char *error;	  /* "" when there is none */
	int64_t start_ms; /* since the epoch; 0: did not start */
	int64_t end_ms;
};

struct report {
	char *job_id;
	char *status;
	char *reason; /* "" or why it failed */
	bool is_predict;
	int64_t start_ms;
	int64_t end_ms;
	int64_t intersect_count; /* -1: not known */
	double auc;
	double ks;
	double accuracy; /* at threshold 0.5 */
	double *loss;
	size_t n_loss;
	struct report_task *tasks;
	size_t n_tasks;
};

void report_init(struct report *);
void report_fini(struct report *);

/* The three below take the "data" of the named answers; NULL is fine. */
void report_add_job(struct report *, struct json_object *job_row);
void report_add_tasks(struct report *, struct json_object *task_rows);
/* metric/all of one component, whatever it is. */
void report_add_metrics(struct report *, struct json_object *metrics);

/* Tasks by the first start of their component, then by role and party. */
void report_sort(struct report *);

struct report_style {
	bool colour;
	bool utf8;
	int width; /* columns */
};

void report_print(FILE *, const struct report *, const struct report_style *);
/* The caller's. */
struct json_object *report_json(const struct report *);

#endif
