/*
 * The DSL, version 2: components, how they are wired, in which order they
 * may run.  Pure; every fault of a document is collected in one go.
 */
#ifndef LIB_MODEL_DSL_H
#define LIB_MODEL_DSL_H

#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"

#define DSL_NAME_MAX 100 /* components, outputs: columns hold as much */
#define DSL_COMPONENTS_MAX 20000
#define DSL_REFS_MAX 1000 /* references of one component */

enum dsl_ref_kind {
	DSL_REF_DATA,
	DSL_REF_MODEL,
	DSL_REF_ISOMETRIC,
	DSL_REF_CACHE
};

struct dsl_ref {
	enum dsl_ref_kind kind;
	const char *key;  /* data, train_data, …; else the kind */
	size_t from;	  /* index in components */
	const char *name; /* the upstream's output */
};

/* "pipeline.COMPONENT.ALIAS": a model of the version that a predict job uses. */
struct dsl_stored {
	enum dsl_ref_kind kind; /* DSL_REF_MODEL or DSL_REF_ISOMETRIC */
	size_t place;		/* in its list */
	const char *component;
	const char *alias;
};

struct dsl_component {
	const char *name;
	const char *module;   /* as the manifest spells it; as
					 * written when it is not known */
	const char *provider; /* name[@version] or NULL */
	struct dsl_ref *refs; /* in document order */
	size_t n_refs;
	struct dsl_stored *stored;
	size_t n_stored;
	const char **out_data; /* positional */
	size_t n_out_data;
	const char *out_model; /* alias or NULL */
	const char **out_cache;
	size_t n_out_cache;
	size_t *ups; /* distinct upstream components, sorted */
	size_t n_ups;
	size_t seq; /* place in order */
};

struct dsl {
	struct arena *arena;		  /* everything below */
	struct json_object *json;	  /* what names borrow from */
	struct dsl_component *components; /* document order */
	size_t n;
	size_t *order;	      /* indices, upstream first */
	size_t *by_name;      /* indices, sorted by name */
	const char *provider; /* job-wide, or NULL */
};

/*
 * Check and read a DSL (path is where it stands in the request).  A node
 * becomes ready when all its upstream nodes are placed; of several ready ones
 * the first of the document comes first.
 * providers may be NULL: modules are then not looked up.  Otherwise they
 * must outlive the result.
 * Ownership: *out is the caller's; it keeps a reference on json.
 * Errors: ERR_INVALID with at least one fault added.
 */
int dsl_parse(struct json_object *json, const struct providers *providers,
    const struct json_path *path, struct faults *, struct dsl **out);
/*
 * The same, but what is right of a faulty document is kept, for checks that
 * go on: never NULL; n may be 0, modules NULL, the order arbitrary.
 */
struct dsl *dsl_read(struct json_object *json, const struct providers *,
    const struct json_path *path, struct faults *);
void dsl_free(struct dsl *);

/* "data", "model", "isometric_model" or "cache". */
const char *dsl_kind_name(enum dsl_ref_kind);

/* Index by name, or (size_t)-1. */
size_t dsl_find(const struct dsl *, const char *name);

/*
 * The component whose parameters this one inherits: it applies that one's
 * model or trains it further, and both are of the same module.
 * (size_t)-1 when there is none.
 */
size_t dsl_inherits(const struct dsl *, size_t index);

/* Only predict jobs have stored models: a fault for each reference to one. */
void dsl_refuse_stored(
    const struct dsl *, const struct json_path *path, struct faults *);

#endif
