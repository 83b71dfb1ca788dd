/*
 * Prediction: the host's scores go to the guest, which adds its own and
 * writes the rows.  Called by hetero_lr.c after training and for test data.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/storage.h"
#include "lib/json/json.h"

int
lr_host_predict(struct lr_party *p, const struct lr_data *d, const char *type)
{
	struct buf b = BUF_INIT;
	double *z;
	int r;

	if ((z = mem_array(d->x->rows + 1, sizeof(*z))) == NULL)
		return err_code();
	dense_times(d->x, NULL, d->x->rows, p->w, z);
	lr_put_numbers(&b, z, d->x->rows);
	r = lr_send(p->task, "host_prob", type, "guest", 0, &b);
	buf_fini(&b);
	free(z);
	return r;
}

static int
add_host_scores(struct lr_party *p, const char *type, size_t host, size_t n,
    double *z, double *theirs)
{
	struct object o = { 0 };
	size_t i;
	int r;

	if ((r = lr_receive(p->task, "host_prob", type, "host", host,
		 LR_NUMBERS_SIZE(n), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, n, theirs)) != 0)
		r = lr_blame("host_prob", "host");
	for (i = 0; i < n && r == 0; i++)
		z[i] += theirs[i];
	object_free(&o);
	return r;
}

/* z = linear scores over all parties; theirs is room for a host's. */
static int
collect_scores(struct lr_party *p, const struct lr_data *d, const char *type,
    double *z, double *theirs)
{
	double bias = p->n_weights > p->n_features ? p->w[p->n_features] : 0;
	size_t h, i, n = d->x->rows, hosts;
	int r = 0;

	hosts = task_role_size(p->task, "host");
	dense_times(d->x, NULL, n, p->w, z);
	for (i = 0; i < n; i++)
		z[i] += bias;
	for (h = 0; h < hosts && r == 0; h++)
		r = add_host_scores(p, type, h, n, z, theirs);
	return r;
}

/* 1 / (1 + e^-z) without overflow on either side. */
static double
sigmoid(double z)
{
	return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

static int
write_row(const struct lr_party *p, const struct lr_data *d, size_t i,
    double score, const char *type, struct table_writer *w)
{
	const struct lr_sample *s = &d->samples[i];
	struct json_object *detail = json_object_new_object();
	struct row row = { .kind = ROW_PREDICT,
		.flags = s->flags,
		.id = { d->text.data + s->id, s->id_len },
		.label = s->label,
		.result = score > p->conf->threshold ? 1 : 0,
		.score = score,
		.type = { type, strlen(type) } };
	int r;

	if (s->flags & ROW_LABEL_TEXT)
		row.label_text =
		    (struct span){ d->text.data + s->label_text, s->label_len };
	json_add(detail, "0", json_double(1 - score));
	json_add(detail, "1", json_double(score));
	row.detail.data = json_text(detail);
	row.detail.len = strlen(row.detail.data);
	r = table_append(w, &row);
	json_object_put(detail);
	return r;
}

int
lr_predict_rows(const struct lr_party *p, const struct lr_data *d,
    const double *z, const char *type, struct table_writer *w)
{
	size_t i;
	int r = 0;

	for (i = 0; i < d->x->rows && r == 0; i++)
		r = write_row(p, d, i, sigmoid(z[i]), type, w);
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

int
lr_guest_predict(struct lr_party *p, const struct lr_data *d, const char *type,
    struct table_writer *w)
{
	size_t n = d->x->rows;
	double *z = mem_array(n + 1, sizeof(*z));
	double *theirs = mem_array(n + 1, sizeof(*theirs));
	int r;

	if (z == NULL || theirs == NULL)
		r = err_code();
	else
		r = collect_scores(p, d, type, z, theirs);
	if (r == 0)
		r = lr_predict_rows(p, d, z, type, w);
	free(z);
	free(theirs);
	return r;
}
