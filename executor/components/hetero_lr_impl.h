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
};

/* Weights as init_param says; has_intercept at the guest that fits one. */
int lr_party_init(struct lr_party *, bool has_intercept);
void lr_party_fini(struct lr_party *);
/* Fetch the arbiter's key and get ready to encrypt. */
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
#define LR_TAG 32
void lr_tag(char tag[LR_TAG], unsigned iteration, unsigned batch);

/* --- the three halves --------------------------------------------------------------------- */

int lr_guest_train(struct lr_party *); /* data is loaded */
int lr_host_train(struct lr_party *);
int lr_arbiter_train(struct task *, const struct lr_conf *, struct parallel *);

/* --- model and summary (hetero_lr_model.c) -------------------------------------------- */

struct lr_result {
	const struct lr_party *party; /* NULL at the arbiter */
	unsigned iters;
	bool is_converged;
	const double *losses;
	size_t n_losses;
};

int lr_model_save(
    struct task *, const struct lr_conf *, const struct lr_result *);
/*
 * Weights of the columns of p->data from the model among the inputs.
 * ERR_FORMAT for a damaged model, ERR_INVALID when columns do not fit.
 */
int lr_model_load(struct lr_party *p);
/* Warm start from the model just loaded: its iterations count on. */
int lr_go_on(struct lr_party *p);
/* The iterations of the model among the inputs; 0 without one. */
int lr_model_iters(struct task *, unsigned *out);
int lr_summary(struct task *, const struct lr_result *);

/* --- prediction (hetero_lr_predict.c) ----------------------------------------------------- */

/* Rows of data with linear scores z; type as below. */
int lr_predict_rows(const struct lr_party *, const struct lr_data *,
    const double *z, const char *type, struct table_writer *);
/* Seal output 0 of such rows; frees the writer. */
int lr_predict_finish(
    struct task *, const struct lr_data *, struct table_writer *);
/* Do both have the same columns in the same order? */
bool lr_data_same_columns(const struct lr_data *, const struct lr_data *);
/* Rows of data with their scores; type is train, validate or predict. */
int lr_guest_predict(struct lr_party *, const struct lr_data *,
    const char *type, struct table_writer *);
int lr_host_predict(
    struct lr_party *, const struct lr_data *, const char *type);

#endif
