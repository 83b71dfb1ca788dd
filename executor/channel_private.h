/*
 * What the files of the channel share.
 */
#ifndef EXECUTOR_CHANNEL_PRIVATE_H
#define EXECUTOR_CHANNEL_PRIVATE_H

#include "executor/channel.h"
#include "lib/wire/frame.h"

/* A frame with this member. */
#define FRAME_OF(member, value, kind)                                          \
	{                                                                      \
		.base = PROTOBUF_C_MESSAGE_INIT(                               \
		    &sluice__executor__frame__descriptor),                     \
		.kind_case = SLUICE__EXECUTOR__FRAME__KIND_##kind,             \
		.member = (value)                                              \
	}

/* protobuf-c has no const; frame_send() does not write. */
static inline char *
frame_text(const char *s)
{
	return (char *)(uintptr_t)(s != NULL ? s : "");
}

static inline ProtobufCBinaryData
frame_bytes(const void *data, size_t size)
{
	return (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)data };
}

/* Whole, whichever thread sends.  ERR_CLOSED, ERR_IO. */
int channel_send(
    struct channel *, const frame_msg *, const int *fds, size_t n_fds);

/* --- channel_start.c */

/*
 * On success and on errors the setup is to be given to channel_setup_fini();
 * a descriptor that came is the setup's.  ERR_FORMAT, ERR_UNSUPPORTED,
 * ERR_INVALID.
 */
int channel_take_start(
    const Sluice__Executor__Start *, struct frame_fds *, struct task_setup *);
void channel_setup_fini(struct task_setup *);

/* --- channel_report.c: of struct task_ops, ctx is the channel */

int channel_metric_data(void *ctx, const char *ns, const char *name,
    const struct metric_point *points, size_t n);
int channel_metric_meta(
    void *ctx, const char *ns, const char *name, const char *meta_json);
int channel_summary(void *ctx, const char *json);
int channel_output_table(void *ctx, const struct task_output *o);
int channel_output_file(
    void *ctx, const char *file, uint64_t rows, const char *delimiter);
int channel_output_model(
    void *ctx, const char *alias, const struct task_buffer *buffers, size_t n);
int channel_checkpoint(void *ctx, uint64_t step_index, const char *step_name,
    const struct task_buffer *buffers, size_t n, uint32_t keep);
int channel_progress(
    void *ctx, uint64_t done, uint64_t total, const char *what);
void channel_log(void *ctx, enum task_log_level level, const char *line);

#endif
