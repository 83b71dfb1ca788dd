/*
 * The learner's samples: read from tables, labels, and the order that all
 * parties follow.
 */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/schema.h"

/* --- reading ------------------------------------------------------------------ */

static int
check_value(const struct lr_data *d, const struct row *row, uint32_t j)
{
	if (isnan(row->values[j]))
		return err_set(ERR_FORMAT,
		    "row %llu has no value for %s; "
		    "missing_fill of DataTransform fills missing values",
		    (unsigned long long)row->number + 1, d->header[j]);
	if (fabs(row->values[j]) > LR_VALUE_MAX)
		return err_set(ERR_LIMIT,
		    "row %llu: %s is beyond %g; "
		    "normalise the features first, as with FeatureScale",
		    (unsigned long long)row->number + 1, d->header[j],
		    LR_VALUE_MAX);
	return 0;
}

static void
keep_sample(struct lr_data *d, const struct row *row)
{
	struct lr_sample *s = &d->samples[row->number];

	s->id = d->text.len;
	s->id_len = (uint16_t)row->id.len;
	buf_append(&d->text, row->id.data, row->id.len);
	s->flags = row->flags & (ROW_LABEL | ROW_LABEL_TEXT);
	s->label = row->label;
	s->label_text = d->text.len;
	s->label_len = (uint16_t)row->label_text.len;
	if (row->flags & ROW_LABEL_TEXT)
		buf_append(&d->text, row->label_text.data, row->label_text.len);
}

static int
keep_row(struct lr_data *d, const struct row *row)
{
	uint32_t j;
	int r;

	if (row->kind != ROW_DENSE || row->n_values != d->x->cols)
		return err_set(ERR_FORMAT,
		    "row %llu has %u values for %zu "
		    "columns; %s reads what DataTransform puts out",
		    (unsigned long long)row->number + 1, row->n_values,
		    d->x->cols, d->module);
	if (row->flags & ROW_WEIGHT)
		return err_set(ERR_UNSUPPORTED,
		    "sample weights are not "
		    "available in %s",
		    d->module);
	for (j = 0; j < row->n_values; j++)
		if ((r = check_value(d, row, j)) != 0)
			return r;
	if (row->n_values > 0)
		memcpy(dense_row(d->x, row->number), row->values,
		    row->n_values * sizeof(double));
	keep_sample(d, row);
	return 0;
}

static int
read_rows(struct lr_data *d, struct table *table)
{
	struct table_cursor *cur;
	struct row row;
	int r, got = 0;

	if ((r = table_scan(table, 0, table_count(table), &cur)) != 0)
		return r;
	while (r == 0 && (got = cursor_next(cur, &row)) == 1)
		r = keep_row(d, &row);
	cursor_free(cur);
	return r != 0 ? r : got;
}

static int
read_table(struct lr_data *d, struct table *table, const char *delimiter)
{
	size_t n = table_count(table);
	int r;

	if (n > LR_ROWS_MAX)
		return err_set(ERR_LIMIT, "%zu rows are too many, at most %u",
		    n, LR_ROWS_MAX);
	if ((r = schema_parse(
		 table_stat(table)->schema_json, delimiter, d->schema)) != 0) {
		free(d->schema);
		d->schema = NULL;
		return r;
	}
	d->header = d->schema->header;
	d->sid = d->schema->sid;
	if ((r = dense_new(n, d->schema->n_header, &d->x)) != 0)
		return r;
	if ((d->samples = mem_array(n + 1, sizeof(*d->samples))) == NULL)
		return err_code();
	return read_rows(d, table);
}

int
lr_data_load(struct task *t, const struct task_input *in, struct lr_data **out)
{
	struct lr_data *d;
	struct table *table;
	int r;

	*out = NULL;
	if ((r = task_open_table(t, in, &table)) != 0)
		return r;
	d = xcalloc(1, sizeof(*d));
	d->schema = xcalloc(1, sizeof(*d->schema));
	d->module = task_module(t);
	r = read_table(d, table, in->id_delimiter);
	table_close(table);
	if (r != 0) {
		lr_data_free(d);
		return err_wrap("%s", in->data_key);
	}
	*out = d;
	return 0;
}

void
lr_data_free(struct lr_data *d)
{
	if (d == NULL)
		return;
	if (d->schema != NULL)
		schema_fini(d->schema);
	free(d->schema);
	dense_free(d->x);
	free(d->samples);
	buf_fini(&d->text);
	free(d);
}

bool
lr_data_same_columns(const struct lr_data *a, const struct lr_data *b)
{
	size_t i;

	if (a->x->cols != b->x->cols)
		return false;
	for (i = 0; i < a->x->cols; i++)
		if (strcmp(a->header[i], b->header[i]) != 0)
			return false;
	return true;
}

