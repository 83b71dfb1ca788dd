/*
 * Cross validation: the rows are cut into folds; for each, a model learns
 * from the others and is judged by it.  Numbers come out, no model.
 *
 * HeteroLR's guest draws the folds and tells the hosts the places of the rows
 * in the common order; HomoLR's clients cut their own rows each.  Called by
 * hetero_lr.c and homo_lr.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

struct cv {
	struct lr_party *p;
	const struct lr_mode *mode;
	const uint32_t *place; /* classes of all rows, or NULL */
	struct table_writer *out;
	bool writes_rows;
	uint32_t *order; /* guest: all rows, fold after fold */
	size_t n;
	struct lr_watch *watch; /* guest: metrics */
	struct json_object *summary;
};

/* The rows of one fold, and the others. */
struct fold {
	int number;
	uint32_t *train, *test;
	size_t n_train, n_test;
};

static void
fold_fini(struct fold *f)
{
	free(f->train);
	free(f->test);
}

/* --- folds ------------------------------------------------------------------------ */

static int
draw_order(struct cv *c)
{
	struct task *t = c->p->task;
	struct rng *g;
	size_t i, k;
	uint32_t swap;

	if ((c->order = mem_array(c->n + 1, sizeof(*c->order))) == NULL)
		return err_code();
	for (i = 0; i < c->n; i++)
		c->order[i] = (uint32_t)i;
	if (!task_param_bool(t, "cv_param.shuffle", true))
		return 0;
	if (task_param(t, "cv_param.random_seed") == NULL) {
		rng_shuffle_secret(c->order, c->n);
		return 0;
	}
	g = xmalloc(sizeof(*g));
	rng_seed(g, (uint32_t)task_param_int(t, "cv_param.random_seed", 1));
	for (i = c->n; i-- > 1;) {
		k = (size_t)(rng_uniform(g) * (double)(i + 1));
		swap = c->order[i];
		c->order[i] = c->order[k];
		c->order[k] = swap;
	}
	free(g);
	return 0;
}

/* The first n mod folds folds have a row more. */
static int
cut_fold(const struct cv *c, struct fold *f)
{
	size_t folds = c->mode->folds, size = c->n / folds, more = c->n % folds;
	size_t k = (size_t)f->number;
	size_t from = k * size + (k < more ? k : more);
	size_t to = from + size + (k < more ? 1 : 0);

	f->n_test = to - from;
	f->n_train = c->n - f->n_test;
	f->test = mem_array(f->n_test + 1, sizeof(*f->test));
	f->train = mem_array(f->n_train + 1, sizeof(*f->train));
	if (f->test == NULL || f->train == NULL)
		return err_code();
	memcpy(f->test, c->order + from, f->n_test * sizeof(*f->test));
	memcpy(f->train, c->order, from * sizeof(*f->train));
	memcpy(f->train + from, c->order + to, (c->n - to) * sizeof(*f->train));
	return 0;
}

static int
send_places(const struct cv *c, const char *tag, const uint32_t *v, size_t n)
{
	struct buf b = BUF_INIT;
	int r;

	lr_put_places(&b, v, n);
	r = task_remote_role(
	    c->p->task, "batch_data_index", tag, "host", b.data, b.len);
	buf_fini(&b);
	return r;
}

static int
receive_places(const struct cv *c, const char *tag, uint32_t **v, size_t *n)
{
	struct object o = { 0 };
	int r;

	if ((r = lr_receive(c->p->task, "batch_data_index", tag, "guest", 0,
		 LR_PLACES_SIZE(c->n), &o)) != 0)
		return r;
	*n = o.size < LR_HEADER ? 0 : (o.size - LR_HEADER) / sizeof(**v);
	if ((r = lr_get_places(o.data, o.size, (uint32_t)c->n, *n, v)) != 0)
		r = lr_blame("batch_data_index", "guest");
	object_free(&o);
	return r;
}

static int
agree_on_fold(const struct cv *c, struct fold *f)
{
	char train[LR_TAG], test[LR_TAG];
	int r;

	lr_tag(train, "", "f%d.train", f->number);
	lr_tag(test, "", "f%d.test", f->number);
	if (c->p->has_labels) {
		if ((r = cut_fold(c, f)) != 0 || c->p->is_horizontal ||
		    (r = send_places(c, train, f->train, f->n_train)) != 0)
			return r;
		return send_places(c, test, f->test, f->n_test);
	}
	if ((r = receive_places(c, train, &f->train, &f->n_train)) != 0)
		return r;
	return receive_places(c, test, &f->test, &f->n_test);
}

/* --- judging a fold -------------------------------------------------------------------- */

