/*
 * The optimisers as a table of step functions over one state of two moments.
 * Used by the linear learners, one object per party.
 */
#include "executor/math/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

struct optimizer {
	struct optimizer_conf conf;
	const struct method *method;
	size_t n;
	unsigned steps; /* taken so far */
	double *m;	/* first moment or sum */
	double *v;	/* second moment */
};

struct method {
	const char *name;
	double (*step)(struct optimizer *, size_t i, double lr, double g);
};

static double
sgd(struct optimizer *o, size_t i, double lr, double g)
{
	(void)o;
	(void)i;
	return lr * g;
}

static double
nesterov(struct optimizer *o, size_t i, double lr, double g)
{
	const double mu = 0.9;
	double v = mu * o->m[i] - lr * g;
	double step = mu * o->m[i] - (1 + mu) * v;

	o->m[i] = v;
	return step;
}

static double
rmsprop(struct optimizer *o, size_t i, double lr, double g)
{
	o->v[i] = 0.99 * o->v[i] + 0.01 * g * g;
	return lr * g / sqrt(o->v[i] + 1e-6);
}

static double
adagrad(struct optimizer *o, size_t i, double lr, double g)
{
	o->v[i] += g * g;
	return lr * g / (sqrt(o->v[i]) + 1e-7);
}

/* Kingma and Ba 2015; steps counts this one already. */
static double
adam(struct optimizer *o, size_t i, double lr, double g)
{
	const double b1 = 0.9, b2 = 0.999;
	double m, v;

	o->m[i] = b1 * o->m[i] + (1 - b1) * g;
	o->v[i] = b2 * o->v[i] + (1 - b2) * g * g;
	m = o->m[i] / (1 - pow(b1, o->steps));
	v = o->v[i] / (1 - pow(b2, o->steps));
	return lr * m / (sqrt(v) + 1e-8);
}

static const struct method methods[] = {
	{ "sgd", sgd },
	{ "nesterov_momentum_sgd", nesterov },
	{ "rmsprop", rmsprop },
	{ "adagrad", adagrad },
	{ "adam", adam },
};

static const struct method *
find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcasecmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

int
optimizer_new(
    const struct optimizer_conf *conf, size_t n, struct optimizer **out)
{
	const struct method *method = find(conf->name);
	struct optimizer *o;

	*out = NULL;
	if (strcasecmp(conf->name, "sqn") == 0)
		return err_set(ERR_UNSUPPORTED,
		    "optimizer sqn is not "
		    "available; rmsprop, adam, adagrad, sgd and "
		    "nesterov_momentum_sgd are");
	if (method == NULL)
		return err_set(
		    ERR_INVALID, "optimizer %s is not known", conf->name);
	o = xcalloc(1, sizeof(*o));
	o->conf = *conf;
	o->conf.name = method->name;
	o->method = method;
	o->n = n;
	o->m = mem_array(n == 0 ? 1 : n, sizeof(double));
	o->v = mem_array(n == 0 ? 1 : n, sizeof(double));
	if (o->m == NULL || o->v == NULL) {
		optimizer_free(o);
		return err_code();
	}
	*out = o;
	return 0;
}

void
optimizer_free(struct optimizer *o)
{
	if (o == NULL)
		return;
	free(o->m);
	free(o->v);
	free(o);
}

double
optimizer_rate(const struct optimizer *o, unsigned iteration)
{
	double slow = 1 + o->conf.decay * iteration;

	return o->conf.learning_rate / (o->conf.decay_sqrt ? sqrt(slow) : slow);
}

void
optimizer_step(struct optimizer *o, unsigned iteration, const double *gradient,
    double *step)
{
	double lr = optimizer_rate(o, iteration);
	size_t i;

	o->steps++;
	for (i = 0; i < o->n; i++)
		step[i] = o->method->step(o, i, lr, gradient[i]);
}

void
optimizer_l1_shrink(const struct optimizer *o, unsigned iteration, double alpha,
    double *w, size_t n)
{
	double by = alpha * o->conf.learning_rate / sqrt(iteration + 1.0);
	size_t i;

	for (i = 0; i < n; i++)
		w[i] = copysign(fmax(0, fabs(w[i]) - by), w[i]);
}
