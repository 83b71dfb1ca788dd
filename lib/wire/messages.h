/*
 * The protobuf messages that models are made of, by name.
 */
#ifndef LIB_WIRE_MESSAGES_H
#define LIB_WIRE_MESSAGES_H

#include <protobuf-c/protobuf-c.h>

/* By its name without package ("LRModelParam"); NULL when not known. */
const ProtobufCMessageDescriptor *messages_find(const char *name);

#endif
