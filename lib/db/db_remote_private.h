/*
 * What db_remote.c and db_remote_write.c share.
 */
#ifndef LIB_DB_DB_REMOTE_PRIVATE_H
#define LIB_DB_DB_REMOTE_PRIVATE_H

#include <mysql.h>
#include <stdatomic.h>

#include "lib/base/buf.h"
#include "lib/db/db_remote.h"

struct db_remote {
	MYSQL *my;
	char *where; /* "host:port", for messages */
	atomic_int socket;
};

/* Record and classify an error of the client library. */
int remote_failed(const struct db_remote *, unsigned int code,
    const char *message, const char *what);
/* The same with the connection's own. */
int remote_fails(const struct db_remote *, const char *what);

/* A statement without result. */
int remote_run(
    struct db_remote *, const char *sql, size_t len, const char *what);
int remote_run_buf(struct db_remote *, const struct buf *sql, const char *what);

int remote_check_name(const char *what, const char *name);
/* Names that were checked, in backticks. */
void remote_put_name(struct buf *sql, const char *name);
void remote_put_names(struct buf *sql, const char *const *names, size_t n);

#endif
