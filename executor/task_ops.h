/*
 * The other side of a task: what it is made from and who carries out what it
 * asks for.  Used by the executor's channel to its shepherd and by the
 * loopback of the tests; components see executor/task.h only.
 */
#ifndef EXECUTOR_TASK_OPS_H
#define EXECUTOR_TASK_OPS_H

#include "executor/task.h"

struct task_model {
	enum task_model_kind kind;
	const char *component;
	const char *alias;
	const struct task_buffer *buffers;
	size_t n_buffers;
};

/* All borrowed for the life of the task. */
struct task_setup {
	const char *job_id;
	const char *component;
	const char *module;
	uint32_t version;
	struct task_party local;
	const struct task_party *parties; /* everybody, local too */
	size_t n_parties;
	struct json_object *parameters;
	struct json_object *job_parameters;
	const struct task_input *inputs;
	size_t n_inputs;
	const struct task_model *models;
	size_t n_models;
	const char *const *output_data;
	size_t n_output_data;
	const char *output_cache; /* name, "" for none */
	const char *output_model; /* alias, "" for none */
	uint32_t cores;
	const char *output_dir;
	const char *input_file;
	int input_fd; /* of an input that is text, -1 for none; owned */
};

/* A sealed output table. */
struct task_output {
	size_t index;
	const char *data_name;
	const char *folder; /* below output_dir */
	const char *path;
	const char *schema_json;
	uint64_t rows;
	uint32_t partitions;
	const char *preview_json;
	const char *id_delimiter;
	const char *table_namespace; /* "" for none */
	const char *table_name;
	bool replace;
	bool is_cache;
};

/* Each may be called from several threads at once. */
struct task_ops {
	int (*remote)(void *ctx, const char *name, const char *tag,
	    const struct task_party *to, size_t n_to, const void *data,
	    size_t size);
	/* Closes fd. */
	int (*remote_memfd)(void *ctx, const char *name, const char *tag,
	    const struct task_party *to, size_t n_to, int fd, size_t size);
	int (*get)(void *ctx, const char *name, const char *tag,
	    const struct task_party *from, struct object *out);
	int (*metric_data)(void *ctx, const char *ns, const char *name,
	    const struct metric_point *, size_t n);
	int (*metric_meta)(
	    void *ctx, const char *ns, const char *name, const char *meta_json);
	int (*summary)(void *ctx, const char *json);
	int (*output_table)(void *ctx, const struct task_output *);
	int (*output_file)(
	    void *ctx, const char *file, uint64_t rows, const char *delimiter);
	int (*output_model)(
	    void *ctx, const char *alias, const struct task_buffer *, size_t n);
	int (*checkpoint)(void *ctx, uint64_t step_index, const char *step_name,
	    const struct task_buffer *, size_t n, uint32_t keep);
	int (*progress)(
	    void *ctx, uint64_t done, uint64_t total, const char *text);
	void (*log)(void *ctx, enum task_log_level, const char *text);
};

struct task {
	const struct task_setup *setup;
	const struct task_ops *ops;
	void *ctx;
	bool has_put_model;
	bool passes; /* its end is "pass" */
};

/*
 * Is the setup one that a task can run with: its own member among the
 * parties, parameters an object, names present?  ERR_INVALID.
 */
int task_setup_check(const struct task_setup *);

#endif
