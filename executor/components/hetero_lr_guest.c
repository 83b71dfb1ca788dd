/*
 * The guest's half of the training: it has the labels, plans the batches and
 * puts the residuals and the loss together.  Called by hetero_lr.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "executor/math/fixed.h"
#include "executor/math/multiexp.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct guest {
	struct lr_party *p;
	size_t hosts;
	const double *y;     /* 1 or -1 */
	uint32_t *order;     /* rows as batches take them */
	uint32_t *spare;     /* room for the rows outside a batch */
	uint32_t **lists;    /* of each batch, as the hosts know it */
	struct bigvec *loss; /* of this iteration, encrypted */
};

struct batch {
	struct guest *g;
	char tag[LR_TAG];
	unsigned iteration;
	size_t n;		/* rows */
	const uint32_t *rows;	/* in the order of the batch */
	size_t n_list;		/* with decoys */
	uint32_t *place;	/* of each row in the list */
	double *z;		/* our part of the scores */
	double *half;		/* z/4 - y/2 */
	double *plain;		/* sums over our columns of half */
	struct bigvec *forward; /* hosts' z/4 of the list */
	int64_t *columns;	/* weights' columns, then the loss's */
};

/* --- batches ------------------------------------------------------------------- */

static void
plan_batches(struct guest *g)
{
	struct lr_party *p = g->p;
	const struct lr_conf *c = p->conf;
	uint32_t n = (uint32_t)p->data->x->rows;
	uint32_t size = c->batch_size < 0 || c->batch_size > n
			    ? n
			    : (uint32_t)c->batch_size;
	double list = fmin(n, rint((1 + c->masked_rate) * size));

	p->plan = (struct lr_plan){ .rows = n,
		.batch_size = size,
		.is_mutable = c->is_random,
		.batch_count = c->is_random ? 1 : (n - 1) / size + 1,
		.list_size = list > size ? (uint32_t)list : 0,
		.has_loss = g->hosts == 1 };
	/*
	 * A last batch of a few rows would let a host solve for their
	 * residuals: it gets decoys until it is as long as the others.
	 */
	if (p->plan.list_size == 0 && !c->is_random && n % size != 0 &&
	    n % size < size / 2)
		p->plan.list_size = size;
	p->plan.is_async = g->hosts == 1 && p->plan.list_size == 0;
}

static int
check_plan(const struct guest *g)
{
	const struct lr_conf *c = g->p->conf;
	size_t n = g->p->data->x->rows;

	if (n == 0)
		return err_set(ERR_INVALID, "there are no rows to learn from");
	if (g->hosts == 0)
		return err_set(ERR_INVALID, "HeteroLR needs a host");
	if (c->is_random && c->batch_size > (int64_t)n)
		return err_set(ERR_INVALID,
		    "batch_size %lld is more than the "
		    "%zu rows",
		    (long long)c->batch_size, n);
	return 0;
}

static int
send_plan(struct guest *g)
{
	struct task *t = g->p->task;
	struct buf b = BUF_INIT;
	char tag[LR_TAG];
	int r;

	lr_put_plan(&b, &g->p->plan);
	lr_tag(tag, g->p->prefix, "train");
	if ((r = task_remote_role(
		 t, "batch_info", tag, "host", b.data, b.len)) == 0)
		r = task_remote_role(
		    t, "batch_info", tag, "arbiter", b.data, b.len);
	buf_fini(&b);
	return r;
}

/*
 * The list that hosts get: the batch and decoys from the other rows, in an
 * order that does not tell which is which.  Without decoys, the batch.
 */
static void
make_list(struct guest *g, const uint32_t *rows, size_t n, uint32_t *list,
    size_t n_list, uint32_t *in_batch)
{
	uint32_t i, total = g->p->plan.rows;
	size_t others = 0;

	memcpy(list, rows, n * sizeof(*list));
	if (n_list == n)
		return;
	for (i = 0; i < n; i++)
		in_batch[rows[i]] = 1;
	for (i = 0; i < total; i++)
		if (!in_batch[i])
			g->spare[others++] = i;
	rng_shuffle_secret(g->spare, others);
	memcpy(list + n, g->spare, (n_list - n) * sizeof(*list));
	rng_shuffle_secret(list, n_list);
}

