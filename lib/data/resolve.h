/*
 * From what is known of a table to the folder with its rows.
 */
#ifndef LIB_DATA_RESOLVE_H
#define LIB_DATA_RESOLVE_H

#include <stdbool.h>

#include "lib/db/db_table.h"

struct json_object;

/*
 * The table of this site that holds the rows: t itself, or the one that a
 * bound table is another name for.  ERR_UNSUPPORTED when the rows are kept
 * elsewhere, ERR_NOT_FOUND when the other one is gone, ERR_DENIED when it is
 * disabled, ERR_FORMAT when the row does not say which it is, ERR_DB.
 */
int data_resolve(struct db *, struct arena *, const struct db_table *t,
    const struct db_table **out);

/*
 * A job of that partner may read what was uploaded or bound here, and outputs
 * of jobs that it takes part in, under whatever name.  What was worked out with
 * somebody else is not shown to it, not even that it is there: ERR_NOT_FOUND.
 * Other errors: see data_resolve().
 */
int data_check_reader(struct db *, struct arena *, const struct db_table *t,
    const char *initiator_party);

/*
 * The table of this site that a Reader's parameters name, for a job of that
 * partner (NULL: of this site's own); *out is NULL when they name none.
 * Errors: ERR_NOT_FOUND when there is none for it, see data_check_reader();
 * ERR_DENIED when it, or the one behind it, is disabled, ERR_FORMAT, ERR_DB.
 */
int data_find_for_reader(struct db *, struct arena *,
    struct json_object *parameters, const char *initiator_party,
    struct db_table **out);

/* Folder names are ours, but they come from a row: two parts, hex. */
bool data_is_folder(const char *s);

#endif
