/*
 * Descriptors and files: whole reads and writes, atomic replacement,
 * passing descriptors.  Every descriptor made here is close-on-exec.
 */
#ifndef LIB_BASE_FD_H
#define LIB_BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

void fd_close(int *fd); /* closes if >= 0, sets -1 */
int fd_write_all(int fd, const void *data, size_t len);
/* Exactly len bytes; ERR_CLOSED at an early end of file. */
int fd_read_exact(int fd, void *data, size_t len);
int fd_set_nonblock(int fd);

/*
 * Write a file under a temporary name, sync it, rename it, sync the folder:
 * readers see the old content or the new, never a part.
 */
int fd_replace_file(
    const char *path, const void *data, size_t len, mode_t mode);
/* A new file, synced; on errors there is none.  ERR_EXISTS, ERR_IO. */
int fd_new_file(const char *path, const void *data, size_t len, mode_t mode);
/* Is the path still the file that was seen, unchanged? */
bool fd_same_file(const struct stat *, const struct stat *);
int fd_sync_dir(const char *path);
int fd_mkdirs(const char *path, mode_t mode); /* like mkdir -p */
/*
 * A new folder with the plain files of an open one, all synced, on whatever
 * file system; folders in it are refused (ERR_FORMAT).  On errors what was
 * made is removed.
 */
int fd_copy_folder(int from, const char *to, mode_t folder, mode_t file);
/*
 * Remove a tree without following links; a missing one is fine.  However deep
 * it is, and whatever rights its folders have, as long as they are ours.
 */
int fd_remove_tree(const char *path);

/* One entry of a folder that is open as dir; not 0 ends the walk. */
typedef int fd_entry_fn(void *ctx, int dir, const char *name);
/*
 * Call fn for what a folder has, at most for `most` entries, in no order; a
 * folder that is missing has nothing.  Errors: fn's, ERR_IO.
 */
int fd_each(const char *path, int most, fd_entry_fn *fn, void *ctx);

/* Anonymous memory file of the given content, sealed against change. */
int fd_memfd(const char *name, const void *data, size_t len, int *out);

/* Unix datagram: a bound receiver, and a send that never blocks. */
int fd_dgram_bind(const char *path, int *out);
/* ERR_CLOSED when nobody listens, ERR_BUSY when the queue is full. */
int fd_dgram_send(const char *path, const void *data, size_t len);

#endif
