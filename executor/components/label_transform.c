/*
 * LabelTransform: other names for labels.
 *
 * A fit takes the encoder that it is given, or numbers the labels in
 * ascending order from 0, and keeps it as the model.  With a model the same
 * encoder is applied; to predictions it is applied backwards, so that they
 * speak of the labels that the data had.  Labels that the encoder does not
 * know stay what they are.  A host without labels hands its table on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/labels.h"
#include "executor/components/model_io.h"
#include "executor/components/table_in.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/engine/cell.h"
#include "lib/engine/render.h"
#include "lib/json/json.h"
#include "proto/model/label_transform.pb-c.h"

#define META_BUFFER "LabelTransformMeta"
#define PARAM_BUFFER "LabelTransformParam"
#define CODES_MAX 10000 /* different labels */

/* The kinds of labels, by the names that the model keeps. */
static const char *const kinds[] = { "int", "float", "str" };
enum kind { KIND_INT, KIND_FLOAT, KIND_TEXT };

struct value {
	enum kind kind;
	char *text; /* as people and the model write it */
	double number;
};

struct code {
	struct value from;
	struct value to;
};

struct label_transform {
	struct task *task;
	struct table_in in;
	bool is_backwards;
	struct code *codes;
	size_t n;
	struct table_writer *writer;
	struct buf detail;
};

/* --- values --------------------------------------------------------------------- */

static struct value
number_value(double number, bool is_whole)
{
	struct buf text = BUF_INIT;
	struct value v = { .kind = is_whole ? KIND_INT : KIND_FLOAT,
		.number = number };

	if (is_whole)
		buf_printf(&text, "%.0f", number);
	else
		render_double(&text, number);
	v.text = buf_steal(&text);
	return v;
}

static int
json_value(struct json_object *o, const char *parameter, struct value *out)
{
	switch (json_object_get_type(o)) {
	case json_type_int:
		*out = number_value((double)json_object_get_int64(o), true);
		return 0;
	case json_type_double:
		*out = number_value(json_object_get_double(o), false);
		return 0;
	case json_type_string:
		*out = (struct value){ .kind = KIND_TEXT,
			.text = xstrdup(json_object_get_string(o)) };
		return 0;
	default:
		return err_set(ERR_INVALID,
		    "%s has %s; labels are numbers or texts", parameter,
		    json_object_to_json_string(o));
	}
}

static int
typed_value(const char *text, const char *kind, struct value *out)
{
	struct value v = { .kind = KIND_TEXT };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_eq(kind, kinds[i]))
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return err_set(ERR_FORMAT,
		    "the input model has label %s of type %s, known are int, "
		    "float and str",
		    text, kind != NULL ? kind : "none");
	v.kind = (enum kind)i;
	if (v.kind != KIND_TEXT &&
	    !cell_number((struct span){ text, strlen(text) }, &v.number))
		return err_set(ERR_FORMAT,
		    "the input model has label %s, which is no %s", text, kind);
	v.text = xstrdup(text);
	*out = v;
	return 0;
}

static bool
value_is(const struct value *v, const struct value *other)
{
	if ((v->kind == KIND_TEXT) != (other->kind == KIND_TEXT))
		return false;
	return v->kind == KIND_TEXT ? str_eq(v->text, other->text)
				    : v->number == other->number;
}

static bool
value_is_text(const struct value *v, struct span text)
{
	double number;

	if (v->kind == KIND_TEXT)
		return cell_equals(text, v->text);
	return cell_number(text, &number) && number == v->number;
}

/* --- the encoder ----------------------------------------------------------------- */

/* Takes over both values. */
static int
add_code(struct label_transform *l, struct value from, struct value to)
{
	size_t i;

	l->codes = xrealloc(l->codes, (l->n + 1) * sizeof(*l->codes));
	l->codes[l->n++] = (struct code){ from, to };
	if (l->n > CODES_MAX)
		return err_set(ERR_LIMIT,
		    "more than %d different labels; is this a column of "
		    "classes?",
		    CODES_MAX);
	for (i = 0; i + 1 < l->n; i++)
		if (value_is(&l->codes[i].from, &from))
			return err_set(ERR_INVALID,
			    "label %s stands in the encoder twice", from.text);
	return 0;
}

/* The true form of a key: JSON can only write it as a text. */
static int
key_value(struct label_transform *l, const char *key, bool is_number,
    struct value *out)
{
	struct json_object *list = task_param(l->task, "label_list");
	double number;
	size_t i;
	int r;