static int
send_list(struct guest *g, const char *tag, const uint32_t *list, size_t n)
{
	struct buf b = BUF_INIT;
	int r;

	lr_put_places(&b, list, n);
	r = task_remote_role(
	    g->p->task, "batch_data_index", tag, "host", b.data, b.len);
	buf_fini(&b);
	return r;
}

/* --- one batch ---------------------------------------------------------------------- */

static int
batch_alloc(struct batch *b)
{
	size_t cols = b->g->p->n_weights + 1;

	b->place = mem_array((size_t)b->g->p->plan.rows + 1, sizeof(*b->place));
	b->z = mem_array(b->n + 1, sizeof(*b->z));
	b->half = mem_array(b->n + 1, sizeof(*b->half));
	b->plain = mem_array(cols, sizeof(*b->plain));
	b->columns = mem_array(b->n * cols + 1, sizeof(*b->columns));
	return b->place == NULL || b->z == NULL || b->half == NULL ||
		       b->plain == NULL || b->columns == NULL
		   ? err_code()
		   : 0;
}

static void
batch_fini(struct batch *b)
{
	free(b->place);
	free(b->z);
	free(b->half);
	free(b->plain);
	free(b->columns);
	bigvec_free(b->forward);
}

/* What we can compute of scores and residuals. */
static void
score(struct batch *b)
{
	struct lr_party *p = b->g->p;
	double bias = p->n_weights > p->n_features ? p->w[p->n_features] : 0;
	size_t k;

	dense_times(p->data->x, b->rows, b->n, p->w, b->z);
	for (k = 0; k < b->n; k++) {
		b->z[k] += bias;
		b->half[k] = b->z[k] / 4 - b->g->y[b->rows[k]] / 2;
	}
	dense_transposed_times(p->data->x, b->rows, b->n, b->half, b->plain);
	for (k = 0; p->n_weights > p->n_features && k < b->n; k++)
		b->plain[p->n_features] += b->half[k];
}

/*
 * The list of a batch, made and sent when the hosts do not have it.  A batch
 * that comes back keeps its decoys: what changed between two lists would
 * tell them from the batch.
 */
static int
batch_list(struct batch *b, unsigned number)
{
	struct guest *g = b->g;
	uint32_t **list = &g->lists[number];
	char tag[LR_TAG];

	if (*list != NULL && !g->p->plan.is_mutable)
		return 0;
	free(*list);
	if ((*list = mem_array(b->n_list + 1, sizeof(**list))) == NULL)
		return err_code();
	make_list(g, b->rows, b->n, *list, b->n_list, b->place);
	lr_tag(tag, g->p->prefix, "%u", number);
	return send_list(
	    g, g->p->plan.is_mutable ? b->tag : tag, *list, b->n_list);
}

static int
batch_init(
    struct batch *b, struct guest *g, unsigned iteration, unsigned number)
{
	const struct lr_plan *plan = &g->p->plan;
	size_t i;
	int r;

	memset(b, 0, sizeof(*b));
	b->g = g;
	b->iteration = iteration;
	lr_tag(b->tag, g->p->prefix, "%u.%u", iteration, number);
	b->n = lr_plan_rows(plan, number);
	b->n_list = lr_plan_list(plan, number);
	if (plan->is_mutable)
		rng_shuffle_secret(g->order, plan->rows);
	b->rows = g->order + (size_t)number * plan->batch_size;
	if ((r = batch_alloc(b)) != 0 || (r = batch_list(b, number)) != 0)
		return r;
	for (i = 0; i < b->n_list; i++)
		b->place[g->lists[number][i]] = (uint32_t)i;
	return 0;
}

static int
send_residuals(struct batch *b, const struct bigvec *c)
{
	struct buf out = BUF_INIT;
	int r;

	lr_put_ciphers(&out, c, LR_FRAC);
	r = task_remote_role(
	    b->g->p->task, "fore_gradient", b->tag, "host", out.data, out.len);
	buf_fini(&out);
	return r;
}

