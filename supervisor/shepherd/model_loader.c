/*
 * Finding what a ModelLoader loads.  Called by inputs.c.
 */
#include "supervisor/shepherd/model_loader.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_checkpoint.h"
#include "lib/model/model_version.h"
#include "supervisor/shepherd/stored.h"

#define ANY_STEP (-1)

struct loader {
	struct arena *arena;
	struct db *db;
	const struct subject *subject;
	struct db_model_key key;
	const char *component;
	const char *alias;
	int64_t step_index; /* or ANY_STEP */
	const char *step_name;
	struct stored *stored; /* NULL: the version was never sealed */
	const struct db_model_part **parts;
	size_t n;
};

static void
read_parameters(struct loader *l)
{
	struct json_object *p = l->subject->parameters;
	const struct db_task_key *key = subject_key(l->subject);

	l->key = (struct db_model_key){
		.model_id = json_get_str(p, "model_id", ""),
		.model_version = json_get_str(p, "model_version", ""),
		.role = key->role,
		.party_id = key->party_id,
	};
	l->component = json_get_str(p, "component_name", "");
	l->alias = json_get_str(p, "model_alias", NULL);
	l->step_index = json_get_int(p, "step_index", ANY_STEP);
	l->step_name = json_get_str(p, "step_name", NULL);
}

static int
not_found(const struct loader *l, const char *what)
{
	return err_set(ERR_NOT_FOUND,
	    "%s %s has no %s of %s in model %.255s, version %.100s",
	    l->key.role, l->key.party_id, what, l->component, l->key.model_id,
	    l->key.model_version);
}

static int
open_version(struct loader *l)
{
	int r;

	r = stored_open(l->arena, l->db, &l->key, &l->stored);
	if (r != ERR_NOT_FOUND)
		return r;
	/* A training that failed has checkpoints all the same. */
	err_clear();
	return 0;
}

/*
 * A sealed version says who was in its training.  Without one the rows of the
 * training do; of a version that is there they are not asked, since whoever
 * initiates a job chooses its id and may take the version's.
 */
static int
took_part(const struct loader *l, const char *party, bool *yes)
{
	struct db_party *rows;
	size_t i, n;
	int r;

	*yes = l->stored != NULL && model_has_party(l->stored->row, party);
	if (l->stored != NULL)
		return 0;
	if ((r = db_party_list(
		 l->db, l->arena, l->key.model_version, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		*yes = *yes || str_eq(rows[i].party_id, party);
	return 0;
}

static int
check_initiator(const struct loader *l, bool *may)
{
	const struct db_job *job = l->subject->job;
	int r;

	*may = job->is_initiator;
	if (!*may && (r = took_part(l, job->initiator_party, may)) != 0)
		return r;
	if (!*may)
		log_warn("job of party %s asked for a model of version %s",
		    job->initiator_party, l->key.model_version);
	return 0;
}

/* --- checkpoints ------------------------------------------------------------- */

static bool
is_wanted(const struct loader *l, const struct db_checkpoint *c)
{
	if (l->step_index != ANY_STEP)
		return c->step_index == l->step_index;
	return l->step_name == NULL || str_eq(c->step_name, l->step_name);
}

static void
take_checkpoint(struct loader *l, const struct db_checkpoint *c,
    const struct db_checkpoint_part *rows, size_t n)
{
	struct db_model_part *p;
	size_t i;

	l->parts = arena_alloc(
	    l->arena, (n + 1) * sizeof(const struct db_model_part *));
	for (i = 0; i < n; i++) {
		if (rows[i].checkpoint_id != c->id)
			continue;
		p = arena_alloc(l->arena, sizeof(*p));
		p->component = c->component;
		p->alias = c->step_name;
		p->buffer_name = rows[i].buffer_name;
		p->message = rows[i].message;
		p->bytes = rows[i].bytes;
		memcpy(p->sha256, rows[i].sha256, sizeof(p->sha256));
		l->parts[l->n++] = p;
	}
}

/* The newest that is wanted: the list has the oldest first. */
static int
load_checkpoint(struct loader *l)
{
	const struct db_checkpoint *found = NULL;
	struct db_checkpoint_part *parts;
	struct db_checkpoint *rows;
	size_t i, n;
	int r;

	if ((r = db_checkpoint_list(l->db, l->arena, l->key.model_id,
		 l->key.model_version, l->key.role, l->key.party_id,
		 l->component, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if (is_wanted(l, &rows[i]))
			found = &rows[i];
	if (found == NULL)
		return 0;
	if ((r = db_checkpoint_parts(l->db, l->arena, l->key.model_id,
		 l->key.model_version, l->key.role, l->key.party_id,
		 l->component, &parts, &n)) != 0)
		return r;
	take_checkpoint(l, found, parts, n);
	return 0;
}

/* --- the whole ----------------------------------------------------------------- */

static int
load(struct loader *l)
{
	bool by_step = l->step_index != ANY_STEP || l->step_name != NULL;
	int r = 0;

	if (!by_step && l->stored != NULL)
		stored_parts(l->arena, l->stored, l->component, l->alias,
		    &l->parts, &l->n);
	if (l->n == 0 && l->alias == NULL)
		r = load_checkpoint(l);
	if (r != 0 || l->n > 0 || str_eq(l->key.role, "arbiter"))
		return r;
	return not_found(l, by_step ? "such checkpoint" : "such model");
}

int
model_loader_parts(struct arena *a, struct db *db, const struct subject *s,
    const struct db_model_part ***parts, size_t *n)
{
	struct loader l = { .arena = a, .db = db, .subject = s };
	bool may;
	int r;

	read_parameters(&l);
	if ((r = open_version(&l)) != 0 || (r = check_initiator(&l, &may)) != 0)
		return r;
	r = may ? load(&l) : not_found(&l, "such model");
	*parts = l.parts;
	*n = l.n;
	return r;
}
