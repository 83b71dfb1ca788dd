/*
 * What guest and host of the vertical logistic regression do alike: weights,
 * encryption of their numbers, the gradient by way of the arbiter, the step.
 */
#include <math.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/components/hetero_lr_impl.h"
#include "executor/math/fixed.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

/* --- on the way --------------------------------------------------------------- */

void
lr_tag(char tag[LR_TAG], const char *prefix, const char *fmt, ...)
{
	size_t at = (size_t)snprintf(tag, LR_TAG, "%s", prefix);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(tag + at, LR_TAG - at, fmt, ap);
	va_end(ap);
}

int
lr_send(struct task *t, const char *name, const char *tag, const char *role,
    size_t index, struct buf *b)
{
	const struct task_party *p = task_member(t, role, index);
	int r;

	if (p == NULL)
		r = err_set(ERR_INVALID, "there is no %s", role);
	else
		r = task_remote(t, name, tag, p, 1, b->data, b->len);
	buf_clear(b);
	return r;
}

int
lr_receive(struct task *t, const char *name, const char *tag, const char *role,
    size_t index, size_t max, struct object *out)
{
	return task_get_max(t, name, tag, role, index, max, out);
}

int
lr_blame(const char *name, const char *role)
{
	return err_wrap("%s from %s", name, role);
}

/* --- weights -------------------------------------------------------------------- */

static void
draw_weights(const struct lr_conf *c, double *w, size_t n, bool is_normal)
{
	struct rng *g = xmalloc(sizeof(*g));
	size_t i;

	rng_seed(g, c->has_seed ? c->seed : randombytes_random());
	for (i = 0; i < n; i++)
		w[i] = is_normal ? rng_normal(g) : rng_uniform(g);
	free(g);
}

static int
init_weights(const struct lr_conf *c, double *w, size_t n)
{
	const char *m = c->init_method;
	double v;
	size_t i;

	if (strcasecmp(m, "random_uniform") == 0 ||
	    strcasecmp(m, "random_normal") == 0) {
		draw_weights(c, w, n, strcasecmp(m, "random_normal") == 0);
		return 0;
	}
	if (strcasecmp(m, "zeros") == 0)
		v = 0;
	else if (strcasecmp(m, "ones") == 0)
		v = 1;
	else if (strcasecmp(m, "const") == 0)
		v = c->init_const;
	else
		return err_set(ERR_INVALID,
		    "init_method %s is not known; "
		    "zeros, ones, const, random_uniform and random_normal "
		    "are",
		    m);
	for (i = 0; i < n; i++)
		w[i] = v;
	return 0;
}

int
lr_party_init(struct lr_party *p, bool has_intercept)
{
	int r;

	p->n_features = p->data->x->cols;
	p->n_weights = p->n_features + (has_intercept ? 1 : 0);
	p->w = mem_array(p->n_weights + 1, sizeof(*p->w));
	p->moved = mem_array(p->n_weights + 1, sizeof(*p->moved));
	if (p->w == NULL || p->moved == NULL)
		return err_code();
	if ((r = init_weights(p->conf, p->w, p->n_weights)) != 0)
		return r;
	return optimizer_new(&p->conf->optimizer, p->n_weights, &p->optimizer);
}

void
lr_models_fini(struct lr_models *m)
{
	size_t k;

	for (k = 0; m->v != NULL && k < m->n; k++) {
		free(m->v[k].w);
		free(m->v[k].losses);
	}
	free(m->v);
	free(m->classes);
	memset(m, 0, sizeof(*m));
}

void
lr_party_fini(struct lr_party *p)
{
	lr_data_free(p->data);
	lr_data_free(p->validate);
	lr_models_fini(&p->models);
	lr_watch_free(p->watch);
	json_object_put(p->history);
	free(p->losses);
	free(p->best);
	paillier_pub_free(p->pub);
	free(p->w);
	free(p->moved);
	optimizer_free(p->optimizer);
}

/* --- encryption ------------------------------------------------------------------- */

#define KEY_MESSAGE_MAX (LR_HEADER + 4 + 3 * (size_t)PAILLIER_BITS_MAX / 8)

