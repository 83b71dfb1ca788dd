/*
 * A client's half of the horizontal training: epochs over its own rows, and
 * meetings where the weights of all are averaged.  Called by homo_lr.c.
 */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/components/homo_lr_impl.h"
#include "executor/components/secure_aggregation.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define NOTE_PART 16 /* bytes of a digest in the note */

_Static_assert(2 * NOTE_PART <= SECAGG_NOTE, "room in the note");

struct client {
	struct lr_party *p;
	const struct homo_conf *conf;
	struct homo_losses losses;
	struct secagg *agg;
	size_t n;	 /* rows */
	const double *y; /* 1 or -1 */
	uint32_t *order; /* rows as batches take them */
	double *z;	 /* room for a score of each row */
	double *gradient;
	double all_rows;  /* of all clients */
	bool has_trained; /* anything to weigh by rows */
};

/* --- what all clients must have in common ----------------------------------------- */

static void
digest_text(crypto_generichash_state *st, const char *s)
{
	crypto_generichash_update(st, (const unsigned char *)s, strlen(s) + 1);
}

/* Columns in their order, and the settings that time the meetings. */
static void
digest_plan(const struct lr_party *p, unsigned char out[NOTE_PART])
{
	const struct homo_session *session = p->ctx;
	const struct homo_conf *conf = session->conf;
	const struct lr_data *d = p->data;
	crypto_generichash_state st;
	char text[96];
	size_t i;

	snprintf(text, sizeof(text), "%u %u %u %d %zu",
	    p->has_loaded ? p->models.v[0].iters : 0, conf->lr.max_iter,
	    conf->every, conf->lr.fit_intercept, d->x->cols);
	crypto_generichash_init(&st, NULL, 0, NOTE_PART);
	digest_text(&st, text);
	for (i = 0; i < d->x->cols; i++)
		digest_text(&st, d->header[i]);
	crypto_generichash_final(&st, out, NOTE_PART);
}

/* The label that is not 1; zeroes where there is none, or many. */
static void
digest_other_label(const struct lr_party *p, unsigned char out[NOTE_PART])
{
	const struct lr_data *d = p->data;
	char label[32];
	size_t i;

	memset(out, 0, NOTE_PART);
	for (i = 0; i < d->x->rows && lr_is_positive(p, d, i); i++)
		;
	if (i == d->x->rows || p->models.classes != NULL)
		return;
	lr_label_text(d, &d->samples[i], label, sizeof(label));
	crypto_generichash(out, NOTE_PART, (const unsigned char *)label,
	    strlen(label), NULL, 0);
}

static int
check_note(const void *ctx, const struct task_party *peer,
    const unsigned char note[SECAGG_NOTE])
{
	const unsigned char *ours = ctx;

	if (memcmp(note, ours, NOTE_PART) != 0)
		return err_set(ERR_CONFLICT,
		    "%s %s has other columns, or "
		    "another max_iter, aggregate_iters, fit_intercept or "
		    "model to go on from; all clients of HomoLR have the same",
		    peer->role, peer->party_id);
	if (!sodium_is_zero(note + NOTE_PART, NOTE_PART) &&
	    !sodium_is_zero(ours + NOTE_PART, NOTE_PART) &&
	    memcmp(note + NOTE_PART, ours + NOTE_PART, NOTE_PART) != 0)
		return err_set(ERR_CONFLICT,
		    "%s %s has other labels than we; "
		    "HomoLR learns two classes, 1 and another",
		    peer->role, peer->party_id);
	return 0;
}

/* --- from the arbiter ---------------------------------------------------------------- */

static int
receive_numbers(struct client *c, const char *tag, size_t n, double *out)
{
	struct object o = { 0 };
	int r;

	if ((r = lr_receive(c->p->task, "aggregated_model", tag, "arbiter", 0,
		 LR_NUMBERS_SIZE(n), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, n, out)) != 0)
		r = lr_blame("aggregated_model", "arbiter");
	object_free(&o);
	return r;
}

static int
receive_flag(struct client *c, const char *tag)
{
	struct object o = { 0 };
	int r;

	if ((r = lr_receive(c->p->task, "is_converge", tag, "arbiter", 0,
		 LR_FLAG_SIZE, &o)) != 0)
		return r;
	if ((r = lr_get_flag(o.data, o.size, &c->p->is_converged)) != 0)
		r = lr_blame("is_converge", "arbiter");
	object_free(&o);
	return r;
}

