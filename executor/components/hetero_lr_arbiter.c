/*
 * The arbiter of the training: it holds the secret key, decrypts masked
 * gradients and the loss, and decides when to stop.  It has no data.
 * Called by hetero_lr.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "executor/math/fixed.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define COLUMNS_MAX                                                            \
	65536U /* of one party: one second of decryption
				   per 600 of them on two cores */

struct arbiter {
	struct task *task;
	const struct lr_conf *conf;
	struct parallel *pool;
	struct paillier_key *key;
	struct lr_plan plan;
	const struct lr_mode *mode;
	const char *prefix; /* of this model's messages */
	struct lr_round round;
	unsigned checkpoint_every;
	double *losses; /* one per iteration */
	size_t n_losses;
	bool is_converged;
	bool is_stopped;
	int best_iteration;
};

static int
send_key(struct arbiter *a)
{
	struct buf b = BUF_INIT;
	int r;

	lr_put_key(&b, paillier_key_pub(a->key));
	if ((r = task_remote_role(
		 a->task, "paillier_pubkey", "0", "guest", b.data, b.len)) == 0)
		r = task_remote_role(
		    a->task, "paillier_pubkey", "0", "host", b.data, b.len);
	buf_fini(&b);
	return r;
}

static int
receive_plan(struct arbiter *a)
{
	struct object o = { 0 };
	char tag[LR_TAG];
	int r;

	lr_tag(tag, a->prefix, "train");
	if ((r = lr_receive(a->task, "batch_info", tag, "guest", 0,
		 LR_PLAN_SIZE, &o)) != 0)
		return r;
	if ((r = lr_get_plan(o.data, o.size, &a->plan)) != 0)
		r = lr_blame("batch_info", "guest");
	else if (!a->plan.has_loss && a->conf->stop != LR_STOP_WEIGHT_DIFF)
		r = err_set(ERR_FORMAT,
		    "the guest sends no loss, which "
		    "early_stop %s needs",
		    a->conf->stop_text);
	object_free(&o);
	return r;
}

/* --- gradients ------------------------------------------------------------------- */

/* Only the party knows how many columns it has. */
static int
read_gradient(struct arbiter *a, const struct object *o, struct bigvec **out)
{
	const struct paillier_pub *pub = paillier_key_pub(a->key);
	size_t n = o->size < LR_HEADER
		       ? 0
		       : (o->size - LR_HEADER) / paillier_cipher_bytes(pub);

	return lr_get_ciphers(
	    o->data, o->size, pub, n, LR_FRAC + a->conf->frac_bits, out);
}

static int
serve_gradient(
    struct arbiter *a, const char *role, size_t index, const char *tag)
{
	const struct paillier_pub *pub = paillier_key_pub(a->key);
	char name[24], reply[24];
	struct object o = { 0 };
	struct bigvec *c = NULL, *m = NULL;
	struct buf b = BUF_INIT;
	int r;

	snprintf(name, sizeof(name), "%s_gradient", role);
	snprintf(reply, sizeof(reply), "%s_optim_gradient", role);
	if ((r = lr_receive(a->task, name, tag, role, index,
		 lr_ciphers_size(pub, COLUMNS_MAX), &o)) != 0)
		return r;
	if ((r = read_gradient(a, &o, &c)) != 0 ||
	    (r = paillier_decrypt(a->key, c, a->pool, &m)) != 0)
		r = lr_blame(name, role);
	else {
		lr_put_plains(&b, m);
		r = lr_send(a->task, reply, tag, role, index, &b);
	}
	object_free(&o);
	bigvec_free(c);
	bigvec_wipe_free(m);
	buf_fini(&b);
	return r;
}

static int
serve_batch(struct arbiter *a, const char *tag)
{
	size_t h, hosts = task_role_size(a->task, "host");
	int r;

	if ((r = serve_gradient(a, "guest", 0, tag)) != 0)
		return r;
	for (h = 0; h < hosts && r == 0; h++)
		r = serve_gradient(a, "host", h, tag);
	return r;
}

/* --- convergence ------------------------------------------------------------------- */

