/*
 * Sections that speak of components: component_parameters and provider have
 *
 *	common: { COMPONENT: … }
 *	role:   { ROLE: { INDEX KEY: { COMPONENT: … } } }
 *
 * A section is read into pieces, sorted by component, in document order.
 */
#ifndef LIB_MODEL_SECTION_H
#define LIB_MODEL_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"
#include "lib/model/roles.h"

struct piece {
	size_t component;	      /* index in the DSL */
	size_t place;		      /* in the document */
	const struct role_list *role; /* NULL: common */
	const char *key;	      /* index key; NULL: whole role */
	struct json_object *value;
};

struct section {
	const char *name;
	struct piece *pieces;
	size_t n;
	size_t cap;
	const char *passed_over; /* such a component's name, or NULL */
};

struct section_input {
	const char *name;
	struct json_object *common; /* may be NULL */
	struct json_object *role;   /* may be NULL */
	/* A component may stand where an index key is expected. */
	bool direct;
	const struct dsl *dsl;
	/* Its components may be spoken of too, without any effect; or NULL. */
	const struct dsl *passed_over;
	const struct roles *roles;
	const struct json_path *path;
};

/*
 * Unknown components, roles and index keys are faults; values are not looked
 * at.
 */
void section_read(
    struct section *, const struct section_input *, struct faults *);
void section_fini(struct section *);

/* The pieces of one component: the first and how many; NULL for none. */
const struct piece *section_of(
    const struct section *, size_t component, size_t *n);
bool piece_applies(const struct piece *, const char *role, size_t position);

/* Where a piece stands; out must outlive the result. */
struct piece_path {
	struct json_path nodes[5];
};
const struct json_path *piece_path(const struct section *, const struct piece *,
    const struct dsl *, const struct json_path *conf, struct piece_path *out);

#endif
