/*
 * Labels of rows.  Used by the splits, FederatedSample and LabelTransform.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/labels.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/cell.h"
#include "lib/engine/render.h"

#define EXACT 9007199254740992.0 /* 2^53: whole numbers up to here are exact */

int
labels_add(struct labels *l, const struct row *row)
{
	struct label *rows;
	size_t cap = l->cap != 0 ? 2 * l->cap : 1024;

	if ((row->flags & (ROW_LABEL | ROW_LABEL_TEXT)) == 0)
		return err_set(ERR_INVALID,
		    "row %llu has no label; set with_label in DataTransform",
		    (unsigned long long)row->number + 1);
	if (l->n == l->cap) {
		rows = reallocarray(l->rows, cap, sizeof(*rows));
		if (rows == NULL)
			return err_set(ERR_NOMEM, "%zu labels", cap);
		l->rows = rows;
		l->cap = cap;
	}
	l->rows[l->n] = (struct label){ .number = row->label };
	if (row->flags & ROW_LABEL_TEXT) {
		l->rows[l->n].is_text = true;
		l->rows[l->n].at = l->text.len;
		l->rows[l->n].len = row->label_text.len;
		buf_append(&l->text, row->label_text.data, row->label_text.len);
	}
	l->n++;
	return 0;
}

static int
compare(const struct labels *l, const struct label *a, const struct label *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int d;

	if (a->is_text != b->is_text)
		return a->is_text - b->is_text;
	if (!a->is_text)
		return (a->number > b->number) - (a->number < b->number);
	d = len > 0 ? memcmp(l->text.data + a->at, l->text.data + b->at, len)
		    : 0;
	return d != 0 ? d : (a->len > b->len) - (a->len < b->len);
}

static int
by_label(const void *a, const void *b, void *labels)
{
	return compare(labels, a, b);
}

int
labels_group(struct labels *l)
{
	struct label *hit;
	size_t i;

	l->distinct = mem_array(l->n + 1, sizeof(*l->distinct));
	l->class_of = mem_array(l->n + 1, sizeof(*l->class_of));
	if (l->distinct == NULL || l->class_of == NULL)
		return err_code();
	if (l->n == 0)
		return 0;
	memcpy(l->distinct, l->rows, l->n * sizeof(*l->rows));
	qsort_r(l->distinct, l->n, sizeof(*l->distinct), by_label, l);
	for (i = 1, l->n_distinct = 1; i < l->n; i++)
		if (compare(l, &l->distinct[i],
			&l->distinct[l->n_distinct - 1]) != 0)
			l->distinct[l->n_distinct++] = l->distinct[i];
	for (i = 0; i < l->n; i++) {
		size_t low = 0, high = l->n_distinct, mid;

		while (high - low > 1) {
			mid = low + (high - low) / 2;
			hit = &l->distinct[mid];
			if (compare(l, &l->rows[i], hit) < 0)
				high = mid;
			else
				low = mid;
		}
		l->class_of[i] = (uint32_t)low;
	}
	return 0;
}

void
labels_fini(struct labels *l)
{
	free(l->rows);
	free(l->distinct);
	free(l->class_of);
	buf_fini(&l->text);
	memset(l, 0, sizeof(*l));
}

void
label_text(const struct labels *l, const struct label *label, struct buf *out)
{
	if (label->is_text)
		buf_append(out, l->text.data + label->at, label->len);
	else if (label->number == floor(label->number) &&
		 fabs(label->number) < EXACT)
		buf_printf(out, "%.0f", label->number);
	else
		render_double(out, label->number);
}

size_t
labels_find(const struct labels *l, const char *text)
{
	struct span span = { text, strlen(text) };
	const struct label *d;
	double number;
	bool is_number = cell_number(span, &number);
	size_t i;

	for (i = 0; i < l->n_distinct; i++) {
		d = &l->distinct[i];
		if (d->is_text
			? d->len == span.len &&
			      memcmp(l->text.data + d->at, text, span.len) == 0
			: is_number && d->number == number)
			return i;
	}
	return SIZE_MAX;
}
