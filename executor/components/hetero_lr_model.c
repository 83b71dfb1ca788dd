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

#define CHECKPOINT_NAME "iteration"
#define CHECKPOINTS_KEPT 100 /* the newest */

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
	m.need_one_vs_rest = res->n_each > 0;
	m.module = (char *)(uintptr_t)module;
	out = xmalloc(sluice__lr__lrmodel_meta__get_packed_size(&m) + 1);
	*size = sluice__lr__lrmodel_meta__pack(&m, out);
	return out;
}

typedef Sluice__Lr__SingleModel lr_single;
typedef Sluice__Lr__OneVsRestResult lr_rest;

/* A map of weights; freed with free_weights(). */
static int
make_weights(const struct lr_party *p, const double *w, lr_weight ***out)
{
	lr_weight **wp = mem_array(p->n_features + 1, sizeof(*wp));
	lr_weight *entries = mem_array(p->n_features + 1, sizeof(*entries));
	size_t i;

	if (wp == NULL || entries == NULL) {
		free(wp);
		free(entries);
		return err_code();
	}
	wp[0] = entries;
	for (i = 0; i < p->n_features; i++) {
		wp[i] = &entries[i];
		sluice__lr__lrmodel_param__weight_entry__init(wp[i]);
		wp[i]->key = p->data->header[i];
		wp[i]->value = w[i];
	}
	*out = wp;
	return 0;
}

static void
free_weights(lr_weight **wp)
{
	if (wp != NULL)
		free(wp[0]);
	free(wp);
}

static double
intercept_of(const struct lr_party *p, const double *w)
{
	return p->n_weights > p->n_features ? w[p->n_features] : 0;
}

/* Both kinds of messages have the same members for one binary model. */
#define FILL_MODEL(m, res, p, wp, weights)                                     \
	do {                                                                   \
		(m)->iters = (int32_t)(res)->iters;                            \
		(m)->n_loss_history = (res)->n_losses;                         \
		(m)->loss_history = (double *)(uintptr_t)(res)->losses;        \
		(m)->is_converged = (res)->is_converged;                       \
		(m)->best_iteration = (res)->best_iteration;                   \
		if ((p) != NULL) {                                             \
			(m)->n_weight = (p)->n_features;                       \
			(m)->weight = (void *)(wp);                            \
			(m)->n_header = (p)->n_features;                       \
			(m)->header = (p)->data->header;                       \
			(m)->intercept = intercept_of(p, weights);             \
		}                                                              \
	} while (0)

static int
fill_single(lr_single *m, const struct lr_result *res, lr_weight ***wp)
{
	int r;

	sluice__lr__single_model__init(m);
	if (res->party != NULL &&
	    (r = make_weights(res->party, res->w, wp)) != 0)
		return r;
	FILL_MODEL(m, res, res->party, *wp, res->w);
	return 0;
}

/* The name of class k: its label at the guest, its number elsewhere. */
static char *
class_name(const struct lr_result *res, size_t k)
{
	return res->classes != NULL ? xasprintf("%.15g", res->classes[k])
				    : xasprintf("%zu", k);
}

/* Room for the parts of a message with several models. */
struct several {
	size_t n;
	lr_single *models;
	lr_single **ptrs;
	lr_weight ***weights;
	char **names;
	lr_rest rest;
};

static void
several_fini(struct several *s)
{
	size_t k;

	for (k = 0; k < s->n; k++) {
		if (s->weights != NULL)
			free_weights(s->weights[k]);
		if (s->names != NULL)
			free(s->names[k]);
	}
	free(s->models);
	free(s->ptrs);
	free(s->weights);
	free(s->names);
}

static int
several_init(struct several *s, const struct lr_result *res)
{
	size_t k;
	int r;

	memset(s, 0, sizeof(*s));
	s->n = res->n_each;
	s->models = mem_array(s->n + 1, sizeof(*s->models));
	s->ptrs = mem_array(s->n + 1, sizeof(*s->ptrs));
	s->weights = mem_array(s->n + 1, sizeof(*s->weights));
	s->names = mem_array(s->n + 1, sizeof(*s->names));
	if (s->models == NULL || s->ptrs == NULL || s->weights == NULL ||
	    s->names == NULL)
		return err_code();
	for (k = 0; k < s->n; k++) {
		s->ptrs[k] = &s->models[k];
		s->names[k] = class_name(res, k);
		if ((r = fill_single(
			 &s->models[k], &res->each[k], &s->weights[k])) != 0)
			return r;
	}
	sluice__lr__one_vs_rest_result__init(&s->rest);
	s->rest.n_completed_models = s->rest.n_one_vs_rest_classes = s->n;
	s->rest.completed_models = s->ptrs;
	s->rest.one_vs_rest_classes = s->names;
	return 0;
}

