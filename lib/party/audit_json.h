/*
 * An audit row as the command line and the API show it.
 */
#ifndef LIB_PARTY_AUDIT_JSON_H
#define LIB_PARTY_AUDIT_JSON_H

#include "lib/db/db_audit.h"
#include "lib/json/json.h"

/* {"id", "at_ms", "actor", "action", "subject", "outcome", "detail"} */
struct json_object *audit_json(const struct db_audit *);

#endif