	for (i = 0; json_is_array(list) && i < json_object_array_length(list);
	     i++) {
		if ((r = json_value(json_object_array_get_idx(list, i),
			 "label_list", out)) != 0)
			return r;
		if (value_is_text(out, (struct span){ key, strlen(key) }))
			return 0;
		free(out->text);
		out->text = NULL;
	}
	if (json_is_array(list))
		return err_set(ERR_INVALID,
		    "label_encoder has %s, label_list does not", key);
	if (is_number &&
	    cell_number((struct span){ key, strlen(key) }, &number))
		*out = number_value(number, number == floor(number));
	else
		*out = (struct value){ KIND_TEXT, xstrdup(key), 0 };
	return 0;
}

/* Without label_list the table tells whether its labels are numbers. */
static int
read_encoder(struct label_transform *l, bool is_number)
{
	struct json_object *o = task_param(l->task, "label_encoder");
	struct value from, to;
	int r;

	if (!json_is_object(o))
		return err_set(ERR_INVALID,
		    "label_encoder must be an object of old and new labels");
	json_object_object_foreach(o, key, v)
	{
		if ((r = key_value(l, key, is_number, &from)) != 0)
			return r;
		if ((r = json_value(v, "label_encoder", &to)) != 0) {
			free(from.text);
			return r;
		}
		if ((r = add_code(l, from, to)) != 0)
			return r;
	}
	return 0;
}

static int
keep_label(void *labels, const struct row *row)
{
	return labels_add(labels, row);
}

static int
number_labels(struct label_transform *l, const struct labels *labels)
{
	const struct label *d = labels->distinct;
	struct buf text = BUF_INIT;
	bool is_whole = true;
	struct value from;
	size_t i;
	int r = 0;

	for (i = 0; i < labels->n_distinct; i++)
		is_whole = is_whole && d[i].number == floor(d[i].number);
	for (i = 0; r == 0 && i < labels->n_distinct; i++) {
		buf_clear(&text);
		label_text(labels, &d[i], &text);
		from = d[i].is_text ? (struct value){ KIND_TEXT,
			xstrdup(buf_str(&text)), 0 }
				    : number_value(d[i].number, is_whole);
		r = add_code(l, from, number_value((double)i, true));
	}
	buf_fini(&text);
	return r;
}

static int
fit(struct label_transform *l)
{
	struct labels labels = { 0 };
	int r;

	if ((r = table_in_each(
		 &l->in, "reading labels", keep_label, &labels)) == 0 &&
	    (r = labels_group(&labels)) == 0)
		r = task_param(l->task, "label_encoder") != NULL
			? read_encoder(l, labels.n_distinct > 0 &&
					      !labels.distinct[0].is_text)
			: number_labels(l, &labels);
	labels_fini(&labels);
	return r;
}

/* --- applying it ------------------------------------------------------------------ */

static const struct value *
look_up(const struct label_transform *l, const struct value *label)
{
	const struct code *c;

	for (c = l->codes; c < l->codes + l->n; c++)
		if (value_is(l->is_backwards ? &c->to : &c->from, label))
			return l->is_backwards ? &c->from : &c->to;
	return NULL;
}

static const struct value *
look_up_text(const struct label_transform *l, const char *text)
{
	struct span span = { text, strlen(text) };
	const struct code *c;

	for (c = l->codes; c < l->codes + l->n; c++)
		if (value_is_text(l->is_backwards ? &c->to : &c->from, span))
			return l->is_backwards ? &c->from : &c->to;
	return NULL;
}

static void
set_label(struct row *row, const struct value *v)
{
	row->flags &= ~(ROW_LABEL | ROW_LABEL_TEXT);
	if (v->kind == KIND_TEXT) {
		row->flags |= ROW_LABEL_TEXT;
		row->label_text = (struct span){ v->text, strlen(v->text) };
	} else {
		row->flags |= ROW_LABEL;
		row->label = v->number;
	}
}

static void
encode_label(const struct label_transform *l, struct row *row)
{
	struct value label = { .kind = KIND_FLOAT, .number = row->label };
	const struct value *to;
	char *text = NULL;

	if ((row->flags & (ROW_LABEL | ROW_LABEL_TEXT)) == 0)
		return;
	if (row->flags & ROW_LABEL_TEXT) {
		text = xstrndup(row->label_text.data, row->label_text.len);
		label = (struct value){ KIND_TEXT, text, 0 };
	}
	if ((to = look_up(l, &label)) != NULL)
		set_label(row, to);
	free(text);
}

/* {"0": 0.4, "1": 0.6} under its new names. */
static int
encode_detail(struct label_transform *l, struct row *row)
{
	struct json_object *old = NULL, *new;
	const struct value *to;
	int r;

	r = json_parse(row->detail.data, row->detail.len, 1 << 20, &old);
	if (r != 0 || !json_is_object(old)) {
		json_object_put(old);
		return err_set(ERR_FORMAT,
		    "row %llu: predict_detail is no JSON object",
		    (unsigned long long)row->number + 1);
	}
	new = json_object_new_object();
	json_object_object_foreach(old, key, v)
	{
		to = look_up_text(l, key);
		json_add(new, to != NULL ? to->text : key, json_object_get(v));
	}
	buf_clear(&l->detail);
	buf_puts(&l->detail, json_text(new));
	row->detail = (struct span){ l->detail.data, l->detail.len };
	json_object_put(new);
	json_object_put(old);
	return 0;
}

