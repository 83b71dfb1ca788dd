/*
 * Protobuf messages as JSON, in the standard mapping (camelCase names,
 * defaults written out, 64-bit integers as text), driven by descriptors.
 */
#ifndef LIB_WIRE_PBJSON_H
#define LIB_WIRE_PBJSON_H

#include <protobuf-c/protobuf-c.h>

#include "lib/json/json.h"

/* The caller's. */
struct json_object *pbjson_message(const ProtobufCMessage *);

/*
 * Unpack len bytes as the message of that descriptor.
 * ERR_FORMAT when they are none, ERR_LIMIT when they would take much memory.
 * *out is the caller's.
 */
int pbjson_unpack(const ProtobufCMessageDescriptor *, const void *data,
    size_t len, struct json_object **out);

#endif
