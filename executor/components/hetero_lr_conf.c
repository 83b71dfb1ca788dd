/*
 * The parameters of the vertical logistic regression as a struct, and a
 * clear no to those that are not offered.
 */
#include <string.h>
#include <strings.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/json/json.h"

#define FRAC_DEFAULT 23
#define FRAC_MAX 40 /* |x| < 2^22 fits into an exponent then */
#define BATCH_MIN 10
#define KEY_BITS_MIN 2048 /* NIST SP 800-57: 112 bits of strength */

static int
refuse_unsupported(struct task *t)
{
	if (task_param_bool(t, "stepwise_param.need_stepwise", false))
		return err_set(ERR_UNSUPPORTED,
		    "stepwise_param.need_stepwise "
		    "is not available; set it to false");
	return 0;
}

static int
read_penalty(struct task *t, struct lr_conf *c)
{
	const char *s = task_param_string(t, "penalty", "NONE");

	if (strcasecmp(s, "L2") == 0)
		c->penalty = LR_L2;
	else if (strcasecmp(s, "L1") == 0)
		c->penalty = LR_L1;
	else if (strcasecmp(s, "NONE") == 0)
		c->penalty = LR_NO_PENALTY;
	else
		return err_set(ERR_INVALID,
		    "penalty %s is not known; L1, L2 "
		    "and NONE are",
		    s);
	c->penalty_text = c->penalty == LR_L2	? "L2"
			  : c->penalty == LR_L1 ? "L1"
						: "NONE";
	return 0;
}

/* Others read their parameters here too. */
static bool
is_hetero(const struct task *t)
{
	return strcmp(task_module(t), "HeteroLR") == 0;
}

static int
read_stop(struct task *t, struct lr_conf *c)
{
	const char *s = task_param_string(t, "early_stop", "diff");

	c->stop_text = s;
	if (strcasecmp(s, "diff") == 0)
		c->stop = LR_STOP_DIFF;
	else if (strcasecmp(s, "abs") == 0)
		c->stop = LR_STOP_ABS;
	else if (strcasecmp(s, "weight_diff") == 0)
		c->stop = LR_STOP_WEIGHT_DIFF;
	else
		return err_set(ERR_INVALID,
		    "early_stop %s is not known; "
		    "diff, abs and weight_diff are",
		    s);
	if (c->stop != LR_STOP_WEIGHT_DIFF && task_role_size(t, "host") > 1 &&
	    is_hetero(t))
		return err_set(ERR_INVALID,
		    "early_stop %s needs the loss, "
		    "which several hosts leave undefined; use weight_diff",
		    s);
	return 0;
}

/*
 * Shorter keys are accepted in job files, where 1024 is the classic default,
 * and replaced by today's minimum.
 */
static void
read_key(struct task *t, struct lr_conf *c)
{
	int64_t bits =
	    task_param_int(t, "encrypt_param.key_length", KEY_BITS_MIN);

	if (bits < KEY_BITS_MIN) {
		if (task_is(t, "arbiter"))
			task_log(t, TASK_WARNING,
			    "a key of %lld bits is too "
			    "short today; %d are used",
			    (long long)bits, KEY_BITS_MIN);
		bits = KEY_BITS_MIN;
	}
	if (bits > PAILLIER_BITS_MAX)
		bits = PAILLIER_BITS_MAX;
	c->key_bits = ((unsigned)bits + PAILLIER_BITS_STEP - 1) /
		      PAILLIER_BITS_STEP * PAILLIER_BITS_STEP;
}

static void
read_init(struct task *t, struct lr_conf *c)
{
	c->init_method =
	    task_param_string(t, "init_param.init_method", "random_uniform");
	c->init_const = task_param_number(t, "init_param.init_const", 1);
	c->fit_intercept = task_param_bool(t, "init_param.fit_intercept", true);
	c->has_seed = task_param(t, "init_param.random_seed") != NULL;
	c->seed = (uint32_t)task_param_int(t, "init_param.random_seed", 0);
}

static int
check_sizes(struct task *t, struct lr_conf *c)
{
	int64_t frac =
	    task_param_int(t, "floating_point_precision", FRAC_DEFAULT);
	int64_t iters = task_param_int(t, "max_iter", 100);

	if (c->batch_size != -1 && c->batch_size < BATCH_MIN)
		return err_set(ERR_INVALID,
		    "batch_size %lld is too small; "
		    "-1 (all rows) or at least %d",
		    (long long)c->batch_size, BATCH_MIN);
	if (iters < 1 || iters > 1000000)
		return err_set(ERR_INVALID, "max_iter is 1 to 1000000");
	c->max_iter = (unsigned)iters;
	if (frac < 0)
		return err_set(ERR_INVALID, "floating_point_precision is "
					    "0 to 64");
	/* More would only say what a double does not hold. */
	c->frac_bits = frac > FRAC_MAX ? FRAC_MAX : (unsigned)frac;
	if (!(c->masked_rate >= 0) || c->masked_rate > 1e6)
		return err_set(ERR_INVALID, "masked_rate is a number from 0");
	return 0;
}

int
lr_conf_read(struct task *t, struct lr_conf *c)
{
	int r;

	*c = (struct lr_conf){ .tol = task_param_number(t, "tol", 1e-4),
		.alpha = task_param_number(t, "alpha", 1),
		.optimizer = { .name =
				   task_param_string(t, "optimizer", "rmsprop"),
		    .learning_rate =
			task_param_number(t, "learning_rate", 0.01),
		    .decay = task_param_number(t, "decay", 1),
		    .decay_sqrt = task_param_bool(t, "decay_sqrt", true) },
		.batch_size = task_param_int(t, "batch_size", -1),
		.is_random =
		    strcasecmp(task_param_string(t, "batch_strategy", "full"),
			"random") == 0,
		.shuffle = task_param_bool(t, "shuffle", true),
		.masked_rate = task_param_number(t, "masked_rate", 5),
		.threshold =
		    task_param_number(t, "predict_param.threshold", 0.5) };
	if (is_hetero(t))
		read_key(t, c);
	read_init(t, c);
	if ((r = refuse_unsupported(t)) != 0 || (r = read_penalty(t, c)) != 0 ||
	    (r = read_stop(t, c)) != 0)
		return r;
	return check_sizes(t, c);
}
