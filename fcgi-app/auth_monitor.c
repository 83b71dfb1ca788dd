/*
 * The scrape key.  Called by auth.c.
 */
#include "fcgi-app/auth_monitor.h"

#include <sodium.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/origin.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"

#define KEY_MAX 1024
#define KEY_LEAST 16 /* a shorter one can be guessed */
#define SCHEME "Bearer "

/* Compared by their hashes: the time says nothing about the key. */
static bool
is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned char x[crypto_generichash_BYTES], y[crypto_generichash_BYTES];

	(void)crypto_generichash(
	    x, sizeof(x), (const unsigned char *)a, a_len, NULL, 0);
	(void)crypto_generichash(
	    y, sizeof(y), (const unsigned char *)b, b_len, NULL, 0);
	return sodium_memcmp(x, y, sizeof(x)) == 0;
}

static bool
has_key(struct request *req)
{
	const char *file = req->app->conf->scrape_key_file;
	const char *said = request_header(req, "AUTHORIZATION");
	struct buf key = BUF_INIT;
	bool ok = false;
	size_t n;

	if (file[0] == '\0' || said == NULL || !str_starts(said, SCHEME))
		return false;
	said += strlen(SCHEME);
	if (buf_read_file(&key, file, KEY_MAX) != 0) {
		log_err("scrape key");
		err_clear();
	} else {
		n = strcspn(buf_str(&key), "\r\n");
		ok = n >= KEY_LEAST &&
		     is_same(buf_str(&key), n, said, strlen(said));
		sodium_memzero(key.data, key.len);
	}
	buf_fini(&key);
	return ok;
}

/* A browser's page of elsewhere is no program of this machine. */
static bool
no_page(const struct request *req)
{
	bool ok = origin_check(req) == 0;

	err_clear();
	return ok;
}

bool
auth_monitor(struct request *req)
{
	if (!has_key(req) && !(req->app->conf->metrics_on_loopback &&
				 req->listener == LISTENER_CLIENT_LOOPBACK &&
				 caller_is_loopback(req) && no_page(req)))
		return false;
	req->caller.role = CLIENT_VIEWER;
	req->caller.name = "monitor";
	return true;
}

int
auth_monitor_refused(struct request *req)
{
	const char *why = arena_strdup(req->arena, err_text());

	return err_set(ERR_AUTH,
	    "%s; a monitoring system sends \"Authorization: Bearer KEY\", KEY "
	    "being the first line of [monitoring] scrape_key_file, or is on this "
	    "machine and metrics_on_loopback = yes (site.conf)",
	    why);
}