static int
encode_prediction(struct label_transform *l, struct row *row)
{
	struct value result = { .kind = KIND_FLOAT, .number = row->result };
	const struct value *to = look_up(l, &result);

	if (to != NULL && to->kind == KIND_TEXT)
		return err_set(ERR_UNSUPPORTED,
		    "prediction %g would become the text \"%s\"; the "
		    "predict_result of a table is a number",
		    row->result, to->text);
	if (to != NULL)
		row->result = to->number;
	return encode_detail(l, row);
}

static int
write_row(void *ctx, const struct row *row)
{
	struct label_transform *l = ctx;
	struct row out = *row;
	int r;

	encode_label(l, &out);
	if (row->kind == ROW_PREDICT && (r = encode_prediction(l, &out)) != 0)
		return r;
	return table_append(l->writer, &out);
}

static int
write_table(struct label_transform *l)
{
	struct task_output_options options = {
		.partitions = table_stat(l->in.table)->partitions
	};
	int r;

	if ((r = task_output_create(l->task, 0, &l->writer)) != 0 ||
	    (r = table_in_each(&l->in, "transforming", write_row, l)) != 0)
		return r;
	r = task_output_finish(
	    l->task, 0, l->writer, l->in.schema.json, &options);
	l->writer = NULL;
	return r;
}

/* --- model ----------------------------------------------------------------------- */

static int
put_model(struct label_transform *l, bool need_run)
{
	Sluice__Model__LabelTransformMeta meta =
	    SLUICE__MODEL__LABEL_TRANSFORM_META__INIT;
	Sluice__Model__LabelTransformParam p =
	    SLUICE__MODEL__LABEL_TRANSFORM_PARAM__INIT;
	struct arena *a = arena_new();
	char *from;
	size_t i;
	int r;

	meta.need_run = need_run;
	p.label_encoder = arena_alloc(a, (l->n + 1) * sizeof(void *));
	p.encoder_key_type = arena_alloc(a, (l->n + 1) * sizeof(void *));
	p.encoder_value_type = arena_alloc(a, (l->n + 1) * sizeof(void *));
	p.n_label_encoder = p.n_encoder_key_type = l->n;
	p.n_encoder_value_type = l->n;
	for (i = 0; i < l->n; i++) {
		from = l->codes[i].from.text;
		p.label_encoder[i] = MODEL_MAP_ENTRY(a,
		    Sluice__Model__LabelTransformParam__LabelEncoderEntry,
		    sluice__model__label_transform_param__label_encoder_entry__init,
		    from, l->codes[i].to.text);
		p.encoder_key_type[i] = MODEL_MAP_ENTRY(a,
		    Sluice__Model__LabelTransformParam__EncoderKeyTypeEntry,
		    sluice__model__label_transform_param__encoder_key_type_entry__init,
		    from, arena_strdup(a, kinds[l->codes[i].from.kind]));
		p.encoder_value_type[i] = MODEL_MAP_ENTRY(a,
		    Sluice__Model__LabelTransformParam__EncoderValueTypeEntry,
		    sluice__model__label_transform_param__encoder_value_type_entry__init,
		    from, arena_strdup(a, kinds[l->codes[i].to.kind]));
	}
	r = model_put(l->task, META_BUFFER, &meta.base, PARAM_BUFFER, &p.base);
	arena_free(a);
	return r;
}

static const char *
key_type(const Sluice__Model__LabelTransformParam *p, const char *key)
{
	size_t i;

	for (i = 0; i < p->n_encoder_key_type; i++)
		if (str_eq(p->encoder_key_type[i]->key, key))
			return p->encoder_key_type[i]->value;
	return NULL;
}

static const char *
value_type(const Sluice__Model__LabelTransformParam *p, const char *key)
{
	size_t i;

	for (i = 0; i < p->n_encoder_value_type; i++)
		if (str_eq(p->encoder_value_type[i]->key, key))
			return p->encoder_value_type[i]->value;
	return NULL;
}

static int
read_codes(
    struct label_transform *l, const Sluice__Model__LabelTransformParam *p)
{
	const char *from, *to;
	struct value x, y;
	size_t i;
	int r;

