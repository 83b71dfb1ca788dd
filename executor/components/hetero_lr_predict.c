/*
 * Prediction: the host's scores go to the guest, which adds its own and
 * writes the rows.  Called by hetero_lr.c after training and for test data.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/storage.h"
#include "lib/json/json.h"

int
lr_host_scores(struct lr_party *p, const struct lr_data *d, const char *tag)
{
	struct buf b = BUF_INIT;
	double *z;
	int r;

	if ((z = mem_array(d->x->rows + 1, sizeof(*z))) == NULL)
		return err_code();
	dense_times(d->x, NULL, d->x->rows, p->w, z);
	lr_put_numbers(&b, z, d->x->rows);
	r = lr_send(p->task, "host_prob", tag, "guest", 0, &b);
	buf_fini(&b);
	free(z);
	return r;
}

static int
add_host_scores(struct lr_party *p, const char *tag, size_t host, size_t n,
    double *z, double *theirs)
{
	struct object o = { 0 };
	size_t i;
	int r;

	if ((r = lr_receive(p->task, "host_prob", tag, "host", host,
		 LR_NUMBERS_SIZE(n), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, n, theirs)) != 0)
		r = lr_blame("host_prob", "host");
	for (i = 0; i < n && r == 0; i++)
		z[i] += theirs[i];
	object_free(&o);
	return r;
}

int
lr_guest_scores(
    struct lr_party *p, const struct lr_data *d, const char *tag, double *z)
{
	double bias = p->n_weights > p->n_features ? p->w[p->n_features] : 0;
	size_t h, i, n = d->x->rows, hosts = task_role_size(p->task, "host");
	double *theirs = mem_array(n + 1, sizeof(*theirs));
	int r = 0;

	if (theirs == NULL)
		return err_code();
	dense_times(d->x, NULL, n, p->w, z);
	for (i = 0; i < n; i++)
		z[i] += bias;
	for (h = 0; h < hosts && r == 0; h++)
		r = add_host_scores(p, tag, h, n, z, theirs);
	free(theirs);
	return r;
}

double
lr_sigmoid(double z)
{
	return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

void
lr_say(const struct lr_party *p, const double *z, size_t n, size_t i,
    double *result, double *score)
{
	const struct lr_models *m = &p->models;
	double v;
	size_t k;

	*score = lr_sigmoid(z[i]);
	*result = m->n > 1 ? m->classes[0] : *score > p->conf->threshold;
	for (k = 1; k < m->n; k++) {
		v = lr_sigmoid(z[k * n + i]);
		if (v > *score) {
			*score = v;
			*result = m->classes[k];
		}
	}
}

/* {class: probability}; of several classes they do not add up to one. */
static struct json_object *
make_detail(const struct lr_party *p, const double *z, size_t n, size_t i)
{
	struct json_object *o = json_object_new_object();
	const struct lr_models *m = &p->models;
	char name[32];
	size_t k;

	if (m->n < 2) {
		json_add(o, "0", json_double(1 - lr_sigmoid(z[i])));
		json_add(o, "1", json_double(lr_sigmoid(z[i])));
	}
	for (k = 0; m->n > 1 && k < m->n; k++) {
		snprintf(name, sizeof(name), "%.15g", m->classes[k]);
		json_add(o, name, json_double(lr_sigmoid(z[k * n + i])));
	}
	return o;
}

static int
write_row(const struct lr_party *p, const struct lr_data *d, const double *z,
    size_t i, const char *type, const char *suffix, struct table_writer *w)
{
	const struct lr_sample *s = &d->samples[i];
	struct json_object *detail = make_detail(p, z, d->x->rows, i);
	struct buf id = BUF_INIT;
	struct row row = { .kind = ROW_PREDICT,
		.flags = s->flags,
		.label = s->label,
		.type = { type, strlen(type) } };
	int r;

	lr_say(p, z, d->x->rows, i, &row.result, &row.score);
	buf_append(&id, d->text.data + s->id, s->id_len);
	buf_puts(&id, suffix != NULL ? suffix : "");
	row.id = (struct span){ id.data, id.len };
	if (s->flags & ROW_LABEL_TEXT)
		row.label_text =
		    (struct span){ d->text.data + s->label_text, s->label_len };
	row.detail.data = json_text(detail);
	row.detail.len = strlen(row.detail.data);
	r = table_append(w, &row);
	json_object_put(detail);
	buf_fini(&id);
	return r;
}