static void
pack(const lr_param *m, void **out, size_t *size)
{
	*out = xmalloc(sluice__lr__lrmodel_param__get_packed_size(m) + 1);
	*size = sluice__lr__lrmodel_param__pack(m, *out);
}

static int
pack_several(const struct lr_result *res, void **out, size_t *size)
{
	lr_param m = SLUICE__LR__LRMODEL_PARAM__INIT;
	struct several s;
	int r;

	if ((r = several_init(&s, res)) == 0) {
		m.need_one_vs_rest = true;
		m.one_vs_rest_result = &s.rest;
		m.best_iteration = -1;
		if (res->party != NULL) {
			m.n_header = res->party->n_features;
			m.header = res->party->data->header;
		}
		pack(&m, out, size);
	}
	several_fini(&s);
	return r;
}

static int
pack_param(const struct lr_result *res, void **out, size_t *size)
{
	lr_param m = SLUICE__LR__LRMODEL_PARAM__INIT;
	const struct lr_party *p = res->party;
	lr_weight **wp = NULL;
	int r;

	if (res->n_each > 0)
		return pack_several(res, out, size);
	if (p != NULL && (r = make_weights(p, p->w, &wp)) != 0)
		return r;
	FILL_MODEL(&m, res, p, wp, p->w);
	pack(&m, out, size);
	free_weights(wp);
	return 0;
}

/* Both messages, to be freed by their content. */
static int
make_buffers(struct task *t, const struct lr_conf *c,
    const struct lr_result *res, struct task_buffer b[2])
{
	const struct names *names = names_of(t);
	void *meta, *param = NULL;
	int r;

	memset(b, 0, 2 * sizeof(*b));
	if ((r = pack_param(res, &param, &b[1].size)) != 0)
		return r;
	meta = pack_meta(names->module, c, res, &b[0].size);
	b[0].name = names->meta;
	b[0].message = "LRModelMeta";
	b[0].content = meta;
	b[1].name = names->param;
	b[1].message = "LRModelParam";
	b[1].content = param;
	return 0;
}

static void
free_buffers(struct task_buffer b[2])
{
	free((void *)(uintptr_t)b[0].content);
	free((void *)(uintptr_t)b[1].content);
}

int
lr_model_save(
    struct task *t, const struct lr_conf *c, const struct lr_result *res)
{
	struct task_buffer b[2];
	int r;

	if ((r = make_buffers(t, c, res, b)) == 0)
		r = task_output_model(t, b, 2);
	free_buffers(b);
	return r;
}