/* --- labels ------------------------------------------------------------------- */

#define LABELS_SHOWN 10

void
lr_label_text(
    const struct lr_data *d, const struct lr_sample *s, char *out, size_t size)
{
	if (s->flags & ROW_LABEL_TEXT)
		snprintf(out, size, "%.*s", (int)s->label_len,
		    d->text.data + s->label_text);
	else
		snprintf(out, size, "%.15g", s->label);
}

/* Remember a label if it is new; false when there is no more room. */
static bool
note_label(char seen[LABELS_SHOWN][32], size_t *n, const char *label)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (strcmp(seen[i], label) == 0)
			return true;
	if (*n == LABELS_SHOWN)
		return false;
	snprintf(seen[(*n)++], 32, "%.31s", label);
	return true;
}

static int
too_many_labels(
    const char *module, char seen[LABELS_SHOWN][32], size_t n, bool more)
{
	struct buf b = BUF_INIT;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", seen[i]);
	r = err_set(ERR_UNSUPPORTED,
	    "the labels are %s%s; %s learns "
	    "two classes, 1 and another",
	    buf_str(&b), more ? ", …" : "", module);
	buf_fini(&b);
	return r;
}

int
lr_data_labels(const struct lr_data *d, double *y)
{
	char seen[LABELS_SHOWN][32], label[32];
	size_t i, n = 0;
	bool more = false;

	for (i = 0; i < d->x->rows; i++) {
		if (d->samples[i].flags == 0)
			return err_set(ERR_INVALID,
			    "row %zu has no label; "
			    "set with_label in DataTransform",
			    i + 1);
		lr_label_text(d, &d->samples[i], label, sizeof(label));
		more = !note_label(seen, &n, label) || more;
		y[i] = strcmp(label, "1") == 0 ? 1 : -1;
	}
	return n > 2 ? too_many_labels(d->module, seen, n, more) : 0;
}