/* Async: our half at once, before the host's has come. */
static int
send_half(struct batch *b)
{
	struct bigvec *c;
	int r;

	if ((r = lr_encrypt(b->g->p, b->half, b->n, LR_VALUE_BITS, &c)) != 0)
		return r;
	r = send_residuals(b, c);
	bigvec_free(c);
	return r;
}

static int
receive_ciphers(struct batch *b, const char *name, size_t host, size_t n,
    struct bigvec **out)
{
	struct lr_party *p = b->g->p;
	struct object o = { 0 };
	int r;

	*out = NULL;
	if ((r = lr_receive(p->task, name, b->tag, "host", host,
		 lr_ciphers_size(p->pub, n), &o)) != 0)
		return r;
	if ((r = lr_get_ciphers(o.data, o.size, p->pub, n, LR_FRAC, out)) != 0)
		r = lr_blame(name, "host");
	object_free(&o);
	return r;
}

/* b->forward = sum over the hosts. */
static int
receive_forward(struct batch *b)
{
	struct bigvec *c;
	size_t h;
	int r;

	if ((r = receive_ciphers(
		 b, "host_forward_dict", 0, b->n_list, &b->forward)) != 0)
		return r;
	for (h = 1; h < b->g->hosts && r == 0; h++) {
		if ((r = receive_ciphers(
			 b, "host_forward_dict", h, b->n_list, &c)) == 0)
			r = paillier_add(
			    b->g->p->pub, b->forward, c, b->g->p->pool);
		bigvec_free(c);
	}
	return r;
}

/*
 * Sync: residuals of the rows, zeroes for decoys, all encrypted afresh so
 * that hosts cannot tell them apart nor know their own numbers again.
 */
static int
send_whole(struct batch *b)
{
	struct lr_party *p = b->g->p;
	struct bigvec *c = NULL, *m = NULL;
	double *v = mem_array(b->n_list + 1, sizeof(*v));
	size_t k, limbs = b->forward->limbs;
	int r;

	if (v == NULL)
		return err_code();
	for (k = 0; k < b->n; k++)
		v[b->place[b->rows[k]]] = b->half[k];
	if ((r = bigvec_new(b->n_list, limbs, &c)) != 0 ||
	    (r = lr_encode(p->pub, v, b->n_list, LR_FRAC, LR_VALUE_BITS, &m)) !=
		0)
		goto out;
	for (k = 0; k < b->n_list; k++)
		bigvec_at(c, k)[0] = 1; /* zero without randomness */
	for (k = 0; k < b->n; k++)
		memcpy(bigvec_at(c, b->place[b->rows[k]]),
		    bigvec_at(b->forward, b->place[b->rows[k]]),
		    limbs * sizeof(mp_limb_t));
	if ((r = paillier_add_fresh(p->pub, c, m, p->pool)) == 0)
		r = send_residuals(b, c);
out:
	bigvec_free(c);
	bigvec_wipe_free(m);
	free(v);
	return r;
}

/* --- the loss ------------------------------------------------------------------------- */

/*
 * mean(ln 2 - yz/2 + z^2/8) + penalties, where
 * -yz/2 + z^2/8 = [-y zg/2 + zg^2/8] + (zh/4)(zg - 2y) + [zh^2/8].
 */
static double
own_loss(const struct batch *b)
{
	double s = 0, y;
	size_t k;

	for (k = 0; k < b->n; k++) {
		y = b->g->y[b->rows[k]];
		s += b->z[k] * (b->z[k] / 8 - y / 2);
	}
	return M_LN2 + s / (double)b->n + lr_party_penalty(b->g->p);
}

/* Exponents for the hosts' zh/4: (zg - 2y) / rows. */
static int
loss_column(const struct batch *b, int64_t *out)
{
	size_t k;
	int r;

	for (k = 0; k < b->n; k++)
		if ((r = fixed_int(
			 (b->z[k] - 2 * b->g->y[b->rows[k]]) / (double)b->n,
			 LR_LOSS_SHIFT, &out[k])) != 0)
			return err_wrap("loss");
	return 0;
}

