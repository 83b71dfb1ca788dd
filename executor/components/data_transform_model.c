/*
 * DataTransform's settings and model: read from parameters, from the meta of
 * the table or from an earlier model, and written as the model of this run.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/components/data_transform.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/render.h"

#define META_BUFFER "DataTransformMeta"
#define PARAM_BUFFER "DataTransformParam"

static const char *const data_types[] = { "float64", "float", "int", "int64",
	"long", "str", NULL };

bool
settings_is_integer(const char *type)
{
	return str_eq(type, "int") || str_eq(type, "int64") ||
	       str_eq(type, "long");
}

static int
check_type(const char *what, const char *type)
{
	size_t i;

	for (i = 0; data_types[i] != NULL; i++)
		if (str_eq(data_types[i], type))
			return 0;
	return err_set(ERR_INVALID,
	    "%s is %s, must be float64, float, int, "
	    "int64, long or str",
	    what, type);
}

/* --- from parameters and the table's meta --------------------------------- */

/* The meta that was uploaded with the table wins over the parameter. */
static struct json_object *
choose(const struct transform *t, const char *in_meta, const char *parameter)
{
	struct json_object *meta, *v;

	if (json_object_object_get_ex(t->schema.json, "meta", &meta) &&
	    json_object_object_get_ex(meta, in_meta, &v))
		return v;
	return task_param(t->task, parameter);
}

static const char *
choose_string(const struct transform *t, const char *in_meta,
    const char *parameter, const char *fallback)
{
	struct json_object *v = choose(t, in_meta, parameter);

	return json_object_is_type(v, json_type_string)
		   ? json_object_get_string(v)
		   : fallback;
}

static bool
choose_bool(
    const struct transform *t, const char *in_meta, const char *parameter)
{
	struct json_object *v = choose(t, in_meta, parameter);

	return json_object_is_type(v, json_type_boolean) &&
	       json_object_get_boolean(v);
}

static int
add_exclusive(struct settings *s, const char *column, const char *type)
{
	s->exclusive = xrealloc(
	    s->exclusive, (s->n_exclusive + 1) * sizeof(s->exclusive[0]));
	s->exclusive[s->n_exclusive++] =
	    (struct exclusive_type){ xstrdup(column), xstrdup(type) };
	return check_type("exclusive_data_type", type);
}

static int
read_exclusive(struct transform *t)
{
	struct json_object *o =
	    choose(t, "exclusive_data_type", "exclusive_data_type");
	int r;

	if (!json_object_is_type(o, json_type_object))
		return 0;
	json_object_object_foreach(o, column, type)
	{
		if (!json_object_is_type(type, json_type_string))
			return err_set(ERR_INVALID,
			    "exclusive_data_type of "
			    "%s must be the name of a type",
			    column);
		if ((r = add_exclusive(&t->settings, column,
			 json_object_get_string(type))) != 0)
			return r;
	}
	return 0;
}

static int
read_method(struct repair_settings *s, const char *what, const char *name)
{
	static const struct {
		const char *name;
		enum repair_method method;
	} methods[] = {
		{ "designated", REPAIR_DESIGNATED },
		{ "min", REPAIR_MIN },
		{ "max", REPAIR_MAX },
		{ "mean", REPAIR_MEAN },
	};
	size_t i;

	s->method_name = "designated";
	s->method = REPAIR_DESIGNATED;
	/* Without a method the given value is filled in. */
	if (name == NULL || name[0] == '\0')
		return 0;
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcasecmp(methods[i].name, name) == 0) {
			s->method = methods[i].method;
			s->method_name = methods[i].name;
			return 0;
		}
	return err_set(ERR_INVALID,
	    "%s is %s, must be min, max, mean or "
	    "designated",
	    what, name);
}

