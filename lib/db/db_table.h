/*
 * Tables of data (their meta) and which task made which.
 */
#ifndef LIB_DB_DB_TABLE_H
#define LIB_DB_DB_TABLE_H

#include "lib/db/db_task.h"

struct db_table {
	const char *table_namespace;
	const char *name;
	const char *engine;
	const char *address; /* JSON */
	const char *folder;  /* below HOME/data/tables; "" */
	int64_t partitions;
	int64_t row_count;
	const char *id_delimiter;
	bool have_head;
	bool extend_sid;
	bool auto_increasing_sid;
	const char *schema_json;
	const char *preview; /* JSON, may be NULL */
	const char *origin;  /* upload table_bind output */
	bool disabled;
	const char *description; /* may be NULL */
	const char *job_id;	 /* the job that made it or "" */
	int64_t created_ms;
	int64_t updated_ms;
};

/*
 * Insert the meta of a table; NULL texts are "" (or NULL where allowed).
 * With replace an existing one is overwritten and *old_folder (may be NULL;
 * in the arena) is its folder, for the caller to remove, else ERR_EXISTS.
 */
int db_table_put(struct db *, struct arena *, const struct db_table *,
    bool replace, const char **old_folder);
/* ERR_NOT_FOUND when there is none; the names are compared to the letter. */
int db_table_get(struct db *, struct arena *, const char *table_namespace,
    const char *name, struct db_table **out);
/*
 * Each filter may be NULL.  In lists address, schema_json and preview are NULL:
 * a schema may have a megabyte.
 */
int db_table_list(struct db *, struct arena *, const char *table_namespace,
    const char *name, bool disabled_only, struct db_table **rows, size_t *n);
/* The newest, of a namespace (NULL: any), with or without outputs of tasks. */
int db_table_page(struct db *, struct arena *, const char *table_namespace,
    bool outputs, int64_t limit, int64_t offset, struct db_table **rows,
    size_t *n);
/* A table that is still there, and the job of its own that uploaded it. */
struct db_upload {
	const char *job_id;
	const char *table_namespace;
	const char *name;
	int64_t partitions;
	int64_t row_count;
	const char *schema_json;
	const char *notes; /* of the job, may be NULL */
};
/* The newest; of one job, if job_id is not NULL. */
int db_upload_list(struct db *, struct arena *, const char *job_id,
    int64_t limit, struct db_upload **rows, size_t *n);
/* ERR_NOT_FOUND; the folder of what was deleted is left to the caller. */
int db_table_delete(struct db *, struct arena *, const char *table_namespace,
    const char *name, const char **old_folder);
/* All that match (NULL: any); *n is their number. */
int db_table_set_disabled(struct db *, const char *table_namespace,
    const char *name, bool disabled, int64_t *n);
int db_table_set_schema(struct db *, const char *table_namespace,
    const char *name, const char *schema_json);
/* Is the folder, below data/tables, that of a table or of a cache? */
int db_table_folder_used(struct db *, const char *folder, bool *used);

/* An output table of a task. */
struct db_output {
	struct db_task_key key;
	const char *data_name;
	int64_t position;
	const char *table_namespace;
	const char *name;
	int64_t created_ms;
};

/* The same output again replaces the row. */
int db_output_put(struct db *, const struct db_output *);
/* Outputs of one task version, by position. */
int db_output_list(struct db *, struct arena *, const struct db_task_key *,
    struct db_output **rows, size_t *n);
/*
 * Outputs of the newest version of a component that has any, by position.
 * data_name NULL: all.
 */
int db_output_newest(struct db *, struct arena *, const char *job_id,
    const char *component, const char *role, const char *party_id,
    const char *data_name, struct db_output **rows, size_t *n);
/* All of a job here (each filter but job_id may be NULL), newest first. */
int db_output_of_job(struct db *, struct arena *, const char *job_id,
    const char *component, const char *role, const char *party_id,
    struct db_output **rows, size_t *n);
/*
 * Components whose newest version at a member of this site left a table that
 * is not there any more.
 */
int db_output_gone(struct db *, struct arena *, const char *job_id,
    const char ***components, size_t *n);

#endif