/* Host's squares with their weight in the mean; out gets one ciphertext. */
static int
squares(struct batch *b, struct bigvec **out)
{
	struct lr_party *p = b->g->p;
	size_t k, n = p->plan.list_size != 0 ? b->n_list : 0;
	struct bigvec *c;
	struct multiexp *me = NULL;
	int64_t *x;
	int r;

	*out = NULL;
	if ((r = receive_ciphers(b, "loss_intermediate", 0, n + 1, &c)) != 0)
		return r;
	if ((x = mem_array(n + 1, sizeof(*x))) == NULL) {
		bigvec_free(c);
		return err_code();
	}
	for (k = 0; n > 0 && k < b->n; k++)
		x[b->place[b->rows[k]]] =
		    llrint(ldexp(1, LR_LOSS_SHIFT) / (double)b->n);
	x[n] = (int64_t)1 << LR_LOSS_SHIFT; /* mean or penalty */
	if ((r = multiexp_new(p->pub, c, p->pool, &me)) == 0)
		r = multiexp_run(me, x, 1, p->pool, out);
	multiexp_free(me);
	bigvec_free(c);
	free(x);
	return r;
}

/* Add this batch's loss to the iteration's; cross is the mixed part. */
static int
add_loss(struct batch *b, struct bigvec *cross)
{
	struct guest *g = b->g;
	struct lr_party *p = g->p;
	struct bigvec *c, *m = NULL;
	double own = own_loss(b);
	int r;

	if ((r = squares(b, &c)) != 0)
		return r;
	if ((r = paillier_add(p->pub, cross, c, p->pool)) != 0 ||
	    (r = lr_encode(p->pub, &own, 1, LR_LOSS_FRAC, LR_LOSS_BITS, &m)) !=
		0 ||
	    (r = paillier_add_plain(p->pub, cross, m, p->pool)) != 0)
		goto out;
	if (g->loss != NULL)
		r = paillier_add(p->pub, g->loss, cross, p->pool);
	else if ((r = bigvec_new(1, cross->limbs, &g->loss)) == 0)
		memcpy(g->loss->v, cross->v, bigvec_bytes(cross));
out:
	bigvec_free(c);
	bigvec_wipe_free(m);
	return r;
}

static int
send_loss(struct guest *g, unsigned iteration)
{
	struct lr_party *p = g->p;
	struct bigvec *zero;
	struct buf b = BUF_INIT;
	char tag[LR_TAG];
	int r;

	if ((r = paillier_plain_new(p->pub, 1, &zero)) != 0)
		return r;
	if ((r = paillier_add_fresh(p->pub, g->loss, zero, p->pool)) == 0) {
		lr_put_ciphers(&b, g->loss, LR_LOSS_FRAC);
		lr_tag(tag, p->prefix, "%u", iteration);
		r = lr_send(p->task, "loss", tag, "arbiter", 0, &b);
	}
	buf_fini(&b);
	bigvec_free(zero);
	bigvec_free(g->loss);
	g->loss = NULL;
	return r;
}

/* --- gradient ---------------------------------------------------------------------------- */

/* The forward scores of the batch's rows, in its order. */
static int
pick_forward(struct batch *b, struct bigvec **out)
{
	size_t k;
	int r;

	if ((r = bigvec_new(b->n, b->forward->limbs, out)) != 0)
		return r;
	for (k = 0; k < b->n; k++)
		memcpy(bigvec_at(*out, k),
		    bigvec_at(b->forward, b->place[b->rows[k]]),
		    b->forward->limbs * sizeof(mp_limb_t));
	return 0;
}

