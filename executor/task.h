/*
 * What a component may do: everything it knows and everything it can cause.
 *
 * All functions but the ones marked "main thread" may be called from several
 * threads at once.  Strings and arrays given to a function are copied;
 * what a function returns as const lives as long as the task.  Functions
 * that return int give 0 or an ERR_* code: ERR_CANCELED and ERR_CLOSED mean
 * that the task is being ended from outside, and the component should return.
 */
#ifndef EXECUTOR_TASK_H
#define EXECUTOR_TASK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/engine/storage.h"

struct task;

struct task_party {
	const char *role;
	const char *party_id;
};

/* --- who and what ------------------------------------------------------- */

const char *task_job_id(const struct task *);
const char *task_component(const struct task *); /* hetero_lr_0 */
const char *task_module(const struct task *);	 /* HeteroLR */
uint32_t task_version(const struct task *);
const char *task_role(const struct task *); /* this member's */
const char *task_party_id(const struct task *);
bool task_is(const struct task *, const char *role);
/* Members in a role, in the order of the job's configuration. */
size_t task_role_size(const struct task *, const char *role);
/* NULL when there are not so many. */
const struct task_party *task_member(
    const struct task *, const char *role, size_t index);
/* This member's place among those of its role. */
size_t task_index(const struct task *);
uint32_t task_cores(const struct task *); /* at least 1 */

/* --- parameters: complete and checked against the manifest ----------------- */

/*
 * A parameter by its path, parts joined by dots: "init_param.init_method".
 * A missing or null one gives the fallback; one of another type too (the
 * manifest has refused those already).  task_param() gives NULL for null.
 */
struct json_object *task_param(const struct task *, const char *path);
bool task_param_bool(const struct task *, const char *path, bool fallback);
int64_t task_param_int(const struct task *, const char *path, int64_t fallback);
double task_param_number(
    const struct task *, const char *path, double fallback);
const char *task_param_string(
    const struct task *, const char *path, const char *fallback);

/* --- inputs ------------------------------------------------------------------ */

struct task_input {
	const char *data_key;  /* data, train_data, … */
	const char *component; /* upstream; "" for Reader */
	const char *data_name; /* upstream's output */
	const char *path;
	const char *schema_json;
	uint64_t rows;
	uint32_t partitions;
	const char *table_namespace;
	const char *table_name;
	const char *id_delimiter;
	/* Kept outside: path is "", the rows are text in task_input_fd(). */
	bool is_text;
	bool have_head;
	bool extend_sid;
	bool auto_increasing_sid;
	const char *engine; /* where it is kept */
};

size_t task_input_count(const struct task *);
const struct task_input *task_input_at(const struct task *, size_t i);
/*
 * The first input under a data key; NULL when there is none.  What an
 * earlier task kept with task_cache_finish() is under "cache".
 */
const struct task_input *task_input(const struct task *, const char *data_key);
/* The spooled file of an upload; "" for none. */
const char *task_input_file(const struct task *);
/* The text of an input that is_text, a file or a pipe; -1: none. */
int task_input_fd(const struct task *);
/* Close with table_close(). */
int task_open_table(
    struct task *, const struct task_input *, struct table **out);

/* A protobuf message of a model made by an earlier task. */
struct task_buffer {
	const char *name;    /* HeteroLogisticRegressionParam */
	const char *message; /* LRModelParam */
	const void *content;
	size_t size;
};

enum task_model_kind { TASK_MODEL, TASK_ISOMETRIC_MODEL };

/* Is there a model of this kind among the inputs? */
bool task_has_model(const struct task *, enum task_model_kind);
/*
 * The buffer of that name of the first model of this kind; a name ending in
 * "*" stands for any ending.  NULL when there is none.
 */
const struct task_buffer *task_model_buffer(
    const struct task *, enum task_model_kind, const char *name);

/* All buffers of the first model of this kind; NULL and 0 when there is none. */
const struct task_buffer *task_model_buffers(
    const struct task *, enum task_model_kind, size_t *n);

/* --- talking to the other members ---------------------------------------------- */

/*
 * Send bytes under a name of the manifest's transfers and a tag that makes
 * them unique among those of that name ("3.0": iteration 3, batch 0).
 * Returns when the bytes are copied out, which blocks only while too much
 * is under way.  Small objects travel inline, large ones in memory files.
 * Sending the same object again is harmless; other bytes under the same
 * name and tag are refused.  Errors: ERR_INVALID for a receiver that is not
 * a member or is this member itself, ERR_CLOSED, ERR_LIMIT.
 */
int task_remote(struct task *, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, const void *data, size_t size);
/* To every other member of the role; nothing to do when there is none. */
int task_remote_role(struct task *, const char *name, const char *tag,
    const char *role, const void *data, size_t size);
/*
 * The same with the bytes in a memory file of task_memfd(), which saves the
 * copy; fd is closed in any case and the mapping must be gone or unused.
 */
int task_remote_memfd(struct task *, const char *name, const char *tag,
    const struct task_party *to, size_t n_to, int fd, size_t size);
