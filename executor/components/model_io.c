/*
 * Packing and unpacking of model messages.
 */
#include "executor/components/model_io.h"

#include "lib/base/err.h"

static struct task_buffer
pack(struct arena *a, const char *name, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *content = arena_alloc(a, size + 1);

	(void)protobuf_c_message_pack(m, content);
	return (struct task_buffer){ name, m->descriptor->short_name, content,
		size };
}

int
model_put(struct task *t, const char *meta_name, const ProtobufCMessage *meta,
    const char *param_name, const ProtobufCMessage *param)
{
	struct arena *a = arena_new();
	struct task_buffer buffers[2];
	int r;

	buffers[0] = pack(a, meta_name, meta);
	buffers[1] = pack(a, param_name, param);
	r = task_output_model(t, buffers, 2);
	arena_free(a);
	return r;
}

int
model_get(struct task *t, const char *name,
    const ProtobufCMessageDescriptor *type, ProtobufCMessage **out)
{
	const struct task_buffer *b = task_model_buffer(t, TASK_MODEL, name);

	*out = NULL;
	if (b == NULL)
		return err_set(ERR_INVALID,
		    "the input model has no %s; it is not a model of %s", name,
		    task_module(t));
	*out = protobuf_c_message_unpack(type, NULL, b->size, b->content);
	if (*out == NULL)
		return err_set(
		    ERR_FORMAT, "%s of the input model is damaged", name);
	return 0;
}