static int
read_designated(struct repair_settings *s, struct json_object *o)
{
	struct json_object *v;
	const char *text;
	size_t i, n = 1;
	bool is_list = json_object_is_type(o, json_type_array);

	if (is_list)
		n = json_object_array_length(o);
	s->designated = xcalloc(n, sizeof(s->designated[0]));
	for (i = 0; i < n; i++) {
		v = is_list ? json_object_array_get_idx(o, i) : o;
		text = v != NULL ? json_object_get_string(v) : "0";
		if (!cell_number(
			(struct span){ text, strlen(text) }, &s->designated[i]))
			return err_set(ERR_INVALID, "%s: %s is not a number",
			    s->parameter, text);
	}
	s->n_designated = n;
	return 0;
}

static int
read_repair(struct transform *t, struct repair_settings *s, const char *on,
    const char *method, const char *values, const char *designated)
{
	int r;

	s->is_on = task_param_bool(t->task, on, false);
	s->parameter = designated;
	cell_set_add_json(&s->values, task_param(t->task, values));
	if ((r = read_method(
		 s, method, task_param_string(t->task, method, NULL))) != 0)
		return r;
	return read_designated(s, task_param(t->task, designated));
}

static void
default_missing(struct repair_settings *s)
{
	static const char *const values[] = { "", "NULL", "null", "NA", "none",
		"na", "None", "NaN", NULL };
	size_t i, n = s->is_on ? 8 : 4;

	for (i = 0; s->values.n < n && i < n && values[i] != NULL; i++)
		cell_set_add(&s->values, values[i]);
}

static int
from_parameters(struct transform *t)
{
	struct settings *s = &t->settings;
	int r;

	s->input_format =
	    choose_string(t, "input_format", "input_format", "dense");
	s->data_type = choose_string(t, "data_type", "data_type", "float64");
	s->with_label = choose_bool(t, "with_label", "with_label");
	s->label_name =
	    xstrdup(choose_string(t, "label_name", "label_name", "y"));
	s->label_type = choose_string(t, "label_type", "label_type", "int");
	s->with_match_id = choose_bool(t, "with_match_id", "with_match_id");
	if ((r = read_exclusive(t)) != 0 ||
	    (r = read_repair(t, &s->missing, "missing_fill",
		 "missing_fill_method", "missing_impute", "default_value")) !=
		0 ||
	    (r = read_repair(t, &s->outlier, "outlier_replace",
		 "outlier_replace_method", "outlier_impute",
		 "outlier_replace_value")) != 0)
		return r;
	if (s->missing.values.n == 0)
		default_missing(&s->missing);
	if (s->outlier.is_on && s->outlier.values.n == 0)
		task_log(t->task, TASK_WARNING,
		    "outlier_replace is true, but "
		    "outlier_impute does not say which values are outliers: "
		    "none is replaced");
	s->is_sparse_output = str_eq(
	    task_param_string(t->task, "output_format", "dense"), "sparse");
	return 0;
}

/* --- from a model ------------------------------------------------------------ */

static int
unpack_model(struct transform *t)
{
	const struct task_buffer *meta, *param;

	meta = task_model_buffer(t->task, TASK_MODEL, META_BUFFER);
	param = task_model_buffer(t->task, TASK_MODEL, PARAM_BUFFER);
	if (meta == NULL || param == NULL)
		return err_set(ERR_INVALID, "the model is not one of "
					    "DataTransform");
	t->meta = sluice__model__data_transform_meta__unpack(
	    NULL, meta->size, meta->content);
	t->param = sluice__model__data_transform_param__unpack(
	    NULL, param->size, param->content);
	if (t->meta == NULL || t->param == NULL)
		return err_set(ERR_FORMAT, "the model is damaged");
	t->model_header = t->param->header;
	t->n_model_header = t->param->n_header;
	return 0;
}

static void
repair_from_model(struct repair_settings *s, bool is_on, const char *strategy,
    char **values, size_t n)
{
	size_t i;

	s->is_on = is_on;
	s->method_name = strategy;
	for (i = 0; i < n; i++)
		cell_set_add(&s->values, values[i]);
}

