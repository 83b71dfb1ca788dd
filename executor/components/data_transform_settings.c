/*
 * DataTransform's settings: from parameters, from the meta of the table or
 * from an earlier model.  Called by data_transform.c.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/components/data_transform.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define ID_RANGE_MAX 10000

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

/* Match ids in front of a sparse row's label: meta counts them. */
static size_t
read_id_range(const struct transform *t)
{
	struct json_object *meta, *v;
	int64_t n = 0;

	if (!t->settings.with_match_id)
		return 0;
	if (json_object_object_get_ex(t->schema.json, "meta", &meta) &&
	    json_object_object_get_ex(meta, "id_range", &v))
		n = json_object_get_int64(v);
	return n > 1 && n <= ID_RANGE_MAX ? (size_t)n : 1;
}

static int
from_parameters(struct transform *t)
{
	struct settings *s = &t->settings;
	int r;

	s->input_format =
	    choose_string(t, "input_format", "input_format", "dense");
	s->tag_with_value = choose_bool(t, "tag_with_value", "tag_with_value");
	s->tag_delimiter =
	    choose_string(t, "tag_value_delimiter", "tag_value_delimitor", ":");
	s->data_type = choose_string(t, "data_type", "data_type", "float64");
	s->with_label = choose_bool(t, "with_label", "with_label");
	s->label_name =
	    xstrdup(choose_string(t, "label_name", "label_name", "y"));
	s->label_type = choose_string(t, "label_type", "label_type", "int");
	s->with_match_id = choose_bool(t, "with_match_id", "with_match_id");
	s->id_range = read_id_range(t);
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

	meta = task_model_buffer(t->task, TASK_MODEL, TRANSFORM_META);
	param = task_model_buffer(t->task, TASK_MODEL, TRANSFORM_PARAM);
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
	s->id_range = read_id_range(t);
	s->tag_with_value = t->meta->tag_with_value;
	s->tag_delimiter = t->meta->tag_value_delimitor[0] != '\0'
			       ? t->meta->tag_value_delimitor
			       : ":";
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

static int
choose_format(struct transform *t)
{
	static const struct {
		const char *name;
		enum input_format format;
	} formats[] = { { "dense", FORMAT_DENSE }, { "sparse", FORMAT_SPARSE },
		{ "svmlight", FORMAT_SPARSE }, { "tag", FORMAT_TAG } };
	const char *name = t->settings.input_format;
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (str_eq(formats[i].name, name)) {
			t->settings.format = formats[i].format;
			return 0;
		}
	return err_set(ERR_INVALID,
	    "input_format is %s, must be dense, sparse, svmlight or tag", name);
}

/*
 * Rows keep the delimiter they were uploaded with.  Sparse and tag rows may
 * have another one behind the id, which meta or the parameter names (its
 * default says nothing).
 */
static void
choose_delimiter(struct transform *t, const struct task_input *in)
{
	const char *own = task_param_string(t->task, "delimitor", ",");
	struct json_object *meta;
	bool has_meta =
	    json_object_object_get_ex(t->schema.json, "meta", &meta);

	t->delimiter = in->id_delimiter != NULL && in->id_delimiter[0] != '\0'
			   ? in->id_delimiter
			   : choose_string(t, "delimiter", "delimitor", ",");
	if (t->settings.format == FORMAT_DENSE || has_meta)
		return;
	if (t->has_model && t->meta->delimitor[0] != '\0')
		t->delimiter = t->meta->delimitor;
	else if (!str_eq(own, ","))
		t->delimiter = own;
}

int
settings_read(struct transform *t, const struct task_input *in)
{
	struct settings *s = &t->settings;
	size_t i;
	int r;

	t->has_model = task_has_model(t->task, TASK_MODEL);
	s->need_run = task_param_bool(t->task, "need_run", true);
	if ((r = t->has_model ? from_model(t) : from_parameters(t)) != 0)
		return r;
	if (!s->need_run)
		return 0;
	if ((r = choose_format(t)) != 0)
		return r;
	choose_delimiter(t, in);
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
