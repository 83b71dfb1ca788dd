/*
 * An object on its way, shared by its shipments (one per receiver).
 */
#ifndef SUPERVISOR_SHEPHERD_PARCEL_H
#define SUPERVISOR_SHEPHERD_PARCEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/sign/digest.h"
#include "proto/executor.pb-c.h"

struct parcel {
	unsigned refs;
	char *name;
	char *tag;
	char *data; /* NULL when it is in fd */
	int fd;	    /* memory file that cannot change */
	uint64_t size;
	uint32_t parts;
	uint64_t part_size;		      /* of all but the last */
	unsigned char (*sha256)[DIGEST_SIZE]; /* of each part, when ... */
	atomic_bool *is_hashed;		      /* ... this says so */
	struct hasher *hasher;		      /* NULL: hashed when asked for */
};

/*
 * Make a parcel with one reference.  *fd (or NULL) becomes the parcel's.
 * Errors: ERR_FORMAT, ERR_IO, ERR_LIMIT for a large file that is no memory
 * that can be sealed.
 */
int parcel_new(const Sluice__Executor__Remote *, int *fd, struct parcel **out);
void parcel_drop(struct parcel *); /* gives back a reference */

/* Where part i lies. */
void parcel_part(
    const struct parcel *, uint32_t i, uint64_t *offset, uint64_t *len);
/*
 * Have a thread compute the parts' digests, in order and ahead of their
 * sending; it adds to event_fd (an eventfd, borrowed) after each.  Does
 * nothing for objects in one part.  Without a thread digests are computed
 * when they are asked for, so failure to start one is no error.
 */
void parcel_hash_ahead(struct parcel *, int event_fd);
/* Would parcel_digest() answer at once? */
bool parcel_is_ready(const struct parcel *, uint32_t i);
/*
 * SHA-256 of part i, computed once; waits for the thread if there is one.
 * Errors: ERR_IO, ERR_CRYPTO.
 */
int parcel_digest(struct parcel *, uint32_t i, const unsigned char **out);

#endif
