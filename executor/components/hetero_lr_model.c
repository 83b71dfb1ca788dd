/*
 * The model's two messages and the summary.  The generated protobuf types
 * stay in this file.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "proto/model/lr.pb-c.h"

typedef Sluice__Lr__LRModelMeta lr_meta;
typedef Sluice__Lr__LRModelParam lr_param;
typedef Sluice__Lr__LRModelParam__WeightEntry lr_weight;

/* --- names of the messages by module ------------------------------------------------ */

struct names {
	const char *module;
	const char *meta;
	const char *param;
};

static const struct names *
names_of(struct task *t)
{
	static const struct names hetero = { "HeteroLR",
		"HeteroLogisticRegressionMeta",
		"HeteroLogisticRegressionParam" };
	static const struct names homo = { "HomoLR",
		"HomoLogisticRegressionMeta", "HomoLogisticRegressionParam" };

	return str_eq(task_module(t), homo.module) ? &homo : &hetero;
}

/* --- writing ---------------------------------------------------------------------- */

static void *
pack_meta(const char *module, const struct lr_conf *c,
    const struct lr_result *res, size_t *size)
{
	Sluice__Lr__PredictMeta predict = SLUICE__LR__PREDICT_META__INIT;
	lr_meta m = SLUICE__LR__LRMODEL_META__INIT;
	void *out;

	predict.threshold = c->threshold;
	m.penalty = (char *)(uintptr_t)c->penalty_text;
	m.tol = c->tol;
	m.alpha = c->alpha;
	m.optimizer = (char *)(uintptr_t)c->optimizer.name;
	m.batch_size = c->batch_size;
	m.learning_rate = c->optimizer.learning_rate;
	m.max_iter = c->max_iter;
	m.early_stop = (char *)(uintptr_t)c->stop_text;
	m.fit_intercept = res->party != NULL &&
			  res->party->n_weights > res->party->n_features;
	m.predict_param = &predict;
	m.re_encrypt_batches = c->re_encrypt_batches;
	m.module = (char *)(uintptr_t)module;
	out = xmalloc(sluice__lr__lrmodel_meta__get_packed_size(&m) + 1);
	*size = sluice__lr__lrmodel_meta__pack(&m, out);
	return out;
}

static void
fill_weights(
    lr_param *m, lr_weight *w, lr_weight **wp, const struct lr_party *p)
{
	size_t i;

	for (i = 0; i < p->n_features; i++) {
		sluice__lr__lrmodel_param__weight_entry__init(&w[i]);
		w[i].key = p->data->header[i];
		w[i].value = p->w[i];
		wp[i] = &w[i];
	}
	m->n_weight = p->n_features;
	m->weight = wp;
	m->n_header = p->n_features;
	m->header = p->data->header;
	if (p->n_weights > p->n_features)
		m->intercept = p->w[p->n_features];
}

static int
pack_param(const struct lr_result *res, void **out, size_t *size)
{
	const struct lr_party *p = res->party;
	size_t n = p == NULL ? 0 : p->n_features;
	lr_weight *w = mem_array(n + 1, sizeof(*w));
	lr_weight **wp = mem_array(n + 1, sizeof(*wp));
	lr_param m = SLUICE__LR__LRMODEL_PARAM__INIT;

	if (w == NULL || wp == NULL) {
		free(w);
		free(wp);
		return err_code();
	}
	m.iters = (int32_t)res->iters;
	m.n_loss_history = res->n_losses;
	m.loss_history = (double *)(uintptr_t)res->losses;
	m.is_converged = res->is_converged;
	m.best_iteration = -1;
	if (p != NULL)
		fill_weights(&m, w, wp, p);
	*out = xmalloc(sluice__lr__lrmodel_param__get_packed_size(&m) + 1);
	*size = sluice__lr__lrmodel_param__pack(&m, *out);
	free(w);
	free(wp);
	return 0;
}

int
lr_model_save(
    struct task *t, const struct lr_conf *c, const struct lr_result *res)
{
	const struct names *names = names_of(t);
	struct task_buffer b[2];
	void *meta, *param = NULL;
	int r;

	if ((r = pack_param(res, &param, &b[1].size)) != 0)
		return r;
	meta = pack_meta(names->module, c, res, &b[0].size);
	b[0].name = names->meta;
	b[0].message = "LRModelMeta";
	b[0].content = meta;
	b[1].name = names->param;
	b[1].message = "LRModelParam";
	b[1].content = param;
	r = task_output_model(t, b, 2);
	free(meta);
	free(param);
	return r;
}

