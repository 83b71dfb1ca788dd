/*
 * The host's half of the training: forward scores out, residuals in, its
 * own gradient.  Called by hetero_lr.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "executor/math/multiexp.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct host {
	struct lr_party *p;
	uint32_t **lists; /* rows of batches that come back */
};

/* One batch: its rows, and room for what is computed over them. */
struct batch {
	struct lr_party *p;
	char tag[LR_TAG];
	unsigned iteration;
	const uint32_t *rows;
	size_t n;      /* rows, with decoys */
	size_t real;   /* without */
	double *z;     /* our part of the scores */
	double *plain; /* our part of the gradient's sums */
	int64_t *columns;
};

static int
receive_plan(struct lr_party *p)
{
	struct object o = { 0 };
	char tag[LR_TAG];
	int r;

	lr_tag(tag, p->prefix, "train");
	if ((r = lr_receive(p->task, "batch_info", tag, "guest", 0,
		 LR_PLAN_SIZE, &o)) != 0)
		return r;
	if ((r = lr_get_plan(o.data, o.size, &p->plan)) != 0)
		r = lr_blame("batch_info", "guest");
	else if (p->plan.rows != p->data->x->rows)
		r = err_set(ERR_FORMAT,
		    "the guest plans with %u rows, we "
		    "have %zu in common",
		    p->plan.rows, p->data->x->rows);
	object_free(&o);
	return r;
}

/*
 * A batch of no more rows than we have columns would let us solve the
 * gradient for each row's residual, which is the label in disguise.
 */
static int
check_batch(const struct batch *b)
{
	if (b->n > b->p->n_features)
		return 0;
	return err_set(ERR_DENIED,
	    "a batch of %zu rows gives residuals away "
	    "to a host with %zu columns; make batch_size larger",
	    b->n, b->p->n_features);
}

static int
receive_rows(struct batch *b, unsigned number, uint32_t **list)
{
	struct lr_party *p = b->p;
	struct object o = { 0 };
	char tag[LR_TAG];
	int r;

	lr_tag(tag, p->prefix, "%u", number);
	if ((r = lr_receive(p->task, "batch_data_index",
		 p->plan.is_mutable ? b->tag : tag, "guest", 0,
		 LR_PLACES_SIZE(b->n), &o)) != 0)
		return r;
	if ((r = lr_get_places(o.data, o.size, p->plan.rows, b->n, list)) != 0)
		r = lr_blame("batch_data_index", "guest");
	object_free(&o);
	return r != 0 ? r : check_batch(b);
}

/* The rows of a batch: told once, or in each iteration when they change. */
static int
batch_rows(struct batch *b, struct host *h, unsigned number)
{
	uint32_t **list = &h->lists[number];
	int r;

	if (*list == NULL || b->p->plan.is_mutable) {
		free(*list);
		*list = NULL;
		if ((r = receive_rows(b, number, list)) != 0)
			return r;
	}
	b->rows = *list;
	return 0;
}

static int
batch_init(struct batch *b, struct host *h, unsigned iteration, unsigned number)
{
	struct lr_party *p = h->p;
	int r;

	memset(b, 0, sizeof(*b));
	b->p = p;
	b->iteration = iteration;
	b->n = lr_plan_list(&p->plan, number);
	b->real = lr_plan_rows(&p->plan, number);
	lr_tag(b->tag, p->prefix, "%u.%u", iteration, number);
	if ((r = batch_rows(b, h, number)) != 0)
		return r;
	b->z = mem_array(b->n + 1, sizeof(*b->z));
	b->plain = mem_array(p->n_weights + 1, sizeof(*b->plain));
	b->columns = mem_array(b->n * p->n_weights + 1, sizeof(*b->columns));
	if (b->z == NULL || b->plain == NULL || b->columns == NULL)
		return err_code();
	dense_times(p->data->x, b->rows, b->n, p->w, b->z);
	return 0;
}

static void
batch_fini(struct batch *b)
{
	free(b->z);
	free(b->plain);
	free(b->columns);
}

static int
send_encrypted(struct batch *b, const char *name, const double *v, size_t n,
    unsigned value_bits)
{
	struct bigvec *c;
	struct buf out = BUF_INIT;
	int r;

	if ((r = lr_encrypt(b->p, v, n, value_bits, &c)) != 0)
		return r;
	lr_put_ciphers(&out, c, LR_FRAC);
	r = lr_send(b->p->task, name, b->tag, "guest", 0, &out);
	buf_fini(&out);
	bigvec_free(c);
	return r;
}

