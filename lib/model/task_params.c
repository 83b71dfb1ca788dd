/*
 * Parameters of a component on a member.  Called by job_tasks.c.
 *
 * What somebody wrote is checked piece by piece where it stands, so that a
 * fault is told once and at its place.  Only when a component's pieces are
 * right are they merged and completed for each member; what is found then
 * (something missing, parameters that exclude each other) belongs to the
 * last piece that speaks of the member.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/merge.h"
#include "lib/model/job_tasks_private.h"
#include "lib/provider/params.h"
#include "lib/provider/rules.h"

static const struct json_path *
given_path(const struct build *b, const struct given *g, struct piece_path *out)
{
	if (g->of_training)
		return piece_path(&b->trained->params, g->piece,
		    b->trained->dsl, &trained_conf_path, out);
	return piece_path(
	    &b->params, g->piece, b->spec->dsl, b->in->conf_path, out);
}

static void
check_given(
    const struct build *b, const struct component *c, const struct given *g)
{
	struct piece_path buffer;
	const struct json_path *path = given_path(b, g, &buffer);

	if (json_is_object(g->piece->value))
		params_check(c->module, g->piece->value, path, b->faults);
	else
		faults_add_value(b->faults, path, g->piece->value,
		    "must be an object of parameters");
}

bool
task_params_check(const struct build *b, const struct component *c)
{
	size_t i, before = faults_count(b->faults);

	for (i = 0; i < c->n_trained; i++)
		check_given(
		    b, c, &(struct given){ &c->trained_pieces[i], true });
	for (i = 0; i < c->n; i++)
		check_given(b, c, &(struct given){ &c->pieces[i], false });
	return faults_count(b->faults) == before;
}

/*
 * Pieces of one scope that speak of the member; position < 0: it took no
 * part.
 */
static size_t
add_scope(const struct piece *pieces, size_t n, bool is_common,
    bool of_training, const struct job_member *m, int position,
    struct given *out)
{
	size_t i, used = 0;

	for (i = 0; position >= 0 && i < n; i++)
		if ((pieces[i].role == NULL) == is_common &&
		    piece_applies(&pieces[i], m->role, (size_t)position))
			out[used++] = (struct given){ &pieces[i], of_training };
	return used;
}

/*
 * Everything that was said for a member, what wins last: common before role,
 * and in each the training before this job.
 */
static struct given *
collect(const struct build *b, const struct component *c,
    const struct job_member *m, size_t *count)
{
	struct given *set = xcalloc(c->n + c->n_trained + 1, sizeof(*set));
	int place = m->position, old = -1;
	size_t n = 0, scope;

	if (c->n_trained > 0)
		old = trained_position(b->trained, m->role, m->party_id);
	for (scope = 0; scope < 2; scope++) {
		bool is_common = scope == 0;

		n += add_scope(c->trained_pieces, c->n_trained, is_common, true,
		    m, old, set + n);
		n += add_scope(
		    c->pieces, c->n, is_common, false, m, place, set + n);
	}
	*count = n;
	return set;
}

/* Both are consumed; NULL is nothing. */
static struct json_object *
overlay(struct json_object *below, struct json_object *above)
{
	struct json_object *o;

	if (below == NULL || above == NULL)
		return below == NULL ? above : below;
	o = json_copy(below);
	json_merge(o, above);
	json_object_put(below);
	json_object_put(above);
	return o;
}

static struct json_object *
from_training(
    const struct trained *t, size_t component, const struct job_member *m)
{
	int position = trained_position(t, m->role, m->party_id);

	return position < 0 || component == NONE
		   ? NULL
		   : trained_given(t, component, m->role, (size_t)position);
}

/* What the training said that a ModelLoader of this job loads from. */
static struct json_object *
from_loader(const struct build *b, const struct component *c, size_t loader,
    const struct job_member *m)
{
	const struct dsl_component *up = &b->spec->dsl->components[loader];
	const char *source =
	    json_get_str(m->tasks[up->seq].parameters, "component_name", "");
	const struct trainings *t = b->trainings;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (str_eq(t->loaders[i], up->name))
			return from_training(&t->loaded[i],
			    trained_component(
				&t->loaded[i], source, c->module->name),
			    m);
	return NULL;
}

/*
 * What holds for a component because its model has it from another one: of
 * this job, or of the training.
 */
static struct json_object *
inherit(const struct build *b, const struct component *c,
    const struct job_member *m)
{
	struct json_object *o = NULL;
	size_t i, up;

	for (i = 0; i < c->dsl->n_refs; i++)
		if (c->dsl->refs[i].kind == DSL_REF_MODEL)
			o = overlay(
			    o, from_loader(b, c, c->dsl->refs[i].from, m));
	for (i = 0; b->trained != NULL && i < c->dsl->n_stored; i++) {
		up = trained_component(
		    b->trained, c->dsl->stored[i].component, c->module->name);
		if (c->dsl->stored[i].kind == DSL_REF_MODEL && up != c->trained)
			o = overlay(o, from_training(b->trained, up, m));
	}
	if (c->trained != NONE)
		o = overlay(
		    o, from_training(b->trained,
			   dsl_inherits(b->trained->dsl, c->trained), m));
	up = dsl_inherits(b->spec->dsl, c->index);
	if (up != NONE)
		o = overlay(
		    o, json_object_get(
			   m->tasks[b->spec->dsl->components[up].seq].given));
	return o;
}

/* A Reader's table is one address: parts of two make none. */
static void
merge_piece(const struct component *c, struct json_object *into,
    struct json_object *piece)
{
	if (str_eq(c->module->name, "Reader") && json_has(piece, "table"))
		json_object_object_del(into, "table");
	json_merge(into, piece);
}