/* --- reading ------------------------------------------------------------------------ */

static int
unpack_param(struct task *t, lr_param **out)
{
	const struct names *names = names_of(t);
	const struct task_buffer *b;

	*out = NULL;
	if ((b = task_model_buffer(t, TASK_MODEL, names->param)) == NULL)
		return err_set(ERR_INVALID,
		    "there is no model of %s "
		    "among the inputs",
		    names->module);
	*out = sluice__lr__lrmodel_param__unpack(NULL, b->size, b->content);
	if (*out == NULL)
		return err_set(ERR_FORMAT, "the model is damaged");
	return 0;
}

int
lr_model_iters(struct task *t, unsigned *out)
{
	lr_param *m;
	int r;

	*out = 0;
	if (!task_has_model(t, TASK_MODEL))
		return 0;
	if ((r = unpack_param(t, &m)) != 0)
		return r;
	if (m->iters < 0)
		r = err_set(ERR_FORMAT, "the model is damaged");
	else
		*out = (unsigned)m->iters;
	sluice__lr__lrmodel_param__free_unpacked(m, NULL);
	return r;
}

static int
weight_of(const lr_param *m, const char *column, double *out)
{
	size_t i;

	for (i = 0; i < m->n_weight; i++) {
		if (!str_eq(m->weight[i]->key, column))
			continue;
		*out = m->weight[i]->value;
		if (!isfinite(*out))
			return err_set(ERR_FORMAT,
			    "the model's weight of %s "
			    "is not a number",
			    column);
		return 0;
	}
	return err_set(
	    ERR_INVALID, "the model was made without column %s", column);
}

static int
load_weights(struct lr_party *p, const lr_param *m)
{
	size_t i;
	int r;

	if (m->n_weight != p->n_features)
		return err_set(ERR_INVALID,
		    "the model has %zu columns, the "
		    "data %zu",
		    m->n_weight, p->n_features);
	for (i = 0; i < p->n_features; i++)
		if ((r = weight_of(m, p->data->header[i], &p->w[i])) != 0)
			return r;
	if (p->n_weights > p->n_features)
		p->w[p->n_features] = m->intercept;
	return isfinite(m->intercept)
		   ? 0
		   : err_set(
			 ERR_FORMAT, "the model's intercept is not a number");
}

int
lr_model_load(struct lr_party *p)
{
	lr_param *m;
	int r;

	if ((r = unpack_param(p->task, &m)) != 0)
		return r;
	r = load_weights(p, m);
	p->iters = m->iters < 0 ? 0 : (unsigned)m->iters;
	p->is_converged = m->is_converged;
	sluice__lr__lrmodel_param__free_unpacked(m, NULL);
	return r;
}

/* --- summary -------------------------------------------------------------------------- */

static void
add_coefficients(struct json_object *o, const struct lr_party *p)
{
	struct json_object *coef = json_object_new_object();
	size_t i;

	for (i = 0; i < p->n_features; i++)
		json_add(coef, p->data->header[i], json_double(p->w[i]));
	json_add(o, "coef", coef);
	json_add(o, "intercept",
	    json_double(
		p->n_weights > p->n_features ? p->w[p->n_features] : 0));
}

static void
add_losses(struct json_object *o, const struct lr_result *res)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < res->n_losses; i++)
		json_object_array_add(list, json_double(res->losses[i]));
	json_add(o, "loss_history", list);
	json_add(o, "best_iter_loss", NULL);
}

int
lr_summary(struct task *t, const struct lr_result *res)
{
	struct json_object *o = json_object_new_object();
	int r;

	if (res->party != NULL)
		add_coefficients(o, res->party);
	else
		add_losses(o, res);
	json_add_bool(o, "is_converged", res->is_converged);
	json_add_int(o, "best_iteration", -1);
	r = task_summary(t, o);
	json_object_put(o);
	return r;
}

int
lr_go_on(struct lr_party *p)
{
	int r;

	p->start = p->iters;
	p->is_converged = false;
	if ((r = task_metric_named(
		 p->task, "train", "init_iter", "init_iter", p->start)) != 0)
		return r;
	return task_metric_meta(
	    p->task, "train", "init_iter", "init_iter", "init_iter", NULL);
}