int
lr_checkpoint(struct task *t, const struct lr_conf *c,
    const struct lr_result *res, unsigned every)
{
	struct task_buffer b[2];
	unsigned step = res->iters - 1;
	int r;

	if (every == 0 || res->iters % every != 0)
		return 0;
	if ((r = make_buffers(t, c, res, b)) == 0)
		r = task_checkpoint(
		    t, step, CHECKPOINT_NAME, b, 2, CHECKPOINTS_KEPT);
	free_buffers(b);
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
lr_model_iters(struct task *t, size_t k, size_t n, unsigned *out)
{
	lr_param *m;
	size_t have;
	int32_t iters;
	int r;

	*out = 0;
	if (!task_has_model(t, TASK_MODEL))
		return 0;
	if ((r = unpack_param(t, &m)) != 0)
		return r;
	have = m->need_one_vs_rest && m->one_vs_rest_result != NULL
		   ? m->one_vs_rest_result->n_completed_models
		   : 1;
	if (have != n) {
		r = err_set(ERR_CONFLICT,
		    "the model to go on from is for %zu classes, the data "
		    "has %zu",
		    have, n);
		goto out;
	}
	iters = n == 1 ? m->iters
		       : m->one_vs_rest_result->completed_models[k]->iters;
	if (iters < 0)
		r = err_set(ERR_FORMAT, "the model is damaged");
	else
		*out = (unsigned)iters;
out:
	sluice__lr__lrmodel_param__free_unpacked(m, NULL);
	return r;
}

static int
weight_of(lr_weight *const *weights, size_t n, const char *column, double *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!str_eq(weights[i]->key, column))
			continue;
		*out = weights[i]->value;
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

/* One binary model's weights in the order of our columns, to w. */
static int
load_weights(const struct lr_party *p, lr_weight *const *weights, size_t n,
    double intercept, double *w)
{
	size_t i;
	int r;

	if (n != p->n_features)
		return err_set(ERR_INVALID,
		    "the model has %zu columns, the "
		    "data %zu",
		    n, p->n_features);
	for (i = 0; i < p->n_features; i++)
		if ((r = weight_of(weights, n, p->data->header[i], &w[i])) != 0)
			return r;
	if (p->n_weights > p->n_features)
		w[p->n_features] = intercept;
	return isfinite(intercept)
		   ? 0
		   : err_set(
			 ERR_FORMAT, "the model's intercept is not a number");
}

static int
load_single(struct lr_party *p, const lr_single *s, struct lr_model *out)
{
	out->iters = s->iters < 0 ? 0 : (unsigned)s->iters;
	out->is_converged = s->is_converged;
	out->best_iteration = s->best_iteration;
	if ((out->w = mem_array(p->n_weights + 1, sizeof(*out->w))) == NULL)
		return err_code();
	/* The map's entries have the same members in both messages. */
	return load_weights(p, (lr_weight *const *)(void *)s->weight,
	    s->n_weight, s->intercept, out->w);
}

static int
load_classes(struct lr_models *models, const lr_rest *rest, bool has_labels)
{
	char *end;
	size_t k;

	if (!has_labels)
		return 0;
	models->classes = mem_array(models->n, sizeof(*models->classes));
	if (models->classes == NULL)
		return err_code();
	for (k = 0; k < models->n; k++) {
		models->classes[k] = strtod(rest->one_vs_rest_classes[k], &end);
		if (*end != '\0' || !isfinite(models->classes[k]))
			return err_set(ERR_FORMAT,
			    "the model's class %zu has "
			    "no number",
			    k);
	}
	return 0;
}

static int
load_several(struct lr_party *p, const lr_rest *rest)
{
	size_t k, n = rest->n_completed_models;
	int r;

	if (n < 2 || n > LR_CLASSES_MAX || rest->n_one_vs_rest_classes != n)
		return err_set(ERR_FORMAT, "the model is damaged");
	if ((p->models.v = mem_array(n, sizeof(*p->models.v))) == NULL)
		return err_code();
	p->models.n = n;
	for (k = 0; k < n; k++)
		if ((r = load_single(
			 p, rest->completed_models[k], &p->models.v[k])) != 0)
			return r;
	return load_classes(&p->models, rest, p->has_labels);
}

static int
load_one(struct lr_party *p, const lr_param *m)
{
	struct lr_model *v;
	int r;

	if ((r = load_weights(p, m->weight, m->n_weight, m->intercept, p->w)) !=
	    0)
		return r;
	p->iters = m->iters < 0 ? 0 : (unsigned)m->iters;
	p->is_converged = m->is_converged;
	if ((v = mem_array(1, sizeof(*v))) == NULL)
		return err_code();
	p->models = (struct lr_models){ .n = 1, .v = v };
	v->iters = p->iters;
	v->is_converged = p->is_converged;
	v->best_iteration = m->best_iteration;
	if ((v->w = mem_array(p->n_weights + 1, sizeof(*v->w))) == NULL)
		return err_code();
	memcpy(v->w, p->w, p->n_weights * sizeof(*v->w));
	return 0;
}

int
lr_model_load(struct lr_party *p)
{
	lr_param *m;
	int r;

	if ((r = unpack_param(p->task, &m)) != 0)
		return r;
	p->has_loaded = true;
	if (m->need_one_vs_rest && m->one_vs_rest_result != NULL)
		r = load_several(p, m->one_vs_rest_result);
	else
		r = load_one(p, m);
	sluice__lr__lrmodel_param__free_unpacked(m, NULL);
	return r;
}

/* --- summary -------------------------------------------------------------------------- */

static void
add_coefficients(
    struct json_object *o, const struct lr_party *p, const double *w)
{
	struct json_object *coef = json_object_new_object();
	size_t i;

	for (i = 0; i < p->n_features; i++)
		json_add(coef, p->data->header[i], json_double(w[i]));
	json_add(o, "coef", coef);
	json_add(o, "intercept", json_double(intercept_of(p, w)));
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

static struct json_object *
summary_of(const struct lr_result *res, const double *w)
{
	struct json_object *o = json_object_new_object();

	if (res->party != NULL)
		add_coefficients(o, res->party, w);
	else
		add_losses(o, res);
	json_add_bool(o, "is_converged", res->is_converged);
	json_add_int(o, "best_iteration", res->best_iteration);
	return o;
}

int
lr_summary(
    struct task *t, const struct lr_result *res, struct json_object *validation)
{
	struct json_object *o, *one;
	char *name;
	size_t k;
	int r;

	if (res->n_each == 0)
		o = summary_of(res, res->party != NULL ? res->party->w : NULL);
	else
		o = json_object_new_object();
	for (k = 0; k < res->n_each; k++) {
		one = summary_of(&res->each[k], res->each[k].w);
		json_add_bool(one, "one_vs_rest", true);
		name = class_name(res, k);
		json_add(o, name, one);
		free(name);
	}
	if (validation != NULL)
		json_add(o, "validation_metrics", json_object_get(validation));
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
