/*
 * FeatureScale's model, out and in.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/feature_scale.h"
#include "executor/components/model_io.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "proto/model/feature_scale.pb-c.h"

#define META_BUFFER "ScaleMeta"
#define PARAM_BUFFER "ScaleParam"

static const char *const method_names[] = { [SCALE_NONE] = "",
	[SCALE_STANDARD] = "standard_scale",
	[SCALE_MIN_MAX] = "min_max_scale" };

const char *
scale_method_name(enum scale_method method)
{
	return method_names[method];
}

/* --- out ------------------------------------------------------------------------ */

/* A bound as the model's readers know it: one text a column, None for null. */
static char **
bound_texts(struct scale *s, struct arena *a, const char *parameter, size_t *n)
{
	struct json_object *v = task_param(s->task, parameter);
	bool is_list = json_object_is_type(v, json_type_array);
	size_t i, count = is_list ? json_object_array_length(v) : s->n;
	char **texts = arena_alloc(a, (count + 1) * sizeof(*texts));
	struct json_object *one = v;

	for (i = 0; i < count; i++) {
		if (is_list)
			one = json_object_array_get_idx(v, i);
		texts[i] = arena_strdup(
		    a, one != NULL ? json_object_get_string(one) : "None");
	}
	*n = count;
	return texts;
}

static void
fill_meta(struct scale *s, struct arena *a, Sluice__Model__ScaleMeta *m)
{
	size_t i;

	m->method = arena_strdup(a, scale_method_name(s->method));
	m->mode = arena_strdup(a, task_param_string(s->task, "mode", "normal"));
	m->area = arena_strdup(a, "null");
	m->scale_column = arena_alloc(a, (s->n + 1) * sizeof(char *));
	for (i = 0; i < s->n; i++)
		m->scale_column[i] = s->columns[i].name;
	m->n_scale_column = s->n;
	m->feat_upper = bound_texts(s, a, "feat_upper", &m->n_feat_upper);
	m->feat_lower = bound_texts(s, a, "feat_lower", &m->n_feat_lower);
	m->with_mean = s->with_mean;
	m->with_std = s->with_std;
	m->need_run = s->need_run;
}

static void
fill_param(struct scale *s, struct arena *a, Sluice__Model__ScaleParam *p)
{
	Sluice__Model__ColumnScaleParam *c;
	size_t i;

	p->header = s->header;
	p->n_header = s->n_header;
	p->col_scale_param = arena_alloc(a, (s->n + 1) * sizeof(void *));
	p->n_col_scale_param = s->n;
	for (i = 0; i < s->n; i++) {
		c = arena_alloc(a, sizeof(*c));
		sluice__model__column_scale_param__init(c);
		c->column_upper = s->columns[i].upper;
		c->column_lower = s->columns[i].lower;
		c->mean = s->columns[i].mean;
		c->std = s->columns[i].std;
		p->col_scale_param[i] = MODEL_MAP_ENTRY(a,
		    Sluice__Model__ScaleParam__ColScaleParamEntry,
		    sluice__model__scale_param__col_scale_param_entry__init,
		    s->columns[i].name, c);
	}
}

int
scale_model_put(struct scale *s)
{
	Sluice__Model__ScaleMeta meta = SLUICE__MODEL__SCALE_META__INIT;
	Sluice__Model__ScaleParam param = SLUICE__MODEL__SCALE_PARAM__INIT;
	struct arena *a = arena_new();
	int r;

	fill_meta(s, a, &meta);
	fill_param(s, a, &param);
	r = model_put(
	    s->task, META_BUFFER, &meta.base, PARAM_BUFFER, &param.base);
	arena_free(a);
	return r;
}

/* --- in ------------------------------------------------------------------------- */

static int
read_meta(struct scale *s, const Sluice__Model__ScaleMeta *m)
{
	size_t i;

	s->need_run = m->need_run;
	s->with_mean = m->with_mean;
	s->with_std = m->with_std;
	for (i = 0; i < sizeof(method_names) / sizeof(method_names[0]); i++)
		if (str_eq(m->method, method_names[i])) {
			s->method = (enum scale_method)i;
			return 0;
		}
	return err_set(ERR_FORMAT,
	    "the input model was made with method %s, "
	    "known are standard_scale and min_max_scale",
	    m->method);
}

static size_t
header_find(const struct scale *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_header; i++)
		if (str_eq(s->header[i], name))
			return i;
	return SIZE_MAX;
}

static int
read_column(
    struct scale *s, const char *name, const Sluice__Model__ColumnScaleParam *p)
{
	struct scale_column *c = &s->columns[s->n];
	size_t at = header_find(s, name);

	if (p == NULL || at == SIZE_MAX)
		return err_set(ERR_FORMAT,
		    "the input model scales column %s, which its own header "
		    "does not have",
		    name);
	if (!isfinite(p->column_upper) || !isfinite(p->column_lower) ||
	    !isfinite(p->mean) || !isfinite(p->std))
		return err_set(ERR_FORMAT,
		    "the input model has no numbers for column %s", name);
	*c = (struct scale_column){ .name = xstrdup(name),
		.at = at,
		.upper = p->column_upper,
		.lower = p->column_lower,
		.mean = p->mean,
		.std = p->std };
	s->n++;
	return 0;
}

static int
read_param(struct scale *s, const Sluice__Model__ScaleParam *p)
{
	size_t i;
	int r = 0;

	s->header = mem_array(p->n_header + 1, sizeof(*s->header));
	s->columns = mem_array(p->n_col_scale_param + 1, sizeof(*s->columns));
	if (s->header == NULL || s->columns == NULL)
		return err_code();
	for (i = 0; i < p->n_header; i++)
		s->header[s->n_header++] = xstrdup(p->header[i]);
	for (i = 0; r == 0 && i < p->n_col_scale_param; i++)
		r = read_column(s, p->col_scale_param[i]->key,
		    p->col_scale_param[i]->value);
	return r;
}

int
scale_model_get(struct scale *s)
{
	ProtobufCMessage *meta = NULL, *param = NULL;
	int r;

	if ((r = model_get(s->task, META_BUFFER,
		 &sluice__model__scale_meta__descriptor, &meta)) == 0 &&
	    (r = model_get(s->task, PARAM_BUFFER,
		 &sluice__model__scale_param__descriptor, &param)) == 0 &&
	    (r = read_meta(s, (Sluice__Model__ScaleMeta *)meta)) == 0)
		r = read_param(s, (Sluice__Model__ScaleParam *)param);
	if (meta != NULL)
		protobuf_c_message_free_unpacked(meta, NULL);
	if (param != NULL)
		protobuf_c_message_free_unpacked(param, NULL);
	return r;
}