static int
send_forward(struct batch *b)
{
	double *quarter = mem_array(b->n + 1, sizeof(*quarter));
	size_t k;
	int r;

	if (quarter == NULL)
		return err_code();
	for (k = 0; k < b->n; k++)
		quarter[k] = b->z[k] / 4;
	r = send_encrypted(
	    b, "host_forward_dict", quarter, b->n, LR_VALUE_BITS);
	/* The guest adds its half to these; we add ours in the clear. */
	if (b->p->plan.is_async)
		dense_transposed_times(
		    b->p->data->x, b->rows, b->n, quarter, b->plain);
	free(quarter);
	return r;
}

/*
 * Our squares for the loss: their mean, or each row's when only the guest
 * knows which of them count; and the penalty.
 */
static int
send_squares(struct batch *b)
{
	double penalty = lr_party_penalty(b->p);
	double *v;
	size_t k, n = b->p->plan.list_size == 0 ? 0 : b->n;
	int r;

	if ((v = mem_array(n + 1, sizeof(*v))) == NULL)
		return err_code();
	for (k = 0; k < n; k++)
		v[k] = b->z[k] * b->z[k] / 8;
	if (n == 0)
		v[0] = dense_dot(b->z, b->z, b->n) / 8 / (double)b->n;
	v[n] += penalty;
	r = send_encrypted(b, "loss_intermediate", v, n + 1, LR_SQUARE_BITS);
	free(v);
	return r;
}

static int
receive_residuals(struct batch *b, struct bigvec **out)
{
	struct lr_party *p = b->p;
	struct object o = { 0 };
	int r;

	*out = NULL;
	if ((r = lr_receive(p->task, "fore_gradient", b->tag, "guest", 0,
		 lr_ciphers_size(p->pub, b->n), &o)) != 0)
		return r;
	if ((r = lr_get_ciphers(o.data, o.size, p->pub, b->n, LR_FRAC, out)) !=
	    0)
		r = lr_blame("fore_gradient", "guest");
	object_free(&o);
	return r;
}

/* Encrypted sums over our columns, then the step. */
static int
descend(struct batch *b)
{
	struct lr_party *p = b->p;
	struct bigvec *residuals, *sums = NULL;
	struct multiexp *me = NULL;
	int r;

	if ((r = receive_residuals(b, &residuals)) != 0)
		return r;
	if ((r = lr_party_columns(p, b->rows, b->n, b->columns)) == 0 &&
	    (r = multiexp_new(p->pub, residuals, p->pool, &me)) == 0)
		r = multiexp_run(me, b->columns, p->n_weights, p->pool, &sums);
	bigvec_free(residuals);
	multiexp_free(me);
	/* Decoys are in the sums as zeroes but not in the mean. */
	if (r == 0)
		r = lr_party_step(
		    p, b->tag, b->iteration, sums, b->plain, b->real);
	bigvec_free(sums);
	return r;
}

static int
train_batch(struct host *h, unsigned iteration, unsigned number)
{
	struct batch b;
	int r;

	if ((r = batch_init(&b, h, iteration, number)) == 0 &&
	    (r = send_forward(&b)) == 0 &&
	    (!h->p->plan.has_loss || (r = send_squares(&b)) == 0))
		r = descend(&b);
	batch_fini(&b);
	return r == 0 ? 0
		      : err_wrap("iteration %u, batch %u", iteration, number);
}

static int
iterate(struct host *h)
{
	struct lr_party *p = h->p;
	unsigned t, i;
	int r;

	for (t = p->start;
	     t < p->conf->max_iter && !p->is_converged && !p->is_stopped; t++) {
		for (i = 0; i < p->plan.batch_count; i++)
			if ((r = train_batch(h, t, i)) != 0)
				return r;
		if ((r = lr_party_end(p, t)) != 0 || (r = lr_look(p, t)) != 0 ||
		    (r = lr_party_checkpoint(p, NULL)) != 0)
			return r;
		lr_iterated(
		    p->task, &p->round, p->prefix, t, p->conf->max_iter);
	}
	return 0;
}

int
lr_host_train(struct lr_party *p)
{
	struct host h = { .p = p };
	uint32_t i;
	int r;

	if ((r = lr_party_key(p)) != 0 || (r = receive_plan(p)) != 0)
		return r;
	h.lists = mem_array(p->plan.batch_count, sizeof(*h.lists));
	if (h.lists == NULL)
		return err_code();
	r = iterate(&h);
	for (i = 0; i < p->plan.batch_count; i++)
		free(h.lists[i]);
	free(h.lists);
	return r;
}