int
lr_party_key(struct lr_party *p)
{
	struct object o = { 0 };
	int r;

	if (p->pub != NULL)
		return 0;
	if ((r = lr_receive(p->task, "paillier_pubkey", "0", "arbiter", 0,
		 KEY_MESSAGE_MAX, &o)) != 0)
		return r;
	if ((r = lr_get_key(o.data, o.size, &p->pub)) != 0)
		r = lr_blame("paillier_pubkey", "arbiter");
	object_free(&o);
	if (r != 0)
		return r;
	if (!fixed_fits(LR_LOSS_BITS, paillier_bits(p->pub)) ||
	    !fixed_fits(
		fixed_dot_bits(LR_VALUE_BITS, FIXED_INT_BITS, LR_ROWS_MAX),
		paillier_bits(p->pub)))
		return err_set(ERR_FORMAT, "the key is too short for sums of "
					   "this size");
	return paillier_pub_prepare(p->pub, p->pool);
}

int
lr_encode(const struct paillier_pub *pub, const double *v, size_t n,
    unsigned frac, unsigned value_bits, struct bigvec **out)
{
	struct bigvec *m;
	size_t i;
	int r;

	*out = NULL;
	if ((r = paillier_plain_new(pub, n, &m)) != 0)
		return r;
	for (i = 0; i < n && r == 0; i++)
		r = fixed_encode(v[i], frac, value_bits, paillier_n(pub),
		    m->limbs, bigvec_at(m, i));
	if (r != 0) {
		bigvec_wipe_free(m);
		return r;
	}
	*out = m;
	return 0;
}

int
lr_encrypt(struct lr_party *p, const double *v, size_t n, unsigned value_bits,
    struct bigvec **out)
{
	struct bigvec *m;
	int r;

	*out = NULL;
	if ((r = lr_encode(p->pub, v, n, LR_FRAC, value_bits, &m)) != 0)
		return r;
	r = paillier_encrypt(p->pub, m, p->pool, out);
	bigvec_wipe_free(m);
	return r;
}

int
lr_party_columns(
    const struct lr_party *p, const uint32_t *pick, size_t n, int64_t *out)
{
	size_t j, k;
	int r;

	for (j = 0; j < p->n_weights; j++)
		for (k = 0; k < n; k++)
			if ((r = fixed_int(
				 j < p->n_features
				     ? dense_row(p->data->x, pick[k])[j]
				     : 1,
				 p->conf->frac_bits, &out[j * n + k])) != 0)
				return r;
	return 0;
}

/* --- the gradient -------------------------------------------------------------------- */

/* v[i] -= mask[i] modulo n */
static void
unmask(
    const struct paillier_pub *pub, struct bigvec *v, const struct bigvec *mask)
{
	mp_size_t limbs = (mp_size_t)v->limbs;
	size_t i;

	for (i = 0; i < v->count; i++)
		if (mpn_sub_n(bigvec_at(v, i), bigvec_at(v, i),
			bigvec_at(mask, i), limbs) != 0)
			mpn_add_n(bigvec_at(v, i), bigvec_at(v, i),
			    paillier_n(pub), limbs);
}

/* sums masked by mask to the arbiter, what it decrypts back. */
static int
ask_arbiter(struct lr_party *p, const char *tag, struct bigvec *sums,
    struct bigvec *mask, struct bigvec **out)
{
	struct buf b = BUF_INIT;
	struct object o = { 0 };
	int r;

	*out = NULL;
	paillier_random_plain(p->pub, mask);
	if ((r = paillier_add_fresh(p->pub, sums, mask, p->pool)) != 0)
		return r;
	lr_put_ciphers(&b, sums, LR_FRAC + p->conf->frac_bits);
	r = lr_send(p->task, p->gradient_name, tag, "arbiter", 0, &b);
	buf_fini(&b);
	if (r != 0 || (r = lr_receive(p->task, p->reply_name, tag, "arbiter", 0,
			   lr_plains_size(p->pub, sums->count), &o)) != 0)
		return r;
	if ((r = lr_get_plains(o.data, o.size, p->pub, sums->count, out)) != 0)
		r = lr_blame(p->reply_name, "arbiter");
	object_free(&o);
	return r;
}