static int
from_model(struct transform *t)
{
	struct settings *s = &t->settings;
	size_t i;
	int r;

	if ((r = unpack_model(t)) != 0)
		return r;
	s->input_format = t->meta->input_format;
	s->data_type = t->meta->data_type;
	s->with_label = t->meta->with_label;
	s->label_name = xstrdup(t->meta->label_name);
	s->label_type = t->meta->label_type;
	s->with_match_id = t->meta->with_match_id;
	s->is_sparse_output = str_eq(t->meta->output_format, "sparse");
	for (i = 0; i < t->meta->n_exclusive_data_type; i++)
		if ((r = add_exclusive(s, t->meta->exclusive_data_type[i]->key,
			 t->meta->exclusive_data_type[i]->value)) != 0)
			return r;
	if (t->meta->imputer_meta != NULL)
		repair_from_model(&s->missing,
		    t->meta->imputer_meta->is_imputer,
		    t->meta->imputer_meta->strategy,
		    t->meta->imputer_meta->missing_value,
		    t->meta->imputer_meta->n_missing_value);
	if (s->missing.values.n == 0)
		default_missing(&s->missing);
	if (t->meta->outlier_meta != NULL)
		repair_from_model(&s->outlier,
		    t->meta->outlier_meta->is_outlier,
		    t->meta->outlier_meta->strategy,
		    t->meta->outlier_meta->outlier_value,
		    t->meta->outlier_meta->n_outlier_value);
	return 0;
}

int
settings_read(struct transform *t, const struct task_input *in)
{
	struct settings *s = &t->settings;
	size_t i;
	int r;

	t->has_model = task_has_model(t->task, TASK_MODEL);
	s->need_run = task_param_bool(t->task, "need_run", true);
	/* Rows keep the delimiter they were uploaded with. */
	t->delimiter = in->id_delimiter != NULL && in->id_delimiter[0] != '\0'
			   ? in->id_delimiter
			   : choose_string(t, "delimiter", "delimitor", ",");
	if ((r = t->has_model ? from_model(t) : from_parameters(t)) != 0)
		return r;
	if (!s->need_run)
		return 0;
	if (!str_eq(s->input_format, "dense"))
		return err_set(ERR_UNSUPPORTED,
		    "input_format %s is not "
		    "supported, only dense",
		    s->input_format);
	if ((r = check_type("data_type", s->data_type)) != 0 ||
	    (s->with_label &&
		(r = check_type("label_type", s->label_type)) != 0))
		return r;
	s->label_kind = settings_is_integer(s->label_type) ? LABEL_INTEGER
			: str_eq(s->label_type, "str")	   ? LABEL_TEXT
							   : LABEL_REAL;
	for (i = 0; i < s->missing.values.n; i++)
		t->missing_numbers |= s->missing.values.values[i].is_number;
	return 0;
}

void
settings_fini(struct transform *t)
{
	struct settings *s = &t->settings;
	size_t i;

	for (i = 0; i < s->n_exclusive; i++) {
		free(s->exclusive[i].column);
		free(s->exclusive[i].type);
	}
	free(s->exclusive);
	free(s->label_name);
	cell_set_fini(&s->missing.values);
	cell_set_fini(&s->outlier.values);
	free(s->missing.designated);
	free(s->outlier.designated);
	if (t->meta != NULL)
		sluice__model__data_transform_meta__free_unpacked(
		    t->meta, NULL);
	if (t->param != NULL)
		sluice__model__data_transform_param__free_unpacked(
		    t->param, NULL);
}

static int
parse_replacement(const char *column, const char *text, double *out)
{
	if (!cell_number((struct span){ text, strlen(text) }, out))
		return err_set(ERR_FORMAT,
		    "the model is damaged: the "
		    "replacement for column %s is not a number",
		    column);
	return 0;
}

