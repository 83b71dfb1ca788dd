/*
 * A site as its operator's commands use it: by its files and its database,
 * not by its API.
 */
#ifndef CLI_SITE_H
#define CLI_SITE_H

#include "cli/args.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_tx.h"

struct site {
	struct site_conf *conf;
	struct db *db;
	struct arena *arena;
};

/*
 * By --config; events and audit rows name the account that runs this.
 * site_close() is due on errors as well.
 */
int site_open(const struct args *, struct site *);
void site_close(struct site *);

/* "operator NAME": who runs this, for audit rows; in the site's arena. */
const char *site_operator(const struct site *);
/* What the operator does, as the record says it; detail may be NULL. */
struct site_deed {
	const char *action;
	const char *subject;
	const char *detail;
};
/* Record what the operator did, in the transaction that does it. */
int site_audit(struct site *, const struct site_deed *);
/* fn and the record, as db_audit_do(). */
int site_do(struct site *, db_tx_fn *fn, void *ctx, const struct site_deed *);

/*
 * The whole of a command "VERB NAME": change what is called so in the site's
 * database, and record it.
 */
typedef int site_change_fn(struct db *, const char *verb, const char *name);
int site_change(const struct args *, site_change_fn *);

#endif
