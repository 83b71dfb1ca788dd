/*
 * What an executor leaves behind: tables below /out, models, a summary.
 *
 * Models become files at once, named by their content.  Tables are looked at
 * and moved only when the task ends well.  Rows are written by finish.c.
 */
#ifndef SUPERVISOR_SHEPHERD_OUTPUTS_H
#define SUPERVISOR_SHEPHERD_OUTPUTS_H

#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_model.h"
#include "lib/db/db_table.h"
#include "proto/executor.pb-c.h"
#include "supervisor/shepherd/subject.h"

/* A table that was moved to its place. */
struct output_row {
	struct db_table table;
	const char *data_name; /* "" for none: no task_output row */
	int64_t position;
	bool replace;
	bool is_cache; /* a row of task_cache: table.name is its key */
};

struct outputs;

struct outputs *outputs_new(
    const struct site_conf *, const struct subject *, const char *out_dir);
void outputs_free(struct outputs *); /* NULL is fine */

/*
 * Checked frames.  Errors: ERR_LIMIT for too many, ERR_EXISTS, ERR_IO,
 * ERR_DENIED for a table's name that the task was not asked to use.
 */
int outputs_table(struct outputs *, const Sluice__Executor__OutputTable *);
int outputs_model(struct outputs *, const Sluice__Executor__OutputModel *);
void outputs_summary(struct outputs *, const Sluice__Executor__Summary *);

/*
 * Verify the tables' folders, put them on disk for good and move them below
 * data/tables.  May be called again after a failure.
 * Errors: ERR_FORMAT when a folder is not what a table may look like, ERR_IO.
 */
int outputs_seal(struct outputs *);
/* Remove what outputs_seal() moved: the task did not end well after all. */
void outputs_discard(struct outputs *);

/* Rows to write; valid after outputs_seal(). */
const struct output_row *outputs_rows(const struct outputs *, size_t *n);
const struct db_model_part *outputs_parts(const struct outputs *, size_t *n);
const char *outputs_summary_json(const struct outputs *); /* NULL: none */

#endif
