/*
 * What the parts of the horizontal logistic regression share.
 *
 * Federated averaging (McMahan et al. 2017): guest and hosts have the same
 * columns and each its own rows with labels.  At iteration t, when t + 1 is a
 * multiple of aggregate_iters and at t = max_iter:
 *
 *   client -> arbiter   *_model            masked: share * weights
 *   arbiter -> client   aggregated_model   their sum, the new weights
 *   client -> arbiter   *_loss             masked: share * loss with these
 *   arbiter -> client   is_converge        flag: this was the last one
 *
 * then, unless that was the last, an epoch over the client's own rows.  A
 * client's share is that of its rows among all, or the same for all before
 * anybody has trained.  The count of all rows is the first masked sum
 * (*_party_weight); everything has the tag "t", that one "rows".  With more
 * than two classes, and in cross validation, all of it is done for one model
 * after the other, with prefixes before the tags; clients agree on the
 * classes first (host_classes, aggregate_classes).
 * The arbiter sees sums over all clients (secure_aggregation.h).
 */
#ifndef EXECUTOR_COMPONENTS_HOMO_LR_IMPL_H
#define EXECUTOR_COMPONENTS_HOMO_LR_IMPL_H

#include "executor/components/hetero_lr_impl.h"
#include "executor/components/secure_aggregation.h"

struct homo_conf {
	struct lr_conf lr;
	unsigned every; /* iterations between aggregations */
};

/* Weights are at most LR_VALUE_MAX < 2^27 and shares add up to one. */
#define HOMO_FRAC 36
#define HOMO_BITS 63
#define HOMO_LOSS_FRAC 30
#define HOMO_LOSS_BITS 62
#define HOMO_LOSS_MAX 4294967296.0 /* 2^(bits - frac) */
#define HOMO_COUNT_BITS 29	   /* LR_ROWS_MAX */

/* ERR_UNSUPPORTED and ERR_INVALID name the parameter. */
int homo_conf_read(struct task *, struct homo_conf *);
/* A model to go on from has at most max_iter iterations. */
int homo_check_start(const struct homo_conf *, unsigned start);
/* Do members meet at iteration t? */
bool homo_meets(const struct homo_conf *, unsigned t);

/*
 * The guest tells the arbiter what there is to do, and the iterations of the
 * first model to go on from; they must agree.
 */
int homo_tell_arbiter(struct task *, const struct homo_conf *,
    const struct lr_mode *, unsigned start);
int homo_hear_guest(
    struct task *, const struct homo_conf *, struct lr_mode *out);
/*
 * The labels of all clients when there are more than two, ascending, to
 * *classes (the caller's); else NULL and 0 (homo_lr_classes.c).
 */
int homo_agree_on_classes(
    struct task *, const struct lr_data *, double **classes, size_t *n);

/* Losses as they come: metric, log, history; max_iter + 1 at most. */
struct homo_losses {
	double *v;
	size_t n;
	const char *prefix; /* of the model */
};
int homo_losses_init(struct homo_losses *, struct task *,
    const struct homo_conf *, const char *prefix);
int homo_losses_add(
    struct homo_losses *, struct task *, unsigned iteration, double loss);

/* What a client keeps from one model to the next; lr_party's ctx. */
struct homo_session {
	const struct homo_conf *conf;
	struct secagg *agg;
};

/* Exchange keys with the other clients, over all of p->data. */
int homo_client_join(struct lr_party *);
/* lr_party's train and score. */
int homo_client_train(struct lr_party *);
int homo_client_score(
    struct lr_party *, const struct lr_data *, const char *tag, double *z);
/* All models, with their messages and summary. */
int homo_arbiter_train(
    struct task *, const struct homo_conf *, const struct lr_mode *);

#endif
