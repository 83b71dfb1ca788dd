/*
 * The schema: numbered SQL files, applied in order, recorded with their
 * SHA-256.
 */
#ifndef LIB_DB_MIGRATE_H
#define LIB_DB_MIGRATE_H

#include "lib/db/db.h"

/* The schema these programs were written for: the number of the last file. */
#define DB_SCHEMA_VERSION 46

/*
 * Apply the NNNN_name.sql files of a folder that the database does not have.
 * Safe to run twice and by two at once.  Other files are ignored.
 * Errors: ERR_CONFLICT when a file was changed, is missing, or comes before
 * one that was applied; ERR_FORMAT for an odd name, a gap or a duplicate
 * number; ERR_BUSY when another migration holds the lock; ERR_DB, ERR_IO.
 */
int db_migrate(struct db *, const char *folder, int *applied);

/* Programs call this at start.  ERR_CONFLICT: schema older or newer. */
int db_schema_check(struct db *);
/* Was it made by a later program?  false when that cannot be known. */
bool db_schema_is_newer(struct db *);

/*
 * Find the next statement of SQL text: from *text on, skipping blanks and
 * comments; *start and *len are the statement without its semicolon, *text is
 * moved behind it.  Quotes ('', "", ``, doubled and backslash escapes) and
 * comments (--, #, C style) are known; semicolons in them do not count.
 * Returns 1 for a statement, 0 at the end, ERR_FORMAT for an open quote or
 * comment.
 */
int sql_next_statement(const char **text, const char **start, size_t *len);

#endif
