/*
 * Sealed versions of models as handlers look them up and show them.
 */
#ifndef FCGI_APP_MODEL_ROWS_H
#define FCGI_APP_MODEL_ROWS_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "lib/db/db_model.h"
#include "lib/json/json.h"

/*
 * The first sealed row of a version here, an arbiter's only when there is no
 * other; with documents.  model_id, role and party_id may be NULL.
 * Errors: ERR_NOT_FOUND, ERR_DB.
 */
int model_rows_find(struct request *, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    struct db_model **out);

/*
 * All columns as the platform's clients know them ("f_model_id", …), the
 * documents too when the row has them; the caller's.
 */
struct json_object *model_rows_view(const struct db_model *);

/* {"guest":[9999],…} of a row; the caller's, an empty object at worst. */
struct json_object *model_rows_roles(const struct db_model *);

#endif
