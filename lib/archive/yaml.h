/*
 * The little YAML that models need: mappings in block style, by indentation,
 * of plain or quoted scalars.  Anything else (lists, anchors, tags, flow
 * style, several documents, text over several lines) is refused.
 */
#ifndef LIB_ARCHIVE_YAML_H
#define LIB_ARCHIVE_YAML_H

#include <stddef.h>

#include "lib/base/buf.h"

struct json_object;

#define YAML_DEPTH 8

/*
 * Scalars become strings; "" and "{}" become empty objects where a mapping
 * could stand.  *out is the caller's.
 * Errors: ERR_FORMAT with the line, ERR_LIMIT for more than YAML_DEPTH levels.
 */
int yaml_parse(const char *text, size_t len, struct json_object **out);

/* Append an object of objects and strings; the opposite of yaml_parse(). */
void yaml_write(struct json_object *, struct buf *out);

#endif
