/*
 * What the files of Evaluation share: the rows of one data set and one type,
 * and the ways results leave.  Learners that look at their model while they
 * train it (lr_watch.c) use it too.
 */
#ifndef EXECUTOR_COMPONENTS_EVALUATION_H
#define EXECUTOR_COMPONENTS_EVALUATION_H

#include "executor/ranking.h"
#include "executor/task.h"

enum evaluation_kind {
	EVALUATION_BINARY,
	EVALUATION_MULTI,
	EVALUATION_REGRESSION
};

/* Every metric there is; the bit of one is 1 << its number. */
enum metric {
	M_AUC,
	M_KS,
	M_LIFT,
	M_GAIN,
	M_ACCURACY,
	M_PRECISION,
	M_RECALL,
	M_ROC,
	M_CONFUSION_MAT,
	M_PSI,
	M_F1_SCORE,
	M_QUANTILE_PR,
	M_EXPLAINED_VARIANCE,
	M_MEAN_ABSOLUTE_ERROR,
	M_MEAN_SQUARED_ERROR,
	M_MEAN_SQUARED_LOG_ERROR,
	M_MEDIAN_ABSOLUTE_ERROR,
	M_R2_SCORE,
	M_ROOT_MEAN_SQUARED_ERROR,
	M_COUNT
};

/* Rows of one type (train, validate, predict) of one input table. */
struct group {
	char *data_type; /* upstream component: metric's name */
	char *ns;	 /* the rows' type: metric's namespace */
	size_t n;
	size_t cap;
	double *label;
	unsigned char *is_positive; /* binary */
	double *result;
	double *score;
};

struct evaluation {
	struct task *task;
	unsigned metrics; /* bits */
	bool is_brief;	  /* numbers only, no curves */
	struct json_object *summary;
	struct group *groups;
	size_t n_groups;
};

static inline bool
wants(const struct evaluation *e, enum metric m)
{
	return (e->metrics & 1u << m) != 0;
}

/* Of an eval_type.  ERR_INVALID with the names there are. */
int evaluation_kind(const char *eval_type, enum evaluation_kind *);

/*
 * Bits of the metrics named by list, an array of texts; the usual ones of
 * eval_type when it is empty or NULL.  ERR_INVALID, ERR_UNSUPPORTED.
 */
int evaluation_metrics(
    const char *eval_type, struct json_object *list, unsigned *metrics);

/* Rounded to six decimals; infinite values become -9999999. */
double evaluation_round(double v);

/* One number: the score table of the data set, and the summary. */
int evaluation_single(struct evaluation *, const struct group *,
    const char *metric, double value);

/* A curve; points are rounded, sorted by x and logged. */
struct curve {
	size_t n;
	double *x, *y;
	double *threshold; /* of each point, or NULL */
};

struct curve_meta {
	const char *suffix;    /* metric name is <data type>_<suffix> */
	const char *type;      /* ROC_EVALUATION */
	const char *unit_name; /* NULL: none */
	const char *ordinate_name;
	const char *curve_suffix; /* curve name is <data type>[_…] */
	bool has_pair;		  /* two curves are drawn together */
};

int curve_init(struct curve *, size_t n); /* ERR_NOMEM */
void curve_fini(struct curve *);
int evaluation_curve(struct evaluation *, const struct group *,
    const struct curve_meta *, const struct curve *);
/* A metric that is all metadata: extra is consumed. */
int evaluation_meta(struct evaluation *, const struct group *,
    const char *suffix, const char *type, struct json_object *extra);
/* [n numbers], rounded. */
struct json_object *evaluation_numbers(const double *, size_t n);

int evaluate_binary(struct evaluation *, const struct group *);
/* Population stability needs two groups of the same data set. */
int evaluate_psi(struct evaluation *, const struct group *expected,
    const struct group *actual);
int evaluate_multi(struct evaluation *, const struct group *);
int evaluate_regression(struct evaluation *, const struct group *);

#endif