static int
by_id(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = n > 0 ? memcmp(x->data, y->data, n) : 0;

	return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static struct span
id_of(const struct lr_data *d, size_t i)
{
	return (struct span){ d->text.data + d->samples[i].id,
		d->samples[i].id_len };
}

/* All ids, in order; NULL without memory. */
static struct span *
sorted_ids(const struct lr_data *d)
{
	struct span *ids = mem_array(d->x->rows + 1, sizeof(*ids));
	size_t i;

	if (ids == NULL)
		return NULL;
	for (i = 0; i < d->x->rows; i++)
		ids[i] = id_of(d, i);
	qsort(ids, d->x->rows, sizeof(*ids), by_id);
	return ids;
}

/*
 * The platform puts the rows of training and of validation together by id,
 * and of two with one id it keeps the first, which is that of training.
 */
static int
write_new_rows(const struct lr_party *p, const struct lr_data *d,
    const double *z, const char *type, struct table_writer *w)
{
	struct span *ids = sorted_ids(p->data), id;
	size_t i;
	int r = 0;

	if (ids == NULL)
		return err_code();
	for (i = 0; i < d->x->rows && r == 0; i++) {
		id = id_of(d, i);
		if (bsearch(&id, ids, p->data->x->rows, sizeof(*ids), by_id) ==
		    NULL)
			r = write_row(p, d, z, i, type, NULL, w);
	}
	free(ids);
	return r;
}

int
lr_write_rows(const struct lr_party *p, const struct lr_data *d,
    const double *z, const char *type, const char *suffix,
    struct table_writer *w)
{
	size_t i;
	int r = 0;

	if (suffix == NULL && d != p->data && strcmp(type, "validate") == 0)
		return write_new_rows(p, d, z, type, w);
	for (i = 0; i < d->x->rows && r == 0; i++)
		r = write_row(p, d, z, i, type, suffix, w);
	return r;
}

static struct json_object *
predict_schema(const struct lr_data *d)
{
	static const char *const names[] = { "label", "predict_result",
		"predict_score", "predict_detail", "type" };
	struct json_object *o = json_object_new_object();
	struct json_object *header = json_object_new_array();
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_array_add(header, json_object_new_string(names[i]));
	json_add(o, "header", header);
	json_add_str(o, "sid", d->sid);
	json_add_str(o, "content_type", "predict_result");
	return o;
}

int
lr_predict_finish(
    struct task *t, const struct lr_data *d, struct table_writer *w)
{
	struct json_object *schema = predict_schema(d);
	int r = task_output_finish(t, 0, w, schema, NULL);

	json_object_put(schema);
	return r;
}

/* The weights of model k, as those of the party, and its tag. */
static void
use_model(struct lr_party *p, const struct lr_mode *mode, int fold, unsigned k,
    const char *type, char tag[LR_TAG])
{
	char prefix[LR_PREFIX];

	memcpy(p->w, p->models.v[k].w, p->n_weights * sizeof(*p->w));
	lr_mode_prefix(mode, fold, k, prefix);
	lr_tag(tag, prefix, "%s", type);
}

int
lr_host_predict(struct lr_party *p, const struct lr_data *d,
    const struct lr_mode *mode, int fold, const char *type)
{
	char tag[LR_TAG];
	unsigned k;
	int r = 0;

	for (k = 0; k < p->models.n && r == 0; k++) {
		use_model(p, mode, fold, k, type, tag);
		r = lr_host_scores(p, d, tag);
	}
	return r;
}

int
lr_all_scores(struct lr_party *p, const struct lr_data *d,
    const struct lr_mode *mode, int fold, const char *type, double **z)
{
	size_t n = d->x->rows;
	char tag[LR_TAG];
	unsigned k;
	int r = 0;

	if ((*z = mem_array(p->models.n * n + 1, sizeof(**z))) == NULL)
		return err_code();
	for (k = 0; k < p->models.n && r == 0; k++) {
		use_model(p, mode, fold, k, type, tag);
		r = p->score(p, d, tag, *z + k * n);
	}
	return r;
}

int
lr_guest_predict(struct lr_party *p, const struct lr_data *d,
    const struct lr_mode *mode, const char *type, struct table_writer *w)
{
	double *z;
	int r;

	if ((r = lr_all_scores(p, d, mode, -1, type, &z)) == 0)
		r = lr_write_rows(p, d, z, type, NULL, w);
	free(z);
	return r;
}
