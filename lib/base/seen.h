/*
 * Files and folders as they were when they were read: whoever keeps what
 * follows from them asks here whether it still holds.
 */
#ifndef LIB_BASE_SEEN_H
#define LIB_BASE_SEEN_H

#include <stdbool.h>

struct seen;

struct seen *seen_new(void);
void seen_free(struct seen *); /* NULL is fine */

/*
 * Look at a path (a link: at what it leads to) before it is read.  That
 * there is nothing is remembered, too.
 */
void seen_add(struct seen *, const char *path);

/*
 * Is each still the same file with the same inode, size and times of change?
 * The kernel's times have grains: of what changed less than two seconds
 * before it was looked at, another change might leave no trace, so such a
 * file is never the same.  An empty list is.
 */
bool seen_is_same(const struct seen *);

#endif
