/*
 * What the parts of the vertical logistic regression share.
 *
 * The protocol, per iteration t and batch b (tag "t.b"); z = zg + zh is the
 * linear score, d = z/4 - y/2 the gradient residual of the loss's second
 * order Taylor polynomial at 0 (Hardy et al. 2017), [v] an encryption:
 *
 *   host -> guest     host_forward_dict   [zh/4] of each row
 *   guest -> host     fore_gradient       async: [zg/4 - y/2], sent at once;
 *                                         else [d], decoys [0]
 *   both -> arbiter   *_gradient          [X'd + R], R uniform modulo n
 *   arbiter -> both   *_optim_gradient    X'd + R
 *   host -> guest     loss_intermediate   [mean(zh^2)/8 + penalty]
 *   guest -> arbiter  loss                tag "t": sum over batches
 *   arbiter -> both   converge_flag       tag "t"
 *
 * Each party adds what it knows in the clear to its own gradient after
 * taking R off, and runs the optimiser on its own weights: nothing that can
 * stay in the clear is encrypted, and the arbiter sees uniform numbers and
 * one loss per iteration.
 */
#ifndef EXECUTOR_COMPONENTS_HETERO_LR_IMPL_H
#define EXECUTOR_COMPONENTS_HETERO_LR_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/components/lr_watch.h"
#include "executor/components/lr_wire.h"
#include "executor/math/dense.h"
#include "executor/math/optimizer.h"
#include "executor/math/paillier.h"
#include "executor/parallel.h"
#include "executor/task.h"

/* --- parameters (hetero_lr_conf.c) -------------------------------------------- */

enum lr_penalty { LR_NO_PENALTY, LR_L1, LR_L2 };
enum lr_stop { LR_STOP_DIFF, LR_STOP_ABS, LR_STOP_WEIGHT_DIFF };

struct lr_conf {
	enum lr_penalty penalty;
	enum lr_stop stop;
	double tol;
	double alpha;
	struct optimizer_conf optimizer;
	int64_t batch_size; /* -1: all rows */
	bool is_random;	    /* other batches each time */
	bool shuffle;
	double masked_rate;
	unsigned max_iter;
	unsigned key_bits;
	unsigned frac_bits; /* of features */
	double threshold;
	const char *init_method;
	double init_const;
	bool fit_intercept;
	bool has_seed;
	uint32_t seed;
	int64_t re_encrypt_batches; /* HomoLR; for the model's meta */
	const char *penalty_text;   /* as in the model's meta */
	const char *stop_text;
};

/* ERR_UNSUPPORTED and ERR_INVALID name the parameter. */
int lr_conf_read(struct task *, struct lr_conf *);

/* --- data (hetero_lr_data.c) ---------------------------------------------------- */

struct lr_sample {
	size_t id; /* offset in text */
	uint16_t id_len;
	int flags; /* enum row_flags of the label */
	double label;
	size_t label_text; /* offset in text */
	uint16_t label_len;
};

struct lr_data {
	struct dense *x;
	char **header;		   /* x->cols names */
	struct lr_sample *samples; /* x->rows */
	struct buf text;
	const char *module; /* HeteroLR, for messages */
	const char *sid;    /* name of the id; schema's */
	struct schema *schema;
};

#define LR_VALUE_MAX 1e8 /* of features and weights, as GLMs have it */

/*
 * Read a table of dense rows.  ERR_FORMAT names row and column of a missing
 * value, ERR_LIMIT of one that is too big; ERR_UNSUPPORTED for weights.
 */
int lr_data_load(
    struct task *, const struct task_input *, struct lr_data **out);
void lr_data_free(struct lr_data *); /* NULL is fine */

/*
 * y[i] = 1 for label 1, else -1.  ERR_INVALID when a label is missing,
 * ERR_UNSUPPORTED when there are more than two, which it names.
 */
int lr_data_labels(const struct lr_data *, double *y);
/* A label as text in at most size bytes. */
void lr_label_text(
    const struct lr_data *, const struct lr_sample *, char *out, size_t size);
/*
 * The distinct labels when there are more than two, ascending, and the place
 * of each row's label among them; else NULL and 0.  Both are the caller's.
 * ERR_INVALID when a label is missing, ERR_UNSUPPORTED for texts as classes
 * and for too many.
 */
#define LR_CLASSES_MAX 1000
int lr_data_classes(
    const struct lr_data *, double **classes, size_t *n, uint32_t **place);