static int
count_rows(struct client *c)
{
	double n = (double)c->n, all;
	char tag[LR_TAG];
	int r;

	lr_tag(tag, c->p->prefix, "rows");
	if ((r = secagg_send(c->agg, "party_weight", tag, &n, 1, 0,
		 HOMO_COUNT_BITS)) != 0 ||
	    (r = receive_numbers(c, tag, 1, &all)) != 0)
		return r;
	if (!(all >= n))
		return err_set(ERR_FORMAT,
		    "the arbiter counts %g rows, we "
		    "alone have %zu",
		    all, c->n);
	c->all_rows = all;
	return 0;
}

/* --- a meeting -------------------------------------------------------------------------- */

static double
share(const struct client *c)
{
	return c->has_trained ? (double)c->n / c->all_rows
			      : 1 / (double)secagg_clients(c->p->task);
}

static int
average_weights(struct client *c, const char *tag)
{
	struct lr_party *p = c->p;
	double by = share(c);
	size_t i;
	int r;

	for (i = 0; i < p->n_weights; i++)
		c->gradient[i] = p->w[i] * by;
	if ((r = secagg_send(c->agg, "model", tag, c->gradient, p->n_weights,
		 HOMO_FRAC, HOMO_BITS)) != 0 ||
	    (r = receive_numbers(c, tag, p->n_weights, p->w)) != 0)
		return r;
	for (i = 0; i < p->n_weights; i++)
		if (!(fabs(p->w[i]) <= LR_VALUE_MAX))
			return err_set(ERR_LIMIT,
			    "a weight from the arbiter "
			    "is beyond %g",
			    LR_VALUE_MAX);
	return 0;
}

/* z of n rows of x (NULL: the first ones). */
static void
linear_scores(const struct lr_party *p, const struct dense *x,
    const uint32_t *rows, size_t n, double *z)
{
	double bias = p->n_weights > p->n_features ? p->w[p->n_features] : 0;
	size_t k;

	dense_times(x, rows, n, p->w, z);
	for (k = 0; k < n; k++)
		z[k] += bias;
}

static void
score(struct client *c, const uint32_t *rows, size_t n)
{
	linear_scores(c->p, c->p->data->x, rows, n, c->z);
}

/* (sum of ln(1 + e^-yz) + penalty) / rows */
static double
own_loss(struct client *c)
{
	double sum = lr_party_penalty(c->p), m;
	size_t k;

	score(c, c->order, c->n);
	for (k = 0; k < c->n; k++) {
		m = -c->y[k] * c->z[k];
		sum += fmax(m, 0) + log1p(exp(-fabs(m)));
	}
	return sum / (double)c->n;
}

static int
average_loss(struct client *c, unsigned t, const char *tag)
{
	double loss = own_loss(c), part;
	int r;

	if (!(loss < HOMO_LOSS_MAX))
		return err_set(ERR_LIMIT,
		    "the loss is %g; normalise the "
		    "features or lower learning_rate",
		    loss);
	if ((r = homo_losses_add(&c->losses, c->p->task, t, loss)) != 0)
		return r;
	part = loss * share(c);
	return secagg_send(
	    c->agg, "loss", tag, &part, 1, HOMO_LOSS_FRAC, HOMO_LOSS_BITS);
}

static int
meet(struct client *c, unsigned t)
{
	char tag[LR_TAG];
	int r;

	lr_tag(tag, c->p->prefix, "%u", t);
	if ((r = average_weights(c, tag)) != 0 ||
	    (r = average_loss(c, t, tag)) != 0)
		return r;
	return receive_flag(c, tag);
}

/* --- an epoch ----------------------------------------------------------------------------- */

/* Rows [from, from + n): gradient of the mean of ln(1 + e^-yz). */
static int
train_batch(struct client *c, unsigned t, size_t from, size_t n)
{
	struct lr_party *p = c->p;
	const uint32_t *rows = c->order + from;
	double y, sum = 0;
	size_t k;

	score(c, rows, n);
	for (k = 0; k < n; k++) {
		y = c->y[from + k];
		/* (sigmoid(yz) - 1) y */
		c->z[k] = -y / (1 + exp(y * c->z[k]));
		sum += c->z[k];
	}
	dense_transposed_times(p->data->x, rows, n, c->z, c->gradient);
	if (p->n_weights > p->n_features)
		c->gradient[p->n_features] = sum;
	for (k = 0; k < p->n_weights; k++)
		c->gradient[k] /= (double)n;
	return lr_party_descend(p, t, c->gradient);
}

