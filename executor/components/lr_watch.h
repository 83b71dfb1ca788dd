/*
 * A look at a model while it is trained: metrics of training and validation
 * rows every so many iterations, and the end when they no longer improve.
 *
 * Parameters are those of callback_param (PerformanceEvaluate,
 * EarlyStopping, ModelCheckpoint) and the older ones beside it:
 * validation_freqs, early_stopping_rounds, metrics, use_first_metric_only.
 * The guest's are what counts: it tells them to the others.
 */
#ifndef EXECUTOR_COMPONENTS_LR_WATCH_H
#define EXECUTOR_COMPONENTS_LR_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "executor/task.h"

#define LR_WATCH_EPOCHS_MAX 10000

/* When to look, and what follows from it. */
struct lr_schedule {
	unsigned every;	 /* look after each so many iterations; 0: see epochs */
	unsigned rounds; /* stop after so many without progress; 0: never */
	unsigned *epochs; /* numbers of iterations, from 0; owned */
	size_t n_epochs;
};

/* ERR_INVALID names the parameter. */
int lr_schedule_read(struct task *, struct lr_schedule *);
void lr_schedule_fini(struct lr_schedule *);
/* Is there to be a look after this iteration (from 0)? */
bool lr_schedule_due(const struct lr_schedule *, unsigned iteration);
/* Iterations between two checkpoints; 0: none are wanted. */
unsigned lr_checkpoint_freq(struct task *);

/* Rows with what the model says of them. */
struct lr_scored {
	const char *ns; /* train, validate */
	size_t n;
	const double *label;		  /* numbers, or places of classes */
	const unsigned char *is_positive; /* of two classes */
	const double *result;
	const double *score;
};

struct lr_watch;

/*
 * classes is 2, or more for metrics of several classes.  prefix stands
 * before "iteration_T" in the names of metrics.  *out is the caller's.
 * ERR_INVALID for metrics that are none, or none to stop by.
 */
int lr_watch_new(struct task *, const struct lr_schedule *, size_t classes,
    const char *prefix, struct lr_watch **out);
void lr_watch_free(struct lr_watch *); /* NULL is fine */
/*
 * Metrics of these rows under a name; *out is a reference to an object of
 * numbers, NULL when the rows allow none.
 */
int lr_watch_measure(struct lr_watch *, const char *name,
    const struct lr_scored *, struct json_object **out);
/* The same after iteration t, remembered; train first, then validate. */
int lr_watch_look(struct lr_watch *, unsigned t, const struct lr_scored *);
/*
 * After the looks of iteration t: is this the best model so far, and is it
 * time to stop?
 */
void lr_watch_decide(struct lr_watch *, bool *is_best, bool *stop);
/* {"train": {"auc": [...]}, ...}, a reference; NULL when nobody looked. */
struct json_object *lr_watch_history(struct lr_watch *);

#endif