static int
receive_loss(struct arbiter *a, unsigned iteration, double *loss)
{
	const struct paillier_pub *pub = paillier_key_pub(a->key);
	char tag[LR_TAG];
	struct object o = { 0 };
	struct bigvec *c = NULL, *m = NULL;
	int r;

	lr_tag(tag, a->prefix, "%u", iteration);
	if ((r = lr_receive(a->task, "loss", tag, "guest", 0,
		 lr_ciphers_size(pub, 1), &o)) != 0)
		return r;
	if ((r = lr_get_ciphers(o.data, o.size, pub, 1, LR_LOSS_FRAC, &c)) !=
		0 ||
	    (r = paillier_decrypt(a->key, c, a->pool, &m)) != 0 ||
	    (r = fixed_decode(m->v, LR_LOSS_FRAC, LR_LOSS_BITS + 32,
		 paillier_n(pub), m->limbs, loss)) != 0)
		r = lr_blame("loss", "guest");
	*loss /= a->plan.batch_count;
	object_free(&o);
	bigvec_free(c);
	bigvec_wipe_free(m);
	return r;
}

static int
keep_loss(struct arbiter *a, unsigned iteration, double loss)
{
	char name[LR_TAG];

	lr_loss_name(a->prefix, name);
	a->losses[a->n_losses++] = loss;
	task_log(a->task, TASK_INFO, "%siteration %u: loss %.6f", a->prefix,
	    iteration, loss);
	return task_metric_number(a->task, "train", name, iteration, loss);
}

static int
add_norm(struct arbiter *a, const char *role, size_t index, const char *tag,
    double *sum)
{
	char name[24];
	struct object o = { 0 };
	double norm;
	int r;

	snprintf(name, sizeof(name), "%s_gradient", role);
	if ((r = lr_receive(
		 a->task, name, tag, role, index, LR_NUMBERS_SIZE(1), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, 1, &norm)) != 0)
		r = lr_blame(name, role);
	else
		*sum += norm;
	object_free(&o);
	return r;
}

/* How far the weights of all parties moved in this iteration. */
static int
weights_moved(struct arbiter *a, unsigned iteration, double *out)
{
	size_t h, hosts = task_role_size(a->task, "host");
	char tag[LR_TAG];
	double sum = 0;
	int r;

	lr_tag(tag, a->prefix, "%u.norm", iteration);
	r = add_norm(a, "guest", 0, tag, &sum);
	for (h = 0; h < hosts && r == 0; h++)
		r = add_norm(a, "host", h, tag, &sum);
	*out = sqrt(sum);
	return r;
}

static int
decide(struct arbiter *a, unsigned iteration)
{
	double moved, loss;
	size_t n = a->n_losses;
	int r;

	switch (a->conf->stop) {
	case LR_STOP_WEIGHT_DIFF:
		if ((r = weights_moved(a, iteration, &moved)) != 0)
			return r;
		a->is_converged = moved < a->conf->tol;
		break;
	case LR_STOP_DIFF:
		loss = a->losses[n - 1];
		a->is_converged =
		    n > 1 && fabs(loss - a->losses[n - 2]) < a->conf->tol;
		break;
	case LR_STOP_ABS:
		a->is_converged = a->losses[n - 1] <= a->conf->tol;
		break;
	}
	return 0;
}

static int
send_flag(struct arbiter *a, unsigned iteration)
{
	struct buf b = BUF_INIT;
	char tag[LR_TAG];
	int r;

	lr_tag(tag, a->prefix, "%u", iteration);
	lr_put_flag(&b, a->is_converged);
	if ((r = task_remote_role(
		 a->task, "converge_flag", tag, "guest", b.data, b.len)) == 0)
		r = task_remote_role(
		    a->task, "converge_flag", tag, "host", b.data, b.len);
	buf_fini(&b);
	return r;
}

static int
iterate(struct arbiter *a, unsigned t)
{
	char tag[LR_TAG];
	double loss;
	unsigned i;
	int r;

	for (i = 0; i < a->plan.batch_count; i++) {
		lr_tag(tag, a->prefix, "%u.%u", t, i);
		if ((r = serve_batch(a, tag)) != 0)
			return err_wrap("iteration %u, batch %u", t, i);
	}
	if (a->plan.has_loss && ((r = receive_loss(a, t, &loss)) != 0 ||
				    (r = keep_loss(a, t, loss)) != 0))
		return r;
	if ((r = decide(a, t)) != 0)
		return r;
	return send_flag(a, t);
}

