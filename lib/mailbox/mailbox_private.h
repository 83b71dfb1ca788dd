/*
 * The inside of a mailbox: its folders and what is counted.
 */
#ifndef LIB_MAILBOX_MAILBOX_PRIVATE_H
#define LIB_MAILBOX_MAILBOX_PRIVATE_H

#include <dirent.h>
#include <stdint.h>

#include "lib/mailbox/mailbox.h"

struct usage {
	int64_t bytes;
	int64_t objects;
};

struct mailbox {
	int mem_fd;
	int disk_fd;
	int usage_fd;
	int64_t max_bytes;
	int64_t max_objects;
};

/* Until it is unlocked nobody else deposits or consumes; u is the count. */
int mailbox_lock(struct mailbox *, struct usage *u);
void mailbox_unlock(struct mailbox *);
int mailbox_count(struct mailbox *, struct usage *);
/*
 * Reserve room for a file of len bytes of the object; the lock is held.
 * ERR_BUSY when the mailbox is full, ERR_LIMIT when it can never hold as much.
 */
int mailbox_count_add(struct mailbox *, struct usage *,
    const struct mailbox_object *, uint64_t len);
/* The caller's to close. */
int mailbox_list(int folder, DIR **out);

#endif
