/*
 * A private database server for a test program: its own folder (in memory,
 * where there is room), a unix socket, no network; gone when the program ends,
 * however it ends.
 */
#ifndef TESTS_LIB_MARIADB_H
#define TESTS_LIB_MARIADB_H

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"

/*
 * Settings that reach the server, which is started at the first call.  Only
 * the [database] fields are set.  The program ends with a message when the
 * server cannot be started.
 */
const struct site_conf *mariadb_conf(void);

/* Before the first call: who sets a session's timestamp sets SYSDATE(), too. */
void mariadb_sysdate_is_now(void);

/* Drop everything, create the schema from sql/, forget what was there. */
void mariadb_fresh(void);

/* A connection; the caller's.  The program ends when there is none. */
struct db *mariadb_connect(void);

/* Stop and start the server: every connection is lost. */
void mariadb_restart(void);

/* Its process, for who counts what it costs. */
int mariadb_pid(void);

/* The folder of the server, for what else a test wants to keep there. */
const char *mariadb_folder(void);

#endif
