/*
 * DataTransform's model and summary: what an earlier one replaced, and what
 * this run leaves.  Called by data_transform.c.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/components/data_transform.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/render.h"

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

/*
 * The entry of a column; entries are mostly in the order of the columns, so
 * the search begins where it should be.
 */
#define FIND_ENTRY(entries, n, hint, name)                                     \
	__extension__({                                                        \
		size_t k_, at_ = SIZE_MAX;                                     \
		for (k_ = 0; k_ < (n) && at_ == SIZE_MAX; k_++)                \
			if (str_eq(                                            \
				(entries)[((hint) + k_) % (n)]->key, (name)))  \
				at_ = ((hint) + k_) % (n);                     \
		at_;                                                           \
	})

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
		k = missing == NULL
			? SIZE_MAX
			: FIND_ENTRY(missing->missing_replace_value,
			      missing->n_missing_replace_value, i, c->name);
		if (k != SIZE_MAX &&
		    (r = parse_replacement(c->name,
			 missing->missing_replace_value[k]->value,
			 &c->missing.replacement)) != 0)
			return r;
		k = outlier == NULL
			? SIZE_MAX
			: FIND_ENTRY(outlier->outlier_replace_value,
			      outlier->n_outlier_replace_value, i, c->name);
		if (k != SIZE_MAX &&
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
	m->tag_with_value = s->tag_with_value;
	m->tag_value_delimitor = arena_strdup(a, s->tag_delimiter);
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
	buffers[0] = (struct task_buffer){ TRANSFORM_META, "DataTransformMeta",
		NULL,
		sluice__model__data_transform_meta__get_packed_size(&meta) };
	buffers[1] = (struct task_buffer){ TRANSFORM_PARAM,
		"DataTransformParam", NULL,
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

/* Where a name stands in a list; looked for from where it should be. */
static size_t
place_of(struct json_object *list, const char *name, size_t hint)
{
	size_t k, n = json_object_array_length(list);

	for (k = 0; k < n; k++)
		if (str_eq(json_object_get_string(
			       json_object_array_get_idx(list, (hint + k) % n)),
			name))
			return (hint + k) % n;
	return SIZE_MAX;
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
	    json_object_is_type(header, json_type_array) &&
	    (k = place_of(header, name, i)) < json_object_array_length(list))
		return xstrdup(
		    json_object_get_string(json_object_array_get_idx(list, k)));
	return xasprintf(
	    "%s_%s_x%zu", task_role(t->task), task_party_id(t->task), i);
}