int
model_replacements(struct transform *t)
{
	const Sluice__Model__DataTransformImputerParam *missing =
	    t->param->imputer_param;
	const Sluice__Model__DataTransformOutlierParam *outlier =
	    t->param->outlier_param;
	struct column *c;
	size_t i, k;
	int r;

	for (i = 0; i < t->n; i++) {
		c = &t->columns[i];
		for (k = 0;
		     missing != NULL && k < missing->n_missing_replace_value;
		     k++)
			if (str_eq(missing->missing_replace_value[k]->key,
				c->name) &&
			    (r = parse_replacement(c->name,
				 missing->missing_replace_value[k]->value,
				 &c->missing.replacement)) != 0)
				return r;
		for (k = 0;
		     outlier != NULL && k < outlier->n_outlier_replace_value;
		     k++)
			if (str_eq(outlier->outlier_replace_value[k]->key,
				c->name) &&
			    (r = parse_replacement(c->name,
				 outlier->outlier_replace_value[k]->value,
				 &c->outlier.replacement)) != 0)
				return r;
	}
	return 0;
}

/* --- the model of this run ------------------------------------------------------ */

static char *
number_text(struct arena *a, double v)
{
	struct buf text = BUF_INIT;
	char *copy;

	render_double(&text, v);
	copy = arena_strdup(a, text.data);
	buf_fini(&text);
	return copy;
}

static double
ratio(const struct transform *t, uint64_t count)
{
	uint64_t rows = table_count(t->table);

	return rows > 0 ? (double)count / (double)rows : 0;
}

static char **
value_texts(struct arena *a, const struct cell_set *set)
{
	char **texts = arena_alloc(a, (set->n + 1) * sizeof(texts[0]));
	size_t i;

	for (i = 0; i < set->n; i++)
		texts[i] = set->values[i].text;
	return texts;
}

/* Makes entries of protobuf maps, which are messages of key and value. */
#define MAP_ENTRY(arena, type, init, k, v)                                     \
	__extension__({                                                        \
		type *entry_ = arena_alloc((arena), sizeof(*entry_));          \
		init(entry_);                                                  \
		entry_->key = (k);                                             \
		entry_->value = (v);                                           \
		entry_;                                                        \
	})

static Sluice__Model__DataTransformImputerParam *
imputer_param(struct transform *t, struct arena *a)
{
	Sluice__Model__DataTransformImputerParam *p =
	    arena_alloc(a, sizeof(*p));
	size_t i, n = t->settings.missing.is_on ? t->n : 0;

	sluice__model__data_transform_imputer_param__init(p);
	p->missing_replace_value = arena_alloc(a, (n + 1) * sizeof(void *));
	p->missing_value_ratio = arena_alloc(a, (n + 1) * sizeof(void *));
	p->n_missing_replace_value = p->n_missing_value_ratio = n;
	for (i = 0; i < n; i++) {
		p->missing_replace_value[i] = MAP_ENTRY(a,
		    Sluice__Model__DataTransformImputerParam__MissingReplaceValueEntry,
		    sluice__model__data_transform_imputer_param__missing_replace_value_entry__init,
		    t->columns[i].name,
		    number_text(a, t->columns[i].missing.replacement));
		p->missing_value_ratio[i] = MAP_ENTRY(a,
		    Sluice__Model__DataTransformImputerParam__MissingValueRatioEntry,
		    sluice__model__data_transform_imputer_param__missing_value_ratio_entry__init,
		    t->columns[i].name, ratio(t, t->columns[i].missing.count));
	}
	return p;
}

static Sluice__Model__DataTransformOutlierParam *
outlier_param(struct transform *t, struct arena *a)
{
	Sluice__Model__DataTransformOutlierParam *p =
	    arena_alloc(a, sizeof(*p));
	size_t i, n = t->settings.outlier.is_on ? t->n : 0;

	sluice__model__data_transform_outlier_param__init(p);
	p->outlier_replace_value = arena_alloc(a, (n + 1) * sizeof(void *));
	p->outlier_value_ratio = arena_alloc(a, (n + 1) * sizeof(void *));
	p->n_outlier_replace_value = p->n_outlier_value_ratio = n;
	for (i = 0; i < n; i++) {
		p->outlier_replace_value[i] = MAP_ENTRY(a,
		    Sluice__Model__DataTransformOutlierParam__OutlierReplaceValueEntry,
		    sluice__model__data_transform_outlier_param__outlier_replace_value_entry__init,
		    t->columns[i].name,
		    number_text(a, t->columns[i].outlier.replacement));
		p->outlier_value_ratio[i] = MAP_ENTRY(a,
		    Sluice__Model__DataTransformOutlierParam__OutlierValueRatioEntry,
		    sluice__model__data_transform_outlier_param__outlier_value_ratio_entry__init,
		    t->columns[i].name, ratio(t, t->columns[i].outlier.count));
	}
	return p;
}