static int
train_epoch(struct client *c, unsigned t)
{
	int64_t wanted = c->conf->lr.batch_size;
	size_t from, n,
	    size =
		wanted < 0 || (uint64_t)wanted > c->n ? c->n : (size_t)wanted;
	int r = 0;

	for (from = 0; from < c->n && r == 0; from += n) {
		n = c->n - from < size ? c->n - from : size;
		r = train_batch(c, t, from, n);
	}
	c->has_trained = true;
	return r;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* With zeros the intercept begins at the log odds of our labels. */
static void
begin_intercept(struct client *c)
{
	struct lr_party *p = c->p;
	size_t i, positive = 0;

	if (p->n_weights == p->n_features || p->start > 0 ||
	    strcasecmp(c->conf->lr.init_method, "zeros") != 0)
		return;
	for (i = 0; i < c->n; i++)
		positive += c->y[i] > 0;
	if (positive > 0 && positive < c->n)
		p->w[p->n_features] =
		    log((double)positive / (double)(c->n - positive));
	else
		task_log(p->task, TASK_WARNING,
		    "all labels are the same; "
		    "the intercept begins at 0");
}

static int
prepare(struct client *c)
{
	struct lr_party *p = c->p;
	size_t i;
	int r;

	c->n = p->data->x->rows;
	if (c->n == 0 || p->n_weights == 0)
		return err_set(ERR_INVALID, "there is nothing to learn from: "
					    "no rows or no columns");
	c->order = mem_array(c->n, sizeof(*c->order));
	c->z = mem_array(c->n, sizeof(*c->z));
	c->gradient = mem_array(p->n_weights, sizeof(*c->gradient));
	if (c->order == NULL || c->z == NULL || c->gradient == NULL)
		return err_code();
	for (i = 0; i < c->n; i++)
		c->order[i] = (uint32_t)i;
	begin_intercept(c);
	if ((r = homo_losses_init(&c->losses, p->task, c->conf, p->prefix)) !=
	    0)
		return r;
	return count_rows(c);
}

static int
checkpoint(struct client *c, unsigned t)
{
	struct lr_result losses = { .losses = c->losses.v,
		.n_losses = c->losses.n };

	c->p->iters = t + 1;
	return lr_party_checkpoint(c->p, &losses);
}

static int
iterate(struct client *c)
{
	struct lr_party *p = c->p;
	unsigned t, last = c->conf->lr.max_iter;
	int r;

	for (t = p->start; t <= last; t++) {
		p->iters = t;
		if (homo_meets(c->conf, t) && (r = meet(c, t)) != 0)
			return err_wrap("iteration %u", t);
		if (p->is_converged || t == last)
			break;
		if ((r = train_epoch(c, t)) != 0 || (r = lr_look(p, t)) != 0 ||
		    (r = checkpoint(c, t)) != 0)
			return err_wrap("iteration %u", t);
		lr_iterated(p->task, &p->round, p->prefix, t, last);
	}
	return 0;
}

int
homo_client_train(struct lr_party *p)
{
	const struct homo_session *session = p->ctx;
	struct client c = {
		.p = p, .conf = session->conf, .agg = session->agg, .y = p->y
	};
	int r;

	if ((r = prepare(&c)) == 0)
		r = iterate(&c);
	free(c.order);
	free(c.z);
	free(c.gradient);
	free(p->losses);
	p->losses = c.losses.v;
	p->n_losses = c.losses.n;
	return r;
}

int
homo_client_score(
    struct lr_party *p, const struct lr_data *d, const char *tag, double *z)
{
	(void)tag; /* nothing travels */
	linear_scores(p, d->x, NULL, d->x->rows, z);
	return 0;
}

int
homo_client_join(struct lr_party *p)
{
	struct homo_session *session = p->ctx;
	unsigned char note[SECAGG_NOTE];

	memset(note, 0, sizeof(note));
	digest_plan(p, note);
	digest_other_label(p, note + NOTE_PART);
	return secagg_join(p->task, note, check_note, note, &session->agg);
}