/*
 * So many are a model each: beyond a few the column is seldom a class, and the
 * task's log says so to who looks why it takes long.
 */
#define LR_CLASSES_USUAL 20
void lr_warn_of_classes(struct task *, size_t n);
/*
 * All distinct labels, ascending, to v (room for all rows); *n is 0 when
 * some are texts.  ERR_INVALID, ERR_UNSUPPORTED as above.
 */
int lr_data_distinct(const struct lr_data *, double *v, size_t *n);
/* Of numbers, for qsort() and bsearch(). */
int lr_compare_labels(const void *, const void *);
/* The place of each row's label among n classes that hold all of them. */
int lr_data_places(
    const struct lr_data *, const double *classes, size_t n, uint32_t **place);
/* These rows of it as data of its own; header and schema stay the first's. */
int lr_data_subset(const struct lr_data *, const uint32_t *rows, size_t n,
    struct lr_data **out);
/* Tell the hosts which rows in which order, under a tag. */
int lr_data_announce(struct task *, const struct lr_data *, const char *tag);
/* Bring our rows into the order of the guest's; ERR_CONFLICT: some lack. */
int lr_data_follow(struct task *, struct lr_data *, const char *tag);

/* --- guest and host alike (hetero_lr_party.c) -------------------------------------- */

/* Fraction bits and size of what is encrypted; features have conf's. */
#define LR_FRAC 48
#define LR_VALUE_BITS (LR_FRAC + 64) /* scores: 1e8 * 1e8 columns fit */
#define LR_SQUARE_BITS (LR_FRAC + 132)
#define LR_LOSS_SHIFT 40 /* the loss has LR_FRAC more */
#define LR_LOSS_FRAC (LR_FRAC + LR_LOSS_SHIFT)
#define LR_LOSS_BITS (LR_LOSS_FRAC + 200)

/* Binary models: one, or one for each of several classes. */
struct lr_model {
	double *w;
	unsigned iters;
	bool is_converged;
	int best_iteration; /* -1: the last one */
	double *losses;	    /* of HomoLR's clients, else NULL */
	size_t n_losses;
};

struct lr_models {
	size_t n;
	struct lr_model *v;
	double *classes; /* n labels, at the guest when n > 1 */
};

void lr_models_fini(struct lr_models *);

/*
 * Which of the binary models of a training: of all classes, in all folds.
 */
struct lr_round {
	unsigned number, of;
};

struct lr_party {
	struct task *task;
	const struct lr_conf *conf;
	struct parallel *pool;
	struct lr_data *data;
	struct paillier_pub *pub;
	struct lr_plan plan;
	const char *gradient_name; /* guest_gradient … */
	const char *reply_name;	   /* guest_optim_gradient */

	size_t n_features;
	size_t n_weights; /* and the intercept, last */
	double *w;
	double *moved; /* in this iteration */
	struct optimizer *optimizer;

	unsigned start; /* iteration to begin with */
	unsigned iters; /* done */
	bool is_converged;

	/*
	 * Who has labels trains against them and is told how well: the guest
	 * of HeteroLR, every client of HomoLR (who also draws its own folds).
	 */
	bool has_labels;
	bool is_horizontal;
	/* One binary model over p->data, as p->y has its classes. */
	int (*train)(struct lr_party *);
	/* Linear scores of all rows by p->w; where there are labels. */
	int (*score)(struct lr_party *, const struct lr_data *, const char *tag,
	    double *z);
	void *ctx; /* of these two */

	const char *prefix; /* of the tags of this model's messages */
	struct lr_round round;
	struct lr_models models;
	bool has_loaded;	  /* models are those of the input */
	struct lr_data *validate; /* in the guest's order, or NULL */
	const struct lr_schedule *schedule;
	struct lr_watch *watch;	     /* guest only */
	const double *y;	     /* guest: 1 or -1 for each row */
	const double *class_label;   /* guest: of the class that is 1; NULL
				    * when that is the label 1 */
	double *best;		     /* weights, when something was best */
	int best_iteration;	     /* -1: none */
	bool is_stopped;	     /* by early_stopping_rounds */
	unsigned checkpoint_every;   /* iterations; 0: never */
	struct json_object *history; /* guest: metrics of all looks */
	double *losses;		     /* HomoLR's clients */
	size_t n_losses;
};

/* Weights as init_param says; has_intercept at the guest that fits one. */
int lr_party_init(struct lr_party *, bool has_intercept);
void lr_party_fini(struct lr_party *);
/* Fetch the arbiter's key, unless we have it, and get ready to encrypt. */
int lr_party_key(struct lr_party *);