static struct json_object *
merge_set(const struct component *c, struct json_object *inherited,
    const struct given *set, size_t n)
{
	struct json_object *given;
	size_t i;

	if (inherited == NULL && n == 0)
		return NULL;
	if (inherited == NULL && n == 1)
		return json_object_get(set[0].piece->value);
	if (n == 0)
		return json_object_get(inherited);
	given =
	    inherited != NULL ? json_copy(inherited) : json_object_new_object();
	for (i = 0; i < n; i++)
		merge_piece(c, given, set[i].piece->value);
	return given;
}

/* Notes of a component's parameters become warnings of the job. */
static void
take_notes(const struct build *b, const struct job_task *t,
    const struct json_path *path)
{
	struct faults notes = FAULTS_INIT;
	size_t i;

	if (t->parameters == NULL)
		return;
	rules_note(t->module, t->parameters, path, &notes);
	for (i = 0; i < notes.n; i++)
		job_spec_warn(b->spec, "%s: %s (found %s)",
		    notes.items[i].pointer, notes.items[i].message,
		    notes.items[i].value);
	faults_fini(&notes);
}

static bool
has_data(const struct dsl_component *c, const char *key)
{
	size_t i;

	for (i = 0; i < c->n_refs; i++)
		if (c->refs[i].kind == DSL_REF_DATA &&
		    strcmp(c->refs[i].key, key) == 0)
			return true;
	return false;
}

/* Said once: by the guest's parameters, which lead the training. */
static void
check_training(const struct build *b, const struct component *c,
    const struct job_member *m, const struct job_task *t,
    const struct json_path *path)
{
	const struct rules_training training = { .roles = b->spec->roles,
		.has_validate_data = has_data(c->dsl, "validate_data") };

	if (t->parameters != NULL && strcmp(m->role, "guest") == 0 &&
	    has_data(c->dsl, "train_data"))
		rules_check_training(
		    t->module, t->parameters, &training, path, b->faults);
}

/* Where something is said, or, when it is not, could be. */
struct spot {
	struct piece absent;
	struct given none;
	struct role_list role;
	char key[12];
};

static const struct given *
spot_of(struct spot *s, const struct component *c, const struct job_member *m,
    const struct given *g)
{
	if (g != NULL)
		return g;
	*s = (struct spot){ .absent = { .component = c->index },
		.role = { .name = m->role } };
	snprintf(s->key, sizeof(s->key), "%d", m->position);
	s->absent.role = &s->role;
	s->absent.key = s->key;
	s->none = (struct given){ &s->absent, false };
	return &s->none;
}

static void
complete(const struct build *b, const struct component *c,
    const struct job_member *m, const struct given *last, struct job_task *t)
{
	const struct json_path *path;
	struct piece_path buffer;
	struct spot spot;

	path = given_path(b, spot_of(&spot, c, m, last), &buffer);
	(void)params_complete(
	    t->module, t->given, path, b->faults, &t->parameters);
	take_notes(b, t, path);
	check_training(b, c, m, t, path);
}

static bool
is_shared(const struct shared *s, const struct job_task *t,
    const struct given *set, size_t n, struct json_object *inherited)
{
	size_t i;

	if (!s->valid || s->module != t->module || s->n != n ||
	    s->inherited != inherited)
		return false;
	for (i = 0; i < n; i++)
		if (s->set[i].piece != set[i].piece)
			return false;
	return true;
}

static void
share(struct shared *s, const struct shared *by)
{
	free(s->set);
	json_object_put(s->inherited);
	*s = *by;
}

/* The last piece that says it, or the last of all. */
static const struct given *
who_says(const struct given *set, size_t n, const char *key)
{
	for (size_t i = n; i > 0; i--)
		if (json_has(set[i - 1].piece->value, key))
			return &set[i - 1];
	return n > 0 ? &set[n - 1] : NULL;
}

static void
look(const struct build *b, const struct component *c,
    const struct job_member *m, const struct job_task *t,
    const struct given *set, size_t n)
{
	const bool reads = str_eq(c->dsl->module, "Reader");
	struct piece_path buffer;
	struct spot spot;

	if (b->in->look == NULL || !m->is_local || t->parameters == NULL)
		return;
	b->in->look(b->in->look_ctx, b->spec, m, c->seq,
	    given_path(b,
		spot_of(&spot, c, m,
		    who_says(set, n, reads ? "table" : "label_name")),
		&buffer),
	    b->faults);
}

static void
give(const struct build *b, struct component *c, const struct job_member *m,
    struct job_task *t, struct given *set, size_t n)
{
	struct json_object *inherited = inherit(b, c, m);

	if (is_shared(&c->last, t, set, n, inherited)) {
		t->given = json_object_get(c->last.given);
		t->parameters = json_object_get(c->last.complete);
		json_object_put(inherited);
		free(set);
		return;
	}
	if (c->pieces_ok)
		t->given = merge_set(c, inherited, set, n);
	if (c->pieces_ok && t->module != NULL)
		complete(b, c, m, n > 0 ? &set[n - 1] : NULL, t);
	/* A failure without any piece names the member: not shared. */
	share(&c->last,
	    &(struct shared){ t->module, set, n, inherited,
		n > 0 || t->parameters != NULL, t->given, t->parameters });
}

void
task_params_give(const struct build *b, struct component *c,
    const struct job_member *m, struct job_task *t)
{
	size_t n = 0;
	struct given *set = collect(b, c, m, &n);

	give(b, c, m, t, set, n);
	/* The same pieces, whether these or those of a member before. */
	look(b, c, m, t, c->last.set, n);
}

void
task_params_end(struct component *c)
{
	share(&c->last, &(struct shared){ 0 });
}
