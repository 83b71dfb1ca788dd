/*
 * Party ids inside of a model's documents and messages.
 */
#ifndef LIB_PARTY_MIGRATE_TEXT_H
#define LIB_PARTY_MIGRATE_TEXT_H

#include <protobuf-c/protobuf-c.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

/*
 * What party stands for the member ROLE PARTY in the new roles, at the same
 * place of the list; NULL when it is none of the old ones.  In arena.
 */
const char *migrate_party(struct arena *, struct json_object *old_roles,
    struct json_object *new_roles, const char *role, const char *party);

/*
 * Texts of a message that begin with "ROLE_PARTY_" or are "ROLE:PARTY" of an
 * old member (anonymous names of columns, names of sites) get the new party;
 * the packed message is appended to out.  Errors: ERR_FORMAT.
 */
int migrate_message(const ProtobufCMessageDescriptor *, const void *data,
    size_t len, struct json_object *old_roles, struct json_object *new_roles,
    struct buf *out);

#endif
