/*
 * What the files of the component Intersection share.  Nobody else includes
 * this.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_IMPL_H
#define EXECUTOR_COMPONENTS_INTERSECTION_IMPL_H

#include "executor/components/intersection_align.h"
#include "executor/components/intersection_cached.h"
#include "lib/engine/schema.h"

struct intersection {
	struct task *task;
	const struct task_input *input;
	struct psi_input in;
	struct schema schema;
	struct psi_conf conf;
	bool makes_cache;
	struct psi_cache *cache; /* the one to start from, or NULL */
	const char *join_method;
	bool only_key;

	uint32_t *ids; /* in common, in the guest's order; may be NULL */
	uint64_t common;
	bool known; /* whether we know common */
	struct alignment out;
};

/* The aligned table, from out. */
int intersection_output(struct intersection *);
/* Metrics and summary. */
int intersection_report(struct intersection *);

#endif