	for (i = 0; i < p->n_label_encoder; i++) {
		from = p->label_encoder[i]->key;
		to = p->label_encoder[i]->value;
		if ((r = typed_value(from, key_type(p, from), &x)) != 0)
			return r;
		if ((r = typed_value(to, value_type(p, from), &y)) != 0) {
			free(x.text);
			return r;
		}
		if ((r = add_code(l, x, y)) != 0)
			return r;
	}
	return 0;
}

static int
get_model(struct label_transform *l, bool *need_run)
{
	ProtobufCMessage *meta = NULL, *param = NULL;
	int r;

	if ((r = model_get(l->task, META_BUFFER,
		 &sluice__model__label_transform_meta__descriptor, &meta)) ==
		0 &&
	    (r = model_get(l->task, PARAM_BUFFER,
		 &sluice__model__label_transform_param__descriptor, &param)) ==
		0) {
		*need_run =
		    ((Sluice__Model__LabelTransformMeta *)meta)->need_run;
		r = read_codes(l, (Sluice__Model__LabelTransformParam *)param);
	}
	if (meta != NULL)
		protobuf_c_message_free_unpacked(meta, NULL);
	if (param != NULL)
		protobuf_c_message_free_unpacked(param, NULL);
	return r;
}

/* --- what people see -------------------------------------------------------------- */

static int
report(struct label_transform *l)
{
	struct json_object *extra = json_object_new_object();
	struct json_object *encoder = json_object_new_object();
	const struct code *c;
	int r;

	for (c = l->codes; c < l->codes + l->n; c++)
		json_add(encoder, c->from.text,
		    c->to.kind == KIND_INT
			? json_object_new_int64((int64_t)c->to.number)
		    : c->to.kind == KIND_FLOAT
			? json_double(c->to.number)
			: json_object_new_string(c->to.text));
	json_add(extra, "label_encoder", encoder);
	if ((r = task_metric_named(l->task, "train", "label_transform",
		 "label_transform", 0)) == 0)
		r = task_metric_meta(l->task, "train", "label_transform",
		    "label_transform", "LABEL_TRANSFORM", extra);
	if (r == 0)
		r = task_summary(l->task, extra);
	json_object_put(extra);
	return r;
}

/* --- the run ---------------------------------------------------------------------- */

/* Backwards, two labels that became one cannot be told apart. */
static int
check_backwards(const struct label_transform *l)
{
	size_t i, k;

	for (i = 0; l->is_backwards && i < l->n; i++)
		for (k = 0; k < i; k++)
			if (value_is(&l->codes[i].to, &l->codes[k].to))
				return err_set(ERR_INVALID,
				    "labels %s and %s both became %s, so "
				    "predictions cannot be mapped back",
				    l->codes[k].from.text,
				    l->codes[i].from.text, l->codes[i].to.text);
	return 0;
}

static int
learn(struct label_transform *l, bool is_predicted)
{
	if (!is_predicted)
		return fit(l);
	if (task_param(l->task, "label_encoder") == NULL)
		return err_set(
		    ERR_INVALID, "predictions need a model or a label_encoder");
	return read_encoder(l, true);
}

static int
transform(struct label_transform *l)
{
	bool has_model = task_has_model(l->task, TASK_MODEL);
	bool need_run = task_param_bool(l->task, "need_run", true);
	bool is_predicted;
	int r;

	if ((r = table_in_open(l->task, task_input(l->task, "data"), &l->in)) !=
	    0)
		return r;
	is_predicted = table_stat(l->in.table)->kind == ROW_PREDICT;
	if (table_stat(l->in.table)->kind == ROW_TEXT &&
	    table_count(l->in.table) > 0 && need_run)
		return err_set(ERR_INVALID,
		    "the input of LabelTransform is text; it works on what "
		    "DataTransform puts out and on predictions");
	/* Hosts of a vertical federation have no labels. */
	if (!is_predicted && l->in.schema.label_name[0] == '\0' &&
	    (has_model || task_is(l->task, "host")))
		need_run = false;
	if (has_model)
		r = need_run ? get_model(l, &need_run) : 0;
	else if (need_run)
		r = learn(l, is_predicted);
	l->is_backwards = has_model && is_predicted;
	if (r != 0 || (r = check_backwards(l)) != 0)
		return r;
	r = need_run ? write_table(l) : table_in_copy(&l->in, 0);
	if (r == 0 && !has_model)
		r = put_model(l, need_run);
	return r == 0 && need_run ? report(l) : r;
}

static int
run(struct task *task)
{
	struct label_transform l = { .task = task };
	size_t i;
	int r = transform(&l);

	table_writer_free(l.writer);
	for (i = 0; i < l.n; i++) {
		free(l.codes[i].from.text);
		free(l.codes[i].to.text);
	}
	free(l.codes);
	buf_fini(&l.detail);
	table_in_close(&l.in);
	return r;
}

const struct component component_label_transform = {
	.module = "LabelTransform",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
