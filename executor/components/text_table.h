/*
 * A stream of delimited text becomes a table: what an upload does with its
 * file, and a Reader with a table that is kept outside as text.
 *
 * The first column is the id (or makes_ids makes one), the rest of the line
 * stays text.  Unlike the platform's classic upload, which overwrote rows of
 * equal id and took lines of any length, both are errors here that name the
 * line: a data set with such lines is not what its owner believes.
 */
#ifndef EXECUTOR_COMPONENTS_TEXT_TABLE_H
#define EXECUTOR_COMPONENTS_TEXT_TABLE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "executor/components/upload_head.h"
#include "executor/task.h"
#include "lib/engine/csv.h"

struct text_table;

/* All borrowed. */
struct text_table_options {
	const char *what; /* in messages: "uploaded file" */
	int fd;
	uint64_t size; /* for progress, 0 when unknown */
	struct upload_format format;
	bool has_head;
	bool makes_ids;
	bool counts_ids; /* by number, not random */
	bool is_plain;	 /* quotes are known to belong to the values */
	/* Members of the schema that the text itself does not give, or NULL. */
	struct json_object *schema;
	/* How values are to be read later (schema member "meta"), or NULL. */
	struct json_object *meta;
	/*
	 * Names of the id's column and of the others as "x0,x1" with the
	 * format's delimiter: with a head these columns are taken, in this
	 * order; without, all columns are named.  NULL or "": all as they are.
	 */
	const char *id_column;
	const char *columns;
};

/*
 * Read the head and make the schema.  Ownership: *out is the caller's.
 * Errors: ERR_INVALID (delimiter, head, names), ERR_FORMAT, ERR_IO.
 */
int text_table_open(
    struct task *, const struct text_table_options *, struct text_table **out);
/*
 * Append all rows.  Errors name line and row: ERR_FORMAT, ERR_EXISTS (id),
 * ERR_INVALID when there is none, ERR_IO.
 */
int text_table_copy(struct text_table *, struct table_writer *);
void text_table_free(struct text_table *); /* NULL is fine */

/* Borrowed; a schema of text as lib/engine/schema.h has it. */
struct json_object *text_table_schema(const struct text_table *);
/* Behind the id, as written in the head; 0 columns while unknown. */
size_t text_table_columns(const struct text_table *, struct buf *names);
bool text_table_is_ragged(const struct text_table *);

/*
 * What a data set's meta says, with the defaults of what it leaves out;
 * given may be NULL.  The caller's.
 */
struct json_object *text_table_meta(struct json_object *given, bool makes_ids);

#endif
