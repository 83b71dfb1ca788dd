/*
 * The dependencies of a job's components, read once from its DSL.
 */
#ifndef LIB_MODEL_GRAPH_H
#define LIB_MODEL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

struct graph_node {
	const char *name;
	const size_t *ups; /* indexes of upstream nodes */
	size_t nups;
};

struct graph {
	struct arena *arena;
	struct graph_node *nodes; /* upstream before downstream */
	size_t n;
	bool makes_model; /* some component puts one out */
};

/* Ownership: *out is the caller's.  Errors: ERR_INVALID, ERR_FORMAT. */
int graph_from_dsl(const char *dsl_text, struct graph **out);
void graph_free(struct graph *); /* NULL is fine */

/* Index by name, (size_t)-1 when there is none; hint is tried first. */
size_t graph_find(const struct graph *, const char *name, size_t hint);

#endif
