/*
 * Which table was made from which, and which jobs were given it.
 */
#ifndef LIB_DB_DB_LINEAGE_H
#define LIB_DB_DB_LINEAGE_H

#include "lib/db/db_task.h"

/* A table that a task was given. */
struct db_table_use {
	struct db_task_key key;
	int64_t position; /* among its inputs */
	const char *data_key;
	const char *table_namespace;
	const char *name;
};

/* Written before the task runs; the same again is fine. */
int db_table_use_put(struct db *, const struct db_table_use *);
/* Inputs of a job's member, newest version of each component first. */
int db_table_use_of_job(struct db *, struct arena *, const char *job_id,
    const char *role, const char *party_id, struct db_table_use **rows,
    size_t *n);

struct db_table_job {
	const char *job_id;
};
/* Jobs that were given a table, newest first. */
int db_table_jobs(struct db *, struct arena *, const char *table_namespace,
    const char *name, struct db_table_job **rows, size_t *n);

struct db_lineage {
	const char *parent_namespace;
	const char *parent_name;
	const char *source_namespace;
	const char *source_name;
};

/*
 * A table was made from another.  Its sources are those of the parent, or
 * the parent itself.
 */
int db_lineage_put(struct db *, const char *table_namespace, const char *name,
    const char *parent_namespace, const char *parent_name, const char *job_id);
/* Parents and sources of a table; none for one that came from outside. */
int db_lineage_list(struct db *, struct arena *, const char *table_namespace,
    const char *name, struct db_lineage **rows, size_t *n);
/* The table is dropped, or another takes its name. */
int db_lineage_forget(
    struct db *, const char *table_namespace, const char *name);

#endif
