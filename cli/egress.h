/*
 * Rows of the egress ledger as JSON: what "sluice egress --json" prints and
 * "sluice egress compare --ledger" reads again.
 */
#ifndef CLI_EGRESS_H
#define CLI_EGRESS_H

#include "lib/db/db_audit.h"
#include "lib/json/json.h"

struct json_object *egress_json(const struct db_egress *);
/* Texts are borrowed from the object.  ERR_FORMAT. */
int egress_parse(struct json_object *, struct db_egress *out);

/* Rows of a job (NULL: of all), in pages; anything but 0 ends it. */
typedef int egress_fn(void *ctx, const struct db_egress *);
int egress_each(struct db *, const char *job_id, const char *component,
    egress_fn *, void *ctx);

#endif
