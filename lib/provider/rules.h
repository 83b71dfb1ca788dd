/*
 * What a schema cannot say: parameters that need or exclude each other, and
 * choices of the classic platform that this provider does not offer.
 */
#ifndef LIB_PROVIDER_RULES_H
#define LIB_PROVIDER_RULES_H

#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"

/* params is complete; faults are added below path. */
void rules_check(const struct module *, struct json_object *params,
    const struct json_path *path, struct faults *);

/*
 * What will be done otherwise than the parameters say, without harm to the
 * result: for the person who submits, not faults.
 */
void rules_note(const struct module *, struct json_object *params,
    const struct json_path *path, struct faults *out);

/*
 * Do the members of a job suit the module?  roles is {"guest":[9999],…},
 * path where it stands.  A predict job needs no arbiter.
 */
void rules_check_members(const struct module *, struct json_object *roles,
    bool is_predict, const struct json_path *path, struct faults *);

/* A node that trains: what its parameters may need of the job around it. */
struct rules_training {
	struct json_object *roles; /* {"guest":[9999],…} */
	bool has_validate_data;
};

/* params is complete; faults are added below path. */
void rules_check_training(const struct module *, struct json_object *params,
    const struct rules_training *, const struct json_path *path,
    struct faults *);

#endif
