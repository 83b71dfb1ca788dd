/*
 * What an executor may say.  An executor runs code of a provider on partners'
 * data: every frame of it is judged here before the shepherd acts on it, so
 * that the rest of the shepherd may read the message's fields as they are.
 *
 * After wire_check_executor() returned 0: the message is one that executors
 * send; texts that reach the database are UTF-8 and fit their columns; names
 * and folders are safe as one path part; JSON texts parse and are of the
 * right kind; enums, counts and sizes are in range; sub-messages that have to
 * be there are there; n descriptors is what the message calls for.
 */
#ifndef LIB_WIRE_CHECK_H
#define LIB_WIRE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/wire/frame.h"

#define WIRE_MAX_RECEIVERS 64
#define WIRE_MAX_POINTS 10000
#define WIRE_MAX_BUFFERS 100
#define WIRE_MAX_STEP INT32_MAX
#define WIRE_MAX_CHECKPOINTS 100     /* of one component */
#define WIRE_MAX_OBJECT (1ull << 36) /* bytes of one object */

/* Errors: ERR_FORMAT, with the field at fault. */
int wire_check_executor(const frame_msg *, size_t n_fds);

/* One path part: letters, digits, '_', '-', '.', no dot in front. */
bool wire_is_path_part(const char *s, size_t max);
/* A transfer name: letters, digits, '_', '-', '.'. */
bool wire_is_transfer_name(const char *s);
/* A tag: printable ASCII, possibly none. */
bool wire_is_tag(const char *s);

#endif