/* A memory file of size bytes, mapped for writing at *map. */
int task_memfd(size_t size, int *fd, void **map);

/* Received bytes: private or mapped from the mailbox; read-only. */
struct object {
	const void *data; /* never NULL after success */
	size_t size;
	void *map_;	  /* how to give it back: */
	size_t map_size_; /* mapping */
	void *heap_;	  /* or malloc */
};

/*
 * Wait for the object that a member sent under name and tag.  An object
 * is handed out once.  Free with object_free().  Errors: ERR_INVALID when
 * there is no such member, ERR_CLOSED, ERR_CANCELED.
 */
int task_get(struct task *, const char *name, const char *tag, const char *role,
    size_t index, struct object *out);
/* The same for a message that must fit into max bytes (ERR_LIMIT). */
int task_get_max(struct task *, const char *name, const char *tag,
    const char *role, size_t index, size_t max, struct object *out);
void object_free(struct object *); /* a zeroed one is fine */

/* --- what people see --------------------------------------------------------------- */

struct metric_point {
	const char *key_text; /* NULL: the key is a number */
	double key;
	const char *value_text; /* NULL: the value is a number */
	double value;
};

int task_metric_points(struct task *, const char *metric_namespace,
    const char *metric_name, const struct metric_point *, size_t n);
int task_metric_number(struct task *, const char *metric_namespace,
    const char *metric_name, double key, double value);
int task_metric_named(struct task *, const char *metric_namespace,
    const char *metric_name, const char *key, double value);
/*
 * Metadata of a series: {"name":name,"metric_type":type} and the members of
 * extra, which is borrowed and may be NULL.
 */
int task_metric_meta(struct task *, const char *metric_namespace,
    const char *metric_name, const char *name, const char *metric_type,
    struct json_object *extra);
/* The component's summary, a JSON object (borrowed); the last one counts. */
int task_summary(struct task *, struct json_object *);
int task_progress(
    struct task *, uint64_t done, uint64_t total, const char *text);

enum task_log_level { TASK_DEBUG, TASK_INFO, TASK_WARNING, TASK_ERROR };
/* Never log rows, ids, keys: logs are read by more people than tables. */
void task_log(struct task *, enum task_log_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- outputs (main thread) ----------------------------------------------------------- */

/*
 * Begin output table i, 0 for the first name in the DSL's output.data.  When
 * the DSL names fewer, the table is written all the same and dropped at its
 * end.  End with task_output_finish() or, to give up, table_writer_free().
 */
int task_output_create(struct task *, size_t i, struct table_writer **out);

struct task_output_options {
	uint32_t partitions;	  /* 0: as the first input has, else 4 */
	const char *id_delimiter; /* NULL: "," */
	/* Upload and Writer name their table; NULL for others. */
	const char *table_namespace;
	const char *table_name;
	bool replace;
};

/*
 * Seal the table and announce it with its first 100 rows.  The schema is
 * borrowed; options may be NULL.  Frees the writer in any case.
 */
int task_output_finish(struct task *, size_t i, struct table_writer *,
    struct json_object *schema, const struct task_output_options *);

/* An output that was finished, for reading; ERR_NOT_FOUND when nobody named
 * it.  Close with table_close(). */
int task_output_open(struct task *, size_t i, struct table **out);

/*
 * Begin the file that the shepherd brings to the place outside that the
 * task's parameters name: delimited text with a line of names, fields in
 * double quotes where they must be (RFC 4180).  One for a task.  *fd is the
 * caller's.
 */
int task_output_file_create(struct task *, int *fd);
/* Announce it, complete and closed. */
int task_output_file_finish(
    struct task *, uint64_t rows, const char *delimiter);

/*
 * What later tasks of this component may start from, when the job names one
 * (else it is written and dropped): a table with no other readers than the
 * same module.  meta is borrowed.  Frees the writer in any case.
 */
bool task_has_cache_output(const struct task *);
int task_cache_create(struct task *, struct table_writer **out);
int task_cache_finish(
    struct task *, struct table_writer *, struct json_object *meta);

/* The component's model: its *Meta and *Param messages, all at once. */
int task_output_model(struct task *, const struct task_buffer *, size_t n);
/*
 * Unless a model was put out: the one that was applied, as it came.  Called
 * when a component has ended well, so that what applies a model can be
 * deployed like what made it.
 */
int task_pass_model(struct task *);
/* When the task ends well it has passed (need_run false), not succeeded. */
void task_passes(struct task *);

/*
 * Keep the state of the model at a step (an epoch, a tree): the same messages
 * as task_output_model() gets.  step_name: letters, digits, "_", "-", ".".
 * The same step again replaces it; of the component the newest keep are kept
 * (0: ten).  Training jobs only: in others nothing is kept.
 * Errors: ERR_INVALID for a step or a name that cannot be, ERR_CLOSED.
 */
int task_checkpoint(struct task *, uint64_t step_index, const char *step_name,
    const struct task_buffer *, size_t n, uint32_t keep);

#endif