int
lr_compare_labels(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
lr_data_distinct(const struct lr_data *d, double *v, size_t *n)
{
	const struct lr_sample *s;
	size_t i;

	*n = 0;
	for (i = 0; i < d->x->rows; i++) {
		s = &d->samples[i];
		if (s->flags == 0)
			return err_set(ERR_INVALID,
			    "row %zu has no label; "
			    "set with_label in DataTransform",
			    i + 1);
		if (s->flags & ROW_LABEL_TEXT)
			return 0; /* two classes at most */
		v[i] = s->label;
	}
	qsort(v, d->x->rows, sizeof(*v), lr_compare_labels);
	for (i = 0; i < d->x->rows; i++)
		if (*n == 0 || v[*n - 1] != v[i])
			v[(*n)++] = v[i];
	return *n <= LR_CLASSES_MAX
		   ? 0
		   : err_set(ERR_UNSUPPORTED,
			 "%zu different labels are too many for classes, at "
			 "most %d",
			 *n, LR_CLASSES_MAX);
}

void
lr_warn_of_classes(struct task *t, size_t n)
{
	if (n > LR_CLASSES_USUAL)
		task_log(t, TASK_WARNING,
		    "the label has %zu different values, and each counts as a "
		    "class: %zu models are trained, one for each against the "
		    "rest; is label_name of DataTransform the right column?  A "
		    "quantity is to be cut into few classes first",
		    n, n);
}

int
lr_data_places(
    const struct lr_data *d, const double *classes, size_t n, uint32_t **place)
{
	uint32_t *p = mem_array(d->x->rows + 1, sizeof(*p));
	const double *at;
	size_t i;

	*place = NULL;
	if (p == NULL)
		return err_code();
	for (i = 0; i < d->x->rows; i++) {
		at = bsearch(&d->samples[i].label, classes, n, sizeof(*classes),
		    lr_compare_labels);
		p[i] = (uint32_t)(at - classes);
	}
	*place = p;
	return 0;
}

int
lr_data_classes(
    const struct lr_data *d, double **classes, size_t *n, uint32_t **place)
{
	double *v = mem_array(d->x->rows + 1, sizeof(*v));
	int r;

	*classes = NULL;
	*place = NULL;
	*n = 0;
	r = v == NULL ? err_code() : lr_data_distinct(d, v, n);
	if (r == 0 && *n > 2)
		r = lr_data_places(d, v, *n, place);
	if (*place == NULL) {
		free(v);
		*n = 0;
		return r;
	}
	*classes = v;
	return 0;
}

int
lr_data_subset(const struct lr_data *d, const uint32_t *rows, size_t n,
    struct lr_data **out)
{
	struct lr_data *s = xcalloc(1, sizeof(*s));
	size_t i;
	int r;

	*out = NULL;
	s->header = d->header;
	s->module = d->module;
	s->sid = d->sid;
	s->samples = mem_array(n + 1, sizeof(*s->samples));
	r = s->samples == NULL ? err_code() : dense_new(n, d->x->cols, &s->x);
	if (r != 0) {
		lr_data_free(s);
		return r;
	}
	buf_append(&s->text, d->text.data, d->text.len);
	for (i = 0; i < n; i++) {
		s->samples[i] = d->samples[rows[i]];
		memcpy(dense_row(s->x, i), dense_row(d->x, rows[i]),
		    d->x->cols * sizeof(double));
	}
	*out = s;
	return 0;
}

/* --- one order for all ---------------------------------------------------------- */

static void
digest_id(const struct lr_data *d, size_t i, const unsigned char *key,
    unsigned char out[LR_DIGEST])
{
	const struct lr_sample *s = &d->samples[i];

	crypto_generichash(out, LR_DIGEST,
	    (const unsigned char *)d->text.data + s->id, s->id_len, key,
	    LR_DIGEST_KEY);
}

static void
samples_tag(char tag[LR_TAG], const char *of)
{
	snprintf(tag, LR_TAG, "%.16s.samples", of);
}

int
lr_data_announce(struct task *t, const struct lr_data *d, const char *of)
{
	unsigned char key[LR_DIGEST_KEY], *digests;
	struct buf b = BUF_INIT;
	char tag[LR_TAG];
	size_t i, n = d->x->rows;
	int r;

	samples_tag(tag, of);
	if ((digests = mem_array(n + 1, LR_DIGEST)) == NULL)
		return err_code();
	randombytes_buf(key, sizeof(key));
	for (i = 0; i < n; i++)
		digest_id(d, i, key, digests + i * LR_DIGEST);
	lr_put_samples(&b, key, digests, n);
	r = task_remote_role(t, "batch_info", tag, "host", b.data, b.len);
	buf_fini(&b);
	free(digests);
	return r;
}

struct keyed {
	unsigned char digest[LR_DIGEST];
	uint32_t row;
};

static int
by_digest(const void *a, const void *b)
{
	return memcmp(a, b, LR_DIGEST);
}

/* from[k] = our row of the guest's row k. */
static int
match_rows(const struct lr_data *d, const unsigned char *key,
    const unsigned char *digests, size_t n, uint32_t *from)
{
	struct keyed *ours, *k;
	size_t i, lacking = 0;

	ours = mem_array(d->x->rows + 1, sizeof(*ours));
	if (ours == NULL)
		return err_code();
	for (i = 0; i < d->x->rows; i++) {
		digest_id(d, i, key, ours[i].digest);
		ours[i].row = (uint32_t)i;
	}
	qsort(ours, d->x->rows, sizeof(*ours), by_digest);
	for (i = 0; i < n; i++) {
		k = bsearch(digests + i * LR_DIGEST, ours, d->x->rows,
		    sizeof(*ours), by_digest);
		if (k == NULL)
			lacking++;
		else
			from[i] = k->row;
	}
	free(ours);
	return lacking == 0 ? 0
			    : err_set(ERR_CONFLICT,
				  "%zu of the guest's "
				  "%zu rows are not among our %zu; run "
				  "Intersection first",
				  lacking, n, d->x->rows);
}

static int
reorder(struct lr_data *d, const uint32_t *from, size_t n)
{
	struct lr_sample *s;
	struct dense *x;
	size_t i;
	int r;

	if ((s = mem_array(n + 1, sizeof(*s))) == NULL)
		return err_code();
	if ((r = dense_new(n, d->x->cols, &x)) != 0) {
		free(s);
		return r;
	}
	for (i = 0; i < n; i++) {
		s[i] = d->samples[from[i]];
		memcpy(dense_row(x, i), dense_row(d->x, from[i]),
		    x->cols * sizeof(double));
	}
	dense_free(d->x);
	free(d->samples);
	d->x = x;
	d->samples = s;
	return 0;
}

int
lr_data_follow(struct task *t, struct lr_data *d, const char *of)
{
	const unsigned char *key, *digests;
	struct object o = { 0 };
	uint32_t *from = NULL;
	char tag[LR_TAG];
	size_t n;
	int r;

	samples_tag(tag, of);
	if ((r = lr_receive(t, "batch_info", tag, "guest", 0,
		 LR_HEADER + LR_DIGEST_KEY + (size_t)LR_ROWS_MAX * LR_DIGEST,
		 &o)) != 0)
		return r;
	if ((r = lr_get_samples(o.data, o.size, &key, &digests, &n)) != 0)
		r = lr_blame("batch_info", "guest");
	else if ((from = mem_array(n + 1, sizeof(*from))) == NULL)
		r = err_code();
	else if ((r = match_rows(d, key, digests, n, from)) == 0)
		r = reorder(d, from, n);
	object_free(&o);
	free(from);
	return r;
}
