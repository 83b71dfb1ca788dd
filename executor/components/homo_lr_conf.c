/*
 * Parameters of the horizontal logistic regression and the agreement on
 * them.  Called by homo_lr.c and the two halves.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/components/homo_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define MODE_NUMBERS 6

static int
refuse_unsupported(struct task *t)
{
	const char *method = task_param_string(t, "encrypt_param.method", NULL);

	if (method != NULL && strcasecmp(method, "none") != 0)
		return err_set(ERR_UNSUPPORTED,
		    "encrypt_param.method %s is not "
		    "available in HomoLR, whose models are masked; set it to "
		    "null",
		    method);
	if (task_param_bool(t, "use_proximal", false))
		return err_set(ERR_UNSUPPORTED, "use_proximal is not "
						"available; set it to false");
	return 0;
}

int
homo_conf_read(struct task *t, struct homo_conf *c)
{
	int64_t every = task_param_int(t, "aggregate_iters", 1);
	int r;

	if ((r = lr_conf_read(t, &c->lr)) != 0 ||
	    (r = refuse_unsupported(t)) != 0)
		return r;
	if (every < 1 || every > 1000000)
		return err_set(ERR_INVALID, "aggregate_iters is 1 to 1000000");
	c->every = (unsigned)every;
	c->lr.re_encrypt_batches = task_param_int(t, "re_encrypt_batches", 2);
	return 0;
}

int
homo_check_start(const struct homo_conf *c, unsigned start)
{
	return start <= c->lr.max_iter ? 0
				       : err_set(ERR_INVALID,
					     "the model has %u iterations, "
					     "more than max_iter, which is %u",
					     start, c->lr.max_iter);
}

bool
homo_meets(const struct homo_conf *c, unsigned t)
{
	return (t + 1) % c->every == 0 || t == c->lr.max_iter;
}

int
homo_tell_arbiter(struct task *t, const struct homo_conf *c,
    const struct lr_mode *mode, unsigned start)
{
	double v[MODE_NUMBERS] = { mode->is_training, c->lr.max_iter, c->every,
		start, mode->models, mode->folds };
	struct buf b = BUF_INIT;
	int r;

	lr_put_numbers(&b, v, MODE_NUMBERS);
	r = lr_send(t, "guest_uuid", "mode", "arbiter", 0, &b);
	buf_fini(&b);
	return r;
}

static int
read_mode(struct task *t, const struct homo_conf *c, const double *v,
    struct lr_mode *out)
{
	unsigned start;
	int r;

	if (v[0] == 0)
		return 0;
	if (!(v[4] >= 1 && v[4] <= LR_CLASSES_MAX) ||
	    !(v[5] >= 0 && v[5] <= LR_FOLDS_MAX))
		return err_set(ERR_FORMAT, "a mode of nonsense");
	out->is_training = true;
	out->models = (unsigned)v[4];
	out->folds = (unsigned)v[5];
	if ((r = lr_model_iters(t, 0, out->models, &start)) != 0)
		return r;
	return v[1] == c->lr.max_iter && v[2] == c->every && v[3] == start
		   ? 0
		   : err_set(ERR_CONFLICT,
			 "max_iter, aggregate_iters or the model to go on "
			 "from differ between guest and arbiter");
}

int
homo_hear_guest(struct task *t, const struct homo_conf *c, struct lr_mode *out)
{
	struct object o = { 0 };
	double v[MODE_NUMBERS];
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = lr_receive(t, "guest_uuid", "mode", "guest", 0,
		 LR_NUMBERS_SIZE(MODE_NUMBERS), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, MODE_NUMBERS, v)) != 0)
		r = lr_blame("guest_uuid", "guest");
	else
		r = read_mode(t, c, v, out);
	object_free(&o);
	return r;
}

/* --- losses ------------------------------------------------------------------- */

int
homo_losses_init(struct homo_losses *l, struct task *t,
    const struct homo_conf *c, const char *prefix)
{
	*l = (struct homo_losses){ .prefix = prefix };
	l->v = mem_array((size_t)c->lr.max_iter + 1, sizeof(*l->v));
	if (l->v == NULL)
		return err_code();
	return lr_loss_meta(t, prefix);
}

int
homo_losses_add(
    struct homo_losses *l, struct task *t, unsigned iteration, double loss)
{
	char name[LR_TAG];

	lr_loss_name(l->prefix, name);
	l->v[l->n++] = loss;
	task_log(t, TASK_INFO, "%siteration %u: loss %.6f", l->prefix,
	    iteration, loss);
	return task_metric_number(t, "train", name, iteration, loss);
}
