/*
 * The rows of tables that are kept here: all of them as a member of an
 * archive, and out of the way.
 */
#ifndef FCGI_APP_TABLE_FILES_H
#define FCGI_APP_TABLE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "fcgi-app/archive.h"
#include "fcgi-app/request.h"
#include "lib/db/db_table.h"

struct table_files_options {
	const char *name; /* of the members: name.csv, name.meta */
	bool head;	  /* with a line of names, where the table has them */
	int64_t limit;	  /* rows; negative: all */
};

/*
 * Add a table's rows and the names of its columns; a table without rows has
 * no member.  Errors: those of data_resolve(), ERR_CLOSED when nobody waits
 * any more, ERR_FORMAT, ERR_IO.
 */
int table_files_add(struct request *, struct archive_out *,
    const struct db_table *, const struct table_files_options *);

/* Remove the folder of a table whose row is gone; failures are logged. */
void table_files_remove(struct request *, const char *folder);

#endif
