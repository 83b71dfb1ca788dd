/*
 * Deep merge of objects: members of the patch win, objects are merged member
 * by member, everything else (lists too) is replaced.
 */
#ifndef LIB_JSON_MERGE_H
#define LIB_JSON_MERGE_H

#include "lib/json/json.h"

/* Merge patch into base, which changes; the patch is copied from. */
void json_merge(struct json_object *base, struct json_object *patch);

#endif
