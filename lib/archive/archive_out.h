/*
 * An archive written into a sink while it is made: nothing is kept but a
 * block, and in a zip file the list of members.
 */
#ifndef LIB_ARCHIVE_ARCHIVE_OUT_H
#define LIB_ARCHIVE_ARCHIVE_OUT_H

#include <stddef.h>
#include <stdint.h>

enum archive_kind { ARCHIVE_KIND_TAR_GZ, ARCHIVE_KIND_ZIP };

struct archive_sink {
	/* 0 or ERR_*, which the call that led to it returns. */
	int (*write)(void *ctx, const void *data, size_t len);
	/* Does anybody wait?  0 or ERR_CLOSED; NULL when nobody can tell. */
	int (*check)(void *ctx);
	void *ctx;
};

struct archive_out;

/* The sink is copied.  ERR_NOMEM. */
int archive_open(
    const struct archive_sink *, enum archive_kind, struct archive_out **out);
/*
 * The time of change of all members that follow, seconds since the epoch; 0,
 * the default, is now.
 */
#define ARCHIVE_EPOCH_S 315532800 /* 1980, where the time of zip begins */
void archive_set_time(struct archive_out *, int64_t seconds);

/*
 * A member of exactly size bytes, given in pieces afterwards; what is
 * missing at the end is filled with NULs, what is too much is refused.
 * Names are relative and do not climb (ERR_INVALID).
 */
int archive_member(struct archive_out *, const char *name, uint64_t size);
int archive_write(struct archive_out *, const void *data, size_t len);

/* For long work between writes: ERR_CLOSED when nobody waits any more. */
int archive_check(struct archive_out *);

/* A file as it is now: bytes appended meanwhile are left out. */
int archive_file(struct archive_out *, const char *name, int fd);
/*
 * All regular files below a folder, under names relative to it, in order of
 * names; links are left out.  ERR_NOT_FOUND when there is no such folder.
 */
int archive_tree(struct archive_out *, const char *folder);

/* Writes the end.  The archive is freed whatever happens. */
int archive_end(struct archive_out *);
void archive_abort(struct archive_out *); /* NULL is fine */

#endif