/* n doubles as plaintexts with LR_FRAC fraction bits times 2^shift. */
int lr_encode(const struct paillier_pub *, const double *v, size_t n,
    unsigned frac, unsigned value_bits, struct bigvec **out);
int lr_encrypt(struct lr_party *, const double *v, size_t n,
    unsigned value_bits, struct bigvec **out);

/*
 * Exponents of the weights' columns for n picked rows, one column after the
 * other, at out: features with conf's fraction bits, then the intercept's.
 */
int lr_party_columns(
    const struct lr_party *, const uint32_t *pick, size_t n, int64_t *out);
/*
 * The gradient of a batch: sums are the encrypted sums over columns, plain
 * the part of them that we know ourselves (sum over rows of d times column).
 * Masks, has decrypted, divides by n rows, steps.
 */
int lr_party_step(struct lr_party *, const char *tag, unsigned iteration,
    struct bigvec *sums, const double *plain, size_t n);
/*
 * One step down a mean gradient of the loss, which is used up: penalty,
 * optimiser, check of the weights (ERR_LIMIT).
 */
int lr_party_descend(struct lr_party *, unsigned iteration, double *gradient);
/* The penalty's part of the loss. */
double lr_party_penalty(const struct lr_party *);
/* After the batches: norm to the arbiter if it wants it, then its verdict. */
int lr_party_end(struct lr_party *, unsigned iteration);

/* --- on the way (hetero_lr_party.c) --------------------------------------------------- */

/* Sends and empties the buffer. */
int lr_send(struct task *, const char *name, const char *tag, const char *role,
    size_t index, struct buf *);
/* At most max bytes; errors say from whom. */
int lr_receive(struct task *, const char *name, const char *tag,
    const char *role, size_t index, size_t max, struct object *out);
