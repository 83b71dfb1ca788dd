/*
 * Rankings.  Used by Evaluation and by trainers that validate on the way.
 */
#include "executor/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

struct item {
	double score;
	unsigned char is_positive;
};

struct ranking {
	size_t n;
	struct item *items;  /* by descending score */
	uint64_t *positives; /* among the first i, i = 0 … n */
};

static int
compare(const void *a, const void *b)
{
	double x = ((const struct item *)a)->score;
	double y = ((const struct item *)b)->score;

	return (x < y) - (x > y);
}

struct ranking *
ranking_new(const double *scores, const unsigned char *is_positive, size_t n)
{
	struct ranking *r = xcalloc(1, sizeof(*r));
	size_t i;

	r->n = n;
	r->items = mem_array(n + 1, sizeof(r->items[0]));
	r->positives = mem_array(n + 1, sizeof(r->positives[0]));
	if (r->items == NULL || r->positives == NULL) {
		ranking_free(r);
		return NULL;
	}
	for (i = 0; i < n; i++)
		r->items[i] = (struct item){ scores[i], is_positive[i] != 0 };
	qsort(r->items, n, sizeof(r->items[0]), compare);
	for (i = 0; i < n; i++)
		r->positives[i + 1] = r->positives[i] + r->items[i].is_positive;
	return r;
}

void
ranking_free(struct ranking *r)
{
	if (r == NULL)
		return;
	free(r->items);
	free(r->positives);
	free(r);
}

size_t
ranking_size(const struct ranking *r)
{
	return r->n;
}

uint64_t
ranking_positives(const struct ranking *r)
{
	return r->positives[r->n];
}

double
ranking_score(const struct ranking *r, size_t i)
{
	return r->items[i].score;
}

/* How many scores are greater than the threshold. */
static size_t
above(const struct ranking *r, double threshold)
{
	size_t low = 0, high = r->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (r->items[middle].score > threshold)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct confusion
ranking_at(const struct ranking *r, double threshold)
{
	size_t k = above(r, threshold);
	struct confusion c;

	c.tp = r->positives[k];
	c.fp = k - c.tp;
	c.fn = ranking_positives(r) - c.tp;
	c.tn = r->n - k - c.fn;
	return c;
}

/* Where the run of equal scores that begins at i ends. */
static size_t
run_end(const struct ranking *r, size_t i)
{
	size_t k = i + 1;

	while (k < r->n && r->items[k].score == r->items[i].score)
		k++;
	return k;
}

double
ranking_auc(const struct ranking *r)
{
	double pos = (double)ranking_positives(r);
	double neg = (double)r->n - pos;
	double sum = 0; /* of pairs in the right order */
	uint64_t p, q;
	size_t i, end;

	if (pos == 0 || neg == 0)
		return NAN;
	for (i = 0; i < r->n; i = end) {
		end = run_end(r, i);
		p = r->positives[end] - r->positives[i];
		q = end - i - p; /* negatives of this score */
		sum += (double)q * ((double)r->positives[i] + (double)p / 2);
	}
	return sum / (pos * neg);
}

void
cuts_by_index(const struct ranking *r, struct cuts *c)
{
	size_t i;

	c->n = r->n > 0 ? CUTS : 0;
	for (i = 0; i < c->n; i++) {
		c->cut[i] = (double)i / CUTS;
		c->threshold[i] = r->items[r->n * i / CUTS].score;
	}
}

void
cuts_by_step(const struct ranking *r, bool with_end, struct cuts *c)
{
	size_t i, k, n = 0, seen = 0;

	c->n = 0;
	if (r->n == 0)
		return;
	for (i = 0; i < r->n; i = run_end(r, i))
		n++;
	/* The k-th distinct score serves all cuts with floor(n c) = k. */
	for (i = 0, k = 0; i < CUTS; i++) {
		while (seen < n * i / CUTS) {
			k = run_end(r, k);
			seen++;
		}
		c->cut[c->n] = (double)i / CUTS;
		c->threshold[c->n++] = r->items[k].score;
	}
	if (with_end) {
		c->cut[c->n] = 1;
		c->threshold[c->n++] = r->items[r->n - 1].score - 0.001;
	}
}

void
cuts_fixed(struct cuts *c)
{
	size_t i;

	for (c->n = CUTS, i = 0; i < CUTS; i++)
		c->cut[i] = c->threshold[i] = (double)i / CUTS;
}

void
cuts_by_quantile(const struct ranking *r, struct cuts *c)
{
	size_t i;
	double place;

	c->n = r->n > 0 ? QUANTILES : 0;
	for (i = 0; i < c->n; i++) {
		c->cut[i] = 1 - (double)i / (QUANTILES - 1);
		/* Half-way goes to the even rank, counted from below. */
		place = nearbyint(c->cut[i] * (double)(r->n - 1));
		c->threshold[i] = r->items[r->n - 1 - (size_t)place].score;
	}
}

double
ranking_ks(const struct ranking *r)
{
	double pos = (double)ranking_positives(r);
	double neg = (double)r->n - pos, best = 0, d;
	size_t i, end;

	if (pos == 0 || neg == 0)
		return NAN;
	for (i = 0; i < r->n; i = end) {
		end = run_end(r, i);
		d = (double)r->positives[end] / pos -
		    (double)(end - r->positives[end]) / neg;
		if (d > best)
			best = d;
	}
	return best;
}

static void
add_point(const struct ranking *r, struct roc *out, size_t k, double threshold)
{
	double pos = (double)ranking_positives(r);
	double neg = (double)r->n - pos;

	out->tpr[out->n] = (double)r->positives[k] / pos;
	out->fpr[out->n] = (double)(k - r->positives[k]) / neg;
	out->threshold[out->n++] = threshold;
}

/* Do three places of the ranking lie on one line of the curve? */
static bool
is_straight(const struct ranking *r, size_t a, size_t b, size_t c)
{
	uint64_t tp1 = r->positives[b] - r->positives[a];
	uint64_t tp2 = r->positives[c] - r->positives[b];

	/* Equal steps in both directions: second differences are zero. */
	return tp1 == tp2 && b - a == c - b;
}

int
ranking_roc(const struct ranking *r, struct roc *out)
{
	size_t i, end, next, before = 0;

	memset(out, 0, sizeof(*out));
	out->fpr = mem_array(r->n + 1, sizeof(double));
	out->tpr = mem_array(r->n + 1, sizeof(double));
	out->threshold = mem_array(r->n + 1, sizeof(double));
	if (out->fpr == NULL || out->tpr == NULL || out->threshold == NULL) {
		roc_fini(out);
		return ERR_NOMEM;
	}
	add_point(r, out, 0, r->n > 0 ? r->items[0].score + 1 : 0);
	for (i = 0; i < r->n; i = end) {
		end = run_end(r, i);
		if (i > 0 && end < r->n) {
			next = run_end(r, end);
			if (is_straight(r, before, end, next)) {
				before = end;
				continue;
			}
		}
		before = end;
		add_point(r, out, end, r->items[i].score);
	}
	return 0;
}

void
roc_fini(struct roc *roc)
{
	free(roc->fpr);
	free(roc->tpr);
	free(roc->threshold);
	memset(roc, 0, sizeof(*roc));
}
