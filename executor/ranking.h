/*
 * Scores of a binary classifier in descending order, and what follows from
 * their order: counts at a threshold, AUC, KS, the curves' thresholds.
 *
 * A row counts as predicted positive when its score is greater than the
 * threshold (strictly).
 */
#ifndef EXECUTOR_RANKING_H
#define EXECUTOR_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranking;

/*
 * Rank n scores; is_positive says to which class each belongs.  No score is
 * NaN.  NULL and ERR_NOMEM.
 */
struct ranking *ranking_new(
    const double *scores, const unsigned char *is_positive, size_t n);
void ranking_free(struct ranking *); /* NULL is fine */
size_t ranking_size(const struct ranking *);
uint64_t ranking_positives(const struct ranking *);
/* Score at place i, 0 the highest. */
double ranking_score(const struct ranking *, size_t i);

struct confusion {
	uint64_t tp, fp, tn, fn;
};

struct confusion ranking_at(const struct ranking *, double threshold);

/*
 * Area under the ROC curve as the Mann-Whitney statistic, ties counting one
 * half.  NaN when one class is empty.
 */
double ranking_auc(const struct ranking *);

/* Thresholds and the part of the way (0 to 1) at which each was taken. */
enum { CUTS = 100, QUANTILES = 21 };

struct cuts {
	size_t n;
	double threshold[CUTS + 1];
	double cut[CUTS + 1];
};

/* Score of the row at rank floor(n c), c = 0.00 … 0.99. */
void cuts_by_index(const struct ranking *, struct cuts *);
/*
 * The same over the distinct scores; with_end adds a threshold below all of
 * them (0.001 below) at cut 1.
 */
void cuts_by_step(const struct ranking *, bool with_end, struct cuts *);
/* 0.00, 0.01 … 0.99 */
void cuts_fixed(struct cuts *);
/* The quantiles 0, 5 % … 100 % of the scores (nearest rank), descending. */
void cuts_by_quantile(const struct ranking *, struct cuts *);

/*
 * Kolmogorov-Smirnov: the largest distance of the true from the false
 * positive rate, over all scores (a curve of 100 cuts may miss it by a
 * little).  NaN when one class is empty.
 */
double ranking_ks(const struct ranking *);

/*
 * Points of the ROC curve: every distinct score is a threshold (predicted
 * positive from there on), points on the line between their neighbours are
 * left out.  The first point is (0, 0).  Arrays of n are the caller's.
 * ERR_NOMEM.
 */
struct roc {
	size_t n;
	double *fpr, *tpr, *threshold;
};

int ranking_roc(const struct ranking *, struct roc *out);
void roc_fini(struct roc *);

#endif