/* Put "from ROLE: NAME" before the recorded error of a reader. */
int lr_blame(const char *name, const char *role);
#define LR_TAG 40
void lr_tag(char tag[LR_TAG], const char *prefix, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- what there is to do (hetero_lr_mode.c) ------------------------------------------- */

/* The guest tells it the others before anything else. */
struct lr_mode {
	bool is_training;
	unsigned models; /* one, or as many as there are classes */
	unsigned folds;	 /* of a cross validation; 0: none */
	struct lr_schedule schedule;
};

#define LR_FOLDS_MAX 10000
int lr_mode_send(struct task *, const struct lr_mode *);
int lr_mode_receive(struct task *, struct lr_mode *out);
void lr_mode_fini(struct lr_mode *);
/* Checkpoints are of whole models: not with several, not in folds. */
unsigned lr_mode_checkpoints(struct task *, const struct lr_mode *);
/* Tags of model k of a training: "f0.m1." in a fold, "" when there is one. */
#define LR_PREFIX 24
void lr_mode_prefix(
    const struct lr_mode *, int fold, unsigned model, char out[LR_PREFIX]);
struct lr_round lr_mode_round(const struct lr_mode *, int fold, unsigned model);
/*
 * Iteration t of at most max is over: a line in the log, and progress over
 * all models.
 */
void lr_iterated(struct task *, const struct lr_round *, const char *prefix,
    unsigned t, unsigned max);

/* The loss's series of such a model: "loss", "loss.m1". */
void lr_loss_name(const char *prefix, char out[LR_TAG]);
/* Its metadata, before the first point. */
int lr_loss_meta(struct task *, const char *prefix);

/* --- the three halves --------------------------------------------------------------------- */

/* One binary model; data is loaded and aligned. */
int lr_guest_train(struct lr_party *);
int lr_host_train(struct lr_party *);
/* All models, with their messages and summary. */
int lr_arbiter_train(struct task *, const struct lr_conf *,
    const struct lr_mode *, struct parallel *);

/* --- all models of a training (hetero_lr_train.c) -------------------------------------- */

/*
 * Train the models of mode over p->data and keep them in p->models.  place
 * has the class of each row where there are labels and several classes, fold
 * is -1 or that of a cross validation.
 */
int lr_train_models(
    struct lr_party *, const struct lr_mode *, const uint32_t *place, int fold);
/* Model and summary of p->models. */
int lr_save_models(struct lr_party *);
/* Cross validation, whose model is an empty message (hetero_lr_cv.c). */
int lr_cross_validate(struct lr_party *, const struct lr_mode *,
    const uint32_t *place, struct table_writer *out);

/* --- looks at the model while it is trained (hetero_lr_look.c) -------------------------- */

/*
 * After iteration t, if one is due: metrics of training and validation rows,
 * and whether to stop.  Hosts reveal their scores of these rows to the
 * guest, as they do in prediction.
 */
int lr_look(struct lr_party *, unsigned t);
/* Rows with scores, for metrics. */
struct lr_columns {
	struct lr_scored s;
	double *label, *result, *score;
	unsigned char *is_positive;
};
int lr_columns_init(struct lr_columns *, size_t n, const char *ns);
void lr_columns_fini(struct lr_columns *);
/* Is the row of the class that counts as positive? */
bool lr_is_positive(const struct lr_party *, const struct lr_data *, size_t i);

/* What the guest decided, at those who have no rows. */
int lr_look_verdict(struct task *, const struct lr_schedule *,
    const char *prefix, unsigned t, bool *is_best, bool *stop);
/* The best weights again, when early stopping kept some. */
void lr_look_restore(struct lr_party *);

/* --- model and summary (hetero_lr_model.c) -------------------------------------------- */

struct lr_result {
	const struct lr_party *party; /* NULL at the arbiter */
	unsigned iters;
	bool is_converged;
	int best_iteration; /* -1: the last one */
	const double *losses;
	size_t n_losses;
	/* Of several models, each with all of the above; else NULL. */
	const struct lr_result *each;
	size_t n_each;
	const double *w;       /* of one of several; NULL: the party's */
	const double *classes; /* labels, at the guest */
};

int lr_model_save(
    struct task *, const struct lr_conf *, const struct lr_result *);
/*
 * The model as it is after res->iters iterations, as a checkpoint whose step
 * is the iteration's number, when one is due after each `every` (0: never).
 */
int lr_checkpoint(struct task *, const struct lr_conf *,
    const struct lr_result *, unsigned every);
/* The same for the model that a party is training. */
int lr_party_checkpoint(struct lr_party *, const struct lr_result *losses);
/*
 * Weights of the columns of p->data from the model among the inputs: of one
 * model to p->w, of all to p->models.  ERR_FORMAT for a damaged model,
 * ERR_INVALID when columns do not fit.
 */
int lr_model_load(struct lr_party *p);
/* Warm start from the model just loaded: its iterations count on. */
int lr_go_on(struct lr_party *p);
/*
 * The iterations of model k of n among the inputs; 0 without any.
 * ERR_CONFLICT when the inputs have another number of models.
 */
int lr_model_iters(struct task *, size_t k, size_t n, unsigned *out);
/* validation is the metrics of looks, borrowed, or NULL. */
int lr_summary(
    struct task *, const struct lr_result *, struct json_object *validation);

/* --- prediction (hetero_lr_predict.c) ----------------------------------------------------- */

/* Seal output 0 of such rows; frees the writer. */
int lr_predict_finish(
    struct task *, const struct lr_data *, struct table_writer *);
/* Do both have the same columns in the same order? */
bool lr_data_same_columns(const struct lr_data *, const struct lr_data *);
/*
 * Linear scores of all rows over all parties, by p->w: the hosts send
 * theirs, the guest adds up (z has room for all rows).
 */
int lr_guest_scores(
    struct lr_party *, const struct lr_data *, const char *tag, double *z);
int lr_host_scores(struct lr_party *, const struct lr_data *, const char *tag);
/* 1 / (1 + e^-z) without overflow on either side. */
double lr_sigmoid(double z);
/*
 * What p->models say of row i of n; z has n linear scores of each model, one
 * model after the other.
 */
void lr_say(const struct lr_party *, const double *z, size_t n, size_t i,
    double *result, double *score);
/*
 * Scores of all models where there are labels, to be freed; tags are those
 * of predictions.
 */
int lr_all_scores(struct lr_party *, const struct lr_data *,
    const struct lr_mode *, int fold, const char *type, double **z);
/* The rows that go with such scores; suffix (or NULL) goes behind the ids. */
int lr_write_rows(const struct lr_party *, const struct lr_data *,
    const double *z, const char *type, const char *suffix,
    struct table_writer *);
/* Rows of data with what p->models say; type is train, validate, predict. */
int lr_guest_predict(struct lr_party *, const struct lr_data *,
    const struct lr_mode *, const char *type, struct table_writer *);
int lr_host_predict(struct lr_party *, const struct lr_data *,
    const struct lr_mode *, int fold, const char *type);

#endif