/* --- the whole ------------------------------------------------------------------------ */

static int
checkpoint(struct arbiter *a, unsigned iters)
{
	struct lr_result res = { .iters = iters,
		.is_converged = a->is_converged,
		.best_iteration = -1,
		.losses = a->losses,
		.n_losses = a->n_losses };

	return lr_checkpoint(a->task, a->conf, &res, a->checkpoint_every);
}

static int
train_model(struct arbiter *a, unsigned *iters)
{
	bool is_best;
	unsigned t;
	int r;

	if ((r = receive_plan(a)) != 0)
		return r;
	if (a->plan.has_loss && (r = lr_loss_meta(a->task, a->prefix)) != 0)
		return r;
	for (t = *iters;
	     t < a->conf->max_iter && !a->is_converged && !a->is_stopped; t++) {
		if ((r = iterate(a, t)) != 0 ||
		    (r = lr_look_verdict(a->task, &a->mode->schedule, a->prefix,
			 t, &is_best, &a->is_stopped)) != 0)
			return r;
		if (is_best)
			a->best_iteration = (int)t;
		*iters = t + 1;
		if ((r = checkpoint(a, *iters)) != 0)
			return r;
		lr_iterated(
		    a->task, &a->round, a->prefix, t, a->conf->max_iter);
	}
	return 0;
}

/* Model k (of a fold); out has what became of it, with losses of its own. */
static int
serve_model(struct arbiter *a, int fold, unsigned k, struct lr_result *out)
{
	char prefix[LR_PREFIX];
	int r;

	*out = (struct lr_result){ .best_iteration = -1 };
	if (fold < 0 &&
	    (r = lr_model_iters(a->task, k, a->mode->models, &out->iters)) != 0)
		return r;
	lr_mode_prefix(a->mode, fold, k, prefix);
	a->prefix = prefix;
	a->round = lr_mode_round(a->mode, fold, k);
	a->n_losses = 0;
	a->best_iteration = -1;
	a->is_converged = a->is_stopped = false;
	a->losses = mem_array(a->conf->max_iter, sizeof(*a->losses));
	if (a->losses == NULL)
		return err_code();
	r = train_model(a, &out->iters);
	out->is_converged = a->is_converged;
	out->best_iteration = a->best_iteration;
	out->losses = a->losses;
	out->n_losses = a->n_losses;
	a->losses = NULL;
	return r;
}

static int
save(struct arbiter *a, const struct lr_result *each)
{
	struct lr_result all = { .best_iteration = -1 };
	int r;

	if (a->mode->folds == 0)
		all = each[0];
	if (a->mode->folds == 0 && a->mode->models > 1) {
		all.each = each;
		all.n_each = a->mode->models;
	}
	if ((r = lr_model_save(a->task, a->conf, &all)) != 0)
		return r;
	return a->mode->folds == 0 ? lr_summary(a->task, &all, NULL) : 0;
}

static int
serve_all(struct arbiter *a, struct lr_result *each)
{
	int fold, folds = (int)a->mode->folds;
	unsigned k;
	int r = 0;

	for (fold = folds > 0 ? 0 : -1; r == 0 && fold < folds; fold++) {
		for (k = 0; r == 0 && k < a->mode->models; k++) {
			free((void *)(uintptr_t)each[k].losses);
			r = serve_model(a, fold, k, &each[k]);
		}
		if (fold < 0)
			break;
	}
	return r;
}

int
lr_arbiter_train(struct task *t, const struct lr_conf *conf,
    const struct lr_mode *mode, struct parallel *pool)
{
	struct arbiter a = {
		.task = t, .conf = conf, .mode = mode, .pool = pool
	};
	struct lr_result *each = mem_array(mode->models, sizeof(*each));
	unsigned k;
	int r;

	if (each == NULL)
		return err_code();
	a.checkpoint_every = lr_mode_checkpoints(t, mode);
	if ((r = paillier_generate(conf->key_bits, &a.key)) == 0 &&
	    (r = send_key(&a)) == 0 && (r = serve_all(&a, each)) == 0)
		r = save(&a, each);
	for (k = 0; k < mode->models; k++)
		free((void *)(uintptr_t)each[k].losses);
	free(each);
	free(a.losses);
	paillier_key_free(a.key);
	return r;
}
