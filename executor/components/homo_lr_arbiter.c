/*
 * The arbiter of the horizontal training: it averages masked weights and
 * losses and decides when to stop.  It has no data and sees no single
 * client's numbers.  Called by homo_lr.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/homo_lr_impl.h"
#include "executor/components/secure_aggregation.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct arbiter {
	struct task *task;
	const struct homo_conf *conf;
	const char *prefix; /* of this model's messages */
	struct lr_round round;
	unsigned checkpoint_every;
	struct secagg *agg;
	struct homo_losses losses;
	double *w; /* averaged */
	double *before;
	size_t n; /* weights */
	unsigned iters;
	bool is_converged;
};

static int
to_clients(struct arbiter *a, const char *name, const char *tag, struct buf *b)
{
	int r;

	if ((r = task_remote_role(
		 a->task, name, tag, "guest", b->data, b->len)) == 0)
		r = task_remote_role(
		    a->task, name, tag, "host", b->data, b->len);
	buf_fini(b);
	return r;
}

static int
broadcast(struct arbiter *a, const char *tag, const double *v, size_t n)
{
	struct buf b = BUF_INIT;

	lr_put_numbers(&b, v, n);
	return to_clients(a, "aggregated_model", tag, &b);
}

static int
count_rows(struct arbiter *a)
{
	char tag[LR_TAG];
	double *all;
	size_t n;
	int r;

	lr_tag(tag, a->prefix, "rows");
	if ((r = secagg_sum(a->agg, "party_weight", tag, 1, 0, &all, &n)) != 0)
		return r;
	if (!(*all > 0))
		r = err_set(ERR_FORMAT, "all clients have %g rows", *all);
	else
		r = broadcast(a, tag, all, 1);
	free(all);
	return r;
}

static int
average_weights(struct arbiter *a, const char *tag)
{
	double *w;
	size_t i, n;
	int r;

	if ((r = secagg_sum(a->agg, "model", tag, a->n, HOMO_FRAC, &w, &n)) !=
	    0)
		return r;
	free(a->before);
	a->before = a->w;
	a->w = w;
	a->n = n;
	for (i = 0; i < n; i++)
		if (!(fabs(w[i]) <= LR_VALUE_MAX))
			return err_set(ERR_LIMIT,
			    "an averaged weight is "
			    "beyond %g",
			    LR_VALUE_MAX);
	return broadcast(a, tag, w, n);
}

static int
average_loss(struct arbiter *a, unsigned t, const char *tag)
{
	double *loss;
	size_t n;
	int r;

	if ((r = secagg_sum(
		 a->agg, "loss", tag, 1, HOMO_LOSS_FRAC, &loss, &n)) != 0)
		return r;
	r = homo_losses_add(&a->losses, a->task, t, *loss);
	free(loss);
	return r;
}

static bool
weights_settled(const struct arbiter *a)
{
	double moved = 0, d;
	size_t i;

	if (a->before == NULL)
		return false;
	for (i = 0; i < a->n; i++) {
		d = a->w[i] - a->before[i];
		moved += d * d;
	}
	return sqrt(moved) <
	       a->conf->lr.tol * fmax(sqrt(dense_dot(a->w, a->w, a->n)), 1);
}

static void
decide(struct arbiter *a)
{
	const double *v = a->losses.v;
	size_t n = a->losses.n;

	switch (a->conf->lr.stop) {
	case LR_STOP_WEIGHT_DIFF:
		a->is_converged = weights_settled(a);
		break;
	case LR_STOP_DIFF:
		a->is_converged =
		    n > 1 && fabs(v[n - 1] - v[n - 2]) < a->conf->lr.tol;
		break;
	case LR_STOP_ABS:
		a->is_converged = v[n - 1] <= a->conf->lr.tol;
		break;
	}
}

static int
meet(struct arbiter *a, unsigned t)
{
	struct buf b = BUF_INIT;
	char tag[LR_TAG];
	int r;

	lr_tag(tag, a->prefix, "%u", t);
	if ((r = average_weights(a, tag)) != 0 ||
	    (r = average_loss(a, t, tag)) != 0)
		return r;
	decide(a);
	lr_put_flag(&b, a->is_converged);
	return to_clients(a, "is_converge", tag, &b);
}

/* --- checkpoints ------------------------------------------------------------------ */

/* Column names stay with the clients: ours are x0, x1, ... */
static char **
make_header(size_t n)
{
	char **header = mem_array(n + 1, sizeof(*header));
	size_t i;

	for (i = 0; header != NULL && i < n; i++)
		header[i] = xasprintf("x%zu", i);
	return header;
}

static void
free_header(char **header, size_t n)
{
	size_t i;

	for (i = 0; header != NULL && i < n; i++)
		free(header[i]);
	free(header);
}

