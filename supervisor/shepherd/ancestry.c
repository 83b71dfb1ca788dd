/*
 * Ancestry of tables.  Called by attempt.c and finish.c.
 */
#include "supervisor/shepherd/ancestry.h"

#include "lib/base/str.h"
#include "lib/db/db_lineage.h"

int
ancestry_begin(struct db *db, const struct subject *subject,
    const struct inputs *in, struct arena *arena, struct ancestry *out)
{
	struct db_table_use use = { .key = *subject_key(subject) };
	size_t i;
	int r;

	out->n = 0;
	out->parents =
	    arena_alloc(arena, (in->n_tables + 1) * sizeof(*out->parents));
	for (i = 0; i < in->n_tables; i++) {
		use.position = (int64_t)i;
		use.data_key = in->tables[i]->data_key;
		use.table_namespace = in->tables[i]->table_namespace;
		use.name = in->tables[i]->table_name;
		if ((r = db_table_use_put(db, &use)) != 0)
			return r;
		out->parents[out->n++] = (struct parent){
			arena_strdup(arena, use.table_namespace),
			arena_strdup(arena, use.name),
		};
	}
	return 0;
}

int
ancestry_write(struct db *db, const struct ancestry *a, const char *job_id,
    const char *table_namespace, const char *name)
{
	size_t i;
	int r;

	for (i = 0; i < a->n; i++)
		if ((r = db_lineage_put(db, table_namespace, name,
			 a->parents[i].table_namespace, a->parents[i].name,
			 job_id)) != 0)
			return r;
	return 0;
}