static int
decrypted_sums(struct lr_party *p, const char *tag, struct bigvec *sums,
    size_t n, double *out)
{
	unsigned bits = fixed_dot_bits(LR_VALUE_BITS, FIXED_INT_BITS, n);
	struct bigvec *mask, *v = NULL;
	size_t i;
	int r;

	if ((r = paillier_plain_new(p->pub, sums->count, &mask)) != 0)
		return r;
	if ((r = ask_arbiter(p, tag, sums, mask, &v)) == 0) {
		unmask(p->pub, v, mask);
		for (i = 0; i < v->count && r == 0; i++)
			r = fixed_decode(bigvec_at(v, i),
			    LR_FRAC + p->conf->frac_bits, bits,
			    paillier_n(p->pub), v->limbs, &out[i]);
	}
	bigvec_wipe_free(mask);
	bigvec_wipe_free(v);
	return r;
}

static int
check_weights(const struct lr_party *p)
{
	size_t i;

	for (i = 0; i < p->n_weights; i++)
		if (!(fabs(p->w[i]) <= LR_VALUE_MAX))
			return err_set(ERR_LIMIT,
			    "a weight is beyond %g; "
			    "normalise the features or lower learning_rate",
			    LR_VALUE_MAX);
	return 0;
}

/* The penalty never touches the intercept. */
int
lr_party_descend(struct lr_party *p, unsigned iteration, double *gradient)
{
	const struct lr_conf *c = p->conf;
	size_t i;

	for (i = 0; c->penalty == LR_L2 && i < p->n_features; i++)
		gradient[i] += c->alpha * p->w[i];
	optimizer_step(p->optimizer, iteration, gradient, gradient);
	for (i = 0; i < p->n_weights; i++) {
		p->w[i] -= gradient[i];
		p->moved[i] += gradient[i];
	}
	if (c->penalty == LR_L1)
		optimizer_l1_shrink(
		    p->optimizer, iteration, c->alpha, p->w, p->n_features);
	return check_weights(p);
}

int
lr_party_step(struct lr_party *p, const char *tag, unsigned iteration,
    struct bigvec *sums, const double *plain, size_t n)
{
	double *gradient = mem_array(p->n_weights + 1, sizeof(*gradient));
	size_t i;
	int r;

	if (gradient == NULL)
		return err_code();
	/* A party without columns has nothing to ask for. */
	r = p->n_weights == 0 ? 0 : decrypted_sums(p, tag, sums, n, gradient);
	if (r == 0) {
		for (i = 0; i < p->n_weights; i++)
			gradient[i] = (gradient[i] + plain[i]) / (double)n;
		r = lr_party_descend(p, iteration, gradient);
	}
	free(gradient);
	return r;
}

double
lr_party_penalty(const struct lr_party *p)
{
	double s = 0;
	size_t i;

	if (p->conf->penalty == LR_L2)
		return p->conf->alpha / 2 *
		       dense_dot(p->w, p->w, p->n_features);
	for (i = 0; p->conf->penalty == LR_L1 && i < p->n_features; i++)
		s += fabs(p->w[i]);
	return p->conf->alpha * s;
}

/* --- the end of an iteration -------------------------------------------------------- */

static int
send_norm(struct lr_party *p, unsigned iteration)
{
	double norm = dense_dot(p->moved, p->moved, p->n_weights);
	struct buf b = BUF_INIT;
	char tag[LR_TAG];
	int r;

	lr_tag(tag, p->prefix, "%u.norm", iteration);
	lr_put_numbers(&b, &norm, 1);
	r = lr_send(p->task, p->gradient_name, tag, "arbiter", 0, &b);
	buf_fini(&b);
	return r;
}

int
lr_party_end(struct lr_party *p, unsigned iteration)
{
	struct object o = { 0 };
	char tag[LR_TAG];
	int r;

	if (p->conf->stop == LR_STOP_WEIGHT_DIFF &&
	    (r = send_norm(p, iteration)) != 0)
		return r;
	memset(p->moved, 0, p->n_weights * sizeof(*p->moved));
	lr_tag(tag, p->prefix, "%u", iteration);
	if ((r = lr_receive(p->task, "converge_flag", tag, "arbiter", 0,
		 LR_FLAG_SIZE, &o)) != 0)
		return r;
	if ((r = lr_get_flag(o.data, o.size, &p->is_converged)) != 0)
		r = lr_blame("converge_flag", "arbiter");
	object_free(&o);
	p->iters = iteration + 1;
	return r;
}