static char *
parameter_text(struct transform *t, struct arena *a, const char *name,
    const char *fallback)
{
	return arena_strdup(a, task_param_string(t->task, name, fallback));
}

static void
fill_meta(
    struct transform *t, struct arena *a, Sluice__Model__DataTransformMeta *m)
{
	const struct settings *s = &t->settings;
	Sluice__Model__DataTransformImputerMeta *imputer =
	    arena_alloc(a, sizeof(*imputer));
	Sluice__Model__DataTransformOutlierMeta *outlier =
	    arena_alloc(a, sizeof(*outlier));
	size_t i;

	m->input_format = arena_strdup(a, s->input_format);
	m->delimitor = arena_strdup(a, t->delimiter);
	m->data_type = arena_strdup(a, s->data_type);
	m->tag_with_value = task_param_bool(t->task, "tag_with_value", false);
	m->tag_value_delimitor =
	    parameter_text(t, a, "tag_value_delimitor", ":");
	m->with_label = s->with_label;
	m->label_name = arena_strdup(a, s->label_name);
	m->label_type = arena_strdup(a, s->label_type);
	m->output_format =
	    arena_strdup(a, s->is_sparse_output ? "sparse" : "dense");
	m->with_match_id = s->with_match_id;
	sluice__model__data_transform_imputer_meta__init(imputer);
	imputer->is_imputer = s->missing.is_on;
	imputer->strategy =
	    arena_strdup(a, s->missing.is_on ? s->missing.method_name : "");
	imputer->missing_value = value_texts(a, &s->missing.values);
	imputer->n_missing_value = s->missing.values.n;
	m->imputer_meta = imputer;
	sluice__model__data_transform_outlier_meta__init(outlier);
	outlier->is_outlier = s->outlier.is_on;
	outlier->strategy =
	    arena_strdup(a, s->outlier.is_on ? s->outlier.method_name : "");
	outlier->outlier_value = value_texts(a, &s->outlier.values);
	outlier->n_outlier_value = s->outlier.values.n;
	m->outlier_meta = outlier;
	m->exclusive_data_type =
	    arena_alloc(a, (s->n_exclusive + 1) * sizeof(void *));
	m->n_exclusive_data_type = s->n_exclusive;
	for (i = 0; i < s->n_exclusive; i++)
		m->exclusive_data_type[i] = MAP_ENTRY(a,
		    Sluice__Model__DataTransformMeta__ExclusiveDataTypeEntry,
		    sluice__model__data_transform_meta__exclusive_data_type_entry__init,
		    s->exclusive[i].column, s->exclusive[i].type);
}

static void
fill_param(
    struct transform *t, struct arena *a, Sluice__Model__DataTransformParam *p)
{
	char *name;
	size_t i;

	p->header = arena_alloc(a, (t->n + 1) * sizeof(p->header[0]));
	p->anonymous_header =
	    arena_alloc(a, (t->n + 1) * sizeof(p->anonymous_header[0]));
	for (i = 0; i < t->n; i++) {
		name = anonymous_name(t, t->columns[i].name, i);
		p->header[i] = t->columns[i].name;
		p->anonymous_header[i] = arena_strdup(a, name);
		free(name);
	}
	p->n_header = p->n_anonymous_header = t->n;
	p->sid_name = arena_strdup(a, t->schema.sid);
	p->label_name =
	    arena_strdup(a, t->label_name != NULL ? t->label_name : "");
	p->imputer_param = imputer_param(t, a);
	p->outlier_param = outlier_param(t, a);
}

