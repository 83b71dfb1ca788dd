/*
 * Called by fcgi-app at a user's wish.
 */
#include "lib/db/db_clean.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_cache.h"
#include "lib/db/db_event.h"
#include "lib/db/db_metric.h"
#include "lib/db/db_table.h"
#include "lib/db/db_task_private.h"
#include "lib/db/db_tx.h"

struct clean {
	struct arena *arena;
	const struct db_task_key *key;
	struct db_cleaned *out;
};

/* Outputs have names of their own; whatever else stands there is kept. */
static int
remove_output(struct db *db, struct clean *c, const struct db_output *o)
{
	struct db_table *t;
	const char *folder = NULL;
	int r;

	r = db_table_get(db, c->arena, o->table_namespace, o->name, &t);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 || !str_eq(t->origin, "output") ||
	    !str_eq(t->job_id, c->key->job_id))
		return r;
	if ((r = db_table_delete(
		 db, c->arena, o->table_namespace, o->name, &folder)) != 0)
		return r;
	c->out->folders[c->out->nfolders++] = folder;
	return 0;
}

/* Locked: a rerun comes before or after. */
static int
lock_ended(struct db *db, struct clean *c, struct task_head **head)
{
	int r;

	if ((r = db_task_lock(db, c->arena, c->key, head)) != 0)
		return r;
	if (state_is_end((*head)->job_status) &&
	    state_is_end((*head)->party_status))
		return 0;
	return err_set(ERR_BUSY,
	    "job %s is %s: what its tasks made is in use until it has ended",
	    c->key->job_id, state_name((*head)->job_status));
}

static int
remove_outputs(struct db *db, struct clean *c)
{
	struct db_output *rows;
	size_t n;
	int r;

	if ((r = db_output_list(db, c->arena, c->key, &rows, &n)) != 0)
		return r;
	c->out->folders =
	    arena_alloc(c->arena, (n + 1) * sizeof(*c->out->folders));
	for (size_t i = 0; i < n; i++)
		if ((r = remove_output(db, c, &rows[i])) != 0)
			return r;
	return 0;
}

static int
clean_tx(struct db *db, void *ctx)
{
	struct clean *c = ctx;
	struct db_cleaned *out = c->out;
	struct task_head *head;
	int r;

	*out = (struct db_cleaned){ .folders = NULL };
	if ((r = lock_ended(db, c, &head)) != 0 ||
	    (r = remove_outputs(db, c)) != 0 ||
	    (r = db_metric_delete_task(db, c->key, &out->series)) != 0 ||
	    (r = db_summary_delete_task(db, c->key, &out->summaries)) != 0 ||
	    (r = db_cache_expire(db, c->key, &out->caches)) != 0)
		return r;
	if (out->nfolders == 0 && out->series == 0 && out->summaries == 0 &&
	    out->caches == 0)
		return 0;
	return db_event_add(
	    db, &(struct db_event){ .job_id = c->key->job_id,
		    .component = c->key->component,
		    .version = c->key->version,
		    .role = c->key->role,
		    .party_id = c->key->party_id,
		    .kind = "clean",
		    .from_state = state_name(head->party_status),
		    .to_state = state_name(head->party_status),
		    .reason = arena_printf(c->arena,
			"%zu tables, %lld metrics, %lld summaries and %lld "
			"caches removed",
			out->nfolders, (long long)out->series,
			(long long)out->summaries, (long long)out->caches) });
}

int
db_task_clean(struct db *db, struct arena *a, const struct db_task_key *k,
    struct db_cleaned *out)
{
	struct clean c = { a, k, out };

	return db_tx(db, clean_tx, &c);
}
