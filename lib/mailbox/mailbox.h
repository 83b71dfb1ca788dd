/*
 * A task's mailbox: objects from other members wait here until the receiving
 * shepherd hands them to its executor.
 *
 *   <memory dir>/TASK/FILE	objects up to MAILBOX_SMALL_MAX bytes
 *   HOME/mailbox/TASK/FILE	larger ones, FILE.N-M for part N of M
 *
 * TASK is JOB.COMPONENT.VERSION.ROLE.PARTY of the receiver, FILE the hex
 * BLAKE2b-128 of the object's identity.  The receiving shepherd makes both
 * folders when it starts and removes them at its end; between the two anyone
 * who may deposit can, and nobody else's name can be reached: every part of
 * a name is checked before it becomes part of a path.
 *
 * A deposit is linked into place whole, so a reader sees all of it or none.
 * The same bytes again are a success (a repeated request), other bytes under
 * the same identity are refused.
 */
#ifndef LIB_MAILBOX_MAILBOX_H
#define LIB_MAILBOX_MAILBOX_H

#include <stddef.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"

#define MAILBOX_SMALL_MAX (64u << 10)
/* Parts of one object: as many as fit into one frame to the executor. */
#define MAILBOX_MAX_PARTS 250
#define MAILBOX_NAME_MAX 150 /* bytes of a transfer name */
#define MAILBOX_TAG_MAX 200

/* The receiver.  All texts borrowed. */
struct mailbox_task {
	const char *job_id;
	const char *component;
	int version;
	const char *role;
	const char *party_id;
};

/* The identity of an object, or of one part of it.  All texts borrowed. */
struct mailbox_object {
	const char *name; /* transfer name, e.g. paillier_pubkey */
	const char *tag;  /* printable, may be "" */
	const char *from_role;
	const char *from_party;
	uint32_t part;	/* 0 … parts - 1 */
	uint32_t parts; /* 1 for an object in one piece */
};

#define MAILBOX_TASK_SIZE 192
#define MAILBOX_FILE_SIZE 48
#define MAILBOX_ID_SIZE 33 /* FILE without its part */

/* Names, for logs and datagrams.  ERR_INVALID names the part at fault. */
int mailbox_task_name(const struct mailbox_task *, char out[MAILBOX_TASK_SIZE]);
int mailbox_file_name(
    const struct mailbox_object *, char out[MAILBOX_FILE_SIZE]);

/* Path of the receiver's wake socket, the caller's; ERR_INVALID. */
int mailbox_wake_path(
    const struct site_conf *, const struct mailbox_task *, char **out);
/*
 * Tell the receiver to look: a datagram with a file's name (or another
 * word, such as "kill").  Never blocks; a receiver that does not listen is
 * not an error to anyone: ERR_CLOSED and ERR_BUSY may be ignored.  One that is
 * not on this host is told by the supervisors, when the site has others: the
 * one here gets "HEX WORD" on SITE_HOSTS_SOCKET, HEX being the socket's name.
 */
int mailbox_wake(
    const struct site_conf *, const struct mailbox_task *, const char *word);
#define MAILBOX_WAKE_HEX 16
/* Is it "HEX WORD", and nothing else? */
bool mailbox_is_wake(const char *text);

/* Make the folders (the receiver).  Errors: ERR_INVALID, ERR_IO. */
int mailbox_create(const struct site_conf *, const struct mailbox_task *);
/* Remove the folders and all in them; missing ones are fine. */
int mailbox_remove(const struct site_conf *, const struct mailbox_task *);

/* An open mailbox: descriptors of its folders. */
struct mailbox;

/*
 * Errors: ERR_NOT_FOUND when the receiver has no mailbox (it does not run,
 * or not yet), ERR_INVALID, ERR_IO.
 */
int mailbox_open(const struct site_conf *, const struct mailbox_task *,
    struct mailbox **out);
void mailbox_close(struct mailbox *); /* NULL is fine */

/*
 * What the executor waits for must get in, or a mailbox full of what it does
 * not want yet would stay so for ever: the receiver names one object (NULL:
 * none), and for that there is as much room again.
 */
int mailbox_wish(struct mailbox *, const struct mailbox_object *);

/*
 * Deposits.  0 when kept, also when the same content was there already.
 * Errors: ERR_CONFLICT other content under this identity; ERR_BUSY the
 * mailbox holds as much as it may (try again later); ERR_LIMIT the object
 * can never fit; ERR_NOT_FOUND the mailbox went away; ERR_INVALID, ERR_IO.
 * The caller wakes the receiver afterwards.
 */
/* len <= MAILBOX_SMALL_MAX, one piece. */
int mailbox_put_bytes(struct mailbox *, const struct mailbox_object *,
    const void *data, size_t len);
/* A spooled file on the same file system: linked, the source stays. */
int mailbox_put_file(
    struct mailbox *, const struct mailbox_object *, const char *path);
/* len bytes of fd from offset, copied; small or large as len says. */
int mailbox_put_fd(struct mailbox *, const struct mailbox_object *, int fd,
    uint64_t offset, uint64_t len);

/* An object that has arrived whole. */
struct mailbox_found {
	uint32_t parts;
	int fd[MAILBOX_MAX_PARTS]; /* in order, for reading */
	uint64_t bytes;		   /* in all */
};

/*
 * Look for the object with the identity's name, tag and sender (its part and
 * parts are not read).  The descriptors are the caller's; the object stays
 * until mailbox_consume().  Errors: ERR_NOT_FOUND when it, or a part of it,
 * is not there yet; ERR_FORMAT when parts of different cuts are mixed;
 * ERR_INVALID, ERR_IO.
 */
int mailbox_get(
    struct mailbox *, const struct mailbox_object *, struct mailbox_found *out);
void mailbox_found_close(struct mailbox_found *);

/* Unlink the object, all its parts; a missing one is fine. */
int mailbox_consume(struct mailbox *, const struct mailbox_object *);
/*
 * Unlink one file by the name that a wake datagram gave; a missing one is
 * fine.  Errors: ERR_INVALID when it is no file's name, ERR_IO.
 */
int mailbox_drop(struct mailbox *, const char *file);

#endif
