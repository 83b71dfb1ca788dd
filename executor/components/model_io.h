/*
 * Models of components as protobuf messages: out to the task, in from it.
 */
#ifndef EXECUTOR_COMPONENTS_MODEL_IO_H
#define EXECUTOR_COMPONENTS_MODEL_IO_H

#include <protobuf-c/protobuf-c.h>

#include "executor/task.h"
#include "lib/base/mem.h"

/* Put out two messages; their buffers have the names given. */
int model_put(struct task *, const char *meta_name,
    const ProtobufCMessage *meta, const char *param_name,
    const ProtobufCMessage *param);

/*
 * The message in a buffer of the input model; ERR_INVALID when the model has
 * no such buffer, ERR_FORMAT when the buffer is not such a message.  Free
 * with protobuf_c_message_free_unpacked(), NULL allocator.
 */
int model_get(struct task *, const char *name,
    const ProtobufCMessageDescriptor *, ProtobufCMessage **out);

/* Entries of protobuf maps, which are messages of key and value. */
#define MODEL_MAP_ENTRY(arena, type, init, k, v)                               \
	__extension__({                                                        \
		type *entry_ = arena_alloc((arena), sizeof(*entry_));          \
		init(entry_);                                                  \
		entry_->key = (k);                                             \
		entry_->value = (v);                                           \
		entry_;                                                        \
	})

#endif
