/*
 * In which order components may run, or which of them wait for each other.
 * Called by dsl_parse() once all references are resolved.
 */
#include "lib/model/dsl_order.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define CYCLES_MAX 10	    /* reported */
#define CYCLE_NAMES_MAX 200 /* written out of one cycle */

/* --- edges ---------------------------------------------------------------- */

static int
compare_index(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* The distinct upstream components of c, sorted. */
static void
derive_ups(struct dsl *d, struct dsl_component *c)
{
	size_t i, n = 0;

	c->ups = arena_alloc(d->arena, (c->n_refs + 1) * sizeof(*c->ups));
	for (i = 0; i < c->n_refs; i++)
		c->ups[i] = c->refs[i].from;
	qsort(c->ups, c->n_refs, sizeof(*c->ups), compare_index);
	for (i = 0; i < c->n_refs; i++)
		if (n == 0 || c->ups[n - 1] != c->ups[i])
			c->ups[n++] = c->ups[i];
	c->n_ups = n;
}

/* Downstream edges: those of i stand at edge[first[i]] … edge[first[i+1]-1]. */
struct downs {
	size_t *first;
	size_t *edge;
};

static void
derive_downs(const struct dsl *d, struct downs *out)
{
	size_t *fill, i, j, total = 0;

	out->first = xcalloc(d->n + 1, sizeof(*out->first));
	for (i = 0; i < d->n; i++) {
		total += d->components[i].n_ups;
		for (j = 0; j < d->components[i].n_ups; j++)
			out->first[d->components[i].ups[j] + 1]++;
	}
	for (i = 0; i < d->n; i++)
		out->first[i + 1] += out->first[i];
	out->edge = xcalloc(total + 1, sizeof(*out->edge));
	fill = xcalloc(d->n + 1, sizeof(*fill));
	for (i = 0; i < d->n; i++)
		for (j = 0; j < d->components[i].n_ups; j++) {
			size_t up = d->components[i].ups[j];

			out->edge[out->first[up] + fill[up]++] = i;
		}
	free(fill);
}

/* --- a heap of ready components, the first of the document on top ---------- */

struct heap {
	size_t *items;
	size_t n;
};

static void
swap(size_t *a, size_t *b)
{
	size_t t = *a;

	*a = *b;
	*b = t;
}

static void
heap_push(struct heap *h, size_t x)
{
	size_t i = h->n++;

	h->items[i] = x;
	for (; i > 0 && h->items[(i - 1) / 2] > h->items[i]; i = (i - 1) / 2)
		swap(&h->items[i], &h->items[(i - 1) / 2]);
}

static size_t
heap_pop(struct heap *h)
{
	size_t top = h->items[0], i = 0, child;

	h->items[0] = h->items[--h->n];
	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && h->items[child + 1] < h->items[child])
			child++;
		if (h->items[i] <= h->items[child])
			break;
		swap(&h->items[i], &h->items[child]);
		i = child;
	}
	return top;
}

/* --- cycles --------------------------------------------------------------- */

enum { UNSEEN, ON_PATH, DONE };

/* Depth first along ups, without recursion: a document may be one chain. */
struct walk {
	const struct dsl *d;
	unsigned char *state;
	size_t *path; /* from the start to here */
	size_t *next; /* next up to look at, per path */
	size_t depth;
	size_t reported;
	const struct json_path *at;
	struct faults *faults;
};

static void
report_cycle(struct walk *w, size_t closing)
{
	struct buf text = BUF_INIT;
	size_t i = w->depth, n = 0;

	/* From the top of the path down to where the circle closes: each
	 * component needs the one named behind it. */
	while (w->path[i - 1] != closing)
		i--;
	buf_puts(&text, w->d->components[closing].name);
	for (; i < w->depth && n < CYCLE_NAMES_MAX; i++, n++)
		buf_printf(&text, " → %s", w->d->components[w->path[i]].name);
	buf_printf(&text, "%s → %s", i < w->depth ? " → …" : "",
	    w->d->components[closing].name);
	faults_add(w->faults,
	    JSON_PATH_KEY(
		JSON_PATH_KEY(w->at, w->d->components[closing].name), "input"),
	    "components wait for each other: %s (each needs the next)",
	    buf_str(&text));
	w->reported++;
	buf_fini(&text);
}

static void
walk_from(struct walk *w, size_t start)
{
	w->depth = 0;
	w->path[w->depth] = start;
	w->next[w->depth++] = 0;
	w->state[start] = ON_PATH;
	while (w->depth > 0) {
		size_t here = w->path[w->depth - 1];
		const struct dsl_component *c = &w->d->components[here];
		size_t up;

		if (w->next[w->depth - 1] == c->n_ups) {
			w->state[here] = DONE;
			w->depth--;
			continue;
		}
		up = c->ups[w->next[w->depth - 1]++];
		if (w->state[up] == ON_PATH && w->reported < CYCLES_MAX)
			report_cycle(w, up);
		if (w->state[up] == UNSEEN) {
			w->state[up] = ON_PATH;
			w->path[w->depth] = up;
			w->next[w->depth++] = 0;
		}
	}
}

/* Every cycle has an edge that leads back onto the path of the walk. */
static void
report_cycles(
    const struct dsl *d, const struct json_path *path, struct faults *faults)
{
	struct walk w = { .d = d, .at = path, .faults = faults };
	size_t i;

	w.state = xcalloc(d->n, sizeof(*w.state));
	w.path = xcalloc(d->n, sizeof(*w.path));
	w.next = xcalloc(d->n, sizeof(*w.next));
	for (i = 0; i < d->n; i++)
		if (w.state[i] == UNSEEN)
			walk_from(&w, i);
	free(w.state);
	free(w.path);
	free(w.next);
}

/* --- order ---------------------------------------------------------------- */

/* Kahn's algorithm with a heap; returns how many components were placed. */
static size_t
place_all(struct dsl *d, const struct downs *downs)
{
	struct heap ready = { xcalloc(d->n, sizeof(size_t)), 0 };
	size_t *waiting = xcalloc(d->n, sizeof(*waiting));
	size_t i, j, placed = 0;

	for (i = 0; i < d->n; i++)
		if ((waiting[i] = d->components[i].n_ups) == 0)
			heap_push(&ready, i);
	while (ready.n > 0) {
		i = heap_pop(&ready);
		d->components[i].seq = placed;
		d->order[placed++] = i;
		for (j = downs->first[i]; j < downs->first[i + 1]; j++)
			if (--waiting[downs->edge[j]] == 0)
				heap_push(&ready, downs->edge[j]);
	}
	free(waiting);
	free(ready.items);
	return placed;
}

void
dsl_order(struct dsl *d, const struct json_path *path, struct faults *faults)
{
	struct downs downs;
	size_t i;

	for (i = 0; i < d->n; i++)
		derive_ups(d, &d->components[i]);
	d->order = arena_alloc(d->arena, d->n * sizeof(*d->order));
	derive_downs(d, &downs);
	if (place_all(d, &downs) != d->n) {
		report_cycles(d, path, faults);
		for (i = 0; i < d->n; i++)
			d->order[i] = d->components[i].seq = i;
	}
	free(downs.first);
	free(downs.edge);
}
