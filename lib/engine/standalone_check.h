/*
 * Is a file what LMDB may be let loose on?  LMDB trusts the pages of its
 * file: a forged offset makes it read beyond its map, a forged flag ends the
 * process.  Tables are written by executors, which nobody trusts, and read
 * by programs that must not fall; so every page that a reader can reach is
 * looked at once, before the table counts as the site's own.
 */
#ifndef LIB_ENGINE_STANDALONE_CHECK_H
#define LIB_ENGINE_STANDALONE_CHECK_H

/*
 * fd is a data.mdb that nobody writes any more.  Reads all of its pages but
 * the contents of large values.  Errors: ERR_FORMAT, ERR_IO, ERR_NOMEM.
 */
int standalone_check(int fd);

#endif
