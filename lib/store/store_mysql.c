/*
 * The store in MySQL or MariaDB: a database of its own, or one that the
 * classic platform's servers use.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/db/db_model_store.h"
#include "lib/store/store.h"

/* One slice of 4 MB is written or read meanwhile. */
#define ANSWER_TIMEOUT_S 30

struct mysql_store {
	struct site_conf conf; /* the store's account in [database]'s place */
	struct db *db;
};

static void
mysql_close(void *ctx)
{
	struct mysql_store *s = ctx;

	if (s == NULL)
		return;
	db_close(s->db);
	free(s);
}

static int
mysql_open(const struct site_conf *conf, void **ctx)
{
	struct mysql_store *s = xcalloc(1, sizeof(*s));
	int r;

	*ctx = NULL;
	s->conf = *conf;
	s->conf.db_socket = conf->store_socket;
	s->conf.db_host = conf->store_host;
	s->conf.db_port = conf->store_port;
	s->conf.db_answer_timeout_s = ANSWER_TIMEOUT_S;
	s->conf.db_tls_ca = conf->store_tls_ca;
	s->conf.db_name = conf->store_name;
	s->conf.db_user = conf->store_user;
	s->conf.db_password_file = conf->store_password_file;
	if ((r = db_open(&s->conf, &s->db)) != 0 ||
	    (r = db_archive_tables(s->db)) != 0) {
		mysql_close(s);
		return r;
	}
	*ctx = s;
	return 0;
}

static int
mysql_put(void *ctx, const struct store_item *item, int fd, bool force)
{
	struct mysql_store *s = ctx;
	struct db_archive a = { .model_id = item->model_id,
		.model_version = item->model_version,
		.bytes = item->bytes };

	memcpy(a.sha256, item->sha256, sizeof(a.sha256));
	return db_archive_put(s->db, &a, fd, force);
}

static int
mysql_get(void *ctx, struct store_item *item, int fd)
{
	struct mysql_store *s = ctx;
	struct db_archive a = { .model_id = item->model_id,
		.model_version = item->model_version };
	int r;

	if ((r = db_archive_get(s->db, &a, fd)) != 0)
		return r;
	item->bytes = a.bytes;
	item->has_sha256 = a.has_sha256;
	memcpy(item->sha256, a.sha256, sizeof(a.sha256));
	return 0;
}

const struct store_ops store_mysql = { "mysql", mysql_open, mysql_close,
	mysql_put, mysql_get };
