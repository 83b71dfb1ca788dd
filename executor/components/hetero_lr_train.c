/*
 * All binary models of a training: one, or one for each of several classes
 * against the rest.  Called by hetero_lr.c, homo_lr.c and for each fold by
 * hetero_lr_cv.c.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

/* Weights, optimiser and counts as at the start of a training. */
static int
begin(struct lr_party *p, size_t k)
{
	struct lr_model *m = &p->models.v[k];
	bool has_intercept = p->n_weights > p->n_features;
	int r;

	free(p->w);
	free(p->moved);
	free(p->best);
	optimizer_free(p->optimizer);
	p->w = p->moved = p->best = NULL;
	p->optimizer = NULL;
	p->best_iteration = -1;
	p->iters = p->start = 0;
	p->is_converged = p->is_stopped = false;
	if ((r = lr_party_init(p, has_intercept)) != 0 || !p->has_loaded)
		return r;
	memcpy(p->w, m->w, p->n_weights * sizeof(*p->w));
	p->iters = m->iters;
	return lr_go_on(p);
}

static int
keep(struct lr_party *p, size_t k)
{
	struct lr_model *m = &p->models.v[k];

	lr_look_restore(p);
	free(m->w);
	if ((m->w = mem_array(p->n_weights + 1, sizeof(*m->w))) == NULL)
		return err_code();
	memcpy(m->w, p->w, p->n_weights * sizeof(*m->w));
	m->iters = p->iters;
	m->is_converged = p->is_converged;
	m->best_iteration = p->best_iteration;
	free(m->losses);
	m->losses = p->losses;
	m->n_losses = p->n_losses;
	p->losses = NULL;
	return 0;
}

static int
watch(struct lr_party *p, const char *prefix)
{
	lr_watch_free(p->watch);
	p->watch = NULL;
	if (!p->has_labels)
		return 0;
	return lr_watch_new(p->task, p->schedule, 2, prefix, &p->watch);
}

static void
keep_history(struct lr_party *p)
{
	struct json_object *h = lr_watch_history(p->watch);

	if (h == NULL)
		return;
	json_object_put(p->history);
	p->history = h;
}

static int
train_model(struct lr_party *p, const struct lr_mode *mode,
    const uint32_t *place, unsigned k, int fold)
{
	char prefix[LR_PREFIX];
	double *y = NULL;
	size_t i;
	int r;

	if (p->has_labels) {
		if ((y = mem_array(p->data->x->rows + 1, sizeof(*y))) == NULL)
			return err_code();
		for (i = 0; place != NULL && i < p->data->x->rows; i++)
			y[i] = place[i] == k ? 1 : -1;
		if (place == NULL && (r = lr_data_labels(p->data, y)) != 0)
			goto out;
	}
	lr_mode_prefix(mode, fold, k, prefix);
	p->prefix = prefix;
	p->round = lr_mode_round(mode, fold, k);
	p->y = y;
	p->class_label = place == NULL ? NULL : &p->models.classes[k];
	if ((r = begin(p, k)) == 0 && (r = watch(p, prefix)) == 0 &&
	    (r = p->train(p)) == 0)
		r = keep(p, k);
	keep_history(p);
	p->y = p->class_label = NULL;
	p->prefix = "";
out:
	free(y);
	return r;
}

static int
make_room(struct lr_party *p, size_t n)
{
	if (p->has_loaded)
		return p->models.n == n
			   ? 0
			   : err_set(ERR_CONFLICT,
				 "the model to go on from is for %zu classes, "
				 "the data has %zu",
				 p->models.n, n);
	if (p->models.v == NULL) {
		p->models.n = n;
		p->models.v = mem_array(n, sizeof(*p->models.v));
	}
	return p->models.v == NULL ? err_code() : 0;
}

int
lr_train_models(struct lr_party *p, const struct lr_mode *mode,
    const uint32_t *place, int fold)
{
	unsigned k;
	int r;

	p->schedule = &mode->schedule;
	p->checkpoint_every = lr_mode_checkpoints(p->task, mode);
	if ((r = make_room(p, mode->models)) != 0)
		return r;
	for (k = 0; k < mode->models; k++)
		if ((r = train_model(p, mode, place, k, fold)) != 0)
			return mode->models == 1 ? r : err_wrap("class %u", k);
	return 0;
}

int
lr_party_checkpoint(struct lr_party *p, const struct lr_result *losses)
{
	struct lr_result res = { .party = p,
		.iters = p->iters,
		.is_converged = p->is_converged,
		.best_iteration = -1 };

	if (losses != NULL) {
		res.losses = losses->losses;
		res.n_losses = losses->n_losses;
	}
	return lr_checkpoint(p->task, p->conf, &res, p->checkpoint_every);
}

/* --- what came of it ---------------------------------------------------------------- */

static void
result_of(const struct lr_party *p, size_t k, struct lr_result *out)
{
	const struct lr_model *m = &p->models.v[k];

	*out = (struct lr_result){ .party = p,
		.iters = m->iters,
		.is_converged = m->is_converged,
		.best_iteration = m->best_iteration,
		.losses = m->losses,
		.n_losses = m->n_losses,
		.w = m->w };
}

int
lr_save_models(struct lr_party *p)
{
	size_t k, n = p->models.n;
	struct lr_result *each = mem_array(n, sizeof(*each)), all;
	int r;

	if (each == NULL)
		return err_code();
	for (k = 0; k < n; k++)
		result_of(p, k, &each[k]);
	all = each[0];
	if (n > 1) {
		all.each = each;
		all.n_each = n;
		all.classes = p->models.classes;
	}
	if ((r = lr_model_save(p->task, p->conf, &all)) == 0)
		r = lr_summary(p->task, &all, p->history);
	free(each);
	return r;
}
