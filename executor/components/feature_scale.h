/*
 * What the two files of FeatureScale share: settings and learned columns.
 * Nobody else includes this.
 */
#ifndef EXECUTOR_COMPONENTS_FEATURE_SCALE_H
#define EXECUTOR_COMPONENTS_FEATURE_SCALE_H

#include "executor/components/table_in.h"

enum scale_method { SCALE_NONE, SCALE_STANDARD, SCALE_MIN_MAX };

struct scale_column {
	char *name;
	size_t at;    /* its place in the header */
	double upper; /* values beyond are cut to these */
	double lower;
	double mean; /* standard_scale only */
	double std;
};

struct scale {
	struct table_in in;
	struct task *task;
	enum scale_method method;
	bool need_run;
	bool with_mean;
	bool with_std;

	struct scale_column *columns;
	size_t n;
	char **header; /* at the time of the fit; the output's */
	size_t n_header;

	size_t *from;	/* header[i] is column from[i] of the input */
	double *values; /* of the row at hand */
	struct table_writer *writer;
};

const char *scale_method_name(enum scale_method); /* "" for none */
/* The model of a fit. */
int scale_model_put(struct scale *);
/* Settings, columns and header from the input model. */
int scale_model_get(struct scale *);

#endif