/* The averaged weights of meeting t; clients keep theirs after the epoch. */
static int
checkpoint(struct arbiter *a, unsigned t)
{
	size_t bias = a->conf->lr.fit_intercept && a->n > 0 ? 1 : 0;
	struct lr_data d = { .header = make_header(a->n) };
	struct lr_party p = { .task = a->task,
		.conf = &a->conf->lr,
		.data = &d,
		.w = a->w,
		.n_weights = a->n,
		.n_features = a->n - bias };
	struct lr_result res = { .party = &p,
		.iters = t + 1,
		.is_converged = a->is_converged,
		.best_iteration = -1,
		.losses = a->losses.v,
		.n_losses = a->losses.n };
	int r;

	r = d.header == NULL
		? err_code()
		: lr_checkpoint(a->task, p.conf, &res, a->checkpoint_every);
	free_header(d.header, a->n);
	return r;
}

static int
train(struct arbiter *a, unsigned start)
{
	unsigned t, last = a->conf->lr.max_iter;
	int r;

	if ((r = homo_losses_init(&a->losses, a->task, a->conf, a->prefix)) !=
		0 ||
	    (r = count_rows(a)) != 0)
		return r;
	for (t = start; t <= last && !a->is_converged; t++) {
		a->iters = t;
		if (homo_meets(a->conf, t) && (r = meet(a, t)) != 0)
			return err_wrap("iteration %u", t);
		if (homo_meets(a->conf, t) && (r = checkpoint(a, t)) != 0)
			return r;
		if (t < last)
			lr_iterated(a->task, &a->round, a->prefix, t, last);
	}
	return 0;
}

/* --- all models ------------------------------------------------------------------ */

/* What was averaged, kept as model k; weights and losses are its own. */
static int
keep(struct arbiter *a, struct lr_party *p, size_t k)
{
	struct lr_model *m = &p->models.v[k];
	size_t bias = a->conf->lr.fit_intercept && a->n > 0 ? 1 : 0;

	if (k > 0 && a->n != p->n_weights)
		return err_set(ERR_FORMAT, "the models of the classes have "
					   "different numbers of weights");
	free(m->w);
	free(m->losses);
	*m = (struct lr_model){ .w = a->w,
		.iters = a->iters,
		.is_converged = a->is_converged,
		.best_iteration = -1,
		.losses = a->losses.v,
		.n_losses = a->losses.n };
	a->w = NULL;
	a->losses.v = NULL;
	p->n_weights = a->n;
	p->n_features = a->n - bias;
	return 0;
}

static int
train_model(struct arbiter *a, struct lr_party *p, const struct lr_mode *mode,
    int fold, unsigned k)
{
	char prefix[LR_PREFIX];
	unsigned start = 0;
	int r;

	if (fold < 0 &&
	    ((r = lr_model_iters(a->task, k, mode->models, &start)) != 0 ||
		(r = homo_check_start(a->conf, start)) != 0))
		return r;
	lr_mode_prefix(mode, fold, k, prefix);
	a->prefix = prefix;
	a->round = lr_mode_round(mode, fold, k);
	free(a->before);
	a->before = NULL;
	a->n = 0;
	a->is_converged = false;
	if ((r = train(a, start)) == 0)
		r = keep(a, p, k);
	free(a->losses.v);
	a->losses.v = NULL;
	return r;
}

static int
train_all(struct arbiter *a, struct lr_party *p, const struct lr_mode *mode)
{
	int fold = mode->folds > 0 ? 0 : -1, r = 0;
	unsigned k;

	do {
		for (k = 0; k < mode->models && r == 0; k++)
			r = train_model(a, p, mode, fold, k);
	} while (r == 0 && fold >= 0 && ++fold < (int)mode->folds);
	return r;
}

static int
save(struct arbiter *a, struct lr_party *p, const struct lr_mode *mode)
{
	struct lr_result none = { .best_iteration = -1 };
	struct lr_data d = { .header = make_header(p->n_weights) };
	int r;

	if (mode->folds > 0)
		r = lr_model_save(a->task, &a->conf->lr, &none);
	else if (d.header == NULL)
		r = err_code();
	else {
		p->data = &d;
		p->w = p->models.v[0].w; /* borrowed for a moment */
		r = lr_save_models(p);
		p->w = NULL;
		p->data = NULL;
	}
	free_header(d.header, p->n_weights);
	return r;
}

int
homo_arbiter_train(
    struct task *t, const struct homo_conf *conf, const struct lr_mode *mode)
{
	struct arbiter a = { .task = t, .conf = conf };
	struct lr_party p = { .task = t, .conf = &conf->lr };
	int r;

	p.models.n = mode->models;
	p.models.v = mem_array(mode->models, sizeof(*p.models.v));
	if (p.models.v == NULL)
		return err_code();
	a.checkpoint_every = lr_mode_checkpoints(t, mode);
	a.agg = secagg_arbiter(t);
	if ((r = train_all(&a, &p, mode)) == 0)
		r = save(&a, &p, mode);
	secagg_free(a.agg);
	free(a.w);
	free(a.before);
	lr_models_fini(&p.models);
	return r;
}
