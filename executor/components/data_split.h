/*
 * What the files of the data splits share.  Nobody else includes this.
 */
#ifndef EXECUTOR_COMPONENTS_DATA_SPLIT_H
#define EXECUTOR_COMPONENTS_DATA_SPLIT_H

#include "executor/components/id_list.h"
#include "executor/components/labels.h"
#include "executor/components/table_in.h"

enum { PART_TRAIN, PART_VALIDATE, PART_TEST, PARTS };

struct split {
	struct task *task;
	struct table_in in;
	bool stratified;
	bool continuous; /* classes are bins between split points */
	bool has_labels; /* class_of is there */

	struct row_ids ids;
	struct labels labels; /* unless continuous */
	double *points;	      /* ascending */
	size_t n_points;
	uint32_t *class_of; /* of each row; borrowed or own_classes */
	uint32_t *own_classes;
	size_t n_classes;

	uint32_t *rows; /* the parts, one after the other */
	size_t counts[PARTS];
};

/* How many rows go into each part, from the three sizes. */
int split_sizes(struct task *, size_t rows, size_t counts[PARTS]);
/* Draw the parts. */
int split_draw(struct split *);
/* Metric and summary. */
int split_report(struct split *);

#endif
