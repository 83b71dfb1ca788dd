/*
 * What the files of DataTransform share: its settings, its plan and its
 * model.  Nobody else includes this.
 */
#ifndef EXECUTOR_COMPONENTS_DATA_TRANSFORM_H
#define EXECUTOR_COMPONENTS_DATA_TRANSFORM_H

#include "executor/components/name_set.h"
#include "executor/task.h"
#include "lib/engine/cell.h"
#include "lib/engine/schema.h"
#include "proto/model/data_transform.pb-c.h"

#define TRANSFORM_META "DataTransformMeta"
#define TRANSFORM_PARAM "DataTransformParam"

enum repair_method { REPAIR_DESIGNATED, REPAIR_MIN, REPAIR_MAX, REPAIR_MEAN };

/* Missing values or outliers: which they are and what to put there. */
struct repair_settings {
	bool is_on;
	const char *parameter;	 /* names the values in messages */
	const char *method_name; /* "designated", "min", … */
	enum repair_method method;
	struct cell_set values;
	double *designated; /* one, or one per column */
	size_t n_designated;
};

enum input_format { FORMAT_DENSE, FORMAT_SPARSE, FORMAT_TAG };

enum label_kind { LABEL_INTEGER, LABEL_REAL, LABEL_TEXT };

struct settings {
	const char *input_format;
	enum input_format format;
	bool tag_with_value;
	const char *tag_delimiter; /* between tag and value */
	size_t id_range;	   /* match ids of a sparse row */
	const char *data_type;
	bool with_label;
	char *label_name;
	const char *label_type;
	enum label_kind label_kind;
	bool with_match_id;
	bool is_sparse_output;
	bool need_run;
	struct exclusive_type {
		char *column;
		char *type;
	} * exclusive;
	size_t n_exclusive;
	struct repair_settings missing;
	struct repair_settings outlier;
};

/* One column's statistics for one kind of repair. */
struct repair {
	uint64_t count; /* missing, or outliers */
	uint64_t n;	/* the others */
	double min;
	double max;
	double mean;
	double replacement;
};

struct column {
	char *name;
	size_t at; /* cell of the text row */
	bool is_integer;
	struct repair missing;
	struct repair outlier;
};

struct transform {
	struct task *task;
	struct table *table;
	struct table_writer *writer;
	struct schema schema; /* of the input */
	const char *delimiter;
	struct settings settings;

	bool has_model;
	Sluice__Model__DataTransformMeta *meta; /* of the input model */
	Sluice__Model__DataTransformParam *param;
	char **model_header; /* inside param */
	size_t n_model_header;

	struct column *columns;
	size_t n;
	/* Take a text row apart: values, label, match_id. */
	int (*read)(struct transform *, const struct row *);

	bool has_label;
	bool has_match_id;
	size_t n_cells;	 /* of a text row */
	size_t label_at; /* SIZE_MAX: none */
	size_t match_at;
	struct name_set *tags; /* their numbers are those of the columns */
	uint32_t *places;      /* of values in the row before */
	size_t n_places;
	size_t places_cap;
	char *label_name;
	char *match_name;
	bool missing_numbers; /* some stand for missing */

	struct span *cells; /* of the row at hand */
	double *values;
	struct span label;
	struct span match_id;
};

/* What goes where: columns, names, read.  ERR_INVALID, ERR_FORMAT. */
int transform_plan_dense(struct transform *);
int transform_plan_sparse(struct transform *);
/* The type of a column's values: ERR_UNSUPPORTED for text. */
int transform_column_type(const struct transform *, struct column *);
/* The value of a cell, NaN when it counts as missing. */
int transform_read_cell(struct transform *, const struct column *,
    struct span cell, uint64_t row, double *out);
/* ERR_FORMAT "row 3, column x0: …" */
int transform_bad_cell(uint64_t row, const char *column, const char *what);

/* Parameters, the table's meta, or the model: who decides.  ERR_INVALID. */
int settings_read(struct transform *, const struct task_input *);
void settings_fini(struct transform *);
bool settings_is_integer(const char *type);

/* The replacements of the input model for the planned columns. */
int model_replacements(struct transform *);
int model_export(struct transform *);
int model_summary(struct transform *);

/* The anonymous name of column i; the caller's. */
char *anonymous_name(const struct transform *, const char *name, size_t i);

#endif