/* out = encrypted sums of zh/4 over the weights' columns and the loss's. */
static int
sum_columns(struct batch *b, size_t cols, struct bigvec **out)
{
	struct lr_party *p = b->g->p;
	struct bigvec *bases = NULL;
	struct multiexp *me = NULL;
	int r;

	*out = NULL;
	if ((r = lr_party_columns(p, b->rows, b->n, b->columns)) != 0 ||
	    (p->plan.has_loss &&
		(r = loss_column(b, b->columns + b->n * p->n_weights)) != 0) ||
	    (r = pick_forward(b, &bases)) != 0)
		return r;
	if ((r = multiexp_new(p->pub, bases, p->pool, &me)) == 0)
		r = multiexp_run(me, b->columns, cols, p->pool, out);
	multiexp_free(me);
	bigvec_free(bases);
	return r;
}

static int
descend(struct batch *b)
{
	struct lr_party *p = b->g->p;
	size_t cols = p->n_weights + (p->plan.has_loss ? 1 : 0);
	struct bigvec *sums, *cross = NULL;
	int r;

	if ((r = sum_columns(b, cols, &sums)) != 0)
		return r;
	if (p->plan.has_loss) {
		if ((r = bigvec_new(1, sums->limbs, &cross)) != 0)
			goto out;
		memcpy(
		    cross->v, bigvec_at(sums, cols - 1), bigvec_bytes(cross));
		sums->count = p->n_weights; /* the loss goes its own way */
		if ((r = add_loss(b, cross)) != 0)
			goto out;
	}
	r = lr_party_step(p, b->tag, b->iteration, sums, b->plain, b->n);
out:
	bigvec_free(sums);
	bigvec_free(cross);
	return r;
}

static int
train_batch(struct guest *g, unsigned iteration, unsigned number)
{
	struct batch b;
	int r;

	if ((r = batch_init(&b, g, iteration, number)) == 0) {
		score(&b);
		if (g->p->plan.is_async)
			r = send_half(&b);
		if (r == 0)
			r = receive_forward(&b);
		if (r == 0 && !g->p->plan.is_async)
			r = send_whole(&b);
		if (r == 0)
			r = descend(&b);
	}
	batch_fini(&b);
	return r;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int
prepare(struct guest *g)
{
	struct lr_party *p = g->p;
	uint32_t i, n = (uint32_t)p->data->x->rows;
	int r;

	g->order = mem_array((size_t)n + 1, sizeof(*g->order));
	g->spare = mem_array((size_t)n + 1, sizeof(*g->spare));
	if (g->order == NULL || g->spare == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		g->order[i] = i;
	if ((r = check_plan(g)) != 0)
		return r;
	if (p->conf->shuffle)
		rng_shuffle_secret(g->order, n);
	plan_batches(g);
	g->lists = mem_array(p->plan.batch_count, sizeof(*g->lists));
	if (g->lists == NULL)
		return err_code();
	if ((r = send_plan(g)) != 0)
		return r;
	return lr_party_key(p);
}

static int
iterate(struct guest *g, unsigned t)
{
	struct lr_party *p = g->p;
	unsigned i;
	int r;

	for (i = 0; i < p->plan.batch_count; i++)
		if ((r = train_batch(g, t, i)) != 0)
			return err_wrap("iteration %u, batch %u", t, i);
	if (p->plan.has_loss && (r = send_loss(g, t)) != 0)
		return r;
	if ((r = lr_party_end(p, t)) != 0 || (r = lr_look(p, t)) != 0)
		return r;
	return lr_party_checkpoint(p, NULL);
}

static void
guest_fini(struct guest *g)
{
	unsigned i;

	for (i = 0; g->lists != NULL && i < g->p->plan.batch_count; i++)
		free(g->lists[i]);
	free(g->lists);
	free(g->order);
	free(g->spare);
	bigvec_free(g->loss);
}

int
lr_guest_train(struct lr_party *p)
{
	struct guest g = {
		.p = p, .hosts = task_role_size(p->task, "host"), .y = p->y
	};
	unsigned t;
	int r;

	r = prepare(&g);
	for (t = p->start; r == 0 && t < p->conf->max_iter &&
			   !p->is_converged && !p->is_stopped;
	     t++)
		if ((r = iterate(&g, t)) == 0)
			lr_iterated(p->task, &p->round, p->prefix, t,
			    p->conf->max_iter);
	guest_fini(&g);
	return r;
}
