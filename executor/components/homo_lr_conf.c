/*
 * Parameters of the horizontal logistic regression and the agreement on
 * them.  Called by homo_lr.c and the two halves.
 */
#include <stdlib.h>
#include <strings.h>

#include "executor/components/homo_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define MODE_NUMBERS 4

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

bool
homo_meets(const struct homo_conf *c, unsigned t)
{
	return (t + 1) % c->every == 0 || t == c->lr.max_iter;
}

int
homo_tell_arbiter(
    struct task *t, const struct homo_conf *c, bool is_training, unsigned start)
{
	double v[MODE_NUMBERS] = { is_training, c->lr.max_iter, c->every,
		start };
	struct buf b = BUF_INIT;
	int r;

	lr_put_numbers(&b, v, MODE_NUMBERS);
	r = lr_send(t, "guest_uuid", "mode", "arbiter", 0, &b);
	buf_fini(&b);
	return r;
}

int
homo_hear_guest(struct task *t, const struct homo_conf *c, unsigned start,
    bool *is_training)
{
	struct object o = { 0 };
	double v[MODE_NUMBERS];
	int r;

	*is_training = false;
	if ((r = lr_receive(t, "guest_uuid", "mode", "guest", 0,
		 LR_NUMBERS_SIZE(MODE_NUMBERS), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, MODE_NUMBERS, v)) != 0)
		r = lr_blame("guest_uuid", "guest");
	else if (v[0] == 0)
		r = 0;
	else if (v[1] != c->lr.max_iter || v[2] != c->every || v[3] != start)
		r = err_set(ERR_CONFLICT,
		    "max_iter, aggregate_iters or the "
		    "model to go on from differ between guest and arbiter");
	else
		*is_training = true;
	object_free(&o);
	return r;
}

/* --- losses ------------------------------------------------------------------- */

int
homo_losses_init(
    struct homo_losses *l, struct task *t, const struct homo_conf *c)
{
	struct json_object *extra;
	int r;

	l->v = mem_array((size_t)c->lr.max_iter + 1, sizeof(*l->v));
	if (l->v == NULL)
		return err_code();
	extra = json_object_new_object();
	json_object_object_add(
	    extra, "unit_name", json_object_new_string("iters"));
	r = task_metric_meta(t, "train", "loss", "train", "LOSS", extra);
	json_object_put(extra);
	return r;
}

int
homo_losses_add(
    struct homo_losses *l, struct task *t, unsigned iteration, double loss)
{
	l->v[l->n++] = loss;
	task_log(t, TASK_INFO, "iteration %u: loss %.6f", iteration, loss);
	return task_metric_number(t, "train", "loss", iteration, loss);
}
