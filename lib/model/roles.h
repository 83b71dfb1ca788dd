/*
 * Who takes part in a job, and which members a "role" section speaks of:
 * job parameters, component parameters and providers all have sections
 *
 *	role: { ROLE: { INDEX KEY: … } }
 *
 * whose index keys are "0" (the first member of the role), "0|2" or "all".
 * Later keys win over earlier ones.
 */
#ifndef LIB_MODEL_ROLES_H
#define LIB_MODEL_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/json/decode.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"

struct role_list {
	const char *name;
	size_t n;
	char (*parties)[JSON_PARTY_SIZE];
};

struct roles {
	struct role_list *items; /* order of the document */
	size_t n;
	size_t n_members;
};

/*
 * Read the conf's role map.  A role is known when a module of some provider
 * has it.  Lists must hold distinct party ids and not be empty.
 */
void roles_read(struct json_object *, const struct providers *,
    const struct json_path *, struct faults *, struct arena *,
    struct roles *out);
/* NULL when there is none. */
const struct role_list *roles_find(const struct roles *, const char *role);
/* Position of a party in its role, or -1. */
int roles_position(const struct role_list *, const char *party_id);
/* {"guest":[9999],…}; the caller's. */
struct json_object *roles_json(const struct roles *);

/* One role's part of a section: an object of not too many index keys. */
bool roles_keys_usable(struct json_object *keys);
/* Does an index key speak of the member at this position? */
bool roles_key_matches(const char *key, size_t position);

/*
 * Check the names of a role section: roles exist, index keys have the right
 * shape and are in range.  Where component is not NULL a key may also be a
 * name that it knows ("directly under the role"), meaning all members.
 */
typedef bool roles_is_name_fn(void *ctx, const char *key);
void roles_check_section(const struct roles *, struct json_object *section,
    const struct json_path *, roles_is_name_fn *, void *ctx, struct faults *);

#endif
