/*
 * The dependencies of a job's components.  Kept by the scheduler as long as
 * it works on the job; a job's DSL never changes.
 */
#include "lib/model/graph.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"

static struct graph *
graph_of(const struct dsl *dsl)
{
	struct arena *arena = arena_new();
	struct graph *g = arena_alloc(arena, sizeof(*g));

	g->arena = arena;
	g->n = dsl->n;
	g->nodes = arena_alloc(arena, dsl->n * sizeof(*g->nodes) + 1);
	for (size_t i = 0; i < dsl->n; i++) {
		const struct dsl_component *c = &dsl->components[dsl->order[i]];
		size_t *ups = arena_alloc(arena, c->n_ups * sizeof(*ups) + 1);

		for (size_t u = 0; u < c->n_ups; u++)
			ups[u] = dsl->components[c->ups[u]].seq;
		g->nodes[i] = (struct graph_node){
			.name = arena_strdup(arena, c->name),
			.ups = ups,
			.nups = c->n_ups,
		};
		g->makes_model |= c->out_model != NULL;
	}
	return g;
}

int
graph_from_dsl(const char *dsl_text, struct graph **out)
{
	struct json_object *json = NULL;
	struct faults faults = FAULTS_INIT;
	struct dsl *dsl = NULL;
	int r;

	*out = NULL;
	if ((r = json_parse_text(dsl_text, &json)) != 0 ||
	    (r = dsl_parse(json, NULL, NULL, &faults, &dsl)) != 0) {
		r = err_wrap("stored DSL");
		goto out;
	}
	*out = graph_of(dsl);
out:
	dsl_free(dsl);
	faults_fini(&faults);
	json_object_put(json);
	return r;
}

void
graph_free(struct graph *g)
{
	/* The graph itself lives in its arena. */
	if (g != NULL)
		arena_free(g->arena);
}

size_t
graph_find(const struct graph *g, const char *name, size_t hint)
{
	if (hint < g->n && strcmp(g->nodes[hint].name, name) == 0)
		return hint;
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->nodes[i].name, name) == 0)
			return i;
	return (size_t)-1;
}
