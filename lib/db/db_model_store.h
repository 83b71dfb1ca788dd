/*
 * The model store in a database, in the classic platform's table: archives in
 * slices, base64.  The connection is the store's, not the site's.
 */
#ifndef LIB_DB_DB_MODEL_STORE_H
#define LIB_DB_DB_MODEL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/db/db.h"

struct db_archive {
	const char *model_id; /* ROLE#PARTY#MODEL_ID */
	const char *model_version;
	int64_t bytes;
	bool has_sha256; /* false: the classic platform put it there */
	unsigned char sha256[32];
};

/* Make the tables unless they are there.  ERR_DB. */
int db_archive_tables(struct db *);
/*
 * Keep a->bytes bytes of fd (by pread), in one transaction.
 * Errors: ERR_EXISTS when one is there and !force, ERR_DB, ERR_IO.
 */
int db_archive_put(struct db *, const struct db_archive *, int fd, bool force);
/*
 * Write the archive of that model and version to fd; bytes, has_sha256 and
 * sha256 are filled in.  One slice is in memory at a time.
 * Errors: ERR_NOT_FOUND, ERR_FORMAT when a slice is missing or is no base64,
 * ERR_DB, ERR_IO.
 */
int db_archive_get(struct db *, struct db_archive *, int fd);

#endif