static int
measure(struct cv *c, const struct fold *f, const struct lr_data *d,
    const char *ns, const double *z)
{
	struct lr_party *p = c->p;
	struct json_object *values = NULL, *of;
	struct lr_columns cols;
	char name[24];
	size_t i;
	int r;

	snprintf(name, sizeof(name), "fold_%d", f->number);
	if ((r = lr_columns_init(&cols, d->x->rows, ns)) != 0)
		goto out;
	for (i = 0; i < d->x->rows; i++) {
		lr_say(p, z, d->x->rows, i, &cols.result[i], &cols.score[i]);
		cols.label[i] = d->samples[i].label;
		cols.is_positive[i] = lr_is_positive(p, d, i);
	}
	if ((r = lr_watch_measure(c->watch, name, &cols.s, &values)) != 0)
		goto out;
	if ((of = json_get(c->summary, name)) == NULL) {
		of = json_object_new_object();
		json_add(c->summary, name, of);
	}
	json_add(of, ns, values);
out:
	lr_columns_fini(&cols);
	return r;
}

static int
judge(struct cv *c, const struct fold *f, struct lr_data *d, const char *ns)
{
	char suffix[48];
	double *z = NULL;
	int r;

	if (!c->p->has_labels)
		return lr_host_predict(c->p, d, c->mode, f->number, ns);
	snprintf(suffix, sizeof(suffix), "#fold%d#%s", f->number, ns);
	if ((r = lr_all_scores(c->p, d, c->mode, f->number, ns, &z)) == 0 &&
	    (r = measure(c, f, d, ns, z)) == 0 && c->writes_rows)
		r = lr_write_rows(c->p, d, z, ns, suffix, c->out);
	free(z);
	return r;
}

/* --- the whole --------------------------------------------------------------------------- */

/* The classes of the rows of a fold. */
static int
pick_places(const struct cv *c, const struct fold *f, uint32_t **out)
{
	size_t i;

	*out = NULL;
	if (c->place == NULL)
		return 0;
	if ((*out = mem_array(f->n_train + 1, sizeof(**out))) == NULL)
		return err_code();
	for (i = 0; i < f->n_train; i++)
		(*out)[i] = c->place[f->train[i]];
	return 0;
}

/* The party's data is the fold's while this runs. */
static int
run_fold(struct cv *c, const struct fold *f)
{
	struct lr_party *p = c->p;
	struct lr_data *all = p->data, *train = NULL, *test = NULL;
	uint32_t *place = NULL;
	int r;

	if ((r = lr_data_subset(all, f->train, f->n_train, &train)) != 0 ||
	    (r = lr_data_subset(all, f->test, f->n_test, &test)) != 0 ||
	    (r = pick_places(c, f, &place)) != 0)
		goto out;
	p->data = train;
	p->validate = test;
	if ((r = lr_train_models(p, c->mode, place, f->number)) == 0 &&
	    (r = judge(c, f, train, "train")) == 0)
		r = judge(c, f, test, "validate");
	p->data = all;
	p->validate = NULL;
out:
	lr_data_free(train);
	lr_data_free(test);
	free(place);
	return r;
}

static int
run_folds(struct cv *c)
{
	struct fold f = { 0 };
	int r = 0;

	for (f.number = 0; r == 0 && f.number < (int)c->mode->folds;
	     f.number++) {
		f.train = f.test = NULL;
		if ((r = agree_on_fold(c, &f)) == 0)
			r = run_fold(c, &f);
		if (r != 0)
			r = err_wrap("fold %d", f.number);
		fold_fini(&f);
	}
	return r;
}

int
lr_cross_validate(struct lr_party *p, const struct lr_mode *mode,
    const uint32_t *place, struct table_writer *out)
{
	struct cv c = { .p = p,
		.mode = mode,
		.place = place,
		.out = out,
		.writes_rows = task_param_bool(
		    p->task, "cv_param.output_fold_history", true),
		.n = p->data->x->rows,
		.summary = json_object_new_object() };
	struct lr_result none = { .best_iteration = -1 };
	int r = 0;

	if (mode->folds > c.n)
		r = err_set(ERR_INVALID, "cv_param.n_splits is %u for %zu rows",
		    mode->folds, c.n);
	if (r == 0 && p->has_labels && (r = draw_order(&c)) == 0)
		r = lr_watch_new(
		    p->task, &mode->schedule, mode->models, "", &c.watch);
	if (r == 0 && (r = run_folds(&c)) == 0 &&
	    (r = task_summary(p->task, c.summary)) == 0)
		r = lr_model_save(p->task, p->conf, &none);
	lr_watch_free(c.watch);
	free(c.order);
	json_object_put(c.summary);
	return r;
}