int
model_export(struct transform *t)
{
	Sluice__Model__DataTransformMeta meta;
	Sluice__Model__DataTransformParam param;
	struct task_buffer buffers[2];
	struct arena *a;
	int r;

	if (t->has_model)
		return 0; /* nothing was learned */
	a = arena_new();
	sluice__model__data_transform_meta__init(&meta);
	sluice__model__data_transform_param__init(&param);
	meta.need_run = t->settings.need_run;
	if (t->settings.need_run) {
		fill_meta(t, a, &meta);
		fill_param(t, a, &param);
	}
	buffers[0] = (struct task_buffer){ META_BUFFER, "DataTransformMeta",
		NULL,
		sluice__model__data_transform_meta__get_packed_size(&meta) };
	buffers[1] = (struct task_buffer){ PARAM_BUFFER, "DataTransformParam",
		NULL,
		sluice__model__data_transform_param__get_packed_size(&param) };
	buffers[0].content = arena_alloc(a, buffers[0].size + 1);
	buffers[1].content = arena_alloc(a, buffers[1].size + 1);
	(void)sluice__model__data_transform_meta__pack(
	    &meta, (uint8_t *)(uintptr_t)buffers[0].content);
	(void)sluice__model__data_transform_param__pack(
	    &param, (uint8_t *)(uintptr_t)buffers[1].content);
	r = task_output_model(t->task, buffers, 2);
	arena_free(a);
	return r;
}

static void
summarise(struct transform *t, struct json_object *out, bool is_missing)
{
	const struct repair_settings *s =
	    is_missing ? &t->settings.missing : &t->settings.outlier;
	struct json_object *info = json_object_new_object();
	struct json_object *values = json_object_new_array();
	struct json_object *replaced = json_object_new_object();
	struct json_object *rates = json_object_new_object();
	struct repair *r;
	size_t i;

	for (i = 0; i < s->values.n; i++)
		json_object_array_add(
		    values, json_object_new_string(s->values.values[i].text));
	for (i = 0; i < t->n; i++) {
		r = is_missing ? &t->columns[i].missing
			       : &t->columns[i].outlier;
		json_object_object_add(replaced, t->columns[i].name,
		    json_object_new_double(r->replacement));
		json_object_object_add(rates, t->columns[i].name,
		    json_object_new_double(ratio(t, r->count)));
	}
	json_object_object_add(
	    info, is_missing ? "missing_value" : "outlier_value", values);
	json_object_object_add(info,
	    is_missing ? "missing_impute_value" : "outlier_replace_value",
	    replaced);
	json_object_object_add(info,
	    is_missing ? "missing_impute_rate" : "outlier_replace_rate", rates);
	json_object_object_add(out,
	    is_missing ? "missing_fill_info" : "outlier_replace_rate", info);
}

int
model_summary(struct transform *t)
{
	struct json_object *out;
	int r;

	if (!t->settings.missing.is_on && !t->settings.outlier.is_on)
		return 0;
	out = json_object_new_object();
	if (t->settings.missing.is_on)
		summarise(t, out, true);
	if (t->settings.outlier.is_on)
		summarise(t, out, false);
	r = task_summary(t->task, out);
	json_object_put(out);
	return r;
}

char *
anonymous_name(const struct transform *t, const char *name, size_t i)
{
	struct json_object *list, *header;
	size_t k;

	/* A model decides, then the table, then the place of the column. */
	if (t->param != NULL && i < t->param->n_anonymous_header)
		return xstrdup(t->param->anonymous_header[i]);
	if (json_object_object_get_ex(
		t->schema.json, "anonymous_header", &list) &&
	    json_object_is_type(list, json_type_array) &&
	    json_object_object_get_ex(t->schema.json, "header", &header) &&
	    json_object_is_type(header, json_type_array))
		for (k = 0; k < json_object_array_length(header) &&
			    k < json_object_array_length(list);
		     k++)
			if (str_eq(json_object_get_string(
				       json_object_array_get_idx(header, k)),
				name))
				return xstrdup(json_object_get_string(
				    json_object_array_get_idx(list, k)));
	return xasprintf(
	    "%s_%s_x%zu", task_role(t->task), task_party_id(t->task), i);
}
