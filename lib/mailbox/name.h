/* Inside lib/mailbox only. */
#ifndef LIB_MAILBOX_NAME_H
#define LIB_MAILBOX_NAME_H

#include "lib/mailbox/mailbox.h"

/* Hex BLAKE2b-128 of name, tag and sender; ERR_INVALID. */
int mailbox_object_id(const struct mailbox_object *, char out[MAILBOX_ID_SIZE]);

#endif
